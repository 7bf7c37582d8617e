"""What bounds every result, on a small set with a tiny network."""

import numpy as np
import pytest
from conftest import CLASSES, tiny_set

from andlib import descriptions, responses
from andlib.language import mentions
from andlib.pages import section_2 as baselines


def test_captioner_accuracy_counts_descriptions_that_name_their_class(run):
    frame = baselines.captioner_accuracy(run)
    assert set(frame["label"]) == set(CLASSES) and set(frame["origin"]) == {"source", "measured"}
    captions = descriptions.clip_captions(run).set_index(["clip", "origin"])["text"]
    dogs = [captions[clip.name, "source"] for clip in tiny_set().clips if clip.label == "dog"]
    row = frame[(frame["origin"] == "source") & (frame["label"] == "dog")].iloc[0]
    assert row["clips"] == len(dogs) == 10
    assert row["named"] == pytest.approx(np.mean([mentions(text, "dog") for text in dogs]))
    assert frame.loc[frame["origin"] == "measured", "named"].max() == 0


def test_target_accuracy_is_that_of_the_classifier_s_units(run):
    frame = baselines.target_accuracy(run).set_index("clips")
    logits = responses.unit_activations(run, "ast")["classifier"]
    right = logits.argmax(1) == tiny_set().labels
    assert frame.loc["fold 1", "accuracy"] == right[tiny_set().folds == 1].mean() and frame.loc["fold 1", "n"] == 6
    assert frame.loc["folds 2-5", "accuracy"] == right[tiny_set().folds != 1].mean()


def test_the_floor_tells_pitches_apart_and_not_labels_without_sound():
    rng = np.random.default_rng(0)
    tones = np.stack([np.sin(2 * np.pi * f * np.arange(8000) / 16_000) for f in np.repeat([300, 3000], 20)])
    waves = (0.1 * tones + 0.01 * rng.standard_normal(tones.shape)).astype(np.float32)
    labels, test = np.repeat([0, 1], 20), np.tile([True, False], 20)
    assert baselines.band_statistics_accuracy(waves, labels, test) == 1.0
    assert baselines.band_statistics_accuracy(waves, rng.permutation(labels), test) < 0.9
