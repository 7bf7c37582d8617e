"""What AudioSet would take: counts times the rates that `benchmarks.cost` measured on one core. Nothing is run."""

import math

import pandas as pd

from andlib import paper, responses
from andlib.pages.cost import FULL, Costs, by_stage, sizes
from andlib.pages.wording import by_model

CLIPS, CLIP_SECONDS = 2_084_320, 10  # AudioSet's segments, all of its three parts
SAMPLE = 2  # bytes
RATE = 16_000  # Hz
CORES = (1, 64, 1024)
SHARDS = math.ceil(CLIPS / responses.SHARD)


def hours(costs: Costs) -> pd.DataFrame:
    """Stages that grow with the number of clips; one row a network and stage: seconds for one clip, hours for all."""
    longer = CLIP_SECONDS / sizes(costs)["beats"]["seconds"]
    factors = {  # AST pads every clip to its full input; the rest goes by the length of a sound
        "recording activations": {"ast": 1, "beats": longer},
        "TAB: encoding sounds": {"ast": longer, "beats": longer},
        "DB: encoding descriptions": {"ast": 1, "beats": 1},
    }
    seconds = by_stage(costs).set_index(["setting", "stage"])["seconds"]
    rows = [(name, stage, seconds[name, stage] * f[name]) for name in FULL for stage, f in factors.items()]
    table = pd.DataFrame(rows, columns=["network", "stage", "clip, s"])
    for cores in CORES:
        table[f"hours, {cores} core{'s' * (cores > 1)}"] = table["clip, s"] * CLIPS / 3600 / cores
    return table


def disk(costs: Costs, k: int) -> pd.DataFrame:
    """Bytes that would be kept, in GB; one row a network and what is kept. k: highest and lowest clips of a unit."""
    unit_bytes = 2 * k * (4 + 4) + 2 * 8  # highest and lowest: clip and value; two moments
    rows = []
    for name in FULL:
        units = sizes(costs)[name]["units"]
        rows += [
            (name, "every activation of every clip", 4 * units * CLIPS / 1e9),
            (name, "extremes and moments, every shard", unit_bytes * units * SHARDS / 1e9),
            (name, "extremes and moments, merged", unit_bytes * units / 1e9),
            (name, "recordings", SAMPLE * RATE * CLIP_SECONDS * CLIPS / 1e9),
        ]
    return pd.DataFrame(rows, columns=["network", "what", "GB"])


def words(costs: Costs, hours: pd.DataFrame, disk: pd.DataFrame) -> dict[str, object]:
    """The numbers of the prose."""
    size, stages = sizes(costs), by_stage(costs)
    of_units = stages[stages["stage"].isin(["summaries by rules", "calibration and open concepts"])]
    a_unit = of_units.groupby("setting")["seconds"].sum()
    recorded = hours[hours["stage"] == "recording activations"].set_index("network")
    kept = disk.set_index(["what", "network"])["GB"]
    a_caption = 3600 * paper.numbers()["cost_reported"]["captioning_esc50_hours_A6000"] / size["ast"]["clips"]
    return {
        "clips": CLIPS,
        "clip_seconds": CLIP_SECONDS,
        **{f"{name}_units": size[name]["units"] for name in FULL},
        "measured_seconds": size["ast"]["seconds"],
        "rate_khz": RATE / 1000,
        "unit_minutes": by_model({name: a_unit[name] * size[name]["units"] / 60 for name in FULL}, ".1f"),
        "shard": responses.SHARD,
        "shards": SHARDS,
        "recording": by_model(recorded["hours, 1 core"] / 24 / 365.25, ".2g"),
        "shard_minutes": by_model(recorded["clip, s"] * responses.SHARD / 60, ".0f"),
        "caption_seconds": a_caption,
        "caption_years": a_caption * CLIPS / 3600 / 24 / 365.25,
        "full_gb": by_model(kept["every activation of every clip"], ",.0f"),
        "merged_mb": by_model(1000 * kept["extremes and moments, merged"], ".1f"),
    }
