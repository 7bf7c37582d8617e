"""Slow, obvious implementations of what andlib does cleverly."""

import numpy as np


def highest(activations, k):
    """Each unit's k highest clips by sorting Python tuples; ties go to the earlier clip."""
    columns = []
    for unit in range(activations.shape[1]):
        ordered = sorted(range(len(activations)), key=lambda clip: (-activations[clip, unit], clip))
        columns.append(ordered[:k])
    return np.array(columns).T


def cos(activations, concepts, centre=lambda x: x, least=0):
    """Cosine over clips, one unit at a time, against all concepts."""
    p = centre(concepts)
    scores = np.empty((activations.shape[1], concepts.shape[1]), concepts.dtype)
    for unit in range(len(scores)):
        u = centre(activations[:, unit])
        scores[unit] = u @ p / np.maximum(np.linalg.norm(u), least)
    return scores / np.maximum(np.linalg.norm(p, axis=0), least)


def cos_cubed(activations, concepts):
    """`cos` of centred cubes."""

    def centre(x):
        apart = x - x.mean(0)
        return apart * apart * apart

    return cos(activations, concepts, centre, 1e-3)


def less_common(sums, lam):
    """Sums less `lam` times their log-sum over units, all at once."""
    return sums - lam * np.log(np.exp(sums).sum(0))


def less_common_exactly(sums, lam):
    """`less_common`, each unit compared with all others, so that nothing cancels: under lam = 1 the score of a unit
    that has a concept for itself is as small as the others' share."""
    others = [np.exp(np.delete(sums, unit, 0) - sums[unit]).sum(0) for unit in range(len(sums))]
    return (1 - lam) * sums - lam * np.log1p(others)


def wpmi(activations, concepts, k=28, a=2.0, lam=0.6, less=less_common):
    """Weighted pointwise mutual information, one unit at a time: softmax and log once, one sorting of clips a unit.

    Computed in the type of `concepts`; sums in float64, whose exponentials do not vanish."""
    log_q = np.log(_softmax(a * concepts) + 1e-7)
    sums = np.empty((activations.shape[1], concepts.shape[1]))
    for unit in range(len(sums)):
        top = np.argsort(-activations[:, unit], kind="stable")[:k]
        sums[unit] = log_q[top].sum(0)
    return less(sums, lam)


def soft_wpmi(activations, concepts, k=100, a=10.0, lam=1.0, less=less_common):
    """`wpmi` in which the clip of each rank counts with its own probability."""
    q = _softmax(a * concepts)
    k = min(k, len(concepts))
    p = (0.998 - 0.028 * np.arange(k)[:, None] / k).astype(concepts.dtype)
    sums = np.empty((activations.shape[1], concepts.shape[1]))
    for unit in range(len(sums)):
        top = np.argsort(-activations[:, unit], kind="stable")[:k]
        sums[unit] = np.log(1 + p * (q[top] - 1) + 1e-7).sum(0)
    return less(sums, lam)


def _softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def rank_reorder(activations, concepts, top=0.05, scale=0.5):
    """The rank-reorder score, one unit at a time: a rank is the argsort of an argsort, the baseline a mean over every
    pair. Computed in the type of its arguments."""
    count = max(1, int(top * len(activations)))
    scores = np.empty((activations.shape[1], concepts.shape[1]))
    for unit in range(len(scores)):
        clips = np.argsort(-activations[:, unit], kind="stable")[:count]
        u, p = activations[clips, unit], concepts[clips]
        rank = np.argsort(np.argsort(p, axis=0, kind="stable"), axis=0)
        apart = np.abs(u[:, None] - np.sort(u)[rank])
        pairs = np.abs(u[:, None] - u)
        error = (apart * apart * apart).mean(0) / (pairs * pairs * pairs).mean()
        scores[unit] = -error / np.maximum(p.mean(0), np.finfo(np.float32).tiny) ** scale
    return scores


def ablated_and_remaining(matrix):
    """dA and dR by two loops over classes."""
    classes = range(len(matrix))
    own = np.mean([matrix[c][c] for c in classes])
    remaining = np.mean([np.mean([matrix[a][c] for c in classes if c != a]) for a in classes])
    return own, remaining
