"""The neuron card: what it shows, what it escapes, what it leaves out; and sounds of one's own."""

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import soundfile
from conftest import tiny_run

import andlib as al
from andlib import stages
from andlib.errors import InputError
from andlib.firing import Firing
from andlib.records import Clip, ProbingSet, Unit
from andlib.report import cards, sounds

HOSTILE = '<script>alert("x")</script>\'" onload="x'
SECONDS, HERTZ = np.array([0.0, 0.25, 0.5]), np.array([0.0, 1000.0, 8000.0])


def fired(values: list[list[float]]) -> Firing:
    return Firing(0.7, np.array(values), SECONDS, HERTZ, 0.5)


class Tags(HTMLParser):
    """Every start tag with its attributes, and the text between."""

    def __init__(self, html: str):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def probing_set() -> ProbingSet:
    tone = 0.3 * np.sin(np.arange(8_000) / 5).astype(np.float32)
    clips = tuple(Clip(f"{i}{HOSTILE}", HOSTILE, 1, "s") for i in range(4))
    return ProbingSet("hostile", clips, (HOSTILE,), lambda clip, rate: tone, "f")


@pytest.fixture
def neuron() -> pd.Series:
    words = dict.fromkeys(("db", "tab", "adjectives", "nouns", "verbs"), [HOSTILE])
    points = {"high": [HOSTILE, "kept"], "low": [HOSTILE], "calibrated": ["kept"], "like": [HOSTILE] * 2}
    return pd.Series(
        {"unit": f"{HOSTILE.replace('/', '')}/a/1", "dead": True, "hardly_fires": False, "tied": 0, "used": 1}
        | {"highest": [0], "lowest": [1]}
        | {"cosine": [0.9, 0.1], **points, **words}
    )


@pytest.fixture
def card(neuron, probing_set) -> Tags:
    made = cards.neuron_card(
        neuron,
        probing_set,
        np.array([1.0, -1.0, 0.0, 0.5]),
        [{"source": HOSTILE}] * 4,
        0.5,
        others=[2],
        fired={0: fired([[0, 0], [0, 1]]), 1: fired([[1, 0], [0, 0]]), 2: fired([[0, 0], [0, 0]])},
        icl=[HOSTILE],
        effect=pd.DataFrame({"class": [HOSTILE] * 9, "change": np.linspace(-1, 1, 9)}),
    )
    return Tags(made.html)


def test_nothing_that_a_model_or_a_file_says_becomes_markup(card):
    assert not card.all("script") and not any("onload" in attributes for _, attributes in card.tags)
    assert card.text.count("<script>") >= 13  # shown as it was said: points, concepts, captions, classes


def test_a_frame_marks_the_peak_and_words_say_where_it_is(card):
    first, second, flat = card.all("rect")
    assert [float(first[k]) for k in ("x", "width", "y")] == [50.0, 50.0, 0.0]  # the later half, the upper band
    assert [float(second[k]) for k in ("x", "width")] == [0.0, 50.0] and float(second["y"]) > 50
    assert [float(flat[k]) for k in ("x", "width", "y", "height")] == [0.0, 100.0, 0.0, 100.0]
    alternative = card.all("img")[0]["alt"]
    assert "fires from 0.25 to 0.50 s, 1000 to 8000 Hz" in alternative
    assert "fires 0.25–0.50 s, 1.0–8.0 kHz" in card.text


def test_players_and_buttons_are_named_for_who_cannot_see_them(card):
    assert len(card.all("audio")) == len(card.all("img")) == len(card.all("button")) == 3
    assert all(audio["aria-label"] and "controls" in audio for audio in card.all("audio"))
    assert [a["aria-label"] for a in card.all("svg") if a.get("role") == "img"][0].startswith(
        "Histogram of u on 4 clips"
    )


def test_a_card_of_the_least_is_escaped_too_and_has_the_same_bytes_again(neuron, probing_set):
    make = lambda: cards.neuron_card(neuron, probing_set, np.arange(4.0), [HOSTILE] * 4, 0.5).html  # noqa: E731
    html = make()
    assert "<script>" not in html and html == make()
    assert html.count("<audio") == 2 and html.count("<img alt=") == 2
    assert "removed: cosine 0.90" in html and "<li>kept</li>" in html


def test_it_says_what_calibration_removed_and_that_a_unit_is_dead(card):
    assert "removed: cosine 0.90" in card.text
    assert "gives every clip the same activation" in card.text
    assert "all 9 classes" in card.text and card.text.count("-1") >= 2


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tiny_run(tmp_path_factory.mktemp("cards"))


@pytest.fixture(scope="module")
def shown(run) -> str:
    return al.show(run, "ast/block0.intermediate/3").html


def test_the_card_of_a_neuron_gathers_what_is_known_of_it(run, shown):
    neuron = stages.neurons(run, "ast", layers=("block0.intermediate",)).iloc[3]
    page = Tags(shown)
    assert page.text.startswith("ast/block0.intermediate/3")
    assert len(page.all("img")) == 2 * run.k + cards.OTHERS
    assert ", ".join(neuron["db"]) in page.text and ", ".join(neuron["tab"]) in page.text
    for heading in ("Highest", "Lowest", "at random", "Activation on every clip", "What silencing it changes"):
        assert heading in page.text
    assert "class token, which has no place" in page.text
    assert shown == al.show(run, Unit("ast", "block0.intermediate", 3)).html  # from the store, the same bytes


def test_a_card_without_sound_keeps_its_pictures(run, monkeypatch):
    monkeypatch.setenv(sounds.WITHHOLD_AUDIO, "1")
    silent = Tags(al.show(run, "ast/block0.intermediate/3").html)
    assert not silent.all("audio") and not silent.all("button") and silent.all("img")


def test_a_layer_without_places_says_so_on_its_card_and_an_unknown_unit_is_refused(run):
    page = Tags(al.show(run, "classifier/1").html)
    assert "cannot be told" in page.text and "fires" in page.text
    with pytest.raises(InputError, match="does not exist"):
        al.show(run, "ast/classifier/99")


def test_a_sound_of_one_s_own_is_heard_in_parts_the_most_exciting_first(run, tmp_path, monkeypatch):
    sound = np.concatenate([np.zeros(8000), 0.3 * np.sin(np.arange(9000) / 4)]).astype(np.float32)
    soundfile.write(tmp_path / "mine.wav", sound, 16_000)
    u = {"block0.intermediate": np.tile([[-1e9], [1e9]], 16)}
    monkeypatch.setattr(cards.responses, "unit_activations", lambda run, target: u)
    page = Tags(cards.own_sound(run, "block0.intermediate/3", str(tmp_path / "mine.wav")).html)
    assert len(page.all("img")) == 2  # the last 0.06 s are too short to be a part
    assert page.text.count("higher than on 50%") == 2
    order = [float(u) for u in re.findall(r"u = (-?\d+\.\d+)", page.text)]
    assert order == sorted(order, reverse=True)
