# %% [markdown]
# # To AudioSet: what it would take
#
# The paper probes with the 2000 clips of ESC-50 {cite}`piczak2015esc`; AudioSet, which its networks were pre-trained on, has {glue:text}`clips:,` clips of {glue:text}`clip_seconds` s.
# This page is arithmetic: counts times rates that were measured on one core, nothing was run at that size.

# %% tags=["parameters", "hide-input"]
k: int = 5  # highest / lowest activated clips per neuron

# %%
import andlib as al
from andlib.pages import cost, scale

run = al.open_run(globals())
costs = cost.measured()

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
hours = scale.hours(costs)
formats = {"clip, s": ".2g"} | dict.fromkeys(hours.columns[3:], ",.2f")
al.tables.plain(hours, "AudioSet: seconds for one clip, and hours for all", cost.made_by(costs), formats)

# %% [markdown]
# Recording is nearly all of it: {glue:text}`recording` core-years.
# A shard takes a core {glue:text}`shard_minutes` minutes, which is what a lost worker costs; there are {glue:text}`shards:,` of them, so more cores than that would idle.
# The paper's captioner took {glue:text}`caption_seconds:.0f` s a clip on its GPU; at that rate AudioSet is {glue:text}`caption_years:.1f` GPU-years, so captioning decides, and a faster captioner, in batches, is the first thing to look for.
#
# ## Bytes

# %% tags=["hide-input"]
disk = scale.disk(costs, run.k)
al.tables.plain(disk, f"AudioSet on disk, K = {run.k}", "Counts alone.", {"GB": ",.3g"})

# %% tags=["remove-cell"]
al.tables.keep(**scale.words(costs, hours, disk))

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
