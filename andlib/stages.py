"""The flow: from a probing set and a target network to a table of described neurons, each stage stored.

    clips ─► activations ─► highest / lowest clips ─► summaries ─► calibrated ─► open concepts ─┐
      └────► texts ───────► similarity of activations and concepts ─► closed concepts ──────────┴─► neurons
`neurons` is that line; every other function here is one of its arrows."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import scipy  # its parts are loaded when they are first needed

from andlib import asking, concepts, encoders, kept, language, summaries
from andlib.activations import choose
from andlib.concepts import FUNCTION
from andlib.descriptions import clip_descriptions
from andlib.errors import InputError, check_choice
from andlib.records import Unit
from andlib.responses import ACTIVATIONS, Extremes, highest_and_lowest, too_large, unit_activations
from andlib.run import Run
from andlib.similarity import FUNCTIONS
from andlib.store import Stage
from andlib.targets import Target

NEURONS = Stage("neurons", "frame", 5)  # raise it when a summary, its calibration or its open concepts change
LABELS = Stage("neurons", "frame", 4)  # raise it, too, when that changes which classes units are given (Section 4.3)
EMBEDDINGS = Stage("embeddings", "arrays")
SOUNDS = Stage("sound_vectors", "arrays")
CONCEPT_SOUNDS = Stage("sounds", "arrays")
EVERY = (1, 2, 3, 4, 5)  # folds
PARTS = ("adjectives", "nouns", "verbs", "prepositions", "raw_nouns")  # of speech, in C_open


def neurons(
    run: Run,
    model: str | Target,
    folds: Sequence[int] = EVERY,
    layers: Sequence[str] = (),
    control: str = "",
    *,
    function: str = FUNCTION,
) -> pd.DataFrame:
    """Every described neuron of a model, one row a unit, from the clips of `folds`.

    Columns: unit, layer, index, dead (every clip activates it alike); highest and lowest (clip indices in the whole
    set), used (how many highest there are), hardly_fires (fewer than K, see `activations.choose`), tied and tied_low
    (how many more clips are as high or as low as the last of them); high, low, calibrated (points of S_h, S_l, S_h^c);
    kinds (of each point of S_h: source, quality or event); like, cosine (for each point of S_h, the closest of S_l);
    adjectives, nouns, verbs, prepositions, raw_nouns (C_open), length; db, tab (the three best concepts).
    layers: some of the target's; all by default. control: as for `clip_descriptions`. function: of
    similarity.FUNCTIONS, by which db and tab are chosen. Warns where these name most units of a layer alike."""
    check_choice("Similarity function", function, FUNCTIONS)
    network = run.probed(model)
    described, where, texts = network.only(layers), run.probing_set.numbers_in(folds), clip_descriptions(run, control)
    if len(where) < run.k:
        raise InputError(f"{len(where)} clips cannot give K = {run.k} highest; lower k or probe with more clips.")

    def make() -> pd.DataFrame:
        extremes = highest_and_lowest(run, network, where)
        units = unit_table(run.k, described, extremes, where)
        written = summarised(run, units, texts)
        p = {"DB": concept_similarity(run, texts), "TAB": sound_similarity(run)}
        closed = closed_concepts(run, described, extremes, p, where, function)
        return concluded(run, pd.concat([units, written, closed], axis=1))

    table = run.store.get(NEURONS, _made_from(run, described, where, texts, function), make)
    if len(run.concepts) >= concepts.ENOUGH:
        concepts.warn_where_alike(table, function)
    return table


def _made_from(run: Run, described: Target, where: np.ndarray, texts: Sequence[str], function: str = FUNCTION) -> list:
    return [described, run.probing_set, where, texts, replace(run.method, function=function), ACTIVATIONS]


def neuron(run: Run, network: Target, unit: Unit, u: np.ndarray | None = None) -> pd.Series:
    """One described neuron, a row of `neurons` from all clips: read where its network's are stored, else described by
    itself, in moments. network: `run.probed`. u: its layer's activations, if others than the run's; [clips, units]."""
    where, texts, layer = run.probing_set.numbers_in(EVERY), clip_descriptions(run), network.only([unit.layer])
    for described in (network, layer) if u is None else ():
        if too_large(run, network) or run.store.holds(NEURONS, _made_from(run, described, where, texts)):
            table = neurons(run, network, layers=[each.name for each in described.layers])
            return table[table["unit"] == unit.id].iloc[0]
    u = unit_activations(run, network)[unit.layer] if u is None else u
    extremes = {unit.layer: (choose(u, run.k), choose(-u, run.k), u)}
    p = {"DB": concept_similarity(run, texts), "TAB": sound_similarity(run)}
    row = slice(unit.index, unit.index + 1)
    closed = closed_concepts(run, layer, extremes, p, where, FUNCTION)[row]
    own = unit_table(run.k, layer, extremes, where)[row]
    sides = own.iloc[0][["highest", "lowest"]]
    clips = np.unique(np.concatenate(list(sides)))  # the others' captions need not be read
    few = own.assign(**{name: [np.searchsorted(clips, side)] for name, side in sides.items()})
    written = summarised(run, few, [texts[i] for i in clips])
    return concluded(run, pd.concat([own, written, closed], axis=1)).iloc[0]


def unit_table(k: int, network: Target, extremes: Extremes, where: np.ndarray) -> pd.DataFrame:
    """One row a unit: its name and its highest and lowest clips, numbered in the whole set, with how many they are."""
    tables = []
    for layer in network.layers:
        highest, lowest, _ = extremes[layer.name]
        used, lower = (np.array([len(clips) for clips in side.clips]) for side in (highest, lowest))
        columns = {
            "unit": [Unit(network.name, layer.name, i).id for i in range(layer.units)],
            "layer": layer.name,
            "index": range(layer.units),
            "dead": used + lower == 0,
            "hardly_fires": (used < k) & (used + lower > 0),
            "used": used,
            "highest": [where[clips] for clips in highest.clips],
            "lowest": [where[clips] for clips in lowest.clips],
            "tied": highest.tied,
            "tied_low": lowest.tied,
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


# Module B: summaries, and their calibration


def summarised(run: Run, units: pd.DataFrame, texts: Sequence[str]) -> pd.DataFrame:
    """S_h and S_l of every unit by the run's summariser: columns high, kinds, low.

    Raises InputError where that is a language model and it has not answered for every neuron."""
    if run.summariser == "rules":
        from andlib.mini.consensus import Consensus

        return Consensus(texts).table(units)
    written = asking.summaries(run, units, texts)
    if not written.pop("answered").all():
        remedy = "name one that can be asked (-p llm smollm2), or run the page again, which asks those that failed"
        raise InputError(f"The language model has not answered for every neuron: {remedy}.")
    return written


def concluded(run: Run, table: pd.DataFrame, writer: str = "") -> pd.DataFrame:
    """Neurons with summaries `high` and `low`, calibrated (module B) and read for open concepts (module C).

    writer: by default the run's summariser; for "llm" the language model judges the adjectives, else a list of ours."""
    writer, acoustic = writer or run.summariser, language.is_acoustic
    calibrated = calibrate(run, table, writer)
    if writer == "llm":
        acoustic = asking.acoustic_filter(run, calibrated["calibrated"])
    return open_concepts(run, calibrated, acoustic)


def calibrate(run: Run, table: pd.DataFrame, writer: str) -> pd.DataFrame:
    """Adds the calibrated summary, without greetings and junk; and for each point of S_h the closest one of S_l.

    Points of our rules, all cast in a few moulds, are compared by what they claim; those of a language model as they
    stand. Neither is compared with another value of its own scale, which encoders find alike: "gradual" never falls to
    "sharp" (cosine -1, and "" where nothing else is there). Under `calibration_loop` all are compared as they stand."""
    from andlib.mini.consensus import claimed, opposed

    released = "calibration_loop" in run.faults
    points = sorted({point for column in ("high", "low") for row in table[column] for point in row})
    told = {point: claimed(point) if writer == "rules" and not released else point for point in points}
    row_of = {text: i for i, text in enumerate(sorted(set(told.values())))}
    vectors = embeddings(run, list(row_of), run.profile.encoder)
    rule = summaries.calibrate_as_released if released else summaries.calibrate
    by_substring = "word_lists_by_substring" in run.faults
    junk = {point for point in points if language.is_boilerplate(point, released=by_substring)}
    left, like, cosines = [], [], []
    for high, low in zip(table["high"], table["low"], strict=True):
        cosine = vectors[[row_of[told[p]] for p in high]] @ vectors[[row_of[told[p]] for p in low]].T
        if not released:
            cosine[[[opposed(p, q) for q in low] for p in high]] = -1
        h, lo = ([i for i, point in enumerate(side) if point not in junk] for side in (high, low))
        left.append(rule([high[i] for i in h], cosine[np.ix_(h, lo)]))
        closest = cosine.max(1, initial=-1)
        like.append([low[row.argmax()] if most > -1 else "" for row, most in zip(cosine, closest, strict=True)])
        cosines.append(closest)
    return table.assign(calibrated=left, like=like, cosine=cosines)


# Module C: open concepts


def open_concepts(run: Run, table: pd.DataFrame, acoustic: Callable[[str], bool]) -> pd.DataFrame:
    """Adds C_open: words of the calibrated summary by part of speech, and its length in words."""
    released = "word_lists_by_substring" in run.faults
    distinct = {
        points: language.open_concepts(points, released=released, acoustic=acoustic, tagger=run.tagger)
        for points in set(table["calibrated"])
    }
    rows = [distinct[points] for points in table["calibrated"]]
    words = {part: [list(Counter(getattr(row, part)).elements()) for row in rows] for part in PARTS}
    return table.assign(**words, length=[row.length for row in rows])


# Module A: closed concepts


def closed_concepts(
    run: Run, network: Target, extremes: Extremes, p: dict[str, np.ndarray], where: np.ndarray, function: str
) -> pd.DataFrame:
    """The three best concepts of each unit, a column a method (db, tab); none where activations were streamed.

    p: method -> similarity of every clip and concept. where: clips that describe. function: of similarity.FUNCTIONS."""
    best: dict[str, list[list[str]]] = {method.lower(): [] for method in p}
    for layer in network.layers:
        u = extremes[layer.name][2]
        for method, similarity in p.items():
            if u is None:
                best[method.lower()] += [[] for _ in range(layer.units)]
            else:
                scores = closed_scores(run, method, function, u, similarity[where], hidden=layer.hidden)
                best[method.lower()] += [[run.concepts[j] for j in row] for row in concepts.ranked(scores, 3)]
    return pd.DataFrame(best)


def closed_scores(
    run: Run, method: str, function: str, u: np.ndarray, p: np.ndarray, *, hidden: bool = False
) -> np.ndarray:
    """DB's or TAB's scores of each concept for a layer's units; [units, concepts]. hidden: not the classifier's."""
    options = {"single_argsort": True} if function == "rank_reorder" and "rank_single_argsort" in run.faults else {}
    one_at_a_time = "db_one_unit_at_a_time" in run.faults
    top_k_only = run.k if hidden and "db_top_k_only" in run.faults else 0
    if method == "DB" and (one_at_a_time or top_k_only):  # released code: gives TAB a layer at once
        return concepts.score_as_released(function, u, p, top_k_only=top_k_only, **options)
    return concepts.score(function, u, p, **options)


def embeddings(run: Run, texts: Sequence[str], encoder: str) -> np.ndarray:
    """Unit-length vectors of texts by a text encoder; float32 [texts, dimensions]."""
    texts, known = list(texts), encoders.fingerprint(encoder)
    make = lambda: {"vectors": encoders.encode(texts, encoder, known, run.store.device)}  # noqa: E731
    return run.store.get(EMBEDDINGS, [known, texts], make)["vectors"]


def concept_similarity(run: Run, texts: Sequence[str]) -> np.ndarray:
    """P for DB: cosine of each clip's description and each concept; float32 [clips, concepts] (Section 3.3)."""
    clips, names = (embeddings(run, each, run.encoder) for each in (texts, run.concepts))
    p = clips @ names.T
    # released code: data_utils.py:57
    return scipy.special.softmax(100 * p, axis=1) if "db_double_softmax" in run.faults else p


def sound_vectors(run: Run) -> np.ndarray:
    """Unit-length vectors of the clips' sounds by TAB's audio encoder; float32 [clips, dimensions]."""
    pair, seconds = encoders.audio_text(run.audio_encoder, run.store.device), run.profile.seconds
    batches = run.probing_set.batches(pair.sample_rate, seconds)  # read when they are asked for
    return run.store.get(SOUNDS, [pair, run.probing_set, seconds], lambda: {"vectors": pair.audio(batches)})["vectors"]


def sound_similarity(run: Run) -> np.ndarray:
    """P for TAB: cosine of each clip's sound and each concept; float32 [clips, concepts] (Section 3.3)."""
    pair = encoders.audio_text(run.audio_encoder, run.store.device)

    def make():
        return {"p": sound_vectors(run) @ pair.texts(run.concepts).T}

    others = [pair, run.profile.seconds, run.concepts]
    made_from, lasting = ([clips, *others] for clips in (run.probing_set, run.probing_set.layout))
    return kept.stage(run, CONCEPT_SOUNDS, made_from, lasting, make)["p"]


# The language model in place of our rules, for the neurons that it was asked about


def neurons_by_language_model(run: Run, model: str) -> pd.DataFrame:
    """The sampled units of `neurons` that the language model has answered for, with its summaries and their C_open."""
    table = asking.sampled(neurons(run, model))
    return rewritten(run, table, clip_descriptions(run)).reset_index(drop=True)


def rewritten(run: Run, table: pd.DataFrame, texts: Sequence[str]) -> pd.DataFrame:
    """Of some rows of `neurons`, those that the language model has answered for, described by it."""
    written = asking.summaries(run, table, texts)
    table = table.assign(**written[["high", "kinds", "low"]])[written["answered"]]
    return concluded(run, table, "llm")
