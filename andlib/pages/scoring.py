"""Scores without humans: how well an explanation predicts its unit on clips that it was not made from.

The paper asks people (Table 3). Here the match of an explanation with a clip stands for the predicted activation, as
the simulated one does in Bills et al. 2023: the mean cosine of the explanation's phrases and the clip's description
(matcher "captions", a sentence encoder) or the clip's sound (matcher "sound", TAB's encoders, which read no caption).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from andlib import encoders, stages
from andlib.descriptions import clip_descriptions
from andlib.errors import InputError, check_choice
from andlib.pages import measures
from andlib.profiles import LEARNT, TEST
from andlib.records import ProbingSet
from andlib.responses import unit_activations
from andlib.run import Run
from andlib.statistics import bootstrap_weights, holm, interval
from andlib.store import Stage
from andlib.targets import Target

SCORES, RELIABILITY = Stage("scores", "arrays", 2), Stage("reliability", "frame", 2)
SHARE = 0.1  # of the clips that a unit is scored on: the highest count as active
DRAWS, SEED = 1000, 0
METHODS = ("DB", "TAB", "summary", "open concepts")
OF_EXEMPLARS = ("summary", "open concepts")  # made from a unit's highest and lowest clips alone
MATCHERS = ("captions", "sound")
NULLS = ("shuffled", "most common")
HALVES = ((2, 3), (4, 5))  # of the folds that describe
CLIPS = ("held out", "not exemplars")
MEASURES = ("pearson", "auprc", "auroc", "f1", "iou", "balanced_accuracy", "hard_balanced_accuracy")
BOUNDS = ("pearson_low", "pearson_high", "balanced_low", "balanced_high")
REASONS = ("", "no explanation", "same activation on every clip", "same match with every clip")

Rows = list[tuple[str, ...]]  # an explanation's phrases for each unit; none where it has no explanation


def score_neurons(
    run: Run, model: str | Target, clips: str = "held out", methods: Sequence[str] = METHODS
) -> pd.DataFrame:
    """How good the explanations of a model's units are: one row a unit, method and matcher.

    Columns: unit, layer, index; method (METHODS), matcher (MATCHERS), explanation; clips (scored on), active (of them,
    the highest 10 %); pearson with pearson_low and pearson_high; auprc, base_rate and lift = auprc / base_rate; auroc;
    f1, iou; balanced_accuracy with balanced_low and balanced_high; hard_balanced_accuracy (against the clips nearest in
    sound); clarity, polysemanticity, redundancy (of the exemplars' sounds, the same for every method); reason (why
    measures are NaN; else empty). Bounds: 95 %, source recordings drawn anew within classes. See `measures`.

    clips: "held out" describes units from folds 2-5 and scores them on fold 1. "not exemplars" describes them from all
    clips and scores each on those that share no source recording with its exemplars; only for `methods` that read
    exemplars alone (OF_EXEMPLARS). Raises InputError for others, or where there is no fold 1.
    """
    table, stored = described(run, model, clips, methods), _stored(run, model, clips, methods)
    common = table[["unit", "layer", "index"]].reset_index(drop=True)
    shape = pd.DataFrame(stored["shape"].T, columns=["clarity", "polysemanticity", "redundancy"])
    counted = pd.DataFrame(stored["counted"].T, columns=["clips", "active"])
    frames = []
    for method, matcher in product(methods, MATCHERS):
        scores = pd.DataFrame(stored[f"{method}/{matcher}/"].T, columns=[*MEASURES, *BOUNDS, "reason"])
        scores["reason"] = [REASONS[int(code)] for code in scores["reason"]]
        scores["base_rate"] = counted["active"] / counted["clips"]
        scores["lift"] = scores["auprc"] / scores["base_rate"]
        names = {"method": method, "matcher": matcher, "explanation": _in_words(explanations(table, method))}
        frames.append(pd.concat([common.assign(**names), counted.astype(int), scores, shape], axis=1))
    return pd.concat(frames, ignore_index=True)


def scorecard(run: Run, model: str | Target, clips: str = "held out", methods: Sequence[str] = METHODS) -> pd.DataFrame:
    """Means over units beside their nulls: one row a layer ("all" first), method, matcher and null.

    null: "" for the unit's own explanation; "shuffled" for another unit's; "most common" for the one that most units
    have. Columns: units, explained (share that has an explanation and can be scored), each of MEASURES with _low and
    _high (95 %: of pearson over source recordings, of the others over units), lift; p, of a mean r beyond that of
    shuffled explanations (two-sided, the same draws of source recordings), and p_holm over the rows of a layer.
    """
    table, stored = described(run, model, clips, methods), _stored(run, model, clips, methods)
    cases = list(product(methods, MATCHERS, ("", *NULLS)))
    values = np.stack([stored["/".join(case)][: len(MEASURES)] for case in cases])
    lift = values[:, [MEASURES.index("auprc")]] * stored["counted"][0] / stored["counted"][1]
    values, names = np.concatenate([values, lift], axis=1), [*MEASURES, "lift"]
    rows = []
    for number, layer in enumerate(["all", *dict.fromkeys(table["layer"])]):
        inside = values[..., (table["layer"] == layer).to_numpy() | (layer == "all")]
        means, explained = _means_of_units(inside), np.isfinite(inside[:, 0]).mean(1)
        drawn = {case: stored["/".join(case) + "/draws"][number] for case in cases}
        for case, known, sides in zip(cases, explained, means, strict=True):
            row = dict(zip(("layer", "method", "matcher", "null"), (layer, *case), strict=True))
            row |= {"units": inside.shape[2], "explained": known}
            for suffix, side in zip(("", "_low", "_high"), sides, strict=True):
                row |= {f"{name}{suffix}": value for name, value in zip(names, side, strict=True)}
            row["pearson_low"], row["pearson_high"] = interval(drawn[case])
            rows.append(row | {"p": np.nan if case[2] else _two_sided(drawn[case] - drawn[*case[:2], "shuffled"])})
    card = pd.DataFrame(rows)
    return card.assign(p_holm=card.groupby("layer", sort=False)["p"].transform(holm))


def _means_of_units(values: Float[np.ndarray, "cases measures units"]) -> Float[np.ndarray, "cases 3 measures"]:
    """Mean over the units that have a measure, and its 95 % interval over units drawn anew."""
    units, known = values.shape[2], np.isfinite(values)
    weights = np.random.default_rng(SEED).multinomial(units, np.full(units, 1 / units), size=DRAWS).astype(float)
    weights = np.vstack([np.ones(units), weights])
    with np.errstate(invalid="ignore"):  # no unit has it
        means = np.where(known, values, 0) @ weights.T / (known @ weights.T)
    return np.stack([means[..., 0], *np.quantile(means[..., 1:], (0.025, 0.975), axis=-1)], axis=1)


def _two_sided(drawn: np.ndarray) -> float:
    """p of bootstrap differences being on either side of 0."""
    return float(min(1, 2 * (1 + min((drawn <= 0).sum(), (drawn >= 0).sum())) / (len(drawn) + 1)))


def reliability(run: Run, model: str | Target) -> pd.DataFrame:
    """Whether explanations and scores come again from other recordings: one row a method and matcher.

    halves: Spearman's rho, over units, of the r of one explanation (folds 2-5) on two halves of fold 1's source
    recordings. retest: the same where the explanations, too, come from two halves, folds 2-3 and folds 4-5: nothing is
    shared. same: how much these two explanations agree, the mean share of their phrases that both have (for DB and
    TAB, how often the concept is the same); chance: the same for two units at random.
    """
    tables = [described(run, model, "held out", METHODS), *(stages.neurons(run, model, h) for h in HALVES)]
    made_from = _made_from(run, model, tables, "held out", METHODS)
    return run.store.get(RELIABILITY, made_from, lambda: _reliability(run, model, tables))


def _reliability(run: Run, model: str | Target, tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    among = scored_clips(run.probing_set, tables[0], "held out")
    _, source = np.unique(np.where(among[0], run.probing_set.sources, ""), return_inverse=True)
    u = np.concatenate(list(unit_activations(run, model).values()), axis=1).T
    match = dict(matches(run, tables, METHODS, ("",)))

    def rho(*described_from: int) -> float:
        scores = [
            measures.pearson(u, match[case][which], among & (source % 2 == half))
            for half, which in enumerate(described_from)
        ]
        return pd.Series(scores[0]).corr(pd.Series(scores[1]), method="spearman")

    rows = []
    for method, matcher in product(METHODS, MATCHERS):
        case = f"{method}/{matcher}/"
        first, second = (explanations(table, method) for table in tables[1:])
        other = [second[i] for i in np.random.default_rng(SEED).permutation(len(second))]
        row = {"method": method, "matcher": matcher, "halves": rho(0, 0), "retest": rho(1, 2)}
        rows.append(row | {"same": _shared(first, second), "chance": _shared(first, other)})
    return pd.DataFrame(rows)


def _shared(first: Rows, second: Rows) -> float:
    """Mean over units of the share of phrases that both explanations have, where there is one."""
    pairs = [(set(a), set(b)) for a, b in zip(first, second, strict=True) if a or b]
    return float(np.mean([len(a & b) / len(a | b) for a, b in pairs])) if pairs else float("nan")


def described(run: Run, model: str | Target, clips: str, methods: Sequence[str]) -> pd.DataFrame:
    """The neurons whose explanations are scored, described from the clips that `clips` allows (`score_neurons`)."""
    check_choice("Clips", clips, CLIPS)
    others = [method for method in methods if check_choice("Method", method, METHODS) not in OF_EXEMPLARS]
    if clips == "held out" and set(run.probing_set.folds) >= {*TEST, *LEARNT}:
        return stages.neurons(run, model, LEARNT)
    if clips == "held out":
        raise InputError(f"{run.profile.title} has no fold 1 beside others: score summaries on clips 'not exemplars'.")
    if others:
        raise InputError(
            f"{others[0]} chooses a concept by every clip's activation, so none is left to score it on but those of a "
            f"held-out fold. Choose clips 'held out', or methods {' and '.join(OF_EXEMPLARS)}."
        )
    return stages.neurons(run, model)


def scored_clips(probing_set: ProbingSet, table: pd.DataFrame, clips: str) -> Bool[np.ndarray, "units clips"]:
    """Which clips each unit is scored on: never one that took part in its explanation, nor another of its recording."""
    _, source = np.unique(probing_set.sources, return_inverse=True)
    barred = np.zeros((len(table), source.max() + 1), bool)
    if clips == "held out":
        barred[:, source[np.isin(probing_set.folds, LEARNT)]] = True
    else:
        exemplars = np.hstack([np.stack(table["highest"]), np.stack(table["lowest"])])
        barred[np.arange(len(table))[:, None], source[exemplars]] = True
    allowed = np.isin(probing_set.folds, TEST) if clips == "held out" else np.ones(len(source), bool)
    return ~barred[:, source] & allowed


def explanations(table: pd.DataFrame, method: str) -> Rows:
    """The phrases of each unit's explanation: the best concept of DB or TAB; the points of S_h^c, but for one that says
    that nothing is shared; the adjectives, nouns and verbs of C_open, as often as they are said."""
    from andlib.mini.consensus import NOTHING_SHARED

    if method in ("DB", "TAB"):
        return [tuple(best[:1]) for best in table[method.lower()]]
    if method == "summary":
        return [tuple(point for point in points if point != NOTHING_SHARED) for points in table["calibrated"]]
    return [tuple(word for part in row for word in part) for row in table[["adjectives", "nouns", "verbs"]].to_numpy()]


def _in_words(rows: Rows) -> list[str]:
    return [(" " if phrases and phrases[0].endswith(".") else ", ").join(dict.fromkeys(phrases)) for phrases in rows]


def _nulled(rows: Rows, null: str) -> Rows:
    """Other explanations for the units that have one: another unit's, or for all the one that most have."""
    own = [i for i, phrases in enumerate(rows) if phrases]
    order = np.random.default_rng(SEED).permutation(own)
    given = [rows[i] for i in order] if null == "shuffled" else Counter(rows[i] for i in own).most_common(1)[:1]
    given = given if null == "shuffled" else [given[0][0]] * len(own) if own else []
    nulled = [()] * len(rows)
    for i, phrases in zip(own, given, strict=True):
        nulled[i] = phrases
    return nulled


def matches(
    run: Run, tables: Sequence[pd.DataFrame], methods: Sequence[str], nulls: Sequence[str] = ("", *NULLS)
) -> Iterator[tuple[str, list[np.ndarray]]]:
    """For each "method/matcher/null", the match of every unit's explanation with every clip, float32 [units, clips]:
    the mean cosine of its phrases; NaN without any. One matrix a table of neurons."""
    own = {method: [explanations(table, method) for table in tables] for method in methods}
    phrases = sorted({phrase for of_tables in own.values() for rows in of_tables for row in rows for phrase in row})
    for matcher, cosine in _cosines(run, phrases).items():
        row_of, nothing = dict(zip(phrases, cosine, strict=True)), np.full(cosine.shape[1], np.nan, np.float32)

        def mean(rows: Rows, row_of=row_of, nothing=nothing) -> np.ndarray:
            found = {row: np.mean([row_of[p] for p in row], axis=0) if row else nothing for row in set(rows)}
            return np.stack([found[row] for row in rows])

        for method, null in product(methods, nulls):
            rows = [_nulled(each, null) if null else each for each in own[method]]
            yield f"{method}/{matcher}/{null}", [mean(each) for each in rows]


def _cosines(run: Run, phrases: list[str]) -> dict[str, Float[np.ndarray, "phrases clips"]]:
    """Cosine of every phrase with every clip by each of MATCHERS."""
    captions = stages.embeddings(run, clip_descriptions(run), run.profile.encoder)
    written = stages.embeddings(run, phrases, run.profile.encoder)
    embedded = run.audio_encoder == "embedded"  # its texts are the embedded sentence encoder's, stored by now
    texts = encoders.audio_text(run.audio_encoder).texts
    heard = stages.embeddings(run, phrases, encoders.EMBEDDED) if embedded else texts(phrases)
    return {"captions": written @ captions.T, "sound": heard @ stages.sound_vectors(run).T}


@dataclass(frozen=True)
class _Layer:
    """A layer's units on the clips of the score: activation, which clips count, which are active and which hard to
    tell from those; [units, clips]. units: where they stand among all of the model's."""

    units: slice
    activation: np.ndarray
    among: np.ndarray
    active: np.ndarray
    hard: np.ndarray


def _layers(run: Run, model: str | Target, among: np.ndarray, kept: np.ndarray) -> Iterator[_Layer]:
    heard, first = stages.sound_vectors(run)[kept], 0
    alike = heard @ heard.T
    for values in unit_activations(run, model).values():
        units = slice(first, first := first + values.shape[1])
        u, counts = values[kept].T, among[units][:, kept]
        active = measures.most(u, counts, np.round(SHARE * counts.sum(1)).astype(int))
        yield _Layer(units, u, counts, active, measures.hard_negatives(active, counts, alike))


def _stored(run: Run, model: str | Target, clips: str, methods: Sequence[str]) -> dict[str, np.ndarray]:
    """What `score_neurons` and `scorecard` read: `shape`, `counted`, and for each "method/matcher/null" the measures
    (MEASURES, BOUNDS, index into REASONS) of every unit, [measures, units]; under ".../draws", mean r in every
    bootstrap draw, over all units and by layer, [1 + layers, draws]."""
    table = described(run, model, clips, methods)
    made_from = _made_from(run, model, [table], clips, methods)
    return run.store.get(SCORES, made_from, lambda: _score(run, model, table, clips, methods))


def _made_from(
    run: Run, model: str | Target, tables: Sequence[pd.DataFrame], clips: str, methods: Sequence[str]
) -> list:
    spoken = [{method: explanations(table, method) for method in methods} for table in tables]
    exemplars = [np.stack(table[side]) for table in tables for side in ("highest", "lowest")]
    records = [run.probed(model), run.probing_set, run.profile.seconds, clips, clip_descriptions(run), run.method]
    return [*records, spoken, exemplars, SHARE, DRAWS, SEED]


def _score(run: Run, model: str | Target, table: pd.DataFrame, clips: str, methods: Sequence[str]) -> dict:
    among = scored_clips(run.probing_set, table, clips)
    kept = np.flatnonzero(among.any(0))
    layers = list(_layers(run, model, among, kept))
    labels, sources = run.probing_set.labels[kept], run.probing_set.sources[kept]
    weights = bootstrap_weights(labels, sources, DRAWS, np.random.default_rng(SEED))
    _, one, groups = np.unique(np.char.add(labels.astype(str), sources), return_index=True, return_inverse=True)
    sums = measures.resampled(weights[:, one], groups)
    stored = {
        "shape": np.concatenate([_shape(run, table.iloc[layer.units]) for layer in layers], axis=1),
        "counted": np.concatenate([[layer.among.sum(1), layer.active.sum(1)] for layer in layers], axis=1),
    }
    for case, [match] in matches(run, [table], methods):
        found = [_of_layer(layer, match[layer.units][:, kept], sums, case.endswith("/")) for layer in layers]
        stored[case] = np.concatenate([values for values, _ in found], axis=1)
        drawn = [np.where(np.isfinite(r), r, 0).sum(1) for _, r in found], [np.isfinite(r).sum(1) for _, r in found]
        totals, counts = (np.vstack([np.sum(parts, 0), *parts]) for parts in drawn)
        stored[f"{case}/draws"] = totals / np.where(counts, counts, np.nan)
    return stored


def _of_layer(layer: _Layer, match: np.ndarray, sums, bounded: bool) -> tuple[np.ndarray, np.ndarray]:
    """A layer's part of `_stored` under one explanation a unit, and Pearson's r in every draw [draws, units].

    bounded: whether bounds are asked for, of every unit.
    """
    u, among, active = layer.activation, layer.among, layer.active
    found = measures.agreement(u, match, active, among)
    undefined = np.isnan(found["pearson"])
    hard = measures.ranking(match, active, active | layer.hard)["balanced_accuracy"]
    found["hard_balanced_accuracy"] = np.where(undefined, np.nan, hard)
    drawn = measures.resampled_pearson(sums, u, match, among)
    bounds = np.full((4, len(u)), np.nan)
    if bounded:
        accuracy = measures.resampled_accuracy(sums, match >= found["threshold"][:, None], active, among)
        bounds = np.where(undefined, np.nan, [*measures.bounds(drawn), *measures.bounds(accuracy)])
    varies = np.isfinite(measures.centred(u, among)).any(1)
    reason = np.select([~undefined, np.isnan(match).any(1), ~varies], [0, 1, 2], 3)
    return np.vstack([*(found[name] for name in MEASURES), bounds, reason]), drawn


def _shape(run: Run, table: pd.DataFrame) -> np.ndarray:
    """Clarity, polysemanticity and redundancy of one layer's units by the sounds of their highest clips, [3, units]."""
    exemplars = stages.sound_vectors(run)[np.stack(table["highest"])]
    return np.stack([*measures.exemplar_shape(exemplars), measures.redundancy(exemplars.mean(1))])
