"""Naming the last layer, on a small set with a tiny network."""

import pytest
from conftest import tiny_run

from andlib import section_4_1


def test_last_layer_has_every_function_and_condition(run):
    results = section_4_1.last_layer(run)
    asked = results["method"] == "ICL"
    assert (results.loc[asked, "units"] == 0).all() and results.loc[asked, ["top1", "top5", "cos"]].isna().all(
        axis=None
    )
    results = results[~asked]  # no answer of a language model is kept for this network: its rows say so
    db, tab = (results[results["method"] == method] for method in ("DB", "TAB"))
    assert len(db) == 5 * 5 and len(tab) == 5 * 3 and set(db["units"]) == {3}
    assert results[["top1", "top5"]].to_numpy().min() >= 0 and results[["top1", "top5"]].to_numpy().max() <= 1
    assert (results["top5"] >= results["top1"]).all()


def test_one_unit_at_a_time_makes_soft_wpmi_zero(cache):
    run = tiny_run(cache, mode="db_one_unit_at_a_time")
    results = section_4_1.last_layer(run)
    results = results[(results["method"] == "DB") & (results["condition"] == "all clips")]
    soft = results[results["function"] == "soft_wpmi"].iloc[0]
    # every unit gets the first concept of the list, dog, which is one of these three classes
    assert soft["top1"] == pytest.approx(1 / 3)


def test_named_units_are_those_that_top_1_counts(run):
    named = section_4_1.named_units(run, "ast", "wpmi")
    results = section_4_1.last_layer(run).set_index(["method", "function", "condition"])
    assert (named["right"] == "yes").mean() == results.loc[("DB", "wpmi", "all clips"), "top1"]
    assert (named["first"] != named["second"]).all()
    assert ((named["first"] == named["class"]) == (named["right"] == "yes")).all()
