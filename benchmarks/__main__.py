"""The benchmark table: seconds of ours and of a plain reference in the same run, their ratio, and what was asked.

    python -m benchmarks                   # every group, half an hour and more
    python -m benchmarks similarity scoring  # these alone
Each group is added to benchmarks/history.jsonl as soon as it is measured, with machine, versions and commit. Ratios
hold across machines better than seconds do."""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

HISTORY = Path(__file__).resolve().parent / "history.jsonl"
GROUPS = (
    "similarity",
    "networks",
    "scoring",
    "memory",
    "describing",
    "language",
    "answering",
    "scale",
    "report",
    "gpu",
)


def measure(group: str, machine: dict, commit: str) -> bool:
    """Measures a group, prints its rows as they come and adds them to the history; whether there were any."""
    rows = []
    for row in import_module(f"benchmarks.{group}").rows():
        rows.append(row)
        print(line(row), flush=True)
    date = datetime.now(UTC).isoformat(timespec="seconds")
    about = {"group": group, "date": date, "commit": commit, "machine": machine}
    if rows:
        with HISTORY.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**about, "rows": [_told(row) for row in rows]}) + "\n")
    return bool(rows)


def _told(row) -> dict:
    return {name: value for name, value in asdict(row).items() if value not in (None, "")}


def line(row) -> str:
    """A row as it is printed."""
    ratio = f"{row.reference:10.3f} s {row.reference / row.seconds:7.2f}x" if row.reference else " " * 21
    asked = f"asked {row.asked:g}x" if row.asked else f"asked {row.at_most:g} s" if row.at_most else ""
    least = f"least {row.least:.3f} s" if row.least else ""
    peak = f"{row.peak_gib:.2f} GiB" if row.peak_gib else ""
    more = "; ".join(filter(None, [row.against and f"against {row.against}", asked, least, peak, row.note]))
    return f"{row.what:75} {row.device[:12]:12} {row.seconds:9.3f} s {ratio}  {more}"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; see the module's docstring."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is imported: rows say where all cores work
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures speed and memory.")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=", ".join(GROUPS))
    groups = parser.parse_args(arguments).groups
    if unknown := sorted(set(groups) - set(GROUPS)):
        parser.error(f"no group is called {', '.join(unknown)}; there are {', '.join(GROUPS)}")

    from benchmarks import measuring

    machine, commit = measuring.machine(), measuring.commit()
    print(f"{'what':75} {'device':12} {'ours':>11} {'reference':>12} {'ratio':>8}", flush=True)
    if any([measure(group, machine, commit) for group in groups or GROUPS]):
        print(f"Added to {HISTORY.name}; the page `cost` shows it (make page nb=cost).")


if __name__ == "__main__":
    main()
