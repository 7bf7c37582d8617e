# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 4.3 Unlearning a class by silencing its units
#
# If a description is right, silencing the units that it gives to a class should hurt that class more than others.
# Section 4.3 of the paper does so for each of 50 classes in turn {cite}`wu2024and`.
# **Its claim**: units chosen by open concepts (OCP) open the widest gap between the class to be forgotten and the rest: {glue:text}`paper_ocp:+.2f` for AST, against {glue:text}`paper_random:+.2f` for random units.

# %% tags=["parameters", "hide-input"]
model: str = "ast"  # target network: ast | all
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
weights: str = ""  # folder or hub id of the network; empty takes the profile's
mode: str = "corrected"  # corrected | released | names of released faults
k: int = 5  # highest / lowest activated clips per neuron
target_class: str = "crying baby"  # the class of Figure 10

# %%
import andlib as al
from andlib.tables import beyond_logits, keep, plain, table4

run = al.open_run(globals(), target_class=str)
al.figures.style()

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
# - **OCP**: the nouns of the unit's open concepts name the class, by lemma or synonym.
# - **random**: 5.4 % of the units, as the paper's 3000 of 55,296, drawn anew for each class.
# - **random as DB / as OCP**: as many units in each layer as the strategy took there, drawn at random. This is the fair comparison.
# - **shuffled captions**: the strategy with every clip described by another clip's caption. Units are chosen from nonsense, so nothing should be forgotten.
# - **(all clips)**: the strategy with units chosen on all clips, as in the paper.
#
# ## Table 4
#
# *Units* is the mean number a class, *empty* the number of classes without one.

# %% tags=["hide-input"]
results = al.unlearning_table(run)
origins = al.caption_parts(run)
table4(results, run.made_by(*origins))

# %% tags=["remove-cell"]
one = results[results["model"] == run.models[0]].set_index("strategy")
verdicts = {
    name.lower(): "wider" if one.loc[name, "gap_low"] > one.loc[f"random as {name}", "gap_high"] else "not clearly wider"
    for name in ("DB", "OCP")
}
printed = al.paper.table4("ast").set_index("strategy")["gap"]
largest = one.loc[["random", "DB", "OCP"], "gap"].idxmax()
keep(
    paper_ocp=printed["OCP"],
    paper_random=printed["random"],
    claim="holds" if largest == "OCP" else "does not hold",
    ocp_gap=one.loc["OCP", "gap"],
    ocp_p=one.loc["OCP", "p"],
    ocp_units=one.loc["OCP", "units"],
    ocp_empty=one.loc["OCP", "empty"],
    ocp_random=one.loc["random as OCP", "gap"],
    ocp_shuffled=one.loc["OCP, shuffled captions", "gap"],
    db_shuffled=one.loc["DB, shuffled captions", "gap"],
    ocp_verdict=verdicts["ocp"],
    ocp_margin=one.loc["OCP", "margin_gap"],
    ocp_margin_p=one.loc["OCP", "margin_p"],
    db_gap=one.loc["DB", "gap"],
    db_p=one.loc["DB", "p"],
    db_random=one.loc["random as DB", "gap"],
    db_verdict=verdicts["db"],
    largest=largest,
    accuracy=one["accuracy_before"].iloc[0],
    forgotten=one.loc["OCP", "accuracy_forgotten"],
    remaining=one.loc["OCP", "accuracy_remaining"],
    title=run.profile.title,
    unlearning=results,
)

# %% [markdown]
# On {glue:text}`title`, the largest gap is that of {glue:text}`largest`: the claim that it is OCP's {glue:text}`claim` here.
# OCP silences {glue:text}`ocp_units:.0f` units a class on average and opens a gap of {glue:text}`ocp_gap:+.2f` (p = {glue:text}`ocp_p:.4f`), {glue:text}`ocp_verdict` than the {glue:text}`ocp_random:+.2f` of as many random units in the same layers; for DB it is {glue:text}`db_gap:+.2f` (p = {glue:text}`db_p:.4f`), {glue:text}`db_verdict` than {glue:text}`db_random:+.2f`.
# With captions shuffled the gaps are {glue:text}`ocp_shuffled:+.2f` (OCP) and {glue:text}`db_shuffled:+.2f` (DB).
# "Wider" means that the two 95 % intervals do not overlap. Intervals resample source recordings within each class; p permutes which set of units belongs to which class, 10,000 times.
# Sets differ in size, and a class that is easy to hurt may have many units: even the matched random row can have a small p, so compare a strategy with that row, not with 0.
# {glue:text}`ocp_empty` classes have no OCP unit at all: they count 0 in the average, as in the paper.
#
# ## Beyond logits
#
# A logit is no confidence: a shift of all logits together changes $\Delta A$ and $\Delta R$ and forgets nothing.
# The margin (own logit less the largest other) and plain accuracy say whether a class was really forgotten.
# *Logit gap* is Table 4's, over the classes that have a unit; $\Delta A$ and $\Delta R$ are those of the margin; *forgotten* and *others* are accuracies after silencing.

# %% tags=["hide-input"]
beyond_logits(results, run.made_by(*origins))

# %% [markdown]
# Before ablation the network is right on {glue:text}`accuracy:.1%` of the clips of fold 1.
# After OCP it is right on {glue:text}`forgotten:.1%` of the forgotten class's clips and on {glue:text}`remaining:.1%` of the others'; on margins the gap is {glue:text}`ocp_margin:+.2f` (p = {glue:text}`ocp_margin_p:.4f`).
#
# ## Figure 10
#
# The paper silences the units of "water drops" and finds water-related classes hit hardest.

# %% mystnb={"figure": {"name": "class-changes", "caption": "Each class's own logit before and after the target class's units are silenced (OCP), most affected first. The paper's Figure 10 shows the same for water drops and BEATs-finetuned."}, "image": {"alt": "Dumbbell plot: for every class the mean own logit before and after silencing the target class's units, sorted by change"}} tags=["hide-input"]
changes = al.class_changes(run, run.models[0], "OCP", run.extra["target_class"])
al.figures.class_changes(changes, run.extra["target_class"], run.models[0], "OCP");

# %% mystnb={"figure": {"name": "change-matrix", "caption": "What silencing each class's OCP units (rows) does to each class's own logit (columns). A selective method darkens the diagonal alone."}, "image": {"alt": "Square heat map of logit changes, classes silenced by classes measured"}} tags=["hide-input"]
effects = al.unlearning(run, run.models[0])["OCP"]
al.figures.change_matrix(effects.by_class(effects.own), run.probing_set.classes, f"{run.models[0]}: OCP, change of own logit");

# %% [markdown]
# ## What the labels rest on
#
# How many points the summaries of each layer's highest clips hold, which share of them speaks of qualities or events, which share calibration removes, and how many units keep an adjective or a noun.

# %% tags=["hide-input"]
described = al.described_layers(run)
keep(described=described)
described = described.rename(columns={"with adjective": "adjective", "with noun": "noun"})
plain(described, "Descriptions by layer, from all clips", run.made_by(*origins), dict.fromkeys(["qualities or events", "removed", "adjective", "noun"], ".0%") | {"points": ".1f"})

# %% [markdown]
# ## What differs from the paper, and why
#
# - **Which units.** The paper chooses units on all clips, test clips included. Here the test clips have no part in it; the rows "(all clips)" show how much that matters.
# - **How many.** The paper's random baseline silences 3000 units in every model whatever the strategy took. A strategy that takes more units, or deeper ones, moves logits more; the matched rows remove that.
# - **Which words.** The released code lets any noun that is a substring of a class name name it: rain names train, saw names chainsaw. Ours compares lemmas and synonyms. `-p mode ocp_substring` shows the difference.
# - **Which rows.** The released code silences each layer's leading rows, as many as the strategy chose there, not the chosen ones (`-p mode ablate_leading_rows`).
# - **Silencing** sets pre-activation outputs to zero at every token, as the paper does.
#
# ## Try it yourself
#
# ```bash
# papermill notebooks/4_3_unlearning.ipynb out.ipynb -p model ast -p target_class rain
# papermill notebooks/4_3_unlearning.ipynb out.ipynb -p mode ablate_leading_rows
# ```
#
# Next: [look at a single neuron](probe_one_neuron.ipynb).
