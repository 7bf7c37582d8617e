"""Intervals, tests and verdicts that several sections share."""

from collections.abc import Iterable, Sequence

import numpy as np
import scipy  # its parts are loaded when they are first needed
from jaxtyping import Float, Int

from andlib.records import ProbingSet

SUPPORTED, CONTRADICTED, INCONCLUSIVE = "supported", "contradicted", "inconclusive"
CEILING, UNTESTABLE = "at a ceiling", "not testable here"
VERDICTS = (CONTRADICTED, INCONCLUSIVE, UNTESTABLE, CEILING, SUPPORTED)  # of a claim's parts, the first decides
FLAT = 0.1  # a rank correlation over depth that certainly lies so near 0 is no trend


def holm(p: Sequence[float]) -> np.ndarray:
    """Each p value, adjusted for there being several: rejecting those below a level errs at all with at most that
    probability (Holm 1979). A nan is no test: it stays nan, and the others are adjusted without it."""
    p = np.asarray(p, float)
    adjusted = np.full(p.shape, np.nan)
    order = np.argsort(p, kind="stable")[: (~np.isnan(p)).sum()]  # nan sorts last
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return adjusted


def rank_correlation(counts: Float[np.ndarray, "... groups"], sizes: Int[np.ndarray, "groups"]) -> np.ndarray:
    """Spearman's rho of a member's group, in order, and whether it is counted; 0 where all are or none is.

    counts: how many of each group are counted, in as many cases as there are leading axes. sizes: of the groups."""
    rank, total = np.cumsum(sizes) - sizes / 2, sizes.sum()
    centred, share = rank - rank @ sizes / total, counts.sum(-1) / total
    scale = np.sqrt(sizes @ centred**2 / total * share * (1 - share))
    return np.divide(counts @ centred / total, scale, out=np.zeros(np.shape(scale)), where=scale > 0)


def bootstrap_weights(
    labels: Int[np.ndarray, "clips"], sources: np.ndarray, draws: int, rng: np.random.Generator
) -> Float[np.ndarray, "draws clips"]:
    """How often each clip counts when source recordings are drawn anew, with replacement, within each class.

    NaN where no class has two sources: every draw would be the same, and no interval is better than one of no width."""
    weights, several = np.zeros((draws, len(labels))), False
    for label in np.unique(labels):
        clips = np.flatnonzero(labels == label)
        _, group = np.unique(sources[clips], return_inverse=True)
        count = group.max() + 1
        several |= count > 1
        drawn = rng.multinomial(count, np.full(count, 1 / count), size=draws)
        weights[:, clips] = drawn[:, group]
    return weights if several else np.full_like(weights, np.nan)


def widening(labels: Int[np.ndarray, "clips"], sources: np.ndarray) -> float:
    """By how much a mean over classes varies more than `bootstrap_weights` lets it, which keeps classes with one source
    recording as they are: a class of n recordings has 1 / n of the variance of one. NaN where all have one."""
    variance = [1 / len(set(sources[labels == label])) for label in set(labels)]
    drawn = sum(share for share in variance if share < 1)
    return float(np.sqrt(sum(variance) / drawn)) if drawn else np.nan


def accuracy(right: Sequence[float], clips: ProbingSet, inside: np.ndarray) -> dict[str, float]:
    """Share of clips that are right, with its 95 % interval over source recordings: accuracy, low, high, n; NaN where
    there is no clip, and no interval (NaN) where no class has two sources.

    right: 0 or 1, of each clip. inside: which of the clips count, bool [clips]."""
    if not inside.any():
        return {"accuracy": np.nan, "low": np.nan, "high": np.nan, "n": 0}
    counted = np.asarray(right, float)[inside]
    weights = bootstrap_weights(clips.labels[inside], clips.sources[inside], 1000, np.random.default_rng(0))
    low, high = interval(weights @ counted / weights.sum(1))
    return {"accuracy": float(counted.mean()), "low": low, "high": high, "n": int(inside.sum())}


def interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Central interval of bootstrap values; NaN where there is none, or one of them is undefined (NaN)."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2]) if len(values) else (np.nan, np.nan)
    return float(low), float(high)


def permutation_p(matrix: Float[np.ndarray, "ablated classes"], draws: int, rng: np.random.Generator) -> float:
    """p of dR - dA if sets and classes had nothing to do with each other.

    Which set belongs to which class is permuted. One-sided (a larger gap is the claim), with the observed assignment
    counted, so that p is at least 1 / (draws + 1). NaN where a class has no clip, or there is but one class."""
    classes = len(matrix)
    if classes < 2 or np.isnan(matrix).any():
        return np.nan
    order = rng.permuted(np.tile(np.arange(classes), (draws, 1)), axis=1)
    # dR + dA / (classes - 1) is the same for all: the gap falls with dA
    own = matrix[order, np.arange(classes)].mean(1)
    return float((1 + (own <= matrix.diagonal().mean() + 1e-12).sum()) / (draws + 1))


def two_sided_p(drawn: np.ndarray) -> float:
    """p of no difference, two-sided, of bootstrap values of one; NaN where one of them is undefined (NaN)."""
    tail = (1 + min((drawn <= 0).sum(), (drawn >= 0).sum())) / (len(drawn) + 1)
    return float(np.nan if np.isnan(drawn).any() else min(1, 2 * tail))


def verdict(low: float, high: float, margin: float = 0.0) -> str:
    """What an interval says of the claim that a difference exceeds a margin: one of VERDICTS.

    Supported if all of it lies above, contradicted if none of it does, else inconclusive; NaN is not testable here."""
    if np.isnan(low + high):
        return UNTESTABLE
    return SUPPORTED if low > margin else CONTRADICTED if high <= margin else INCONCLUSIVE


def together(verdicts: Iterable[str]) -> str:
    """The verdict on a claim of several parts: that of the part which decides it, by the order of VERDICTS."""
    return min(verdicts, key=VERDICTS.index, default=UNTESTABLE)


def trend(low: float, high: float) -> str:
    """What the interval of a rank correlation over depth says: "flat" where it lies within FLAT of 0, else "falls" or
    "rises" where it leaves out 0, else "unclear"; "" where there is none (NaN)."""
    if np.isnan(low + high):
        return ""
    return "flat" if -FLAT <= low <= high <= FLAT else "falls" if high < 0 else "rises" if low > 0 else "unclear"


def as_trend(wanted: str, low: float, high: float) -> str:
    """The verdict on the claim that a trend with this interval is the wanted one: "falls", "rises" or "flat". A trend
    that may be either near 0 or further away is not known to be flat, nor not to be."""
    seen = trend(low, high)
    if seen in ("", wanted):
        return SUPPORTED if seen else UNTESTABLE
    flat = low <= FLAT and high >= -FLAT
    possible = {"flat": flat, "falls": low < 0 and seen != "flat", "rises": high > 0 and seen != "flat"}
    return INCONCLUSIVE if possible[wanted] else CONTRADICTED


def spearmanr(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Spearman's rho along the last axis; 0 where one side is constant."""
    a, b = (scipy.stats.rankdata(side, axis=-1) for side in (one, other))
    a, b = (side - side.mean(-1, keepdims=True) for side in (a, b))
    scale = np.sqrt((a**2).sum(-1) * (b**2).sum(-1))
    return (a * b).sum(-1) / np.maximum(scale, 1e-12)
