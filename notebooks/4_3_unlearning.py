# %% [markdown]
# # 4.3 Unlearning a class by silencing its units
#
# If a description is right, silencing the units that it gives to a class should hurt that class more than others.
# Section 4.3 of the paper does so for each of 50 classes in turn {cite}`wu2024and`.
# **Its claim**: units chosen by open concepts (OCP) open the widest gap between the class to be forgotten and the rest: {glue:text}`paper_ocp:+.2f` for AST, against {glue:text}`paper_random:+.2f` for random units.

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
target_class: str = "crying baby"  # the class of Figure 10

# %%
import andlib as al
from andlib.pages import section_4_3

run = al.open_run(globals())
made = run.made_by(*run.caption_parts)

# %% [markdown]
# ## What is measured
#
# For each class, the outputs of every block unit labelled with it are set to zero at every token, and the clips of fold 1 are classified anew.
# $\Delta A$ is the change of the class's own logit on its own clips, averaged over classes; $\Delta R$ the same for the other classes' own logits on their own clips.
# The paper prints $\Delta R - \Delta A$ under the heading "$\Delta A - \Delta R$" and says higher is better.
#
# A unit is labelled by one of these strategies, always from clips of folds 2–5 alone, so that nothing is measured on a clip that chose the units:
#
# - **DB**: the class is among the unit's three best concepts out of ESC-50's 50, by cos_cubed (the paper does not name the function it used here; it finds this one best for AST).
# - **TAB**: the same, with sounds encoded in place of descriptions.
# - **OCP**: the nouns of the unit's open concepts name the class, by lemma or synonym.
# - **random**: 5.4 % of the units, as the paper's 3000 of 55,296, drawn anew for each class; the mean over several draws.
# - **shuffled captions**: the strategy with every clip described by another clip's caption. Units are chosen from nonsense, so nothing should be forgotten.
# - **(all clips)**: the strategy with units chosen on all clips, as in the paper.

# %%
units = section_4_3.labelled_units(run)  # model -> strategy -> the units of each class
effects = section_4_3.silenced(run, units)  # model -> strategy -> what silencing them did to every class

# %% [markdown]
# ## Table 4
#
# *Units* is the mean number a class, *empty* the number of classes without one.

# %% tags=["hide-input"]
controls = section_4_3.controls(run, units)  # random sets, shuffled captions, all clips
results = section_4_3.table4(effects, controls)
al.tables.keep(**section_4_3.words(run, results))
al.tables.table4(results, made)

# %% [markdown]
# On {glue:text}`title`, the gap that exceeds that of random sets as large, in the same layers, by most is that of {glue:text}`largest`.
# That OCP opens the widest gap in this sense is **{glue:text}`claim`**: {glue:text}`claim_numbers`
#
# - With **captions shuffled** the gaps are, for OCP, {glue:text}`ocp_shuffled`, and for DB {glue:text}`db_shuffled`.
# - The paper also finds that BEATs-frozen moves least under ablation, by logits. By what two networks share, the accuracy that OCP takes from the forgotten class's own clips ({glue:text}`drops`), this is {glue:text}`robust`.
#
# Intervals resample source recordings within each class, and draws where units are random; where sets are tried on one clip of every other class, these classes themselves. p permutes which set of units belongs to which class, 10,000 times, and Holm's adjusts it for all strategies and networks of the table.
# Logits of differently trained classifiers have different scales: gaps of two networks do not compare in logits.
# Classes without a unit count 0 in the average, as in the paper.
#
# ## Beyond random units
#
# Strategies take different numbers of units, and in different layers; whoever takes more moves more.
# The fair comparison is with sets of as many units in every layer, drawn at random: {glue:text}`draws` times for every strategy, so that no p can be below {glue:text}`smallest`.
# To afford so many, each set is tried on the clips of its own class and of one other, the next by name: the excess is by how much that gap is wider than those of the random sets.
# The first {glue:text}`draws_all` draws are tried on all classes, and give the excess of Table 4's own gap (*by all*).
# Intervals draw source recordings, the same for both sides, and a random set together; *OCP − it* is by how much OCP's excess is larger. They are not adjusted for their number.

# %% tags=["hide-input"]
al.tables.beyond_random(results, made)

# %% [markdown]
# These draws, and the rows for shuffled captions and all clips, take longer than a page may: `make controls` computes them for the default parameters, and the page reads them. With other parameters it draws fewer itself, as the table says.
#
# ## Beyond logits
#
# A logit is no confidence: a shift of all logits together changes $\Delta A$ and $\Delta R$ and forgets nothing.
# The margin (own logit less the largest other) and plain accuracy say whether a class was really forgotten.
# *Logit gap* is Table 4's, over the classes that have a unit; $\Delta A$ and $\Delta R$ are those of the margin; *forgotten* and *others* are accuracies after silencing.

# %% tags=["hide-input"]
al.tables.beyond_logits(results, made)

# %% [markdown]
# Right on fold 1 before ablation: {glue:text}`before`.
#
# ## Figure 10
#
# The paper silences BEATs-finetuned's units of "water drops" and finds water-related classes hit hardest.

# %% mystnb={"figure": {"name": "class-changes", "caption": "Each class's own logit before and after the target class's units are silenced (OCP), most affected first. The paper's Figure 10 shows the same for water drops and BEATs-finetuned."}, "image": {"alt": "Dumbbell plot: for every class the mean own logit before and after silencing the target class's units, sorted by change"}} tags=["hide-input"]
shown = "beats_finetuned" if "beats_finetuned" in run.models else run.models[0]
ocp = effects[shown]["OCP"]
al.figures.class_changes(section_4_3.class_changes(run, ocp, target_class), target_class, shown, "OCP");

# %% mystnb={"figure": {"name": "change-matrix", "caption": "What silencing each class's OCP units (rows) does to each class's own logit (columns). A selective method darkens the diagonal alone."}, "image": {"alt": "Square heat map of logit changes, classes silenced by classes measured"}} tags=["hide-input"]
al.figures.change_matrix(ocp.by_class(ocp.own), run.probing_set.classes, f"{shown}: OCP, change of own logit");

# %% [markdown]
# ## What the labels rest on
#
# How many points the summaries of each layer's highest clips hold, which share of them speaks of qualities or events, which share calibration removes, and how many units keep an adjective or a noun.

# %% tags=["hide-input"]
described = section_4_3.described_layers(run)
heads = {"with adjective": "adjective", "with noun": "noun"}
formats = dict.fromkeys(["qualities or events", "removed", "adjective", "noun"], ".0%") | {"points": ".1f"}
al.tables.plain(described, "Descriptions by layer, from all clips", made, formats, heads)

# %% [markdown]
# ## What differs from the paper, and why
#
# - **Which words.** The released code lets any noun that is a substring of a class name name it: rain names train, saw names chainsaw. Ours compares lemmas and synonyms. `-p mode ocp_substring` shows the difference.
# - **Which rows.** The released code silences each layer's leading rows, as many as the strategy chose there, not the chosen ones (`-p mode ablate_leading_rows`).
#
# ## Try it yourself
#
# `papermill notebooks/4_3_unlearning.ipynb out.ipynb -p model beats_frozen -p target_class rain`
