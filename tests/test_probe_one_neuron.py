"""One neuron, cell by cell: other readings, what is silenced, found and played, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from andlib import firing, stages
from andlib.errors import InputError
from andlib.pages import probe_one_neuron
from andlib.records import Unit
from andlib.targets import chosen_unit

UNIT = Unit("ast", "block0.intermediate", 3)


@pytest.fixture
def target(run):
    return run.target("ast")


def test_each_reading_changes_one_choice_alone(run, target):
    chosen = probe_one_neuron.reading(run, target, UNIT)
    assert chosen.name == "nothing: K = 3, t = 0.7, cls" and chosen["unit"] == UNIT.id
    more = probe_one_neuron.reading(run, target, UNIT, k=5)
    assert more.name == "K = 5" and list(more["highest"][:3]) == list(chosen["highest"])
    pooled = probe_one_neuron.reading(run, target, UNIT, pooling="max")
    layer = stages.neurons(run, target.read(pooling="max"), layers=[UNIT.layer])
    assert pooled.name == "pooling: max" and list(pooled["highest"]) == list(layer["highest"][3])
    usual = probe_one_neuron.reading(run, target, UNIT, t=0.7)
    assert usual.name == "t = 0.7" and list(usual["calibrated"]) == list(chosen["calibrated"])
    assert probe_one_neuron.reading(run, target, UNIT, t=-1.0)["calibrated"] == []
    every = probe_one_neuron.reading(run, target, UNIT, t=1.1)
    assert every["calibrated"] == list(chosen["high"])


def test_readings_stand_beside_the_first(run):
    table = probe_one_neuron.otherwise(run, UNIT.id, k=5, t=-1.0, pooling="max")
    assert list(table["changed"].iloc[1:]) == ["K = 5", "t = -1.0", "pooling: max"]
    assert list(table["shared"].iloc[:3]) == [3, 3, 3] and table["S_h^c"][2] == "nothing is left"


def test_a_unit_is_silenced_and_multiplied(run):
    table = probe_one_neuron.multiplied(run, "block0.intermediate/3", 3.0)
    assert list(table.columns) == ["class", "before", "silenced", "scaled"]
    assert table["silenced"].abs().is_monotonic_decreasing
    for factor, column in ((0.0, "silenced"), (3.0, "scaled")):
        expected = firing.effect(run, *run.unit(UNIT), factor).set_index("class")["change"]
        ours = table.set_index("class")[column]
        pd.testing.assert_series_equal(ours, expected[ours.index], check_names=False)


def test_neurons_are_found_by_words(run):
    found = probe_one_neuron.found(run, "loud")
    assert len(found) == 5 and found["similarity"].is_monotonic_decreasing
    assert probe_one_neuron.found(run, "loud", ["classifier"])["unit"].str.startswith("ast/classifier/").all()


def test_the_page_says_what_is_heard(run):
    asked = run.using(extra={"unit": "block0.intermediate/3", "wav": "", "factor": 2.0})
    said = probe_one_neuron.words(asked)
    assert said["unit"] == UNIT.id and said["units"] == 2 * (8 + 16 + 8) + 3
    assert said["heard"] == "a tone that rises from 100 Hz to 7 kHz"
    assert probe_one_neuron.words(run.using(extra=asked.extra | {"wav": "a/b.wav"}))["heard"] == "b.wav"
    assert probe_one_neuron.layers(run, UNIT)["units"].sum() == said["units"]


@pytest.mark.parametrize("wav", ["~nobody/x.wav", "/dev/zero", ".", "x" * 5000])
def test_what_is_no_sound_file_is_a_sentence(target, wav):
    with pytest.raises(InputError, match="Recording '.*' is absent"):
        probe_one_neuron.played(target, wav)


@pytest.mark.parametrize(
    "unit", ["block0.output/²", "block0.output/-1", "block0.output/1.0", "block0.output/" + "9" * 50]
)
def test_what_is_no_unit_is_a_sentence(run, target, unit):
    with pytest.raises(InputError, match="is not of the form model/layer/index"):
        chosen_unit(target, unit)
    with pytest.raises(InputError, match="is not of the form model/layer/index"):
        probe_one_neuron.otherwise(run, unit)


def test_a_unit_that_is_not_there_is_a_sentence(run):
    with pytest.raises(InputError, match="block0.intermediate has units 0 to 15"):
        probe_one_neuron.otherwise(run, "ast/block0.intermediate/99")
    with pytest.raises(InputError, match="network=target"):
        probe_one_neuron.otherwise(run, "mine/block0.output/0")


def test_the_tone_rises_evenly_and_as_long_as_the_target_hears(target):
    tone = probe_one_neuron.played(target, "")
    assert tone.dtype == np.float32 and len(tone) == 8000
    crossings = np.flatnonzero(np.diff(np.sign(tone)))
    rates = 8000 / np.diff(crossings)  # a period crosses twice, at 16 kHz
    assert rates[0] == pytest.approx(100, rel=0.1) and rates[-10:].mean() == pytest.approx(7000, rel=0.2)
