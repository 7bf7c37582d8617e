"""Slow, obvious implementations of what andlib does cleverly."""

import itertools

import numpy as np


def highest(activations, k):
    """Each unit's k highest clips by sorting Python tuples; ties go to the earlier clip."""
    columns = []
    for unit in range(activations.shape[1]):
        ordered = sorted(range(len(activations)), key=lambda clip: (-activations[clip, unit], clip))
        columns.append(ordered[:k])
    return np.array(columns).T


def _softmax(row):
    e = np.exp(row - row.max())
    return e / e.sum()


def wpmi(activations, concepts, k=28, a=2.0, lam=0.6, soft=False):
    """Weighted pointwise mutual information, one unit, one concept and one clip at a time."""
    q = np.array([_softmax(a * row) for row in concepts.astype(np.float64)])
    k = min(k, len(concepts))
    sums = np.zeros((activations.shape[1], concepts.shape[1]))
    for unit, concept in itertools.product(*map(range, sums.shape)):
        for rank, clip in enumerate(highest(activations[:, unit : unit + 1], k)[:, 0]):
            p = 0.998 - 0.028 * rank / k
            sums[unit, concept] += np.log((1 + p * (q[clip, concept] - 1) if soft else q[clip, concept]) + 1e-7)
    return sums - lam * np.log(np.exp(sums).mean(0))


def rank_reorder(activations, concepts, top=0.05, scale=0.5):
    """The rank-reorder score with ranks counted and the random baseline averaged over every pair."""
    count = max(1, int(top * len(activations)))
    scores = np.zeros((activations.shape[1], concepts.shape[1]))
    for unit in range(activations.shape[1]):
        clips = highest(activations[:, unit : unit + 1], count)[:, 0]
        u = activations[clips, unit].astype(np.float64)
        ascending = np.sort(u)
        baseline = np.mean([abs(a - b) ** 3 for a in u for b in ascending])
        for concept in range(concepts.shape[1]):
            p = concepts[clips, concept]
            rank = [sum(p[j] < p[i] or (p[j] == p[i] and j < i) for j in range(count)) for i in range(count)]
            error = np.mean([abs(u[i] - ascending[rank[i]]) ** 3 for i in range(count)])
            scores[unit, concept] = -error / baseline / max(p.mean(), np.finfo(np.float32).tiny) ** scale
    return scores


def ablated_and_remaining(matrix):
    """dA and dR by two loops over classes."""
    classes = range(len(matrix))
    own = np.mean([matrix[c][c] for c in classes])
    remaining = np.mean([np.mean([matrix[a][c] for c in classes if c != a]) for a in classes])
    return own, remaining
