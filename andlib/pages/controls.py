"""Controls of Table 4 that take longer than a page may: matched random sets, shuffled captions, all clips.

`python -m andlib.pages.controls` (`make controls`) computes and writes what the page reads:
results/<profile>/controls.json.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from andlib import ablation, kept, stages
from andlib.ablation import UnitSet
from andlib.pages import section_4_3
from andlib.profiles import LEARNT
from andlib.run import Run
from andlib.store import digest

DRAWS, PAGE_DRAWS = 199, 20  # of random sets: what is committed, and where a page's parameters have none committed
BLOCK = 10  # draws that are stored together
VERSION = 1


def controls_of(run: Run, model: str) -> dict[str, Any]:
    """The committed controls of a model if they belong to the sets of units that this run chooses; else computed, with
    PAGE_DRAWS draws. See `compute`."""
    return _committed(run, model) or compute(run, model, PAGE_DRAWS)


def _committed(run: Run, model: str) -> dict[str, Any] | None:
    held = kept.read(run.profile.name, "controls").get("models", {}).get(model, {})
    return held if held.get("key") == _key(run, model) else None


def compute(run: Run, model: str, draws: int) -> dict[str, Any]:
    """Controls beside the strategies of Table 4.

    Gives key (what they belong to); rows, as `section_4_3.unlearnt`, for `section_4_3.control_sets`; drawn, strategy ->
    dA and next (see `unlearning_table`) of each draw of random sets with as many units in every layer, [draws, 2].
    """
    chosen = {strategy: section_4_3.unit_sets(run, model, LEARNT, strategy) for strategy in section_4_3.STRATEGIES}
    effects = section_4_3.unlearning(run, model, section_4_3.control_sets(run, model))
    rows = [{"strategy": strategy, **section_4_3.unlearnt(effect)} for strategy, effect in effects.items()]
    seeds = [range(first, min(first + BLOCK, draws)) for first in range(0, draws, BLOCK)]
    blocks = [_drawn(run, model, chosen, block) for block in seeds]
    drawn = {strategy: np.concatenate([block[strategy] for block in blocks]).tolist() for strategy in chosen}
    return {"key": _key(run, model), "rows": rows, "drawn": drawn}


def beside(rows: Sequence[dict[str, Any]], controls: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of one model's Table 4 with their excess over random sets, and the rows of its controls.

    rows: as `section_4_3.unlearnt` gives them, with model and strategy. controls: `compute`.
    """
    rows = [row | _excess(row, controls["drawn"].get(row["strategy"])) for row in rows]
    return rows + [{"model": rows[0]["model"], **row} for row in controls["rows"]]


def _excess(row: dict[str, Any], drawn: Sequence[Sequence[float]] | None) -> dict[str, float]:
    if drawn is None:
        return {}
    ours, random = row["next"] - row["dA"], np.subtract(*np.transpose(drawn)[::-1])
    low, high = ablation.interval(ours - random)
    p = (1 + (random >= ours - 1e-12).sum()) / (len(random) + 1)  # the strategy's own sets are one more draw
    return {
        "excess": ours - random.mean(),
        "excess_low": low,
        "excess_high": high,
        "p_excess": p,
        "draws": len(random),
    }


def _drawn(
    run: Run, model: str, chosen: Mapping[str, Sequence[UnitSet]], seeds: Sequence[int]
) -> dict[str, np.ndarray]:
    """dA and next of the random sets of each seed: strategy -> float [seeds, 2].

    A set is tried on the clips of its class and of the next one alone: 199 draws on all clips would take hours.
    """
    from tqdm import tqdm

    network, tested, position, features = section_4_3.bench(run, model)
    sets = [section_4_3.random_sets(run, model, chosen, seed) for seed in seeds]
    key = {
        "target": network.fingerprint,
        "reading": digest(network.reading),
        "clips": tested.fingerprint,
        "sets": [section_4_3.sets_digest(of) for drawn in sets for of in drawn.values()],
        "version": (VERSION, ablation.VERSION),
    }
    of_class = [np.flatnonzero(tested.labels == label) for label in range(len(tested.classes))]

    def changes(units: Sequence[UnitSet], before: np.ndarray) -> list[float]:
        """Mean change of own logit of each class, and of the next, when the class's units are silenced."""
        found = np.zeros((len(units), 2))
        for a, silenced in enumerate(units):
            pair = [of_class[a], of_class[(a + 1) % len(units)]]
            clips, labels = np.concatenate(pair), tested.labels[np.concatenate(pair)]
            if ablation.size(silenced):
                after = ablation.logits_of(network, features()[clips], silenced)[:, position]
                own = after[np.arange(len(clips)), labels] - before[clips, labels]
                found[a] = own[: len(pair[0])].mean(), own[len(pair[0]) :].mean()
        return found.mean(0).tolist()

    def make():
        before = section_4_3.silenced_logits(run, network, tested, [{}], features)[0][:, position]
        bar = tqdm(sets, desc=f"random sets as {model}'s", unit="draw", leave=False)
        drawn = [{s: changes(draw[f"random as {s}"], before) for s in chosen} for draw in bar]
        return {strategy: np.array([draw[strategy] for draw in drawn]) for strategy in chosen}

    return run.store.get("matched", key, make, "arrays")


def _key(run: Run, model: str) -> str:
    """What decides the sets; not the sets themselves, in which another processor may swap two units."""
    network = stages.probed(run, model)
    about = {
        "target": network.fingerprint,
        "reading": digest(network.reading),
        "clips": run.probing_set.fingerprint,
        "texts": digest(stages.clip_descriptions(run)),
        "concepts": run.concepts,
        "encoders": (run.encoder, run.audio_encoder),
        "summariser": (run.summariser, run.answerer * (run.summariser == "llm")),
        "k": run.k,
        "faults": sorted(run.faults),
        "version": (VERSION, ablation.VERSION, stages.NEURONS_VERSION),
    }
    return digest(about)


def main() -> None:
    """The command line; see the module's docstring."""
    draws = {"type": int, "default": DRAWS, "help": "random sets for each strategy and class"}
    run, given = kept.asked("Computes the controls of Table 4 and keeps them in results/<profile>/.", draws=draws)
    models = {model: _of(run, model, given.draws) for model in run.models}
    print(kept.write(given.profile, "controls", {"made_by": run.made_by(), "models": models}))


def _of(run: Run, model: str, draws: int) -> dict[str, Any]:
    """A model's controls: those that are committed, if they are what is asked for, else computed."""
    held = _committed(run, model)
    if held and {len(drawn) for drawn in held["drawn"].values()} == {draws}:
        return held
    begun = time.monotonic()
    return compute(run, model, draws) | {"seconds": round(time.monotonic() - begun)}


if __name__ == "__main__":
    main()
