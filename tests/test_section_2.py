"""The probing set: what captions name and how hard the classes are, on a small set with a tiny network."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import CLASSES, tiny_set

from andlib import descriptions
from andlib.language import mentions
from andlib.pages import section_2, section_4_0
from andlib.report import tables


def test_captioner_accuracy_counts_descriptions_that_name_their_class(run):
    frame = section_2.captioner_accuracy(run)
    assert set(frame["label"]) == set(CLASSES) and set(frame["origin"]) == {"source", "measured"}
    captions = descriptions.clip_captions(run).set_index(["clip", "origin"])["text"]
    dogs = [captions[clip.name, "source"] for clip in tiny_set().clips if clip.label == "dog"]
    row = frame[(frame["origin"] == "source") & (frame["label"] == "dog")].iloc[0]
    assert row["clips"] == len(dogs) == 10
    assert row["named"] == pytest.approx(np.mean([mentions(text, "dog") for text in dogs]))
    assert frame.loc[frame["origin"] == "measured", "named"].max() == 0


def test_the_floor_tells_pitches_apart_and_not_labels_without_sound():
    rng = np.random.default_rng(0)
    tones = np.stack([np.sin(2 * np.pi * f * np.arange(8000) / 16_000) for f in np.repeat([300, 3000], 20)])
    waves = (0.1 * tones + 0.01 * rng.standard_normal(tones.shape)).astype(np.float32)
    labels, test = np.repeat([0, 1], 20), np.tile([True, False], 20)
    assert section_2.band_statistics_accuracy(waves, labels, test) == 1.0
    assert section_2.band_statistics_accuracy(waves, rng.permutation(labels), test) < 0.9


def test_each_class_shows_its_first_clip_and_folds_add_up():
    first = section_2.first_of_each_class(tiny_set())
    assert [tiny_set().clips[i].label for i in first] == list(CLASSES)
    assert all(clip.label != name for i, name in zip(first, CLASSES, strict=True) for clip in tiny_set().clips[:i])
    folds = section_2.by_fold(tiny_set())
    assert folds["clips"].sum() == 30 and set(folds["classes"]) == {3}


@pytest.mark.parametrize(("folds", "classes"), [((0,), 3), ((1,), 3), ((2, 3), 3), ((1, 2), 1)])
def test_where_nothing_can_be_learnt_or_tested_there_is_no_accuracy_and_no_traceback(run, folds, classes):
    whole = tiny_set()
    chosen = [clip for clip in whole.clips if clip.label in CLASSES[:classes] and (folds == (0,) or clip.fold in folds)]
    clips = tuple(replace(clip, fold=0) if folds == (0,) else clip for clip in chosen)
    part = replace(whole, clips=clips, classes=CLASSES[:classes], fingerprint=f"{whole.fingerprint}{folds}{classes}")
    few = run.using(probing_set=part, profile=replace(run.profile, probing="folder"))
    floors, accuracy = section_2.difficulty(few), section_4_0.target_accuracy(few)
    assert np.isnan(floors.set_index("method").loc[section_2.FLOOR, "accuracy"])
    assert accuracy["n"].tolist() == [sum(clip.fold in at for clip in clips) for at in ((1,), (2, 3, 4, 5))]
    assert np.isnan(accuracy.loc[accuracy["n"] == 0, "accuracy"]).all()
    shown = str(tables.table1(accuracy, floors, "")._repr_html_())
    assert "nan" not in shown and section_4_0.words(few, accuracy, floors)["frozen_against"]
    assert len(section_2.by_fold(part)) == len(folds)
