"""Search: neurons by what their descriptions say."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from andlib import encoders, stages
from andlib.errors import InputError
from andlib.run import Run

SUMMARY, CONCEPTS = ("calibrated",), ("db", "tab", "adjectives", "nouns")  # columns that hold each half of what is said


def search(neurons: pd.DataFrame, words: str, *, run: Run | None = None, best: int = 20) -> pd.DataFrame:
    """The neurons whose descriptions are nearest to some words, nearest first, with a column similarity.

    similarity: mean of two cosines of sentence vectors: of the words with the calibrated summary (its points' mean
    vector), and with the concepts (DB's and TAB's first, adjectives, nouns). A half that says nothing counts 0.

    neurons: of any models. run: keeps vectors in its store. best: how many rows. InputError without words or neurons.

    >>> al.search(pd.concat([al.neurons(run, model) for model in run.models]), "high-pitched animal", run=run)"""
    if not words.strip():
        raise InputError("Nothing is searched for: give words, such as 'high-pitched animal'.")
    if not len(neurons):
        raise InputError("There are no neurons to search: give rows of al.neurons.")
    halves = [[_said(row, part) for row in neurons.to_dict("records")] for part in (SUMMARY, CONCEPTS)]
    texts = sorted({text for half in halves for said in half for text in said})
    encode = partial(stages.embeddings, run, encoder=run.profile.encoder) if run else encoders.encode
    vectors, [query] = encode(texts), encode([words.strip()])
    row_of = {text: row for row, text in enumerate(texts)}
    means = [[vectors[[row_of[text] for text in said]].sum(0) for said in half] for half in halves]
    cosines = [[float(mean @ query / max(np.linalg.norm(mean), 1e-9)) for mean in half] for half in means]
    found = neurons.assign(similarity=np.mean(cosines, axis=0))
    return found.sort_values("similarity", ascending=False, kind="stable").head(best).reset_index(drop=True)


def _said(neuron: dict, columns: Sequence[str]) -> list[str]:
    """What a neuron's columns say, each thing once; of DB's and TAB's concepts the first."""
    texts = [text for column in columns for text in list(neuron[column])[: 1 if column in ("db", "tab") else None]]
    return list(dict.fromkeys(texts))
