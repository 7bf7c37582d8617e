# %% [markdown]
# # Better unlearning
#
# On {glue:text}`title`, choosing units by captions instead of by OCP makes the [gap](../../glossary.md) {glue:text}`captions_rule` comparisons; choosing them by sounds makes it {glue:text}`sounds_rule`.
# The paper silences the units whose open concepts name a class ([OCP](../../glossary.md)) and finds the widest gap that way {cite}`wu2024and`.
# OCP asks only whether the name is there, not how well a unit tells the class apart.
# This page goes beyond the paper and compares it with choices by score, and zeros with two other ways to silence.

# %% tags=["parameters", "hide-input"]
model: str = "all"  # whose rows are shown: all | ast | beats_finetuned | beats_frozen
profile: str = "mini"  # what is probed and with which models: mini | esc50

# %%
import andlib as al
from andlib.pages import better_unlearning

run = al.open_run(globals())
rows = better_unlearning.compared(run)  # computed by `make unlearning`
made = rows["made_by"].iloc[0]

# %% mystnb={"figure": {"name": "better-unlearning", "caption": "By how much each rule's gap is wider than OCP's with as many units in every layer, for three ways to silence; 95 % intervals. To the right of the line a rule forgets more selectively than the paper's."}, "image": {"alt": "Dot plot with intervals: for every network and rule, the gap less OCP's, for zero, mean and resample"}} tags=["hide-input"]
al.tables.keep(**better_unlearning.words(run, rows))
al.figures.wider_gaps(rows);

# %% [markdown]
# With labels, which no dissection has, it is {glue:text}`labels_rule`; with units drawn at random, {glue:text}`random_rule`.
# Of the rules that need no labels, these widen the gap most: {glue:text}`best`.
#
# *Wider* is the difference between a rule's gap and OCP's, with units silenced in the same way.
# Its interval and p draw source recordings anew, the same for both; p is adjusted for all rows and networks (Holm).

# %% tags=["hide-input"]
al.tables.wider_gaps(rows, made)

# %% [markdown]
# ## What is forgotten, and what else is
#
# *Forgotten* and *others* are accuracies after silencing.
# *Spill* is the change of own logit of the {glue:text}`nearest` classes with the nearest names (by the text encoder), less that of the others: negative where relatives are hurt more.

# %% mystnb={"code_prompt_show": "Accuracy after silencing, margins and spill-over"} tags=["hide-cell"]
side_effects = rows[["model", "way", "rule", "margin_gap", "forgotten", "remaining", "spill"]]
formats = {"gap of margins": "+.2f", "forgotten": ".1%", "others": ".1%", "spill": "+.2f"}
heads = {"margin_gap": "gap of margins", "remaining": "others"}
al.tables.plain(side_effects, "Accuracy after silencing, margins and spill-over", made, formats, heads)

# %% [markdown]
# ## How it is measured
#
# Units are chosen from clips of folds 2–5 and tried on fold 1, and the gap is $\Delta R - \Delta A$, both as in [Section 4.3](4_3_unlearning.ipynb).
# For each class every rule takes as many units of each layer as OCP does, so that no rule wins by silencing more, or deeper.

# %% mystnb={"code_prompt_show": "Who chooses"} tags=["hide-cell"]
rules = [{"rule": rule, "criterion": reason} for rule, reason in better_unlearning.RULES.items()]
al.tables.plain(rules, "Who chooses", made)

# %% [markdown]
# A chosen unit's output is replaced at every token by *zero*, as in the paper, or in one of two other ways.
# *Mean* is the unit's mean over all tokens of folds 2–5's clips, a value the next layer is used to.
# *Resample* is what the unit gives for a clip of another class, drawn at random from those folds.
#
# ## How far to trust it
#
# - Where OCP finds few units for a class, every rule is given few; where it finds none, the class counts 0 for all.
# - Intervals speak of these trained networks alone; [training strategies](training_strategies.ipynb) shows how much other trainings differ.
# - Choosing by labels is a yardstick, not a ceiling: another rule can open a wider gap.
#
# ## Try it yourself
#
# `make unlearning PROFILE=mini` computes these rows anew. Outputs can be replaced by anything else:
#
# ```python
# with al.ablate(target, {"block3.output": units}, lambda layer, outputs: 0.5 * outputs):
#     logits = target.logits(features)
# ```
