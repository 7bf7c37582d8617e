"""The committed costs of every stage, and that what is projected is a count of the paper's."""

import json
import re
from math import prod

import pytest

from andlib import paths

SETTINGS = ("mini", "ast", "beats")


@pytest.fixture(scope="module")
def costs():
    return json.loads((paths.results() / "mini" / "stage_costs.json").read_text(encoding="utf-8"))


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
