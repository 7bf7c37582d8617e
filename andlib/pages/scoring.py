"""Scores without humans: how well an explanation predicts its unit on clips that it was not made from.

The match of an explanation with a clip stands for the predicted activation, as the simulated one does in Bills et al.
2023: the mean cosine of the explanation's phrases and the clip's description ("captions") or its sound ("sound")."""

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import pandas as pd
from jaxtyping import Float

from andlib import stages
from andlib.activations import filled
from andlib.descriptions import clip_descriptions
from andlib.pages import explanations, measures, wording
from andlib.pages.explanations import MATCHERS, METHODS, NULLS, described, phrases
from andlib.responses import unit_activations
from andlib.run import Run
from andlib.statistics import bootstrap_weights, holm, interval, two_sided_p
from andlib.store import Stage
from andlib.targets import Target

SCORES, RELIABILITY = Stage("scores", "arrays", 2), Stage("reliability", "frame", 2)
SHARE = 0.1  # of the clips that a unit is scored on: the highest count as active
DRAWS, SEED = 1000, 0
HALVES = ((2, 3), (4, 5))  # of the folds that describe
MEASURES = ("pearson", "auprc", "auroc", "f1", "iou", "balanced_accuracy", "hard_balanced_accuracy")
BOUNDS = ("pearson_low", "pearson_high", "balanced_low", "balanced_high")
REASONS = ("", "no explanation", "same activation on every clip", "same match with every clip")
SHAPE = ["clarity", "polysemanticity", "redundancy"]
ENDS = ["unit", "pearson", "method", "explanation", "pearson_low", "pearson_high", "auprc", "balanced_accuracy"]


def score_neurons(run: Run, model: str | Target) -> pd.DataFrame:
    """How good the explanations of a model's units are: described from folds 2-5, scored on fold 1, one row a unit,
    method and matcher. Raises InputError where there is no fold 1.

    Columns: unit, layer, index; method (METHODS), matcher (MATCHERS), explanation; clips (scored on), active (of them,
    the highest 10 %); each of MEASURES and BOUNDS (95 %, source recordings drawn anew within classes), base_rate and
    lift = auprc / base_rate; shuffled (pearson of another unit's explanation); each of SHAPE (of all methods); reason
    (why measures are NaN; else empty)."""
    table, stored = described(run, model), _stored(run, model)
    common = table[["unit", "layer", "index"]].reset_index(drop=True)
    shape = pd.DataFrame(stored["shape"].T, columns=SHAPE)
    counted = pd.DataFrame(stored["counted"].T, columns=["clips", "active"])
    frames = []
    for method, matcher in product(METHODS, MATCHERS):
        scores = pd.DataFrame(stored[f"{method}/{matcher}/"].T, columns=[*MEASURES, *BOUNDS, "reason"])
        scores["reason"] = [REASONS[int(code)] for code in scores["reason"]]
        scores["base_rate"] = counted["active"] / counted["clips"]
        scores["lift"] = scores["auprc"] / scores["base_rate"]
        scores["shuffled"] = stored[f"{method}/{matcher}/shuffled"][MEASURES.index("pearson")]
        names = {"method": method, "matcher": matcher, "explanation": explanations.in_words(phrases(table, method))}
        frames.append(pd.concat([common.assign(**names), counted.astype(int), scores, shape], axis=1))
    return pd.concat(frames, ignore_index=True)


def scorecard(run: Run, model: str | Target) -> pd.DataFrame:
    """Means over units beside their nulls: one row a layer ("all" first), method, matcher and null.

    null: "" for the unit's own explanation; else one of NULLS. Columns: units, explained (share that can be scored),
    each of MEASURES and lift with _low and _high (95 %: of pearson over source recordings, of the others over units);
    p, of a mean r beyond that of shuffled explanations (two-sided, the same draws), and p_holm over a layer's rows."""
    table, stored = described(run, model), _stored(run, model)
    cases = list(product(METHODS, MATCHERS, ("", *NULLS)))
    values = np.stack([stored["/".join(case)][: len(MEASURES)] for case in cases])
    lift = values[:, [MEASURES.index("auprc")]] * stored["counted"][0] / stored["counted"][1]
    values, rows = np.concatenate([values, lift], axis=1), []
    names = [f"{name}{end}" for end in ("", "_low", "_high") for name in (*MEASURES, "lift")]
    for number, layer in enumerate(["all", *dict.fromkeys(table["layer"])]):
        inside = values[..., (table["layer"] == layer).to_numpy() | (layer == "all")]
        means, explained = _means_of_units(inside), np.isfinite(inside[:, 0]).mean(1)
        drawn = {case: stored["/".join(case) + "/draws"][number] for case in cases}
        for case, known, sides in zip(cases, explained, means, strict=True):
            row = dict(zip(("layer", "method", "matcher", "null"), (layer, *case), strict=True))
            row |= {"units": inside.shape[2], "explained": known, **dict(zip(names, sides.flat, strict=True))}
            row["pearson_low"], row["pearson_high"] = interval(drawn[case])
            rows.append(row | {"p": np.nan if case[2] else two_sided_p(drawn[case] - drawn[*case[:2], "shuffled"])})
    card = pd.DataFrame(rows)
    return card.assign(p_holm=card.groupby("layer", sort=False)["p"].transform(holm))


def _means_of_units(values: Float[np.ndarray, "cases measures units"]) -> Float[np.ndarray, "cases 3 measures"]:
    """Mean over the units that have a measure, and its 95 % interval over units drawn anew; NaN for a single unit."""
    units, known = values.shape[2], np.isfinite(values)
    weights = np.random.default_rng(SEED).multinomial(units, np.full(units, 1 / units), size=DRAWS).astype(float)
    weights = np.vstack([np.ones(units), weights if units > 1 else np.nan * weights])
    with np.errstate(invalid="ignore"):  # no unit has it
        means = np.where(known, values, 0) @ weights.T / (known @ weights.T)
    return np.stack([means[..., 0], *np.quantile(means[..., 1:], (0.025, 0.975), axis=-1)], axis=1)


def reliability(run: Run, model: str | Target) -> pd.DataFrame:
    """Whether explanations and scores come again from other recordings: one row a method and matcher.

    halves: Spearman's rho, over units, of the r of one explanation on two halves of fold 1's source recordings. retest:
    the same where explanations come from HALVES, too. same: mean share of phrases that both have; chance: of others."""
    tables = [described(run, model), *(stages.neurons(run, model, h) for h in HALVES)]
    return run.store.get(RELIABILITY, _made_from(run, model, tables), lambda: _reliability(run, model, tables))


def _reliability(run: Run, model: str | Target, tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    among = explanations.scored_clips(run.probing_set)
    _, source = np.unique(np.where(among, run.probing_set.sources, ""), return_inverse=True)
    halves = [among & (source % 2 == half) for half in (0, 1)]
    u = np.concatenate(list(unit_activations(run, model).values()), axis=1).T
    match = dict(explanations.matches(run, tables, METHODS, ("",)))

    def rho(*described_from: int) -> float:
        pairs = zip(halves, (match[case][which] for which in described_from), strict=True)
        first, second = (pd.Series(measures.pearson(u[:, half], own[:, half])) for half, own in pairs)
        return first.corr(second, method="spearman")

    rows = []
    for method, matcher in product(METHODS, MATCHERS):
        case = f"{method}/{matcher}/"
        first, second = (phrases(table, method) for table in tables[1:])
        other = [second[i] for i in np.random.default_rng(SEED).permutation(len(second))]
        row = {"method": method, "matcher": matcher, "halves": rho(0, 0), "retest": rho(1, 2)}
        rows.append(row | {"same": explanations.shared(first, second), "chance": explanations.shared(first, other)})
    return pd.DataFrame(rows)


def of_models(run: Run, table: Callable[[Run, str], pd.DataFrame]) -> pd.DataFrame:
    """`score_neurons`, `scorecard` or `reliability` of every model of the run, with a column model."""
    return pd.concat([table(run, model).assign(model=model) for model in run.models], ignore_index=True)


def best_and_worst(scores: pd.DataFrame) -> pd.DataFrame:
    """The three highest and the three lowest r of each method by sound. scores: `score_neurons`."""
    ranked = scores[(scores["matcher"] == "sound") & scores["pearson"].notna()]
    by_method = [rows.sort_values("pearson", ascending=False) for _, rows in ranked.groupby("method", sort=False)]
    return pd.concat([rows.iloc[[0, 1, 2, -3, -2, -1]] for rows in by_method])[ENDS]


def shape_by_layer(scores: pd.DataFrame) -> pd.DataFrame:
    """Means of SHAPE by model and layer, and "with r": Spearman's rho of each with DB's r. scores: `of_models`."""
    units, rows = scores[(scores["method"] == "DB") & (scores["matcher"] == "captions")], []
    for model, own in units.groupby("model", sort=False):
        by_layer = own.groupby("layer", sort=False)
        rows += [{"model": model, "layer": layer, **inside[SHAPE].mean()} for layer, inside in by_layer]
        rows.append({"model": model, "layer": "with r", **own[SHAPE].corrwith(own["pearson"], method="spearman")})
    return pd.DataFrame(rows)


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """What the page keeps: scores over all units, and their reliability."""
    cards = of_models(run, scorecard)
    scores = cards[cards["layer"] == "all"].drop(columns="layer")
    return {"scores": scores, "reliability": of_models(run, reliability)}


def words(run: Run, cards: pd.DataFrame, scores: pd.DataFrame) -> dict[str, object]:
    """The numbers of the page's prose. cards, scores: `of_models`."""
    own = cards[(cards["layer"] == "all") & (cards["null"] == "")].set_index(["model", "method", "matcher"])
    best = {model: own.loc[(model, *own.loc[model]["pearson"].idxmax())] for model in run.models}
    named = {model: f"{row.name[1]} by {row.name[2]} ({row['pearson']:.2f})" for model, row in best.items()}
    means = {model: own.loc[model]["pearson"].groupby("method", sort=False).mean() for model in run.models}
    places = {model: f"{mean.rank(ascending=False)['summary']:.0f} of {len(mean)}" for model, mean in means.items()}
    by_sound = scores[scores["matcher"] == "sound"]
    above = by_sound["pearson_low"].gt(0).groupby([by_sound["model"], by_sound["method"]], sort=False).mean()
    spoken = {"share": SHARE, "best": wording.by_model(named, ""), "summaries": wording.by_model(places, "")}
    for name, measure in {"hard": "hard_balanced_accuracy", "easy": "balanced_accuracy"}.items():
        spoken[name] = wording.by_model({model: row[measure] for model, row in best.items()})
    spoken |= {"above": "; ".join(f"{model}: {wording.by_model(above.loc[model])}" for model in run.models)}
    spoken |= {"scored": wording.by_model(scores.groupby("model", sort=False)["unit"].nunique(), ",")}
    return spoken | {"k": run.k}


def _stored(run: Run, model: str | Target) -> dict[str, np.ndarray]:
    """What `score_neurons` and `scorecard` read: `shape`, `counted`, and for each "method/matcher/null" the measures
    (MEASURES, BOUNDS, index into REASONS) of every unit, [measures, units]; under ".../draws", mean r in every
    bootstrap draw, over all units and by layer, [1 + layers, draws]."""
    table = described(run, model)
    return run.store.get(SCORES, _made_from(run, model, [table]), lambda: _score(run, model, table))


def _made_from(run: Run, model: str | Target, tables: Sequence[pd.DataFrame]) -> list:
    spoken = [{method: phrases(table, method) for method in METHODS} for table in tables]
    exemplars = [filled(table[side])[0] for table in tables for side in ("highest", "lowest")]
    records = [run.probed(model), run.probing_set, run.profile.seconds, clip_descriptions(run), run.method]
    return [*records, spoken, exemplars, SHARE, DRAWS, SEED]


def _score(run: Run, model: str | Target, table: pd.DataFrame, methods: Sequence[str] = METHODS) -> dict:
    kept = np.flatnonzero(explanations.scored_clips(run.probing_set))
    sounds, first, layers = stages.sound_vectors(run)[kept], 0, []
    for values in unit_activations(run, model).values():
        u = values[kept].T
        fired = measures.most(u, np.full(len(u), round(SHARE * len(kept))))
        own = u, fired, measures.hard_negatives(fired, sounds @ sounds.T)
        layers.append((slice(first, first := first + len(u)), *own))
    labels, sources = run.probing_set.labels[kept], run.probing_set.sources[kept]
    weights = bootstrap_weights(labels, sources, DRAWS, np.random.default_rng(SEED))
    _, one, groups = np.unique(np.char.add(labels.astype(str), sources), return_index=True, return_inverse=True)
    sums = measures.resampled(weights[:, one], groups)
    stored = {"shape": np.concatenate([_shape(run, table.iloc[units]) for units, *_ in layers], axis=1)}
    active = np.concatenate([active.sum(1) for _, _, active, _ in layers])
    stored["counted"] = np.stack([np.full(len(active), len(kept)), active])
    for case, [match] in explanations.matches(run, [table], methods):
        scored = [_of_layer(*own, match[units][:, kept], sums, case.endswith("/")) for units, *own in layers]
        stored[case] = np.concatenate([values for values, _ in scored], axis=1)
        drawn = [np.where(np.isfinite(r), r, 0).sum(1) for _, r in scored], [np.isfinite(r).sum(1) for _, r in scored]
        totals, counts = (np.vstack([np.sum(parts, 0), *parts]) for parts in drawn)
        stored[f"{case}/draws"] = totals / np.where(counts, counts, np.nan)
    return stored


def _of_layer(u: np.ndarray, active: np.ndarray, hard: np.ndarray, match: np.ndarray, sums, bounded: bool):
    """A layer's part of `_stored` under one explanation a unit, and Pearson's r in every draw [draws, units]."""
    values = measures.agreement(u, match, active)
    undefined = np.isnan(values["pearson"])
    told = measures.ranking(match, active, active | hard)["balanced_accuracy"]
    values["hard_balanced_accuracy"] = np.where(undefined, np.nan, told)
    drawn = measures.resampled_pearson(sums, u, match)
    bounds = np.full((4, len(u)), np.nan)
    if bounded:
        accuracy = measures.resampled_accuracy(sums, match >= values["threshold"][:, None], active)
        bounds = np.where(undefined, np.nan, [*measures.bounds(drawn), *measures.bounds(accuracy)])
    varies = np.isfinite(measures.centred(u)).any(1)
    reason = np.select([~undefined, np.isnan(match).any(1), ~varies], [0, 1, 2], 3)
    return np.vstack([*(values[name] for name in MEASURES), bounds, reason]), drawn


def _shape(run: Run, table: pd.DataFrame) -> np.ndarray:
    """Clarity, polysemanticity and redundancy of one layer's units by the sounds of their highest clips, [3, units]."""
    clips, own = filled(table["highest"])
    shape, whole = np.full((3, len(table)), np.nan), own.all(1) & (len(own.T) == run.k)  # K exemplars, no fewer
    if whole.any():
        exemplars = stages.sound_vectors(run)[clips[whole]]
        shape[:, whole] = [*measures.exemplar_shape(exemplars), measures.redundancy(exemplars.mean(1))]
    return shape
