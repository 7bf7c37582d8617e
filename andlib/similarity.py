"""The five similarity functions of module A: how well each concept explains each unit's activations.

Section 4.1 and Table 7; the functions come from CLIP-Dissect (Oikarinen & Weng 2023) and label-free concept
bottleneck models (Oikarinen et al. 2023). Each takes
    activations: u of every unit, float32 [clips, units];
    concepts: P, similarity of every clip and every concept, float32 [clips, concepts];
and returns scores [units, concepts]; larger is better. wpmi and soft_wpmi, small differences of large sums, come from
float64, so that no rank of theirs hangs on rounding; the others from float32, as u and P are."""

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy  # its parts are loaded when they are first needed
from jaxtyping import Float, Int

from andlib.activations import highest

Activations = Float[np.ndarray, "clips units"]
Concepts = Float[np.ndarray, "clips concepts"]
Scores = Float[np.ndarray, "units concepts"]

PROBING_CLIPS = 2000  # the paper's N, for which its counts of clips are meant
CHUNK = 4096  # units handled at once, which bounds memory
TILE, SORTED_TILE, WIDE = (1024, 64), (64, 16), 384  # units and concepts whose numbers stay in a core's cache
FACTORS = 100  # those of soft_wpmi are above 0.002, so that the product of so many is not too small for float64


def scaled(count: int, clips: int) -> int:
    """A count of clips meant for N = 2000, in proportion for a probing set of fewer than 1000 clips; at least 1."""
    return count if clips >= PROBING_CLIPS // 2 else max(1, round(count * clips / PROBING_CLIPS))


def cos(activations: Activations, concepts: Concepts) -> Scores:
    """Cosine over clips of activations and concept similarities, neither centred."""
    return _unit_length(activations).T @ _unit_length(concepts)


def cos_cubed(activations: Activations, concepts: Concepts) -> Scores:
    """Cosine over clips of the cubes of both, centred over clips; norms are at least 1e-3."""

    def cubed(x):
        x = x - x.mean(0)
        return _unit_length(x * x * x, 1e-3)  # several times faster than x**3

    cubed_concepts = cubed(concepts)
    return np.concatenate([cubed(u).T @ cubed_concepts for u in _chunks(activations)])


def wpmi(activations: Activations, concepts: Concepts, *, k: int = 28, a: float = 2.0, lam: float = 0.6) -> Scores:
    """Weighted pointwise mutual information of each concept and the unit's k highest clips.

    The sum over those clips of log Q, Q = softmax over concepts of a P, less `lam` times its log-sum over units. (The
    log-mean of the papers is the same but for `lam` log units, beside which small scores would be lost to rounding.)"""
    q, is_high = _softmax(concepts, a), _membership(highest(activations, k), len(concepts))

    def tile(_: slice, some: slice, scores: np.ndarray) -> None:
        log_q = q(some)
        log_q += 1e-7
        scores[:] = _less_common(is_high @ np.log(log_q, out=log_q), lam)

    units = activations.shape[1]
    return _tiled(tile, (units, concepts.shape[1]), (units, WIDE))


def soft_wpmi(
    activations: Activations, concepts: Concepts, *, k: int = 100, a: float = 10.0, lam: float = 1.0
) -> Scores:
    """`wpmi` in which the clip of rank r counts with probability p_r = 0.998 - 0.028 r / k."""
    q, top = _softmax(concepts, a), highest(activations, k)
    weights = 0.998 - 0.028 * np.arange(len(top)) / len(top)
    # log(1 + p (Q - 1) + 1e-7) = log p + log(Q + (1 - p + 1e-7) / p), and one logarithm does for many clips
    offsets = (1 - weights + 1e-7) / weights

    def tile(units: slice, some: slice, scores: np.ndarray) -> None:
        part, total = q(some), np.log(weights).sum()
        for first in range(0, len(top), FACTORS):
            product = 1.0
            for clips, offset in zip(top[first:, units][:FACTORS], offsets[first:], strict=False):
                factors = part.take(clips, axis=0)
                factors += offset
                product = np.multiply(product, factors, out=factors)
            total = total + np.log(product, out=product)
        scores[:] = total

    return _less_common(_tiled(tile, (top.shape[1], concepts.shape[1]), TILE), lam)


def rank_reorder(
    activations: Activations, concepts: Concepts, *, top: float = 0.05, scale: float = 0.5, single_argsort: bool = False
) -> Scores:
    """How little a unit's highest activations change when its clips are put in the concept's order.

    Among the `top` share of clips, each clip's activation is compared with the one that its rank under the concept
    would give it: mean |difference|^3, divided by its expectation over random orders (closed form, so nothing here
    is random) and by max(mean P, 0)^scale over those clips; negated.
    single_argsort: # released code: similarity.py:116 takes one argsort for a rank (fault `rank_single_argsort`)."""
    count = max(1, int(top * len(activations)))
    chosen = highest(activations, count)
    own = np.take_along_axis(activations, chosen, 0).T  # [units, count], descending activation
    # both from 0 upwards, so that their bits ascend as they do and with the places of the clips
    x = np.ascontiguousarray(own[:, ::-1] - own[:, -1:] if single_argsort else own[:, :1] - own, np.float32)
    moved_to, places = np.ascontiguousarray(x[:, ::-1]), np.ascontiguousarray(chosen.T)
    order = _ascending_integers(np.ascontiguousarray(concepts.T)) << 32

    def tile(units: slice, some: slice, errors: np.ndarray) -> None:
        """Sums of |difference|^3. P in the upper half of an integer and x in the lower: x in the concept's order."""
        keys = order[some].take(places[units], axis=1)  # [concepts, units, count]
        keys |= x[units].view(np.int32)
        keys.sort(axis=2)
        apart = keys.astype(np.uint32).view(np.float32) - moved_to[units]
        errors[:] = np.einsum("cuj,cuj->uc", np.abs(apart), apart * apart)

    error = _tiled(tile, (len(x), len(order)), SORTED_TILE) / count
    random = np.concatenate([_random_order_error(part.T) for part in _chunks(x.T)])
    error /= np.maximum(random, 1e-12)[:, None]
    mean_p = _membership(chosen, len(concepts)) @ concepts / count
    return -error / np.maximum(mean_p, np.finfo(np.float32).tiny) ** scale


FUNCTIONS = {"cos": cos, "cos_cubed": cos_cubed, "rank_reorder": rank_reorder, "wpmi": wpmi, "soft_wpmi": soft_wpmi}


def _unit_length(x: np.ndarray, least: float = np.finfo(np.float32).tiny) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=0), least)


def _chunks(activations: np.ndarray) -> list[np.ndarray]:
    return np.split(activations, range(CHUNK, activations.shape[1], CHUNK), axis=1)


def _tiled(tile: Callable[..., None], shape: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Float64 numbers of all rows and columns, found tile by tile: as many at once as OMP_NUM_THREADS or the cores.

    tile: writes the numbers of some rows and columns into its third argument."""
    full = np.empty(shape)

    def fill(*corner: int) -> None:
        here = tuple(slice(first, first + length) for first, length in zip(corner, size, strict=True))
        tile(*here, full[here])

    threads = os.environ.get("OMP_NUM_THREADS", "")
    with ThreadPoolExecutor(max(1, int(threads)) if threads.isdecimal() else os.cpu_count()) as pool:
        corners = itertools.product(*map(range, (0, 0), shape, size))
        list(pool.map(fill, *zip(*corners, strict=True)))
    return full


def _softmax(concepts: Concepts, a: float) -> Callable[[slice], Concepts]:
    """Q, softmax over concepts of a P, as a function of the concepts wanted: Q of all would leave a core's cache."""

    def tile(clips: slice, _: slice, log_sum: np.ndarray) -> None:
        x = a * concepts[clips].astype(np.float64)
        most = x.max(1, keepdims=True)
        x -= most
        log_sum[:] = most + np.log(np.exp(x, out=x).sum(1, keepdims=True))

    clips, count = concepts.shape
    log_sum = _tiled(tile, (clips, 1), (max(1, TILE[0] * TILE[1] // count), 1))

    def q(some: slice) -> Concepts:
        x = a * concepts[:, some].astype(np.float64)
        x -= log_sum
        return np.exp(x, out=x)

    return q


def _membership(top: Int[np.ndarray, "k units"], clips: int) -> "scipy.sparse.csr_array":
    """Which clips are among each unit's: ones in a sparse matrix [units, clips], whose products are sums over them."""
    k, units = top.shape
    return scipy.sparse.csr_array((np.ones(top.size), top.T.ravel(), np.arange(0, top.size + 1, k)), (units, clips))


def _ascending_integers(x: np.ndarray) -> np.ndarray:
    """int64 numbers of at most 32 bits in the order of float32 ones, equal where those are."""
    bits = np.add(x, 0, dtype=np.float32).view(np.int32)  # -0 + 0 is 0
    return np.where(bits < 0, bits ^ np.int32(2**31 - 1), bits).astype(np.int64)


def _less_common(sums: Scores, lam: float) -> Scores:
    """Scores less `lam` times the logarithm of the sum over units of their exponentials.

    Where a unit has a concept nearly for itself, its score under lam = 1 is as small as the share of all other units;
    these are summed without the highest, so that scores keep their order however small they are."""
    top = sums.argmax(0)[None]
    most = np.take_along_axis(sums, top, 0)
    others = sums - most
    np.exp(others, out=others)
    np.put_along_axis(others, top, 0, 0)
    sums -= lam * most
    sums -= lam * np.log1p(others.sum(0))
    return sums


def _random_order_error(ordered: Float[np.ndarray, "units count"]) -> Float[np.ndarray, "units"]:
    """Mean of |u_i - u_j|^3 over all pairs i, j: the expected error of a random order.

    `ordered` ascends, so the sum over i < j of (u_j - u_i)^3 is four sums of powers."""
    x = ordered.astype(np.float64) - ordered.mean(1, keepdims=True)  # centred, so that powers do not cancel
    before = np.cumsum(np.stack([np.ones_like(x), x, x**2, x**3]), -1)
    cubes = x**3 * before[0] - 3 * x**2 * before[1] + 3 * x * before[2] - before[3]
    return 2 * cubes.sum(-1) / x.shape[1] ** 2
