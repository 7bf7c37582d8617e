"""Section 4.3: which units are labelled with a class, and what silencing them does to every class on fold 1."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from andlib import ablation, kept, language, stages
from andlib.ablation import Effects, UnitSet
from andlib.bench import bench
from andlib.descriptions import SHUFFLED, alone, decided_by
from andlib.profiles import LEARNT
from andlib.run import Run
from andlib.stages import EVERY
from andlib.statistics import bootstrap_weights, interval, permutation_p, widening
from andlib.store import Store, digest
from andlib.targets import Target

STRATEGIES = ("TAB", "DB", "OCP")
RANDOM_SHARE = 3000 / 55_296  # Table 4's random baseline, as a share of AST's block units
DRAWS, PERMUTATIONS, SEED = 1000, 10_000, 0


# Which units


def unit_sets(run: Run, model: str, folds: Sequence[int], strategy: str, control: str = "") -> list[UnitSet]:
    """For each of the probing set's classes, the block units that a strategy labels with it (Section 4.3).

    strategy: "DB" and "TAB" take units with the class among their three best concepts, "OCP" those whose open
    concepts' nouns name it. folds: clips that described the units. control: as for `clip_descriptions`."""
    table = block_units(stages.neurons(run, model, folds, control=control))
    if strategy in ("DB", "TAB"):
        labelled = [[name in best for best in table[strategy.lower()]] for name in run.probing_set.classes]
    else:
        released = "ocp_substring" in run.faults
        row, distinct = pd.factorize(table["raw_nouns" if released else "nouns"].map(tuple).to_numpy())
        names = partial(language.names_class, released=released)
        labelled = [np.array([names(nouns, name) for nouns in distinct])[row] for name in run.probing_set.classes]
    sets = [by_layer(table[np.array(chosen, bool)]) for chosen in labelled]
    return [leading_rows(units) for units in sets] if "ablate_leading_rows" in run.faults else sets


def block_units(neurons: pd.DataFrame) -> pd.DataFrame:
    """The candidates for ablation: all neurons but the classifier's."""
    return neurons[neurons["layer"] != "classifier"]


def by_layer(neurons: pd.DataFrame) -> UnitSet:
    """Neurons as a set of units."""
    return {layer: rows["index"].to_numpy() for layer, rows in neurons.groupby("layer", sort=False)}


def leading_rows(units: UnitSet) -> UnitSet:
    """As many leading units of each layer (fault `ablate_leading_rows`).

    # released code: close_neuron_class.py:115-127, close_neuron_milan.py:142-188 mask unit r for the r-th chosen."""
    return {layer: np.arange(len(indices)) for layer, indices in units.items()}


def strategy_sets(run: Run, model: str) -> dict[str, list[UnitSet]]:
    """What TAB, DB and OCP choose by the clips of folds 2-5, name -> a set of units a class."""
    return {strategy: unit_sets(run, model, LEARNT, strategy) for strategy in STRATEGIES}


def table4_sets(run: Run, model: str) -> dict[str, list[UnitSet]]:
    """Table 4's strategies, name -> a set of units a class: random, TAB, DB and OCP."""
    chosen = strategy_sets(run, model)
    return {"random": random_sets(run, model, chosen)["random"], **chosen}


def control_sets(run: Run, model: str) -> dict[str, list[UnitSet]]:
    """The sets that a strategy chooses by captions of other clips, by those of one origin alone, and, unless the
    network takes hours, from all clips."""
    described = {
        f"{strategy}, {control}": unit_sets(run, model, LEARNT, strategy, control)
        for control in (SHUFFLED, *alone(run))
        for strategy in STRATEGIES
        if strategy != "TAB"  # it reads no caption
    }
    every = () if model in run.profile.slow else STRATEGIES
    return described | {f"{strategy} (all clips)": unit_sets(run, model, EVERY, strategy) for strategy in every}


def random_sets(
    run: Run, model: str, chosen: Mapping[str, Sequence[UnitSet]], seed: int = SEED
) -> dict[str, list[UnitSet]]:
    """Sets drawn at random: "random", RANDOM_SHARE of all block units for each class, and for each strategy of `chosen`
    "random as ...", as many units in every layer as it took there."""
    rng = np.random.default_rng(seed)
    widths = {layer.name: layer.units for layer in run.target(model).layers if layer.hidden}
    count = round(RANDOM_SHARE * sum(widths.values()))
    classes = range(len(run.probing_set.classes))
    drawn = [ablation.random_units(count, widths, rng) for _ in classes]
    if "ablate_leading_rows" in run.faults:  # released code: close_neuron_class.py:42-45, one draw for all classes
        drawn = [leading_rows(drawn[0]) for _ in classes]
    matched = {f"random as {s}": [ablation.matched_random(u, widths, rng) for u in sets] for s, sets in chosen.items()}
    return {"random": drawn, **matched}


# What silencing them does


def unlearning(run: Run, model: str, sets: Mapping[str, Sequence[UnitSet]]) -> dict[str, Effects]:
    """Section 4.3: for each strategy, what silencing each class's units did to every class, on fold 1.

    sets: name -> a set of units a class. Raises InputError as `bench`."""
    measured, effects = bench(run, model), {}
    for name, chosen in sets.items():
        ours = kept.keeps(run) and name in STRATEGIES and digest(chosen) == digest(unit_sets(run, model, LEARNT, name))
        effects[name] = measured.effects(chosen, [*decided(run, model), name] if ours else ())
    return effects


def decided(run: Run, model: str | Target) -> list:
    """What decides sets of units and what silencing them does, for keys of results that are kept: not the sets, in
    which another processor may swap two units, nor samples of recordings, which differ from copy to copy."""
    usual = run.store.computed == Store(run.store.folder).computed
    held = [run.probed(model), run.profile.beside, decided_by(run), run.method, stages.LABELS]
    return held if usual else [*held, run.store.computed]


def unlearnt(*tries: Effects) -> dict[str, float]:
    """One row of `section_4_3.table4`, less its model, strategy and what compares rows.

    tries: what silencing did; of random sets, in every draw. Values are means, intervals hold draws and recordings."""
    rng, effects = np.random.default_rng(SEED), tries[0]
    correct = np.array([effect.correct for effect in tries])
    own, margin = (effects.by_class(np.mean([getattr(e, name) for e in tries], 0)) for name in ("own", "margin"))
    (a, r, _), filled = changes(own), effects.sizes > 0
    margin_a, margin_r = ablation.ablated_and_remaining(margin)
    filled_a, filled_r = ablation.ablated_and_remaining(own, filled)
    forgotten, remaining = ablation.ablated_and_remaining(effects.by_class(correct.mean(0)))
    before = effects.by_class(effects.correct_before[None]).mean()
    drawn = drawn_changes(effects, [effect.own for effect in tries], DRAWS, rng)
    lost = drawn_changes(effects, effects.correct_before - correct, DRAWS, np.random.default_rng(SEED))[:, 0]
    return {
        "units": float(effects.sizes.mean()),
        "empty": int((~filled).sum()),
        "dR": float(r),
        **with_interval("dA", a, drawn[:, 0]),
        **with_interval("gap", r - a, drawn[:, 1] - drawn[:, 0]),
        "p": permutation_p(own, PERMUTATIONS, rng),
        "gap_filled": float(filled_r - filled_a),
        "margin_dA": float(margin_a),
        "margin_dR": float(margin_r),
        "margin_gap": float(margin_r - margin_a),
        "margin_p": permutation_p(margin, PERMUTATIONS, rng),
        "accuracy_before": float(effects.correct_before.mean()),
        "accuracy_forgotten": float(forgotten),
        "accuracy_remaining": float(remaining),
        **with_interval("accuracy_drop", before - forgotten, lost),
    }


def with_interval(name: str, value: float, drawn: np.ndarray) -> dict[str, float]:
    """A value and the ends of its 95 % interval, called name, name_low and name_high."""
    low, high = interval(drawn)
    return {name: float(value), f"{name}_low": low, f"{name}_high": high}


def changes(matrix: np.ndarray, counts: np.ndarray | None = None) -> np.ndarray:
    """dA, dR, and dR of one class alone for each that is silenced, the next; float [3, ...]. matrix: as `by_class`.
    counts: how often each class counts among the others, [..., classes]; None counts each once."""
    own, beside = (np.diagonal(part, axis1=-2, axis2=-1) for part in (matrix, np.roll(matrix, -1, -1)))
    if counts is None:
        return np.array([*ablation.ablated_and_remaining(matrix), beside.mean(-1)])
    others, following = counts[..., None, :] * ~np.eye(matrix.shape[-1], dtype=bool), np.roll(counts, -1, -1)
    remaining = (matrix * others).sum(-1) / np.where(others.any(-1), others.sum(-1), np.nan)
    return np.array([own.mean(-1), remaining.mean(-1), (beside * following).sum(-1) / following.sum(-1)])


def drawn_changes(effects: Effects, values: Sequence[np.ndarray], draws: int, rng: np.random.Generator) -> np.ndarray:
    """`changes` of values, [tries, ablated, clips], when source recordings are drawn anew within each class and one of
    the tries with them; float [draws, 3]. Equal seeds draw the same recordings, and the same of equally many tries.

    How much another recording would differ, a class with one alone does not show: it is taken to vary as recordings of
    the others do, which widens all. NaN where every class has one alone. Where a set is tried on some clips alone, so
    few of each other class that their recordings cannot be drawn, those classes are: that counts their differences."""
    weights = bootstrap_weights(effects.labels, effects.sources, draws, rng)
    size, some = len(effects.sizes), effects.tried is not None
    counts = rng.multinomial(size, np.full(size, 1 / size), size=draws) if some else None
    tries, whole = rng.integers(len(values), size=draws), np.array([effects.by_class(each) for each in values])
    matrices = np.empty((draws, size, size))
    for i in np.unique(tries):
        matrices[tries == i] = effects.by_class(values[i], weights[tries == i])
    if some:
        matrices = np.where(np.eye(size, dtype=bool), matrices, whole[tries])
    centre = changes(whole)[:, tries]
    wider = np.where([True, not some, not some], widening(effects.labels, effects.sources), 1)
    return (centre + wider[:, None] * (changes(matrices, counts) - centre)).T


def beyond_random(effects: Effects, random: np.ndarray, other: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """By how much the gap between the class to be forgotten and others is wider than that of each draw of random sets,
    float [tries], and than that of any of them by other source recordings, float [DRAWS].

    random: changes of own logits, [tries, ablated, clips]. other: which of `changes` the others are, 1 dR or 2 next."""
    contrast = np.eye(3)[other] - np.eye(3)[0]
    each = changes(effects.by_class(effects.own)) - [changes(effects.by_class(values)) for values in random]
    ours, theirs = (drawn_changes(effects, v, DRAWS, np.random.default_rng(SEED)) for v in ([effects.own], random))
    return each @ contrast, (ours - theirs) @ contrast
