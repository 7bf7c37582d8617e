# %% [markdown]
# # How fast it is
#
# The paper says nothing of speed but the three GPU times on [the page on cost](cost.ipynb).
# This page holds what `make bench` measured: each thing that this package does, beside a plain way to do the same, in the same run.
# Seconds differ from machine to machine; their ratio, which is what is asked for, much less.

# %% tags=["parameters", "hide-input"]
model: str = "all"  # has no effect here
profile: str = "mini"  # has no effect here
data_dir: str = ""  # has no effect here
captions: str = ""  # has no effect here
weights: str = ""  # has no effect here
mode: str = "corrected"  # has no effect here
k: int = 5  # has no effect here

# %% tags=["hide-input"]
import json

import pandas as pd

import andlib as al
from andlib import paths
from andlib.errors import InputError
from andlib.report.tables import keep, plain

run = al.open_run(globals())
history = paths.root() / "benchmarks/history.jsonl"
if not history.is_file():
    raise InputError("benchmarks/history.jsonl is missing: make bench measures and writes it.")
runs = [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()]
rows = pd.DataFrame(
    [
        {"group": of["group"], "date": of["date"], "commit": of["commit"], "processor": of["machine"]["processor"], **row}
        for of in runs
        for row in of["rows"]
    ]
).reindex(columns=["group", "date", "commit", "processor", "what", "seconds", "reference", "against", "asked", "least", "peak_gib", "at_most", "note"])
rows["ratio"] = rows["reference"] / rows["seconds"]
latest = rows.groupby("what", sort=False).tail(1).set_index("what").loc[rows["what"].unique()].reset_index()
last = runs[-1]["machine"]
made = f"By benchmarks, last on {runs[-1]['date'][:10]}: {last['processor']}, {last['cores']} cores, " + ", ".join(f"{name} {last[name]}" for name in ("torch", "numpy", "scipy")) + "."

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
columns = {
    "what": "what",
    "ratio": "times as fast",
    "asked": "asked",
    "seconds": "ours, s",
    "reference": "reference, s",
    "least": "at least, s",
}
formats = {"ours, s": ".3g", "reference, s": ".3g", "times as fast": ".2f", "asked": "g", "at least, s": ".3g"}
compared = latest[latest["reference"].notna()].fillna({"note": "", "against": ""})
plain(compared[[*columns]].rename(columns=columns), "Ours against a plain reference", made, formats)

# %% tags=["hide-input"]
plain(compared[["what", "against", "note"]].rename(columns={"against": "the reference"}), "What the reference of each is", made)

# %% [markdown]
# Of {glue:text}`ratios` ratios that were asked for, {glue:text}`ratios_met` are met; not met: {glue:text}`ratios_missed`.
#
# ## Seconds and memory

# %% tags=["hide-input"]
alone = latest[latest["reference"].isna()].fillna({"note": ""})
columns = {"what": "what", "seconds": "seconds", "at_most": "asked", "peak_gib": "GiB", "note": "note"}
formats = {"seconds": ".3g", "asked": "g", "GiB": ".2f"}
plain(alone[[*columns]].rename(columns=columns), "Seconds, at most how many were asked for, and peak memory", made, formats)

# %% [markdown]
# Of {glue:text}`times` times that were asked for, {glue:text}`times_met` are met; not met: {glue:text}`times_missed`.
#
# The full-size AST has random weights, and what its units are told to respond to means nothing; the work is that of a trained one.
# It reads two-second clips at their length, not padded to the ten seconds of the paper's, and recording is not part of the sum: [what a dissection costs](cost.ipynb) has it at the paper's size.
#
# ## How it went over time
#
# Every run adds to `benchmarks/history.jsonl`.

# %% tags=["hide-input"]
several = rows[rows["ratio"].notna() & rows.groupby("what")["what"].transform("size").gt(1)].assign(day=lambda frame: frame["date"].str[:16].str.replace("T", " "))
shown = several[["what", "day", "commit", "seconds", "ratio"]].rename(columns={"day": "date", "seconds": "ours, s", "ratio": "times as fast"})
plain(shown.sort_values(["what", "date"]), "What was measured more than once", "All lines of benchmarks/history.jsonl.", {"ours, s": ".3g", "times as fast": ".2f"})

# %% tags=["remove-cell"]
asked = compared[compared["asked"].notna()]
slow = asked[asked["ratio"] < asked["asked"]]
timed = alone[alone["at_most"].notna()]
late = timed[timed["seconds"] > timed["at_most"]]


def told(missed: pd.DataFrame, by: str) -> str:
    """The rows that miss what was asked, with what was measured; "none"."""
    return "; ".join(f"{row['what']} ({row[by]:.3g})" for _, row in missed.iterrows()) or "none"


keep(
    ratios=len(asked),
    ratios_met=len(asked) - len(slow),
    ratios_missed=told(slow, "ratio"),
    times=len(timed),
    times_met=len(timed) - len(late),
    times_missed=told(late, "seconds"),
)

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
