"""Module B: calibration of S_h, the summary of a neuron's highest clips, against S_l, that of its lowest.

What is compared of two points is `stages.calibrate`'s to say."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

THRESHOLD = 0.7  # t, Section A.4
RELEASED_THRESHOLD = 0.5  # released code: summary_calibration.py:22, in effect whatever the command line says


def calibrate(
    high: Sequence[str], cosine: Float[np.ndarray, "high low"], threshold: float = THRESHOLD
) -> tuple[str, ...]:
    """S_h^c: the points of S_h whose cosine with no point of S_l exceeds the threshold, in order (Section 3.4).

    cosine: of the vectors of points of S_h (rows) and of S_l (columns), in [-1, 1]. Their order does not matter."""
    return tuple(point for point, row in zip(high, cosine, strict=True) if row.max(initial=-1) <= threshold)


def calibrate_as_released(
    high: Sequence[str], cosine: Float[np.ndarray, "high low"], threshold: float = RELEASED_THRESHOLD
) -> tuple[str, ...]:
    """What the released loop keeps of S_h (fault `calibration_loop`): it edits both lists while it walks them.

    # released code: sentence_utils.py:168-211. After a removal the walk skips a point, and the points behind it are
    compared by the vectors of others; each removal also takes the matching point out of S_l."""
    left_high, left_low, row = list(high), cosine.shape[1], 0
    while row < len(left_high):
        # the vectors stay where they were: `row` and the columns index the untouched matrix
        if (cosine[row, :left_low] > threshold).any():
            del left_high[row]
            left_low -= 1
        row += 1
    return tuple(left_high)
