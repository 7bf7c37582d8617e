"""Every number that the paper prints, and ours beside it."""

import json
from functools import lru_cache
from typing import Any

import pandas as pd

from andlib import paths


@lru_cache
def numbers() -> dict[str, Any]:
    """The paper's figures (Wu, Lin & Weng, ICML 2024), keyed by its tables."""
    return json.loads((paths.PACKAGE / "paper_numbers.json").read_text(encoding="utf-8"))


def table1() -> pd.DataFrame:
    """Table 1 of the paper: one row a model; display (its name there), pretraining, finetuning, accuracy (a share)."""
    frame = pd.DataFrame.from_dict(numbers()["models"], "index").rename(columns={"esc50_test_accuracy": "accuracy"})
    return frame.assign(accuracy=frame["accuracy"] / 100)


def table2(model: str) -> pd.DataFrame:
    """Table 2 of the paper for one model, a row a method: top1, top5, cos. Here as below, other networks have none."""
    return _shares(numbers()["table2_last_layer_accuracy"].get(model, {}))


def table4(model: str) -> pd.DataFrame:
    """Table 4 of the paper for one model: one row a strategy; units, dA, dR and gap = dR - dA as its values are."""
    rows = numbers()["table4_unlearning"].get(model, {})
    return pd.DataFrame(list(rows.values()), list(rows), ["units", "dA", "dR", "gap"], float)


def table7(model: str, method: str = "DB") -> pd.DataFrame:
    """Table 7 of the paper for one model and method: one row a similarity function; top1, top5 as shares, cos."""
    table = numbers()["table7_similarity_functions"]
    return _shares(dict(zip(table["columns"], table[model][method], strict=True)) if model in table else {})


def _shares(rows: dict[str, list[float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [(a / 100, b / 100, c) for a, b, c in rows.values()], list(rows), ["top1", "top5", "cos"], float
    )
