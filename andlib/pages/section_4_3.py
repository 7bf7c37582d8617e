"""Section 4.3, Table 4, Figure 10: unlearning a class by silencing the units that are labelled with it.

labelled_units ─► silenced ─► table4 (with controls beside it), class_changes"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from andlib import ablation, kept, paper, stages, unlearning
from andlib.ablation import Effects, UnitSet
from andlib.descriptions import clip_descriptions
from andlib.errors import check_choice
from andlib.pages.wording import by_model
from andlib.run import Run
from andlib.statistics import holm, interval
from andlib.store import Stage, digest

DRAWS, PAGE_DRAWS = 199, 20  # of random sets: what is committed, and where a page's parameters have none committed
BLOCK = 10  # draws that are stored together
MATCHED = Stage("matched", "arrays", 2)
Units = dict[str, dict[str, Sequence[UnitSet]]]  # model -> strategy -> a set of units a class


def labelled_units(run: Run) -> Units:
    """The block units that each strategy (random, TAB, DB, OCP) gives to each class, by clips of folds 2-5."""
    return {model: unlearning.table4_sets(run, model) for model in run.models}


def silenced(run: Run, units: Units) -> dict[str, dict[str, Effects]]:
    """What silencing each class's units did to every class on fold 1: model -> strategy -> effects."""
    return {model: unlearning.unlearning(run, model, sets) for model, sets in units.items()}


def controls(run: Run, units: Units) -> dict[str, dict[str, Any]]:
    """What stands beside each model's strategies, see `compute`: what `make controls` kept if it belongs to these sets,
    else with PAGE_DRAWS draws."""
    controls = {}
    for model, sets in units.items():
        chosen = {name: sets[name] for name in sets if name != "random"}
        fits = digest(chosen) == digest(unlearning.strategy_sets(run, model))
        controls[model] = (fits and committed(run, model)) or compute(run, model, chosen, PAGE_DRAWS)
    return controls


def table4(
    effects: Mapping[str, Mapping[str, Effects]], controls: Mapping[str, dict[str, Any]] | None = None
) -> pd.DataFrame:
    """Table 4, one row a model and strategy, with what the paper's logits hide.

    effects: `silenced`. Columns: units (mean a class), empty (classes without a unit, which count 0 in the averages as
    in the paper);
    dA, dR, gap = dR - dA of the class's own logit, each with _low and _high (95 % bootstrap over source recordings),
    p (10,000 permutations of sets among classes); the same over classes with a unit (dA_filled, gap_filled);
    margin_dA, margin_dR, margin_gap, margin_p on own logit less the largest other; accuracy of forgotten and of
    remaining classes, before and after.
    next is dR of one class alone for each that is silenced, the one after it by name.
    controls: adds their rows, and for each strategy what it does beyond random sets with as many units
    in every layer: excess, excess_low and excess_high (95 % over draws) of next - dA, p_excess and draws.
    p_holm and p_excess_holm are adjusted over all strategies and models (Holm)."""
    rows = []
    for model, strategies in effects.items():
        ours = [
            {"model": model, "strategy": name, **unlearning.unlearnt(effect)} for name, effect in strategies.items()
        ]
        rows += beside(ours, controls[model]) if controls else ours
    table = pd.DataFrame(rows)
    main = table["strategy"].isin(["random", *unlearning.STRATEGIES])
    return table.assign(
        **{f"{name}_holm": holm(table[name].where(main)) for name in ("p", "p_excess") if name in table}
    )


def class_changes(run: Run, effects: Effects, target_class: str) -> pd.DataFrame:
    """Figure 10: each class's mean own logit before and after `target_class`'s units are silenced, one row a class."""
    classes = run.probing_set.classes
    row = classes.index(check_choice("Parameter target_class", target_class, classes))
    clip = np.arange(len(effects.labels))
    before = effects.by_class(effects.before[clip, effects.labels][None])[0]
    change = effects.by_class(effects.own)[row]
    frame = pd.DataFrame({"class": classes, "before": before, "after": before + change, "change": change})
    return frame.assign(units=int(effects.sizes[row]))


def described_layers(run: Run) -> pd.DataFrame:
    """What the summaries of each layer hold: one row a model and layer.

    Columns: units, dead, hardly fires (how many do); points (mean of S_h before calibration), qualities or events
    (share of them that name no source), removed (share that calibration dropped);
    with adjective, with noun (share of units whose open concepts hold one)."""
    rows = []
    for model in run.models:
        for layer, table in stages.neurons(run, model).groupby("layer", sort=False):
            before, after = table["high"].map(len).sum(), table["calibrated"].map(len).sum()
            row = {"model": model, "layer": layer, "units": len(table), "dead": int(table["dead"].sum())}
            row["hardly fires"] = int(table["hardly_fires"].sum())
            row["points"] = before / len(table)
            row["qualities or events"] = table["kinds"].explode().isin(["quality", "event"]).sum() / before
            row["removed"] = 1 - after / before
            for part in ("adjective", "noun"):
                row[f"with {part}"] = float(table[f"{part}s"].map(len).gt(0).mean())
            rows.append(row)
    return pd.DataFrame(rows)


def words(run: Run, results: pd.DataFrame) -> dict[str, object]:
    """The numbers of the page's sentences. results: `table4` with controls."""
    printed = paper.table4("ast").set_index("strategy")["gap"]
    rows = {name: ours.set_index("model") for name, ours in results.groupby("strategy", sort=False)}
    gaps = pd.DataFrame({name: rows[name]["gap"] for name in ("random", "TAB", "DB", "OCP")})
    largest, ocp, draws = gaps.idxmax(axis=1).loc[list(run.models)], rows["OCP"], results["draws"].min()
    shuffled = {name: rows[f"{name}, shuffled captions"]["gap"] for name in ("OCP", "DB")}
    spoken = {"title": run.profile.title, "paper_ocp": printed["OCP"], "paper_random": printed["random"]}
    spoken |= {"largest": ", ".join(f"{strategy} for {model}" for model, strategy in largest.items())}
    spoken |= {"claim": "holds" if set(largest) == {"OCP"} else "does not hold for every network"}
    spoken |= {name.lower(): _beyond(rows[name]) for name in unlearning.STRATEGIES}
    spoken |= {f"{name.lower()}_shuffled": by_model(gap, "+.2f") for name, gap in shuffled.items()}
    spoken |= {name: by_model(ocp[f"accuracy_{name}"], ".1%") for name in ("before", "forgotten", "remaining")}
    spoken |= {"empty": by_model(ocp["empty"], ".0f"), "margins": by_model(ocp["margin_gap"], "+.2f")}
    return spoken | {"draws": f"{draws:.0f}", "smallest": f"{1 / (draws + 1):.3f}", "least": ocp["dA"].abs().idxmin()}


def _beyond(rows: pd.DataFrame) -> str:
    """What a strategy does beyond as many random units in the same layers, by model."""
    clear = rows["p_excess_holm"].lt(0.05).map({True: "beyond them", False: "not clearly beyond them"})
    return "; ".join(f"{model} {rows['excess'][model]:+.2f} ({clear[model]})" for model in rows.index)


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """What claims and exhibits read of this page."""
    units = labelled_units(run)
    effects = silenced(run, units)
    shown = effects["beats_finetuned" if "beats_finetuned" in effects else run.models[0]]["OCP"]
    there = "water drops" in run.probing_set.classes
    changes = class_changes(run, shown, "water drops" if there else run.probing_set.classes[0])
    results = table4(effects, controls(run, units))
    return {"unlearning": results, "water_drops": changes[: None if there else 0], "described": described_layers(run)}


# Controls that take longer than a page may: matched random sets, shuffled captions, all clips


def committed(run: Run, model: str) -> dict[str, Any] | None:
    """What `make controls` kept of a model, if it belongs to the sets that this run chooses."""
    controls = kept.read(run.profile.name, "controls").get("models", {}).get(model, {})
    return controls if controls.get("key") == key(run, model) else None


def compute(run: Run, model: str, chosen: Mapping[str, Sequence[UnitSet]], draws: int) -> dict[str, Any]:
    """Controls beside the strategies of Table 4.

    chosen: strategy -> a set of units a class.
    Gives key (what they belong to); rows, as `unlearnt`, for `control_sets`;
    drawn, strategy -> dA and next (see `table4`) of each draw of random sets with as many units in every
    layer, [draws, 2]."""
    effects = unlearning.unlearning(run, model, unlearning.control_sets(run, model))
    rows = [{"strategy": strategy, **unlearning.unlearnt(effect)} for strategy, effect in effects.items()]
    blocks = [_drawn(run, model, chosen, range(i, min(i + BLOCK, draws))) for i in range(0, draws, BLOCK)]
    drawn = {strategy: np.concatenate([block[strategy] for block in blocks]).tolist() for strategy in chosen}
    return {"key": key(run, model), "rows": rows, "drawn": drawn}


def beside(rows: Sequence[dict[str, Any]], controls: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of one model's Table 4 with their excess over random sets, and the rows of its controls.

    rows: as `unlearnt` gives them, with model and strategy. controls: `compute`."""
    rows = [row | _excess(row, controls["drawn"].get(row["strategy"])) for row in rows]
    return rows + [{"model": rows[0]["model"], **row} for row in controls["rows"]]


def _excess(row: dict[str, Any], drawn: Sequence[Sequence[float]] | None) -> dict[str, float]:
    if drawn is None:
        return {}
    ours, random = row["next"] - row["dA"], np.subtract(*np.transpose(drawn)[::-1])
    low, high = interval(ours - random)
    p = (1 + (random >= ours - 1e-12).sum()) / (len(random) + 1)  # the strategy's own sets are one more draw
    ends = {"excess": ours - random.mean(), "excess_low": low, "excess_high": high}
    return {**ends, "p_excess": p, "draws": len(random)}


def _drawn(
    run: Run, model: str, chosen: Mapping[str, Sequence[UnitSet]], seeds: Sequence[int]
) -> dict[str, np.ndarray]:
    """dA and next of the random sets of each seed: strategy -> float [seeds, 2].

    A set is tried on the clips of its class and of the next one alone: 199 draws on all clips would take hours."""
    from tqdm import tqdm

    measured = unlearning.bench(run, model)
    sets = [unlearning.random_sets(run, model, chosen, seed) for seed in seeds]
    labels, place = measured.tested.labels, list(measured.position)
    clips_of = [np.flatnonzero(labels == label) for label in range(len(measured.tested.classes))]

    def changes(units: Sequence[UnitSet], before: np.ndarray) -> list[float]:
        """Mean change of own logit of each class, and of the next, when the class's units are silenced."""
        changed = np.zeros((len(units), 2))
        for label, silenced in enumerate(units):
            if ablation.size(silenced):
                pair = [clips_of[label], clips_of[(label + 1) % len(units)]]
                clips = np.concatenate(pair)
                after = ablation.logits_of(measured.network, measured.features[clips], silenced)[:, place]
                own = after[np.arange(len(clips)), labels[clips]] - before[clips, labels[clips]]
                changed[label] = own[: len(pair[0])].mean(), own[len(pair[0]) :].mean()
        return changed.mean(0).tolist()

    def make():
        before = measured.logits([{}])[0]
        bar = tqdm(sets, desc=f"random sets as {model}'s", unit="draw", leave=False)
        drawn = [{name: changes(draw[f"random as {name}"], before) for name in chosen} for draw in bar]
        return {name: np.array([draw[name] for draw in drawn]) for name in chosen}

    return run.store.get(MATCHED, [measured.network, measured.tested, sets], make)


def key(run: Run, model: str) -> str:
    """What decides the sets; not the sets themselves, in which another processor may swap two units."""
    return digest([MATCHED, run.probed(model), run.probing_set, clip_descriptions(run), run.method, stages.NEURONS])
