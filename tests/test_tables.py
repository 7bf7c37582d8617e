"""Tables and cards: text from models is escaped, numbers are formatted, missing ones shown as such."""

import numpy as np
import pandas as pd

from andlib import paper
from andlib.llms import prompts
from andlib.records import Clip, ProbingSet
from andlib.report import cards, figures, tables

HOSTILE = '<script>alert("x")</script>{eval-rst}`x`'


def _set():
    tone = 0.3 * np.sin(np.arange(16_000) / 5).astype(np.float32)
    clips = (Clip(HOSTILE, HOSTILE, 1, "s"),)
    return ProbingSet("hostile", clips, (HOSTILE,), lambda clip, rate: tone, "f")


def test_every_cell_of_a_table_is_escaped():
    html = tables.plain(pd.DataFrame({HOSTILE: [HOSTILE]}), HOSTILE, HOSTILE)._repr_html_()
    assert "<script>" not in html and html.count("&lt;script&gt;") == 4


def test_numbers_are_formatted_and_missing_ones_dashed():
    frame = pd.DataFrame({"share": [0.125, float("nan")], "name": ["a", "b"]})
    html = tables.plain(frame, "c", "m", {"share": ".1%"})._repr_html_()
    assert "12.5%" in html and "–" in html and "nan" not in html


def _neuron():
    return pd.Series(
        {
            "unit": "ast/block0.output/1",
            "dead": False,
            "highest": [0],
            "lowest": [0],
            "high": [HOSTILE, "kept"],
            "low": [HOSTILE],
            "calibrated": ["kept"],
            "like": [HOSTILE, HOSTILE],
            "cosine": [0.91, 0.2],
            "db": [HOSTILE],
            "adjectives": [HOSTILE],
            "nouns": [],
            "verbs": [],
        }
    )


def test_a_neuron_card_escapes_all_text_and_says_what_calibration_removed():
    card = cards.neuron_card(_neuron(), _set(), np.array([1.0]), [HOSTILE], 1.0)
    assert "<script>" not in card.html
    assert card.html.count("<audio") == 2 and card.html.count("<img alt=") == 2
    assert "removed: cosine 0.91" in card.html and "<li>kept</li>" in card.html


def test_cards_have_the_same_bytes_when_made_again():
    make = lambda: cards.neuron_card(_neuron(), _set(), np.array([1.0]), [HOSTILE], 1.0).html  # noqa: E731
    assert make() == make()


def test_players_can_be_withheld(monkeypatch):
    monkeypatch.setenv(cards.WITHHOLD_AUDIO, "1")
    html = cards.gallery(_set(), _set().clips, ["text"], 1.0).html
    assert "<audio" not in html and "<img" in html


def test_a_silent_clip_has_a_spectrogram():
    assert figures.spectrogram_image(np.zeros(8000, np.float32), 16_000).startswith(b"\xff\xd8")


def test_the_paper_s_tables_are_complete():
    for model in ("ast", "beats_finetuned", "beats_frozen"):
        assert set(paper.table2(model)["method"]) == {"ICL", "TAB", "DB"}
        assert len(paper.table7(model)) == 5
        four = paper.table4(model)
        # the column headed dA - dR holds dR - dA, up to the rounding of three printed numbers
        assert ((four["dR"] - four["dA"]) - four["gap"]).abs().max() < 0.011


def test_best_function_is_the_paper_s_rule():
    rows = [("wpmi", 0.9, 1.0, 0.9), ("cos", 0.9, 1.0, 0.95), ("cos_cubed", 0.8, 1.0, 1.0)]
    results = pd.DataFrame(rows, columns=["function", "top1", "top5", "cos"]).assign(method="DB", condition="all clips")
    assert tables.best_function(results) == "cos"


def test_table_5_shows_the_question_as_it_is_sent_and_says_what_is_quoted():
    chat = prompts.choice(["dog", "cat"], ["Barks <script>."], 2)
    table = tables.table5(chat, "made by a test")
    sent = [line for turn in chat for line in turn["content"].split("\n")]
    assert list(table.frame["text"]) == sent
    counts = {"the paper": 6, "ours": 3, "the concept set": 1, "the neuron's summary": 1}
    assert table.frame["from"].value_counts().to_dict() == counts
    assert table.frame["text"].iloc[1] == "dog, cat"
    assert set(table.frame["text"][table.frame["from"] == "the paper"]) >= set(prompts.INSTRUCTION)
    assert "<script>" not in table._repr_html_()
