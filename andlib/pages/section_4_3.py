"""Section 4.3, Table 4, Figure 10: unlearning a class by silencing the units that are labelled with it."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from andlib import ablation, language, stages
from andlib.ablation import Effects, UnitSet
from andlib.errors import InputError, suggest
from andlib.profiles import LEARNT, TEST
from andlib.records import ProbingSet
from andlib.replay import sweep
from andlib.run import Run
from andlib.statistics import holm
from andlib.store import digest
from andlib.targets import Target

SHUFFLED = "shuffled captions"  # one of stages.CONTROLS
STRATEGIES = ("TAB", "DB", "OCP")
EVERY = (*TEST, *LEARNT)
RANDOM_SHARE = 3000 / 55_296  # Table 4's random baseline, as a share of AST's block units
DRAWS, PERMUTATIONS, SEED = 1000, 10_000, 0


def unit_sets(run: Run, model: str, folds: Sequence[int], strategy: str, control: str = "") -> list[UnitSet]:
    """For each of the probing set's classes, the block units that a strategy labels with it (Section 4.3).

    strategy: "DB" and "TAB" take units with the class among their three best concepts, "OCP" those whose open
    concepts' nouns name it. folds: clips that described the units. control: as for `stages.clip_descriptions`.
    """
    table = stages.neurons(run, model, folds, control=control)
    table = table[table["layer"] != "classifier"]
    if strategy in ("DB", "TAB"):
        labelled = [[name in best for best in table[strategy.lower()]] for name in run.probing_set.classes]
    else:
        released = "ocp_substring" in run.faults
        nouns = [tuple(words) for words in table["raw_nouns" if released else "nouns"]]
        labelled = [
            [words in naming for words in nouns]
            for naming in (_naming(set(nouns), name, released) for name in run.probing_set.classes)
        ]
    sets = [_by_layer(table[np.array(chosen, bool)]) for chosen in labelled]
    return [_leading_rows(units) for units in sets] if "ablate_leading_rows" in run.faults else sets


def _naming(nouns: set[tuple[str, ...]], name: str, released: bool) -> set[tuple[str, ...]]:
    return {words for words in nouns if language.names_class(words, name, released=released)}


def _by_layer(table: pd.DataFrame) -> UnitSet:
    return {layer: rows["index"].to_numpy() for layer, rows in table.groupby("layer", sort=False)}


def _leading_rows(units: UnitSet) -> UnitSet:
    # released code: close_neuron_class.py:115-127 appends one mask row a chosen unit and applies row r to unit r
    return {layer: np.arange(len(indices)) for layer, indices in units.items()}


def unlearning_sets(run: Run, model: str) -> dict[str, list[UnitSet]]:
    """Table 4's strategies, name -> a set of units a class: random, TAB, DB and OCP."""
    chosen = {strategy: unit_sets(run, model, LEARNT, strategy) for strategy in STRATEGIES}
    return {"random": random_sets(run, model, chosen)["random"], **chosen}


def control_sets(run: Run, model: str) -> dict[str, list[UnitSet]]:
    """The sets that a strategy chooses when every clip is described by another's caption, and from all clips."""
    shuffled = {
        f"{strategy}, {SHUFFLED}": unit_sets(run, model, LEARNT, strategy, SHUFFLED)
        for strategy in STRATEGIES
        if strategy != "TAB"  # it reads no caption
    }
    return shuffled | {f"{strategy} (all clips)": unit_sets(run, model, EVERY, strategy) for strategy in STRATEGIES}


def random_sets(run: Run, model: str, chosen: dict[str, list[UnitSet]], seed: int = SEED) -> dict[str, list[UnitSet]]:
    """Sets drawn at random: "random", RANDOM_SHARE of all block units for each class, and for each strategy of `chosen`
    "random as ...", as many units in every layer as it took there."""
    rng = np.random.default_rng(seed)
    widths = {layer.name: layer.units for layer in stages.target(run, model).layers if layer.hidden}
    count = round(RANDOM_SHARE * sum(widths.values()))
    classes = range(len(run.probing_set.classes))
    drawn = [ablation.random_units(count, widths, rng) for _ in classes]
    if "ablate_leading_rows" in run.faults:  # released code: close_neuron_class.py:42-45, one draw for all classes
        drawn = [_leading_rows(drawn[0]) for _ in classes]
    matched = {f"random as {s}": [ablation.matched_random(u, widths, rng) for u in sets] for s, sets in chosen.items()}
    return {"random": drawn, **matched}


def unlearning(run: Run, model: str, sets: dict[str, list[UnitSet]] | None = None) -> dict[str, Effects]:
    """Section 4.3: for each strategy, what silencing each class's units did to every class, on fold 1.

    Units are chosen on folds 2-5, which the clips of fold 1 had no part in. sets: name -> a set of units a class;
    `unlearning_sets` by default.
    Raises InputError where the probing set has no fold 1, or the network no output for one of its classes.
    """
    network, tested, position, features = bench(run, model)
    before = silenced_logits(run, network, tested, [{}], features)[0][:, position]
    effects = {}
    for strategy, of in (unlearning_sets(run, model) if sets is None else sets).items():
        after = silenced_logits(run, network, tested, of, features)[:, :, position]
        sizes = np.array([ablation.size(units) for units in of])
        effects[strategy] = Effects(before, after, tested.labels, tested.sources, sizes)
    return effects


def bench(run: Run, model: str) -> tuple[Target, ProbingSet, list[int], Callable[[], Any]]:
    """What ablation is measured on: the network, the clips of fold 1, which output is each of their classes, and what
    makes the network's inputs (once, when first called). Raises InputError as `unlearning`."""
    if not set(TEST) <= set(run.probing_set.folds):
        raise InputError(f"{run.profile.title} has no fold 1 to measure on; silencing units needs folds.")
    network, tested = stages.target(run, model), run.probing_set.in_folds(TEST)
    strangers = sorted(set(tested.classes) - set(network.classes))
    if strangers:
        raise InputError(
            f"{model} has no output for {', '.join(strangers[:3])}: nothing to unlearn. Use another network."
        )
    features = lru_cache(lambda: ablation.features_of(network, tested.waveforms(network.sample_rate, network.seconds)))
    return network, tested, [network.classes.index(name) for name in tested.classes], features


def silenced_logits(run: Run, network: Target, tested: ProbingSet, sets: Sequence[UnitSet], features) -> np.ndarray:
    """Logits of the tested clips with each set of units silenced in turn; float32 [sets, clips, classes].

    Stored by strategy, so that a killed run loses one at most. features: gives the network's inputs when called.
    """
    from tqdm import tqdm

    key = {
        "target": network.fingerprint,
        "reading": digest(network.reading),
        "clips": tested.fingerprint,
        "sets": sets_digest(sets),
        "version": ablation.VERSION,
    }

    def make():
        logits = sweep(network, features(), sets)
        return {"logits": np.stack(list(tqdm(logits, "silencing", len(sets), unit="set", leave=False)))}

    return run.store.get("unlearning", key, make, "arrays")["logits"]


def sets_digest(sets: Sequence[UnitSet]) -> str:
    """sha256 (hex) of sets of units, for keys."""
    return digest([{layer: list(map(int, indices)) for layer, indices in units.items()} for units in sets])


def unlearning_table(run: Run, *, controls: bool = True) -> pd.DataFrame:
    """Table 4, one row a model and strategy, with what the paper's logits hide.

    Columns: units (mean a class), empty (classes without a unit, which count 0 in the averages as in the paper);
    dA, dR, gap = dR - dA of the class's own logit, each with _low and _high (95 % bootstrap over source recordings),
    p (10,000 permutations of sets among classes); the same over classes with a unit (dA_filled, gap_filled);
    margin_dA, margin_dR, margin_gap, margin_p on own logit less the largest other; accuracy of forgotten and of
    remaining classes, before and after.
    next is dR of one class alone for each that is silenced, the one after it by name.
    controls: adds the rows of `control_sets`, and for each strategy what it does beyond random sets with as many units
    in every layer: excess, excess_low and excess_high (95 % over draws) of next - dA, p_excess and draws.
    p_holm and p_excess_holm are adjusted over all strategies and models (Holm).
    """
    from andlib.pages.controls import beside, controls_of

    rows = []
    for model in run.models:
        ours = [{"model": model, "strategy": s, **unlearnt(effects)} for s, effects in unlearning(run, model).items()]
        rows += beside(ours, controls_of(run, model)) if controls else ours
    table = pd.DataFrame(rows)
    main = table["strategy"].isin(["random", *STRATEGIES])
    return table.assign(
        **{f"{name}_holm": holm(table[name].where(main)) for name in ("p", "p_excess") if name in table}
    )


def unlearnt(effects: Effects) -> dict[str, float]:
    """One row of `unlearning_table`, less its model, strategy and what compares rows."""
    rng = np.random.default_rng(SEED)
    own, margin = effects.by_class(effects.own), effects.by_class(effects.margin)
    a, r = ablation.ablated_and_remaining(own)
    margin_a, margin_r = ablation.ablated_and_remaining(margin)
    filled = effects.sizes > 0
    filled_a, filled_r = ablation.ablated_and_remaining(own, filled)
    weights = ablation.bootstrap_weights(effects.labels, effects.sources, DRAWS, rng)
    drawn = np.array([ablation.ablated_and_remaining(effects.by_class(effects.own, w)) for w in weights])
    ends = {"dA": ablation.interval(drawn[:, 0]), "gap": ablation.interval(drawn[:, 1] - drawn[:, 0])}
    forgotten, remaining = ablation.ablated_and_remaining(effects.by_class(effects.correct))
    return {
        "units": float(effects.sizes.mean()),
        "empty": int((~filled).sum()),
        "dA": float(a),
        "dR": float(r),
        "gap": float(r - a),
        **{
            f"{name}_{end}": value
            for name, both in ends.items()
            for end, value in zip(("low", "high"), both, strict=True)
        },
        "p": ablation.permutation_p(own, PERMUTATIONS, rng),
        "next": float(np.roll(own, -1, 1).diagonal().mean()),
        "dA_filled": float(filled_a),
        "gap_filled": float(filled_r - filled_a),
        "margin_dA": float(margin_a),
        "margin_dR": float(margin_r),
        "margin_gap": float(margin_r - margin_a),
        "margin_p": ablation.permutation_p(margin, PERMUTATIONS, rng),
        "accuracy_before": float(effects.correct_before.mean()),
        "accuracy_forgotten": float(forgotten),
        "accuracy_remaining": float(remaining),
    }


def class_changes(run: Run, model: str, strategy: str, target_class: str) -> pd.DataFrame:
    """Figure 10: each class's mean own logit before and after `target_class`'s units are silenced, one row a class."""
    classes = run.probing_set.classes
    if target_class not in classes:
        raise InputError(f"Parameter target_class {target_class!r} is no class here. {suggest(target_class, classes)}")
    effects = unlearning(run, model)[strategy]
    row = classes.index(target_class)
    clip = np.arange(len(effects.labels))
    before = effects.by_class(effects.before[clip, effects.labels][None])[0]
    change = effects.by_class(effects.own)[row]
    frame = pd.DataFrame({"class": classes, "before": before, "after": before + change, "change": change})
    return frame.assign(units=int(effects.sizes[row]))


def described_layers(run: Run) -> pd.DataFrame:
    """What the summaries of each layer hold: one row a model and layer.

    Columns: units, dead; points (mean of S_h before calibration), qualities or events (share of them that name no
    source), removed (share that calibration dropped);
    with adjective, with noun (share of units whose open concepts hold one).
    """
    rows = []
    for model in run.models:
        for layer, table in stages.neurons(run, model).groupby("layer", sort=False):
            before, after = table["high"].map(len).sum(), table["calibrated"].map(len).sum()
            rows.append(
                {
                    "model": model,
                    "layer": layer,
                    "units": len(table),
                    "dead": int(table["dead"].sum()),
                    "points": before / len(table),
                    "qualities or events": _count(table["kinds"], ("quality", "event")) / before,
                    "removed": 1 - after / before,
                    "with adjective": float(table["adjectives"].map(len).gt(0).mean()),
                    "with noun": float(table["nouns"].map(len).gt(0).mean()),
                }
            )
    return pd.DataFrame(rows)


def _count(rows: pd.Series, wanted: Sequence[str]) -> int:
    return sum(kind in wanted for row in rows for kind in row)
