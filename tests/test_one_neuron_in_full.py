"""One neuron: which one is meant, what each other reading changes, and the sound that is played without a file."""

import numpy as np
import pandas as pd
import pytest

from andlib import stages
from andlib.errors import InputError
from andlib.pages import one_neuron_in_full
from andlib.records import Unit
from andlib.targets import chosen_unit

UNIT = Unit("ast", "block0.intermediate", 3)
ASKED = {
    "unit": "block0.intermediate/3",
    "words": "",
    "other_k": 5,
    "t": -1.0,
    "pooling": "max",
    "factor": 2.0,
    "wav": "",
}


@pytest.fixture
def target(run):
    return run.target("ast")


def test_a_named_unit_goes_before_words_and_words_before_any(run, target):
    candidates = one_neuron_in_full.nearest(run, target, "")
    assert len(candidates) == 5
    pd.testing.assert_frame_equal(candidates, one_neuron_in_full.nearest(run, target, one_neuron_in_full.EXAMPLE))
    assert one_neuron_in_full.address(target, "block0.intermediate/3", "loud", candidates) == UNIT
    assert one_neuron_in_full.address(target, "", "loud", candidates).id == candidates["unit"][0]
    assert one_neuron_in_full.address(target, "", "", candidates) == Unit("ast", "block0.output", 7)
    with pytest.raises(InputError, match="block0.output has units 0 to 7"):
        one_neuron_in_full.address(target, "block0.output/8", "", candidates)


def test_each_reading_changes_one_choice_alone(run, target):
    chosen = one_neuron_in_full.reading(run, target, UNIT)
    assert chosen.name == "nothing: K = 3, t = 0.7, cls" and chosen["unit"] == UNIT.id
    more = one_neuron_in_full.reading(run, target, UNIT, k=5)
    assert more.name == "K = 5" and list(more["highest"][:3]) == list(chosen["highest"])
    pooled = one_neuron_in_full.reading(run, target, UNIT, pooling="max")
    layer = stages.neurons(run, target.read(pooling="max"), layers=[UNIT.layer])
    assert pooled.name == "pooling: max" and list(pooled["highest"]) == list(layer["highest"][3])
    usual = one_neuron_in_full.reading(run, target, UNIT, t=0.7)
    assert usual.name == "t = 0.7" and list(usual["calibrated"]) == list(chosen["calibrated"])
    assert one_neuron_in_full.reading(run, target, UNIT, t=-1.0)["calibrated"] == []
    every = one_neuron_in_full.reading(run, target, UNIT, t=1.1)
    assert every["calibrated"] == list(chosen["high"])


def test_the_page_keeps_readings_beside_the_first(run, target):
    asked = run.using(extra=ASKED)
    [otherwise] = one_neuron_in_full.frames(asked).values()
    assert list(otherwise["changed"].iloc[1:]) == ["K = 5", "t = -1.0", "pooling: max"]
    assert list(otherwise["shared"].iloc[:3]) == [3, 3, 3] and otherwise["S_h^c"][2] == "nothing is left"
    words = one_neuron_in_full.words(asked, target, UNIT, otherwise)
    assert words["shared_pooling"] == otherwise["shared"][3] and words["units"] == 2 * (8 + 16 + 8) + 3
    assert words["heard"] == "No file was given, so a tone that rises evenly from 100 Hz to 7 kHz is played."
    played = asked.using(extra=ASKED | {"wav": "a/b.wav"})
    assert one_neuron_in_full.words(played, target, UNIT, otherwise)["heard"] == "This is b.wav."


def test_classes_stand_by_how_much_silencing_changes_them():
    silenced = pd.DataFrame({"class": list("abc"), "before": [1.0, 2.0, 3.0], "change": [0.1, -0.5, 0.2]})
    most = one_neuron_in_full.most_changed(silenced, silenced.assign(change=1.0))
    assert list(most["class"]) == ["b", "c", "a"] and list(most["scaled"]) == [1.0] * 3
    assert list(most.columns) == ["class", "before", "silenced", "scaled"]


@pytest.mark.parametrize("wav", ["~nobody/x.wav", "/dev/zero", ".", "x" * 5000])
def test_what_is_no_sound_file_is_a_sentence(target, wav):
    with pytest.raises(InputError, match="Recording '.*' is absent"):
        one_neuron_in_full.played(target, wav)


@pytest.mark.parametrize(
    "unit", ["block0.output/²", "block0.output/-1", "block0.output/1.0", "block0.output/" + "9" * 50]
)
def test_what_is_no_unit_is_a_sentence(target, unit):
    with pytest.raises(InputError, match="is not of the form model/layer/index"):
        chosen_unit(target, unit)


def test_the_tone_rises_evenly_and_as_long_as_the_target_hears(target):
    tone = one_neuron_in_full.played(target, "")
    assert tone.dtype == np.float32 and len(tone) == 8000
    crossings = np.flatnonzero(np.diff(np.sign(tone)))
    rates = 8000 / np.diff(crossings)  # a period crosses twice, at 16 kHz
    assert rates[0] == pytest.approx(100, rel=0.1) and rates[-10:].mean() == pytest.approx(7000, rel=0.2)
