"""Section 4.3, Table 4, Figure 10: unlearning a class by silencing the units that are labelled with it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from andlib import stages
from andlib.errors import InputError, suggest
from andlib.pages.controls import beside, controls_of
from andlib.run import Run
from andlib.statistics import holm
from andlib.unlearning import STRATEGIES, table4_sets, unlearning, unlearnt


def unlearning_table(run: Run, *, controls: bool = True) -> pd.DataFrame:
    """Table 4, one row a model and strategy, with what the paper's logits hide.

    Columns: units (mean a class), empty (classes without a unit, which count 0 in the averages as in the paper);
    dA, dR, gap = dR - dA of the class's own logit, each with _low and _high (95 % bootstrap over source recordings),
    p (10,000 permutations of sets among classes); the same over classes with a unit (dA_filled, gap_filled);
    margin_dA, margin_dR, margin_gap, margin_p on own logit less the largest other; accuracy of forgotten and of
    remaining classes, before and after.
    next is dR of one class alone for each that is silenced, the one after it by name.
    controls: adds the rows of `control_sets`, and for each strategy what it does beyond random sets with as many units
    in every layer: excess, excess_low and excess_high (95 % over draws) of next - dA, p_excess and draws.
    p_holm and p_excess_holm are adjusted over all strategies and models (Holm).
    """
    rows = []
    for model in run.models:
        effects = unlearning(run, model, table4_sets(run, model))
        ours = [{"model": model, "strategy": name, **unlearnt(effect)} for name, effect in effects.items()]
        rows += beside(ours, controls_of(run, model)) if controls else ours
    table = pd.DataFrame(rows)
    main = table["strategy"].isin(["random", *STRATEGIES])
    return table.assign(
        **{f"{name}_holm": holm(table[name].where(main)) for name in ("p", "p_excess") if name in table}
    )


def class_changes(run: Run, model: str, strategy: str, target_class: str) -> pd.DataFrame:
    """Figure 10: each class's mean own logit before and after `target_class`'s units are silenced, one row a class."""
    classes = run.probing_set.classes
    if target_class not in classes:
        raise InputError(f"Parameter target_class {target_class!r} is no class here. {suggest(target_class, classes)}")
    effects = unlearning(run, model, {strategy: table4_sets(run, model)[strategy]})[strategy]
    row = classes.index(target_class)
    clip = np.arange(len(effects.labels))
    before = effects.by_class(effects.before[clip, effects.labels][None])[0]
    change = effects.by_class(effects.own)[row]
    frame = pd.DataFrame({"class": classes, "before": before, "after": before + change, "change": change})
    return frame.assign(units=int(effects.sizes[row]))


def described_layers(run: Run) -> pd.DataFrame:
    """What the summaries of each layer hold: one row a model and layer.

    Columns: units, dead; points (mean of S_h before calibration), qualities or events (share of them that name no
    source), removed (share that calibration dropped);
    with adjective, with noun (share of units whose open concepts hold one).
    """
    rows = []
    for model in run.models:
        for layer, table in stages.neurons(run, model).groupby("layer", sort=False):
            before, after = table["high"].map(len).sum(), table["calibrated"].map(len).sum()
            rows.append(
                {
                    "model": model,
                    "layer": layer,
                    "units": len(table),
                    "dead": int(table["dead"].sum()),
                    "points": before / len(table),
                    "qualities or events": _count(table["kinds"], ("quality", "event")) / before,
                    "removed": 1 - after / before,
                    "with adjective": float(table["adjectives"].map(len).gt(0).mean()),
                    "with noun": float(table["nouns"].map(len).gt(0).mean()),
                }
            )
    return pd.DataFrame(rows)


def _count(rows: pd.Series, wanted: Sequence[str]) -> int:
    return sum(kind in wanted for row in rows for kind in row)
