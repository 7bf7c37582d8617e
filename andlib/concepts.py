"""Module A: the closed concept of the set D_c that best explains a unit, by the description-based method (DB)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.special import softmax

from andlib import similarity
from andlib.activations import highest

# The class names of ESC-50 (Piczak 2015) in the order of its numbering.
ESC50 = tuple(
    """dog, rooster, pig, cow, frog, cat, hen, insects, sheep, crow, rain, sea waves, crackling fire, crickets,
    chirping birds, water drops, wind, pouring water, toilet flush, thunderstorm, crying baby, sneezing, clapping,
    breathing, coughing, footsteps, laughing, brushing teeth, snoring, drinking sipping, door wood knock, mouse click,
    keyboard typing, door wood creaks, can opening, washing machine, vacuum cleaner, clock alarm, clock tick,
    glass breaking, helicopter, chainsaw, siren, car horn, engine, train, church bells, airplane, fireworks,
    hand saw""".replace("\n    ", " ").split(", ")
)


def clip_concept_similarity(
    clips: Float[np.ndarray, "clips dimensions"],
    concepts: Float[np.ndarray, "concepts dimensions"],
    *,
    softmax_over_concepts: bool = False,
) -> Float[np.ndarray, "clips concepts"]:
    """P: cosine of every encoded clip (DB: its description) and every encoded concept (Section 3.3).

    softmax_over_concepts: # released code: data_utils.py:57 takes softmax(100 P) for DB (fault `db_double_softmax`).
    """
    p = clips @ concepts.T
    return softmax(100 * p, axis=1) if softmax_over_concepts else p


def score(
    function: str, activations: Float[np.ndarray, "clips units"], p: Float[np.ndarray, "clips concepts"], **options
) -> Float[np.ndarray, "units concepts"]:
    """Scores of every concept for every unit, all units at once, by one of similarity.FUNCTIONS.

    Counts of clips (k = 28 for wpmi, 100 for soft_wpmi) are the paper's for N = 2000 and scale below N = 1000.
    """
    counts = {"wpmi": 28, "soft_wpmi": 100}
    if function in counts:
        options["k"] = similarity.scaled(counts[function], len(activations))
    return similarity.FUNCTIONS[function](activations, p, **options)


def score_as_released(
    function: str,
    activations: Float[np.ndarray, "clips units"],
    p: Float[np.ndarray, "clips concepts"],
    *,
    top_k_only: int = 0,
    **options,
) -> Float[np.ndarray, "units concepts"]:
    """`score` as the released code has it for DB: one call a unit (fault `db_one_unit_at_a_time`).

    # released code: data_utils.py:45-58. The log-mean over units in wpmi and soft_wpmi is then the unit's own score,
    so that wpmi keeps only (1 - lambda) of it and soft_wpmi is 0 for every concept.
    top_k_only: # released code: data_utils.py:76-92 shows DB only the unit's few highest clips (`db_top_k_only`);
    0 shows it all of them.
    """
    parts = []
    clips = highest(activations, top_k_only) if top_k_only else None
    for unit in range(activations.shape[1]):
        seen = slice(None) if clips is None else clips[:, unit]
        own = activations[seen, unit : unit + 1]
        if function == "rank_reorder" and int(0.05 * len(own)) == 0:
            parts.append(np.zeros((1, p.shape[1]), np.float32))  # it ranks no clip at all
        else:
            parts.append(similarity.FUNCTIONS[function](own, p[seen], **options))
    return np.concatenate(parts)


def ranked(scores: Float[np.ndarray, "units concepts"], count: int) -> Int[np.ndarray, "units count"]:
    """Indices of each unit's best concepts, best first; of equal scores the earlier concept."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :count]


def identification(
    ranking: Int[np.ndarray, "units count"],
    truth: Sequence[int],
    concept_cosine: Float[np.ndarray, "concepts concepts"],
) -> dict[str, np.ndarray]:
    """Whether each unit's true concept is first and among the first five, and cosine of first and true (Section 4.1).

    ranking: at least five columns. truth: index of each unit's true concept. concept_cosine: of the encoded names.
    Returns arrays [units]: top1 and top5 (0 or 1), cos in [-1, 1]. Their means are Table 2's columns.
    """
    truth = np.asarray(truth)
    return {
        "top1": (ranking[:, 0] == truth).astype(float),
        "top5": (ranking[:, :5] == truth[:, None]).any(1).astype(float),
        "cos": concept_cosine[ranking[:, 0], truth],
    }
