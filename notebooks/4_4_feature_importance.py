# %% [markdown]
# # 4.4 Which acoustic features the network needs
#
# On {glue:text}`title`, {glue:text}`network` classifies {glue:text}`before` of fold 1 right, {glue:text}`random` without 12 % of its units drawn at random, and least without those chosen by {glue:text}`worst`.
# Section 4.4 of the paper silences AST's units by what their descriptions hold, most first, and reads off the accuracy {cite}`wu2024and`.
# **Its claims**, each with our verdict:
#
# - Units with many adjectives matter no more than random ones (Fig. 4a): {glue:text}`f4a_adjectives`.
# - Nouns hurt more than random at 4, 6 and 8 %, less at 2 and 10 % (4a): {glue:text}`f4a_nouns`.
# - Basic adjectives, {glue:text}`basic`, hurt more than others at each $r$, by over ten points at 10 % (4b): {glue:text}`f4b_basic`.
# - One basic adjective hurts less than all together, "much less" in the paper (4c): {glue:text}`f4c_single`.
# - Adjectives become fewer with depth in AST, less so in BEATs-finetuned, and are flat and fewer in BEATs-frozen (Fig. 5): {glue:text}`f5_ast_narrows`.

# %% tags=["parameters", "hide-input"]
model: str = "ast"  # target network: ast | beats_finetuned | beats_frozen | beats_supervised | beats_untrained | whisper_frozen | whisper_finetuned | all
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
weights: str = ""  # folder or hub id of the network; empty takes the profile's
device: str = "auto"  # where networks run: auto | cpu | cuda | cuda:1 | mps
precision: str = "float32"  # of networks: float32 | bf16
mode: str = "corrected"  # corrected | released | names of released faults
k: int = 5  # highest / lowest activated clips per neuron
summariser: str = "rules"  # who writes the summaries: rules | llm
llm: str = ""  # the summariser's language model, asked about every neuron: transformers:MODEL | openai:MODEL | vllm:MODEL

# %%
import andlib as al
from andlib.pages import section_4_4

run = al.open_run(globals())
made = run.made_by(*run.caption_parts)
units = section_4_4.chosen_units(run)  # which units each attribute takes
results = section_4_4.silenced(run, units)  # which clips of fold 1 are still classified right without them
curves = section_4_4.curves(run, results)

# %% mystnb={"figure": {"name": "feature-importance", "caption": "Figure 4: accuracy on fold 1 after silencing units by what their descriptions hold. Shaded: range over three seeds; open diamonds: as many random units in the same layers; dotted: nothing silenced."}, "image": {"alt": "Three panels of falling curves: accuracy against the percentage of silenced units, by parts of speech, by kind of adjective, and by single adjectives"}} tags=["hide-input"]
al.figures.feature_importance(curves[curves["model"] == run.models[0]], section_4_4.PANELS, run.models[0]);

# %% mystnb={"code_prompt_show": "Figure 4 in numbers"} tags=["hide-cell"]
al.tables.feature_importance(curves, made)

# %% [markdown]
# ## Compared with the paper
#
# *Difference* is accuracy without the units that should matter less, minus accuracy without those that should matter more, averaged over seeds and percentages.
# *Supported* means that the whole interval lies above the margin, *contradicted* that none of it does, *inconclusive* the rest.
# Rows *beyond layers* of the folded table are ours: they ask whether an attribute matters more than as many random units of the same layers.

# %% tags=["hide-input"]
compared = section_4_4.compared(run, results)
al.tables.plain(section_4_4.by_network(compared), "Figure 4's claims by network", made)

# %% mystnb={"code_prompt_show": "Every comparison, with its interval"} tags=["hide-cell"]
points = dict.fromkeys(["difference", "margin", "95 % from", "to"], "+.1%")
heads = {"more": "hurts more by the claim", "less": "than", "percents": "silenced, %", "low": "95 % from", "high": "to"}
al.tables.plain(compared, "Figure 4's claims, and each attribute beside random units in the same layers", made, points, heads)

# %% [markdown]
# ## Figure 5
#
# Neurons are described by all clips, as in the paper, and a unit's different adjectives are counted, each once.

# %% mystnb={"figure": {"name": "adjectives-by-block", "caption": "Figure 5: mean number of different adjectives in a block unit's open concepts, by block. Bars: 95 % of the mean over units."}, "image": {"alt": "A line a network: different adjectives a unit from the first block to the last"}} tags=["hide-input"]
by_block = section_4_4.adjectives_by_block(run)
al.figures.adjectives_by_block(by_block);

# %% tags=["hide-input"]
trends = section_4_4.depth_trends(by_block)
heads = {"mean": "different adjectives a unit", "mean_low": "95 % from", "mean_high": "to", "rho": "Spearman's ρ with depth", "low": "ρ from", "high": "ρ to"}
al.tables.plain(trends, "Adjectives and depth", made, dict.fromkeys(heads.values(), ".2f"), heads)

# %% [markdown]
# Spearman's ρ with depth is {glue:text}`trends_in_words`.

# %% mystnb={"code_prompt_show": "The same, by origin of the captions"} tags=["hide-cell"]
al.tables.plain(section_4_4.trends_by_origin(run), "Adjectives and depth, by origin of the captions", made, dict.fromkeys(heads.values(), ".2f"), heads)

# %% mystnb={"code_prompt_show": "Figure 5, part by part"} tags=["hide-cell"]
al.tables.keep(**section_4_4.words(run, results, curves, compared, trends))
al.tables.plain(section_4_4.narrowing(trends), "Figure 5's claim, part by part", made)

# %% [markdown]
# ## How it is measured
#
# The $r$ % of all block units that hold most of an attribute are silenced at every token, $r$ = {glue:text}`percents`, and fold 1 is classified anew.
# Units are described by clips of folds 2–5, so no effect is measured on a clip that helped to choose them.
#
# (a) counts nouns, verbs, prepositions or adjectives in the [open concepts](../../glossary.md), as often as the summary says them, and words of the calibrated summary; (b) counts basic adjectives, or all others ("high-level").
# In (c), units that hold one basic adjective are drawn at random where they are more than $r$ %, and all taken where they are fewer.
# Many units tie, so the paper's three seeds, {glue:text}`seeds`, decide which of them are chosen.
# *Tied* is how many hold exactly as much as the last unit chosen at 10 %.

# %% mystnb={"code_prompt_show": "Units that hold an attribute, and ties"} tags=["hide-cell"]
al.tables.plain(section_4_4.ties(run), "Block units that hold an attribute, and how its ranking is tied", made)

# %% [markdown]
# Intervals of the comparisons draw seeds and source recordings anew (with one source a class: no interval).
# They are widened, because any two sets of units differ: after random sets of 10 % are silenced, accuracies have a standard deviation of {glue:text}`spread` points.
# Adjectives count as no worse than random if random units hurt more, or less by two points at most.
#
# ## What differs from the paper, and why
#
# - **Layers.** An attribute that is commoner in one layer silences more of that layer, and layers do not matter alike. At 10 %, the attributes of (a) and (b) lie {glue:text}`spread_chosen` points apart; random sets with their numbers of units in each layer lie {glue:text}`spread_matched` points apart, without a word read. Attributes whose units matter more than such random sets, by intervals that are not adjusted for their number: {glue:text}`beyond`. Such units may merely have many words: clips that share a source give a summary more to say, and their unit tells classes apart.
# - **One adjective** (4c). Where few units hold the word, few are silenced, which by itself can make it hurt less.
# - **Words.** Our summaries are written by rules and state only what captions share, in sentences of fixed form: prepositions and length measure how many points a summary has. A language model writes more freely (`-p summariser llm`).
# - **Which rows.** The released code masks one row of a layer for each of its chosen units, but always the leading ones. A layer with $n$ chosen units loses its units $0 … n-1$, whichever were chosen, so that an attribute counts by its number of units in each layer alone. `-p mode ablate_leading_rows` draws it. If the paper's Fig. 4 was made so, its differences are differences of layers.
# - **Twelve percent** of 55,346 is 6642; the released list has 6442 (`-p mode word_lists_by_substring`).
# - **Figure 5's intervals** take units for independent, though many respond to the same clips: they are too narrow.
#
# ## Try it yourself
#
# `papermill notebooks/4_4_feature_importance.ipynb out.ipynb -p model beats_frozen`; which adjectives there are: [open concepts](3_5_adjectives.ipynb).
