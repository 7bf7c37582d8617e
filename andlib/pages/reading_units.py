"""How a unit is read: Table 2 under what the paper leaves open, how a layer's output becomes one number a clip."""

from dataclasses import replace

import numpy as np
import pandas as pd

from andlib import concepts, stages
from andlib.pages.section_4_1 import examined, name_cosines, similarities, true_concepts
from andlib.profiles import LEARNT
from andlib.responses import unit_activations
from andlib.run import Run
from andlib.similarity import FUNCTIONS
from andlib.targets import Layer, Target


def readings_of(run: Run, network: Target) -> dict[tuple[str, str], Layer]:
    """The classifier under other poolings and nonlinearities, and directions in the last block; by axis and reading."""
    last, classifier = network.layers[-2], network.layers[-1]
    weights = network.module.get_submodule(classifier.module).weight.detach().cpu().numpy().T
    learnt, labels = np.isin(run.probing_set.folds, LEARNT), np.array([clip.label for clip in run.probing_set.clips])
    u, member = unit_activations(run, network)[last.name], [learnt & (labels == name) for name in network.classes]
    means = [u[m].mean(0) - u[learnt & ~m].mean(0) if m.any() else 0 * u[0] for m in member]  # less that of all others
    poolings = ("max", "first") if classifier.pooling != "none" else ()
    readings = {("default", f"classifier, {classifier.pooling}"): classifier}
    readings |= {("pooling", name): classifier.read(pooling=name) for name in poolings}
    readings |= {("nonlinearity", name): classifier.read(nonlinearity=name) for name in ("relu", "gelu")}
    readouts = {"classifier's weights": weights, "class means": np.stack(means, 1)}
    readings |= {("readout", f"{last.name}, {name}"): last.read(readout=matrix) for name, matrix in readouts.items()}
    return {key: replace(layer, name=": ".join(key)) for key, layer in readings.items()}


def compared(run: Run) -> pd.DataFrame:
    """How far Table 2 moves with the reading of its classes' units; one row a network and reading: model, axis,
    reading, top1 and top5 (DB on all clips, by the function that is best for the default reading), function, moved
    (share of units whose first concept differs from the default's). Slow networks are left out beside others."""
    models = [model for model in run.models if model not in run.profile.slow] or run.models
    return pd.concat([_compared(run, model) for model in models], ignore_index=True)


def _compared(run: Run, model: str) -> pd.DataFrame:
    readings = readings_of(run, run.target(model))
    truth, cosine, p = true_concepts(run, model), name_cosines(run), similarities(run)["DB"]
    network = replace(run.target(model), layers=tuple(readings.values()))  # all are read in one pass
    u = [values[:, examined(run, model)] for values in unit_activations(run, network).values()]
    ranked = [{f: concepts.ranked(stages.closed_scores(run, "DB", f, x, p), 5) for f in FUNCTIONS} for x in u]
    named = [{f: concepts.identification(orders[f], truth, cosine) for f in FUNCTIONS} for orders in ranked]
    best = max(FUNCTIONS, key=lambda function: tuple(named[0][function][top].mean() for top in ("top1", "top5")))
    moved = [float((orders[best][:, 0] != ranked[0][best][:, 0]).mean()) for orders in ranked]
    tops = {top: [float(values[best][top].mean()) for values in named] for top in ("top1", "top5")}
    axes, names = zip(*readings, strict=True)
    return pd.DataFrame({"model": model, "reading": names, **tops, "moved": moved, "axis": axes, "function": best})


def words(run: Run, readings: pd.DataFrame) -> dict[str, object]:
    """The numbers of the page's sentences: changes of top-1, in points. readings: `compared`."""
    usual = readings["model"].map(readings[readings["axis"] == "default"].set_index("model")["top1"])
    changed = readings.assign(usual=usual, change=100 * (readings["top1"] - usual))[readings["axis"] != "default"]
    ends = changed.groupby("axis", sort=False)["change"].agg(least="min", most="max").stack()
    first = changed[changed["reading"] == "first"].itertuples()
    instead = ", ".join(f"{row.model} {row.top1:.0%} instead of {row.usual:.0%}" for row in first) or "no network here"
    return {"title": run.profile.title, "first": instead} | {"_".join(end): value for end, value in ends.items()}


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """What `make results` keeps of the page."""
    return {"readings": compared(run)}
