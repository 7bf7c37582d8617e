"""Neurons to begin with."""

import re
import sys

import pandas as pd
import pytest
from conftest import tiny_run

from andlib import paths, stages
from andlib.profiles import LEARNT

sys.path.insert(0, str(paths.root() / "book"))
import front


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tiny_run(tmp_path_factory.mktemp("front"))


def test_the_best_described_block_unit_is_chosen(run, monkeypatch):
    rows = [("ast/block0.fc2/1", "block0.fc2", r) for r in (0.2, 0.4)] + [("ast/block0.fc2/2", "block0.fc2", 0.29)] * 2
    rows += [("ast/classifier/0", "classifier", 0.9)]  # stands for a class: nothing is found by describing it
    rows += [("ast/block0.fc2/3", "block0.fc2", r) for r in (0.8, float("nan"))]  # one method has no score
    scores = pd.DataFrame(rows, columns=["unit", "layer", "pearson"])
    monkeypatch.setattr(front.scoring, "score_neurons", lambda *_: scores)
    unit, r = front.best_described(run)
    assert unit == "ast/block0.fc2/1" and r == pytest.approx(0.3)


def test_it_is_shown_with_its_highest_clips_to_hear_and_what_made_it(run, tmp_path):
    (tmp_path / "_static").mkdir()
    html = front.write(run, tmp_path)[0].read_text(encoding="utf-8")
    name, r = front.best_described(run)
    _, layer, index = name.split("/")
    assert f"Unit {index} of <code>{layer}</code> in <code>ast</code>" in html and f"r = {r:.2f}" in html
    assert html.count("<audio") == html.count('<figure class="clip">') == run.k
    assert run.made_by(*run.caption_parts) in html
    assert not re.search(r"<li>\d+[.]", html)  # points are a list, without the numbers of the summary


def test_the_committed_page_shows_one_with_sound():
    html = (paths.root() / "book/_static/neuron.html").read_text(encoding="utf-8")
    assert html.count("<audio") == 5 and "Profile mini" in html and len(html) < 200_000


@pytest.fixture(scope="module")
def begin(run):
    return front.to_begin_with(run).set_index("kind")


def test_units_to_begin_with_are_what_their_kind_says(run, begin):
    r = front.held_out(run)
    table = stages.neurons(run, "ast", LEARNT).set_index("unit")
    assert begin.at["explained best", "unit"] == r.idxmax() and begin.at["explained worst", "unit"] == r.idxmin()
    assert (begin["r"].dropna() == r[begin["unit"]].dropna().to_numpy()).all()
    losing = table.loc[begin.at["loses a point to calibration", "unit"]]
    assert len(losing["calibrated"]) < len(losing["high"])
    assert begin["unit"].is_unique
    for kind, row in begin.iterrows():
        classes = {run.probing_set.clips[i].label for i in table.at[row["unit"], "highest"]}
        assert set(row["heard"].split(", ")) == classes, kind
        assert len(classes) == run.k or kind != "polysemantic"


def test_their_list_opens_them_in_the_atlas_and_says_what_there_is_none_of(run, begin):
    rows = begin.reset_index()
    html = front.links(rows.assign(said="<b>loud</b>"))
    assert re.findall(r'href="#unit=([^"]+)"', html) == list(rows["unit"])
    assert "&lt;b&gt;loud" in html and ("or never" in html) == ("hardly fires" not in set(rows["kind"]))
    assert "no score" in front.links(rows.assign(r=float("nan")))
    assert "or never" not in front.links(rows.assign(kind="hardly fires"))


def test_a_point_loses_its_number_and_nothing_else():
    assert front.unnumbered("12. Loud: in 3 of 5. 4.") == "Loud: in 3 of 5. 4."
