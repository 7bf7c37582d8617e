# %% [markdown]
# # How fast it is
#
# The paper says nothing of speed but the three GPU times on [the page on cost](cost.ipynb).
# This page holds what `make bench` measured: each thing that this package does, beside a plain way to do the same, in the same run.
# Seconds differ from machine to machine; their ratio, which is what is asked for, much less.

# %%
import andlib as al
from andlib.pages import benchmarks

run = al.open_run(globals())
history = benchmarks.history()
made = benchmarks.made_by(history)
rows = benchmarks.measurements(history)
compared, alone = benchmarks.latest(rows)

# %% [markdown]
# ## What is measured
#
# Seconds are by the clock, medians of calls that alternate between ours and the reference; processor time where a note says so.
# Everything runs on one thread but what says "all cores".
# The reference is the obvious way to the same result: the loops of `tests/oracles.py` one unit at a time, a library's own function called as its users call it, or the same work without the part that is timed.
# *At least* is what the machine takes at any rate: the multiplications and additions that the work needs at the rate of the fastest matrix product on one thread in the same run, or one reading of its inputs from memory, whichever is longer; logarithms and sorting are not counted.
#
# ## Against a plain reference

# %% tags=["hide-input"]
heads = {"ratio": "times as fast", "seconds": "ours, s", "reference": "reference, s", "least": "at least, s"}
formats = dict.fromkeys(["ours, s", "reference, s", "at least, s"], ".3g") | {"times as fast": ".2f", "asked": "g"}
shown = compared[["what", "ratio", "asked", "seconds", "reference", "least"]]
al.tables.plain(shown, "Ours against a plain reference", made, formats, heads)

# %% tags=["hide-input"]
shown = compared[["what", "against", "note"]]
al.tables.plain(shown, "What the reference of each is", made, heads={"against": "the reference"})

# %% [markdown]
# Of {glue:text}`ratios` ratios that were asked for, {glue:text}`ratios_met` are met; not met: {glue:text}`ratios_missed`.
#
# ## Seconds and memory

# %% tags=["hide-input"]
heads = {"at_most": "asked", "peak_gib": "GiB"}
formats = {"seconds": ".3g", "asked": "g", "GiB": ".2f"}
caption = "Seconds, at most how many were asked for, and peak memory"
al.tables.plain(alone[["what", "seconds", "at_most", "peak_gib", "note"]], caption, made, formats, heads)

# %% [markdown]
# Of {glue:text}`times` times that were asked for, {glue:text}`times_met` are met; not met: {glue:text}`times_missed`.
#
# The full-size AST is an untrained network (random weights throughout, its classifier included), and what its units are told to respond to means nothing; the work is that of a trained one.
# It reads two-second clips at their length, not padded to the ten seconds of the paper's, and recording is not part of the sum: [what a dissection costs](cost.ipynb) has it at the paper's size.
#
# ## How it went over time
#
# Every run adds to `benchmarks/history.jsonl`.

# %% tags=["hide-input"]
heads, formats = {"seconds": "ours, s", "ratio": "times as fast"}, {"ours, s": ".3g", "times as fast": ".2f"}
caption, noted = "What was measured more than once", "All lines of benchmarks/history.jsonl."
al.tables.plain(benchmarks.over_time(rows), caption, noted, formats, heads)

# %% tags=["remove-cell"]
al.tables.keep(**benchmarks.words(compared, alone))

# %% [markdown]
# ## Try it yourself
#
# ```bash
# make bench                             # everything, half an hour
# make bench args="similarity sweep"     # some of it
# make page nb=benchmarks                # this page, from what was measured last
# ```
#
# Next: [what a dissection costs](cost.ipynb).
