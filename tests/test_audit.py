"""The audit: reasons against numbers, the matrix on a tiny network, and what a fault alone explains."""

import json
import re
from importlib.util import find_spec

import numpy as np
import pytest
from conftest import tiny_run

from andlib import concepts, kept, paper, paths, stages
from andlib.errors import InputError
from andlib.pages import audit as audit_matrix
from andlib.pages.audit import EXHIBITS, MODES, NO_EFFECT
from andlib.profiles import FAULTS, MODELS
from making import audit, command


def test_every_reason_speaks_of_a_switch_an_exhibit_and_a_network_and_none_leaves_a_switch_without_effect():
    for switch, exhibits, models, why in NO_EFFECT:
        assert switch in FAULTS and set(exhibits) <= set(EXHIBITS) and set(models) <= set(MODELS) and why
    for switch in FAULTS:
        assert not all(audit_matrix.reason(switch, exhibit, model) for exhibit in EXHIBITS for model in MODELS)


@pytest.mark.parametrize("profile", ["mini", "esc50"])
def test_what_a_switch_cannot_change_is_equal_in_the_committed_matrix(profile):
    rows = audit_matrix.tidy(kept.read(profile, audit_matrix.NAME))
    assert set(rows["mode"]) == set(MODES) and set(rows["exhibit"]) == set(EXHIBITS)
    reasons = [audit_matrix.reason(*row) for row in rows[["mode", "exhibit", "model"]].to_numpy()]
    asked = ~rows["measure"].str.startswith("ICL") | (profile == "mini")  # of ESC-50 no language model was asked
    barred = rows[(np.array(reasons) != "") & asked]
    moved = barred[barred["changed"] != 0]
    assert len(barred) > 500 and moved.empty, moved
    assert not (rows["mode"].eq("corrected") & (rows["changed"] == 1)).any()
    still = {s for s in FAULTS if not (rows.loc[rows["mode"] == s, "changed"] == 1).any()}
    assert still <= ({"icl_uncalibrated"} if profile == "esc50" else set()), f"{still} change nothing"


@pytest.fixture(scope="module")
def measured(run):
    """The tiny network under three modes."""
    return {"modes": audit.measure(run, ("corrected", "ablate_leading_rows", "db_one_unit_at_a_time"))}


def test_the_matrix_of_a_tiny_network_agrees_with_the_reasons(measured):
    rows = audit_matrix.tidy(measured)
    assert set(rows["exhibit"]) == set(EXHIBITS) and not (rows["changed"][rows["mode"] == "corrected"] == 1).any()
    for row in rows.itertuples():
        assert not audit_matrix.reason(row.mode, row.exhibit, "ast") or row.changed != 1, row


def test_one_set_for_all_classes_has_no_gap(measured):
    ours, theirs = (measured["modes"][mode]["ast"] for mode in ("corrected", "ablate_leading_rows"))
    assert theirs["Table 4"]["random gap"] == pytest.approx(0, abs=1e-6) != ours["Table 4"]["random gap"]
    assert theirs["Table 4"]["DB units"] == ours["Table 4"]["DB units"]
    assert ours["Fig. 4"]["chosen"] == 1 > theirs["Fig. 4"]["chosen"]
    assert theirs["Fig. 4"]["shared"] > ours["Fig. 4"]["shared"]


def test_one_unit_at_a_time_gives_every_unit_the_first_concept(measured):
    named = measured["modes"]["db_one_unit_at_a_time"]["ast"]["Tables 2, 7"]
    assert named["DB soft_wpmi"] == pytest.approx(1 / 3, abs=1e-6)  # dog is the first concept, and one of three classes
    assert named["ICL 1-shot"] is None


def test_table_6_counts_units_of_which_another_thing_is_said(run, cache):
    faulty = tiny_run(cache, mode="db_top_k_only")
    ours, theirs = (stages.neurons(r, "ast") for r in (run, faulty))
    blocks = (ours["layer"] != "classifier").to_numpy()
    differ = [a[0] != b[0] for a, b in zip(ours["db"][blocks], theirs["db"][blocks], strict=True)]
    assert audit.texts(faulty, "ast") == {"TAB": 0, "DB": np.mean(differ), "summary": 0, "open concepts": 0}
    assert any(differ)


def by_hand(modes):
    """Rows of a hand-made matrix: mode -> AST's and BEATs-finetuned's adjectives a unit (Fig. 5)."""
    names = ("ast", "beats_finetuned")
    matrix = {m: {n: {"Fig. 5": {"a unit": v}} for n, v in zip(names, vs, strict=True)} for m, vs in modes.items()}
    return audit_matrix.tidy({"modes": matrix})


def test_the_overview_tells_what_changes_from_what_cannot_does_not_and_is_not_known():
    before, after = (2.0, 3.0), (2.0, 3.5)
    modes = {"corrected": before, "db_top_k_only": before, "word_lists_by_substring": before, "released": (2.0, None)}
    rows = by_hand(modes | {"first_token": after, "calibration_loop": after})
    cells = audit_matrix.overview(rows).set_index("switch")["Fig. 5"]
    assert list(cells.index) == list(MODES[1:])
    assert cells["first_token"] == cells["calibration_loop"] == "changes"
    assert cells["db_top_k_only"] == "–" and cells["word_lists_by_substring"] == "none seen"
    assert cells["released"] == "not asked" and cells["ocp_substring"] == "not measured"


def test_tables_show_values_before_and_after_and_only_switches_that_change_something():
    rows = by_hand({"corrected": (2.0, 3.0), "first_token": (2.0, 3.5), "calibration_loop": (2.0, 3.0)})
    shown = audit_matrix.effects(rows, "Fig. 5", {"a unit": ".1f"})
    assert shown.to_numpy().tolist() == [["corrected", "2.0 / 3.0"], ["first_token", "2.0 / 3.5"]]
    assert audit_matrix.effects(rows, "Fig. 5", {"a unit": ".1f"}, ("ast",))["switch"].tolist() == ["corrected"]
    unknown = by_hand({"corrected": (0.5, 0.3), "first_token": (0.5, None)})
    assert audit_matrix.effects(unknown, "Fig. 5", {"a unit": ".0%"})["a unit"].tolist() == ["50 / 30", "50 / –"]


def test_the_strongest_switch_is_the_one_with_the_largest_mean_change_alone():
    modes = {"corrected": (2.0, 3.0), "first_token": (2.0, 3.5), "calibration_loop": (2.3, 2.7), "released": (9.0, 9.0)}
    [row] = audit_matrix.strongest(by_hand(modes), {"Fig. 5": {"a unit": ".1f"}}).to_dict("records")
    assert (row["switch"], row["before"], row["after"]) == ("calibration_loop", "2.0 / 3.0", "2.3 / 2.7")


def test_without_a_matrix_a_sentence_names_the_command(run, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "results", lambda: tmp_path)
    with pytest.raises(InputError, match="make audit PROFILE="):
        audit_matrix.committed(run)


def test_what_no_language_model_was_asked_is_no_column_and_is_said(run):
    matrix = audit_matrix.committed(run)
    for models in matrix["modes"].values():
        for exhibits in models.values():
            exhibits["Tables 2, 7"] |= {"ICL 1-shot": None, "ICL 2-shot": None}
    rows = audit_matrix.tidy(matrix)
    shown, _ = audit_matrix.under(rows, "top-1, %")
    assert "ICL 1-shot" not in shown and "DB soft_wpmi" in shown and len(shown) < len(MODES)
    assert "no language model was asked" in audit_matrix.words(run, rows)["icl"]


def test_changes_are_told_from_rounding_and_from_what_is_not_known():
    def one(value, before):
        modes = {mode: {"ast": {"Fig. 5": {"rho": v}}} for mode, v in (("corrected", before), ("released", value))}
        return audit_matrix.tidy({"modes": modes}).set_index("mode")["changed"]["released"]

    assert [one(0.5, 0.5), one(0.5, 0.500001), one(0.5, 0.51), one("loud 3", "loud 4")] == [0, 0, 1, 1]
    assert np.isnan(one(None, 0.5)) and np.isnan(one(0.5, None))


def test_soft_wpmi_of_one_unit_alone_is_zero_and_explains_the_papers_shares():
    rng = np.random.default_rng(0)
    u, p = rng.random((200, 4), np.float32), rng.random((200, 6), np.float32)
    assert not concepts.score_as_released("soft_wpmi", u, p).any()
    assert concepts.score("soft_wpmi", u, p).any()


def test_a_constant_answer_is_right_once_in_fifty(run):
    constant = audit_matrix.constant_answer(run)
    for model in MODELS:
        printed = paper.table7(model).loc["soft_wpmi"]
        assert printed["top1"] == pytest.approx(constant["top1"]) and printed["top5"] == pytest.approx(constant["top5"])
    names = stages.embeddings(run, concepts.ESC50, run.profile.encoder)
    assert constant["cos"] == pytest.approx(float((names @ names[0]).mean()), abs=1e-6)
    assert constant["cos_least"] < constant["cos_mean"] < constant["cos_most"]


def test_three_labels_a_unit_are_the_papers_average():
    for _, row in audit_matrix.units_a_class().set_index("model").loc[list(MODELS)].iterrows():
        assert abs(row["3N/M"] - row["DB, the paper"]) < 1 and row["DB, the paper"] == row["TAB, the paper"]


def test_every_table_and_number_of_the_page_is_one_that_is_measured(run):
    rows = audit_matrix.tidy(audit_matrix.committed(run))
    for what, (exhibit, formats) in audit_matrix.TABLES.items():
        assert set(formats) <= set(rows.loc[rows["exhibit"] == exhibit, "measure"]), what
        assert not audit_matrix.under(rows, what)[0].empty
    words = audit_matrix.words(run, rows)
    assert not [name for name, text in words.items() if "not measured" in str(text)]
    assert (words["chosen_before"], words["soft_after"].count(" / ")) == ("100", 2)


def test_the_command_writes_a_whole_file_or_none(tmp_path, monkeypatch, run):
    monkeypatch.setattr(paths, "results", lambda: tmp_path)
    monkeypatch.setattr(command, "open_run", lambda given: run)
    monkeypatch.setattr("sys.argv", ["audit", "--profile", "mini"])
    monkeypatch.setattr(audit, "measure", lambda run: {"corrected": {}})
    audit.main()
    written = tmp_path / "mini/audit_matrix.json"
    assert json.loads(written.read_text())["modes"] == {"corrected": {}} and len(list(written.parent.iterdir())) == 1
    monkeypatch.setattr(audit, "measure", lambda run: {"corrected": {"ast": object()}})
    before = written.read_bytes()
    with pytest.raises(TypeError):
        audit.main()
    assert written.read_bytes() == before


def test_the_choices_name_modules_that_exist():
    text = (paths.root() / "book/choices.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(andlib(?:\.\w+)+)`", text))
    assert len(named) > 10
    assert [name for name in sorted(named) if find_spec(name) is None] == []
