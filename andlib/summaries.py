"""Module B: calibration of S_h, the summary of a neuron's highest clips, against S_l, that of its lowest.

What is compared of two points is `stages.calibrate`'s to say."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

THRESHOLD = 0.7  # t, Section A.4
RELEASED_THRESHOLD = 0.5  # released code: summary_calibration.py:22, in effect whatever the command line says


@dataclass(frozen=True)
class Removal:
    """A point of S_h that calibration dropped, and the point of S_l that it was too like."""

    point: str
    like: str
    cosine: float


@dataclass(frozen=True)
class Calibrated:
    """The calibrated summary S_h^c: the points of S_h that were kept, in order, and those removed with their reason."""

    kept: tuple[str, ...]
    removed: tuple[Removal, ...]


def calibrate(
    high: Sequence[str], low: Sequence[str], cosine: Float[np.ndarray, "high low"], threshold: float = THRESHOLD
) -> Calibrated:
    """S_h^c: drops every point of S_h whose cosine with any point of S_l exceeds the threshold (Section 3.4).

    cosine: of the sentence vectors of each point of S_h (rows) and of S_l (columns), in [-1, 1].
    S_l loses nothing, and the order of points does not matter."""
    kept, removed = [], []
    for point, row in zip(high, np.asarray(cosine).reshape(len(high), len(low)), strict=True):
        if len(low) and row.max() > threshold:
            removed.append(Removal(point, low[int(row.argmax())], float(row.max())))
        else:
            kept.append(point)
    return Calibrated(tuple(kept), tuple(removed))


def calibrate_as_released(
    high: Sequence[str],
    low: Sequence[str],
    cosine: Float[np.ndarray, "high low"],
    threshold: float = RELEASED_THRESHOLD,
) -> Calibrated:
    """What the released loop keeps of S_h (fault `calibration_loop`): it edits both lists while it walks them.

    # released code: sentence_utils.py:168-211. After a removal the walk skips a point, and the points behind it are
    compared by the vectors of others; each removal also takes the matching point out of S_l."""
    left_high, left_low, removed = list(range(len(high))), list(range(len(low))), []
    row = 0
    while row < len(left_high):
        match = next((j for j in range(len(left_low)) if cosine[row, j] > threshold), None)
        if match is not None:  # the vectors stay where they were: `row` and `match` index the untouched matrix
            removed.append(Removal(high[left_high[row]], low[left_low[match]], float(cosine[row, match])))
            del left_high[row], left_low[match]
        row += 1
    return Calibrated(tuple(high[i] for i in left_high), tuple(removed))
