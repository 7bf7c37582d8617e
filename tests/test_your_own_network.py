"""A network of others' making: when a name is borne out, by chance or by training, and what the page shows of it."""

import ast

import pandas as pd
import pytest

from andlib import paths
from andlib.errors import InputError
from andlib.networks import aisfx
from andlib.pages import your_own_network


def neurons(run, named, layers=("block1.relu1", "embedding")):
    """Neurons whose highest clips are two of the first class and one of another, with these names."""
    labels = [clip.label for clip in run.probing_set.clips]
    first, other = (labels.index(name) for name in run.probing_set.classes[:2])
    rows = {"layer": layers, "highest": [[first, first, other]] * 2, "db": [[name] for name in named], "index": [0, 1]}
    spoken = {"high": [["1. Loud.", "2. Brief."]] * 2, "calibrated": [["1. Loud."], []], "nouns": [["dog"], []]}
    return pd.DataFrame({"unit": ["n/a/0", "n/a/1"], **rows, **spoken, "adjectives": [[], ["loud"]]}).assign(
        dead=False, hardly_fires=[True, False]
    )


def controlled(run):
    first, other, *_ = run.probing_set.classes
    described, shuffled, untrained = (
        neurons(run, (first, other)),
        neurons(run, (other, "bell")),
        neurons(run, ("x", first)),
    )
    return described, shuffled, your_own_network.borne_out(run, described, shuffled, untrained)


def test_a_name_is_borne_out_by_the_share_of_clips_that_are_of_its_class(run):
    described, _, units = controlled(run)
    assert list(units["borne out"]) == pytest.approx([2 / 3, 1 / 3])
    assert list(units["shuffled captions"]) == pytest.approx([1 / 3, 0]) and list(units["untrained network"])[0] == 0
    assert list(units["any name"]) == pytest.approx([2 / 3, 2 / 3]) and list(units["points"]) == [2, 2]
    assert list(units["with noun"]) == [True, False] and list(units["with adjective"]) == [False, True]
    assert "borne out" not in described  # what was given is left as it was


def test_layers_and_words_count_what_the_units_hold(run):
    _, _, units = controlled(run)
    layers = your_own_network.by_layer(units)
    assert list(layers["layer"]) == ["block1.relu1", "embedding"] and list(layers["units"]) == [1, 1]
    words = your_own_network.words(run.using(extra={"folds": 2}), units)
    assert words["borne_out"] == pytest.approx(1 / 3) and words["probed_folds"] == 2


def test_examples_go_from_the_best_borne_out_to_the_worst(run):
    _, _, units = controlled(run)
    units = pd.concat([units.assign(layer="embedding")] * 3, ignore_index=True).assign(index=range(6))
    examples = your_own_network.ranked(units)
    assert list(examples["index"]) == [0, 2, 4, 3, 5]  # places 0, 1, 2, 4 and 5: round(2.5) is even
    shown = your_own_network.in_words(run, examples)
    assert list(shown["calibrated summary"]) == ["1. Loud."] * 3 + ["nothing is left"] * 2


def test_one_to_five_folds_are_played(run):
    two = your_own_network.first_folds(run, 2)
    assert set(two.probing_set.folds) == {1, 2} and set(run.probing_set.folds) == {1, 2, 3, 4, 5}
    for folds in (0, 6):
        with pytest.raises(InputError, match=f"Folds {folds} is unknown"):
            your_own_network.first_folds(run, folds)


def test_the_kept_frame_is_of_the_network_that_the_page_declares():
    """The page declares its reading for all to see; the frame that is kept must come from the same."""
    source = (paths.root() / "notebooks/your_own_network.py").read_text(encoding="utf-8")
    [declared] = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign) and "reading" in ast.unparse(node.targets[0])
    ]
    shown = {part.arg: ast.unparse(part.value) for part in declared.value.keywords}
    assert shown.pop("seconds") == "run.profile.seconds" and shown.pop("features") == "aisfx.log_mel"
    expected = {name: value for name, value in your_own_network.READING.items() if name != "features"}
    assert {name: ast.literal_eval(value) for name, value in shown.items()} == expected
    assert your_own_network.READING["features"] is aisfx.log_mel
