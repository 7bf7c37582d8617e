"""Controls of Table 4 that take longer than a page may: matched random sets, shuffled captions, all clips.

`make controls` computes what the page reads and keeps it in results/<profile>/controls.json.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from andlib import ablation, kept, stages
from andlib.ablation import UnitSet
from andlib.descriptions import clip_descriptions
from andlib.run import Run
from andlib.statistics import interval
from andlib.store import Stage, digest
from andlib.unlearning import bench, control_sets, random_sets, strategy_sets, unlearning, unlearnt

DRAWS, PAGE_DRAWS = 199, 20  # of random sets: what is committed, and where a page's parameters have none committed
BLOCK = 10  # draws that are stored together
MATCHED = Stage("matched", "arrays", 2)


def controls_of(run: Run, model: str, sets: Mapping[str, Sequence[UnitSet]]) -> dict[str, Any]:
    """The committed controls of a model if they belong to these sets of units, name -> one a class; else computed, with
    PAGE_DRAWS draws. See `compute`."""
    chosen = {name: units for name, units in sets.items() if name != "random"}
    fitting = committed(run, model) if digest(chosen) == digest(strategy_sets(run, model)) else None
    return fitting or compute(run, model, chosen, PAGE_DRAWS)


def committed(run: Run, model: str) -> dict[str, Any] | None:
    """What `make controls` kept of a model, if it belongs to the sets that this run chooses."""
    controls = kept.read(run.profile.name, "controls").get("models", {}).get(model, {})
    return controls if controls.get("key") == key(run, model) else None


def compute(run: Run, model: str, chosen: Mapping[str, Sequence[UnitSet]], draws: int) -> dict[str, Any]:
    """Controls beside the strategies of Table 4.

    chosen: strategy -> a set of units a class.
    Gives key (what they belong to); rows, as `unlearnt`, for `control_sets`;
    drawn, strategy -> dA and next (see `section_4_3.table4`) of each draw of random sets with as many units in every
    layer, [draws, 2].
    """
    effects = unlearning(run, model, control_sets(run, model))
    rows = [{"strategy": strategy, **unlearnt(effect)} for strategy, effect in effects.items()]
    blocks = [_drawn(run, model, chosen, range(i, min(i + BLOCK, draws))) for i in range(0, draws, BLOCK)]
    drawn = {strategy: np.concatenate([block[strategy] for block in blocks]).tolist() for strategy in chosen}
    return {"key": key(run, model), "rows": rows, "drawn": drawn}


def beside(rows: Sequence[dict[str, Any]], controls: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of one model's Table 4 with their excess over random sets, and the rows of its controls.

    rows: as `unlearnt` gives them, with model and strategy. controls: `compute`.
    """
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

    A set is tried on the clips of its class and of the next one alone: 199 draws on all clips would take hours.
    """
    from tqdm import tqdm

    measured = bench(run, model)
    sets = [random_sets(run, model, chosen, seed) for seed in seeds]
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
