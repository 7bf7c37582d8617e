"""The clean comparison: one architecture under four training strategies, three seeds each.

The paper's Table 1 changes architecture and strategy together and trains each network once. Here BEATs alone is
trained, untrained, supervised, self-supervised and frozen, and self-supervised and fine-tuned.
`make strategies` trains what is missing, measures, and writes what the page reads.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from andlib import kept, paths, stages, unlearning
from andlib.pages import section_4_0, section_4_1
from andlib.profiles import MEASURES, STRATEGIES
from andlib.run import Run

SEEDS = (0, 1, 2)
PAIRS = (  # what each shows: pre-training, its worth as a start, frozen against fine-tuned
    ("beats_frozen", "beats_untrained"),
    ("beats_finetuned", "beats_supervised"),
    ("beats_finetuned", "beats_frozen"),
)


def clean_comparison(run: Run) -> pd.DataFrame:
    """What `measure` found for each strategy and seed, one row each; columns strategy, seed and those of MEASURES.

    Read from the committed results, because training and measuring takes hours. Raises InputError where a profile
    has none.
    """
    return pd.DataFrame(_kept(run)["rows"])


def provenance(run: Run) -> dict:
    """Seeds, seconds of training and versions of the committed comparison."""
    return {k: v for k, v in _kept(run).items() if k != "rows"}


def over_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean of each strategy's networks and its 95 % interval (Student's t): measure, strategy, mean, low, high."""
    groups = rows.groupby("strategy", sort=False)
    return pd.DataFrame(
        {"measure": measure, "strategy": strategy, **_interval(values)}
        for measure in MEASURES
        for strategy, values in groups[measure]
    )


def paired_over_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """Difference between two strategies of the same seed, mean and 95 % interval: columns measure, one, other, mean,
    low, high."""
    wide = rows.set_index(["strategy", "seed"])
    return pd.DataFrame(
        {"measure": measure, "one": one, "other": other, **_interval(wide.loc[one, measure] - wide.loc[other, measure])}
        for measure in MEASURES
        for one, other in PAIRS
    )


def _interval(values: pd.Series) -> dict[str, float]:
    from scipy.stats import t

    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return {"mean": values.mean(), "low": values.mean() - half, "high": values.mean() + half}


def measure(run: Run, strategy: str, seed: int) -> dict:
    """One network of BEATs, judged as the paper judges its three: see MEASURES.

    top1: DB's best function on all clips (Section 4.1); top1_fold1: on those that no network learnt from.
    Gaps: dR - dA of Table 4, units chosen on folds 2-5, effects on fold 1; excess: less that of as many random units
    in the same layers. adjectives, nouns: in the open concepts of block units, on average.
    """
    accuracy = section_4_0.target_accuracy(run).set_index("clips").loc["fold 1", "accuracy"]
    named = section_4_1.last_layer(run)
    named = named[named["method"] == "DB"]
    top1 = named[named["function"] == section_4_1.best_function(named, "DB")].set_index("condition")["top1"]
    sets = unlearning.table4_sets(run, strategy)
    chosen = {name: of for name, of in sets.items() if name != "random"}
    effects = unlearning.unlearning(run, strategy, sets | unlearning.random_sets(run, strategy, chosen))
    gaps = {name: unlearning.unlearnt(effect)["gap"] for name, effect in effects.items()}
    described = stages.neurons(run, strategy)
    described = described[described["layer"] != "classifier"]
    return {
        "strategy": strategy,
        "seed": seed,
        "accuracy": accuracy,
        "top1": top1["all clips"],
        "top1_fold1": top1["fold 1"],
        **{f"{name.lower()}_gap": gaps[name] for name in ("DB", "OCP")},
        **{f"{name.lower()}_excess": gaps[name] - gaps[f"random as {name}"] for name in ("DB", "OCP")},
        **{part: described[part].map(len).mean() for part in ("adjectives", "nouns")},
    }


def _kept(run: Run) -> dict:
    return kept.read(run.profile.name, "clean_comparison", f"make strategies PROFILE={run.profile.name}")


def _networks(profile: str, seed: int) -> dict[str, str]:
    folder = paths.cache() / "training" / f"seed{seed}"
    return {strategy: str(folder / f"{strategy}_{profile}") for strategy in STRATEGIES}


def main() -> None:
    """The command line; see the module's docstring."""
    from making.training import train_strategies

    run, given = kept.asked("Measures the clean comparison and keeps it in results/<profile>/.", model="ast")
    rows, trained = [], 0
    for seed in SEEDS:
        train_strategies(given.profile, run.probing_set, seed)
        for strategy in STRATEGIES:
            profile = replace(run.profile, networks=_networks(given.profile, seed))
            rows.append(measure(replace(run, profile=profile, models=(strategy,)), strategy, seed))
            print(json.dumps(rows[-1]), flush=True)
            trained += json.loads((Path(profile.networks[strategy]) / "record.json").read_text())["seconds"]
    held = {"seeds": SEEDS, "seconds_of_training": trained, "made_by": run.made_by(), "rows": rows}
    print(kept.write(given.profile, "clean_comparison", held))


if __name__ == "__main__":
    main()
