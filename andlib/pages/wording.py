"""How pages put numbers into their sentences."""

from collections.abc import Mapping

import pandas as pd


def by_model(values: Mapping | pd.Series, spec: str = ".0%") -> str:
    """A value a network: `ast 100%, beats_frozen 93%`."""
    return ", ".join(f"{name} {value:{spec}}" for name, value in values.items())
