"""Units that are labelled with a class, and what silencing them does, on a small set with a tiny network."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import effects_of, tiny_run, tiny_target

from andlib import ablation, kept, paths, unlearning
from andlib.bench import Bench, bench
from andlib.errors import InputError
from andlib.mini.synthesis import synthesc

STRATEGIES = ("TAB", "DB", "OCP")
SETS = [{"block0.intermediate": np.array([3])}, {"block1.output": np.array([0, 2])}]
MEASURED = ("own", "margin", "correct", "own_before", "correct_before")  # of effects


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
    effects = unlearning.unlearning(run, "ast", unlearning.table4_sets(run, "ast"))
    assert set(effects) == {"random", *STRATEGIES}
    for result in effects.values():
        assert result.own_before.shape == (6,) and result.own.shape == (3, 6)
        empty = result.sizes == 0
        assert not result.own[empty].any() and not result.margin[empty].any()
        assert (result.correct[empty] == result.correct_before).all()


def test_matched_random_sets_take_as_many_units_of_every_layer(run):
    chosen = unlearning.strategy_sets(run, "ast")
    drawn, again, other = (unlearning.random_sets(run, "ast", chosen, seed) for seed in (0, 0, 1))
    assert str(drawn) == str(again) != str(other)
    for name, sets in chosen.items():
        for ours, random in zip(sets, drawn[f"random as {name}"], strict=True):
            assert {la: len(i) for la, i in ours.items()} == {la: len(i) for la, i in random.items()}


def test_equal_sets_are_silenced_once(run, monkeypatch):
    silenced, plain = [], ablation.logits_of
    monkeypatch.setattr(ablation, "logits_of", lambda *given: silenced.append(given[2]) or plain(*given))
    one, other = SETS
    logits = bench(run, "ast").logits([one, other, {**one}])
    assert len(silenced) == 2 and logits.shape == (3, 6, 3)
    np.testing.assert_array_equal(logits[0], logits[2])
    assert np.abs(logits[0] - logits[1]).max() > 0


def test_a_factor_scales_the_outputs_of_the_units(run):
    ours = bench(run, "ast")
    plain, one, half, none = (ours.logits([{}])[0], *(ours.logits(SETS[:1], factor)[0] for factor in (1.0, 0.5, 0.0)))
    np.testing.assert_array_equal(one, plain)
    assert np.abs(half - plain).max() > 0 and np.abs(half - none).max() > 0
    np.testing.assert_array_equal(none, ablation.logits_of(ours.network, ours.features, SETS[0]))


def test_scores_are_of_the_clips_classes_in_their_order(cache):
    """The network knows dog, rain and siren; clips of two of them alone are scored for these two."""
    part = tiny_run(cache).using(probing_set=synthesc(sources_per_fold=2, variants=1, classes=("rain", "siren")))
    ours = bench(part, "ast")
    assert ours.position == (1, 2) and ours.logits([{}]).shape == (1, 4, 2)
    everything = ablation.logits_of(ours.network, ours.features)
    np.testing.assert_array_equal(ours.logits([{}])[0], everything[:, [1, 2]])


@pytest.mark.parametrize("beside", [1, 2])
def test_a_slow_network_is_tried_on_its_class_and_few_clips_of_the_others(run, beside):
    """Two clips a class: with one of every other class, four of six are tried; with two, all."""
    whole = bench(run, "ast")
    few = replace(whole, beside=beside)
    sets = [SETS[0], {}, SETS[1]]
    every, some = whole.effects(sets), few.effects(sets)
    labels = whole.tested.labels
    rank = np.array([list(labels[:i]).count(label) for i, label in enumerate(labels)])
    tried = (rank < beside) | (labels == np.arange(3)[:, None])
    assert tried.sum() == {1: 12, 2: 18}[beside]
    assert (some.tried == tried).all()
    for name in MEASURED[:3]:
        np.testing.assert_allclose(getattr(some, name)[tried], getattr(every, name)[tried], atol=1e-5)
        values = np.where(tried, getattr(every, name), np.nan)
        means = [[np.nanmean(row[labels == label]) for label in range(3)] for row in values]
        np.testing.assert_allclose(some.by_class(getattr(some, name)), means, atol=1e-5)
        [once] = some.by_class(getattr(some, name), np.ones((1, 6)))
        np.testing.assert_allclose(once, means, atol=1e-5)
    row = unlearning.unlearnt(some)
    assert row["dA"] == pytest.approx(unlearning.unlearnt(every)["dA"], abs=1e-5)  # a class is tried on all its own


def test_what_strategies_did_is_kept_for_a_machine_that_has_not_computed_it(run, tmp_path, monkeypatch):
    """Kept are the strategies' own sets alone, and they are read where the clips' samples are another copy's."""
    monkeypatch.setattr(paths, "results", lambda: tmp_path / "results")
    sets = unlearning.strategy_sets(run, "ast")
    before = unlearning.unlearning(run, "ast", sets)
    assert not (tmp_path / "results").exists()
    monkeypatch.setenv(kept.KEEP, "1")
    unlearning.unlearning(run, "ast", sets | {"OCP": sets["DB"], "others": sets["DB"]})
    monkeypatch.delenv(kept.KEEP)
    files = list((tmp_path / "results/mini/stages/effects").glob("*.safetensors"))
    assert len(files) == 2  # TAB's and DB's
    other = run.using(probing_set=replace(run.probing_set, fingerprint="another copy"))
    monkeypatch.setattr(Bench, "logits", lambda *_: pytest.fail("silenced again"))
    monkeypatch.setattr(Bench, "on_tried", lambda *_: pytest.fail("silenced again"))
    again = unlearning.unlearning(
        other, "ast", {name: unlearning.strategy_sets(other, "ast")[name] for name in ("TAB", "DB")}
    )
    for name, effects in again.items():
        for field in MEASURED:
            np.testing.assert_array_equal(getattr(effects, field), getattr(before[name], field))
    with pytest.raises(pytest.fail.Exception):
        unlearning.unlearning(other, "ast", {"OCP": sets["OCP"]})
    with pytest.raises(pytest.fail.Exception):  # k decides the sets
        unlearning.unlearning(other.using(k=2), "ast", {"DB": sets["DB"]})


def test_a_bench_needs_fold_1_and_an_output_for_every_class(run):
    with pytest.raises(InputError, match="no fold 1 to measure on"):
        bench(run.using(probing_set=run.probing_set.in_folds((2, 3))), "ast")
    with pytest.raises(InputError, match="ast has no output for siren: nothing to unlearn"):
        bench(run, replace(tiny_target(), classes=("dog", "rain", "wind")))


# What one row of Table 4 says


def toy(diagonal, after=None, sources=(0, 1, 2, 3, 4, 5)):
    """Effects on six clips of three classes, one recording each: silencing a class changes its own clips' logits by
    `diagonal` [clips], and nobody else's."""
    labels = np.repeat(np.arange(3), 2)
    after = np.zeros((3, 6, 3)) if after is None else after
    after[labels, np.arange(6), labels] = diagonal
    before = np.zeros((6, 3))
    before[np.arange(6), labels] = 1
    return effects_of(before, after + before, labels, np.array(sources), np.full(3, 2))


def test_the_interval_of_sets_drawn_at_random_holds_the_draws():
    """Every draw has one value for all clips: a draw alone has no width, the draws together have all of theirs."""
    draws = [toy(np.full(6, -x)) for x in (0.0, 1.0, 2.0, 3.0)]
    one, many = unlearning.unlearnt(draws[3]), unlearning.unlearnt(*draws)
    assert one["gap_low"] == pytest.approx(3) and one["gap_high"] == pytest.approx(3)
    assert (many["gap_low"], many["gap"], many["gap_high"]) == pytest.approx((0, 1.5, 3))
    assert (many["accuracy_drop_low"], many["accuracy_drop_high"]) == pytest.approx((0, 1))
    noisy = [toy(rows) for rows in np.random.default_rng(1).standard_normal((4, 6))]
    width = [
        np.subtract(*(unlearning.unlearnt(*tries)[f"gap_{e}"] for e in ("high", "low"))) for tries in (noisy[:1], noisy)
    ]
    assert width[1] > width[0] > 0


def test_p_of_draws_is_that_of_their_mean_matrix():
    draws = [toy(np.full(6, -x)) for x in (1.0, 3.0)]
    mean = unlearning.unlearnt(toy(np.full(6, -2.0)))["p"]  # drawn by other random numbers
    assert unlearning.unlearnt(*draws)["p"] == pytest.approx(mean, abs=0.02)


def test_the_drop_of_accuracy_is_of_the_forgotten_classs_own_clips():
    """Of the clips of classes 0, 1, 2 both, one and none are lost: 3 of 6, each class the same weight."""
    row = unlearning.unlearnt(toy(np.array([-2, -2, -2, 0, 0, 0.0])))
    assert row["accuracy_drop"] == pytest.approx(0.5)
    assert row["accuracy_drop_low"] == pytest.approx(1 / 3) and row["accuracy_drop_high"] == pytest.approx(2 / 3)
    assert row["accuracy_before"] - row["accuracy_forgotten"] == pytest.approx(row["accuracy_drop"])


def test_a_class_of_one_recording_is_taken_to_vary_as_those_of_others_do():
    """dA is a mean of three classes; the recordings of two differ by 1, so that each has a variance of 1/8."""
    few = toy(np.arange(6.0), sources=(0, 1, 2, 3, 4, 4))
    drawn = unlearning.drawn_changes(few, [few.own], 4000, np.random.default_rng(0))[:, 0]
    assert drawn.mean() == pytest.approx(2.5, abs=0.03)
    assert drawn.std() == pytest.approx(np.sqrt((1 / 8 + 1 / 8 + 1 / 4) / 9), rel=0.05)
    row = unlearning.unlearnt(few)
    assert row["dA_low"] < row["dA"] == 2.5 < row["dA_high"]


def test_where_one_clip_of_other_classes_is_tried_these_classes_are_drawn():
    """Forty classes of two recordings each; a set is tried on its own class's and on the first of every other's."""
    rng, size = np.random.default_rng(0), 40
    labels, clips = np.repeat(np.arange(size), 2), np.arange(2 * size)
    others = np.tile(np.repeat(rng.standard_normal(size), 2), (size, 1))  # the change of a class, whichever is silenced
    own = np.where(labels == np.arange(size)[:, None], 5 + clips % 2, others)  # and of its own, 5 or 6
    tried = (labels == np.arange(size)[:, None]) | (clips % 2 == 0)
    zeros = np.zeros(2 * size)
    few = ablation.Effects(own, own, 0 * own, zeros, zeros, labels, clips, np.ones(size, int), tried)
    drawn = unlearning.drawn_changes(few, [few.own], 4000, np.random.default_rng(0))
    assert np.isfinite(drawn).all() and drawn.mean(0) == pytest.approx(
        [5.5, others[0].mean(), others[0].mean()], abs=0.02
    )
    assert drawn[:, 0].std() == pytest.approx(np.sqrt(1 / 8 / size), rel=0.05)
    assert drawn[:, 1].std() == pytest.approx(others[0].std() / np.sqrt(size), rel=0.05)
    counts = np.bincount([1, 1, 2], minlength=3)
    matrix = np.arange(9.0).reshape(3, 3)
    assert unlearning.changes(matrix, counts) == pytest.approx([4, np.mean([4 / 3, 5, 7]), (2 * 1 + 5) / 3])


def test_what_is_undefined_has_no_p_and_single_recordings_no_interval():
    after = np.zeros((3, 6, 3))
    row = unlearning.unlearnt(toy(np.full(6, -1.0), sources=(0, 0, 2, 2, 4, 4)))
    assert row["gap"] == 1 and row["p"] < 1
    assert np.isnan([row[f"{name}_{end}"] for name in ("dA", "gap", "accuracy_drop") for end in ("low", "high")]).all()
    after[0, 5, 2] = np.nan  # an effect that is no number
    row = unlearning.unlearnt(toy(np.full(6, -1.0), after))
    assert np.isnan([row["gap"], row["p"], row["gap_low"]]).all()
    whole = toy(np.full(6, -1.0))
    part = {name: getattr(whole, name)[..., :4] for name in MEASURED}
    without = replace(whole, **part, labels=whole.labels[:4])
    row = unlearning.unlearnt(replace(without, sources=whole.sources[:4]))  # class 2 has no clip
    assert np.isnan([row["gap"], row["p"], row["margin_p"], row["accuracy_drop"], row["gap_high"]]).all()
