"""What `make bench` measured: every thing beside a plain way to do the same, and how it went over time."""

import json
from typing import Any

import pandas as pd

from andlib import paths
from andlib.errors import InputError

COLUMNS = ["group", "date", "commit", "processor", "what", "seconds", "reference", "against", "asked", "least"]
COLUMNS += ["peak_gib", "at_most", "note"]


def history() -> list[dict[str, Any]]:
    """Every run of a group of benchmarks, the last one last: group, date, commit, machine and rows."""
    file = paths.root() / "benchmarks/history.jsonl"
    if not file.is_file():
        raise InputError("benchmarks/history.jsonl is missing: make bench measures and writes it.")
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def made_by(runs: list[dict[str, Any]]) -> str:
    """When and where it was last measured, for under a table."""
    day, machine = runs[-1]["date"][:10], runs[-1]["machine"]
    packages = ", ".join(f"{name} {machine[name]}" for name in ("torch", "numpy", "scipy"))
    return f"By benchmarks, last on {day}: {machine['processor']}, {machine['cores']} cores, {packages}."


def measurements(runs: list[dict[str, Any]]) -> pd.DataFrame:
    """One row a thing and run that measured it; ratio: how many times as fast as the reference. runs: `history`."""
    rows = [
        {name: run[name] for name in ("group", "date", "commit")} | {"processor": run["machine"]["processor"], **row}
        for run in runs
        for row in run["rows"]
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.assign(ratio=table["reference"] / table["seconds"])


def latest(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What was measured last of each thing: those that have a reference, and those that have none."""
    last = rows.groupby("what", sort=False).tail(1).set_index("what").loc[rows["what"].unique()].reset_index()
    last = last.fillna({"note": "", "against": ""})
    return last[last["reference"].notna()], last[last["reference"].isna()]


def over_time(rows: pd.DataFrame) -> pd.DataFrame:
    """What was measured beside a reference more than once."""
    several = rows[rows["ratio"].notna() & rows.groupby("what")["what"].transform("size").gt(1)]
    several = several.assign(date=several["date"].str[:16].str.replace("T", " "))
    return several.sort_values(["what", "date"])[["what", "date", "commit", "seconds", "ratio"]]


def words(compared: pd.DataFrame, alone: pd.DataFrame) -> dict[str, object]:
    """How many of the ratios and times that were asked for are met, and which are not. Both: `latest`."""
    ratios, times = compared[compared["asked"].notna()], alone[alone["at_most"].notna()]
    slow, late = ratios[ratios["ratio"] < ratios["asked"]], times[times["seconds"] > times["at_most"]]
    return {
        "ratios": len(ratios),
        "ratios_met": len(ratios) - len(slow),
        "ratios_missed": _listed(slow, "ratio"),
        "times": len(times),
        "times_met": len(times) - len(late),
        "times_missed": _listed(late, "seconds"),
    }


def _listed(missed: pd.DataFrame, column: str) -> str:
    return "; ".join(f"{row['what']} ({row[column]:.3g})" for _, row in missed.iterrows()) or "none"
