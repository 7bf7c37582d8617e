"""Table 1, on a small set with a tiny network."""

import pandas as pd
import pytest
from conftest import tiny_set

from andlib import responses
from andlib.pages import section_4_0


def test_target_accuracy_is_that_of_the_classifier_s_units(run):
    frame = section_4_0.target_accuracy(run).set_index("clips")
    logits = responses.unit_activations(run, "ast")["classifier"]
    right = logits.argmax(1) == tiny_set().labels
    assert frame.loc["fold 1", "accuracy"] == right[tiny_set().folds == 1].mean() and frame.loc["fold 1", "n"] == 6
    assert frame.loc["folds 2-5", "accuracy"] == right[tiny_set().folds != 1].mean()


def test_units_are_counted_as_the_network_has_them(run):
    row = section_4_0.units(run).iloc[0]
    assert row["units"] == 67 and row["that ablation may silence"] == 64


@pytest.mark.parametrize(
    ("accuracies", "order"),
    [
        ((0.9, 0.8, 0.7), "the paper's"),
        ((0.9, 0.9, 0.7), "the paper's but for a tie"),
        ((0.7, 0.8, 0.9), "not the paper's"),
    ],
)
def test_the_order_of_networks_is_compared_with_the_papers(run, accuracies, order):
    models = ["ast", "beats_finetuned", "beats_frozen"]
    rows = pd.DataFrame({"model": models, "clips": "fold 1", "accuracy": accuracies})
    floors = pd.DataFrame({"method": ["log-mel statistics + linear"], "accuracy": [0.75]})
    said = section_4_0.words(run, rows, floors)
    assert said["order"] == order and said["frozen_against"] == ("more" if accuracies[2] > 0.75 else "no more")
