"""Section 4.1, Tables 2 and 7: naming the classes of the last layer, and any other unit, by closed concepts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd

from andlib import asking, concepts, language, stages
from andlib.activations import highest
from andlib.descriptions import CONTROLS, clip_descriptions
from andlib.errors import InputError
from andlib.pages import cross_fitting
from andlib.profiles import LEARNT, TEST
from andlib.records import Unit
from andlib.responses import unit_activations
from andlib.run import Run
from andlib.similarity import FUNCTIONS
from andlib.statistics import interval
from andlib.targets import Layer, Target

METHODS, MEASURED = ("DB", "TAB", "ICL"), ("top1", "top5", "cos")
DRAWS, SEED = 10_000, 0


def last_layer(run: Run) -> pd.DataFrame:
    """Section 4.1: how often a method names the class of a classifier unit, by similarity function and condition.

    One row a model, method, function (ICL: how many worked examples) and condition; columns top1, top5 (shares of
    units) and cos (mean cosine of the first concept and the true class; 0 where ICL names none), units (that the
    language model answered for; all of them elsewhere), none (units for which ICL names no concept). Conditions:
    "all clips" is the paper's; "fold 1" uses only clips that no network was trained on; "cross-fitted" all clips, each
    heard by a network that did not learn from it (`cross_fitting`); the others are controls.
    """
    rows = [row for model in run.models for row in _last_layer_rows(run, model)]
    return pd.DataFrame(rows)


def best_function(results: pd.DataFrame, method: str = "DB") -> str:
    """The similarity function with the highest top-1 on all clips (ties: top-5, then cosine), as Table 2 takes it."""
    scored = results[(results["method"] == method) & (results["condition"] == "all clips")]
    return scored.sort_values(["top1", "top5", "cos"], ascending=False, kind="stable").iloc[0]["function"]


def at_best(results: pd.DataFrame) -> pd.DataFrame:
    """Rows of `last_layer` that Table 2 takes: each model's TAB and DB by their best functions; all of the others."""
    return pd.concat(
        ours[ours["function"] == best_function(ours, method)] if method in ("TAB", "DB") else ours
        for (_, method), ours in results.groupby(["model", "method"], sort=False)
    )


def intervals(run: Run, results: pd.DataFrame) -> pd.DataFrame:
    """How sure Table 2 is: each method's best function on all clips, and the differences of the methods, with 95 %.

    One row a model and method or pair; columns model, compared ("DB", "DB − TAB"), and top1, top5 and cos, each with
    _low and _high: see `compared`. A pair counts the units that both methods answered for. The functions are those
    that are best for all units, not chosen anew in each draw. results: `last_layer`.
    """
    rows = []
    for model in run.models:
        truth, cosine = _truth(run, model), _name_cosines(run)
        ours, u = results[results["model"] == model], unit_activations(run, model)["classifier"]
        best = {method: best_function(ours, method) for method in METHODS}
        found = {}
        for method, p in {
            "DB": stages.concept_similarity(run, clip_descriptions(run)),
            "TAB": stages.sound_similarity(run),
        }.items():
            scores = stages.closed_scores(run, method, best[method], u, p)
            found[method] = concepts.identification(concepts.ranked(scores, 5), truth, cosine)
        found["ICL"] = _answered(run, model, int(best["ICL"][0]), truth, cosine)
        rows += [{"model": model, **row} for row in compared(found)]
    return pd.DataFrame(rows)


def compared(found: Mapping[str, Mapping[str, np.ndarray]]) -> list[dict]:
    """Means over units of what several readings found, and of the differences of every two, with 95 % intervals.

    Units are drawn with replacement, the same for both of a pair: an interval says how far a value rests on which
    classes happened to be asked. It is silent on other clips, captions, answers of the language model and trainings
    of the network; and where all units agree it has no width, which with few units is no certainty.
    found: reading -> `concepts.identification`; nan is no answer, and such units are left out.
    """
    values = {name: {m: np.asarray(of[m], float) for m in MEASURED} for name, of in found.items()}
    for one, other in combinations(found, 2):
        values[f"{one} − {other}"] = {m: values[one][m] - values[other][m] for m in MEASURED}
    return [
        {"compared": name, **{column: value for m in MEASURED for column, value in _resampled(m, of[m]).items()}}
        for name, of in values.items()
    ]


def _resampled(name: str, values: np.ndarray) -> dict[str, float]:
    """The mean and its interval, as columns: name, name_low, name_high."""
    kept = values[~np.isnan(values)]
    if not len(kept):
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"), np.nan)
    drawn = np.random.default_rng(SEED).multinomial(len(kept), np.full(len(kept), 1 / len(kept)), DRAWS)
    low, high = interval(drawn @ kept / len(kept))
    return {name: float(kept.mean()), f"{name}_low": low, f"{name}_high": high}


def similarities(run: Run) -> dict[str, np.ndarray]:
    """P of DB and of TAB: similarity of every clip and concept; float32 [clips, concepts]."""
    return {
        "DB": stages.concept_similarity(run, clip_descriptions(run)),
        "TAB": stages.sound_similarity(run),
    }


def _truth(run: Run, model: str) -> list[int]:
    """Which concept each classifier unit stands for."""
    return [run.concepts.index(name) for name in _known_classes(run, model)]


def _name_cosines(run: Run) -> np.ndarray:
    """Cosines of the encoded names of concepts, [concepts, concepts]."""
    names = stages.embeddings(run, run.concepts, run.profile.encoder)
    return names @ names.T


def _last_layer_rows(run: Run, model: str):
    truth, cosine = _truth(run, model), _name_cosines(run)
    trained = unit_activations(run, model)["classifier"]
    untrained = unit_activations(run, model, untrained=True)["classifier"]
    p = {"TAB": stages.sound_similarity(run), "DB": stages.concept_similarity(run, clip_descriptions(run))}
    test = np.isin(run.probing_set.folds, TEST)
    cases = {
        (method, condition): case
        for method in p
        for condition, case in {
            "all clips": (trained, p[method]),
            "fold 1": (trained[test], p[method][test]),
            "untrained network": (untrained, p[method]),
        }.items()
    }
    held_out = cross_fitting.logits(run, model)
    cases |= {(method, "cross-fitted"): (held_out, p[method]) for method in p if held_out is not None}
    cases |= {
        ("DB", control): (trained, stages.concept_similarity(run, clip_descriptions(run, control)))
        for control in CONTROLS
    }
    yield from _asked(run, model, truth, cosine)
    for (method, condition), (u, similarities) in cases.items():
        if not len(u):
            continue  # a set without folds has no fold 1
        for function in FUNCTIONS:
            scores = stages.closed_scores(run, method, function, u, similarities)
            found = concepts.identification(concepts.ranked(scores, 5), truth, cosine)
            yield _identified(model, method, function, condition, found)
    found = concepts.identification(concepts.ranked(_string_match(run, trained), 5), truth, cosine)
    yield _identified(model, "string match", "mentions", "all clips", found)


def _asked(run: Run, model: str, truth: Sequence[int], cosine: np.ndarray):
    """ICL's rows, one for each number of worked examples."""
    for shots in asking.SHOTS:
        found = _answered(run, model, shots, truth, cosine)
        yield _identified(model, "ICL", f"{shots}-shot", "all clips", found) | {"none": int(np.nansum(found["none"]))}


def _answered(run: Run, model: str, shots: int, truth: Sequence[int], cosine: np.ndarray) -> dict[str, np.ndarray]:
    """`concepts.identification` of ICL's answers, and none: whether no concept was named; nan where no answer is kept.

    One ranked list a unit, so that its first five hold its first; naming none is a wrong answer.
    """
    found = {column: np.full(len(truth), np.nan) for column in (*MEASURED, "none")}
    for unit, (named, true) in enumerate(zip(icl(run, model, shots), truth, strict=True)):
        if named is not None:
            ranking = [run.concepts.index(name) for name in named]
            found["top1"][unit], found["top5"][unit] = ranking[:1] == [true], true in ranking[:5]
            found["cos"][unit] = cosine[ranking[0], true] if ranking else 0
            found["none"][unit] = not ranking
    return found


def icl(run: Run, model: str, shots: int) -> list[tuple[str, ...] | None]:
    """The concepts that the language model names for each classifier unit, best first (Section 3.3); None where there
    is no answer. It reads the calibrated summary; under `icl_uncalibrated` the uncalibrated one."""
    table = stages.neurons_by_language_model(run, model)
    table = table[table["layer"] == "classifier"].set_index("index")
    read = table["high" if "icl_uncalibrated" in run.faults else "calibrated"]
    named = dict(zip(read.index, asking.choices(run, read, shots), strict=True))
    return [named.get(unit) for unit in range(len(run.target(model).classes))]


def named_units(run: Run, model: str, function: str) -> pd.DataFrame:
    """What DB calls each classifier unit, on all clips: one row a unit; columns model, class, first, second,
    right."""
    classes = _known_classes(run, model)
    u = unit_activations(run, model)["classifier"]
    scores = stages.closed_scores(run, "DB", function, u, stages.concept_similarity(run, clip_descriptions(run)))
    first, second = (np.array(run.concepts)[column] for column in concepts.ranked(scores, 2).T)
    right = np.where(first == np.array(classes), "yes", "no")
    return pd.DataFrame({"model": model, "class": classes, "first": first, "second": second, "right": right})


def _identified(model: str, method: str, function: str, condition: str, found: Mapping[str, np.ndarray]) -> dict:
    known = {column: found[column][~np.isnan(found[column])] for column in MEASURED}
    shares = {column: float(values.mean()) if len(values) else np.nan for column, values in known.items()}
    keys = {"model": model, "method": method, "function": function, "condition": condition}
    return {**keys, **shares, "units": len(known["top1"])}


def _string_match(run: Run, u: np.ndarray) -> np.ndarray:
    """The control without any encoder: how many of a unit's K highest clips have a description naming each concept."""
    texts = clip_descriptions(run)
    named = np.array([[language.mentions(text, name) for name in run.concepts] for text in texts], float)
    return named[highest(u, run.k)].sum(0)


def _known_classes(run: Run, model: str) -> tuple[str, ...]:
    classes = run.target(model).classes
    strangers = [name for name in classes if name not in run.concepts]
    if strangers:
        raise InputError(f"Classes {strangers[:3]} of {model} are not in the concept set, so no answer could be right.")
    return classes


def readings(run: Run) -> pd.DataFrame:
    """How far Table 2 moves with what the paper leaves open: how a layer's output becomes one number a clip and unit.

    One row a model and reading of its classes' units; columns axis, reading, top1 and top5 (DB on all clips, by the
    function that is best for the default reading), function, moved (share of units whose first concept differs from
    the default's).
    """
    names, p = (
        stages.embeddings(run, run.concepts, run.profile.encoder),
        stages.concept_similarity(run, clip_descriptions(run)),
    )
    rows = []
    for model in run.models:
        truth = [run.concepts.index(name) for name in _known_classes(run, model)]
        layers = _readings(run, run.target(model))
        network = replace(run.target(model), layers=tuple(layers.values()))  # all are read in one pass
        u = unit_activations(run, network).values()
        ranked = [{f: concepts.ranked(stages.closed_scores(run, "DB", f, x, p), 5) for f in FUNCTIONS} for x in u]
        found = [{f: concepts.identification(r[f], truth, names @ names.T) for f in FUNCTIONS} for r in ranked]
        best = max(FUNCTIONS, key=lambda f: (found[0][f]["top1"].mean(), found[0][f]["top5"].mean()))  # noqa: B023
        for (axis, reading), order, shares in zip(layers, ranked, found, strict=True):
            moved = (order[best][:, 0] != ranked[0][best][:, 0]).mean()
            top = {column: float(shares[best][column].mean()) for column in ("top1", "top5")}
            rows.append(
                {"model": model, "axis": axis, "reading": reading, **top, "function": best, "moved": float(moved)}
            )
    return pd.DataFrame(rows)


def _readings(run: Run, network: Target) -> dict[tuple[str, str], Layer]:
    """Axis and reading -> the layer so read: the classifier under other poolings and nonlinearities, and directions in
    the last block that mean classes."""
    last, classifier = network.layers[-2], network.layers[-1]
    weights = network.module.get_submodule(classifier.module).weight.detach().numpy().T
    means = _class_means(run, unit_activations(run, network)[last.name], network.classes)
    poolings = ("max", "first") if classifier.pooling != "none" else ()
    readings = {
        ("default", f"classifier, {classifier.pooling}"): classifier,
        **{("pooling", name): classifier.read(pooling=name) for name in poolings},
        **{("nonlinearity", name): classifier.read(nonlinearity=name) for name in ("relu", "gelu")},
        ("readout", f"{last.name}, classifier's weights"): last.read(readout=weights),
        ("readout", f"{last.name}, class means"): last.read(readout=means),
    }
    return {key: replace(layer, name=": ".join(key)) for key, layer in readings.items()}


def _class_means(run: Run, u: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """For each class, its clips' mean less that of all others, on folds 2-5; float32 [units, classes]."""
    learnt = np.isin(run.probing_set.folds, LEARNT)
    labels = np.array([clip.label for clip in run.probing_set.clips])
    member = [learnt & (labels == name) for name in classes]
    return np.stack([u[m].mean(0) - u[learnt & ~m].mean(0) for m in member], 1)


def closed_concepts(run: Run, unit: Unit, network: Target | None = None) -> list[dict[str, str]]:
    """TAB's and DB's three best concepts for one unit by each similarity function, all units of its layer scored
    together.

    network: the target, where it is not one of the profile's.
    """
    network = network or run.target(unit.model)
    network.check(unit)
    u = unit_activations(run, network)[unit.layer]
    hidden = network.layer(unit.layer).hidden
    rows = []
    for method, p in {
        "TAB": stages.sound_similarity(run),
        "DB": stages.concept_similarity(run, clip_descriptions(run)),
    }.items():
        for function in FUNCTIONS:
            scores = stages.closed_scores(run, method, function, u, p, hidden=hidden)
            best = concepts.ranked(scores[unit.index : unit.index + 1], 3)[0]
            named = {f"{place}.": run.concepts[i] for place, i in enumerate(best, 1)}
            rows.append({"method": f"{method} ({run.rests_on[method]})", "function": function, **named})
    return rows
