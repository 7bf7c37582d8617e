"""Search over descriptions, with the embedded sentence encoder."""

import pandas as pd
import pytest

import andlib as al
from andlib.errors import InputError


def neuron(unit: str, points: list[str], concept: str, adjectives: list[str] | None = None) -> dict:
    words = {"db": [concept, "toilet flush"], "tab": [concept], "adjectives": adjectives or [], "nouns": []}
    return {"unit": unit, "calibrated": points, **words}


@pytest.fixture
def neurons() -> pd.DataFrame:
    return pd.DataFrame(
        [
            neuron("ast/a/0", ["1. Loud engines: a motor runs in all five clips."], "engine", ["loud"]),
            neuron("beats/a/0", ["1. High-pitched animals: birds chirp."], "chirping birds", ["high-pitched"]),
            neuron("ast/a/1", ["1. Rain falls steadily."], "rain", ["steady"]),
            neuron("ast/a/2", [], "rain"),
        ],
        index=[7, 8, 9, 10],
    )


def test_what_is_meant_comes_first_across_models(neurons):
    found = al.search(neurons, "high-pitched animal")
    assert found["unit"].iloc[0] == "beats/a/0" and len(found) == 4
    assert al.search(neurons, "loud engine", best=1)["unit"].tolist() == ["ast/a/0"]
    assert found["similarity"].is_monotonic_decreasing and found["similarity"].between(-1, 1).all()


def test_a_neuron_of_which_less_is_said_stands_behind_one_with_a_summary(neurons):
    found = al.search(neurons, "rain")
    assert found["unit"].tolist()[:2] == ["ast/a/1", "ast/a/2"]
    assert found["similarity"].iloc[1] <= 0.5  # its concept is the very word, and its summary is empty


def test_nothing_to_search_for_or_in_is_refused(neurons):
    for words in ("", "  "):
        with pytest.raises(InputError, match="Nothing is searched for"):
            al.search(neurons, words)
    with pytest.raises(InputError, match="no neurons"):
        al.search(neurons[:0], "rain")
