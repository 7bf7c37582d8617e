"""What a dissection costs on mini, projected to the paper's networks and to AudioSet; and how fast it is."""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from andlib import kept, paper, paths
from andlib.errors import InputError
from andlib.pages.wording import by_model

FULL = ("ast", "beats")  # networks of the paper's size
AUDIOSET, SECONDS, CORES = 2_084_320, 10, (1, 64, 1024)  # clips, of all three parts, and how long they are
SPEED = ["what", "seconds", "reference", "against", "asked", "least", "peak_gib", "at_most", "note"]

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


def projected(stages: pd.DataFrame) -> pd.DataFrame:
    """Every stage on ESC-50 with networks of the paper's size, beside the hours that the paper states."""
    full = stages[stages["setting"] != "mini"]
    reported, graphics = paper.numbers()["cost_reported"], {}
    for name in FULL:
        graphics[name, "summaries by a language model"] = reported[f"summaries_{name}_hours_A6000"]
        graphics[name, "captions by an audio language model"] = reported["captioning_esc50_hours_A6000"]
    hours = [graphics.get(key, float("nan")) for key in zip(full["setting"], full["stage"], strict=True)]
    heads = {"setting": "network", "seconds": "seconds for one", "hours": "CPU hours", "paper": "the paper, GPU hours"}
    return full.assign(paper=hours)[["setting", "stage", "hours", "paper", "seconds", "counted"]].rename(columns=heads)


def to_audioset(costs: Costs) -> pd.DataFrame:
    """Stages that grow with the number of clips; one row a network and stage: seconds for one clip, hours for all."""
    longer = SECONDS / sizes(costs)["beats"]["seconds"]
    factors = {  # AST pads every clip to its full input; the rest goes by the length of a sound
        "recording activations": {"ast": 1, "beats": longer},
        "TAB: encoding sounds": {"ast": longer, "beats": longer},
        "DB: encoding descriptions": {"ast": 1, "beats": 1},
    }
    seconds = by_stage(costs).set_index(["setting", "stage"])["seconds"]
    rows = [(name, stage, seconds[name, stage] * f[name]) for name in FULL for stage, f in factors.items()]
    table = pd.DataFrame(rows, columns=["network", "stage", "clip, s"])
    for cores in CORES:
        table[f"hours, {cores} core{'s' * (cores > 1)}"] = table["clip, s"] * AUDIOSET / 3600 / cores
    return table


def words(costs: Costs, stages: pd.DataFrame) -> dict[str, object]:
    """The numbers of the prose. stages: `by_stage`."""
    size = sizes(costs)
    ours = stages[~stages["stage"].str.contains("language model")].groupby("setting")["hours"].sum()
    silencing = stages[stages["stage"] == "Table 4: silencing units"].set_index("setting")["hours"][[*FULL]]
    recorded = to_audioset(costs).set_index(["stage", "network"]).loc["recording activations"]
    a_caption = 3600 * paper.numbers()["cost_reported"]["captioning_esc50_hours_A6000"] / size["ast"]["clips"]
    return {
        "mini_total": 60 * ours["mini"],
        "silencing": by_model(silencing, ".0f"),
        "describing": by_model(ours[[*FULL]] - silencing, ".1f"),
        "clips": AUDIOSET,
        "clip_seconds": SECONDS,
        "caption_seconds": a_caption,
        "caption_years": a_caption * AUDIOSET / 3600 / 24 / 365.25,
        "recording": by_model(recorded["hours, 1 core"] / 24 / 365.25, ".2g"),
        "full_gb": by_model({name: 4 * size[name]["units"] * AUDIOSET / 1e9 for name in FULL}, ",.0f"),
    }


def speeds() -> pd.DataFrame:
    """What `make bench` measured last of each thing, a row each: columns SPEED, ratio (how many times as fast as the
    reference, NaN without one) and made_by (when and where the last was). Raises InputError where nothing was."""
    file = paths.root() / "benchmarks/history.jsonl"
    if not file.is_file():
        raise InputError("benchmarks/history.jsonl is missing: make bench measures and writes it.")
    runs = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    rows = pd.DataFrame([row for run in runs for row in run["rows"]], columns=SPEED)
    last = rows.drop_duplicates("what", keep="last").set_index("what").loc[rows["what"].unique()].reset_index()
    day, machine = runs[-1]["date"][:10], runs[-1]["machine"]
    packages = ", ".join(f"{name} {machine[name]}" for name in ("torch", "numpy", "scipy"))
    made = f"By benchmarks, last on {day}: {machine['processor']}, {machine['cores']} cores, {packages}."
    return last.fillna({"note": "", "against": ""}).assign(ratio=last["reference"] / last["seconds"], made_by=made)


def missed(speeds: pd.DataFrame) -> str:
    """What is slower than was asked for, by its ratio or its seconds."""
    slow = speeds[(speeds["ratio"] < speeds["asked"]) | (speeds["seconds"] > speeds["at_most"])]
    return "; ".join(slow["what"]) or "nothing"
