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
# # 4.1 Naming the classes of the last layer
#
# The only units whose concept is known beforehand are those of the classifier: unit $i$ stands for class $i$.
# Section 4.1 of the paper uses them as an examination {cite}`wu2024and`.
# **Its claim**: describing the clips in words and comparing words with words (DB) names more classifier units than comparing sound with words (TAB) or asking an LLM (ICL): {glue:text}`paper_db:.0%` for AST, against {glue:text}`paper_tab:.0%` and {glue:text}`paper_icl:.0%`.
# And the better a network classifies, the more of its units are named: AST first, then BEATs-finetuned, then BEATs-frozen.
# This page holds DB; TAB and ICL are to come.

# %% tags=["parameters", "hide-input"]
model: str = "all"  # target network: ast | beats_finetuned | beats_frozen | beats_supervised | beats_untrained | all
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
weights: str = ""  # folder or hub id of the network; empty takes the profile's
mode: str = "corrected"  # corrected | released | names of released faults
k: int = 5  # highest / lowest activated clips per neuron

# %%
import pandas as pd

import andlib as al
from andlib.tables import best_function, controls, keep, named, plain, table2, table7

run = al.open_run(globals())
al.figures.style()

# %% [markdown]
# ## What is measured
#
# For each concept $c_i$ of the set $D_c$ (the 50 class names of ESC-50, so chance is 2 %) and each clip $a_j$, DB takes the cosine of the encoded concept and the encoded description $d_j$:
#
# $$[v_{c_i}]_j = \tilde c_i \cdot \tilde d_j .$$
#
# A similarity function compares $v_{c_i}$ with the unit's activations $u$ over all clips; the best concept names the unit.
# Top-1 and top-5 count the units whose own class comes first or among the first five; the cosine is that of the named and the true class.
#
# ## Table 2

# %% tags=["hide-input"]
results = al.last_layer(run)
origins = al.caption_parts(run)
encoder = run.profile.encoder
table2(results, run.made_by(*origins), encoder)

# %% tags=["hide-input"]
controls(results, run.made_by(*origins))

# %% tags=["remove-cell"]
accuracy = al.target_accuracy(run)
printed = al.paper.table2("ast").set_index("method")["top1"]
soft = al.paper.table7("ast").set_index("function").loc["soft_wpmi"]
keep(paper_db=printed["DB"], paper_tab=printed["TAB"], paper_icl=printed["ICL"])
keep(soft_top1=soft["top1"], soft_top5=soft["top5"], soft_cos=soft["cos"])
best = {name: best_function(results[results["model"] == name]) for name in run.models}
shown = results[results["function"] == results["model"].map(best)].set_index(["model", "condition"])["top1"]
string = results[results["method"] == "string match"].set_index("model")["top1"]
tested = accuracy[accuracy["clips"] == "fold 1"].set_index("model")["accuracy"]


def by_model(values):
    """Shares as text, `ast 100%, beats_frozen 93%`."""
    return ", ".join(f"{name} {values[name]:.0%}" for name in run.models)


def under(condition):
    """Top-1 by model under one condition."""
    there = condition in shown.index.get_level_values("condition")
    return by_model(shown.xs(condition, level="condition")) if there else "not to be had here"


def ranking(values):
    """Models by falling share, `ast = beats_finetuned > beats_frozen`."""
    falling = values[list(run.models)].sort_values(ascending=False, kind="stable")
    signs = ["" if i == 0 else " = " if value == falling.iloc[i - 1] else " > " for i, value in enumerate(falling)]
    return "".join(sign + name for sign, name in zip(signs, falling.index, strict=True))


every = shown.xs("all clips", level="condition")
keep(
    best=", ".join(f"{name} {function}" for name, function in best.items()),
    top1=under("all clips"),
    fold1=under("fold 1"),
    shuffled=under("shuffled captions"),
    untrained=under("untrained network"),
    struck=under("class words struck"),
    string=by_model(string),
    beats_string=", ".join(name for name in run.models if every[name] > string[name]) or "none",
    by_accuracy=ranking(tested),
    by_top1=ranking(every),
    units=int(results["units"].iloc[0]),
)
keep(last_layer=results, title=run.profile.title)

# %% [markdown]
# On {glue:text}`title`, DB's best function puts the right class first for these shares of the {glue:text}`units` classifier units: {glue:text}`top1`.
# On the clips of fold 1 alone, which no network learnt from: {glue:text}`fold1`.
# By accuracy the networks' order is {glue:text}`by_accuracy`; by top-1 it is {glue:text}`by_top1`.
# [The clean comparison](training_strategies.ipynb) says how much of such an order is luck.
#
# The controls say what this rests on:
#
# - With **captions shuffled** among clips remain: {glue:text}`shuffled`. Chance is 2 %, and with so few units one lucky hit is several points.
# - An **untrained network** gives {glue:text}`untrained`.
# - With every **word that names a class struck** from the descriptions remain: {glue:text}`struck`. What is lost was carried by class names in the captions, not by how sounds are described.
# - A plain **string match** (which concept's words occur most often in the descriptions of the unit's five highest clips, no encoder at all) gives {glue:text}`string`. DB names more than that for: {glue:text}`beats_string`.
#
# ## Table 7

# %% tags=["hide-input"]
table7(results, run.made_by(*origins), encoder)

# %% mystnb={"figure": {"name": "function-accuracy", "caption": "Top-1 accuracy of DB by similarity function. Diamonds are the paper's, on ESC-50."}, "image": {"alt": "For each network, bars of DB's top-1 accuracy for five similarity functions: all clips, fold 1 alone, and shuffled captions, with the paper's values as diamonds and chance as a dotted line"}} tags=["hide-input"]
al.figures.function_accuracy(results);

# %% [markdown]
# The paper's DB row for AST under soft_wpmi is {glue:text}`soft_top1:.0%`, {glue:text}`soft_top5:.0%` and {glue:text}`soft_cos:.2f`.
# The released code calls the function for one unit at a time; its mean over units is then the unit itself, every score is 0 and the first concept wins for every unit.
# One of 50 classes is then right, and five of 50 are among the first five.
# `-p mode db_one_unit_at_a_time` proves it.
#
# ## Unit by unit
#
# What DB's best function calls each unit, on all clips; a tick where it is right. Functions: {glue:text}`best`.

# %% tags=["hide-input"]
named(pd.concat([al.named_units(run, name, best[name]) for name in run.models]), run.made_by(*origins))

# %% [markdown]
# ## The networks and the captioner
#
# A method cannot name what the network has not learnt, nor what the captions do not say.

# %% tags=["hide-input"]
plain(accuracy, "Accuracy of the target networks, with 95 % intervals over source recordings", run.made_by(), dict.fromkeys(["accuracy", "low", "high"], ".1%"))

# %% tags=["hide-input"]
names = al.captioner_accuracy(run).groupby("origin").agg(clips=("clips", "sum"), named=("named", "mean")).reset_index()
plain(names, "How often descriptions name the clip's own class, by origin", run.made_by(*origins), {"named": ".0%"})

# %% [markdown]
# ## What differs from the paper, and why
#
# - **Encoder.** The paper encodes with CLIP's text tower (ViT-B/32) for DB. Here it is the sentence encoder named in the header, which also measures the cosine; Table 2's cosines of the paper and of this page therefore share a name, not a scale.
# - **Classes.** $D_c$ is the same 50 names, but only the classes of this probing set can be right.
# - **All clips.** The paper's accuracy uses all 2000 clips, of which the network was trained on 1600. Fold 1 alone stands beside it.
# - **rank_reorder** ranks clips by rank (the released code takes one argsort for it) and its baseline is an expectation in closed form, so it has no randomness.
#
# ## Try it yourself
#
# ```bash
# papermill notebooks/4_1_last_layer.ipynb out.ipynb -p model beats_frozen -p mode released
# papermill notebooks/4_1_last_layer.ipynb out.ipynb -p profile esc10 -p data_dir path/to/ESC-10
# ```
#
# Next: [silencing units](4_3_unlearning.ipynb), or [look at a single neuron](probe_one_neuron.ipynb).
