"""Section 4.4 on hand-made neurons, and on a small set with a tiny network."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from andlib import kept, paths, statistics
from andlib.ablation import size
from andlib.errors import InputError
from andlib.pages import section_4_4
from andlib.statistics import CEILING, CONTRADICTED, INCONCLUSIVE, SUPPORTED, UNTESTABLE
from andlib.store import Store


def by_hand(layers="aabb", adjectives=((), (), (), ()), **columns) -> pd.DataFrame:
    """Neurons with what Section 4.4 reads of them."""
    layer = pd.Series(list(layers))
    index = layer.groupby(layer).cumcount()
    blank = {"nouns": [()] * len(layer), "length": 0}
    return pd.DataFrame({"layer": layer, "index": index, "adjectives": list(adjectives), **blank, **columns})


def members(units) -> set:
    return {(layer, int(i)) for layer, indices in units.items() for i in indices}


def test_amounts_count_words_and_tell_basic_from_high_level_adjectives():
    neurons = by_hand(
        "ab", [("loud", "loud", "clear", "steady"), ("steady",)], nouns=[("dog",), ("dog", "dog")], length=[9, 4]
    )
    counted = {name: list(section_4_4.amount(neurons, name)) for name in ("adjectives", "nouns", "summary length")}
    assert counted == {"adjectives": [4, 1], "nouns": [1, 2], "summary length": [9, 4]}
    assert list(section_4_4.amount(neurons, "basic adjectives")) == [3, 0]
    assert list(section_4_4.amount(neurons, "high-level adjectives")) == [1, 1]
    assert list(section_4_4.amount(neurons, "loud")) == [1, 0]


def test_units_with_most_are_chosen_and_only_ties_are_drawn():
    neurons = by_hand("a" * 50 + "b" * 50, [()] * 100, nouns=[("x",) * (i // 10) for i in range(100)])
    sets = [members(section_4_4.chosen(neurons, "nouns", 12, seed)) for seed in (20, 202, 2024)]
    assert all(len(chosen) == 12 and {("b", i) for i in range(40, 50)} <= chosen for chosen in sets)
    assert all(chosen <= {("b", i) for i in range(30, 50)} for chosen in sets) and len(set(map(frozenset, sets))) == 3
    nested = members(section_4_4.chosen(neurons, "nouns", 4, 20))
    assert nested < sets[0] and len(nested) == 4


def test_holders_of_one_adjective_are_drawn_if_they_exceed_the_share_else_all_taken():
    neurons = by_hand("a" * 100, [("loud", "loud") if i < 5 else () for i in range(100)])
    everyone = {("a", i) for i in range(5)}
    assert members(section_4_4.chosen(neurons, "loud", 12, 20)) == everyone
    assert members(section_4_4.chosen(neurons, "loud", 2, 20)) < everyone
    assert size(section_4_4.chosen(neurons, "clear", 12, 20)) == 0


def test_leading_rows_make_two_attributes_one():
    """Two attributes held by different units, as many in each layer: as released, the same units fall silent."""
    neurons = by_hand("aaaabbbb", [("loud",), (), (), ("clear",)] * 2)
    loud, clear = (members(section_4_4.chosen(neurons, word, 100, 20)) for word in ("loud", "clear"))
    assert loud == {("a", 0), ("b", 0)} and clear == {("a", 3), ("b", 3)}
    faulty = [members(section_4_4.chosen(neurons, w, 100, 20, ["ablate_leading_rows"])) for w in ("loud", "clear")]
    assert faulty == [{("a", 0), ("b", 0)}] * 2


def test_twelve_percent_as_released_are_fewer():
    neurons = by_hand("a" * 1000, [()] * 1000)
    shares = [
        size(section_4_4.chosen(neurons, "random", 12, 20, faults)) for faults in ((), ["word_lists_by_substring"])
    ]
    assert shares == [120, 116]


def test_silencing_measures_on_fold_1_what_folds_2_to_5_chose(run):
    results = section_4_4.silenced(run, section_4_4.chosen_units(run))
    assert set(results["attribute"]) == {"none", *section_4_4.ATTRIBUTES}
    assert all(correct.shape == (6,) for correct in results["correct"])
    asked = results[results["attribute"].isin(["nouns", "random"]) & (results["set"] == "chosen")]
    assert (asked["units"] == (asked["percent"] / 100 * 64).round()).all() and len(asked) == 2 * 6 * 3
    at_ten = (
        results[results["percent"] == section_4_4.MATCHED_AT].groupby(["attribute", "seed", "set"])["units"].first()
    )
    pairs = at_ten.unstack("set").dropna()
    assert len(pairs) == 11 * 3 and (pairs["chosen"] == pairs["matched"]).all()
    curves = section_4_4.curves(run, results)
    assert (curves["lowest"] <= curves["accuracy"]).all() and (curves["accuracy"] <= curves["highest"]).all()
    assert curves["accuracy"].between(0, 1).all() and (curves["low"] <= curves["high"]).all()


def test_silencing_needs_a_fold_to_measure_on(run):
    with pytest.raises(InputError, match="no fold 1 to measure on"):
        section_4_4.silenced(run.using(probing_set=run.probing_set.in_folds((2, 3))), section_4_4.chosen_units(run))


def test_comparisons_take_the_difference_that_the_claim_speaks_of(run):
    right = {name: np.ones(6, bool) for name in section_4_4.ATTRIBUTES} | {"basic adjectives": np.zeros(6, bool)}
    rows = [
        (name, r, 20, kind, int(name != "clear"), right["random" if kind == "matched" else name])
        for name in right
        for r in section_4_4.PERCENT
        for kind in ("chosen", "matched")
    ]
    results = pd.DataFrame(rows, columns=["attribute", "percent", "seed", "set", "units", "correct"]).assign(
        model="ast"
    )
    found = section_4_4.compared(run, results)
    basic = found[found["claim"] == "f4b_basic"]
    assert len(basic) == 6 and (basic["difference"] == 1).all() and (basic["verdict"] == SUPPORTED).all()
    assert list(found.loc[found["claim"] == "f4a_adjectives", "verdict"]) == [SUPPORTED]  # no difference is not worse
    assert set(found.loc[found["claim"] == "f4a_nouns", "verdict"]) == {CONTRADICTED}  # no difference is no larger loss
    beyond = found[found["claim"] == "beyond layers"].set_index("more")["difference"]
    assert beyond["basic adjectives"] == 1 and beyond["nouns"] == 0
    single = found[found["claim"] == "f4c_single"].set_index("less")["verdict"]
    assert single["clear"] == UNTESTABLE and single["loud"] == SUPPORTED


def test_intervals_know_that_any_two_sets_differ(run):
    """Random sets that scatter widely leave no difference certain, however alike the clips are."""
    rng = np.random.default_rng(0)
    rows = [
        (
            name,
            r,
            seed,
            kind,
            5,
            np.repeat(rng.random() < 0.5, 6) if kind == "matched" else np.repeat(name == "random", 6),
        )
        for name in section_4_4.ATTRIBUTES
        for r in section_4_4.PERCENT
        for seed in section_4_4.SEEDS
        for kind in ("chosen", "matched")
    ]
    results = pd.DataFrame(rows, columns=["attribute", "percent", "seed", "set", "units", "correct"]).assign(
        model="ast"
    )
    assert 0.3 < section_4_4.spread_of_sets(results) < 0.7
    assert set(section_4_4.compared(run, results).loc[lambda rows: rows["claim"] == "f4a_nouns", "verdict"]) == {
        INCONCLUSIVE
    }
    calm = results[results["set"] == "chosen"]
    assert section_4_4.spread_of_sets(calm) == 0


def test_verdicts_at_their_edges():
    cases = {(0.0, 1.0): INCONCLUSIVE, (0.01, 1.0): SUPPORTED, (-1.0, 0.0): CONTRADICTED, (-1.0, 0.01): INCONCLUSIVE}
    assert {ends: statistics.verdict(*ends) for ends in cases} == cases
    assert statistics.verdict(-0.01, 0.5, -0.02) == SUPPORTED
    assert statistics.verdict(np.nan, np.nan) == UNTESTABLE


def test_of_parts_the_worst_decides():
    assert statistics.together([SUPPORTED, UNTESTABLE]) == statistics.together([CEILING, UNTESTABLE]) == UNTESTABLE
    assert statistics.together([SUPPORTED, CEILING]) == CEILING
    assert statistics.together([UNTESTABLE, INCONCLUSIVE]) == INCONCLUSIVE
    assert statistics.together([INCONCLUSIVE, CONTRADICTED]) == CONTRADICTED
    assert statistics.together([]) == UNTESTABLE


def test_claims_by_network_take_the_comparison_that_decides_and_leave_ours_out():
    rows = [("f4a", "beats", SUPPORTED), ("f4a", "beats", INCONCLUSIVE), ("f4a", "ast", SUPPORTED)]
    rows += [("beyond layers", "ast", CONTRADICTED), ("f4b", "beats", CONTRADICTED)]
    table = section_4_4.by_network(pd.DataFrame(rows, columns=["claim", "model", "verdict"])).set_index("claim")
    assert list(table.index) == ["f4a", "f4b"] and list(table.columns) == ["beats", "ast"]
    assert list(table.loc["f4a"]) == [INCONCLUSIVE, SUPPORTED] and table.at["f4b", "beats"] == CONTRADICTED


@pytest.mark.parametrize(
    ("low", "high", "seen", "falls", "flat", "rises"),
    [
        (-0.1, 0.1, "flat", CONTRADICTED, SUPPORTED, CONTRADICTED),
        (-0.09, -0.01, "flat", CONTRADICTED, SUPPORTED, CONTRADICTED),  # too little to count
        (-0.3, -0.2, "falls", SUPPORTED, CONTRADICTED, CONTRADICTED),
        (-0.3, -0.05, "falls", SUPPORTED, INCONCLUSIVE, CONTRADICTED),
        (0.05, 0.3, "rises", CONTRADICTED, INCONCLUSIVE, SUPPORTED),
        (-0.05, 0.3, "unclear", INCONCLUSIVE, INCONCLUSIVE, INCONCLUSIVE),
        (np.nan, np.nan, "", UNTESTABLE, UNTESTABLE, UNTESTABLE),
    ],
)
def test_a_trend_has_one_meaning(low, high, seen, falls, flat, rises):
    assert statistics.trend(low, high) == seen
    assert [statistics.as_trend(word, low, high) for word in ("falls", "flat", "rises")] == [falls, flat, rises]


def test_spearman_is_scipys_and_trends_find_a_fall():
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 4, 60), rng.integers(0, 5, 60)
    assert statistics.spearmanr(one, other) == pytest.approx(stats.spearmanr(one, other).statistic)
    block = np.repeat([1, 2, 3, 4], 50)
    falling = pd.DataFrame({"model": "ast", "block": block, "adjectives": rng.integers(0, 3, 200) + 4 - block})
    level = falling.assign(adjectives=rng.integers(0, 2, 200))
    table = pd.concat([falling, level.assign(model="beats_finetuned"), level.assign(model="beats_frozen")])
    trends = section_4_4.depth_trends(table)
    assert trends["rho"].between(trends["low"], trends["high"]).all() and trends["rho"].iloc[0] < -0.5
    verdicts = section_4_4.narrowing(trends).set_index("part")["verdict"]
    assert verdicts.iloc[0] == verdicts.iloc[1] == verdicts.iloc[3] == SUPPORTED
    alone = section_4_4.narrowing(trends.iloc[:1])["verdict"]
    assert list(alone) == [SUPPORTED, *[UNTESTABLE] * 3]


@pytest.mark.parametrize(
    ("low", "high", "says"), [(-0.05, 0.09, SUPPORTED), (0.2, 0.3, CONTRADICTED), (-0.3, -0.05, INCONCLUSIVE)]
)
def test_flat_is_within_a_tenth_of_no_trend(low, high, says):
    row = {"mean": 1.0, "mean_low": 0.9, "mean_high": 1.1, "rho": 0.0, "low": low, "high": high}
    trends = pd.DataFrame([{"model": name, **row} for name in ("ast", "beats_finetuned", "beats_frozen")])
    assert section_4_4.narrowing(trends).set_index("part").loc["BEATs-frozen: flat", "verdict"] == says


def test_different_adjectives_are_counted_in_one_way():
    neurons = by_hand("ab", [("loud", "loud", "clear"), ("steady",)])
    assert list(section_4_4.different(neurons)) == [2, 1]
    assert list(section_4_4.amount(neurons, "adjectives")) == [3, 1]  # Figure 4 ranks by how often


def test_figure_5_and_the_clean_comparison_count_alike(run, monkeypatch):
    from making import strategies

    monkeypatch.setattr(
        strategies.section_4_0, "target_accuracy", lambda _: pd.DataFrame([{"clips": "fold 1", "accuracy": 1}])
    )
    monkeypatch.setattr(strategies.unlearning, "unlearning", lambda _, __, sets: dict.fromkeys(sets))
    monkeypatch.setattr(strategies.unlearning, "unlearnt", lambda _: {"gap": 0.0})
    row = strategies.measure(run, "ast", 0)
    by_block = section_4_4.adjectives_by_block(run, ["ast"])
    assert row["adjectives"] == by_block["adjectives"].mean() > 0


def test_a_trend_over_one_block_or_of_equal_units_is_undefined():
    table = pd.DataFrame({"model": "ast", "block": [1, 1, 2, 2], "adjectives": [1, 2, 3, 4]})
    assert section_4_4.depth_trends(table).iloc[0, 1:].notna().all()
    for changed in ({"block": 1}, {"adjectives": 2}):
        found = section_4_4.depth_trends(table.assign(**changed)).iloc[0]
        assert found[["rho", "low", "high"]].isna().all() and found[["mean", "mean_low", "mean_high"]].notna().all()
    alone = section_4_4.depth_trends(table.iloc[:1]).iloc[0]
    assert alone["mean"] == 1 and alone[["mean_low", "mean_high", "rho", "low", "high"]].isna().all()


def test_adjectives_of_block_units_are_counted_by_block(run):
    by_block = section_4_4.adjectives_by_block(run, ["ast"])
    assert len(by_block) == 64 and set(by_block["block"]) == {1, 2}


def test_ties_count_who_holds_as_much_as_the_last_chosen(run):
    ties = section_4_4.ties(run).set_index("attribute")
    assert list(ties.index) == list(section_4_4.ATTRIBUTES[1:])
    assert (ties["tied"] >= 1)[ties["held by"] > 0].all() and ties["held by"].max() <= 64
    single = ties.loc[list(section_4_4.BASIC)]
    assert (single["tied"] == single["held by"]).all()


def test_words_and_frames_speak_of_the_runs_network(run):
    kept = section_4_4.frames(run)
    assert set(kept) == {"importance", "comparisons", "trends", "narrowing"}
    results = section_4_4.silenced(run, section_4_4.chosen_units(run))
    said = section_4_4.words(run, results, kept["importance"], kept["comparisons"], kept["trends"])
    whole = results.loc[results["attribute"] == "none", "correct"].iloc[0].mean()
    assert said["network"] == "ast" and said["before"] == f"{whole:.1%}"
    claims = kept["comparisons"].groupby("claim")["verdict"]
    assert said["f4c_single"] == statistics.together(claims.get_group("f4c_single")) and "beyond layers" not in said


def test_a_network_that_takes_long_is_tried_on_the_same_few_clips_of_every_class(run, tmp_path, monkeypatch):
    """One of two clips a class; what is kept of it answers for the page's own sets alone."""
    monkeypatch.setattr(paths, "results", lambda: tmp_path)
    monkeypatch.setattr(section_4_4, "PERCENT", (section_4_4.MATCHED_AT,))
    slow = run.using(profile=replace(run.profile, beside=1, slow=("ast",)))
    units = section_4_4.chosen_units(slow)
    every, few = section_4_4.silenced(run, units), section_4_4.silenced(slow, units)
    for whole, part in zip(every["correct"], few["correct"], strict=True):
        assert len(whole) == 6 and part.tolist() == whole[::2].tolist()
    assert section_4_4.curves(slow, few)["accuracy"].between(0, 1).all()
    assert not list(tmp_path.rglob("*.safetensors"))
    monkeypatch.setenv(kept.KEEP, "1")
    section_4_4.silenced(slow, units)
    monkeypatch.delenv(kept.KEEP)
    elsewhere = slow.using(store=Store(tmp_path / "empty cache"))
    monkeypatch.setattr("andlib.ablation.logits_of", lambda *_: pytest.fail("silenced again"))
    again = section_4_4.silenced(elsewhere, units)
    assert [row.tolist() for row in again["correct"]] == [row.tolist() for row in few["correct"]]
    with pytest.raises(pytest.fail.Exception):
        section_4_4.silenced(elsewhere, units.assign(units=[*units["units"][1:], units["units"][0]]))
