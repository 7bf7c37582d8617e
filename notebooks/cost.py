# %% [markdown]
# # What a dissection costs
#
# The paper states three costs, all of language models on one NVIDIA RTX A6000 (Appendix A) {cite}`wu2024and`: {glue:text}`paper_captions` hours to caption ESC-50 with SALMONN, and {glue:text}`paper_ast` and {glue:text}`paper_beats` hours to summarise the neurons of AST and of BEATs with Llama-2-chat-13B.
# Of recording, labelling and silencing units it states none.

# %% tags=["parameters", "hide-input"]
model: str = "all"  # has no effect here
profile: str = "mini"  # has no effect here: the rates were measured on mini
data_dir: str = ""  # has no effect here
captions: str = ""  # has no effect here
weights: str = ""  # has no effect here
mode: str = "corrected"  # has no effect here
k: int = 5  # has no effect here

# %%
import pandas as pd

import andlib as al
from andlib import kept
from andlib.report.tables import keep, plain

run = al.open_run(globals())
costs = kept.read("mini", "stage_costs", "python -m benchmarks.cost")
stages = pd.DataFrame(costs["stages"])
stages["hours"] = stages["seconds"] * stages["count"] / 3600
made = f"By benchmarks.cost: processor time of one thread, {costs['machine']['processor']}, torch {costs['machine']['torch']}."

# %% [markdown]
# ## What is measured
#
# Seconds are **processor time on one thread** of an {glue:text}`processor` core: the time that other programs took is not in it, but the machine was busy with some, which slows memory and so adds to it.
# Each is the mean over a few clips, units or questions, after a first call that loads what is needed and is not counted.
# Loading of networks, reading of files and statistics are left out.
#
# ## Ours: the profile mini
#
# {glue:text}`mini_clips` clips of {glue:text}`mini_seconds` s, {glue:text}`mini_units` units of the small AST.

# %% tags=["hide-input"]
columns = ["stage", "one", "one, ms", "measured", "count", "counted", "minutes"]
mini = stages[stages["setting"] == "mini"]
mini = mini.assign(**{"one, ms": 1000 * mini["seconds"], "minutes": 60 * mini["hours"]})
plain(mini[columns].drop(columns="count"), "Processor time of every stage on mini, one network", made, {"one, ms": ".3g", "minutes": ".2g"})

# %% [markdown]
# Without a language model: {glue:text}`mini_total:.1f` minutes.
#
# ## Projected: ESC-50 and networks of the paper's size
#
# A count times the seconds for one, both shown.
# Recording, silencing, the ear, TAB's encoder and the choice of clips were measured at this size: clips of {glue:text}`full_seconds` s, networks of {glue:text}`ast_units` (AST) and {glue:text}`beats_units` (BEATs) units with random weights, which cost what trained ones do.
# The rest costs the same for a unit or a text as on mini, and its rate is taken from there.

# %% tags=["hide-input"]
reported = al.paper.numbers()["cost_reported"]
graphics = {
    ("ast", "captions by an audio language model"): reported["captioning_esc50_hours_A6000"],
    ("beats", "captions by an audio language model"): reported["captioning_esc50_hours_A6000"],
    ("ast", "summaries by a language model"): reported["summaries_ast_hours_A6000"],
    ("beats", "summaries by a language model"): reported["summaries_beats_hours_A6000"],
}
projected = stages[stages["setting"] != "mini"].copy()
projected["the paper, GPU hours"] = [graphics.get(key, float("nan")) for key in zip(projected["setting"], projected["stage"], strict=True)]
projected["seconds for one"] = projected["seconds"]
projected = projected.rename(columns={"setting": "network", "hours": "CPU hours"})
shown = projected[["network", "stage", "seconds for one", "counted", "CPU hours", "the paper, GPU hours"]]
plain(shown, "Projected to ESC-50: seconds for one times the count", made, {"seconds for one": ".2g", "CPU hours": ".2g", "the paper, GPU hours": ".0f"})

# %% tags=["remove-cell"]
sizes = {size["name"]: size for size in costs["settings"]}
language = stages["stage"].str.contains("language model")
spent = stages[~language].groupby("setting")["hours"].sum()
each = stages.set_index(["setting", "stage"])
answered = {name: each.loc[(name, "summaries by a language model")] for name in ("ast", "beats")}
keep(
    paper_captions=reported["captioning_esc50_hours_A6000"],
    paper_ast=reported["summaries_ast_hours_A6000"],
    paper_beats=reported["summaries_beats_hours_A6000"],
    processor=costs["machine"]["processor"],
    mini_clips=sizes["mini"]["clips"],
    mini_seconds=sizes["mini"]["seconds"],
    mini_units=sizes["mini"]["units"],
    mini_total=60 * spent["mini"],
    full_seconds=sizes["ast"]["seconds"],
    ast_units=sizes["ast"]["units"],
    beats_units=sizes["beats"]["units"],
    ast_hours=spent["ast"],
    beats_hours=spent["beats"],
    recording=", ".join(f"{name} {each.loc[(name, 'recording activations'), 'hours']:.1f}" for name in ("ast", "beats")),
    silencing=", ".join(f"{name} {each.loc[(name, 'Table 4: silencing units'), 'hours']:.0f}" for name in ("ast", "beats")),
    describing=", ".join(f"{name} {spent[name] - each.loc[(name, 'Table 4: silencing units'), 'hours']:.1f}" for name in ("ast", "beats")),
    disk=", ".join(f"{name} {4 * sizes[name]['clips'] * sizes[name]['units'] / 1e9:.2f}" for name in ("ast", "beats")),
    questions=answered["ast"]["count"],
    a_summary_small=answered["ast"]["seconds"],
    a_summary_paper=3600 * reported["summaries_ast_hours_A6000"] / answered["ast"]["count"],
    a_caption_paper=3600 * reported["captioning_esc50_hours_A6000"] / sizes["ast"]["clips"],
)

# %% [markdown]
# - **Describing every unit** without a language model: {glue:text}`describing` CPU hours, of which recording is {glue:text}`recording`.
# - **Table 4**, silencing: {glue:text}`silencing` CPU hours for the paper's four strategies. Every further strategy or control costs a quarter of that again; [our page](4_3_unlearning.ipynb) has several.
# - **A language model.** The paper's hours make {glue:text}`a_summary_paper:.2f` s a summary and {glue:text}`a_caption_paper:.0f` s a caption on its GPU; SmolLM2-135M takes {glue:text}`a_summary_small:.1f` s a summary on our core. It is a hundredth of Llama-2-13B's size, so the two columns are no comparison of speed. Equal questions are asked once, so {glue:text}`questions:,` is the most that AST can take; verdicts on adjectives and ICL ask far fewer and are left out.
# - **Disk**: activations of every unit on every clip, in float32: {glue:text}`disk` GB.
#
# ## What is not measured
#
# - **A GPU of ours.** Nothing here was timed on one; the paper's column is the paper's.
# - **Captions by an audio language model**, which wants one: the paper's hours stand alone.
# - **Statistics, controls and figures** of the pages. [How to run](../../how_to_run.md) says how long pages take by the clock.
#
# ## Try it yourself
#
# ```bash
# make llm
# python -m benchmarks.cost         # writes results/mini/stage_costs.json
# python -m benchmarks describing   # an AST of the paper's size, 2000 clips to described units
# ```
#
# Next: [the paper's claims](claims.ipynb).
