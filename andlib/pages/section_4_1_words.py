"""The numbers in the sentences of the page on Section 4.1."""

from collections.abc import Mapping
from itertools import pairwise

import pandas as pd

from andlib import paper
from andlib.pages import cross_fitting
from andlib.pages.section_4_1 import MEASURED
from andlib.pages.wording import by_model
from andlib.run import Run

CONDITIONS = {  # name in the sentences -> condition
    "top1": "all clips",
    "fold1": "fold 1",
    "untrained": "untrained network",
    "shuffled": "shuffled captions",
    "struck": "class words struck",
}
UNCROSSED = "no networks were cross-fitted for this profile, so the reading is missing from the table"

Shares = Mapping[tuple[str, str], pd.Series]  # method, condition -> top-1 by model


def words(run: Run, best: pd.DataFrame, sure: pd.DataFrame, accuracy: pd.DataFrame) -> dict[str, object]:
    """best: `section_4_1.at_best`. sure: `section_4_1.intervals`. accuracy: `section_4_0.target_accuracy`."""
    top1 = {key: rows.set_index("model")["top1"] for key, rows in best.groupby(["method", "condition"], sort=False)}
    db, tab, string = (top1[method, "all clips"] for method in ("DB", "TAB", "string match"))
    tested = accuracy[accuracy["clips"] == "fold 1"].set_index("model")["accuracy"]
    printed, soft = paper.table2("ast").set_index("method")["top1"], paper.table7("ast").set_index("function")
    chosen = best[(best["method"] == "DB") & (best["condition"] == "all clips")].set_index("model")
    no_more, more = [name for name in run.models if db[name] <= tab[name]], db.index[db > string]
    crossed = cross_fitting.committed(run)
    right = [
        f"{row['clips']} {_range(row['accuracy'], row['low'], row['high'], '.1%')}"
        for row in crossed.get("accuracy", [])
    ]
    return {
        **{f"paper_{method.lower()}": printed[method] for method in ("DB", "TAB", "ICL")},
        **{f"soft_{column}": soft.loc["soft_wpmi", column] for column in MEASURED},
        **{name: _under(top1, "DB", condition) for name, condition in CONDITIONS.items()},
        **{f"tab_{name}": _under(top1, "TAB", CONDITIONS[name]) for name in ("top1", "fold1", "untrained")},
        **{f"icl_{name}": _by_icl(best, shots) for name, shots in (("one", 1), ("two", 2))},
        **{pair.lower().replace(" − ", "_"): _gained(rows) for pair, rows in sure.groupby("compared") if "−" in pair},
        "concepts": len(run.concepts),
        "chance": 1 / len(run.concepts),
        "icl": run.rests_on["ICL"],
        "tab": run.rests_on["TAB"],
        "title": run.profile.title,
        "units": int(chosen["units"].iloc[0]),
        "best": by_model(chosen["function"], ""),
        "string": by_model(string),
        "beats_string": ", ".join(more) or "none",
        "order": f"does not hold for {', '.join(no_more)}" if no_more else "holds for every network",
        "by_accuracy": _ranking(tested[list(run.models)]),
        "by_top1": _ranking(db),
        "held_out": ", ".join(right) or UNCROSSED,
        "crossed_db": _by_hearer(top1, "DB"),
        "crossed_tab": _by_hearer(top1, "TAB"),
        "crossed_minutes": ", ".join(f"{row['seconds'] / 60:.0f}" for row in crossed.get("networks", []))
        or "none here",
    }


def _under(top1: Shares, method: str, condition: str) -> str:
    return by_model(top1[method, condition]) if (method, condition) in top1 else "not to be had here"


def _ranking(values: pd.Series) -> str:
    """Models by falling share, `ast = beats_finetuned > beats_frozen`."""
    falling = values.sort_values(ascending=False, kind="stable")
    signs = ["", *(" = " if lower == higher else " > " for higher, lower in pairwise(falling))]
    return "".join(sign + name for sign, name in zip(signs, falling.index, strict=True))


def _by_icl(best: pd.DataFrame, shots: int) -> str:
    """ICL's top-1 by model, and how many units got no name or no answer."""
    texts = [
        f"{row.model} {row.top1:.0%} (none named for {row.none:.0f} of {row.units})"
        if row.units
        else f"{row.model}: no kept answer"
        for row in best[best["function"] == f"{shots}-shot"].itertuples()
    ]
    return ", ".join(texts)


def _gained(rows: pd.DataFrame) -> str:
    """A difference in top-1 by model, in points with its 95 % interval."""
    points = rows.set_index("model")[["top1", "top1_low", "top1_high"]].dropna() * 100
    return ", ".join(f"{name} {_range(*ends, '+.0f')}" for name, *ends in points.itertuples()) or "no value"


def _range(value: float, low: float, high: float, spec: str) -> str:
    return f"{value:{spec}} ({low:{spec}} … {high:{spec}})"


def _by_hearer(top1: Shares, method: str) -> str:
    """AST's top-1, by who hears each clip."""
    hearers = [(name, top1.get((method, name), {})) for name in ("all clips", "fold 1", "cross-fitted")]
    shown = [f"{name} {shares[cross_fitting.MODEL]:.0%}" for name, shares in hearers if cross_fitting.MODEL in shares]
    return ", ".join(shown) or "AST is not among this page's networks"
