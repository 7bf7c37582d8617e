# %% [markdown]
# # 4.3 Unlearning a class by silencing its units
#
# On {glue:text}`title`, the widest [gap](../../glossary.md) beyond random units of the same layers is opened by {glue:text}`largest`.
# The paper's claim that [open concepts](../../glossary.md) (OCP) open it is {glue:text}`claim`.
# Section 4.3 of the paper silences the units that descriptions give to a class, and asks whether it suffers more than others {cite}`wu2024and`.
# **Its claim**: units chosen by OCP open the widest gap between the class to be forgotten and the rest, {glue:text}`paper_ocp:+.2f` for AST against {glue:text}`paper_random:+.2f` for random units.

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
encoder: str = "all-MiniLM-L6-v2"  # DB's text encoder: all-MiniLM-L6-v2 | all-MiniLM-L12-v2 | clip-vit-b-32 | folder or hub id
audio_encoder: str = ""  # TAB's encoders: embedded | whisper | laion_clap | folder or hub id of transformers' CLAP; empty takes the profile's
tagger: str = "hanta"  # who tells adjectives and nouns: hanta | nltk (the paper's, after a download)
summariser: str = "rules"  # who writes the summaries: rules | llm
llm: str = ""  # the summariser's language model, asked about every neuron: transformers:MODEL | openai:MODEL | vllm:MODEL
target_class: str = ""  # the class of Figure 10; empty takes water drops, as the paper, or the first where there is none

# %%
import andlib as al
from andlib.pages import section_4_3

run = al.open_run(globals())
made = run.made_by(*run.caption_parts)
units = section_4_3.labelled_units(run)  # model -> strategy -> the units of each class
effects = section_4_3.silenced(run, units)  # model -> strategy -> what silencing them did to every class
controls = section_4_3.controls(run, units)  # random sets, shuffled captions, all clips
results = section_4_3.table4(effects, controls)

# %% mystnb={"figure": {"name": "gaps", "caption": "Table 4's gap of every strategy: ours with its interval, that of as many random units in the same layers, and the paper's."}, "image": {"alt": "A panel a network: for random units, TAB, DB and OCP the gap with its interval, beside random units of the same layers and the paper's diamond"}} tags=["hide-input"]
al.figures.gaps(results);

# %% [markdown]
# ## Table 4
#
# $\Delta A$ is the change of a silenced class's own logit on its own clips, averaged over classes, and $\Delta R$ that of the other classes' own logits on theirs.
# The paper prints the gap $\Delta R - \Delta A$ under the heading "$\Delta A - \Delta R$" and says higher is better.
# *Units* is the mean number a class, *empty* the number of classes without one, which count 0 in the average, as in the paper.

# %% tags=["hide-input"]
al.tables.keep(**section_4_3.words(run, results))
al.tables.table4(results, made)

# %% [markdown]
# The controls are folded. With shuffled captions nothing should be forgotten: the gap is {glue:text}`ocp_shuffled` for OCP and {glue:text}`db_shuffled` for DB.
#
# ## Beyond random units
#
# Strategies take different numbers of units in different layers, and more units move logits more. Each is therefore compared with {glue:text}`draws` random sets of as many units in every layer; the smallest p that *n* sets allow is 1/(*n* + 1).
# *By the next* is how much wider its gap is than those of all sets, with $\Delta R$ from the class next by name alone, since all clips would take too long; *by all* is how much wider the whole gap is than those of the first {glue:text}`draws_all` sets, which networks that take hours are spared.
# *OCP − it* is the difference between OCP's value of *by the next* and the row's.
# Networks left out, because their controls take hours and have not been computed (`make controls`): {glue:text}`spared`.

# %% mystnb={"code_prompt_show": "Beyond as many random units in every layer"} tags=["hide-cell"]
al.tables.beyond_random(results, made)

# %% [markdown]
# The claim network by network: {glue:text}`claim_numbers`
#
# ## Beyond logits
#
# A shift of all logits together changes $\Delta A$ and $\Delta R$ and forgets nothing.
# Here both are taken of the margin (the own logit minus the largest other logit); *logit gap* is Table 4's gap over the classes that have a unit.
# *Forgotten* and *others* are accuracies after silencing; before it, {glue:text}`before` of fold 1 are right.

# %% mystnb={"code_prompt_show": "Beyond logits: margins and accuracies"} tags=["hide-cell"]
al.tables.beyond_logits(results, made)

# %% [markdown]
# The paper also finds that BEATs-frozen moves least, but logits of two classifiers share no scale.
# By the accuracy that OCP takes from the forgotten class's own clips ({glue:text}`drops`), this is {glue:text}`robust`.
#
# ## Figure 10
#
# The paper silences BEATs-finetuned's units of "water drops" and finds water-related classes hit hardest.

# %% mystnb={"figure": {"name": "class-changes", "caption": "Figure 10: change of each class's own logit when the target class's units (OCP) are silenced, the most affected first."}, "image": {"alt": "Bars: for every class the change of its mean own logit after silencing the target class's units, sorted"}} tags=["hide-input"]
target_class = target_class or ("water drops" if "water drops" in run.probing_set.classes else run.probing_set.classes[0])
shown = "beats_finetuned" if "beats_finetuned" in run.models else run.models[0]
changes = section_4_3.class_changes(run, effects[shown]["OCP"], target_class)
al.figures.class_changes(changes, target_class, shown, "OCP");

# %% [markdown]
# <details><summary>How it is measured</summary>
#
# A strategy labels units of the blocks by clips of folds 2–5 alone, so that nothing is measured on a clip that chose them; their outputs are set to zero at every token, and the clips of fold 1 are classified anew.
#
# - **DB**, **TAB**: the class is among the unit's three best concepts out of ESC-50's 50, by descriptions or by sounds. The function is cos_cubed; the paper does not name the one it used here, but finds this one best for AST.
# - **OCP**: the nouns of the unit's open concepts name the class, by lemma or synonym.
# - **random**: 5.4 % of the units, as the paper's 3000 of 55,296, drawn anew for each class; the mean over several draws.
# - **shuffled captions**, **(all clips)**: the strategy with every clip described by another clip's caption, or with units chosen on all clips, as in the paper.
#
# Intervals resample source recordings within each class, and random sets if any; where a set is tried on one clip of each other class, they resample those classes. p comes from 10,000 permutations of the sets among the classes and is adjusted for all strategies and networks by Holm's rule. Beyond random units, recordings are drawn the same for both sides, and intervals are not adjusted for their number.
# `make controls` computes these controls for the default parameters, but for (all clips) of networks that take hours; under other parameters a page draws fewer sets, as the table says, or none where they would take hours.
#
# </details>
#
# ## What differs from the paper, and why
#
# - **Which words.** The released code lets any noun that is a substring of a class name name it: rain names train, saw names chainsaw. Ours compares lemmas and synonyms. `-p mode ocp_substring` shows the difference.
# - **Which rows.** The released code silences each layer's leading rows, as many as the strategy chose there, not the chosen ones (`-p mode ablate_leading_rows`).
#
# ## Try it yourself
#
# `papermill notebooks/4_3_unlearning.ipynb out.ipynb -p model beats_frozen -p target_class rain`
