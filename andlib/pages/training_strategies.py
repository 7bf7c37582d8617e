"""The clean comparison: one architecture under four training strategies, three seeds each; see `making.strategies`."""

import numpy as np
import pandas as pd

from andlib import kept
from andlib.profiles import CALLED, MEASURES
from andlib.run import Run

NAME = "clean_comparison"
PAIRS = (  # what each shows: pre-training, its worth as a start, frozen against fine-tuned
    ("beats_frozen", "beats_untrained"),
    ("beats_finetuned", "beats_supervised"),
    ("beats_finetuned", "beats_frozen"),
)


def clean_comparison(run: Run) -> pd.DataFrame:
    """What was measured of each strategy and seed, one row each; columns strategy, seed and those of MEASURES that
    were taken. Read from what is committed, for training takes hours; raises InputError where a profile has none."""
    return pd.DataFrame(provenance(run)["rows"])


def provenance(run: Run) -> dict:
    """The committed comparison, with seeds, seconds of training and versions; raises InputError as its rows do."""
    return kept.read(run.profile.name, NAME, f"make strategies PROFILE={run.profile.name}")


def over_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean of each strategy's networks and its 95 % interval (Student's t): measure, strategy, mean, low, high."""
    groups = rows.groupby("strategy", sort=False)
    return pd.DataFrame(
        {"measure": measure, "strategy": strategy, **_interval(values)}
        for measure in filter(rows.columns.__contains__, MEASURES)
        for strategy, values in groups[measure]
    )


def paired_over_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """Differences of two strategies of one seed, with 95 % interval: columns measure, one, other, mean, low, high."""
    wide = rows.set_index(["strategy", "seed"])
    return pd.DataFrame(
        {"measure": measure, "one": one, "other": other, **_interval(wide.loc[one, measure] - wide.loc[other, measure])}
        for measure in filter(rows.columns.__contains__, MEASURES)
        for one, other in PAIRS
    )


def _interval(values: pd.Series) -> dict[str, float]:
    from scipy.stats import t

    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return {"mean": values.mean(), "low": values.mean() - half, "high": values.mean() + half}


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """What `make results` keeps of this page."""
    rows = clean_comparison(run)
    return {"comparison": rows, "summary": over_seeds(rows)}


def words(run: Run, summary: pd.DataFrame) -> dict[str, object]:
    """The numbers of the prose. summary: `over_seeds`."""
    about = provenance(run)
    mean = summary.pivot(index="strategy", columns="measure", values="mean")
    accuracy, least = mean["accuracy"], mean["accuracy"].idxmin()
    return {f"least_{name}": mean.loc[least, name] for name in ("accuracy", "top1", "top1_fold1")} | {
        "title": run.profile.title,
        "seeds": len(about["seeds"]),
        "hours": about["seconds_of_training"] / 3600,
        "pretraining": 100 * (accuracy["beats_frozen"] - accuracy["beats_untrained"]),
        "start": 100 * (accuracy["beats_finetuned"] - accuracy["beats_supervised"]),
        "accuracy_order": "; ".join(accuracy.sort_values(ascending=False).rename(CALLED).index),
        "least": CALLED.get(least, least),
        "best_fold1": mean["top1_fold1"].max(),
    }
