# %% [markdown]
# # To AudioSet: what it would take
#
# The paper probes with the 2000 clips of ESC-50 {cite}`piczak2015esc`; AudioSet, which its networks were pre-trained on, has {glue:text}`clips:,` clips of {glue:text}`clip_seconds` s.
# This page is arithmetic: counts times rates that were measured on one core, nothing was run at that size.

# %% tags=["parameters", "hide-input"]
model: str = "all"  # has no effect here
profile: str = "mini"  # has no effect here: the rates were measured on mini
data_dir: str = ""  # has no effect here
captions: str = ""  # has no effect here
weights: str = ""  # has no effect here
mode: str = "corrected"  # has no effect here
k: int = 5  # highest / lowest activated clips per neuron

# %%
import math

import pandas as pd

import andlib as al
from andlib import kept, responses
from andlib.report.tables import keep, plain

run = al.open_run(globals())
CLIPS, CLIP_SECONDS = 2_084_320, 10  # AudioSet's segments, all of its three parts
SAMPLE = 2  # bytes
RATE = 16_000  # Hz
CORES = (1, 64, 1024)
costs = kept.read("mini", "stage_costs", "python -m benchmarks.cost")
sizes = {size["name"]: size for size in costs["settings"] if size["name"] != "mini"}
each = pd.DataFrame(costs["stages"]).set_index(["setting", "stage"])["seconds"]
made = f"By benchmarks.cost: processor time of one thread, {costs['machine']['processor']}, torch {costs['machine']['torch']}."
shards = math.ceil(CLIPS / responses.SHARD)

# %% [markdown]
# ## What is assumed
#
# - Networks are AST and BEATs of the paper's size: {glue:text}`ast_units:,` and {glue:text}`beats_units:,` units.
# - Rates were measured on clips of {glue:text}`measured_seconds` s. AST pads those to its full input, so a clip of {glue:text}`clip_seconds` s costs it the same; for BEATs the time is taken in proportion to the length. Its attention grows faster than that, so its hours are a lower bound.
# - An encoder of sounds or texts costs for one clip what it does on ESC-50 (sounds: in proportion to length).
# - Cores work independently of each other, a shard of {glue:text}`shard` clips at a time, and none waits for a disk or a network.
# - Recordings are mono at {glue:text}`rate_khz:.0f` kHz, 16 bits, uncompressed.
#
# ## Hours
#
# These grow with the number of clips.
# Summaries by rules, calibration and open concepts are made from K clips a unit and do not: {glue:text}`unit_minutes` minutes of a core in all.

# %% tags=["hide-input"]
longer = CLIP_SECONDS / sizes["beats"]["seconds"]
factors = {
    "recording activations": {"ast": 1, "beats": longer},
    "TAB: encoding sounds": {"ast": longer, "beats": longer},
    "DB: encoding descriptions": {"ast": 1, "beats": 1},
}
rows = [
    {"network": name, "stage": stage, "clip, s": each[name, stage] * factor[name]}
    for name in sizes
    for stage, factor in factors.items()
]
hours = pd.DataFrame(rows)
for cores in CORES:
    hours[f"hours, {cores} core{'s' * (cores > 1)}"] = hours["clip, s"] * CLIPS / 3600 / cores
formats = {"clip, s": ".2g"} | {name: ",.2f" for name in hours if name.startswith("hours")}
plain(hours, "AudioSet: seconds for one clip, and hours for all", made, formats)

# %% [markdown]
# Recording is nearly all of it: {glue:text}`recording` core-years.
# A shard takes a core {glue:text}`shard_minutes` minutes, which is what a lost worker costs; there are {glue:text}`shards:,` of them, so more cores than that would idle.
# The paper's captioner took {glue:text}`caption_seconds:.0f` s a clip on its GPU; at that rate AudioSet is {glue:text}`caption_years:.1f` GPU-years, so captioning decides, and a faster captioner, in batches, is the first thing to look for.
#
# ## Bytes

# %% tags=["hide-input"]
unit_bytes = 2 * run.k * (4 + 4) + 2 * 8  # highest and lowest: clip and value; two moments
disk = pd.DataFrame(
    [
        {"network": name, "what": what, "GB": size / 1e9}
        for name, measured in sizes.items()
        for what, size in {
            "every activation of every clip": 4 * measured["units"] * CLIPS,
            "extremes and moments, every shard": unit_bytes * measured["units"] * shards,
            "extremes and moments, merged": unit_bytes * measured["units"],
            "recordings": SAMPLE * RATE * CLIP_SECONDS * CLIPS,
        }.items()
    ]
)
plain(disk, f"AudioSet on disk, K = {run.k}", "Counts alone.", {"GB": ",.3g"})

# %% tags=["remove-cell"]
reported = al.paper.numbers()["cost_reported"]
a_caption = 3600 * reported["captioning_esc50_hours_A6000"] / sizes["ast"]["clips"]
of_units = ("summaries by rules", "calibration and open concepts")
recorded = hours[hours["stage"] == "recording activations"].set_index("network")
keep(
    clips=CLIPS,
    clip_seconds=CLIP_SECONDS,
    ast_units=sizes["ast"]["units"],
    beats_units=sizes["beats"]["units"],
    measured_seconds=sizes["ast"]["seconds"],
    rate_khz=RATE / 1000,
    unit_minutes=", ".join(f"{name} {sum(each[name, stage] for stage in of_units) * size['units'] / 60:.1f}" for name, size in sizes.items()),
    shard=responses.SHARD,
    shards=shards,
    recording=", ".join(f"{name} {row['hours, 1 core'] / 24 / 365.25:.2g}" for name, row in recorded.iterrows()),
    shard_minutes=", ".join(f"{name} {row['clip, s'] * responses.SHARD / 60:.0f}" for name, row in recorded.iterrows()),
    caption_seconds=a_caption,
    caption_years=a_caption * CLIPS / 3600 / 24 / 365.25,
    full_gb=", ".join(f"{row['network']} {row['GB']:,.0f}" for _, row in disk[disk["what"] == "every activation of every clip"].iterrows()),
    merged_mb=", ".join(f"{row['network']} {1000 * row['GB']:.1f}" for _, row in disk[disk["what"] == "extremes and moments, merged"].iterrows()),
)

# %% [markdown]
# All activations ({glue:text}`full_gb` GB) exceed the memory budget by far, so only the highest and lowest clips of every unit are kept, with the mean and the deviation of its activations.
# Those of two shards merge into those of both, so what is kept in the end is {glue:text}`merged_mb` MB, however many clips there are.
#
# ## How it runs
#
# `python -m andlib.scale` gives fixed shards of clips, or of questions to a language model, to workers that [Ray](https://docs.ray.io) starts on this machine or on a cluster; each holds the model.
# One process writes the results, each shard into a file that exists whole or not at all, under the name that the serial code looks for.
# So the bytes are those of a run on one core, whatever the number of workers and the order in which they are done; a lost machine costs the shards that it was working on, and so does a killed driver.
#
# ## What would still be missing
#
# - **DB and TAB** compare every activation of a unit with every caption, and need the full matrices; beyond the memory budget closed concepts are left out. Summaries, calibration and open concepts stay.
# - **A GPU for target networks** is used where a worker declares one (`--gpus 1`). Nothing here was timed on one.
# - **Captions and labels**: AudioSet's clips carry several labels each, while this package's probing sets have one class a clip; and many of its videos are no longer to be had.
# - **Names of clips** are read before anything is made of them: with two million, opening the folder takes its time, too.
#
# ## Try it yourself
#
# ```bash
# pip install -c constraints.txt -e ".[scale]"
# python -m andlib.scale --profile mini --model ast --workers 2
# python -m benchmarks.scale        # a minute's work: serial, one worker, two workers
# ```
#
# Next: [what a dissection costs](cost.ipynb).
