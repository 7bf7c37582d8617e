"""Unlearning, on a small set with a tiny network."""

import numpy as np
import pytest
from conftest import tiny_run

from andlib import section_4_3
from andlib.errors import InputError

KINDS = (("", ""), ("random as ", ""), ("", " (all clips)"))


def test_leading_rows_silence_as_many_units_from_the_front(run, cache):
    ours = section_4_3.unit_sets(run, "ast", (2, 3, 4, 5), "DB")
    theirs = section_4_3.unit_sets(tiny_run(cache, mode="ablate_leading_rows"), "ast", (2, 3, 4, 5), "DB")
    for our, their in zip(ours, theirs, strict=True):
        assert {la: len(i) for la, i in our.items()} == {la: len(i) for la, i in their.items()}
        assert all(list(i) == list(range(len(i))) for i in their.values())
    random = section_4_3.unlearning_sets(tiny_run(cache, mode="ablate_leading_rows"), "ast")["random"]
    assert all(str(units) == str(random[0]) for units in random)
    assert len({str(units) for units in section_4_3.unlearning_sets(run, "ast")["random"]}) == 3


def test_unlearning_measures_on_fold_1_what_folds_2_to_5_chose(run):
    effects = section_4_3.unlearning(run, "ast")
    chosen = {f"{before}{s}{after}" for s in ("TAB", "DB", "OCP") for before, after in KINDS}
    assert set(effects) == {"random", "DB, shuffled captions", "OCP, shuffled captions"} | chosen
    for result in effects.values():
        assert result.before.shape == (6, 3) and result.after.shape == (3, 6, 3)
        empty = result.sizes == 0
        np.testing.assert_array_equal(result.after[empty], np.broadcast_to(result.before, result.after[empty].shape))
    np.testing.assert_array_equal(effects["DB"].sizes, effects["random as DB"].sizes)
    table = section_4_3.unlearning_table(run)
    assert table["gap"].between(table["gap_low"], table["gap_high"]).mean() > 0.5
    assert table["p"].between(0, 1).all()


def test_a_class_that_does_not_exist_is_refused(run):
    with pytest.raises(InputError, match="target_class 'rian'.*Did you mean 'rain'"):
        section_4_3.class_changes(run, "ast", "OCP", "rian")


def test_layers_are_accounted_for(run):
    layers = section_4_3.described_layers(run)
    assert layers["units"].sum() == 67
    assert layers[["removed", "qualities or events", "with noun"]].to_numpy().min() >= 0
