"""Section 4.3 step by step, on a small set with a tiny network."""

import json

import numpy as np
import pandas as pd
import pytest
from conftest import tiny_run

from andlib import paths, unlearning
from andlib.errors import InputError
from andlib.pages import section_4_3

STRATEGIES = ("TAB", "DB", "OCP")


def test_table_4_holds_its_controls_and_adjusts_p_over_its_rows(run):
    units = section_4_3.labelled_units(run)
    effects = section_4_3.silenced(run, units)
    table = section_4_3.table4(effects, section_4_3.controls(run, units))
    shuffled = {"DB, shuffled captions", "OCP, shuffled captions"}
    assert set(table["strategy"]) == {"random", *STRATEGIES, *shuffled, *(f"{s} (all clips)" for s in STRATEGIES)}
    assert (table["gap"] >= table["gap_low"]).all() and (table["gap"] <= table["gap_high"]).all()
    assert (table["dA"] >= table["dA_low"]).all() and (table["dA"] <= table["dA_high"]).all()
    main = table[table["strategy"].isin(["random", *STRATEGIES])]
    assert (main["p_holm"] >= main["p"]).all() and main["p_holm"].max() <= 1
    assert table.loc[~table.index.isin(main.index), "p_holm"].isna().all()
    assert set(table.loc[table["draws"].notna(), "strategy"]) == set(STRATEGIES)
    plain = section_4_3.table4(effects)
    pd.testing.assert_frame_equal(plain, main[plain.columns].reset_index(drop=True))


def test_a_class_that_does_not_exist_is_refused(run):
    effects = section_4_3.silenced(run, section_4_3.labelled_units(run))["ast"]["OCP"]
    with pytest.raises(InputError, match="target_class 'rian'.*Did you mean 'rain'"):
        section_4_3.class_changes(run, effects, "rian")


def test_frames_are_what_the_page_shows_and_words_name_every_network(run):
    kept = section_4_3.frames(run)
    assert kept["water_drops"].empty and list(kept["water_drops"])[:2] == ["class", "before"]
    rows = kept["unlearning"].set_index("strategy")
    said = section_4_3.words(run, kept["unlearning"])
    assert said["empty"] == f"ast {rows.loc['OCP', 'empty']:.0f}" and said["least"] == "ast"
    assert said["largest"] == f"{rows.loc[['random', *STRATEGIES], 'gap'].idxmax()} for ast"
    assert said["ocp"].startswith(f"ast {rows.loc['OCP', 'excess']:+.2f} (") and said["draws"] == "20"


def test_layers_are_accounted_for(run):
    layers = section_4_3.described_layers(run)
    assert layers["units"].sum() == 67
    assert layers[["removed", "qualities or events", "with noun"]].to_numpy().min() >= 0


def test_a_draw_is_judged_by_two_entries_of_each_row_of_the_matrix(run):
    """What a draw gives equals the diagonal and the entry beside it of the full matrix of changes."""
    chosen = {"DB": unlearning.unit_sets(run, "ast", (2, 3, 4, 5), "DB")}
    drawn = section_4_3._drawn(run, "ast", chosen, range(2))["DB"]
    for seed in range(2):
        sets = unlearning.random_sets(run, "ast", chosen, seed)
        effects = unlearning.unlearning(run, "ast", sets)["random as DB"]
        full = unlearning.unlearnt(effects)
        np.testing.assert_allclose(drawn[seed], [full["dA"], full["next"]], atol=1e-5)
    assert np.ptp(drawn[:, 0]) > 0


@pytest.mark.parametrize(("gap", "p"), [(2.5, 1 / 4), (1.0, 3 / 4), (-1.0, 1.0)])
def test_the_excess_counts_the_draws_that_reach_it(gap, p):
    """Random gaps 0, 1 and 2; a draw that ties counts, and so does the strategy itself."""
    row = {"model": "ast", "strategy": "DB", "dA": -gap, "next": 0.0}
    kept = {"drawn": {"DB": [[0.0, 0.0], [-1.0, 0.0], [-1.0, 1.0]]}, "rows": [{"strategy": "DB (all clips)"}]}
    ours, beside = section_4_3.beside([row], kept)
    assert ours["excess"] == pytest.approx(gap - 1) and ours["p_excess"] == pytest.approx(p) and ours["draws"] == 3
    assert ours["excess_low"] < ours["excess"] < ours["excess_high"]
    assert beside == {"model": "ast", "strategy": "DB (all clips)"}


def test_committed_controls_are_read_for_the_parameters_and_sets_that_they_belong_to(run, cache, monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "results", lambda: tmp_path)
    monkeypatch.setattr(section_4_3, "PAGE_DRAWS", 2)
    units = section_4_3.labelled_units(run)
    computed = section_4_3.controls(run, units)["ast"]
    assert {name: np.shape(drawn) for name, drawn in computed["drawn"].items()} == dict.fromkeys(STRATEGIES, (2, 2))
    path = tmp_path / run.profile.name / "controls.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"models": {"ast": computed | {"rows": ["as committed"]}}}))
    assert section_4_3.controls(run, units)["ast"]["rows"] == ["as committed"]
    other = tiny_run(cache, k=4)
    assert section_4_3.controls(other, section_4_3.labelled_units(other))["ast"]["rows"] != ["as committed"]
    changed = {"ast": units["ast"] | {"DB": units["ast"]["TAB"]}}
    assert section_4_3.controls(run, changed)["ast"]["rows"] == computed["rows"]
