"""The five similarity functions of module A: how well each concept explains each unit's activations.

Section 4.1 and Table 7; the functions come from CLIP-Dissect (Oikarinen & Weng 2023) and label-free concept
bottleneck models (Oikarinen et al. 2023). Each takes
    activations: u of every unit, float32 [clips, units];
    concepts: P, similarity of every clip and every concept, float32 [clips, concepts];
and returns scores, float32 [units, concepts]; larger is better.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int
from scipy.special import logsumexp, softmax
from scipy.stats import rankdata

from andlib.activations import highest

Activations = Float[np.ndarray, "clips units"]
Concepts = Float[np.ndarray, "clips concepts"]
Scores = Float[np.ndarray, "units concepts"]

PROBING_CLIPS = 2000  # the paper's N, for which its counts of clips are meant
CHUNK = 4096  # units handled at once, which bounds memory


def scaled(count: int, clips: int) -> int:
    """A count of clips meant for N = 2000, in proportion for a probing set of fewer than 1000 clips; at least 1."""
    return count if clips >= PROBING_CLIPS // 2 else max(1, round(count * clips / PROBING_CLIPS))


def cos(activations: Activations, concepts: Concepts) -> Scores:
    """Cosine over clips of activations and concept similarities, neither centred."""
    return _unit_length(activations).T @ _unit_length(concepts)


def cos_cubed(activations: Activations, concepts: Concepts) -> Scores:
    """Cosine over clips of the cubes of both, centred over clips; norms are at least 1e-3."""

    def cubed(x):
        cubes = _cubes(x - x.mean(0))
        return cubes / np.maximum(np.linalg.norm(cubes, axis=0), 1e-3)

    cubed_concepts = cubed(concepts)
    return np.concatenate([cubed(u).T @ cubed_concepts for u in _chunks(activations)])


def wpmi(activations: Activations, concepts: Concepts, *, k: int = 28, a: float = 2.0, lam: float = 0.6) -> Scores:
    """Weighted pointwise mutual information of each concept and the unit's k highest clips.

    The sum over those clips of log Q, Q = softmax over concepts of a P, less `lam` times its log-mean over units.
    """
    log_q = np.log(softmax(a * concepts, axis=1) + 1e-7)
    sums = [sum(log_q[top[rank]] for rank in range(len(top))) for top in _highest(activations, k)]
    return _less_common(np.concatenate(sums), lam)


def soft_wpmi(
    activations: Activations, concepts: Concepts, *, k: int = 100, a: float = 10.0, lam: float = 1.0
) -> Scores:
    """`wpmi` in which the clip of rank r counts with probability p_r = 0.998 - 0.028 r / k."""
    q_less_1 = softmax(a * concepts, axis=1) - 1
    weights = 0.998 - 0.028 * np.arange(min(k, len(concepts)), dtype=np.float32) / min(k, len(concepts))
    parts = []
    for top in _highest(activations, k):
        score = np.zeros((top.shape[1], concepts.shape[1]), np.float32)
        for rank, weight in enumerate(weights):
            score += np.log(1 + weight * q_less_1 + 1e-7)[top[rank]]
        parts.append(score)
    return _less_common(np.concatenate(parts), lam)


def rank_reorder(
    activations: Activations,
    concepts: Concepts,
    *,
    top: float = 0.05,
    scale: float = 0.5,
    single_argsort: bool = False,
) -> Scores:
    """How little a unit's highest activations change when its clips are put in the concept's order.

    Among the `top` share of clips, each clip's activation is compared with the one that its rank under the concept
    would give it: mean |difference|^3, divided by its expectation over random orders (closed form, so nothing here
    is random) and by max(mean P, 0)^scale over those clips; negated.
    single_argsort: # released code: similarity.py:116 takes one argsort for a rank (fault `rank_single_argsort`).
    """
    count = max(1, int(top * len(activations)))
    # ranks over all clips order the chosen ones as well, and small integers sort in linear time
    ranks = rankdata(concepts, method="dense", axis=0).astype(np.int16 if len(concepts) < 2**15 else np.int32)
    parts = []
    for first in range(0, activations.shape[1], 256):
        u = activations[:, first : first + 256]
        chosen = highest(u, count).T  # [units, count], descending activation
        own = np.take_along_axis(u.T, chosen, 1)
        ordered = own[:, ::-1]
        order = np.argsort(ranks.T[:, chosen], axis=2, kind="stable").transpose(1, 0, 2)  # [units, concepts, count]
        row = np.arange(len(own))[:, None, None]
        # the clip at order[j] has rank j, so that one argsort is enough for the ranks as well
        moved = own[:, None] - ordered[row, order] if single_argsort else own[row, order] - ordered[:, None]
        error = _cubes(np.abs(moved)).mean(2) / np.maximum(_random_order_error(ordered), 1e-12)[:, None]
        mean_p = np.stack([concepts[clips].mean(0) for clips in chosen])
        parts.append(-error / np.maximum(mean_p, np.finfo(np.float32).tiny) ** scale)
    return np.concatenate(parts).astype(np.float32)


FUNCTIONS = {
    "cos": cos,
    "cos_cubed": cos_cubed,
    "rank_reorder": rank_reorder,
    "wpmi": wpmi,
    "soft_wpmi": soft_wpmi,
}


def _unit_length(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=0), np.finfo(np.float32).tiny)


def _cubes(x: np.ndarray) -> np.ndarray:
    return x * x * x  # several times faster than x**3


def _chunks(activations: np.ndarray) -> Iterator[np.ndarray]:
    for first in range(0, activations.shape[1], CHUNK):
        yield activations[:, first : first + CHUNK]


def _highest(activations: Activations, k: int) -> Iterator[Int[np.ndarray, "k units"]]:
    for u in _chunks(activations):
        yield highest(u, k)


def _less_common(sums: Scores, lam: float) -> Scores:
    """Scores less `lam` times the logarithm of the mean over units of their exponentials."""
    return (sums - lam * (logsumexp(sums, axis=0) - np.log(len(sums)))).astype(np.float32)


def _random_order_error(ordered: Float[np.ndarray, "units count"]) -> Float[np.ndarray, "units"]:
    """Mean of |u_i - u_j|^3 over all pairs i, j: the expected error of a random order.

    `ordered` ascends, so the sum over i < j of (u_j - u_i)^3 is four sums of powers.
    """
    x = ordered.astype(np.float64) - ordered.mean(1, keepdims=True)  # centred, so that powers do not cancel
    before = np.cumsum(np.stack([np.ones_like(x), x, x**2, x**3]), -1)
    cubes = x**3 * before[0] - 3 * x**2 * before[1] + 3 * x * before[2] - before[3]
    return 2 * cubes.sum(-1) / x.shape[1] ** 2
