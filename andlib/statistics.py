"""Small tests that several sections share."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int


def holm(p: Sequence[float]) -> np.ndarray:
    """Each p value, adjusted for there being several: rejecting those below a level errs at all with at most that
    probability (Holm 1979). A nan is no test: it stays nan, and the others are adjusted without it.
    """
    p = np.asarray(p, float)
    adjusted = np.full(p.shape, np.nan)
    order = np.argsort(p, kind="stable")[: (~np.isnan(p)).sum()]  # nan sorts last
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return adjusted


def rank_correlation(counts: Float[np.ndarray, "... groups"], sizes: Int[np.ndarray, "groups"]) -> np.ndarray:
    """Spearman's rho of a member's group, in order, and whether it is counted; 0 where all are or none is.

    counts: how many of each group are counted, in as many cases as there are leading axes. sizes: of the groups.
    """
    rank, total = np.cumsum(sizes) - sizes / 2, sizes.sum()
    centred, share = rank - rank @ sizes / total, counts.sum(-1) / total
    scale = np.sqrt(sizes @ centred**2 / total * share * (1 - share))
    return np.divide(counts @ centred / total, scale, out=np.zeros(np.shape(scale)), where=scale > 0)
