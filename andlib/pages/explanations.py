"""Explanations of units as phrases, the clips that may judge them, and how well each matches every clip."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from andlib import encoders, stages
from andlib.descriptions import clip_descriptions
from andlib.errors import InputError
from andlib.profiles import LEARNT, TEST
from andlib.records import ProbingSet
from andlib.run import Run
from andlib.targets import Target

METHODS = ("DB", "TAB", "summary", "open concepts")
MATCHERS = ("captions", "sound")
NULLS = ("shuffled", "most common")
SEED = 0

Rows = list[tuple[str, ...]]  # an explanation's phrases for each unit; none where it has no explanation


def described(run: Run, model: str | Target) -> pd.DataFrame:
    """The neurons whose explanations are scored, described from folds 2-5. Raises InputError without a fold 1."""
    if not set(run.probing_set.folds) >= {*TEST, *LEARNT}:
        raise InputError(f"{run.profile.title} has no fold 1 beside others, on which explanations could be scored.")
    return stages.neurons(run, model, LEARNT)


def scored_clips(probing_set: ProbingSet) -> Bool[np.ndarray, "clips"]:
    """Which clips units are scored on: those of fold 1 whose recording has no clip in folds 2-5, which describe."""
    heard = probing_set.sources[np.isin(probing_set.folds, LEARNT)]
    return np.isin(probing_set.folds, TEST) & ~np.isin(probing_set.sources, heard)


def phrases(table: pd.DataFrame, method: str) -> Rows:
    """The phrases of each unit's explanation: the best concept of DB or TAB; the points of S_h^c, but for one that says
    that nothing is shared; the adjectives, nouns and verbs of C_open, as often as they are said."""
    from andlib.mini.consensus import NOTHING_SHARED

    if method in ("DB", "TAB"):
        return [tuple(best[:1]) for best in table[method.lower()]]
    if method == "summary":
        return [tuple(point for point in points if point != NOTHING_SHARED) for points in table["calibrated"]]
    return [tuple(word for part in row for word in part) for row in table[["adjectives", "nouns", "verbs"]].to_numpy()]


def in_words(rows: Rows) -> list[str]:
    """Explanations as text: points one after the other, words separated by commas, each once."""
    return [(" " if phrases and phrases[0].endswith(".") else ", ").join(dict.fromkeys(phrases)) for phrases in rows]


def shared(first: Rows, second: Rows) -> float:
    """Mean over units of the share of phrases that both explanations have, where there is one."""
    pairs = [(set(a), set(b)) for a, b in zip(first, second, strict=True) if a or b]
    return float(np.mean([len(a & b) / len(a | b) for a, b in pairs])) if pairs else float("nan")


def nulled(rows: Rows, null: str) -> Rows:
    """Other explanations for the units that have one: another unit's, or for all the one that most have."""
    own = [i for i, phrases in enumerate(rows) if phrases]
    shuffled = [rows[i] for i in np.random.default_rng(SEED).permutation(own)]
    commonest = [row for row, _ in Counter(rows[i] for i in own).most_common(1)] * len(own)
    given = dict(zip(own, shuffled if null == "shuffled" else commonest, strict=True))
    return [given.get(i, ()) for i in range(len(rows))]


def matches(
    run: Run, tables: Sequence[pd.DataFrame], methods: Sequence[str], nulls: Sequence[str] = ("", *NULLS)
) -> Iterator[tuple[str, list[np.ndarray]]]:
    """For each "method/matcher/null", the match of every unit's explanation with every clip, float32 [units, clips]:
    the mean cosine of its phrases; NaN without any. One matrix a table of neurons."""
    own = {method: [phrases(table, method) for table in tables] for method in methods}
    every = sorted({phrase for by_table in own.values() for rows in by_table for row in rows for phrase in row})
    for matcher, cosine in _cosines(run, every).items():
        row_of, nothing = dict(zip(every, cosine, strict=True)), np.full(cosine.shape[1], np.nan, np.float32)
        for method, null in product(methods, nulls):
            given = [nulled(rows, null) if null else rows for rows in own[method]]
            distinct = {row for rows in given for row in rows}
            means = {row: np.mean([row_of[p] for p in row], axis=0) if row else nothing for row in distinct}
            yield f"{method}/{matcher}/{null}", [np.stack([means[row] for row in rows]) for rows in given]


def _cosines(run: Run, every: list[str]) -> dict[str, Float[np.ndarray, "phrases clips"]]:
    """Cosine of every phrase with every clip by each of MATCHERS."""
    captions = stages.embeddings(run, clip_descriptions(run), run.profile.encoder)
    written = stages.embeddings(run, every, run.profile.encoder)
    embedded = run.audio_encoder in encoders.OURS  # its texts are the embedded sentence encoder's, stored by now
    texts = encoders.audio_text(run.audio_encoder, run.store.device).texts
    heard = stages.embeddings(run, every, encoders.EMBEDDED) if embedded else texts(every)
    return {"captions": written @ captions.T, "sound": heard @ stages.sound_vectors(run).T}
