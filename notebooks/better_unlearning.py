# %% [markdown]
# # Better unlearning
#
# The paper forgets a class by silencing the neurons whose open concepts name it (OCP), and finds the widest gap that way {cite}`wu2024and`.
# OCP asks only whether the name is there, not how well a neuron tells the class apart, and silences by zeros.
# **Does a choice by score do better with as many units, and does it matter how they are silenced?**
# The paper has no such table; this page goes beyond it.

# %% tags=["parameters", "hide-input"]
model: str = "all"  # whose rows are shown: all | ast | beats_finetuned | beats_frozen
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50

# %%
import andlib as al
from andlib.pages import better_unlearning

run = al.open_run(globals())
rows = better_unlearning.compared(run)  # computed by `make unlearning`
made = rows["made_by"].iloc[0]

# %% [markdown]
# ## What is measured
#
# Units are chosen from clips of folds 2–5 and effects measured on fold 1, as in [Section 4.3](4_3_unlearning.ipynb): the gap is $\Delta R - \Delta A$ of Table 4.
# For each class every rule takes **as many units of each layer as OCP does**, so that no rule wins by silencing more, or deeper.

# %% tags=["hide-input"]
rules = [{"rule": rule, "takes the units with": reason} for rule, reason in better_unlearning.RULES.items()]
al.tables.plain(rules, "Who chooses", made)

# %% [markdown]
# A chosen unit's output is replaced at every token in one of three ways: by **zero**, as in the paper; by its **mean** over all tokens of the clips of folds 2–5, which leaves the next layer what it is used to; or by what the unit says of **another clip**, of another class, drawn at random from those folds (resample).
#
# ## The gaps
#
# *Wider* is by how much a rule's gap exceeds OCP's of the same way, with 95 % and p from the same draws of source recordings for both, p adjusted for all rows and networks (Holm).

# %% tags=["hide-input"]
al.tables.wider_gaps(rows, made)

# %% mystnb={"figure": {"name": "better-unlearning", "caption": "By how much each rule's gap is wider than OCP's with as many units in every layer, for three ways to silence; 95 % intervals. To the right of the line a rule forgets more selectively than the paper's."}, "image": {"alt": "Dot plot with intervals: for every network and rule, the gap less OCP's, for zero, mean and resample"}} tags=["hide-input"]
al.tables.keep(**better_unlearning.words(run, rows))
al.figures.wider_gaps(rows);

# %% [markdown]
# On {glue:text}`title`, compared with OCP's gap over networks and ways to silence:
#
# - by **captions**: {glue:text}`captions_rule`; by **sounds**: {glue:text}`sounds_rule`;
# - by **labels**, which no dissection has: {glue:text}`labels_rule`;
# - **random** units: {glue:text}`random_rule`.
#
# The widest beyond OCP without labels: {glue:text}`best`.
#
# ## What is forgotten, and what else is
#
# *Spill* is the change of the own logits of the {glue:text}`nearest` classes whose names are nearest to the silenced one (by the text encoder), less that of the other classes: negative means that relatives are hurt more. *Forgotten* and *others* are accuracies, which logits are not.

# %% tags=["hide-input"]
al.tables.side_effects(rows, made)

# %% [markdown]
# ## How far to trust it
#
# - The budget is OCP's: where OCP finds few units for a class, every rule is given few, and where it finds none the class counts 0 for all.
# - Intervals resample the recordings of fold 1. They say nothing of other trainings of the network; [training strategies](training_strategies.ipynb) shows how much those differ.
# - Choosing by labels shows what is to be had; a rule near it has little left to win.
#
# ## Try it yourself
#
# ```bash
# make unlearning PROFILE=mini  # computes these rows anew
# ```
#
# ```python
# with al.ablate(target, {"block3.output": units}, lambda layer, outputs: 0.5 * outputs):
#     logits = target.logits(features)  # any replacement of your own
# ```
