"""Section 4.1, Tables 2 and 7: naming the classes of the last layer, and any other unit, by closed concepts."""

from collections.abc import Callable, Iterable, Mapping
from itertools import combinations, product

import numpy as np
import pandas as pd

from andlib import asking, concepts, language, paper, stages
from andlib.activations import choose
from andlib.descriptions import CONTROLS, alone, clip_descriptions
from andlib.errors import InputError
from andlib.pages import rules
from andlib.pages.section_2 import captioner_accuracy
from andlib.pages.wording import by_model
from andlib.profiles import TEST
from andlib.records import Unit
from andlib.responses import classifier_outputs, unit_activations
from andlib.run import Run
from andlib.similarity import FUNCTIONS
from andlib.targets import Target
from andlib.unlearning import with_interval

METHODS, MEASURED = ("DB", "TAB", "ICL"), ("top1", "top5", "cos")
ICL = {"ICL": asking.choices, "ICL by likelihood": asking.likeliest}  # in the paper, in free text
DRAWS, SEED = 10_000, 0
HELD_OUT = "fold 1, foreseen"  # by the function that is best on the other folds
Conditions = dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]  # method, condition -> u, P


def best_function(results: pd.DataFrame, method: str = "DB", condition: str = "all clips") -> str:
    """The similarity function with the highest top-1 (ties: top-5, then cosine), on all clips as Table 2 takes it."""
    scored = results[(results["method"] == method) & (results["condition"] == condition)]
    return scored.sort_values(["top1", "top5", "cos"], ascending=False, kind="stable").iloc[0]["function"]


def at_best(results: pd.DataFrame) -> pd.DataFrame:
    """Rows of `last_layer` that Table 2 takes: each model's TAB and DB by their best functions, which is hindsight, and
    on fold 1 by the one that was best on the other folds (condition HELD_OUT); all of the other methods."""
    parts = []
    for (_, method), ours in results.groupby(["model", "method"], sort=False):
        closed = method in ("TAB", "DB")
        parts.append(ours[ours["function"] == best_function(ours, method)] if closed else ours)
        if closed and (ours["condition"] == "folds 2-5").any():
            foreseen = ours["function"] == best_function(ours, method, "folds 2-5")
            parts.append(ours[foreseen & (ours["condition"] == "fold 1")].assign(condition=HELD_OUT))
    return pd.concat(parts)


def similarities(run: Run) -> dict[str, np.ndarray]:
    """P of TAB and of DB: similarity of every clip and concept; float32 [clips, concepts]."""
    return {"TAB": stages.sound_similarity(run), "DB": stages.concept_similarity(run, clip_descriptions(run))}


def conditions_of(run: Run, model: str) -> Conditions:
    """What TAB and DB compare under every condition: the classifier's activations u and the similarities P. No network
    learnt from "fold 1"; an "untrained network", if it can be had, has a random classifier, too."""
    trained, twin = outputs(run, model), run.has_twin(model)
    test, conditions = np.isin(run.probing_set.folds, TEST), {}
    for method, p in similarities(run).items():
        conditions[method, "all clips"] = trained, p
        if 0 < test.sum() < len(test):  # a set without folds has no fold 1
            conditions[method, "fold 1"], conditions[method, "folds 2-5"] = ((trained[w], p[w]) for w in (test, ~test))
        if twin:
            conditions[method, "untrained network"] = outputs(run, model, untrained=True), p
    for control in (*CONTROLS, *alone(run)):
        conditions["DB", control] = trained, stages.concept_similarity(run, clip_descriptions(run, control))
    return conditions


def last_layer(run: Run, conditions: Mapping[str, Conditions] | None = None) -> pd.DataFrame:
    """Section 4.1: how often a method names the class of a classifier unit, by similarity function and condition.

    One row a model, method, function (ICL: how many worked examples) and condition; columns top1, top5 (shares of
    units), cos (mean cosine of the first concept and the true class; 0 where ICL names none), units (with an answer)
    and none (units for which ICL names no concept). conditions: model -> `conditions_of`, by default of all models."""
    rows, texts = [], clip_descriptions(run)
    said = np.array([[language.mentions(text, name) for name in run.concepts] for text in texts], float)
    for model, pairs in (conditions or {name: conditions_of(run, name) for name in run.models}).items():
        truth, cosine = true_concepts(run, model), name_cosines(run)
        for (way, ask), shots in product(ICL.items(), asking.SHOTS):
            named = _answered(run, model, shots, ask)
            row = _shares(model, way, f"{shots}-shot", "all clips", named)
            rows.append(row | {"none": int(np.nansum(named["none"]))})
        for (method, condition), (u, p) in pairs.items():
            for function in FUNCTIONS:
                scores = stages.closed_scores(run, method, function, u, p)
                named = concepts.identification(concepts.ranked(scores, 5), truth, cosine)
                rows.append(_shares(model, method, function, condition, named))
        # a control without any encoder: how many of a unit's K highest clips have a description naming each concept
        matched = np.stack([said[clips].sum(0) for clips in choose(outputs(run, model), run.k).clips])
        named = concepts.identification(concepts.ranked(matched, 5), truth, cosine)
        rows.append(_shares(model, "string match", "mentions", "all clips", named))
    return pd.DataFrame(rows)


def intervals(run: Run, results: pd.DataFrame) -> pd.DataFrame:
    """How sure Tables 2 and 7 are: methods by their best functions, and DB by each, on all clips, as `compared` has it.

    One row a model and method, function or pair; columns model, compared ("DB", "DB − TAB", "cos_cubed − wpmi"), and
    top1, top5 and cos, each with _low and _high. Two networks (model "ast − beats_frozen", compared "DB") are paired
    over the classes that both have. No draw chooses best functions anew. results: `last_layer`."""
    rows, p, cosine, by_class = [], similarities(run), name_cosines(run), {}
    pairs = [*combinations(METHODS, 2), *((concepts.FUNCTION, name) for name in FUNCTIONS if name != concepts.FUNCTION)]
    for model in run.models:
        truth, u = true_concepts(run, model), outputs(run, model)
        best = {method: best_function(results[results["model"] == model], method) for method in METHODS}
        named = {"ICL": _answered(run, model, int(best["ICL"][0]))}
        for name in ("TAB", "DB", *FUNCTIONS):
            method = "TAB" if name == "TAB" else "DB"
            scores = stages.closed_scores(run, method, best.get(name, name), u, p[method])
            named[name] = concepts.identification(concepts.ranked(scores, 5), truth, cosine)
        rows += [{"model": model, **row} for row in compared(named, pairs)]
        by_class[model] = pd.DataFrame(named["DB"], truth).reindex(range(len(run.concepts)))
    networks = compared(by_class, combinations(by_class, 2))[len(by_class) :]
    return pd.DataFrame(rows + [{"model": row["compared"], **row, "compared": "DB"} for row in networks])


def compared(named: Mapping[str, Mapping[str, np.ndarray]], pairs: Iterable[tuple[str, str]]) -> list[dict]:
    """Means over units of what methods named, then of differences of pairs of them, with 95 % intervals: units are
    drawn with replacement, the same for both of a pair, and one has no interval. named: method ->
    `concepts.identification`; nan is no answer, and such units are left out."""
    values = {name: {m: np.asarray(arrays[m], float) for m in MEASURED} for name, arrays in named.items()}
    for one, other in pairs:
        values[f"{one} − {other}"] = {m: values[one][m] - values[other][m] for m in MEASURED}
    rows = [{"compared": name} for name in values]
    for row, measure in product(rows, MEASURED):
        given = values[row["compared"]][measure]
        known, drawn = given[~np.isnan(given)], []
        if (count := len(known)) > 1:
            drawn = np.random.default_rng(SEED).multinomial(count, np.full(count, 1 / count), DRAWS) @ known / count
        row |= with_interval(measure, known.mean() if count else np.nan, drawn)
    return rows


def examined(run: Run, model: str) -> np.ndarray:
    """Which classifier units are asked for: those of the set's classes, if the network knows them all; int [units]."""
    known = run.target(model).classes
    whole = set(run.probing_set.classes) <= set(known)
    return np.flatnonzero(np.isin(known, run.probing_set.classes)) if whole else np.arange(len(known))


def outputs(run: Run, model: str, *, untrained: bool = False) -> np.ndarray:
    """u of the examined units; float32 [clips, units]."""
    return classifier_outputs(run, model, untrained=untrained)[:, examined(run, model)]


def true_concepts(run: Run, model: str) -> list[int]:
    """Which concept each examined unit stands for; raises InputError where the concept set lacks one."""
    classes = [run.target(model).classes[i] for i in examined(run, model)]
    if strangers := [name for name in classes if name not in run.concepts]:
        raise InputError(f"Classes {strangers[:3]} of {model} are not in the concept set, so no answer could be right.")
    return [run.concepts.index(name) for name in classes]


def name_cosines(run: Run) -> np.ndarray:
    """Cosines of the encoded names of concepts, [concepts, concepts]."""
    names = stages.embeddings(run, run.concepts, run.profile.encoder)
    return names @ names.T


def _answered(run: Run, model: str, shots: int, ask: Callable = asking.choices) -> dict[str, np.ndarray]:
    """`concepts.identification` of ICL's answers, and none (no concept was named, which is wrong); nan without one."""
    answers, truth, cosine = icl(run, model, shots, ask), true_concepts(run, model), name_cosines(run)
    rows = np.full((len(truth), len(MEASURED) + 1), np.nan)
    for row, unit, true in zip(rows, examined(run, model), truth, strict=True):
        if (named := answers[unit]) is not None:
            ranking = [run.concepts.index(name) for name in named]
            similar = cosine[ranking[0], true] if ranking else 0
            row[:] = ranking[:1] == [true], true in ranking[:5], similar, not ranking
    return dict(zip((*MEASURED, "none"), rows.T, strict=True))


def icl(run: Run, model: str, shots: int, ask: Callable = asking.choices) -> list[tuple[str, ...] | None]:
    """The concepts that the language model names for each classifier unit, best first (Section 3.3); None where there
    is no answer. It reads the calibrated summary; under `icl_uncalibrated` the uncalibrated one. ask: one of ICL."""
    table = stages.neurons_by_language_model(run, model)
    table = table[table["layer"] == "classifier"].set_index("index")
    read = table["high" if "icl_uncalibrated" in run.faults else "calibrated"]
    named = dict(zip(read.index, ask(run, read, shots), strict=True))
    return [named.get(unit) for unit in range(len(run.target(model).classes))]


def _shares(model: str, method: str, function: str, condition: str, named: Mapping[str, np.ndarray]) -> dict:
    known = {column: named[column][~np.isnan(named[column])] for column in MEASURED}
    shares = {column: float(values.mean()) if len(values) else np.nan for column, values in known.items()}
    keys = {"model": model, "method": method, "function": function, "condition": condition}
    return {**keys, **shares, "units": len(known["top1"])}


def named_units(run: Run, results: pd.DataFrame) -> pd.DataFrame:
    """What DB's best function calls each classifier unit: columns model, class, first, right, rank (of the class,
    from 1), said (largest share of its clips that captions of one origin name). results: `last_layer`."""
    said, tables = captioner_accuracy(run).groupby("label")["named"].max(), []
    for model, ours in results.groupby("model", sort=False):
        scores = stages.closed_scores(run, "DB", best_function(ours), outputs(run, model), similarities(run)["DB"])
        order, truth = concepts.ranked(scores, len(run.concepts)), np.array(true_concepts(run, model))
        first, classes = np.array(run.concepts)[order[:, 0]], np.array(run.concepts)[truth]
        columns = {"model": model, "class": classes, "first": first, "right": np.where(first == classes, "yes", "no")}
        columns |= {"rank": (order == truth[:, None]).argmax(1) + 1, "said": said.reindex(classes).to_numpy()}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables)


def said_in_words(units: pd.DataFrame) -> dict[str, str]:
    """How DB does where captions seldom name the class, and elsewhere. units: `named_units`."""
    right = (units["right"] == "yes").groupby(units["said"] < 0.5)
    told = {seldom: f"{ours.sum()} of {len(ours)}" for seldom, ours in right}
    return {"rarely_said": told.get(True, "none of none"), "often_said": told.get(False, "none of none")}


def closed_concepts(run: Run, unit: Unit, network: Target | None = None) -> pd.DataFrame:
    """TAB's and DB's three best concepts for one unit by each similarity function, all units of its layer scored
    together: columns method, 1., 2., 3. and function. network: the target, where it is not one of the profile's."""
    network = network or run.target(unit.model)
    network.check(unit)
    u, hidden, rows = unit_activations(run, network)[unit.layer], network.layer(unit.layer).hidden, []
    for (method, p), function in product(similarities(run).items(), FUNCTIONS):
        scores = stages.closed_scores(run, method, function, u, p, hidden=hidden)
        best = concepts.ranked(scores[unit.index : unit.index + 1], 3)[0]
        rows.append([f"{method} ({run.rests_on[method]})", *(run.concepts[i] for i in best), function])
    return pd.DataFrame(rows, columns=["method", "1.", "2.", "3.", "function"])


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """What `make results` keeps of the page."""
    results = last_layer(run)
    return {"last_layer": results, "intervals": intervals(run, results)}


def words(run: Run, best: pd.DataFrame, sure: pd.DataFrame, accuracy: pd.DataFrame) -> dict[str, object]:
    """The numbers of the page's sentences. best: `at_best`. sure: `intervals`. accuracy: of `section_4_0`."""
    of_db = best[best["method"] == "DB"].set_index("model")
    chosen, tested = (of_db[of_db["condition"] == condition] for condition in ("all clips", "fold 1"))
    printed, soft = paper.table2("ast")["top1"], paper.table7("ast")
    frames = {"4_0_target_networks": {"accuracy": accuracy}, "4_1_last_layer": {"intervals": sure}}
    spoken = {f"paper_{method.lower()}": printed[method] for method in METHODS}
    spoken |= {f"soft_{column}": soft.loc["soft_wpmi", column] for column in MEASURED}
    spoken |= {f"icl_{name}": _unnamed(best, shots) for name, shots in (("one", 1), ("two", 2))}
    claims = ("t2_db_best", "t2_follows_accuracy", "t7_cubed_best_db")
    spoken |= {claim: rules.judge(claim, frames)[0] for claim in claims} | {"concepts": len(run.concepts)}
    spoken |= {f"chance_{first}": concepts.chance(len(run.concepts), first) for first in (1, 5)}
    spoken |= {"icl": run.rests_on["ICL"], "tab": run.rests_on["TAB"], "title": run.profile.title}
    spoken |= {"top1": by_model(chosen["top1"]), "fold1": by_model(tested["top1"]) or "not to be had here"}
    functions = chosen["function"]
    alike = len(functions) > 1 and functions.nunique() == 1
    best = f"{functions.iloc[0]} for every network" if alike else by_model(functions, "")
    return spoken | {"best": best, "units": int(chosen["units"].iloc[0])}


def _unnamed(best: pd.DataFrame, shots: int) -> str:
    """By model, how many of the units that ICL was asked about got no name."""
    rows = best[(best["method"] == "ICL") & (best["function"] == f"{shots}-shot") & (best["units"] > 0)].itertuples()
    return ", ".join(f"{row.model} {row.none:.0f} of {row.units}" for row in rows) or "no answer is kept"
