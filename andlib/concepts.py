"""Module A: the closed concept of the set D_c that best explains a unit, by the description-based method (DB)."""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from andlib import paths, similarity
from andlib.activations import highest
from andlib.errors import InputError, suggest
from andlib.inputs.probing import reading
from andlib.tagging import WORDS

ESC50 = tuple(WORDS["classes"])  # class names of ESC-50 (Piczak 2015) in the order of its numbering
FUNCTION = "cos_cubed"  # labels block units; the paper does not say which it used, and finds this best for AST
ENOUGH = 8  # living units of a layer, and concepts: with fewer of either, units of one name are no wonder
LONGEST_CONCEPT = 200  # characters: a longer line belongs to a text of another kind


def concept_set(name: str, classes: Sequence[str]) -> tuple[str, ...]:
    """The concept set D_c that closed concepts are chosen from (Section 3.3).

    name: "classes" (the probing set's own), "esc50" (the paper's), "acoustic" (ours, in the place of Section 4.2's from
    Kumar et al. 2017), or a text file with one concept a line; blank lines and those that begin with # are skipped.
    classes: of the probing set. Raises InputError if `name` is none of these, or naming the line that is no concept."""
    named = {"classes": tuple(classes), "esc50": ESC50}
    if name in named:
        return named[name]
    path = Path(paths.PACKAGE / "acoustic_concepts.txt" if name == "acoustic" else os.path.expanduser(name))
    if not os.path.isfile(path):  # Path.is_file raises for a name too long to be one
        known = f"{suggest(name, [*named, 'acoustic'])} Or give a text file with one concept a line."
        raise InputError(f"Concept set {name!r} is unknown and no file. {known}")
    with reading(path, "a text file with one concept a line, two or more, each once") as text:
        return _concepts_in(text)


def _concepts_in(text: str) -> tuple[str, ...]:
    """Concepts of a text, one a line; raises ValueError, naming the line that is none."""
    lines, concepts = {}, []
    for number, line in enumerate(text.split("\n"), start=1):
        concept = line.strip()
        if not concept or concept.startswith("#"):
            continue
        if not concept.isprintable():
            raise ValueError(f"line {number}: {concept[:40]!r} has characters that cannot be printed")
        if len(concept) > LONGEST_CONCEPT:
            raise ValueError(f"line {number} has {len(concept)} characters; a concept has {LONGEST_CONCEPT} at most")
        if (first := lines.setdefault(concept.casefold(), number)) != number:
            raise ValueError(f"line {number}: {concept!r} is in line {first} too")
        concepts.append(concept)
    if len(concepts) < 2:
        raise ValueError(f"concepts found: {len(concepts)}")
    return tuple(concepts)


def score(
    function: str, activations: Float[np.ndarray, "clips units"], p: Float[np.ndarray, "clips concepts"], **options
) -> Float[np.ndarray, "units concepts"]:
    """Scores of every concept for every unit, all units at once, by one of similarity.FUNCTIONS.

    Counts of clips (k = 28 for wpmi, 100 for soft_wpmi) are the paper's for N = 2000 and scale below N = 1000."""
    if count := {"wpmi": 28, "soft_wpmi": 100}.get(function):
        options["k"] = similarity.scaled(count, len(activations))
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
    top_k_only: # released code: data_utils.py:76-92 shows DB the unit's few highest clips (`db_top_k_only`); 0: all."""
    units = activations.shape[1]
    if function == "rank_reorder" and int(0.05 * (top_k_only or len(p))) == 0:
        return np.zeros((units, p.shape[1]), np.float32)  # it ranks no clip at all
    clips = highest(activations, top_k_only).T if top_k_only else [slice(None)] * units
    parts = [similarity.FUNCTIONS[function](activations[c, i : i + 1], p[c], **options) for i, c in enumerate(clips)]
    return np.concatenate(parts)


def chance(concepts: int, first: int) -> float:
    """How likely a unit's own concept is among the first so many, if all concepts are ranked at random."""
    return min(first, concepts) / concepts


def ranked(scores: Float[np.ndarray, "units concepts"], count: int) -> Int[np.ndarray, "units count"]:
    """Indices of each unit's best concepts, best first, as many as there are at most; of equal scores the earlier."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :count]


def warn_where_alike(neurons: pd.DataFrame, function: str) -> None:
    """Warns of every layer, once, more than half of whose living units DB or TAB gives one first concept.

    neurons: columns layer, dead, db and tab. function: that named them. Layers with few living units may be alike."""
    for layer, units in neurons[~neurons["dead"]].groupby("layer", sort=False):
        firsts = {method: units[method].str[0].value_counts() / len(units) for method in ("db", "tab")}
        method, shares = max(firsts.items(), key=lambda first: first[1].max())
        if len(units) >= ENOUGH and shares.max() > 0.5:
            warnings.warn(
                f"{method.upper()} by {function} names {shares.max():.0%} of the {len(units)} living units of layer "
                f"{layer} {shares.idxmax()!r}, so that names hardly tell them apart. Try another function ('soft_wpmi' "
                "or 'wpmi'), nonlinearity='sigmoid' where outputs are multi-label scores, or another concept set.",
                stacklevel=3,
            )


def identification(
    ranking: Int[np.ndarray, "units count"], truth: Sequence[int], cosine: Float[np.ndarray, "concepts concepts"]
) -> dict[str, np.ndarray]:
    """Whether each unit's true concept is first and among the first five, and cosine of first and true (Section 4.1).

    ranking: five columns, or one a concept. truth: index of each unit's true concept. cosine: of the concepts' names.
    Returns arrays [units]: top1 and top5 (0 or 1), cos in [-1, 1]. Their means are Table 2's columns."""
    truth = np.asarray(truth)
    return {
        "top1": (ranking[:, 0] == truth).astype(float),
        "top5": (ranking[:, :5] == truth[:, None]).any(1).astype(float),
        "cos": cosine[ranking[:, 0], truth],
    }
