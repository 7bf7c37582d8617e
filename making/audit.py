"""What each fault of the released code does to each table and figure: every switch alone, and all of them together.

`python -m making.audit --profile mini` measures and writes results/<profile>/audit_matrix.json. Killed, it goes
on where it was: what costs time is stored stage by stage, and a switch that leaves a stage's inputs alone is free."""

from collections.abc import Sequence
from itertools import combinations, product

import numpy as np

from andlib import ablation, kept, stages
from andlib.ablation import UnitSet
from andlib.bars import tqdm
from andlib.bench import bench
from andlib.pages import section_3_5, section_4_1, section_4_4
from andlib.pages.audit import EXHIBITS, MODES, NAME, Measures
from andlib.pages.section_4_5 import most_in_a_cluster, sentence_clusters
from andlib.profiles import LEARNT, MODELS
from andlib.run import Run
from andlib.similarity import FUNCTIONS
from andlib.statistics import spearmanr
from andlib.unlearning import SEED, block_units, table4_sets
from making.command import asked

PERCENT, TAU, COMMONEST = section_4_4.MATCHED_AT, 4, 3


def closed(run: Run, model: str) -> Measures:
    """Tables 2 and 7, on all clips: top-1 by method and function, DB's cosine under soft_wpmi. None: ICL not asked."""
    u = section_4_1.outputs(run, model)
    pairs = {(method, "all clips"): (u, p) for method, p in section_4_1.similarities(run).items()}
    measures: Measures = {}
    for row in section_4_1.last_layer(run, {model: pairs}).to_dict("records"):
        whole = row["units"] == u.shape[1]
        if row["method"] in section_4_1.METHODS:
            measures[f"{row['method']} {row['function']}"] = row["top1"] if whole else None
        if (row["method"], row["function"]) == ("DB", "soft_wpmi"):
            measures["DB soft_wpmi cosine"] = row["cos"]
    for method in ("TAB", "DB"):
        measures[f"{method} best"] = max(measures[f"{method} {function}"] for function in FUNCTIONS)
    return measures


def unlearnt(run: Run, model: str) -> Measures:
    """Table 4: dA, dR, gap = dR - dA, and units silenced (mean, least and most a class), by strategy."""
    measured, measures = bench(run, model), {}
    for strategy, sets in table4_sets(run, model).items():
        effects = measured.effects(sets)
        a, r = ablation.ablated_and_remaining(effects.by_class(effects.own))
        sizes = effects.sizes
        row = {"gap": r - a, "dA": a, "dR": r, "units": sizes.mean(), "least": sizes.min(), "most": sizes.max()}
        measures |= {f"{strategy} {name}": float(value) for name, value in row.items()}
    return measures


def importance(run: Run, model: str) -> Measures:
    """Figure 4, for AST as in the paper: accuracy on fold 1 after silencing 10 % by each attribute, mean over seeds.
    none: nothing silenced. spread: the highest accuracy of 4a's and 4b's attributes less the lowest. chosen: share of
    the silenced units that was chosen for the attribute. shared: share of units that two attributes have in common."""
    if model != MODELS[0]:
        return {}
    measured, names = bench(run, model), section_4_4.ATTRIBUTES
    table = block_units(stages.neurons(run, model, LEARNT))
    sets, wanted = (
        {n: [section_4_4.chosen(table, n, PERCENT, seed, faults) for seed in section_4_4.SEEDS] for n in names}
        for faults in (run.faults, run.faults - {"ablate_leading_rows"})
    )
    tried = {"none": [{}], **sets}
    right = {name: measured.logits(units).argmax(-1) == measured.tested.labels for name, units in tried.items()}
    measures: Measures = {name: float(values.mean()) for name, values in right.items()}
    ranked = [n for n in dict.fromkeys((*section_4_4.PANELS["4a"], *section_4_4.PANELS["4b"])) if n != "random"]
    spread = [measures[name] for name in ranked]
    kept = [_common(one, other) for n in ranked for one, other in zip(sets[n], wanted[n], strict=True)]
    pairs = [_common(*pair) for a, b in combinations(ranked, 2) for pair in zip(sets[a], sets[b], strict=True)]
    return measures | {"spread": max(spread) - min(spread), "chosen": np.mean(kept), "shared": np.mean(pairs)}


def _common(one: UnitSet, other: UnitSet) -> float:
    """How many units two sets have in common, as a share of the larger."""
    shared = sum(len(np.intersect1d(units, other.get(layer, ()))) for layer, units in one.items())
    return shared / max(ablation.size(one), ablation.size(other), 1)


def adjectives(run: Run, model: str) -> Measures:
    """Figures 3 and 9: different adjectives kept, neurons that have one (counted by adjective), and the commonest."""
    counts = section_3_5.common_adjectives(run, model)
    commonest = ", ".join(f"{word} {count}" for word, count in counts.head(COMMONEST).items())
    return {"adjectives": float(len(counts)), "mentions": float(counts.sum()), "commonest": commonest}


def depth(run: Run, model: str) -> Measures:
    """Figure 5: mean number of different adjectives a block unit, and Spearman's rho of it and the block."""
    pairs = section_4_4.adjectives_by_block(run, [model])[["block", "adjectives"]].to_numpy()
    return {"a unit": float(pairs[:, 1].mean()), "rho": float(spearmanr(*pairs.T))}


def polysemanticity(run: Run, model: str) -> Measures:
    """Figures 6, 11-13: mean share of uninterpretable block units that react, at the run's K and tau = 4."""
    table = block_units(stages.neurons(run, model))
    clips = np.stack(table.loc[table["used"] == run.k, "highest"].to_list()).T
    return {"uninterpretable": float((most_in_a_cluster(sentence_clusters(run).counts, clips) < TAU).mean())}


def texts(run: Run, model: str) -> Measures:
    """Table 6: shares of block units with another first concept, summary or words of C_open than in mode corrected."""
    ours, usual = (block_units(stages.neurons(r, model)) for r in (run, run.using(mode="corrected")))
    compared = {"TAB": (["tab"], 1), "DB": (["db"], 1), "summary": (["calibrated"], None)}
    compared["open concepts"] = ["adjectives", "nouns", "verbs", "prepositions"], None
    differ = {}
    for name, (columns, first) in compared.items():
        pairs = [(map(list, ours[c]), map(list, usual[c])) for c in columns]
        differ[name] = np.logical_or.reduce([[a[:first] != b[:first] for a, b in zip(*p, strict=True)] for p in pairs])
    return {name: float(values.mean()) for name, values in differ.items()}


_MEASURES = dict(zip(EXHIBITS, (closed, unlearnt, texts, adjectives, importance, depth, polysemanticity), strict=True))


def measure(run: Run, modes: Sequence[str] = MODES) -> dict[str, dict[str, dict[str, Measures]]]:
    """Every exhibit of the run's networks under each mode: mode -> model -> exhibit -> measures."""
    cases = tqdm(list(product(modes, run.models)), desc="audit", unit="network")
    measured: dict = {mode: {} for mode in modes}
    for mode, model in cases:
        cases.set_postfix_str(f"{mode}, {model}")
        faulty = run.using(mode=mode)
        measures = {name: make(faulty, model).items() for name, make in _MEASURES.items()}
        rounded = lambda v: round(float(v), 6) if isinstance(v, float | np.floating) else v  # noqa: E731
        measured[mode][model] = {name: {k: rounded(v) for k, v in each} for name, each in measures.items()}
    return measured


def main() -> None:
    run, given = asked("Measures every table and figure under each fault of the released code.", slow=False)
    about = {"seed": SEED, "seeds_of_figure4": section_4_4.SEEDS, "made_by": run.made_by()}
    print(kept.write(given.profile, NAME, about | {"modes": measure(run)}))


if __name__ == "__main__":
    main()
