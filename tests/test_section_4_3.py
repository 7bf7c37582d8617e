"""Unlearning, on a small set with a tiny network."""

import numpy as np
import pandas as pd
import pytest
from conftest import tiny_run

from andlib import unlearning
from andlib.errors import InputError
from andlib.pages import section_4_3

STRATEGIES = ("TAB", "DB", "OCP")


def test_leading_rows_silence_as_many_units_from_the_front(run, cache):
    ours = unlearning.unit_sets(run, "ast", (2, 3, 4, 5), "DB")
    theirs = unlearning.unit_sets(tiny_run(cache, mode="ablate_leading_rows"), "ast", (2, 3, 4, 5), "DB")
    for our, their in zip(ours, theirs, strict=True):
        assert {la: len(i) for la, i in our.items()} == {la: len(i) for la, i in their.items()}
        assert all(list(i) == list(range(len(i))) for i in their.values())
    random = unlearning.table4_sets(tiny_run(cache, mode="ablate_leading_rows"), "ast")["random"]
    assert all(str(units) == str(random[0]) for units in random)
    assert len({str(units) for units in unlearning.table4_sets(run, "ast")["random"]}) == 3


def test_unlearning_measures_on_fold_1_what_folds_2_to_5_chose(run):
    effects = unlearning.unlearning(run, "ast")
    assert set(effects) == {"random", *STRATEGIES}
    for result in effects.values():
        assert result.before.shape == (6, 3) and result.after.shape == (3, 6, 3)
        empty = result.sizes == 0
        np.testing.assert_array_equal(result.after[empty], np.broadcast_to(result.before, result.after[empty].shape))


def test_matched_random_sets_take_as_many_units_of_every_layer(run):
    chosen = {name: of for name, of in unlearning.table4_sets(run, "ast").items() if name != "random"}
    drawn, again, other = (unlearning.random_sets(run, "ast", chosen, seed) for seed in (0, 0, 1))
    assert str(drawn) == str(again) != str(other)
    for name, sets in chosen.items():
        for ours, random in zip(sets, drawn[f"random as {name}"], strict=True):
            assert {la: len(i) for la, i in ours.items()} == {la: len(i) for la, i in random.items()}


def test_table_4_holds_its_controls_and_adjusts_p_over_its_rows(run):
    table = section_4_3.unlearning_table(run)
    shuffled = {"DB, shuffled captions", "OCP, shuffled captions"}
    assert set(table["strategy"]) == {"random", *STRATEGIES, *shuffled, *(f"{s} (all clips)" for s in STRATEGIES)}
    assert (table["gap"] >= table["gap_low"]).all() and (table["gap"] <= table["gap_high"]).all()
    assert (table["dA"] >= table["dA_low"]).all() and (table["dA"] <= table["dA_high"]).all()
    main = table[table["strategy"].isin(["random", *STRATEGIES])]
    assert (main["p_holm"] >= main["p"]).all() and main["p_holm"].max() <= 1
    assert table.loc[~table.index.isin(main.index), "p_holm"].isna().all()
    assert set(table.loc[table["draws"].notna(), "strategy"]) == set(STRATEGIES)
    plain = section_4_3.unlearning_table(run, controls=False)
    pd.testing.assert_frame_equal(plain, main[plain.columns].reset_index(drop=True))


def test_a_class_that_does_not_exist_is_refused(run):
    with pytest.raises(InputError, match="target_class 'rian'.*Did you mean 'rain'"):
        section_4_3.class_changes(run, "ast", "OCP", "rian")


def test_layers_are_accounted_for(run):
    layers = section_4_3.described_layers(run)
    assert layers["units"].sum() == 67
    assert layers[["removed", "qualities or events", "with noun"]].to_numpy().min() >= 0
