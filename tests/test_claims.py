"""The ledger of claims: every claim of every profile, by what is committed, and what the prose says of it."""

import pandas as pd
import pytest
from conftest import tiny_run

from andlib import kept, paper
from andlib.errors import InputError
from andlib.pages import claims
from andlib.profiles import MODELS
from andlib.statistics import CONTRADICTED, SUPPORTED, UNTESTABLE, VERDICTS


def made_up(gap):
    """Frames of a profile where OCP's gap, and what it is beyond random sets, TAB and DB, is this in every network."""
    ends = {"_low": gap - 0.1, "": gap, "_high": gap + 0.1}
    beyond = {f"{name}{end}": value for name in ("excess", "ocp_beyond") for end, value in ends.items()}
    rows = [{"model": model, "strategy": s, "gap": gap, **beyond} for model in MODELS for s in ("OCP", "TAB", "DB")]
    return {"4_3_unlearning": {"unlearning": pd.DataFrame(rows)}}


def test_the_ledger_has_every_claim_of_every_profile_with_its_rule():
    ledger = claims.ledger({"mini": claims.committed("mini"), "esc50": {}})
    assert len(ledger) == 2 * len(paper.numbers()["claims"]) == 34
    assert ledger["rule"].str.len().min() > 60
    assert set(ledger["verdict"]) <= set(VERDICTS)
    assert set(ledger.loc[ledger["profile"] == "esc50", "verdict"]) == {UNTESTABLE}


def test_the_committed_ledger_is_what_the_committed_numbers_say():
    ours = claims.ledger(claims.everywhere())
    committed = kept.frame("mini", "claims", "ledger")
    assert committed.to_dict("records") == ours.to_dict("records"), "out of date: run publish.py results claims again"


@pytest.mark.parametrize("gaps", [{"mini": 1.0}, {"esc50": -1.0, "mini": 1.0}])
def test_verdicts_and_exhibits_of_one_profile_or_two_stand_side_by_side_and_are_counted(gaps, cache):
    results = {profile: made_up(gap) for profile, gap in gaps.items()}
    ledger, glance = claims.ledger(results), claims.at_a_glance(results)
    wide = claims.side_by_side(ledger).set_index("id")
    assert list(wide.index) == list(ledger["id"].unique()) and list(wide) == [*gaps, "claim"]
    said = {"mini": (SUPPORTED, "+1.00 / +1.00 / +1.00"), "esc50": (CONTRADICTED, "-1.00 / -1.00 / -1.00")}
    words = claims.words(tiny_run(cache), ledger, glance)
    for profile in gaps:
        assert (wide.loc["t4_ocp_gap", profile], glance.set_index("exhibit").loc["Table 4", profile]) == said[profile]
        assert (words[f"t4_ocp_gap_{profile}"], words[f"table_4_{profile}"]) == said[profile]
        assert wide.loc["f14_gtzan", profile] == UNTESTABLE
    assert words["claims"] == 17 and words["ours"].startswith("1 supported, 0 at a ceiling, 16 not testable here, ")
    assert words["counts"].count("1 supported") == 1 and words["counts"].count("1 contradicted") == len(gaps) - 1
    assert words["counts"].endswith(f"mini: {words['ours']}")
    assert words["everywhere"] == ("t4_ocp_gap" if len(gaps) == 1 else "none")


def test_whispers_networks_stand_in_for_beats_and_are_called_what_they_are(tmp_path, monkeypatch):
    """Whisper's gaps are positive where BEATs' are negative; AST's stays, and what Whisper has no part in goes."""
    frame = made_up(-1.0)["4_3_unlearning"]["unlearning"]
    theirs = made_up(1.0)["4_3_unlearning"]["unlearning"]
    theirs = theirs[theirs["model"] != "ast"].assign(model=lambda rows: rows["model"].str.replace("beats", "whisper"))
    floor = theirs.head(1).assign(model="whisper_untrained")
    frames = {"4_3_unlearning": {"unlearning": pd.concat([frame, theirs, floor]), "described": frame}, "claims": {}}
    swapped = claims.on_whisper(frames)
    assert list(swapped) == ["4_3_unlearning"] and list(swapped["4_3_unlearning"]) == ["unlearning"]
    ours = swapped["4_3_unlearning"]["unlearning"].drop_duplicates("model").set_index("model")["gap"]
    assert ours.to_dict() == {"ast": -1, "beats_finetuned": 1, "beats_frozen": 1, "whisper_untrained": 1}
    pairs = pd.DataFrame({"model": ["ast − whisper_frozen", "ast − beats_frozen"], "top1": [0.1, 0.2]})
    swapped = claims.on_whisper({"4_1_last_layer": {"intervals": pairs}})["4_1_last_layer"]["intervals"]
    assert swapped.to_numpy().tolist() == [["ast − beats_frozen", 0.1]]
    monkeypatch.setattr(claims, "committed", lambda profile: frames if profile == "esc50" else {})
    results = claims.everywhere()
    assert list(results) == ["esc50", "esc50 whisper"]
    told = claims.ledger(results).set_index(["id", "profile"])["numbers"]
    assert "beats_frozen OCP" in told["t4_ocp_gap", "esc50"] and "whisper" not in told["t4_ocp_gap", "esc50"]
    assert "whisper_frozen OCP" in told["t4_ocp_gap", "esc50 whisper"]
    assert "beats" not in told["t4_ocp_gap", "esc50 whisper"]


def test_a_profile_without_results_has_no_words(cache):
    with pytest.raises(InputError, match="Profile mini has no results: `make results PROFILE=mini` writes them"):
        claims.words(tiny_run(cache), claims.ledger({"esc50": {}}), claims.at_a_glance({"esc50": {}}))
