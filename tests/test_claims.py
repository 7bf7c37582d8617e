"""The ledger of claims: every claim of every profile, by what is committed, and what the prose says of it."""

import pytest
from conftest import tiny_run

from andlib import kept, paper
from andlib.pages import claims, exhibits
from andlib.pages.rules import FAILS, HOLDS, UNTESTED
from andlib.profiles import PROFILES


@pytest.fixture(scope="module")
def results():
    return claims.everywhere()


def test_the_ledger_has_every_claim_of_every_profile_with_its_rule(results):
    ledger = claims.ledger({"mini": results["mini"], "esc10": {}})
    assert len(ledger) == 2 * len(paper.numbers()["claims"]) == 34
    assert ledger["rule"].str.len().min() > 60
    assert set(ledger["verdict"]) <= {HOLDS, FAILS, UNTESTED}
    assert set(ledger.loc[ledger["profile"] == "esc10", "verdict"]) == {UNTESTED}


@pytest.mark.parametrize("profile", PROFILES)
def test_the_committed_ledger_is_what_the_committed_numbers_say(profile, results):
    if "claims" not in results.get(profile, {}):
        pytest.skip(f"the page claims is not committed for {profile}")
    committed = kept.frame(profile, "claims", "ledger")
    ours = claims.ledger(results)
    assert committed.to_dict("records") == ours.to_dict("records"), "out of date: run publish.py results claims again"


def test_verdicts_stand_side_by_side_and_the_prose_counts_those_of_the_run(results, cache):
    ledger = claims.ledger({"esc10": results["esc10"], "mini": {}})
    ledger.loc[ledger["id"] == "t4_ocp_gap", "verdict"] = HOLDS
    wide = claims.side_by_side(ledger).set_index("id")
    assert list(wide.index) == list(ledger["id"].unique()) and list(wide) == ["esc10", "mini", "claim"]
    assert wide.loc["f14_gtzan", "mini"] == "not tested" and wide.loc["t4_ocp_gap", "esc10"] == HOLDS
    words = claims.words(tiny_run(cache), ledger, exhibits.at_a_glance(results))
    assert (words["holds"], words["fails"], words["untested"], words["claims"]) == (1, 0, 16, 17)
    assert words["everywhere"] == "t4_ocp_gap" and words["t4_ocp_gap_mini"] == HOLDS
    assert words["counts"].endswith("mini: holds 1, fails 0, cannot be tested here 16")
