"""The numbers in the sentences of the page on Section 4.1."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import pandas as pd

from andlib import paper
from andlib.pages import cross_fitting
from andlib.pages.section_4_1 import MEASURED
from andlib.pages.wording import by_model
from andlib.run import Run

# name in the sentences -> condition
CONDITIONS = {"top1": "all clips", "fold1": "fold 1", "untrained": "untrained network"}
CONDITIONS |= {"shuffled": "shuffled captions", "struck": "class words struck"}
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
    right = [f"{row['clips']} {_range(row, ('accuracy', 'low', 'high'), '.1%')}" for row in crossed.get("accuracy", [])]
    minutes = [f"{row['seconds'] / 60:.0f}" for row in crossed.get("networks", [])]
    spoken = {f"paper_{method.lower()}": printed[method] for method in ("DB", "TAB", "ICL")}
    spoken |= {f"soft_{column}": soft.loc["soft_wpmi", column] for column in MEASURED}
    spoken |= {name: _under(top1, "DB", condition) for name, condition in CONDITIONS.items()}
    spoken |= {f"tab_{name}": _under(top1, "TAB", CONDITIONS[name]) for name in ("top1", "fold1", "untrained")}
    spoken |= {f"icl_{name}": _by_icl(best, shots) for name, shots in (("one", 1), ("two", 2))}
    pairs = (group for group in sure.groupby("compared") if "−" in group[0])
    spoken |= {pair.lower().replace(" − ", "_"): _gained(rows) for pair, rows in pairs}
    spoken |= {f"crossed_{method.lower()}": _by_hearer(top1, method) for method in ("DB", "TAB")}
    spoken |= {"held_out": ", ".join(right) or UNCROSSED, "crossed_minutes": ", ".join(minutes) or "none here"}
    spoken |= {"concepts": len(run.concepts), "chance": 1 / len(run.concepts), "units": int(chosen["units"].iloc[0])}
    spoken |= {"icl": run.rests_on["ICL"], "tab": run.rests_on["TAB"], "title": run.profile.title}
    spoken |= {"order": f"does not hold for {', '.join(no_more)}" if no_more else "holds for every network"}
    spoken |= {"by_accuracy": _ranking(tested[list(run.models)]), "by_top1": _ranking(db)}
    spoken |= {"string": by_model(string), "beats_string": ", ".join(more) or "none"}
    return spoken | {"best": by_model(chosen["function"], "")}


def _under(top1: Shares, method: str, condition: str) -> str:
    return by_model(top1[method, condition]) if (method, condition) in top1 else "not to be had here"


def _ranking(values: pd.Series) -> str:
    """Models by falling share, `ast = beats_finetuned > beats_frozen`."""
    falling = values.sort_values(ascending=False, kind="stable")
    signs = ["", *(" = " if lower == higher else " > " for higher, lower in pairwise(falling))]
    return "".join(sign + name for sign, name in zip(signs, falling.index, strict=True))


def _by_icl(best: pd.DataFrame, shots: int) -> str:
    """ICL's top-1 by model, and how many units got no name or no answer."""
    answered = "{0.model} {0.top1:.0%} (none named for {0.none:.0f} of {0.units})"
    rows = best[best["function"] == f"{shots}-shot"].itertuples()
    return ", ".join((answered if row.units else "{0.model}: no kept answer").format(row) for row in rows)


def _gained(rows: pd.DataFrame) -> str:
    """A difference in top-1 by model, in points with its 95 % interval."""
    columns = ["top1", "top1_low", "top1_high"]
    points = (rows.set_index("model")[columns].dropna() * 100).iterrows()
    return ", ".join(f"{name} {_range(row, columns, '+.0f')}" for name, row in points) or "no value"


def _range(row: Mapping | pd.Series, columns: Sequence[str], spec: str) -> str:
    return "{} ({} … {})".format(*(f"{row[column]:{spec}}" for column in columns))


def _by_hearer(top1: Shares, method: str) -> str:
    """AST's top-1, by who hears each clip."""
    hearers = [(name, top1.get((method, name), {})) for name in ("all clips", "fold 1", "cross-fitted")]
    shown = [f"{name} {shares[cross_fitting.MODEL]:.0%}" for name, shares in hearers if cross_fitting.MODEL in shares]
    return ", ".join(shown) or "AST is not among this page's networks"
