"""A network of others' making: when a name is borne out, by chance or by training, and what the page declares of it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from andlib.descriptions import SHUFFLED
from andlib.errors import InputError
from andlib.kept import read
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
    assert list(units["untrained with noun"]) == [1, 0]
    assert list(units["with noun"]) == [True, False] and list(units["with adjective"]) == [False, True]


def test_without_a_twin_its_share_is_not_known(run, units):
    assert your_own_network.borne_out(run, "ast")[["untrained network", "untrained with noun"]].isna().all(axis=None)


def test_without_labels_no_name_is_borne_out(run):
    one = run.using(probing_set=run.probing_set.in_folds((1,)))
    object.__setattr__(one.probing_set, "classes", ("sound",))
    with pytest.raises(InputError, match="Without labels"):
        your_own_network.borne_out(one, "ast")


def test_layers_and_words_are_means_of_the_units(run, units):
    layers = your_own_network.by_layer(units)
    assert list(layers["layer"]) == ["block1.relu1", "embedding"] and list(layers["units"]) == [1, 1]
    words = your_own_network.words(run.using(extra={"folds": 2}), units, your_own_network.others(of("own", run)))
    assert words["borne_out"] == pytest.approx(np.mean([2 / 3, 1 / 3])) and words["probed_folds"] == 2
    assert words["beside"] == words["nouns"] == ""  # nothing is kept of one's own recordings
    assert your_own_network.words(run, units, units[:0].assign(network=""))["probed_folds"] == 5  # all of a folder's


def of(name, run):
    return run.using(profile=replace(run.profile, name=name))


@pytest.mark.parametrize("profile", ["mini", "esc50"])
def test_what_is_kept_of_others_networks_is_whole_and_told(profile, run, units):
    trained = your_own_network.others(of(profile, run))
    assert list(trained["network"]) == ["aisfx", "whisper", "crepe"] and not trained.isna().any(axis=None)
    shares = trained[your_own_network.SHARES]
    assert ((shares >= 0) & (shares <= 1)).all(axis=None)
    assert (trained[["borne out", "untrained network"]].max(axis=1) <= trained["any name"]).all()
    words = your_own_network.words(run.using(extra={"folds": 1}, models=["ast"]), units, trained)
    for row in trained.to_dict("records"):
        assert (
            f"{row['borne out']:.0%} in {row['network']} (untrained: {row['untrained network']:.0%})" in words["beside"]
        )
        noun, random = row["with noun"], row["untrained with noun"]
        assert f"{noun:.0%} in {row['network']} (untrained: {random:.0%})" in words["nouns"]


def test_the_network_that_the_page_plays_gives_what_is_kept_of_it():
    kept = pd.DataFrame(read("mini", your_own_network.NAME)["rows"]).set_index("network").loc["aisfx"]
    page = read("mini", "your_own_network")
    assert kept["borne out"] == pytest.approx(page["borne_out"], abs=0.003)
    assert kept["untrained network"] == pytest.approx(page["untrained_network"], abs=0.003)
