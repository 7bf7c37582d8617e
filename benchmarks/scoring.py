"""Scores of many units at once against scikit-learn's functions called unit by unit."""

import time
from collections.abc import Callable, Iterator

import numpy as np

from andlib.pages import measures
from benchmarks.measuring import Row

UNITS, CLIPS, SLOW_UNITS = 2332, 224, 20  # of AST and fold 1 in the profile mini; scikit-learn's share of them


def rows() -> Iterator[Row]:
    """CPU seconds of ours and of the reference over all units; the latter runs on SLOW_UNITS of them, scaled up."""
    rng = np.random.default_rng(0)
    u = rng.standard_normal((UNITS, CLIPS))
    match = np.round(0.4 * u + rng.standard_normal(u.shape), 2)
    active = measures.most(u, np.full(UNITS, CLIPS // 10))
    found, ours = _timed(lambda: measures.agreement(u, match, active))
    part = slice(SLOW_UNITS)
    slow, theirs = _timed(lambda: one_by_one(u[part], match[part], active[part]))
    apart = max(np.abs(found[name][part] - values).max() for name, values in slow.items())
    what, scaled = f"{len(slow)} measures of {UNITS} units x {CLIPS} clips", theirs * UNITS / SLOW_UNITS
    note = f"CPU seconds; largest difference {apart:.0e}"
    yield Row(what, ours, scaled, "scikit-learn's functions, unit by unit", asked=20, note=note)


def one_by_one(u: np.ndarray, match: np.ndarray, active: np.ndarray) -> dict[str, np.ndarray]:
    """`measures.agreement` on full sets of clips, by scikit-learn and numpy, a unit at a time."""
    from sklearn import metrics

    found = []
    for x, y, fired in zip(u, match, active, strict=True):
        yes = y >= np.sort(y)[-fired.sum()]
        false_alarms, recalls, _ = metrics.roc_curve(fired, y, drop_intermediate=False)
        half = np.abs(recalls + false_alarms - 1).argmin()
        found.append(
            {
                "pearson": np.corrcoef(x, y)[0, 1],
                "auprc": metrics.average_precision_score(fired, y),
                "auroc": metrics.roc_auc_score(fired, y),
                "f1": metrics.f1_score(fired, yes),
                "iou": metrics.jaccard_score(fired, yes),
                "balanced_accuracy": (recalls[half] + 1 - false_alarms[half]) / 2,
            }
        )
    return {name: np.array([row[name] for row in found]) for name in found[0]}


def _timed(function: Callable) -> tuple[object, float]:
    """What a second call gives, and its CPU seconds."""
    function()
    start = time.process_time()
    value = function()
    return value, time.process_time() - start
