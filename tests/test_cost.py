"""The committed costs of every stage, that what is projected counts the paper's neurons, what AudioSet takes, and which
speeds are shown."""

import json
import re
from math import prod

import pytest

from andlib import kept, paths
from andlib.errors import InputError
from andlib.pages import cost

SETTINGS = ("mini", "ast", "beats")


@pytest.fixture(scope="module")
def costs():
    return cost.measured()


def test_every_setting_has_every_stage_once(costs):
    for setting in SETTINGS:
        stages = [row["stage"].partition(":")[0] for row in costs["stages"] if row["setting"] == setting]
        assert len(stages) == 11 and stages.count("captions by the ear") == 1


def test_a_count_is_the_product_that_is_written_out(costs):
    for row in costs["stages"]:
        factors = [int(factor.replace(",", "")) for factor in re.findall(r"\d[\d,]*", row["counted"])]
        assert row["count"] == prod(factors), row


def test_projections_are_of_esc50_and_of_the_papers_neurons(costs):
    mini, ast, beats = costs["settings"]
    assert (ast["units"], beats["units"]) == (55_346, 46_130) and mini["units"] < 10_000
    for size in (ast, beats):
        assert (size["clips"], size["classes"], size["tested"], size["seconds"]) == (2000, 50, 400, 5.0)


def test_what_was_measured_took_time_and_what_was_not_says_so(costs):
    for row in costs["stages"]:
        unmeasured = row["stage"] == "captions by an audio language model"
        assert (row["seconds"] is None) == (row["measured"] == 0) == unmeasured
        assert unmeasured or row["seconds"] > 0


def test_one_unit_of_what_does_not_depend_on_the_network_costs_the_same_everywhere(costs):
    for stage in {row["stage"] for row in costs["stages"] if row["anywhere"]}:
        assert len({row["seconds"] for row in costs["stages"] if row["stage"] == stage}) == 1


def test_costs_that_are_missing_name_the_command_that_measures_them(monkeypatch, tmp_path):
    monkeypatch.setattr(kept.paths, "results", lambda: tmp_path)
    with pytest.raises(InputError, match=r"`python -m benchmarks\.cost` computes it"):
        cost.measured()


def test_projected_hours_are_counts_times_seconds_beside_the_papers(costs):
    stages = cost.by_stage(costs)
    table = cost.projected(stages).set_index(["network", "stage"])
    assert table.loc[("beats", "summaries by a language model"), "the paper, GPU hours"] == 10
    assert table["the paper, GPU hours"].notna().sum() == 4 and len(table) == (stages["setting"] != "mini").sum()
    row = stages.set_index(["setting", "stage"]).loc[("ast", "recording activations")]
    assert table.loc[("ast", "recording activations"), "CPU hours"] == row["seconds"] * row["count"] / 3600
    assert cost.words(costs, stages)["caption_seconds"] == 3600 * 40 / 2000


def test_audioset_takes_hours_by_its_clips(costs):
    hours, words = cost.to_audioset(costs), cost.words(costs, cost.by_stage(costs))
    assert (hours["hours, 1 core"] / hours["hours, 64 cores"]).tolist() == pytest.approx([64] * len(hours))
    recorded = hours.set_index(["network", "stage"])["clip, s"]
    each = cost.by_stage(costs).set_index(["setting", "stage"])["seconds"]
    assert recorded["ast", "recording activations"] == each["ast", "recording activations"]  # padded to one length
    assert recorded["beats", "recording activations"] == 2 * each["beats", "recording activations"]
    assert words["full_gb"] == "ast 461, beats 385"


def test_the_page_shows_what_was_measured_last_and_names_what_was_asked_in_vain(monkeypatch, tmp_path):
    machine = {"processor": "one", "cores": 2, "torch": "2", "numpy": "3", "scipy": "4"}
    slow = {"what": "sorting", "seconds": 2.0, "reference": 3.0, "against": "a loop", "asked": 4, "note": "quick"}
    pages = {"what": "pages", "seconds": 70.0, "at_most": 60}
    runs = [
        {"group": "a", "date": f"2026-0{i}-03T10:11:12", "commit": "abc", "machine": machine, "rows": [row, pages]}
        for i, row in enumerate((slow, slow | {"seconds": 0.5}, slow | {"seconds": 1.0}), 1)
    ]
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks/history.jsonl").write_text("\n".join(map(json.dumps, runs)), encoding="utf-8")
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    speeds = cost.speeds()
    assert speeds["what"].tolist() == ["sorting", "pages"] and speeds["ratio"].iloc[0] == 3.0
    assert speeds["note"].tolist() == ["quick", ""] and speeds["reference"].notna().tolist() == [True, False]
    assert set(speeds["made_by"]) == {"By benchmarks, last on 2026-03-03: one, 2 cores, torch 2, numpy 3, scipy 4."}
    assert cost.missed(speeds) == "sorting; pages"
    assert cost.missed(speeds.assign(asked=3.0, at_most=70.0)) == "nothing"


def test_without_a_history_the_page_says_what_writes_one(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    with pytest.raises(InputError, match="make bench measures and writes it"):
        cost.speeds()
