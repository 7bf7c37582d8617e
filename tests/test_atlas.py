"""The atlas' data: what a card shows, each text once, safe as a script, the same bytes, and its sounds."""

import base64
import gzip
import hashlib
import io
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from andlib import paths, stages
from andlib.errors import InputError
from andlib.profiles import PROFILES
from andlib.records import Clip, ProbingSet
from andlib.report import atlas
from andlib.report.sounds import WITHHOLD_AUDIO

COMMITTED = [p for p in (paths.root() / "book/_static/atlas").glob("*.mjs") if p.stem in PROFILES]
CLIPS = [Clip(f"{i}.wav", "dog", 1, f"{i}") for i in range(4)]
NEURON = {
    "unit": "ast/block0.output/7",
    "layer": "block0.output",
    "highest": [3, 1],
    "lowest": [0, 2],
    "high": ["1. It barks.", "2. It is loud."],
    "low": ["1. It is loud indeed."],
    "calibrated": ["1. It barks."],
    "like": ["1. It is loud indeed."] * 2,
    "cosine": [0.1, 0.912],
    "adjectives": ["loud", "loud", "brief"],
    "nouns": [],
    "verbs": ["barks"],
    "db": ["dog", "cat"],
    "tab": ["rain"],
}
SCORE = {"unit": NEURON["unit"], "method": "DB", "matcher": "captions", "pearson": 0.456, "auprc": 0.5}
OTHERS = {"pearson_low": -0.1, "pearson_high": float("nan")}


def made(**changes):
    table = pd.DataFrame([NEURON])
    return atlas.data({"ast": table}, CLIPS, ["It barks."] * 4, **changes)


def test_a_unit_holds_what_its_card_shows():
    given = made()
    texts = given["texts"]
    model, layer, index, highest, lowest, high, removed, low, *words, scores = given["units"][0]
    assert (given["models"][model], given["layers"][layer], index) == ("ast", "block0.output", 7)
    assert (highest, lowest) == ([3, 1], [0, 2])
    assert [texts[i] for i in high] == NEURON["high"] and [texts[i] for i in low] == NEURON["low"]
    assert removed == [0, [low[0], 91]]
    assert [[texts[i] for i in part] for part in words] == [["loud", "brief"], [], ["barks"], ["dog", "cat"], ["rain"]]
    assert scores == []
    assert [texts[i] for i in given["clips"][3]] == ["3.wav", "dog", "It barks."]


def test_each_text_is_there_once():
    texts = made()["texts"]
    assert len(texts) == len(set(texts))


def test_scores_are_those_of_captions_in_hundredths_and_null_where_undefined():
    frame = pd.DataFrame([{**SCORE, **OTHERS}, {**SCORE, **OTHERS, "matcher": "sound", "pearson": 0.9}])
    given = made(scores=frame)
    of_unit = dict(zip(given["methods"], zip(*[iter(given["units"][0][-1])] * 4, strict=True), strict=True))
    assert of_unit == {
        "summary": (None,) * 4,
        "open concepts": (None,) * 4,
        "DB": (46, -10, None, 50),
        "TAB": (None,) * 4,
    }


def read(script):
    """The data of an atlas' script."""
    return json.loads(gzip.decompress(base64.b64decode(re.search(r'\] = "(.*)";\n$', script)[1])))


def test_a_script_is_ascii_and_ends_no_element():
    hostile = "</script><!-- \u2028\u2029 \u202e é \ud800"
    script = atlas.script("mini", {"texts": [hostile]})
    assert script.isascii() and "<" not in script
    assert read(script)["texts"] == [hostile]


def test_every_clip_has_its_place_in_the_picture_of_spectrograms():
    """A low tone, a high one that starts late, and silence: where each is bright, counted from the tile's corner."""
    tiles = {"low": (0.0, 150.0), "high": (0.5, 6000.0), "silent": (1.0, 440.0)}

    def read_clip(clip, rate):
        start, pitch = tiles[clip.name]
        time = np.arange(rate) / rate
        return (0.5 * np.sin(2 * np.pi * pitch * time) * (time >= start)).astype(np.float32)

    clips = tuple(Clip(name, "tone", 1, name) for name in tiles)
    several = ProbingSet("tones", 20 * clips, ("tone",), read_clip, "tones")
    (width, height), picture = atlas.TILE, np.array(Image.open(io.BytesIO(atlas.spectrograms(several, 1.0))))
    assert picture.shape == (2 * height, atlas.ACROSS * width) and picture.dtype == np.uint8
    low, high, silent = (picture[height:, i * width : (i + 1) * width] for i in (1, 2, 3))  # the second row: 51, 52, 53
    assert low[-3:].max() == 255 and low[:8].max() < 100
    assert high[:, 30:45].argmax(0).max() < 4 and high[1, 30:].min() > 150 and not high[:, :20].any()
    assert len(np.unique(silent)) == 1 and not picture[height:, 10 * width :].any()
    assert set(np.unique(picture)) <= set(range(0, 256, 17))


def test_of_a_network_with_very_many_units_some_of_each_layer_are_shown(run, monkeypatch):
    slow = run.using(profile=replace(run.profile, slow=("ast",)))
    monkeypatch.setattr(atlas, "SAMPLE", 3)
    neurons = stages.neurons(run, "ast")
    drawn, again = (atlas._shown(slow, neurons, "ast") for _ in range(2))
    assert drawn["unit"].tolist() == again["unit"].tolist() and set(drawn.groupby("layer").size()) == {3}
    assert drawn.index.is_monotonic_increasing and atlas._shown(run, neurons, "ast") is neurons


@pytest.fixture
def unscored(run, monkeypatch):
    """The tiny run, whose atlas takes the scores above: computed ones have tests of their own."""
    monkeypatch.setattr(atlas, "score_neurons", lambda run, model: pd.DataFrame([SCORE | OTHERS]))
    return run


def test_writing_again_gives_the_same_bytes_and_a_sound_for_every_clip_named(unscored, tmp_path):
    first, second = (atlas.write(unscored, tmp_path / name) for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    table = stages.neurons(unscored, "ast", (2, 3, 4, 5))
    named = {f"{i}.mp3" for side in ("highest", "lowest") for clips in table[side] for i in clips}
    assert {path.name for path in (tmp_path / "one/mini").iterdir()} == named
    for path in (tmp_path / "one/mini").iterdir():
        assert path.read_bytes() == (tmp_path / "two/mini" / path.name).read_bytes()
    assert read(first.read_text())["silent"] == "" and not read(first.read_text())["across"]


@pytest.mark.parametrize("withheld", ["", "1"])
def test_without_sounds_the_atlas_says_why(unscored, tmp_path, monkeypatch, withheld):
    monkeypatch.setenv(WITHHOLD_AUDIO, withheld)
    path = atlas.write(unscored, tmp_path, sounds=bool(withheld))
    assert [file.name for file in tmp_path.iterdir()] == ["mini.mjs"]
    assert read(path.read_text())["silent"] == atlas.NO_SOUND


def test_a_folder_that_cannot_be_written_is_named(unscored, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file could not be written"):
        atlas.write(unscored, tmp_path / "file", sounds=False)


@pytest.mark.parametrize("path", COMMITTED, ids=[path.name for path in COMMITTED])
def test_a_committed_atlas_is_small_and_as_it_was_written(path):
    signature, statement = path.read_text(encoding="ascii").split("\n", 1)
    assert signature == f"// {hashlib.sha256(statement.encode()).hexdigest()}", f"{path} was changed by hand"
    assert path.stat().st_size < 2e6 and read(statement)["units"]
