"""Section 4.4, Figures 4 and 5: how much the network needs units with some words, and adjectives by block.

chosen_units ─► silenced ─► curves, compared"""

from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np
import pandas as pd

from andlib import ablation, kept, paper, stages
from andlib.ablation import UnitSet
from andlib.bench import bench
from andlib.descriptions import alone
from andlib.pages.wording import by_model
from andlib.profiles import LEARNT, MODELS
from andlib.run import Run
from andlib.statistics import SUPPORTED, as_trend, bootstrap_weights, interval, spearmanr, together, verdict
from andlib.store import Stage, digest
from andlib.unlearning import block_units, by_layer, decided, leading_rows

_SETUP = paper.numbers()["figures"]["4_feature_importance"]
RIGHT = Stage("right", "arrays", ablation.VERSION)
PERCENT, SEEDS, BASIC = (tuple(_SETUP[name]) for name in ("ablated_percent", "seeds", "basic_adjectives"))
PANELS = {f"4{panel}": tuple(_SETUP[panel]) for panel in "abc"}
ATTRIBUTES = tuple(dict.fromkeys(name for panel in PANELS.values() for name in panel))
MATCHED_AT = 10  # %, where the paper's differences are largest: random sets with the same layers are drawn here alone
DRAWS, SEED = 1000, 0
NOT_WORSE, MUCH = -0.02, 0.1  # margins of accuracy in the verdicts
COMPARISONS = (  # claim, what hurts more by it, what less, percents averaged over, margin of the difference
    ("f4a_adjectives", "random", "adjectives", PERCENT, NOT_WORSE),
    *(("f4a_nouns", "nouns", "random", (r,), 0.0) for r in (4, 6, 8)),
    *(("f4a_nouns", "random", "nouns", (r,), 0.0) for r in (2, 10)),
    *(("f4b_basic", "basic adjectives", "high-level adjectives", (r,), MUCH * (r == 10)) for r in PERCENT),
    *(("f4c_single", "basic adjectives", word, PERCENT, 0.0) for word in BASIC),
    *(("beyond layers", name, f"{name}, same layers", (MATCHED_AT,), 0.0) for name in ATTRIBUTES[1:]),
)


def amount(neurons: pd.DataFrame, attribute: str) -> np.ndarray:
    """How often each neuron's calibrated summary holds one of ATTRIBUTES, int [units]. Repetitions count, for the paper
    ranks by "the number of" adjectives "in their summaries", and only Figure 5 by different ones (`different`).
    "random" is 1 for all; a single adjective 0 or 1, for its holders are not ranked."""
    if attribute == "random":
        return np.ones(len(neurons), int)
    if attribute == "summary length":
        return neurons["length"].to_numpy()
    if attribute in BASIC:
        return np.array([int(attribute in words) for words in neurons["adjectives"]])
    if attribute in neurons:
        return neurons[attribute].map(len).to_numpy()
    basic = attribute == "basic adjectives"
    return np.array([sum((word in BASIC) == basic for word in words) for words in neurons["adjectives"]])


def chosen(neurons: pd.DataFrame, attribute: str, percent: int, seed: int, faults: Iterable[str] = ()) -> UnitSet:
    """The `percent` % of block units with most of an attribute (Figs 4a, 4b); of a basic adjective's holders, as many,
    drawn at random, or all where they are fewer (Fig. 4c).

    neurons: block units alone. seed: decides among equals; sets of one seed are nested. faults: `ablate_leading_rows`
    takes as many leading units of each layer instead; under `word_lists_by_substring`, 12 % are 6442 of 55,346."""
    share = 6442 / 55_346 if percent == 12 and "word_lists_by_substring" in faults else percent / 100
    order = np.random.default_rng(seed).permutation(len(neurons))
    counts = amount(neurons, attribute)[order]
    ranked = order[np.argsort(-counts, kind="stable")][: round(share * len(neurons))]
    units = by_layer(neurons.iloc[np.sort(ranked[: counts.sum()] if attribute in BASIC else ranked)])
    return leading_rows(units) if "ablate_leading_rows" in faults else units


def ties(run: Run) -> pd.DataFrame:
    """How much the order of units rests on drawing lots, one row an attribute and model: held by (block units), least
    chosen (how much the last unit chosen at MATCHED_AT % holds), tied (how many hold exactly that)."""
    rows = []
    for model, attribute in product(run.models, ATTRIBUTES[1:]):
        counts = amount(block_units(stages.neurons(run, model, LEARNT)), attribute)
        last = max(np.sort(counts)[-round(MATCHED_AT / 100 * len(counts))], int(attribute in BASIC))
        rows.append((attribute, (counts > 0).sum(), last, (counts == last).sum(), model))
    return pd.DataFrame(rows, columns=["attribute", "held by", "least chosen", "tied", "model"])


def chosen_units(run: Run) -> pd.DataFrame:
    """The units to silence, by clips of folds 2-5; one row a model, attribute, percent, seed and set ("chosen"; at
    MATCHED_AT % also "matched": as many random units in each layer). The row of attribute "none" has no unit."""
    rows = []
    for model in run.models:
        neurons = block_units(stages.neurons(run, model, LEARNT))
        widths = neurons["layer"].value_counts(sort=False).to_dict()
        rows.append((model, "none", 0, SEED, "chosen", {}))
        for attribute in ATTRIBUTES:
            drawn = [(r, s, chosen(neurons, attribute, r, s, run.faults)) for r, s in product(PERCENT, SEEDS)]
            rows += [(model, attribute, percent, seed, "chosen", units) for percent, seed, units in drawn]
            for percent, seed, units in drawn:
                if percent == MATCHED_AT and attribute != "random":
                    random = ablation.matched_random(units, widths, np.random.default_rng(seed))
                    rows.append((model, attribute, percent, seed, "matched", random))
    return pd.DataFrame(rows, columns=["model", "attribute", "percent", "seed", "set", "units"])


def silenced(run: Run, units: pd.DataFrame) -> pd.DataFrame:
    """Figure 4: the rows of `chosen_units`, units being their number, with correct: which clips of fold 1, or of
    `Bench.few` for a network that takes long, are right without them (bool [clips]). Raises InputError as `bench`."""
    measured = {model: bench(run, model).few for model in units["model"].unique()}
    own = kept.keeps(run) and digest(units["units"].to_list()) == digest(chosen_units(run)["units"].to_list())
    parts = []
    for (model, attribute), rows in units.groupby(["model", "attribute"], sort=False):  # each stored by itself
        sets, tested = rows["units"].to_list(), measured[model].tested

        def make(bench=measured[model], sets=sets):
            return {"correct": bench.logits(sets).argmax(-1) == bench.tested.labels}

        lasting = [*decided(run, model), stages.NEURONS, attribute, PERCENT, SEEDS] if own else ()
        right = kept.stage(run, RIGHT, [measured[model].network, tested, sets], lasting, make)["correct"]
        parts.append(rows.assign(units=rows["units"].map(ablation.size), correct=list(right)))
    return pd.concat(parts, ignore_index=True)


def curves(run: Run, results: pd.DataFrame) -> pd.DataFrame:
    """Figure 4's points, one row an attribute, percent, set and model: units (mean); accuracy on fold 1 after it,
    mean, lowest and highest over seeds; low and high (95 % over seeds and sources). results: `silenced`."""
    weights, rows = {model: _weights(run, model) for model in results["model"].unique()}, []
    for (model, *key), group in results.groupby(["model", "attribute", "percent", "set"], sort=False):
        right = _by_seed(group)
        accuracy = right.mean(1)
        values = (group["units"].mean(), accuracy.mean(), accuracy.min(), accuracy.max())
        rows.append((*key, *values, *_ends(right, weights[model]), model))
    names = ["attribute", "percent", "set", "units", "accuracy", "lowest", "highest", "low", "high", "model"]
    return pd.DataFrame(rows, columns=names)


def compared(run: Run, results: pd.DataFrame) -> pd.DataFrame:
    """Figure 4's claims, one row a comparison and model; "beyond layers", on random units in the same layers, is ours.

    results: `silenced`. difference: accuracy without the units that should matter `less`, minus without those that
    should `more`, averaged over percents; low, high: 95 % over seeds, sources and sets, for any two sets of units
    differ (NaN where no unit holds one of the two); margin: what the claim asks of the difference; verdict."""
    rows = []
    for model, ours in results.groupby("model", sort=False):
        weights, spread = _weights(run, model), spread_of_sets(ours)
        named = ours["attribute"].where(ours["set"] == "chosen", ours["attribute"] + ", same layers")
        for claim, more, less, percents, margin in COMPARISONS:
            sides = [ours[(named == name) & ours["percent"].isin(percents)] for name in (less, more)]
            gained, held = np.subtract(*map(_by_seed, sides)), all(side["units"].all() for side in sides)
            low, high = _ends(gained, weights, 2**0.5 * spread) if held else (np.nan, np.nan)
            values = (verdict(low, high, margin), gained.mean(), low, high, margin)
            rows.append((claim, more, less, ", ".join(map(str, percents)), *values, model))
    names = ["claim", "more", "less", "percents", "verdict", "difference", "low", "high", "margin", "model"]
    return pd.DataFrame(rows, columns=names)


def by_network(compared: pd.DataFrame) -> pd.DataFrame:
    """Figure 4's claims, one row each, a column a model: what its comparisons say together. compared: see there."""
    claims = compared[compared["claim"] != "beyond layers"].groupby(["claim", "model"], sort=False)
    return claims["verdict"].agg(together).unstack(sort=False).reset_index()


def spread_of_sets(results: pd.DataFrame) -> float:
    """Standard deviation of the accuracy that random sets of one size leave, from those drawn at MATCHED_AT %. Seeds
    alone would not show it: under each, the sets of one attribute are nearly the same."""
    drawn = results.query("percent == @MATCHED_AT and (set == 'matched' or attribute == 'random')")
    drawn = drawn[drawn["units"] == drawn["units"].max()]
    by_set = drawn.assign(accuracy=drawn["correct"].map(np.mean)).groupby("attribute")["accuracy"]
    return float(by_set.var().fillna(0).mean() ** 0.5)


def _by_seed(rows: pd.DataFrame) -> np.ndarray:
    """Share of the sets of each seed that leave each clip right; float [seeds, clips]."""
    return np.stack([np.mean(np.stack(group["correct"].to_list()), 0) for _, group in rows.groupby("seed")])


def _weights(run: Run, model: str) -> np.ndarray:
    """How much each clip a model is tried on counts in each draw of sources; float [draws, clips], rows of sum 1."""
    tested = bench(run, model).few.tested
    drawn = bootstrap_weights(tested.labels, tested.sources, DRAWS, np.random.default_rng(SEED))
    return drawn / drawn.sum(1, keepdims=True)


def _ends(by_seed: np.ndarray, weights: np.ndarray, spread: float = 0.0) -> tuple[float, float]:
    """95 % interval of the mean of [seeds, clips] with seeds, sources and normal noise of that spread drawn anew."""
    rng, count = np.random.default_rng(SEED), len(by_seed)
    seeds = rng.multinomial(count, np.full(count, 1 / count), size=len(weights)) / count
    return interval(((seeds @ by_seed) * weights).sum(1) + rng.normal(0, spread, len(weights)))


def different(neurons: pd.DataFrame) -> pd.Series:
    """How many different adjectives each unit's C_open holds; int [units]."""
    return neurons["adjectives"].map(lambda words: len(set(words)))


def adjectives_by_block(run: Run, models: Sequence[str] = (), control: str = "") -> pd.DataFrame:
    """Figure 5: how many different adjectives each block unit's C_open holds, from all clips; columns model, unit,
    block (from 1), adjectives. models: none takes the profile's. control: as for `clip_descriptions`."""
    tables = []
    for model in models or run.beside(*run.profile.networks):
        table = block_units(stages.neurons(run, model, control=control))
        block = table["layer"].str.extract(r"(\d+)", expand=False).astype(int) + 1
        columns = {"model": model, "unit": table["unit"], "block": block, "adjectives": different(table)}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def depth_trends(by_block: pd.DataFrame) -> pd.DataFrame:
    """Figure 5's trends, one row a model: mean of different adjectives a unit, Spearman's rho of block and adjectives,
    with 95 % over units, taken for independent (mean_low, mean_high; low, high). by_block: `adjectives_by_block`. rho,
    low and high are NaN where all are in one block, or have as many adjectives."""
    rows = []
    for model, table in by_block.groupby("model", sort=False):
        rng = np.random.default_rng(SEED)
        pairs = table[["block", "adjectives"]].to_numpy()
        drawn = pairs[rng.integers(0, len(pairs), (DRAWS, len(pairs)))]
        rho = spearmanr(*pairs.T) if np.ptp(pairs, 0).all() else np.nan
        rhos = spearmanr(drawn[..., 0], drawn[..., 1]) if rho == rho else drawn[:0]
        means = interval(drawn[..., 1].mean(1) if len(pairs) > 1 else drawn[:0])
        rows.append((model, pairs[:, 1].mean(), *means, float(rho), *interval(rhos)))
    return pd.DataFrame(rows, columns=["model", "mean", "mean_low", "mean_high", "rho", "low", "high"])


def trends_by_origin(run: Run) -> pd.DataFrame:
    """`depth_trends` of the run's models when captions of one origin alone describe the clips; column captions."""
    tables = [depth_trends(adjectives_by_block(run, run.models, c)).assign(captions=c) for c in alone(run)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def narrowing(trends: pd.DataFrame) -> pd.DataFrame:
    """The parts of Figure 5's claim, with verdicts; models differ where intervals are apart. trends: `depth_trends`."""
    ast, finetuned, frozen = (row for _, row in trends.set_index("model").reindex(MODELS).iterrows())
    fewer = ast["mean_low"] - frozen["mean_high"], ast["mean_high"] - frozen["mean_low"]
    parts = {
        "AST: adjectives fall with depth": as_trend("falls", ast["low"], ast["high"]),
        "BEATs-finetuned: they fall less": verdict(finetuned["low"] - ast["high"], finetuned["high"] - ast["low"]),
        "BEATs-frozen: flat": as_trend("flat", frozen["low"], frozen["high"]),
        "BEATs-frozen: fewer than AST": verdict(*fewer),
    }
    return pd.DataFrame(parts.items(), columns=["part", "verdict"])


def words(
    run: Run, results: pd.DataFrame, curves: pd.DataFrame, compared: pd.DataFrame, trends: pd.DataFrame
) -> dict[str, object]:
    """The numbers of the page's sentences, of the run's first network. results: `silenced`. trends: `depth_trends`."""
    first, ours = run.models[0], compared[compared["model"] == run.models[0]]
    layers = ours["claim"] == "beyond layers"
    beyond = ours[layers & (ours["verdict"] == SUPPORTED)]
    accuracy = curves[curves["model"] == first].set_index(["attribute", "percent", "set"])["accuracy"]
    least = accuracy.loc[[(name, 12, "chosen") for name in ATTRIBUTES]]
    ranked = [name for name in (*PANELS["4a"], *PANELS["4b"]) if name != "random"]
    at_ten = {kind: accuracy.loc[[(name, MATCHED_AT, kind) for name in ranked]] for kind in ("chosen", "matched")}
    gained = [f"{row.more} ({100 * row.difference:.1f} points)" for row in beyond.itertuples()]
    spoken = {"basic": ", ".join(BASIC), "title": run.profile.title, "network": first}
    spoken |= {"percents": ", ".join(map(str, PERCENT)), "seeds": ", ".join(map(str, SEEDS))}
    spoken |= {"spread": f"{100 * spread_of_sets(results[results['model'] == first]):.1f}"}
    spoken |= {"before": f"{accuracy['none', 0, 'chosen']:.1%}", "random": f"{accuracy['random', 12, 'chosen']:.1%}"}
    spoken |= {"worst": f"{least.idxmin()[0]} ({least.min():.1%})", "beyond": ", ".join(gained) or "none"}
    spoken |= {f"spread_{kind}": f"{100 * (shares.max() - shares.min()):.1f}" for kind, shares in at_ten.items()}
    spoken |= {claim: together(rows["verdict"]) for claim, rows in ours[~layers].groupby("claim")}
    spoken["f5_ast_narrows"] = together(narrowing(trends)["verdict"])
    return spoken | {"trends_in_words": by_model(trends.set_index("model")["rho"], "+.2f")}


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """What claims and exhibits read of this page."""
    results, trends = silenced(run, chosen_units(run)), depth_trends(adjectives_by_block(run))
    drawn = {"importance": curves(run, results), "comparisons": compared(run, results)}
    return drawn | {"trends": trends, "narrowing": narrowing(trends)}
