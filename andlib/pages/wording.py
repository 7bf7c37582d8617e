"""How pages put numbers and summaries into their sentences."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd


def by_model(values: Mapping | pd.Series, spec: str = ".0%") -> str:
    """A value a network: `ast 100%, beats_frozen 93%`."""
    return ", ".join(f"{name} {value:{spec}}" for name, value in values.items())


def spelt(value: float, low: float, high: float, spec: str = "+.2f") -> str:
    """A value and its 95 % interval: `+0.12 (+0.05 … +0.20)`."""
    known = "no interval" if np.isnan(low) else f"{low:{spec}} … {high:{spec}}"
    return "no value" if np.isnan(value) else f"{value:{spec}} ({known})"


def summary(points: Sequence[str]) -> str:
    """The points of a summary on one line."""
    return " ".join(points) or "nothing is left"


def described(neurons: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """What is said of neurons, for a table: unit, some of their own columns, DB's first concept, calibrated summary."""
    summaries = neurons["calibrated"].map(summary)
    return neurons[["unit", *columns]].assign(DB=neurons["db"].str[0], **{"calibrated summary": summaries})
