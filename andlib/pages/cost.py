"""What a dissection costs: processor time of every stage on mini, and that times the counts of the paper's networks."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from andlib import kept, paper
from andlib.pages.wording import by_model

FULL = ("ast", "beats")  # networks of the paper's size

Costs = Mapping[str, Any]


def measured() -> Costs:
    """What `python -m benchmarks.cost` wrote: machine, settings (what is dissected, by name), stages (a row each)."""
    return kept.read("mini", "stage_costs", "python -m benchmarks.cost")


def made_by(costs: Costs) -> str:
    """Where the seconds come from, for under a table."""
    machine = costs["machine"]
    return f"By benchmarks.cost: processor time of one thread, {machine['processor']}, torch {machine['torch']}."


def sizes(costs: Costs) -> dict[str, dict[str, Any]]:
    """Units, clips and seconds of each setting, by its name."""
    return {size["name"]: size for size in costs["settings"]}


def by_stage(costs: Costs) -> pd.DataFrame:
    """One row a setting and stage: seconds for one, count, how it is counted, hours for all."""
    stages = pd.DataFrame(costs["stages"])
    return stages.assign(hours=stages["seconds"] * stages["count"] / 3600)


def on_mini(stages: pd.DataFrame) -> pd.DataFrame:
    """Every stage on mini: milliseconds for one, and minutes for all. stages: `by_stage`."""
    mini = stages[stages["setting"] == "mini"]
    mini = mini.assign(**{"one, ms": 1000 * mini["seconds"], "minutes": 60 * mini["hours"]})
    return mini[["stage", "one", "one, ms", "measured", "counted", "minutes"]]


def projected(stages: pd.DataFrame) -> pd.DataFrame:
    """Every stage on ESC-50 with networks of the paper's size, beside the hours that the paper states."""
    full = stages[stages["setting"] != "mini"]
    reported = paper.numbers()["cost_reported"]
    graphics = {(name, "summaries by a language model"): reported[f"summaries_{name}_hours_A6000"] for name in FULL}
    captioning = reported["captioning_esc50_hours_A6000"]
    graphics |= {(name, "captions by an audio language model"): captioning for name in FULL}
    hours = [graphics.get(key, float("nan")) for key in zip(full["setting"], full["stage"], strict=True)]
    heads = {"setting": "network", "seconds": "seconds for one", "hours": "CPU hours"}
    full = full.assign(**{"the paper, GPU hours": hours}).rename(columns=heads)
    return full[["network", "stage", "seconds for one", "counted", "CPU hours", "the paper, GPU hours"]]


def words(costs: Costs, stages: pd.DataFrame) -> dict[str, object]:
    """The numbers of the prose. stages: `by_stage`."""
    size, reported = sizes(costs), paper.numbers()["cost_reported"]
    ours = stages[~stages["stage"].str.contains("language model")].groupby("setting")["hours"].sum()
    each = stages.set_index(["setting", "stage"])
    recording, silencing = (
        {name: each.loc[(name, stage), "hours"] for name in FULL}
        for stage in ("recording activations", "Table 4: silencing units")
    )
    answered = each.loc[("ast", "summaries by a language model")]
    disk = {name: 4 * size[name]["clips"] * size[name]["units"] / 1e9 for name in FULL}
    return {
        "paper_captions": reported["captioning_esc50_hours_A6000"],
        **{f"paper_{name}": reported[f"summaries_{name}_hours_A6000"] for name in FULL},
        "processor": costs["machine"]["processor"],
        **{f"mini_{name}": size["mini"][name] for name in ("clips", "seconds", "units")},
        "mini_total": 60 * ours["mini"],
        "full_seconds": size["ast"]["seconds"],
        **{f"{name}_units": size[name]["units"] for name in FULL},
        **{f"{name}_hours": ours[name] for name in FULL},
        "recording": by_model(recording, ".1f"),
        "silencing": by_model(silencing, ".0f"),
        "describing": by_model({name: ours[name] - silencing[name] for name in FULL}, ".1f"),
        "disk": by_model(disk, ".2f"),
        "questions": answered["count"],
        "a_summary_small": answered["seconds"],
        "a_summary_paper": 3600 * reported["summaries_ast_hours_A6000"] / answered["count"],
        "a_caption_paper": 3600 * reported["captioning_esc50_hours_A6000"] / size["ast"]["clips"],
    }
