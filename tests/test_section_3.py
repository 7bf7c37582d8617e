"""Section 3's pipeline, on one neuron of a tiny network."""

import numpy as np
import pandas as pd
import pytest

from andlib import asking, stages
from andlib.errors import InputError
from andlib.llms.llm import Answer
from andlib.pages import section_3, section_4_1
from andlib.records import Unit


@pytest.fixture
def neurons(run):
    """A neuron of the tiny network with summaries of one point less than two."""
    row = stages.neurons(run, "ast").iloc[17].copy()
    row["high"], row["like"], row["cosine"] = ["1. A loud red dog.", "2. Noise."], ["Noise.", ""], [0.9, -1.0]
    row["low"], row["calibrated"], row["adjectives"] = ["Noise."], ["1. A loud red dog."], ["loud"]
    return {"rules": row}


def test_the_neuron_is_the_named_one_or_the_best_explained_that_loses_a_point(run, monkeypatch):
    table = stages.neurons(run, "ast").copy()
    losing = list(table["unit"].iloc[[3, 9, 40]])
    table["calibrated"] = table["calibrated"].where(table["unit"].isin(losing), table["high"])
    scores = pd.DataFrame({"unit": table["unit"], "pearson": 0.9}).set_index("unit")
    scores.loc[losing, "pearson"] = 0.2, 0.6, 0.4
    monkeypatch.setattr(section_3.stages, "neurons", lambda *_: table)
    monkeypatch.setattr(section_3, "score_neurons", lambda *_: pd.concat([scores, scores * np.nan]).reset_index())
    assert section_3.neuron_of_the_page(run).id == losing[1]
    monkeypatch.setattr(section_3, "score_neurons", lambda *_: scores.drop(losing).reset_index())
    assert section_3.neuron_of_the_page(run).layer == "block0.output"  # none that loses a point has a score
    named = run.using(extra={"unit": "block1.output/3", "class_unit": 2})
    assert section_3.neuron_of_the_page(named) == Unit("ast", "block1.output", 3)
    assert section_3.class_unit(named).id == "ast/classifier/2"
    with pytest.raises(InputError, match="classifier"):
        section_3.class_unit(run.using(extra={"class_unit": 3}))


def test_every_point_has_its_fate_and_every_word_its_filter(run, neurons):
    calibration = section_3.calibration(neurons)
    assert calibration["module B"].tolist() == ["kept", "removed"] and calibration["cosine"].isna().tolist() == [0, 1]
    assert section_3._removed(calibration) == "Of 2 points by rules, 1 is removed."
    assert section_3._removed(calibration.iloc[:0]) == "No point was there to calibrate."
    assert section_3.points(neurons)["summary"].tolist() == ["S_h", "S_h", "S_l"]
    kept = section_3.words_kept(run, neurons).set_index("part of speech")
    assert kept.loc["adjectives"].tolist()[1:] == ["loud, red", "loud, red", "loud"]
    assert kept.loc["nouns"].tolist()[1:] == ["dog", "dog", "–"]


def test_captions_stand_beside_the_clip_they_are_of(run):
    clips, texts = section_3.captioned(run, list(range(30)), [4, 2])
    assert clips == [run.probing_set.clips[i] for i in (4, 2)]
    assert texts[0].startswith("u = 4.00. [source] ") and "[measured] " in texts[1]


def test_the_rules_stand_alone_where_the_language_model_was_not_asked(run):
    unit = section_3.neuron_of_the_page(run)
    neurons, closed = section_3.described(run, unit), section_4_1.closed_concepts(run, unit)
    assert list(neurons) == ["rules"] and neurons["rules"]["unit"] == unit.id
    words = section_3.words(run, unit, neurons, closed)
    assert words["unit"] == unit.id and words["answered"].startswith("Of this neuron it was not asked")
    assert words["disagreement"].startswith(("The 10 rows put", "All rows put"))


def test_answers_are_shown_as_given_and_as_read(run, monkeypatch):
    given = iter([Answer("It barks.\nAnswer: dog, siren"), None])
    monkeypatch.setattr(asking, "ask", lambda *_: [next(given)])
    rows = section_3.answers(run, {1: [], 2: []}).to_numpy().tolist()
    assert rows == [["1", "It barks.\nAnswer: dog, siren", "dog, siren"], ["2", "none is kept", "–"]]
