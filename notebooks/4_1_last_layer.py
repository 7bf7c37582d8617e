# %% [markdown]
# # 4.1 Naming the classes of the last layer
#
# On {glue:text}`title`, [DB](../../glossary.md) puts the right class first for these shares of the {glue:text}`units` classifier units: {glue:text}`top1`.
# On fold 1 alone, which no network learnt from, the shares are {glue:text}`fold1`.
# Section 4.1 of the paper examines these units, for only their concepts are known beforehand: unit $i$ stands for class $i$ {cite}`wu2024and`.
# **Its claim**: DB, which compares words with words, names {glue:text}`paper_db:.0%` of AST's units, TAB, which compares sound with words, {glue:text}`paper_tab:.0%`, and ICL, which asks an LLM, {glue:text}`paper_icl:.0%`; and the better a network classifies, the more of its units are named: AST first, then BEATs-finetuned, then BEATs-frozen.
# That DB is the best of the three is **{glue:text}`t2_db_best`** here; that the more accurate network is the better named, **{glue:text}`t2_follows_accuracy`** ([why](claims.ipynb)).

# %% tags=["parameters", "hide-input"]
model: str = "all"  # target network: ast | beats_finetuned | beats_frozen | beats_supervised | beats_untrained | whisper_frozen | whisper_finetuned | all
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
weights: str = ""  # folder or hub id of the network; empty takes the profile's
device: str = "auto"  # where networks run: auto | cpu | cuda | cuda:1 | mps
precision: str = "float32"  # of networks: float32 | bf16
mode: str = "corrected"  # corrected | released | names of released faults
k: int = 5  # highest / lowest activated clips per neuron
concepts: str = "esc50"  # concept set: esc50 | classes (the probing set's) | a file with one concept a line
encoder: str = "all-MiniLM-L6-v2"  # DB's text encoder: all-MiniLM-L6-v2 | all-MiniLM-L12-v2 | clip-vit-b-32 | folder or hub id
audio_encoder: str = ""  # TAB's encoders: embedded | whisper | laion_clap | folder or hub id of transformers' CLAP; empty takes the profile's
llm: str = ""  # ICL's language model: smollm2 | transformers:MODEL | openai:MODEL | vllm:MODEL; empty reads kept answers

# %%
import andlib as al
from andlib.pages import section_4_0, section_4_1

run = al.open_run(globals())
made = run.made_by(*run.caption_parts)

# %% mystnb={"figure": {"name": "named-classes", "caption": "Classes named right: by ICL, by TAB with its best similarity function, and by DB with each. Blue dots and their intervals are of all clips, as the paper's diamonds are."}, "image": {"alt": "A panel a network: dots with intervals for the top-1 accuracy of ICL, TAB and DB by five similarity functions on all clips, with the paper's values as diamonds, light dots for fold 1, bars for shuffled captions and chance as a dotted line"}} tags=["hide-input"]
results = section_4_1.last_layer(run, {name: section_4_1.conditions_of(run, name) for name in run.models})
sure = section_4_1.intervals(run, results)
al.figures.named_classes(results, sure, len(run.concepts));

# %% [markdown]
# ## Table 2
#
# TAB and DB stand with their best [similarity functions](../../glossary.md), chosen in hindsight, as in the paper; *foreseen* is the function that is best on folds 2–5. Top-1 and top-5 count the units whose own class comes first or among the first five; the cosine is that of the named and the true class.

# %% tags=["hide-input"]
best = section_4_1.at_best(results)
al.tables.table2(best, made, run.rests_on, len(run.concepts))

# %% mystnb={"code_prompt_show": "Table 2 and its differences, with intervals"} tags=["hide-cell"]
al.tables.intervals(sure[sure["compared"].str.contains("DB|TAB|ICL")], made, run.rests_on["cosine"], "Table 2 and its differences")

# %% [markdown]
# Intervals resample units, the same ones for both members of a pair. They show how much a difference depends on the classes that were asked about, not how much it depends on clips, captions or [trainings](training_strategies.ipynb). Where all units agree an interval has no width, which says little when units are few.
# Units for which ICL names no concept: with one worked example {glue:text}`icl_one`, with two {glue:text}`icl_two`; its language model is a hundredth of the size of the paper's, [often repeats its example or the description](3_summaries.ipynb), and is no measure of what ICL can do.
#
# In the next table, the controls say what DB rests on.
# With *shuffled captions* every clip has another's; chance is {glue:text}`chance_1:.0%`, and with so few units one lucky hit is several points.
# An *untrained network* has random weights throughout, its classifier's included.
# What is lost with *class words struck* from the descriptions was carried by class names, not by how sounds are described.
# Columns *alone* have captions of one origin: `measured` says how a clip sounds and never what it is.
# *String match* takes the concept whose words occur most often in the descriptions of the unit's five highest clips, without any encoder.

# %% mystnb={"code_prompt_show": "Top-1 under every condition"} tags=["hide-cell"]
al.tables.keep(**section_4_1.words(run, best, sure, section_4_0.target_accuracy(run)))
al.tables.controls(best, made)

# %% [markdown]
# ## Table 7

# %% mystnb={"code_prompt_show": "Table 7: TAB and DB by similarity function"} tags=["hide-cell"]
al.tables.table7(results, made, run.rests_on)

# %% [markdown]
# That cos_cubed is the best function for AST with DB is **{glue:text}`t7_cubed_best_db`** here.
# The paper's DB row for AST under soft_wpmi is {glue:text}`soft_top1:.0%`, {glue:text}`soft_top5:.0%` and {glue:text}`soft_cos:.2f`, because the released code scores one unit at a time.
# The mean over units is then the unit itself, every score is 0 and the first concepts win: top-1 is right for one of 50 units, top-5 for five; `-p mode db_one_unit_at_a_time` brings this back.
#
# ## Unit by unit
#
# Units are named by DB's best function on all clips, {glue:text}`best`.

# %% mystnb={"code_prompt_show": "What DB calls each classifier unit"} tags=["hide-cell"]
named = section_4_1.named_units(run, results)
al.tables.named(named, made)

# %% [markdown]
# A method cannot name what [the network has not learnt](4_0_target_networks.ipynb), nor, one should think, what [the captions do not say](2_probing_set.ipynb).
# Of the classes that captions name in fewer than half of their clips, DB puts {glue:text}`rarely_said` first; of the others, {glue:text}`often_said`.

# %% mystnb={"figure": {"name": "said-and-named", "caption": "Each class: how often captions of its clips name it, and at which rank of the concept set DB's best function has it. Classes that are not first are labelled."}, "image": {"alt": "Scatter plot: share of a class's clips whose captions name it, against the rank of the class by DB, a colour a network"}} tags=["hide-input"]
al.tables.keep(**section_4_1.said_in_words(named))
al.figures.said_and_named(named);

# %% [markdown]
# ## How a unit is named
#
# - **DB** takes, for each concept $c_i$ and clip $a_j$, the cosine of the encoded concept and the encoded description $d_j$, $[v_{c_i}]_j = \tilde c_i \cdot \tilde d_j$. A similarity function compares $v_{c_i}$ with the unit's activations $u$ over all clips; the best of {glue:text}`concepts` concepts names the unit (chance for the first five: {glue:text}`chance_5:.0%`).
# - **TAB** does the same with the encoded sound in place of the description: by CLAP in the paper, here by {glue:text}`tab`.
# - **ICL** hands the calibrated summary and the concept set to a language model, here {glue:text}`icl`, with one or two worked examples (Table 5). It asks for one ranked list, or for "none". *By likelihood* nothing is written: the concept whose likelihood the summary raises most is taken.
#
# ## What differs from the paper, and why
#
# - **Encoders.** The paper encodes with CLIP's text tower (ViT-B/32) for DB and with LAION-CLAP for TAB; `-p encoder clip-vit-b-32 -p audio_encoder laion_clap` takes these. Each cosine is measured with the sentence encoder in its header, so the paper's and ours share a name, not a scale.
# - **TAB's encoder.** On `mini` it was trained on synthesised sounds of other seeds, captioned with their true class. On `esc50` it maps Whisper's states to the sentence encoder, learnt from captions of folds 2–5. Either has met every class, as LAION-CLAP has met every class of ESC-50.
# - **ICL.** The paper asks for one class and, separately, for five, and takes the nearest class for an answer that names none. Here one list gives both, and naming none is wrong. `-p mode icl_uncalibrated` has ICL read the uncalibrated summary and take the nearest class, as released.
# - **Classes and clips.** $D_c$ is the paper's, the names of ESC-50, but only the classes of this probing set can be right. Of the paper's 2000 clips, the network was trained on 1600.
#
# ## Try it yourself
#
# - `papermill notebooks/4_1_last_layer.ipynb out.ipynb -p model beats_frozen -p mode released`
# - `papermill notebooks/4_1_last_layer.ipynb out.ipynb -p llm openai:Qwen/Qwen3-8B` asks a server at `OPENAI_BASE_URL`.
