"""The rules of the paper's claims: each at its edges, and without numbers."""

import numpy as np
import pandas as pd
import pytest

from andlib import paper
from andlib.pages import rules
from andlib.pages.rules import MEASURED, RULES, WATER
from andlib.profiles import MODELS
from andlib.statistics import CONTRADICTED as FAILS
from andlib.statistics import INCONCLUSIVE
from andlib.statistics import SUPPORTED as HOLDS
from andlib.statistics import UNTESTABLE as UNTESTED


def judge(claim, pages):
    """The verdict by frames that are given as rows: page -> name -> rows."""
    frames = {page: {n: pd.DataFrame(rows).fillna(np.nan) for n, rows in of.items()} for page, of in pages.items()}
    return rules.judge(claim, frames)


def verdict(claim, page, **rows):
    return judge(claim, {page: rows})[0]


def ends(name, value, low, high):
    return {name: value, f"{name}_low": low, f"{name}_high": high}


# Table 2 and Table 7


def last_layer(**changed):
    """Table 2 as the paper prints it, by one function a method; changed: model_method -> (top1, top5, cos)."""
    return [
        {"model": model, "method": row["method"], "function": "cos_cubed", "condition": "all clips"}
        | dict(zip(["top1", "top5", "cos"], changed.get(f"{model}_{row['method']}", tuple(row.iloc[1:])), strict=True))
        for model in MODELS
        for _, row in paper.table2(model).iterrows()
    ]


def db_best(**changed):
    """On intervals 0.1 … 0.3 of every difference, but for what is changed: model_method -> its three intervals."""
    rows = []
    for model in MODELS:
        for other in ("TAB", "ICL"):
            given = changed.get(f"{model}_{other}", [(0.1, 0.3)] * 3)
            at = {k: v for n, (a, b) in zip(MEASURED, given, strict=True) for k, v in ends(n, a, a, b).items()}
            rows.append({"model": model, "compared": f"DB − {other}", **at})
    return judge("t2_db_best", {"4_1_last_layer": {"intervals": rows}})[:2]


def test_db_is_best_where_one_interval_lies_above_zero_and_none_below():
    assert db_best()[0] == HOLDS
    assert db_best(ast_TAB=[(0.0, 0.0), (-0.2, 0.2), (0.01, 0.2)])[0] == HOLDS
    assert db_best(ast_TAB=[(0.0, 0.3), (-0.2, 0.2), (0.0, 0.2)]) == (FAILS, "undecided")
    assert db_best(ast_TAB=[(0.0, 0.0), (0.0, 0.0), (-1e-7, 1e-7)]) == (FAILS, "fails")  # a tie in all three
    assert db_best(beats_frozen_ICL=[(0.1, 0.3), (0.1, 0.3), (-0.2, -0.1)]) == (FAILS, "fails")


def test_a_method_without_answers_leaves_db_untested_unless_another_beats_it():
    unknown = [(None, None)] * 3
    assert db_best(ast_ICL=unknown)[0] == UNTESTED
    assert db_best(ast_ICL=unknown, ast_TAB=[(-0.2, -0.1)] * 3) == (FAILS, "fails")
    assert judge("t2_db_best", {"4_1_last_layer": {"last_layer": last_layer()}})[0] == UNTESTED


def accuracy(**intervals):
    return [
        {"model": m, "clips": "fold 1", "accuracy": (a + b) / 2, "low": a, "high": b} for m, (a, b) in intervals.items()
    ]


def follows(accuracies, **changed):
    layer = {"last_layer": last_layer(**changed)}
    return judge("t2_follows_accuracy", {"4_0_target_networks": {"accuracy": accuracies}, "4_1_last_layer": layer})


def test_top1_follows_accuracy_where_accuracies_are_apart():
    apart = accuracy(ast=(0.9, 0.95), beats_finetuned=(0.8, 0.9), beats_frozen=(0.6, 0.79))
    decided, _, numbers = follows(apart)
    assert decided == HOLDS and "beats_finetuned 85.0%" in numbers and numbers.count("top-1") == 2
    assert follows(apart, beats_frozen_DB=(0.76, 1.0, 0.8))[0] == FAILS  # as many as BEATs-finetuned
    assert (
        follows(apart, ast_DB=(0.7, 1.0, 0.8), beats_frozen_DB=(0.6, 1.0, 0.8))[0] == HOLDS
    )  # AST, BEATs-finetuned meet
    decided, _, reason = follows(accuracy(ast=(0.8, 0.95), beats_finetuned=(0.8, 0.9), beats_frozen=(0.7, 0.8)))
    assert decided == UNTESTED and "apart" in reason


def best_function(**top1):
    rows = [
        {"model": "ast", "method": "DB", "function": name, "condition": "all clips", "top1": a, "top5": 1.0, "cos": 1.0}
        for name, a in top1.items()
    ]
    return verdict("t7_cubed_best_db", "4_1_last_layer", last_layer=rows)


def test_cos_cubed_is_best_where_no_function_is_above_it():
    rows = paper.table7("ast").assign(model="ast", method="DB", condition="all clips").to_dict("records")
    assert verdict("t7_cubed_best_db", "4_1_last_layer", last_layer=rows) == HOLDS
    assert best_function(cos_cubed=0.9, wpmi=0.9) == HOLDS
    assert best_function(cos_cubed=0.9, wpmi=0.91) == FAILS
    assert best_function(wpmi=0.9) == UNTESTED
    assert best_function(cos_cubed=0.9, wpmi=None) == UNTESTED


# Table 3


def ratings(step=0.5, count=9):
    """Three methods, in every measure `step` apart, with intervals of half-width 0.2."""
    names = ("rating", "cos", "bertscore_minilm")
    at = {"TAB": 2.0, "DB": 2.5, "SUM": 2.5 + step}
    return [
        {"method": m, "ratings": count} | {k: v for n in names for k, v in ends(n, a, a - 0.2, a + 0.2).items()}
        for m, a in at.items()
    ]


def test_order_of_ratings_needs_intervals_apart_and_ratings():
    assert verdict("t3_order", "4_2_human_evaluation", human_evaluation=ratings(0.41)) == HOLDS
    assert verdict("t3_order", "4_2_human_evaluation", human_evaluation=ratings(0.39)) == FAILS
    none = [{key: None if key != "method" else m for key, m in row.items()} | {"ratings": 0} for row in ratings()]
    assert judge("t3_order", {"4_2_human_evaluation": {"human_evaluation": none}})[2].startswith("No rating")


# Table 4, Figure 10


def around(name, value):
    """A value within 0.05 either way, or none."""
    return (
        dict.fromkeys((name, f"{name}_low", f"{name}_high"))
        if value is None
        else ends(name, value, value - 0.05, value + 0.05)
    )


def unlearning(ocp, best, dA=(-3.0, -2.0, -1.0), strategies=("random", "TAB", "DB")):
    return [
        {"model": model, "strategy": name, **around("dA", change), **ends("gap", sum(gap) / 2, *gap)}
        for model, change in zip(MODELS, dA, strict=True)
        for name, gap in [("OCP", ocp), *((name, best) for name in strategies)]
    ]


def test_ocps_gap_is_the_largest_only_with_its_whole_interval():
    assert verdict("t4_ocp_gap", "4_3_unlearning", unlearning=unlearning((1.01, 2.0), (0.0, 1.0))) == HOLDS
    assert verdict("t4_ocp_gap", "4_3_unlearning", unlearning=unlearning((0.99, 2.0), (0.0, 1.0))) == FAILS
    without = unlearning((1.01, 2.0), (0.0, 1.0), strategies=("random", "DB"))
    assert verdict("t4_ocp_gap", "4_3_unlearning", unlearning=without) == UNTESTED
    without = unlearning((0.0, 0.5), (0.6, 1.0), strategies=("random", "DB"))
    assert verdict("t4_ocp_gap", "4_3_unlearning", unlearning=without) == FAILS


@pytest.mark.parametrize(
    ("dA", "expected"),
    [
        ((-3, 2, 1.89), HOLDS),
        ((-3, 2, 1.91), FAILS),
        ((-3, 2, -1.89), HOLDS),
        ((-3, 0.1, -1), FAILS),
        ((-3, 0.01, 0.0), FAILS),
        ((-3, None, -1), UNTESTED),
    ],
)
def test_frozen_moves_least_by_size_not_sign(dA, expected):
    rows = unlearning((0, 1), (0, 1), dA=dA)
    assert verdict("t4_frozen_robust", "4_3_unlearning", unlearning=rows) == expected


def water(*changes, units=3):
    """Changes of the four classes related to water, beside six others that change by 0 to -0.5 and water drops'."""
    rows = zip(("water drops", *WATER, *"abcdef"), (-9, *changes, *(-i / 10 for i in range(6))), strict=True)
    return [{"class": name, "change": change, "units": units} for name, change in rows]


def test_classes_with_water_must_rank_below_the_others():
    assert verdict("f10_water", "4_3_unlearning", water_drops=water(-0.6, -0.7, -0.8, -0.9)) == HOLDS
    undecided = judge("f10_water", {"4_3_unlearning": {"water_drops": water(-0.6, -0.7, -0.05, 0.0)}})
    assert undecided[:2] == (FAILS, "undecided")
    assert judge("f10_water", {"4_3_unlearning": {"water_drops": water(1, 1, 1, 1)}})[:2] == (FAILS, "fails")
    assert verdict("f10_water", "4_3_unlearning", water_drops=water(-0.6, -0.7, -0.8, -0.9, units=0)) == UNTESTED
    assert "no class" in judge("f10_water", {"4_3_unlearning": {"water_drops": []}})[2]


# Figures 4 and 5


@pytest.mark.parametrize("claim", ["f4a_adjectives", "f4a_nouns", "f4b_basic", "f4c_single"])
def test_figure_4_asks_every_comparison_to_clear_its_margin(claim):
    row = {"claim": claim, "more": "a", "less": "b", "percents": "10", "margin": 0.1, "model": "ast", "difference": 0.2}
    easy = row | {"margin": -0.02, "low": -0.019, "high": 0.3}

    def judged(low, high, model="ast"):
        rows = [easy, row | {"low": low, "high": high}]
        return verdict(claim, "4_4_feature_importance", comparisons=[r | {"model": model} for r in rows])

    assert judged(0.101, 0.3) == HOLDS
    assert judged(0.1, 0.3) == FAILS
    assert judged(None, None) == UNTESTED
    assert judged(0.101, 0.3, model="beats_frozen") == UNTESTED


def depth(ast=-0.01, finetuned=0.01, frozen=0.1, fewer=0.0):
    """Trends whose deciding ends are given: of AST above, BEATs-finetuned below, frozen furthest from 0."""
    rho = {"ast": (-0.5, ast), "beats_finetuned": (finetuned, 0.5), "beats_frozen": (-0.05, frozen)}
    mean = {"ast": (2.0, 3.0), "beats_finetuned": (2.0, 3.0), "beats_frozen": (1.0, 2.0 - fewer)}
    return [
        {"model": m, "rho": sum(rho[m]) / 2, "low": rho[m][0], "high": rho[m][1], **ends("mean", 2.0, *mean[m])}
        for m in MODELS
    ]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"frozen": 0.09, "fewer": 0.1}, HOLDS),
        ({"frozen": 0.11, "fewer": 0.1}, FAILS),
        ({"frozen": 0.09, "fewer": -0.1}, FAILS),
        ({"frozen": 0.09, "fewer": 0.1, "ast": 0.005}, FAILS),
        ({"frozen": 0.09, "fewer": 0.1, "finetuned": -0.02}, FAILS),
    ],
)
def test_figure_5_asks_all_four_parts(changed, expected):
    assert verdict("f5_ast_narrows", "4_4_feature_importance", trends=depth(**changed)) == expected


def test_figure_5_without_a_network_is_untested():
    rows = [row for row in depth(frozen=0.09, fewer=0.1) if row["model"] == "ast"]
    assert verdict("f5_ast_narrows", "4_4_feature_importance", trends=rows) == UNTESTED


# Section 4.5


def trend(model, low, high, k=5, tau=4, part="all"):
    return {"model": model, "k": k, "tau": tau, "part": part, "rho": (low + high) / 2, "low": low, "high": high}


def concentrates(ast, frozen, *deep):
    found = [trend("ast", *ast), trend("beats_frozen", *frozen), trend("ast", 0.5, 0.6, tau=5)]
    found += [trend("beats_finetuned", *pair, part="deeper half") for pair in deep]
    found += [trend("beats_finetuned", 0.5, 0.6), trend("ast", 0.5, 0.6, part="deeper half")]
    return verdict("f6_ast_concentrates", "4_5_polysemanticity", trends=found)


def test_figure_6_at_its_edges():
    falls, flat = (-0.2, -0.001), (-0.1, 0.1)
    assert concentrates(falls, flat, falls) == HOLDS
    assert concentrates((-0.2, 0.0), flat, falls) == concentrates(falls, flat, (-0.2, 0.0)) == INCONCLUSIVE
    assert concentrates(falls, (-0.101, 0.1), falls) == INCONCLUSIVE
    assert concentrates(flat, flat, falls) == concentrates(falls, flat, (0.001, 0.2)) == FAILS
    assert concentrates(falls, (0.001, 0.2), falls) == FAILS
    assert concentrates(falls, flat) == UNTESTED


def same(*ast):
    """The verdict where AST's trends have these intervals, and the others' are flat."""
    found = [trend("ast", *pair, tau=i) for i, pair in enumerate(ast)]
    found += [trend("ast", 0.1, 0.3, part="deeper half")]
    found += [trend(model, -0.1, 0.1, tau=i) for model in MODELS[1:] for i in range(2)]
    return judge("f11_13_same", {"4_5_polysemanticity": {"trends": found}})


def test_trends_are_the_same_only_if_all_fall_rise_or_are_flat():
    assert same((-0.2, -0.1), (-0.3, -0.001))[0] == same((-0.1, 0.0), (0.0, 0.1))[0] == HOLDS
    decided, numbers = same((-0.2, -0.1), (-0.3, 0.0))
    assert decided == INCONCLUSIVE and "ast falls in 1, unclear in 1: inconclusive" in numbers
    assert same((-0.2, -0.1), (-0.1, 0.0))[0] == INCONCLUSIVE
    assert same((-0.2, 0.1), (-0.3, 0.1))[0] == INCONCLUSIVE  # the same, but no trend is known
    assert same((-0.2, -0.1), (0.1, 0.3))[0] == FAILS
    assert same()[0] == UNTESTED


def gtzan(high, title="GTZAN (music)"):
    shares = [{"model": "ast", "k": 5, "tau": 4, **ends("share", share, 0.05, high)} for share in (0.1, 0.14)]
    found = [trend("ast", -0.2, -0.1, tau=5), trend("beats_frozen", -0.1, 0.1, tau=5)]
    return verdict("f14_gtzan", "4_5_polysemanticity", numbers=[{"title": title}], trends=found, shares=shares)


def test_gtzan_is_judged_on_gtzan_alone():
    assert gtzan(0.199) == HOLDS
    assert gtzan(0.201) == INCONCLUSIVE
    assert gtzan(0.1, "ESC-10 (real recordings)") == UNTESTED


# Appendix C


def acoustics(low=1.0, source_low=1.0, share=(0.5, 0.6), loud_share=(0.61, 0.8), count=9):
    """Both words, heard and measured; the measured rows always hold."""
    shared = {"model": "ast", "difference": 5.0, "high": 9.0, "source_high": 9.0, "share": 0.6}
    return [
        {
            "word": word,
            "descriptions": text,
            "with": n,
            "low": a,
            "source_low": b,
            **shared,
            **ends("share", 0.6, *ends_),
        }
        for word, ends_ in (("loud", loud_share), ("high-pitched", share))
        for text, n, a, b in (("file + measured", 99, 1.0, 1.0), ("file", count, low, source_low))
    ]


@pytest.mark.parametrize("claim", ["f8a_loud", "f8b_high_pitched"])
def test_words_are_judged_by_both_intervals_and_without_what_was_measured(claim):
    def judged(**changed):
        return verdict(claim, "appendix_c_acoustics", acoustics=acoustics(**changed))

    assert judged() == HOLDS
    assert judged(low=-0.1) == FAILS
    assert judged(source_low=0.0) == FAILS
    assert judged(count=0) == UNTESTED


def test_high_pitched_must_be_less_marked_than_loud():
    assert verdict("f8b_high_pitched", "appendix_c_acoustics", acoustics=acoustics(share=(0.5, 0.62))) == FAILS
    assert verdict("f8a_loud", "appendix_c_acoustics", acoustics=acoustics(share=(0.5, 0.62))) == HOLDS


def test_a_part_that_fails_decides_though_another_cannot_be_tested():
    rows = [row for row in acoustics(low=-2.0) if row["word"] == "high-pitched"]
    decided, _, numbers = judge("f8b_high_pitched", {"appendix_c_acoustics": {"acoustics": rows}})
    assert decided == FAILS and numbers.endswith("cannot be tested.")


@pytest.mark.parametrize("claim", RULES)
def test_without_results_every_claim_says_why_it_is_not_tested(claim):
    decided, reason = rules.judge(claim, {})
    assert decided == UNTESTED and reason.endswith(": cannot be tested.")


def test_every_claim_of_the_paper_has_a_rule_in_words_and_in_code():
    assert set(RULES) == {claim["id"] for claim in paper.numbers()["claims"]}
    assert min(len(rule.text) for rule in RULES.values()) > 60 and all(callable(rule.parts) for rule in RULES.values())
