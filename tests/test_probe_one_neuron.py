"""The cells of the page on which one neuron is probed: each by itself, from the run and the unit's id."""

import pandas as pd
import pytest

from andlib import firing
from andlib.errors import InputError
from andlib.pages import probe_one_neuron

UNIT = "ast/block0.intermediate/3"


def test_readings_change_one_choice_each(run):
    table = probe_one_neuron.otherwise(run, UNIT, k=5, t=-1.0, pooling="max")
    assert list(table["changed"].iloc[1:]) == ["K = 5", "t = -1.0", "pooling: max"]


def test_a_unit_is_silenced_and_multiplied(run):
    table = probe_one_neuron.multiplied(run, UNIT, 3.0).set_index("class")
    network, unit = run.unit(UNIT)
    for factor, column in ((0.0, "silenced"), (3.0, "scaled")):
        expected = firing.effect(run, network, unit, factor).set_index("class")["change"]
        pd.testing.assert_series_equal(table[column], expected[table.index], check_names=False)


def test_neurons_are_found_by_words(run):
    found = probe_one_neuron.found(run, "loud")
    assert len(found) == 5 and found["similarity"].is_monotonic_decreasing
    assert probe_one_neuron.found(run, "loud", ["classifier"])["unit"].str.startswith("ast/classifier/").all()


def test_the_page_says_what_is_heard(run):
    asked = run.using(extra={"unit": "block0.intermediate/3", "wav": "", "factor": 2.0})
    said = probe_one_neuron.words(asked)
    assert said["unit"] == UNIT and said["units"] == 2 * (8 + 16 + 8) + 3 and said["heard"].startswith("a tone")
    assert probe_one_neuron.words(run.using(extra=asked.extra | {"wav": "a/b.wav"}))["heard"] == "b.wav"


def test_a_unit_that_is_not_there_is_a_sentence(run):
    for unit in ("ast/block0.intermediate/99", "ast/block9.output/0", "rain"):
        with pytest.raises(InputError):
            probe_one_neuron.otherwise(run, unit)
    with pytest.raises(InputError, match="network=target"):
        probe_one_neuron.otherwise(run, "mine/block0.output/0")
