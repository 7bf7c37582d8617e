"""Better unlearning: rules, ways of silencing, and what compares them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import effects_of, tiny_target

from andlib import ablation, unlearning
from andlib.bench import bench
from andlib.pages import better_unlearning
from andlib.pages.better_unlearning import WAYS


@pytest.fixture(autouse=True)
def fewer_draws(monkeypatch):
    """A thousand draws, which tell whether the arithmetic is right as well as ten thousand."""
    monkeypatch.setattr(better_unlearning, "DRAWS", 1000)


def test_every_rule_takes_as_many_units_of_every_layer_as_ocp(run):
    chosen = better_unlearning.choices(run, "ast")
    assert set(chosen) == set(better_unlearning.RULES)
    counts = [{layer: len(i) for layer, i in units.items()} for units in chosen["OCP"]]
    assert sum(sum(units.values()) for units in counts) > 0
    for sets in chosen.values():
        assert [{layer: len(np.unique(i)) for layer, i in units.items()} for units in sets] == counts


def test_selectivity_is_d_prime():
    rng = np.random.default_rng(0)
    u, member = rng.normal(size=(40, 3)), np.arange(40)[:, None] % 2 == np.arange(2)
    u[::2, 1] += 5
    scores = better_unlearning.selectivity(u, member)
    one, other = u[::2, 1], u[1::2, 1]
    assert scores[1, 0] == pytest.approx((one.mean() - other.mean()) / np.sqrt((one.var() + other.var()) / 2))
    assert scores[1, 0] == -scores[1, 1] == scores.max()


def test_a_clip_that_is_its_own_donor_is_left_as_it_is(waves):
    target, units = tiny_target(), {"block0.intermediate": np.array([3]), "block1.output": np.array([0, 2])}
    features = ablation.features_of(target, waves)
    plain = ablation.logits_of(target, features)
    for donors, distance in ((features, 0.0), (features.flip(0), 1e-6)):
        scores = better_unlearning._with(target, features, units, None, donors)
        changed = np.abs(scores - plain).max(1)
        assert changed.max() <= 1e-5 if not distance else changed.min() > distance
    zero = {layer: np.zeros(target.layer(layer).units, np.float32) for layer in units}
    silenced = better_unlearning._with(target, features, units, zero)
    np.testing.assert_array_equal(silenced, ablation.logits_of(target, features, units))


def test_ablate_puts_in_place_what_it_is_given(waves):
    target, units = tiny_target(), {"block0.output": np.array([1, 5])}
    features, seen = ablation.features_of(target, waves), {}
    module = target.module.get_submodule(target.layer("block0.output").module)
    with ablation.ablate(target, units, lambda layer, outputs: 2 * outputs):
        handle = module.register_forward_hook(lambda module, inputs, output: seen.update(doubled=output))
        target.logits(features)
        handle.remove()
    handle = module.register_forward_hook(lambda module, inputs, output: seen.update(plain=output))
    target.logits(features)
    handle.remove()
    expected = seen["plain"].clone()
    expected[..., [1, 5]] *= 2
    torch.testing.assert_close(seen["doubled"], expected)


@pytest.mark.parametrize("way", ["mean", "resample"])
def test_where_silencing_is_tried_on_some_clips_so_is_what_stands_in_its_place(run, way):
    """And gives there what it gives where all clips are tried."""
    sets = better_unlearning.choices(run, "ast")["labels"]
    fewer = run.using(profile=replace(run.profile, beside=1))
    every, some = (better_unlearning._replaced(bench(r, "ast"), way, sets) for r in (run, fewer))
    assert every.tried is None and 0 < some.tried.mean() < 1
    np.testing.assert_allclose(some.own[some.tried], every.own[some.tried], atol=1e-5)
    assert some.own[some.tried].any()
    np.testing.assert_array_equal(some.sizes, every.sizes)


def test_every_rule_and_way_has_a_row_beside_ocps(run):
    rows = better_unlearning.table(better_unlearning.effects(run, "ast"), np.eye(3)).set_index(["rule", "way"])
    assert list(rows.index) == [(rule, way) for way in WAYS for rule in better_unlearning.RULES]
    ocp = unlearning.unlearning(run, "ast", {"OCP": unlearning.strategy_sets(run, "ast")["OCP"]})["OCP"]
    assert rows.loc[("OCP", "zero"), "gap"] == pytest.approx(unlearning.unlearnt(ocp)["gap"])
    theirs = rows.index.get_level_values("rule") == "OCP"
    assert (rows.loc[theirs, "wider"] == 0).all() and rows.loc[theirs, "p"].isna().all()
    assert rows.loc[~theirs, "p"].between(2 / (better_unlearning.DRAWS + 1), 1).all()
    assert (rows["wider_low"] <= rows["wider"]).all() and (rows["wider"] <= rows["wider_high"]).all()


def test_a_wider_gap_is_told_from_one_that_is_not():
    """Two classes, ten sources each; one set lowers its own class by 2, OCP's by 1, with noise far below that."""
    rng = np.random.default_rng(0)
    labels, before = np.repeat([0, 1], 10), rng.normal(size=(20, 2))

    def effect(size):
        after = np.stack([before - size * (labels == c)[:, None] * (np.arange(2) == c) for c in range(2)])
        noise = rng.normal(scale=0.1, size=after.shape)
        return effects_of(before, after + noise, labels, np.arange(20).astype(str), np.array([1, 1]))

    changed = {("OCP", "zero"): effect(1), ("labels", "zero"): effect(2), ("random", "zero"): effect(1)}
    rows = better_unlearning.table(changed, np.eye(2)).set_index("rule")
    assert rows.loc["labels", "wider_low"] > 0.8 and rows.loc["labels", "p"] < 0.01
    assert rows.loc["random", "wider_low"] < 0 < rows.loc["random", "wider_high"]


def test_an_undefined_gap_is_not_told_from_ocps():
    """One class, or one source in each: no interval, and no p."""
    for classes, sources in ((1, 4), (2, 1)):
        labels = np.repeat(np.arange(classes), sources)
        after = np.random.default_rng(0).normal(size=(classes, len(labels), classes))
        before, ones = np.zeros((len(labels), classes)), np.ones(classes, int)
        effect = effects_of(before, after, labels, np.arange(len(labels)), ones)
        rows = better_unlearning.table({("OCP", "zero"): effect, ("labels", "zero"): effect}, np.eye(classes))
        assert rows[["gap_low", "gap_high", "wider_low", "wider_high", "p"]].isna().all(axis=None)


def test_spill_is_what_near_classes_lose_beyond_far_ones():
    nearness = np.eye(6)
    nearness[0, 1:4] = nearness[1, [0, 2, 3]] = 0.5
    changes = np.zeros((6, 6))
    changes[0, 1:4] = -3.0
    changes[0, 0] = -9.0  # the class itself counts on neither side
    assert better_unlearning.spill(changes, nearness) == pytest.approx(-0.5)


def test_words_count_clear_differences_of_the_runs_networks(run):
    columns = ["rule", "way", "gap", "wider", "p_holm", "forgotten", "spill"]
    wider = {"captions": (1.0, 0.01), "sounds": (-1.0, 0.01), "labels": (2.0, 0.5), "random": (0.5, 0.2)}
    rows = [
        (rule, way, 1.0, *wider.get(rule, (0.0, np.nan)), 0.5, 0.0) for rule in better_unlearning.RULES for way in WAYS
    ]
    said = better_unlearning.words(run, pd.DataFrame(rows, columns=columns).assign(model="ast"))
    assert said["captions_rule"] == "wider in 3, narrower in 0 of 3"
    assert said["sounds_rule"] == "wider in 0, narrower in 3 of 3"
    assert said["labels_rule"] == said["random_rule"] == "wider in 0, narrower in 0 of 3"
    assert said["best"] == "ast: captions, zero (+1.00)"
