"""How pages put numbers and summaries into words."""

from collections.abc import Mapping, Sequence


def by_model(values: Mapping[str, object], spec: str = "") -> str:
    """One value a model: "ast 60%, beats_frozen 57%"."""
    return ", ".join(f"{model} {value:{spec}}" for model, value in values.items())


def summary(points: Sequence[str]) -> str:
    """The points of a summary on one line."""
    return " ".join(points) or "nothing is left"
