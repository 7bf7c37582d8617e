"""Section 4.1, Tables 2 and 7: naming the classes of the last layer, and any other unit, by closed concepts."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from andlib import concepts, language, stages
from andlib.activations import highest
from andlib.errors import InputError
from andlib.profiles import TEST
from andlib.records import Unit
from andlib.run import Run
from andlib.similarity import FUNCTIONS


def last_layer(run: Run) -> pd.DataFrame:
    """Section 4.1: how often DB names the class of a classifier unit, by similarity function and condition.

    One row a model, method, function and condition; columns top1, top5 (shares of units) and cos (mean cosine of the
    first concept and the true class), units. Conditions: "all clips" is the paper's; "fold 1" uses only clips that no
    network was trained on; the others are controls.
    """
    rows = [row for model in run.models for row in _last_layer_rows(run, model)]
    return pd.DataFrame(rows)


def _last_layer_rows(run: Run, model: str):
    truth = [run.concepts.index(name) for name in _known_classes(run, model)]
    names = stages.embeddings(run, run.concepts)
    cosine = names @ names.T
    trained = stages.unit_activations(run, model)["classifier"]
    untrained = stages.unit_activations(run, model, untrained=True)["classifier"]
    p = stages.concept_similarity(run)
    test = np.isin(run.probing_set.folds, TEST)
    cases = {
        "all clips": (trained, p),
        "fold 1": (trained[test], p[test]),
        "untrained network": (untrained, p),
        **{control: (trained, stages.concept_similarity(run, control)) for control in stages.CONTROLS},
    }
    for condition, (u, similarities) in cases.items():
        if not len(u):
            continue  # a set without folds has no fold 1
        for function in FUNCTIONS:
            scores = stages.db_scores(run, function, u, similarities, in_block=False)
            found = concepts.identification(concepts.ranked(scores, 5), truth, cosine)
            yield _identified(model, "DB", function, condition, found)
    found = concepts.identification(concepts.ranked(_string_match(run, trained), 5), truth, cosine)
    yield _identified(model, "string match", "mentions", "all clips", found)


def named_units(run: Run, model: str, function: str) -> pd.DataFrame:
    """What DB calls each classifier unit, on all clips: one row a unit; columns class, first, second, right."""
    classes = _known_classes(run, model)
    u = stages.unit_activations(run, model)["classifier"]
    scores = stages.db_scores(run, function, u, stages.concept_similarity(run), in_block=False)
    first, second = (np.array(run.concepts)[column] for column in concepts.ranked(scores, 2).T)
    right = np.where(first == np.array(classes), "yes", "no")
    return pd.DataFrame({"class": classes, "first": first, "second": second, "right": right})


def _identified(model: str, method: str, function: str, condition: str, found: Mapping[str, np.ndarray]) -> dict:
    shares = {column: float(values.mean()) for column, values in found.items()}
    keys = {"model": model, "method": method, "function": function, "condition": condition}
    return {**keys, **shares, "units": len(found["top1"])}


def _string_match(run: Run, u: np.ndarray) -> np.ndarray:
    """The control without any encoder: how many of a unit's K highest clips have a description naming each concept."""
    texts = stages.clip_descriptions(run)
    named = np.array([[language.mentions(text, name) for name in run.concepts] for text in texts], float)
    return named[highest(u, run.k)].sum(0)


def _known_classes(run: Run, model: str) -> tuple[str, ...]:
    classes = stages.target(run, model).classes
    strangers = [name for name in classes if name not in run.concepts]
    if strangers:
        raise InputError(f"Classes {strangers[:3]} of {model} are not in the concept set, so no answer could be right.")
    return classes


def db_concepts(run: Run, unit: Unit) -> list[dict[str, str]]:
    """DB's three best concepts for one unit by each similarity function, all units of its layer scored together."""
    u = stages.unit_activations(run, unit.model)[unit.layer]
    p = stages.concept_similarity(run)
    rows = []
    for function in FUNCTIONS:
        scores = stages.db_scores(run, function, u, p, in_block=unit.layer.startswith("block"))
        best = concepts.ranked(scores[unit.index : unit.index + 1], 3)[0]
        rows.append({"function": function, **{f"{place}.": run.concepts[i] for place, i in enumerate(best, 1)}})
    return rows
