"""A network of others' making: when a name is borne out, by chance or by training, and what the page declares of it."""

import ast

import numpy as np
import pandas as pd
import pytest

from andlib import paths
from andlib.descriptions import SHUFFLED
from andlib.errors import InputError
from andlib.networks import aisfx
from andlib.pages import your_own_network


def neurons(run, named):
    """Neurons whose highest clips are two of the first class and one of another, with these names."""
    labels = [clip.label for clip in run.probing_set.clips]
    first, other = (labels.index(name) for name in run.probing_set.classes[:2])
    rows = {"layer": ["block1.relu1", "embedding"], "index": [0, 1], "unit": ["n/a/0", "n/a/1"]}
    rows |= {"highest": [[first, first, other]] * 2, "db": [[name] for name in named]}
    return pd.DataFrame({**rows, "nouns": [["dog"], []], "adjectives": [[], ["loud"]]})


@pytest.fixture
def units(run, monkeypatch):
    first, other, *_ = run.probing_set.classes
    tables = {"": (first, other), SHUFFLED: (other, "bell"), "twin": ("x", first)}
    described = lambda run, model, control="": neurons(run, tables[control or model])  # noqa: E731
    monkeypatch.setattr(your_own_network, "neurons", described)
    tables["ast"] = tables[""]
    return your_own_network.borne_out(run, "ast", "twin")


def test_a_name_is_borne_out_by_the_share_of_clips_that_are_of_its_class(units):
    assert list(units["borne out"]) == pytest.approx([2 / 3, 1 / 3])
    assert list(units["shuffled captions"]) == pytest.approx([1 / 3, 0])
    assert list(units["untrained network"]) == pytest.approx([0, 2 / 3])
    assert list(units["any name"]) == pytest.approx([2 / 3, 2 / 3])
    assert list(units["with noun"]) == [True, False] and list(units["with adjective"]) == [False, True]


def test_without_a_twin_its_share_is_not_known(run, units):
    assert your_own_network.borne_out(run, "ast")["untrained network"].isna().all()


def test_without_labels_no_name_is_borne_out(run):
    one = run.using(probing_set=run.probing_set.in_folds((1,)))
    object.__setattr__(one.probing_set, "classes", ("sound",))
    with pytest.raises(InputError, match="Without labels"):
        your_own_network.borne_out(one, "ast")


def test_layers_and_words_are_means_of_the_units(run, units):
    layers = your_own_network.by_layer(units)
    assert list(layers["layer"]) == ["block1.relu1", "embedding"] and list(layers["units"]) == [1, 1]
    words = your_own_network.words(run.using(extra={"folds": 2}), units)
    assert words["borne_out"] == pytest.approx(np.mean([2 / 3, 1 / 3])) and words["probed_folds"] == 2


def test_the_page_shows_the_declaration_that_is_used():
    """The page declares the network for all to see; the function that it names must declare the same."""
    sources = paths.root() / "notebooks/your_own_network.py", paths.PACKAGE / "pages/your_own_network.py"
    shown, used = (_declared(source.read_text(encoding="utf-8")) for source in sources)
    assert shown.pop("seconds") == "run.profile.seconds" and used.pop("seconds") == "seconds"
    assert int(ast.literal_eval(shown.pop("sample_rate"))) == aisfx.SAMPLE_RATE
    assert used.pop("sample_rate") == "aisfx.SAMPLE_RATE" and shown.pop("name") in used.pop("name")
    assert shown == used


def _declared(source):
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    [call] = [call for call in calls if "aisfx.network" in ast.unparse(call.args[:1])]
    return {part.arg: ast.unparse(part.value) for part in call.keywords}
