"""Silencing units and the numbers of Table 4."""

import numpy as np
import oracles
import pytest
import torch
from conftest import effects_of, tiny_target

from andlib import ablation, statistics
from andlib.errors import InputError

RNG = np.random.default_rng(0)


def test_silenced_outputs_are_zero_at_every_token_and_the_rest_is_untouched(waves):
    target = tiny_target()
    features = target.features(torch.from_numpy(waves))
    layer = target.module.audio_spectrogram_transformer.layers[0].mlp.fc1
    seen = []
    with torch.no_grad():
        handle = layer.register_forward_hook(lambda m, i, output: seen.append(output.clone()))
        target.logits(features)
        handle.remove()
        with ablation.ablate(target, {"block0.intermediate": np.array([3, 5])}):
            handle = layer.register_forward_hook(lambda m, i, output: seen.append(output.clone()))
            target.logits(features)
            handle.remove()
    before, after = seen
    assert not after[..., [3, 5]].any()
    others = [i for i in range(16) if i not in (3, 5)]
    assert torch.equal(before[..., others], after[..., others])


def test_ablation_changes_what_zeroed_weights_change(waves):
    target, twin = tiny_target(), tiny_target()
    features = target.features(torch.from_numpy(waves))
    with torch.no_grad():
        twin.module.audio_spectrogram_transformer.layers[1].attention.o_proj.weight[2] = 0
        twin.module.audio_spectrogram_transformer.layers[1].attention.o_proj.bias[2] = 0
    silenced = ablation.logits_of(target, features, {"block1.attention_output": np.array([2])})
    np.testing.assert_allclose(silenced, ablation.logits_of(twin, features), atol=1e-6)
    assert np.abs(silenced - ablation.logits_of(target, features)).max() > 0


def test_the_network_is_restored_bit_for_bit_also_after_an_error(waves):
    target = tiny_target()
    features = target.features(torch.from_numpy(waves))
    before = ablation.logits_of(target, features)
    with pytest.raises(RuntimeError, match="stop"), ablation.ablate(target, {"block0.output": np.arange(8)}):
        raise RuntimeError("stop")
    np.testing.assert_array_equal(ablation.logits_of(target, features), before)


def test_an_unknown_layer_is_named_with_the_nearest():
    target = tiny_target()
    with (
        pytest.raises(InputError, match=r"no layer 'block0.outputs'.*Did you mean 'block0.output'"),
        ablation.ablate(target, {"block0.outputs": np.array([0])}),
    ):
        pass


def test_matched_random_sets_have_as_many_units_in_every_layer():
    units = {"a": np.array([1, 2, 3]), "b": np.array([0])}
    drawn = ablation.matched_random(units, {"a": 10, "b": 4}, RNG)
    assert {name: len(set(i.tolist())) for name, i in drawn.items()} == {"a": 3, "b": 1}
    assert all((i < w).all() for i, w in zip(drawn.values(), (10, 4), strict=True))


def test_random_units_are_drawn_from_all_layers_alike():
    widths = {"a": 100, "b": 300}
    drawn = [ablation.random_units(40, widths, RNG) for _ in range(200)]
    assert {ablation.size(d) for d in drawn} == {40}
    assert np.mean([len(d["b"]) for d in drawn]) == pytest.approx(30, abs=1)
    assert max(d["b"].max() for d in drawn) == 299 and min(d["a"].min() for d in drawn) == 0


def _effects(classes=4, clips_a_class=6):
    labels = np.repeat(np.arange(classes), clips_a_class)
    sources = np.array([f"s{i // 2}" for i in range(len(labels))])
    before = RNG.standard_normal((len(labels), classes))
    after = before + RNG.standard_normal((classes, len(labels), classes))
    return before, after, effects_of(before, after, labels, sources, np.ones(classes, int))


def test_by_class_is_the_mean_over_each_class_s_own_clips():
    before, after, e = _effects()
    matrix = e.by_class(e.own)
    for a in range(4):
        for c in range(4):
            own = e.labels == c
            assert matrix[a, c] == pytest.approx((after[a, own, c] - before[own, c]).mean())


def test_ablated_and_remaining_agree_with_the_oracle():
    matrix = RNG.standard_normal((5, 5))
    np.testing.assert_allclose(ablation.ablated_and_remaining(matrix), oracles.ablated_and_remaining(matrix))


def test_empty_classes_count_zero_on_average_and_can_be_left_out():
    matrix = np.zeros((3, 3))
    matrix[0, 0] = -3.0
    assert ablation.ablated_and_remaining(matrix)[0] == -1.0
    assert ablation.ablated_and_remaining(matrix, np.array([True, False, False]))[0] == -3.0
    assert np.isnan(ablation.ablated_and_remaining(matrix, np.zeros(3, bool))).all()


def test_a_class_without_clips_and_a_single_class_are_undefined():
    effects = effects_of(np.zeros((4, 3)), np.ones((3, 4, 3)), np.array([0, 0, 1, 1]), np.arange(4), np.ones(3, int))
    by_class = effects.by_class(effects.own)
    assert np.isnan(by_class[:, 2]).all() and (by_class[:, :2] == 1).all()
    own, remaining = ablation.ablated_and_remaining(np.array([[-1.0]]))
    assert own == -1 and np.isnan(remaining)


def test_margins_ignore_a_shift_of_all_logits():
    before, _, e = _effects()
    shifted = effects_of(before, np.stack([before - 7.0] * 4), e.labels, e.sources, e.sizes)
    np.testing.assert_allclose(shifted.margin, 0, atol=1e-12)
    np.testing.assert_allclose(shifted.own, -7.0)
    np.testing.assert_array_equal(shifted.correct[0], shifted.correct_before)


def test_bootstrap_draws_whole_sources_within_classes():
    _, _, e = _effects()
    weights = statistics.bootstrap_weights(e.labels, e.sources, 50, RNG)
    for label in range(4):
        np.testing.assert_array_equal(weights[:, e.labels == label].sum(1), 6)  # three sources of two clips
    for source in np.unique(e.sources):
        assert (np.ptp(weights[:, e.sources == source], axis=1) == 0).all()
    assert weights.std() > 0


def test_permutation_p_finds_a_diagonal_and_is_uniform_without_one():
    diagonal = RNG.standard_normal((6, 6)) * 0.1 - 5 * np.eye(6)
    assert statistics.permutation_p(diagonal, 999, RNG) < 0.01
    p = [statistics.permutation_p(RNG.standard_normal((6, 6)), 99, RNG) for _ in range(200)]
    assert 0.4 < np.mean(p) < 0.6
    assert min(p) >= 1 / 100


def test_scores_are_the_same_however_many_batches_run_side_by_side(monkeypatch):
    target = tiny_target()
    features = target.features(
        torch.from_numpy(np.random.default_rng(0).standard_normal((200, 8000)).astype(np.float32))
    )
    units = {"block0.intermediate": np.array([0, 5])}
    with torch.inference_mode(), ablation.ablate(target, units):
        expected = torch.cat([target.logits(batch) for batch in features.split(64)]).numpy()
    for cores in (1, 8):
        monkeypatch.setattr(ablation.os, "cpu_count", lambda cores=cores: cores)
        np.testing.assert_array_equal(ablation.logits_of(target, features, units), expected)
