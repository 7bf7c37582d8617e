"""The rules of the paper's claims: each at its edges, and without numbers."""

import numpy as np
import pandas as pd
import pytest

from andlib import paper
from andlib.pages import rules
from andlib.pages.rules import MEASURED, RULES, TEXTS, WATER
from andlib.profiles import MODELS
from andlib.statistics import CEILING, CONTRADICTED, INCONCLUSIVE, SUPPORTED, UNTESTABLE


def judge(claim, pages):
    """The verdict by frames that are given as rows: page -> name -> rows."""
    frames = {page: {n: pd.DataFrame(rows).fillna(np.nan) for n, rows in of.items()} for page, of in pages.items()}
    return rules.judge(claim, frames)


def verdict(claim, page, **rows):
    return judge(claim, {page: rows})[0]


def ends(name, value, low, high):
    return {name: value, f"{name}_low": low, f"{name}_high": high}


# Table 2 and Table 7


def table2(perfect=(), **changed):
    """Intervals 0.1 … 0.3 of every difference, but for what is changed: "model one other" -> its three intervals.

    perfect: names, with their models, whose three measures are 1; all others' are 0.9."""
    rows = []
    for model in MODELS:
        functions = [
            (f"cos_cubed − {name}", "cos_cubed", name) for name in ("cos", "rank_reorder", "wpmi", "soft_wpmi")
        ]
        pairs = [("DB − TAB", "DB", "TAB"), ("DB − ICL", "DB", "ICL"), *functions]
        for name in ("DB", "TAB", "ICL", "cos_cubed", *(other for *_, other in functions)):
            value = 1 - 1e-7 if f"{model} {name}" in perfect else 0.9
            at = {k: v for n in MEASURED for k, v in ends(n, value, value, value).items()}
            rows.append({"model": model, "compared": name, **at})
        for compared, one, other in pairs:
            given = changed.get(f"{model}_{one}_{other}", [(0.1, 0.3)] * 3)
            at = {
                k: v for n, (low, high) in zip(MEASURED, given, strict=True) for k, v in ends(n, low, low, high).items()
            }
            rows.append({"model": model, "compared": compared, **at})
    return rows


def db_best(perfect=(), **changed):
    return judge("t2_db_best", {"4_1_last_layer": {"intervals": table2(perfect, **changed)}})[0]


def test_db_is_best_where_one_interval_lies_above_zero_and_none_below():
    assert db_best() == SUPPORTED
    assert db_best(ast_DB_TAB=[(0.0, 0.0), (-0.2, 0.2), (0.01, 0.2)]) == SUPPORTED
    assert db_best(ast_DB_TAB=[(0.0, 0.3), (-0.2, 0.2), (0.0, 0.2)]) == INCONCLUSIVE
    assert db_best(ast_DB_TAB=[(0.0, 0.0), (0.0, 0.0), (-1e-7, 1e-7)]) == CONTRADICTED  # a tie in all three
    assert db_best(beats_frozen_DB_ICL=[(0.1, 0.3), (0.1, 0.3), (-0.2, -0.1)]) == CONTRADICTED


def test_two_methods_without_any_error_are_at_a_ceiling():
    tie = [(0.0, 0.0), (0.0, 0.0), (-1e-7, 1e-7)]
    assert db_best(("ast DB", "ast TAB"), ast_DB_TAB=tie) == CEILING
    assert db_best(("ast DB",), ast_DB_TAB=tie) == CONTRADICTED
    assert db_best(("ast DB", "ast TAB"), ast_DB_TAB=tie, ast_DB_ICL=[(-0.2, -0.1)] * 3) == CONTRADICTED


def test_a_method_without_answers_leaves_db_untested_unless_another_beats_it():
    unknown = [(np.nan, np.nan)] * 3
    assert db_best(ast_DB_ICL=unknown) == UNTESTABLE
    assert db_best(ast_DB_ICL=unknown, ast_DB_TAB=[(-0.2, -0.1)] * 3) == CONTRADICTED
    assert judge("t2_db_best", {"4_1_last_layer": {"last_layer": []}})[0] == UNTESTABLE


def accuracy(**intervals):
    return [
        {"model": m, "clips": "fold 1", "accuracy": (a + b) / 2, "low": a, "high": b} for m, (a, b) in intervals.items()
    ]


def follows(accuracies, top1, **differences):
    """On DB's top-1 by model, and intervals of differences in it: "one_less_other" -> (low, high)."""
    at = {m: (value, value) for m, value in top1.items()}
    at |= {name.replace("_less_", " − "): pair for name, pair in differences.items()}
    rows = [{"model": m, "compared": "DB", **ends("top1", (a + b) / 2, a, b)} for m, (a, b) in at.items()]
    pages = {"4_0_target_networks": {"accuracy": accuracies}, "4_1_last_layer": {"intervals": rows}}
    return judge("t2_follows_accuracy", pages)


def test_top1_follows_accuracy_where_accuracies_are_apart_by_the_interval_of_the_difference():
    apart = accuracy(ast=(0.9, 0.95), beats_finetuned=(0.8, 0.9), beats_frozen=(0.6, 0.79))
    top1 = {"ast": 0.9, "beats_finetuned": 0.85, "beats_frozen": 0.7}
    sure = {"ast_less_beats_frozen": (0.01, 0.4), "beats_finetuned_less_beats_frozen": (0.02, 0.3)}
    decided, numbers = follows(apart, top1, **sure)
    assert decided == SUPPORTED and numbers.count("top-1") == 2 and "top-1 +0.16 (+0.02 … +0.30)" in numbers
    assert follows(apart, top1, **sure | {"ast_less_beats_frozen": (0.0, 0.4)})[0] == INCONCLUSIVE
    assert follows(apart, top1, **sure | {"ast_less_beats_frozen": (0.0, 0.0)})[0] == CONTRADICTED  # no higher
    assert follows(apart, top1, ast_less_beats_frozen=(0.01, 0.4))[0] == UNTESTABLE
    turned = {"beats_frozen_less_ast": (-0.4, -0.01), "beats_finetuned_less_beats_frozen": (0.02, 0.3)}
    decided, numbers = follows(apart, top1, **turned)
    assert decided == SUPPORTED and "(+0.01 … +0.40)" in numbers
    decided, reason = follows(accuracy(ast=(0.8, 0.95), beats_finetuned=(0.8, 0.9), beats_frozen=(0.7, 0.8)), top1)
    assert decided == UNTESTABLE and "apart" in reason


def test_networks_whose_units_are_all_named_are_at_a_ceiling():
    apart, tie = accuracy(ast=(0.9, 0.95), beats_frozen=(0.6, 0.7)), {"ast_less_beats_frozen": (0.0, 0.0)}
    assert follows(apart, {"ast": 1.0, "beats_frozen": 1.0}, **tie)[0] == CEILING
    assert follows(apart, {"ast": 0.9, "beats_frozen": 0.9}, **tie)[0] == CONTRADICTED


def best_function(perfect=(), **changed):
    changed = {f"ast_cos_cubed_{name}": given for name, given in changed.items()}
    return judge("t7_cubed_best_db", {"4_1_last_layer": {"intervals": table2(perfect, **changed)}})[0]


def test_cos_cubed_is_best_where_it_lies_above_every_function_and_below_none():
    tie = [(0.0, 0.0), (0.0, 0.0), (-1e-7, 1e-7)]
    assert best_function() == SUPPORTED
    assert best_function(wpmi=[(0.0, 0.0), (-0.1, 0.1), (0.01, 0.1)]) == SUPPORTED
    assert best_function(wpmi=[(-0.3, -0.01), (0.1, 0.2), (0.1, 0.2)]) == CONTRADICTED
    assert best_function(wpmi=[(-0.3, 0.0), (0.0, 0.2), (-0.1, 0.2)]) == INCONCLUSIVE
    assert best_function(wpmi=tie) == INCONCLUSIVE
    assert best_function(("ast cos_cubed", "ast wpmi"), wpmi=tie) == CEILING
    assert best_function(wpmi=[(np.nan, np.nan)] * 3) == UNTESTABLE


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
    assert verdict("t3_order", "4_2_human_evaluation", human_evaluation=ratings(0.41)) == SUPPORTED
    assert verdict("t3_order", "4_2_human_evaluation", human_evaluation=ratings(0.39)) == INCONCLUSIVE
    none = [{key: None if key != "method" else m for key, m in row.items()} | {"ratings": 0} for row in ratings()]
    assert judge("t3_order", {"4_2_human_evaluation": {"human_evaluation": none}})[1].startswith("No rating")


# Table 4, Figure 10


def unlearning(excess=(0.5, 1.0), beyond=(0.1, 0.9), drops=((0.2, 0.3), (0.2, 0.3), (0.0, 0.1)), gap=0.0):
    """Table 4 with OCP's excess, what it is beyond TAB's and DB's, and the drop of accuracy in each network."""
    return [
        {"model": model, "strategy": name, "gap": gap if name == "OCP" else 5.0}
        | (ends("excess", 0.7, *excess) if name == "OCP" else ends("ocp_beyond", 0.5, *beyond))
        | ends("accuracy_drop", sum(drop) / 2, *drop)
        for model, drop in zip(MODELS, drops, strict=True)
        for name in ("OCP", "TAB", "DB")
    ]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, SUPPORTED),  # though OCP's raw gap is the smallest
        ({"gap": 99.0, "excess": (-0.1, 1.0)}, INCONCLUSIVE),
        ({"gap": 99.0, "beyond": (-0.1, 0.9)}, INCONCLUSIVE),
        ({"gap": 99.0, "beyond": (-0.9, -0.1)}, CONTRADICTED),
        ({"excess": (np.nan, np.nan)}, UNTESTABLE),
    ],
)
def test_ocps_gap_is_judged_beyond_random_sets_and_not_as_it_is(changed, expected):
    rows = unlearning(**changed)
    assert judge("t4_ocp_gap", {"4_3_unlearning": {"unlearning": rows}})[0] == expected
    rows = [{"model": row["model"], "strategy": row["strategy"], "gap": row["gap"]} for row in rows]
    assert judge("t4_ocp_gap", {"4_3_unlearning": {"unlearning": rows}})[0] == UNTESTABLE


@pytest.mark.parametrize(
    ("frozen", "expected"),
    [((0.0, 0.1), SUPPORTED), ((0.1, 0.25), INCONCLUSIVE), ((0.31, 0.4), CONTRADICTED), ((np.nan,) * 2, UNTESTABLE)],
)
def test_frozen_must_lose_less_accuracy_by_intervals_apart(frozen, expected):
    rows = unlearning(drops=((0.2, 0.3), (0.2, 0.3), frozen))
    assert judge("t4_frozen_robust", {"4_3_unlearning": {"unlearning": rows}})[0] == expected


def water(*changes, units=3):
    """Changes of the four classes related to water, beside six others that change by 0 to -0.5 and water drops'."""
    rows = zip(("water drops", *WATER, *"abcdef"), (-9, *changes, *(-i / 10 for i in range(6))), strict=True)
    return [{"class": name, "change": change, "units": units} for name, change in rows]


def judged_water(rows):
    return judge("f10_water", {"4_3_unlearning": {"water_drops": rows}})


def test_classes_with_water_must_change_more_than_the_others_by_an_interval():
    assert judged_water(water(-0.6, -0.7, -0.8, -0.9))[0] == SUPPORTED
    assert judged_water(water(-0.6, -0.7, -0.05, 0.0))[0] == INCONCLUSIVE
    assert judged_water(water(1, 1, 1, 1))[0] == CONTRADICTED
    assert judged_water(water(-0.6, -0.7, -0.8, -0.9, units=0))[0] == UNTESTABLE
    one = [row for row in water(-0.6, -0.7, -0.8, -0.9) if row["class"] not in WATER[1:]]
    assert judged_water(one)[0] == UNTESTABLE  # the interval of a single class would have no width
    verdict, numbers = judged_water([])
    assert verdict == UNTESTABLE and "no class" in numbers


def test_classes_without_clips_say_nothing_of_water():
    rows = water(-0.6, -0.7, -0.8, -0.9)
    unheard = [row | {"change": None} if row["class"] in WATER else row for row in rows]
    assert verdict("f10_water", "4_3_unlearning", water_drops=unheard) == UNTESTABLE


def test_one_undefined_interval_of_two_leaves_a_word_untested():
    rows = acoustics(source_low=np.nan)
    assert verdict("f8a_loud", "appendix_c_acoustics", acoustics=rows) == UNTESTABLE


# Figures 4 and 5


@pytest.mark.parametrize("claim", ["f4a_adjectives", "f4a_nouns", "f4b_basic", "f4c_single"])
def test_figure_4_asks_every_comparison_to_clear_its_margin(claim):
    row = {"claim": claim, "more": "a", "less": "b", "percents": "10", "margin": 0.1, "model": "ast", "difference": 0.2}
    easy = row | {"margin": -0.02, "low": -0.019, "high": 0.3}

    def judged(low, high, model="ast"):
        rows = [easy, row | {"low": low, "high": high}]
        return verdict(claim, "4_4_feature_importance", comparisons=[r | {"model": model} for r in rows])

    assert judged(0.101, 0.3) == SUPPORTED
    assert judged(0.1, 0.3) == INCONCLUSIVE and judged(-0.1, 0.1) == CONTRADICTED
    assert judged(None, None) == UNTESTABLE
    assert judged(0.101, 0.3, model="beats_frozen") == UNTESTABLE


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
        ({"frozen": 0.09, "fewer": 0.1}, SUPPORTED),
        ({"frozen": 0.11, "fewer": 0.1}, INCONCLUSIVE),
        ({"frozen": 0.09, "fewer": -0.1}, INCONCLUSIVE),
        ({"frozen": 0.09, "fewer": 0.1, "ast": 0.005}, INCONCLUSIVE),
        ({"frozen": 0.09, "fewer": 0.1, "finetuned": -0.02}, INCONCLUSIVE),
    ],
)
def test_figure_5_asks_all_four_parts(changed, expected):
    assert verdict("f5_ast_narrows", "4_4_feature_importance", trends=depth(**changed)) == expected


def test_figure_5_without_a_network_is_untested():
    rows = [row for row in depth(frozen=0.09, fewer=0.1) if row["model"] == "ast"]
    assert verdict("f5_ast_narrows", "4_4_feature_importance", trends=rows) == UNTESTABLE


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
    assert concentrates(falls, flat, falls) == SUPPORTED
    assert concentrates((-0.2, 0.0), flat, falls) == concentrates(falls, flat, (-0.2, 0.0)) == INCONCLUSIVE
    assert concentrates(falls, (-0.101, 0.1), falls) == INCONCLUSIVE
    assert concentrates(flat, flat, falls) == concentrates(falls, flat, (0.001, 0.2)) == CONTRADICTED
    assert concentrates(falls, (0.101, 0.2), falls) == CONTRADICTED
    assert concentrates(falls, (0.001, 0.2), falls) == INCONCLUSIVE  # it rises, but perhaps by less than counts
    assert concentrates(falls, flat) == UNTESTABLE


def same(*ast):
    """The verdict where AST's trends have these intervals, and the others' are flat."""
    found = [trend("ast", *pair, tau=i) for i, pair in enumerate(ast)]
    found += [trend("ast", 0.1, 0.3, part="deeper half")]
    found += [trend(model, -0.1, 0.1, tau=i) for model in MODELS[1:] for i in range(2)]
    return judge("f11_13_same", {"4_5_polysemanticity": {"trends": found}})


def test_trends_are_the_same_only_if_all_fall_rise_or_are_flat():
    assert same((-0.2, -0.1), (-0.3, -0.001))[0] == same((-0.1, 0.0), (0.0, 0.1))[0] == SUPPORTED
    decided, numbers = same((-0.2, -0.1), (-0.3, 0.0))
    assert decided == INCONCLUSIVE and "ast falls in 1, unclear in 1: inconclusive" in numbers
    assert same((-0.2, -0.1), (-0.1, 0.0))[0] == INCONCLUSIVE
    assert same((-0.2, 0.1), (-0.3, 0.1))[0] == INCONCLUSIVE  # the same, but no trend is known
    assert same((-0.2, -0.1), (0.1, 0.3))[0] == CONTRADICTED
    assert same()[0] == UNTESTABLE
    assert same((np.nan, np.nan))[0] == UNTESTABLE  # it was run, on too little for an interval


def gtzan(high, title="GTZAN (music)"):
    shares = [{"model": "ast", "k": 5, "tau": 4, **ends("share", share, 0.05, high)} for share in (0.1, 0.14)]
    found = [trend("ast", -0.2, -0.1, tau=5), trend("beats_frozen", -0.1, 0.1, tau=5)]
    return verdict("f14_gtzan", "4_5_polysemanticity", numbers=[{"title": title}], trends=found, shares=shares)


def test_gtzan_is_judged_on_gtzan_alone():
    assert gtzan(0.199) == SUPPORTED
    assert gtzan(0.201) == INCONCLUSIVE
    assert gtzan(0.1, "ESC-10 (real recordings)") == UNTESTABLE


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

    assert judged() == SUPPORTED
    assert judged(low=-0.1) == INCONCLUSIVE
    assert judged(source_low=0.0) == INCONCLUSIVE
    assert judged(count=0) == UNTESTABLE


def test_high_pitched_must_be_less_marked_than_loud():
    assert verdict("f8b_high_pitched", "appendix_c_acoustics", acoustics=acoustics(share=(0.5, 0.62))) == INCONCLUSIVE
    assert verdict("f8a_loud", "appendix_c_acoustics", acoustics=acoustics(share=(0.5, 0.62))) == SUPPORTED


def test_a_part_that_fails_decides_though_another_cannot_be_tested():
    rows = [row for row in acoustics(low=-2.0) if row["word"] == "high-pitched"]
    decided, numbers = judge("f8b_high_pitched", {"appendix_c_acoustics": {"acoustics": rows}})
    assert decided == INCONCLUSIVE and numbers.endswith("not testable here.")


@pytest.mark.parametrize("claim", RULES)
def test_without_results_every_claim_says_why_it_is_not_tested(claim):
    decided, reason = rules.judge(claim, {})
    assert decided == UNTESTABLE and reason.endswith(": not testable here.")


def test_every_claim_of_the_paper_has_a_rule_in_words_and_in_code():
    assert set(RULES) == set(TEXTS) == {claim["id"] for claim in paper.numbers()["claims"]}
    assert min(map(len, TEXTS.values())) > 60 and all(map(callable, RULES.values()))
