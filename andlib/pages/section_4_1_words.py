"""The numbers in the sentences of the page on Section 4.1."""

from collections.abc import Mapping
from itertools import pairwise

import pandas as pd

from andlib import paper
from andlib.pages import cross_fitting
from andlib.pages.section_4_1 import MEASURED, best_function
from andlib.pages.wording import by_model
from andlib.run import Run

PAIRS = {"db_tab": "DB − TAB", "db_icl": "DB − ICL", "tab_icl": "TAB − ICL"}


def words(run: Run, results: pd.DataFrame, sure: pd.DataFrame, accuracy: pd.DataFrame) -> dict[str, object]:
    """The numbers of the page's sentences. sure: `intervals`. accuracy: `target_accuracy`."""
    db, tab = (top1_by_best_function(results, method) for method in ("DB", "TAB"))
    string = results[results["method"] == "string match"].set_index("model")["top1"]
    tested = accuracy[accuracy["clips"] == "fold 1"].set_index("model")["accuracy"]
    fewer = [name for name in run.models if db["all clips"][name] <= tab["all clips"][name]]
    more = [name for name in run.models if db["all clips"][name] > string[name]]
    printed, soft = paper.table2("ast").set_index("method")["top1"], paper.table7("ast").set_index("function")
    best = {name: best_function(ours) for name, ours in results.groupby("model", sort=False)}
    return {
        **{f"paper_{method.lower()}": printed[method] for method in ("DB", "TAB", "ICL")},
        **{f"soft_{column}": soft.loc["soft_wpmi", column] for column in MEASURED},
        "concepts": len(run.concepts),
        "chance": 1 / len(run.concepts),
        "icl": run.rests_on["ICL"],
        "tab": run.rests_on["TAB"],
        "title": run.profile.title,
        "units": int(results.loc[results["method"] == "DB", "units"].iloc[0]),
        "best": by_model(best, ""),
        "top1": _under(db, "all clips"),
        "fold1": _under(db, "fold 1"),
        "shuffled": _under(db, "shuffled captions"),
        "untrained": _under(db, "untrained network"),
        "struck": _under(db, "class words struck"),
        "tab_top1": _under(tab, "all clips"),
        "tab_fold1": _under(tab, "fold 1"),
        "tab_untrained": _under(tab, "untrained network"),
        "string": by_model(string),
        "beats_string": ", ".join(more) or "none",
        "order": f"does not hold for {', '.join(fewer)}" if fewer else "holds for every network",
        "by_accuracy": _ranking(tested[list(run.models)]),
        "by_top1": _ranking(db["all clips"][list(run.models)]),
        **{f"icl_{name}": _icl_in_words(results, shots) for name, shots in (("one", 1), ("two", 2))},
        **{name: _gained(sure, pair) for name, pair in PAIRS.items()},
        **_crossed(run, db, tab),
    }


def top1_by_best_function(results: pd.DataFrame, method: str) -> dict[str, pd.Series]:
    """Condition -> top-1 by model, of the function that is best on all clips."""
    ours = results[results["method"] == method]
    best = {model: best_function(rows, method) for model, rows in ours.groupby("model", sort=False)}
    ours = ours[ours["function"] == ours["model"].map(best)]
    return {name: rows.set_index("model")["top1"] for name, rows in ours.groupby("condition", sort=False)}


def _under(top1: Mapping[str, pd.Series], condition: str) -> str:
    return by_model(top1[condition]) if condition in top1 else "not to be had here"


def _ranking(values: pd.Series) -> str:
    """Models by falling share, `ast = beats_finetuned > beats_frozen`."""
    falling = values.sort_values(ascending=False, kind="stable")
    signs = ["", *(" = " if next_one == one else " > " for one, next_one in pairwise(falling))]
    return "".join(sign + name for sign, name in zip(signs, falling.index, strict=True))


def _icl_in_words(results: pd.DataFrame, shots: int) -> str:
    """ICL's top-1 by model, and how many units got no name or no answer."""
    rows = results[(results["method"] == "ICL") & (results["function"] == f"{shots}-shot")]
    return ", ".join(
        f"{row.model} {row.top1:.0%} (none named for {row.none:.0f} of {row.units})"
        if row.units
        else f"{row.model}: no kept answer"
        for row in rows.itertuples()
    )


def _gained(sure: pd.DataFrame, pair: str) -> str:
    """A difference in top-1 by model, in points with its 95 % interval."""
    rows = sure[sure["compared"] == pair].set_index("model")[["top1", "top1_low", "top1_high"]].dropna() * 100
    texts = [f"{name} {value:+.0f} ({low:+.0f} … {high:+.0f})" for name, value, low, high in rows.itertuples()]
    return ", ".join(texts) or "no value"


def _crossed(run: Run, db: Mapping[str, pd.Series], tab: Mapping[str, pd.Series]) -> dict[str, str]:
    """The numbers of cross-fitting. db, tab: `top1_by_best_function`."""
    crossed = cross_fitting.committed(run)
    accuracies = [
        f"{r['clips']} {r['accuracy']:.1%} ({r['low']:.1%} … {r['high']:.1%})" for r in crossed.get("accuracy", ())
    ]
    missing = "no networks were cross-fitted for this profile, so the reading is missing from the table"
    minutes = [f"{network['seconds'] / 60:.0f}" for network in crossed.get("networks", ())]
    return {
        "held_out": ", ".join(accuracies) or missing,
        "crossed_db": _by_hearer(db),
        "crossed_tab": _by_hearer(tab),
        "crossed_minutes": ", ".join(minutes) or "none here",
    }


def _by_hearer(top1: Mapping[str, pd.Series]) -> str:
    """AST's top-1, by who hears each clip."""
    conditions = [name for name in ("all clips", "fold 1", "cross-fitted") if cross_fitting.MODEL in top1.get(name, ())]
    shown = [f"{name} {top1[name][cross_fitting.MODEL]:.0%}" for name in conditions]
    return ", ".join(shown) or "AST is not among this page's networks"
