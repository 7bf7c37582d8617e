"""How well a predicted match agrees with an activation: measures of all units at once, and their intervals.

Arrays are [units, clips]. A measure is NaN where it is undefined: activation or match is the same on every clip."""

import numpy as np
from jaxtyping import Bool, Float, Int

Matrix = Float[np.ndarray, "units clips"]
Clips = Bool[np.ndarray, "units clips"]


def most(values: Matrix, count: Int[np.ndarray, "units"]) -> Clips:
    """Each unit's `count` clips of highest value; clips that tie with the last of them belong to them, too."""
    ranked = -np.sort(-values.astype(float), axis=1)
    edge = np.take_along_axis(ranked, np.maximum(count, 1)[:, None] - 1, 1)
    return values >= edge


def centred(values: Matrix) -> Matrix:
    """Values less their mean over clips, in units of their deviation; NaN where it is 0."""
    values = np.array(values, float)
    spread = np.ptp(values, axis=1)
    values -= values.mean(1, keepdims=True)
    scale = np.sqrt((values**2).mean(1))
    return values / np.where(spread > 0, scale, np.nan)[:, None]


def pearson(activation: Matrix, match: Matrix) -> np.ndarray:
    """Pearson's r of each unit's activation and match, the score of simulation (Bills et al. 2023)."""
    return (centred(activation) * centred(match)).mean(1)


def agreement(activation: Matrix, match: Matrix, active: Clips) -> dict[str, np.ndarray]:
    """Pearson's r and every measure of `ranking` and `overlap`; the match says yes to as many clips as are active."""
    r = pearson(activation, match)
    every = {"pearson": r} | ranking(match, active, np.ones_like(active)) | overlap(most(match, active.sum(1)), active)
    return {name: np.where(np.isnan(r), np.nan, values) for name, values in every.items()}


def overlap(yes: Clips, active: Clips) -> dict[str, np.ndarray]:
    """F1, intersection over union, recall and precision (shares of active and of named clips; Oikarinen et al. 2025)
    of the clips that the explanation names and those that activate the unit."""
    both, named, fired = (yes & active).sum(1), yes.sum(1), active.sum(1)
    alike = {"f1": 2 * both / (named + fired), "iou": both / (named + fired - both)}
    return alike | {"recall": both / fired, "precision": both / np.maximum(named, 1)}


def ranking(match: Matrix, active: Clips, among: Clips) -> dict[str, np.ndarray]:
    """What a threshold on the match can do: AUPRC (average precision), AUROC (CoSy's AUC, Kopf et al. 2024) and the
    balanced accuracy of detection (Paulo et al. 2024): active clips and as many others are shown, and the match says
    yes to the better half, from `threshold` on. among: which clips are ranked; the match of others plays no part."""
    match = np.where(among, match, -np.inf)
    order = np.argsort(-match, axis=1, kind="stable")
    match, hit, shown = (np.take_along_axis(values, order, 1) for values in (match, active & among, among))
    last = np.append(match[:, 1:] != match[:, :-1], np.ones((len(match), 1), bool), axis=1)  # of the clips that tie
    end = np.where(last, np.arange(match.shape[1]), match.shape[1])
    end = np.minimum.accumulate(end[:, ::-1], axis=1)[:, ::-1]
    hits, alarms = (np.take_along_axis(np.cumsum(values, 1), end, 1) for values in (hit, shown & ~hit))
    with np.errstate(invalid="ignore"):  # a unit without active clips, or with no other
        recall, fallout = hits / hits[:, -1:], alarms / alarms[:, -1:]
        auprc = (hit * hits / (hits + alarms)).sum(1) / hits[:, -1]
    half = np.abs(recall + fallout - 1).argmin(1)[:, None]
    step = np.diff(fallout, axis=1, prepend=0)
    auroc = (step * (recall + np.roll(recall, 1, axis=1) * (np.arange(recall.shape[1]) > 0))).sum(1) / 2
    accuracy, threshold = (np.take_along_axis(each, half, 1)[:, 0] for each in ((recall + 1 - fallout) / 2, match))
    return {"auprc": auprc, "auroc": auroc, "balanced_accuracy": accuracy, "threshold": threshold}


def hard_negatives(active: Clips, sound: Float[np.ndarray, "clips clips"]) -> Clips:
    """As many inactive clips as are active, each unit's nearest in sound: by similarity to its closest active clip."""
    nearest = np.stack([sound[fired].max(0, initial=-np.inf) for fired in active])
    count = np.minimum(active.sum(1), (~active).sum(1))
    return ~active & most(np.where(active, -np.inf, nearest), count)


def resampled(weights: Float[np.ndarray, "draws sources"], groups: Int[np.ndarray, "clips"]):
    """A function from values [units, clips] to their sums in every bootstrap draw, [draws, units]. weights: how often
    each source recording is drawn. groups: the recording of each clip."""
    one_hot = (groups[:, None] == np.arange(weights.shape[1])).astype(np.float32)
    weights = weights.astype(np.float32)
    return lambda values: weights @ (values.astype(np.float32) @ one_hot).T


def resampled_pearson(sums, activation: Matrix, match: Matrix) -> Float[np.ndarray, "draws units"]:
    """Pearson's r in every draw. sums: `resampled`."""
    x, y = centred(activation), centred(match)
    n, x1, y1 = sums(np.ones(x.shape)), sums(x), sums(y)
    with np.errstate(invalid="ignore", divide="ignore"):  # a draw in which nothing varies
        return (n * sums(x * y) - x1 * y1) / np.sqrt((n * sums(x**2) - x1**2) * (n * sums(y**2) - y1**2))


def resampled_accuracy(sums, yes: Clips, active: Clips) -> Float[np.ndarray, "draws units"]:
    """Balanced accuracy in every draw, its threshold held. sums: `resampled`."""
    with np.errstate(invalid="ignore"):
        return (sums(yes & active) / sums(active) + sums(~active & ~yes) / sums(~active)) / 2


def bounds(drawn: Float[np.ndarray, "draws units"]) -> np.ndarray:
    """95 % bounds of each unit's bootstrap values, [2, units]; draws in which a measure is undefined are left out."""
    known = np.isfinite(drawn).sum(0)
    places = np.round(np.outer((0.025, 0.975), np.maximum(known - 1, 0))).astype(int)
    return np.take_along_axis(np.sort(drawn, axis=0), places, 0)


def exemplar_shape(exemplars: Float[np.ndarray, "units k dimensions"]) -> tuple[np.ndarray, np.ndarray]:
    """Clarity (mean cosine of two exemplars) and polysemanticity of SemanticLens (Dreyer et al. 2025); NaN for one.

    Polysemanticity: 1 - cosine of the centres of two clusters; where one holds a single exemplar, 1 - mean cosine of
    exemplars and their mean. K-means begins at the two exemplars farthest apart, not at random as there."""
    v = exemplars / np.linalg.norm(exemplars, axis=2, keepdims=True)
    k = v.shape[1]
    if k == 1:
        return np.full(len(v), np.nan), np.full(len(v), np.nan)
    cosine = v @ v.transpose(0, 2, 1)
    clarity = (cosine.sum((1, 2)) - k) / (k * (k - 1))
    pair = np.stack(np.unravel_index(cosine.reshape(len(v), -1).argmin(1), (k, k)), 1)
    centres = np.take_along_axis(v, pair[:, :, None], 1)
    for _ in range(10):
        nearer = ((v[:, :, None] - centres[:, None]) ** 2).sum(3).argmin(2)
        member = np.stack([nearer == 0, nearer == 1], 1).astype(v.dtype)
        centres = member @ v / np.maximum(member.sum(2), 1)[:, :, None]
    poly = 1 - _cosine(centres[:, 0], centres[:, 1])
    single = member.sum(2).min(1) < 2
    return clarity, np.where(single, 1 - _cosine(v, v.mean(1, keepdims=True)).mean(1), poly)


def redundancy(concepts: Float[np.ndarray, "units dimensions"]) -> np.ndarray:
    """Each unit's largest cosine with another of its layer, by exemplars' means (Dreyer et al. 2025 average it)."""
    concepts = concepts / np.linalg.norm(concepts, axis=1, keepdims=True)
    cosine = concepts @ concepts.T
    np.fill_diagonal(cosine, np.nan if len(cosine) == 1 else -1)
    return cosine.max(1)


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return (a * b).sum(-1) / np.maximum(lengths, 1e-12)  # 0 with the centre of an empty cluster
