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
    rows = [{"model": model, **row} for model, row in numbers()["models"].items()]
    frame = pd.DataFrame(rows).rename(columns={"esc50_test_accuracy": "accuracy"})
    return frame.assign(accuracy=frame["accuracy"] / 100)


def table2(model: str) -> pd.DataFrame:
    """Table 2 of the paper for one model: one row a method; top1 and top5 as shares, cos."""
    rows = numbers()["table2_last_layer_accuracy"][model]
    return pd.DataFrame([{"method": m, "top1": a / 100, "top5": b / 100, "cos": c} for m, (a, b, c) in rows.items()])


def table4(model: str) -> pd.DataFrame:
    """Table 4 of the paper for one model: one row a strategy; units, dA, dR and gap = dR - dA as its values are."""
    rows = numbers()["table4_unlearning"][model]
    columns = ("units", "dA", "dR", "gap")
    return pd.DataFrame([{"strategy": s, **dict(zip(columns, values, strict=True))} for s, values in rows.items()])


def table7(model: str, method: str = "DB") -> pd.DataFrame:
    """Table 7 of the paper for one model and method: one row a similarity function; top1, top5 as shares, cos."""
    table = numbers()["table7_similarity_functions"]
    cells = table[model][method]
    rows = [(f, a / 100, b / 100, c) for f, (a, b, c) in zip(table["columns"], cells, strict=True)]
    return pd.DataFrame(rows, columns=["function", "top1", "top5", "cos"])
