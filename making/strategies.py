"""The clean comparison's numbers: every strategy is trained from every seed, what is missing of it, and measured.

`python -m making.strategies --profile mini` (`make strategies`; hours): results/<profile>/clean_comparison.json."""

import json
from dataclasses import replace
from pathlib import Path

from andlib import kept, stages, unlearning
from andlib.pages import section_4_0, section_4_1, section_4_4
from andlib.pages.training_strategies import NAME
from andlib.profiles import STRATEGIES
from andlib.run import Run
from making.command import asked, trained
from making.training import train_strategies

SEEDS = (0, 1, 2)


def measure(run: Run, strategy: str, seed: int) -> dict:
    """One network of BEATs, judged as the paper judges its three: see MEASURES. top1: DB's best function on all clips
    (Section 4.1); top1_fold1: on those that no network learnt from. Gaps: dR - dA of Table 4; excess: less that of as
    many random units in the same layers. adjectives: different ones of a block unit, on average (Figure 5)."""
    accuracy = section_4_0.target_accuracy(run).set_index("clips").loc["fold 1", "accuracy"]
    named = section_4_1.last_layer(run)
    named = named[named["method"] == "DB"]
    top1 = named[named["function"] == section_4_1.best_function(named, "DB")].set_index("condition")["top1"]
    sets = unlearning.strategy_sets(run, strategy)
    sets |= unlearning.random_sets(run, strategy, sets)
    read = {name: chosen for name, chosen in sets.items() if name.removeprefix("random as ") in ("DB", "OCP")}
    effects = unlearning.unlearning(run, strategy, read)
    gaps = {name: unlearning.unlearnt(effect)["gap"] for name, effect in effects.items()}
    described = unlearning.block_units(stages.neurons(run, strategy))
    row = {"strategy": strategy, "seed": seed, "accuracy": accuracy}
    row |= {"top1": top1["all clips"], "top1_fold1": top1["fold 1"]}
    row |= {f"{name.lower()}_gap": gaps[name] for name in ("DB", "OCP")}
    row |= {f"{name.lower()}_excess": gaps[name] - gaps[f"random as {name}"] for name in ("DB", "OCP")}
    return row | {"adjectives": section_4_4.different(described).mean()}


def main() -> None:
    run, given = asked("Measures the clean comparison and keeps it in results/<profile>/.", model="ast")
    rows, seconds = [], 0
    for seed in SEEDS:
        train_strategies(run, seed, trained(seed))
        networks = {strategy: str(trained(seed) / f"{strategy}_{given.profile}") for strategy in STRATEGIES}
        profile = replace(run.profile, networks=networks)
        for strategy in STRATEGIES:
            rows.append(measure(run.using(profile=profile, models=(strategy,)), strategy, seed))
            print(json.dumps(rows[-1]), flush=True)
            seconds += json.loads((Path(networks[strategy]) / "record.json").read_text())["seconds"]
    about = {"seeds": SEEDS, "seconds_of_training": seconds, "made_by": run.made_by()}
    print(kept.write(given.profile, NAME, about | {"rows": rows}))


if __name__ == "__main__":
    main()
