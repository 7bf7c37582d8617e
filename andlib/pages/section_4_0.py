"""Section 4, Table 1: how well the target networks classify, and which units they have."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from andlib import paper, responses, statistics
from andlib.pages.section_2 import FLOOR, classified_right, difficulty
from andlib.pages.wording import by_model
from andlib.profiles import LEARNT, TEST
from andlib.run import Run

FLOORS = ("beats_untrained", "whisper_untrained")  # random features, trained classifier


def target_accuracy(run: Run, models: Sequence[str] = ()) -> pd.DataFrame:
    """Table 1: share of clips that each model classifies right, on fold 1 (never trained on) and on folds 2-5; a row a
    model and set of clips, columns accuracy, low, high (95 % over sources), n. models: the run's by default."""
    rows = []
    for model in models or run.models:
        logits = responses.classifier_outputs(run, model)
        right = classified_right(run.target(model), logits, run.probing_set)
        for name, folds in (("fold 1", TEST), ("folds 2-5", LEARNT)):
            inside = np.isin(run.probing_set.folds, folds)
            rows.append({"model": model, "clips": name, **statistics.accuracy(right, run.probing_set, inside)})
    return pd.DataFrame(rows)


def units(run: Run) -> pd.DataFrame:
    """What each network has to be described, and how it is read; one row a model."""
    rows = []
    for network in map(run.target, run.models):
        row = {"model": network.name, "layers": len(network.layers), "units": sum(la.units for la in network.layers)}
        row["that ablation may silence"] = sum(layer.units for layer in network.layers if layer.hidden)
        rows.append(row | {"one number a clip": network.layers[0].pooling, "sampling rate (Hz)": network.sample_rate})
    return pd.DataFrame(rows)


def words(run: Run, accuracy: pd.DataFrame, floors: pd.DataFrame) -> dict[str, object]:
    """The numbers of the page's sentences. accuracy: `target_accuracy`. floors: `difficulty` of the probing set."""
    printed = paper.table1()["accuracy"]
    tested = accuracy[accuracy["clips"] == "fold 1"].set_index("model")["accuracy"]
    ours = tested.reindex([name for name in printed.index if name in tested])
    order = "the paper's" if ours.is_unique else "the paper's but for a tie"
    by_bands = floors.set_index("method")["accuracy"][FLOOR]
    frozen, floor = (tested.get(name, np.nan) for name in ("beats_frozen", FLOORS[0]))
    spoken = {"title": run.profile.title, "statistics": by_bands}
    spoken |= {"reading": by_model(tested.drop(list(FLOORS), errors="ignore"), ".1%")}
    spoken |= {f"paper_{name.removeprefix('beats_')}": share for name, share in printed.items()}
    spoken |= {"order": order if ours.is_monotonic_decreasing else "not the paper's", "gain": 100 * (frozen - floor)}
    return spoken | {"frozen_against": "more" if frozen > by_bands else "no more"}


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """What claims and exhibits read of this page."""
    return {"accuracy": target_accuracy(run, run.beside(*FLOORS)), "floors": difficulty(run)}
