"""Profile `gtzan` on a small folder laid out as GTZAN's is: from recordings to Figure 14."""

import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile

from andlib import descriptions, paths, responses
from andlib.errors import InputError
from andlib.inputs.probing import open_folder
from andlib.pages import rules, section_4_5
from andlib.run import open_run

GENRES, CLIPS, RATE = ("blues", "jazz", "metal"), 3, 22_050
FIRST = ("A guitar", "A piano", "A drum")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Three genres of three clips of 2 s, two tones a clip, and a caption file beside the genres."""
    folder, time = tmp_path_factory.mktemp("gtzan") / "genres_original", np.arange(2 * RATE) / RATE
    lines = ["filename,description"]
    for pitch, genre in enumerate(GENRES, 1):
        (folder / genre).mkdir(parents=True)
        for i in range(CLIPS):
            tones = np.sin(2 * np.pi * 220 * pitch * time) + np.sin(2 * np.pi * (i + 1) * time)
            soundfile.write(folder / genre / f"{genre}.{i:05}.wav", 0.2 * tones, RATE)
            lines.append(f"{genre}.{i:05},{FIRST[i]} leads the song. The mood is that of {genre}.")
    (folder / "captions.csv").write_text("\n".join(lines))
    return folder


@pytest.fixture
def gtzan(recordings, tmp_path_factory, monkeypatch):
    """The parameters of a run on it, with an embedded network, and stages that are shared by these tests."""
    monkeypatch.setenv("ANDLIB_CACHE", str(tmp_path_factory.getbasetemp() / "gtzan-cache"))
    network = str(paths.WEIGHTS / "esc50" / "ast")
    return {"profile": "gtzan", "data_dir": str(recordings), "model": "ast", "weights": network}


def test_genres_are_classes_without_folds(gtzan):
    probing_set = open_run(gtzan).probing_set
    assert probing_set.classes == GENRES and len(probing_set) == 9 and set(probing_set.folds) == {0}
    assert probing_set.clips[4].name == "jazz/jazz.00001.wav" and len(set(probing_set.sources)) == 9


def test_descriptions_name_no_sound_that_the_ear_guessed(gtzan):
    run = open_run(gtzan)
    assert set(descriptions.clip_captions(run)["origin"]) == {"file", "measured"}
    described = descriptions.clip_descriptions(run)[4]
    assert described.startswith("A piano leads the song. The mood is that of jazz.") and len(described) > 60


def test_figure_14_is_drawn_from_ten_classes_or_all_there_are(gtzan):
    run = open_run(gtzan)
    rows = section_4_5.interpretability(run, clusters=6)
    assert set(rows["model"]) == {"ast"} and set(rows["tau"]) == {3, 4, 5} and rows["units"].min() > 0
    again = section_4_5.interpretability(run, clusters=6, classes=10)
    np.testing.assert_array_equal(rows["share"], again["share"])


def test_its_title_is_what_the_claim_on_figure_14_looks_for(gtzan):
    def judged(title):
        """What is said of a page that keeps its title, but no shares."""
        numbers = pd.DataFrame({"title": [title]})
        return rules.judge("f14_gtzan", {"4_5_polysemanticity": {"numbers": numbers}})[1]

    assert "not GTZAN's music" not in judged(open_run(gtzan).profile.title)  # numbers are what is missing, not music
    assert "not GTZAN's music" in judged("ESC-10")


def test_networks_are_named_by_the_user(gtzan):
    run = open_run(gtzan | {"weights": ""})
    with pytest.raises(InputError, match="Profile gtzan has no network ast. Name its checkpoint"):
        responses.unit_activations(run, "ast")


def test_an_unreadable_clip_is_named_with_what_to_do(recordings, tmp_path):
    for genre in ("blues", "jazz"):
        shutil.copytree(recordings / genre, tmp_path / genre)
    (tmp_path / "jazz" / "jazz.00054.wav").write_bytes(b"\x01\x02" * 4000)  # as it is in the set's copies
    with pytest.raises(InputError, match=r"1 of 7 recordings cannot be used: 'jazz/jazz.00054.wav' is not audio"):
        open_folder(tmp_path)


def test_the_folder_above_the_genres_is_told_where_they_are(recordings):
    with pytest.raises(InputError, match=r"it holds genres_original.*Did you mean '.*genres_original'\?"):
        open_folder(recordings.parent)
