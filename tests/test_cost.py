"""The committed costs of every stage, that what is projected counts the paper's neurons, and what AudioSet takes."""

import re
from math import prod

import numpy as np
import pytest

from andlib import activations, kept
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
    assert table["the paper, GPU hours"].notna().sum() == 4 and len(table) + len(cost.on_mini(stages)) == len(stages)
    row = stages.set_index(["setting", "stage"]).loc[("ast", "recording activations")]
    assert table.loc[("ast", "recording activations"), "CPU hours"] == row["seconds"] * row["count"] / 3600
    assert cost.words(costs, stages)["caption_seconds"] == 3600 * 40 / 2000


def test_audioset_takes_hours_by_its_clips_and_keeps_bytes_by_the_units_once_merged(costs):
    hours, words = cost.to_audioset(costs), cost.words(costs, cost.by_stage(costs))
    assert (hours["hours, 1 core"] / hours["hours, 64 cores"]).tolist() == pytest.approx([64] * len(hours))
    recorded = hours.set_index(["network", "stage"])["clip, s"]
    each = cost.by_stage(costs).set_index(["setting", "stage"])["seconds"]
    assert recorded["ast", "recording activations"] == each["ast", "recording activations"]  # padded to one length
    assert recorded["beats", "recording activations"] == 2 * each["beats", "recording activations"]
    kept = activations.extremes(5, {"a": np.zeros((9, 1), np.float32)})
    a_unit = sum(array.nbytes for name, array in kept.items() if not name.endswith("count"))
    assert words["merged_mb"] == ", ".join(
        f"{n} {a_unit * u / 1e6:.1f}" for n, u in (("ast", 55_346), ("beats", 46_130))
    )
    assert words["full_gb"] == "ast 461, beats 385" and words["questions"] == 2 * 55_346
