import csv
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from andlib import paths
from andlib.concepts import ENOUGH, ESC50, LONGEST_CONCEPT, concept_set, ranked, warn_where_alike
from andlib.errors import InputError
from andlib.language import is_acoustic, mentions
from andlib.tagging import tag

CLASSES = ("dog", "rain", "siren")
ADJECTIVES = paths.PACKAGE / "adjectives.csv"  # labelled before any filter was compared with it


def write(folder: Path, content: str | bytes) -> str:
    path = folder / "concepts.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def test_named_sets():
    assert concept_set("classes", CLASSES) == CLASSES
    assert concept_set("esc50", CLASSES) == ESC50
    assert len(ESC50) == 50


def test_a_file_with_comments_bom_and_crlf(tmp_path):
    file = write(tmp_path, "\ufeff# ours\r\nBarking dog\r\n\r\n  heavy rain \r\n\t# more\r\nchœur d'église")
    assert concept_set(file, CLASSES) == ("Barking dog", "heavy rain", "chœur d'église")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("dog\n\nrain\nDOG\n", "line 4: 'DOG' is in line 1 too"),
        ("dog\nrain\x1b[31m\n", "line 2: .* cannot be printed"),
        ("dog\tanimal\nrain\n", "line 1: .* cannot be printed"),
        ("dog\n" + "x" * (LONGEST_CONCEPT + 1), f"line 2 has {LONGEST_CONCEPT + 1} characters"),
        ("# only one\ndog\n", "concepts found: 1"),
        ("", "concepts found: 0"),
        (b"dog\n\xff\xfe\n", "utf-8"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_line(tmp_path, content, complaint):
    with pytest.raises(InputError, match=complaint) as error:
        concept_set(write(tmp_path, content), CLASSES)
    assert "concepts.txt" in str(error.value)
    assert "one concept a line" in str(error.value)


@pytest.mark.parametrize("name", ["", "ESC50", "no/such/file.txt", "x" * 5000, "a\0b", "."])
def test_an_unknown_name_lists_the_right_ones(name):
    with pytest.raises(InputError, match="Valid names: classes, esc50, acoustic"):
        concept_set(name, CLASSES)


def test_of_equal_scores_the_earlier_concept_comes_first():
    scores = np.zeros((2, 40), np.float32)
    scores[0, [7, 3, 30]], scores[1, 39] = 1.0, 2.0
    assert ranked(scores, 5).tolist() == [[3, 7, 30, 0, 1], [39, 0, 1, 2, 3]]


def named(count: int, alike: int, dead: int = 0) -> pd.DataFrame:
    """Living units of one layer, so many of which DB calls rain, and dead ones, which it calls siren."""
    own = [["rain", "dog"]] * alike + [[f"concept {i}"] for i in range(alike, count)] + [["siren"]] * dead
    living = [False] * count + [True] * dead
    return pd.DataFrame({"layer": "a", "dead": living, "db": own, "tab": [[]] * (count + dead)})


def test_a_layer_that_is_named_alike_is_warned_of_once():
    with pytest.warns(UserWarning) as warned:
        warn_where_alike(pd.concat([named(10, 6), named(9, 2).assign(layer="b")]), "cos_cubed")
    [said] = [str(warning.message) for warning in warned]
    assert "DB by cos_cubed names 60% of the 10 living units of layer a 'rain'" in said
    assert "'soft_wpmi'" in said and "nonlinearity='sigmoid'" in said and "concept set" in said


@pytest.mark.parametrize(
    "neurons", [named(10, 5), named(ENOUGH - 1, ENOUGH - 1), named(10, 1, dead=30), named(10, 0).assign(db=[[]] * 10)]
)
def test_half_a_layer_few_units_dead_units_and_none_named_are_no_reason_to_warn(neurons):
    warn_where_alike(neurons, "cos_cubed")


# The open set.

ACOUSTIC = concept_set("acoustic", CLASSES)
# Letters for parts of speech (G: a verb's gerund); HanTa takes the gerund before a noun for an adjective or a noun.
SHAPE = re.compile(r"(G[AN]*N|[AN]+N|[AN]*NG[AN]*)(P[AN]*N)?|NP[AN]*N")


def shape(phrase: str) -> str:
    letters = {"adjective": "A", "noun": "N", "verb": "V", "preposition": "P", "other": "O"}
    return "".join("G" if t.pos == "verb" and t.word.endswith("ing") else letters[t.pos] for t in tag(phrase))


def test_the_open_set_is_large_and_says_nothing_twice():
    assert 350 <= len(ACOUSTIC) <= 450
    assert all(re.fullmatch(r"[a-z]+([ -][a-z]+){1,4}", phrase) for phrase in ACOUSTIC)
    assert len({frozenset(t.lemma for t in tag(phrase)) for phrase in ACOUSTIC}) == len(ACOUSTIC)


def test_phrases_of_the_open_set_have_its_shapes():
    strangers = [phrase for phrase in ACOUSTIC if not SHAPE.fullmatch(shape(phrase))]
    assert len(strangers) <= 0.1 * len(ACOUSTIC), strangers  # 10 of 435, where the tagger takes a noun for a verb


@pytest.mark.parametrize("name", ESC50)
def test_the_open_set_covers_every_class_of_esc50(name):
    assert any(mentions(phrase, name) for phrase in ACOUSTIC)


# The adjectives that the list of words in `words.toml` keeps, against labels by hand.


def labelled() -> dict[str, bool]:
    with ADJECTIVES.open(encoding="utf-8", newline="") as file:
        return {row["adjective"]: {"yes": True, "no": False}[row["acoustic"]] for row in csv.DictReader(file)}


def test_labelled_adjectives_are_distinct_words_of_both_kinds():
    lines, labels = ADJECTIVES.read_text(encoding="utf-8").splitlines(), labelled()
    assert lines[0] == "adjective,acoustic"
    assert list(labels) == sorted(labels) and len(labels) == len(lines) - 1 == 120
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", word) for word in labels)
    assert 50 <= sum(labels.values()) <= 70


def test_the_word_list_agrees_with_labels_by_hand_more_than_a_majority_guess():
    labels = labelled()
    right = sum(is_acoustic(word) == label for word, label in labels.items())
    majority = max(sum(labels.values()), len(labels) - sum(labels.values()))
    assert right > majority  # 110 of 120 against 62
    assert right >= 105
