"""Controls of Table 4, on a small set with a tiny network."""

import json

import numpy as np
import pytest
from conftest import tiny_run

from andlib import paths, unlearning
from andlib.pages import controls


def test_a_draw_is_judged_by_two_entries_of_each_row_of_the_matrix(run):
    """What a draw gives equals the diagonal and the entry beside it of the full matrix of changes."""
    chosen = {"DB": unlearning.unit_sets(run, "ast", (2, 3, 4, 5), "DB")}
    drawn = controls._drawn(run, "ast", chosen, range(2))["DB"]
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
    ours, beside = controls.beside([row], kept)
    assert ours["excess"] == pytest.approx(gap - 1) and ours["p_excess"] == pytest.approx(p) and ours["draws"] == 3
    assert ours["excess_low"] < ours["excess"] < ours["excess_high"]
    assert beside == {"model": "ast", "strategy": "DB (all clips)"}


def test_committed_controls_are_read_for_the_parameters_that_they_belong_to(run, cache, monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "results", lambda: tmp_path)
    monkeypatch.setattr(controls, "PAGE_DRAWS", 2)
    computed = controls.controls_of(run, "ast")
    assert {name: np.shape(drawn) for name, drawn in computed["drawn"].items()} == dict.fromkeys(
        unlearning.STRATEGIES, (2, 2)
    )
    marked = computed | {"rows": ["as committed"]}
    path = tmp_path / run.profile.name / "controls.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"models": {"ast": marked}}))
    assert controls.controls_of(run, "ast")["rows"] == ["as committed"]
    assert controls.controls_of(tiny_run(cache, k=4), "ast")["rows"] != ["as committed"]
