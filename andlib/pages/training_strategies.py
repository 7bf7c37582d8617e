"""The clean comparison: one architecture under four training strategies, three seeds each.

The paper's Table 1 changes architecture and strategy together and trains each network once. Here BEATs alone is
trained, untrained, supervised, self-supervised and frozen, and self-supervised and fine-tuned.
`make strategies` trains what is missing, measures, and writes what is read here (`making.strategies`)."""

import numpy as np
import pandas as pd

from andlib import kept
from andlib.profiles import MEASURES
from andlib.run import Run

NAME = "clean_comparison"
# what each shows: pre-training, its worth as a start, frozen against fine-tuned
PAIRS = [("beats_frozen", "beats_untrained"), ("beats_finetuned", "beats_supervised")]
PAIRS += [("beats_finetuned", "beats_frozen")]


def clean_comparison(run: Run) -> pd.DataFrame:
    """What was measured of each strategy and seed, one row each; columns strategy, seed and those of MEASURES. Read
    from the committed results, for training takes hours; raises InputError where a profile has none."""
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


def _kept(run: Run) -> dict:
    return kept.read(run.profile.name, NAME, f"make strategies PROFILE={run.profile.name}")
