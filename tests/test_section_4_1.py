"""Naming the last layer, on a small set with a tiny network."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import tiny_run
from scipy.stats import binom

from andlib.mini.synthesis import synthesc
from andlib.pages import rules, section_2, section_4_1
from andlib.pages.section_4_1 import MEASURED
from andlib.report import figures, tables
from andlib.similarity import FUNCTIONS


def test_last_layer_has_every_function_and_condition(run):
    results = section_4_1.last_layer(run)
    asked = results["method"].str.startswith("ICL")
    assert (results.loc[asked, "units"] == 0).all() and results.loc[asked, ["top1", "top5", "cos"]].isna().all(
        axis=None
    )
    results = results[~asked]  # no answer of a language model is kept for this network: its rows say so
    db, tab = (results[results["method"] == method] for method in ("DB", "TAB"))
    assert len(db) == 5 * 8 and len(tab) == 5 * 4 and set(db["units"]) == {3}
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
    results = section_4_1.last_layer(run)
    named, best = section_4_1.named_units(run, results), section_4_1.best_function(results)
    results = results.set_index(["method", "function", "condition"])
    assert (named["right"] == "yes").mean() == results.loc[("DB", best, "all clips"), "top1"]
    assert ((named["first"] == named["class"]) == (named["right"] == "yes")).all()
    assert ((named["rank"] == 1) == (named["right"] == "yes")).all() and named["rank"].between(1, 50).all()
    spoken = section_2.captioner_accuracy(run).set_index(["origin", "label"])["named"]
    assert named["said"].tolist() == [max(spoken["source", name], spoken["measured", name]) for name in named["class"]]
    told = section_4_1.said_in_words(pd.DataFrame({"right": ["yes", "no", "yes"], "said": [0.1, 0.2, 0.5]}))
    assert told == {"rarely_said": "1 of 2", "often_said": "1 of 1"}
    figures.said_and_named(named)


def test_the_function_of_the_other_folds_is_scored_on_fold_1():
    rows = [("a", "all clips", 0.9), ("b", "all clips", 0.8), ("a", "folds 2-5", 0.7), ("b", "folds 2-5", 0.8)]
    rows += [("a", "fold 1", 0.6), ("b", "fold 1", 0.5)]
    results = pd.DataFrame(rows, columns=["function", "condition", "top1"])
    results = results.assign(model="ast", method="DB", top5=1.0, cos=1.0)
    best = section_4_1.at_best(results).set_index("condition")
    assert best["function"].to_dict() == dict.fromkeys(("all clips", "folds 2-5", "fold 1"), "a") | {
        section_4_1.HELD_OUT: "b"
    }
    assert best.loc[section_4_1.HELD_OUT, "top1"] == 0.5


def test_a_network_that_knows_more_classes_is_asked_for_those_of_the_set(cache):
    """Clips of two of three classes: two units are asked for, and no other could be right."""
    part = tiny_run(cache).using(probing_set=synthesc(sources_per_fold=2, variants=1, classes=("rain", "siren")))
    assert section_4_1.examined(part, "ast").tolist() == [1, 2]
    assert section_4_1.outputs(part, "ast").shape == (len(part.probing_set), 2)
    assert [part.concepts[i] for i in section_4_1.true_concepts(part, "ast")] == ["rain", "siren"]
    results = section_4_1.last_layer(part)
    assert set(results.loc[results["method"] == "DB", "units"]) == {2}
    assert section_4_1.named_units(part, results)["class"].tolist() == ["rain", "siren"]


def identified(*shares):
    return {name: np.array(values, float) for name, values in zip(MEASURED, shares, strict=True)}


def ends(row, name):
    return row[name], row[f"{name}_low"], row[f"{name}_high"]


def test_the_interval_of_a_share_is_that_of_its_binomial():
    right = np.arange(28) < 9
    [row] = section_4_1.compared({"DB": identified(right, right, right)}, [])
    expected = binom.ppf([0.025, 0.975], 28, 9 / 28) / 28
    assert ends(row, "top1") == pytest.approx((9 / 28, *expected))


def test_differences_are_paired_over_units():
    a, b = np.arange(10) < 6, np.arange(10) < 4
    db, tab, pair = section_4_1.compared({"DB": identified(a, a, a), "TAB": identified(a, b, 1 - a)}, [("DB", "TAB")])
    assert pair["compared"] == "DB − TAB" and db["top1_low"] < db["top1_high"]
    assert ends(pair, "top1") == (0, 0, 0)  # the same units in every draw
    assert ends(pair, "top5") == pytest.approx((0.2, *binom.ppf([0.025, 0.975], 10, 0.2) / 10))
    assert pair["cos"] == pytest.approx(0.2) and pair["cos_low"] < 0


def test_units_without_an_answer_are_left_out_and_without_any_there_is_no_interval():
    a, some, none = [1, 1, 0, 0], [1, np.nan, 1, np.nan], [np.nan] * 4
    named = {"DB": identified(a, a, a), "ICL": identified(some, some, none)}
    rows = section_4_1.compared(named, [("DB", "ICL")])
    assert [row["top1"] for row in rows] == [0.5, 1.0, -0.5]  # the pair: over the first and the third unit
    assert np.isnan(ends(rows[1], "cos")).all() and np.isnan(ends(rows[2], "cos")).all()
    [one] = section_4_1.compared({"DB": identified([1], [1], [0.5])}, [])
    assert one["cos"] == 0.5 and np.isnan(ends(one, "cos")[1:]).all()  # one unit: no interval, not one of no width


def test_intervals_are_those_of_each_methods_best_function(run):
    results = section_4_1.last_layer(run)
    found = section_4_1.intervals(run, results).set_index("compared")
    others = [name for name in FUNCTIONS if name != "cos_cubed"]
    pairs = ["DB − TAB", "DB − ICL", "TAB − ICL", *(f"cos_cubed − {name}" for name in others)]
    assert found.index.tolist() == ["ICL", "TAB", "DB", *FUNCTIONS, *pairs]
    for name in FUNCTIONS:
        row = results.set_index(["method", "function", "condition"]).loc[("DB", name, "all clips")]
        assert found.loc[name, list(MEASURED)].tolist() == pytest.approx(row[list(MEASURED)].tolist())
    for method in ("DB", "TAB"):
        best = section_4_1.best_function(results, method)
        row = results.set_index(["method", "function", "condition"]).loc[(method, best, "all clips")]
        assert found.loc[method, list(MEASURED)].tolist() == pytest.approx(row[list(MEASURED)].tolist())
    assert found.loc["ICL", list(MEASURED)].isna().all()  # no answer is kept for this network


def test_networks_are_paired_over_the_classes_that_both_have(cache):
    """A network that is given twice differs from itself in nothing; its classes come in another order."""
    run = tiny_run(cache)
    two = run.using(
        models=("ast", "other"),
        profile=replace(run.profile, networks=dict.fromkeys(("ast", "other"), run.profile.networks["ast"])),
    )
    found = section_4_1.frames(two)["intervals"].set_index(["model", "compared"])
    pair = found.loc[("ast − other", "DB")]
    assert [ends(pair, name) for name in MEASURED] == [(0, 0, 0)] * 3
    assert found.index[-1] == ("ast − other", "DB") and len(found) == 2 * 15 + 1


def test_networks_are_paired_by_class_not_by_place(run, monkeypatch):
    """The same answers to the classes in another order: no class is answered differently."""
    order = {"ast": [0, 1, 2], "other": [2, 0, 1]}
    truth = section_4_1.true_concepts(run, "ast")
    answers = np.array([1.0, 0.0, 0.0])

    def identification(ranking, given, cosine):
        return dict.fromkeys(MEASURED, answers[[truth.index(true) for true in given]])

    monkeypatch.setattr(section_4_1, "true_concepts", lambda _, model: [truth[i] for i in order[model]])
    monkeypatch.setattr(section_4_1, "outputs", lambda *_: np.zeros((30, 3), np.float32))
    monkeypatch.setattr(section_4_1, "examined", lambda *_: range(3))
    monkeypatch.setattr(section_4_1.concepts, "identification", identification)
    monkeypatch.setattr(section_4_1, "icl", lambda *_: [None] * 3)
    results = pd.concat(
        [
            section_4_1.last_layer(
                run, {name: {("DB", "all clips"): (u := np.zeros((30, 3)), u), ("TAB", "all clips"): (u, u)}}
            )
            for name in order
        ]
    )
    found = section_4_1.intervals(run.using(models=tuple(order)), results).set_index("model")
    assert ends(found.loc["ast − other"], "top1") == (0, 0, 0)


@pytest.mark.parametrize("concepts", [None, "more"])
def test_chance_follows_the_number_of_concepts_also_below_five(cache, concepts):
    run = tiny_run(cache, concept_set="classes")
    if concepts:
        run = run.using(concepts=(*run.concepts, *"abcde"))
    size = len(run.concepts)
    frames = section_4_1.frames(run)
    best = section_4_1.at_best(frames["last_layer"])
    accuracy = pd.DataFrame({"model": ["ast"], "clips": "fold 1", "accuracy": 0.5, "low": 0.4, "high": 0.6})
    words = section_4_1.words(run, best, frames["intervals"], accuracy)
    assert (words["chance_1"], words["chance_5"]) == (1 / size, min(5, size) / size) and words["concepts"] == size
    last = tables.table2(best, "", run.rests_on, size).frame.iloc[-1]
    assert last["clips"] == f"{size} concepts" and last.iloc[2] == ("33 / 100" if size == 3 else "12 / 62")
    panel = figures.named_classes(frames["last_layer"], frames["intervals"], size)[0, 0]
    assert [line.get_xdata()[0] for line in panel.lines if line.get_label() == "chance"] == pytest.approx([100 / size])
    shown = panel.containers[0].lines[0]
    by_db = frames["last_layer"].query("method == 'DB' and condition == 'all clips'").set_index("function")["top1"]
    drawn = dict(zip(shown.get_ydata(orig=True), shown.get_xdata(), strict=True))
    assert {name: drawn[f"DB, {name}"] for name in by_db.index} == pytest.approx((100 * by_db).to_dict())
    if size == 3:
        assert (frames["last_layer"].dropna()["top5"] == 1).all()  # the first five of three hold every answer


def test_tables_show_points_with_intervals(run):
    results = section_4_1.last_layer(run)
    rows = tables.intervals(section_4_1.intervals(run, results), "", "", "").frame
    rows = rows.set_index("method or pair")["top-1 %"]
    assert rows["ICL"] == "–" and rows["DB"].endswith(")") and rows["DB − TAB"][0] in "+-"


def test_a_reader_can_compare_under_conditions_of_their_own(run):
    u, p = section_4_1.conditions_of(run, "ast")["DB", "all clips"]
    halves = {("DB", "all clips"): (u, p), ("DB", "every other clip"): (u[::2], p[::2])}
    results = section_4_1.last_layer(run, {"ast": halves})
    assert results.loc[results["method"] == "DB", "condition"].unique().tolist() == ["all clips", "every other clip"]
    usual = section_4_1.last_layer(run)
    usual = usual[(usual["method"] == "DB") & (usual["condition"] == "all clips")]
    ours = results[(results["method"] == "DB") & (results["condition"] == "all clips")]
    assert ours[list(MEASURED)].to_numpy().tolist() == usual[list(MEASURED)].to_numpy().tolist()


def test_words_are_those_of_the_best_functions(run):
    frames = section_4_1.frames(run)
    results, sure = frames["last_layer"], frames["intervals"]
    accuracy = pd.DataFrame({"model": ["ast"], "clips": "fold 1", "accuracy": 0.5, "low": 0.4, "high": 0.6})
    words = section_4_1.words(run, section_4_1.at_best(results), sure, accuracy)
    best = section_4_1.best_function(results)
    ours = results[(results["method"] == "DB") & (results["function"] == best)].set_index("condition")["top1"]
    assert words["best"] == f"ast {best}" and words["units"] == 3
    assert words["t2_db_best"] == rules.judge("t2_db_best", {"4_1_last_layer": {"intervals": sure}})[0]
    assert (words["top1"], words["fold1"]) == (f"ast {ours['all clips']:.0%}", f"ast {ours['fold 1']:.0%}")
    assert words["icl_one"] == "no answer is kept"


def test_best_function_is_the_paper_s_rule():
    rows = [("wpmi", 0.9, 1.0, 0.9), ("cos", 0.9, 1.0, 0.95), ("cos_cubed", 0.8, 1.0, 1.0)]
    results = pd.DataFrame(rows, columns=["function", "top1", "top5", "cos"]).assign(method="DB", condition="all clips")
    assert section_4_1.best_function(results) == "cos"


def test_rows_at_their_best_are_one_function_a_network_and_method(run):
    results = section_4_1.last_layer(run)
    best = section_4_1.at_best(results)
    kept = best[best["condition"] != section_4_1.HELD_OUT].groupby("method")["function"].unique()
    assert [list(kept[method]) for method in ("TAB", "DB")] == [
        [section_4_1.best_function(results, method)] for method in ("TAB", "DB")
    ]
    assert len(kept["ICL"]) == 2 and list(kept["string match"]) == ["mentions"]
    shown = tables.controls(section_4_1.at_best(results), "").frame
    assert list(shown["method"]) == ["TAB", "DB", "string match"] and shown["all clips"].notna().all()
