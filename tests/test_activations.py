"""Recording, extremes and their edge cases."""

from dataclasses import replace
from functools import partial, reduce

import numpy as np
import oracles
import pytest
import torch
from conftest import tiny_target

from andlib import activations
from andlib.errors import InputError
from andlib.targets import pool


def test_highest_agrees_with_the_oracle_also_on_ties():
    rng = np.random.default_rng(0)
    u = rng.integers(0, 6, (40, 30)).astype(np.float32)  # many ties
    for k in (1, 5, 17, 40, 99):
        np.testing.assert_array_equal(activations.highest(u, k), oracles.highest(u, min(k, 40)))


@pytest.mark.parametrize("clips, k", [(1000, 7), (1003, 20), (1003, 600)])
def test_highest_of_many_clips_and_units_agrees_with_the_oracle(clips, k, monkeypatch):
    rng = np.random.default_rng(0)
    u = rng.standard_normal((clips, 40), dtype=np.float32)
    u[:, ::2] = np.maximum(u[:, ::2] - 2, 0)  # most clips share the lowest activation
    monkeypatch.setattr(activations, "SORTED", 16)
    np.testing.assert_array_equal(activations.highest(u, k), oracles.highest(u, k))


def test_a_dead_unit_takes_the_first_clips():
    assert activations.highest(np.zeros((9, 1), np.float32), 3)[:, 0].tolist() == [0, 1, 2]


def test_only_clips_above_the_commonest_value_describe_a_unit():
    u = np.zeros((40, 4), np.float32)
    u[[7, 30], 0] = 1, 2  # fires on two clips of 40
    u[:, 1] = np.arange(40)
    u[:, 2] = np.minimum(np.arange(40), 34)  # six clips share the highest value, which is then the commonest
    u[::3, 3] = np.arange(14) // 2  # values of two clips each, above a commonest of 26
    high, low = activations.choose(u, 5), activations.choose(-u, 5)
    assert [list(clips) for clips in high.clips] == [[30, 7], [39, 38, 37, 36, 35], [], [36, 39, 30, 33, 24]]
    assert high.tied.tolist() == [0, 0, 0, 1]  # the fifth clip of the last unit has an equal, which is not among them
    assert [list(clips) for clips in low.clips] == [[], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4], []]
    two = activations.choose(np.array([[0.0], [1.0], [1.0], [1.0], [0.0], [0.0], [0.0]]), 2)
    assert [list(clips) for clips in two.clips] == [[1, 2]] and two.tied.tolist() == [1]


def test_clips_that_describe_are_the_same_when_activations_are_streamed():
    rng = np.random.default_rng(0)
    u = np.round(np.maximum(rng.standard_normal((60, 200), dtype=np.float32) - rng.uniform(-3, 2.5, 200), 0), 1)
    u = u.astype(np.float32)
    parts = (activations.extremes(5, {"a": u[i : i + 7]}, i) for i in range(0, 60, 7))
    kept = reduce(partial(activations.merged, 5), parts)
    exact = (u == 0).mean(0)
    exact = (exact >= 0.5) | (exact == 0)  # else the commonest value may be one that is not kept
    for end, side in enumerate((u, -u)):
        whole = activations.choose(side, 5)
        streamed = activations.choose_kept({name.removeprefix("a/"): held for name, held in kept.items()}, end)
        equal = [np.array_equal(a, b) for a, b in zip(whole.clips, streamed.clips, strict=True)]
        assert exact.sum() > 80 and np.array(equal)[exact & (u.max(0) > 0)].all()
        assert (whole.tied == streamed.tied)[exact & (u.max(0) > 0)].all()
    assert any(len(clips) in (1, 2, 3) for clips in activations.choose(u, 5).clips)


def test_units_are_pooled_in_float32_whatever_the_network_s_precision():
    layer = replace(tiny_target().layers[0], units=16, pooling="mean")
    exact = torch.randn(40, 30, 16, generator=torch.Generator().manual_seed(0)).bfloat16()
    assert pool(exact, layer).dtype == torch.float32
    assert torch.equal(pool(exact, layer), exact.float().mean(1))
    assert not torch.equal(exact.mean(1).float().argsort(0), exact.float().mean(1).argsort(0))  # what it avoids


def test_recording_gives_what_the_network_gives(waves):
    target = tiny_target()
    recorded = activations.record(target, [waves[:3], waves[3:]], 8)
    with torch.no_grad():
        expected = [target.logits(target.features(torch.from_numpy(w))).numpy() for w in (waves[:3], waves[3:])]
    np.testing.assert_array_equal(recorded["classifier"], np.concatenate(expected))
    assert list(recorded) == [layer.name for layer in target.layers]
    assert {name: u.shape[1] for name, u in recorded.items()} == {la.name: la.units for la in target.layers}


def test_outputs_with_and_without_recording_are_equal(waves):
    target = tiny_target()
    features = target.features(torch.from_numpy(waves))
    with torch.no_grad():
        plain = target.logits(features)
        with activations.recording(target, lambda layer, values: None):
            recorded = target.logits(features)
    assert torch.equal(plain, recorded)


def test_ast_units_are_the_class_token_s(waves):
    target = tiny_target()
    seen = {}
    block = target.module.audio_spectrogram_transformer.layers[1]
    handle = block.mlp.fc1.register_forward_hook(lambda m, i, output: seen.update(output=output))
    recorded = activations.record(target, [waves], 8)
    handle.remove()
    np.testing.assert_array_equal(recorded["block1.intermediate"], seen["output"][:, 0].detach().numpy())


@pytest.mark.parametrize("cuts", [(1,), (7, 8, 20), (3, 6, 9, 12, 15, 18), (29,)])
def test_summaries_of_shards_merge_to_that_of_all(cuts):
    rng = np.random.default_rng(0)
    u = {"a": rng.integers(0, 4, (30, 50)).astype(np.float32), "b": rng.standard_normal((30, 9)).astype(np.float32)}
    firsts = [0, *cuts]
    parts = [
        activations.extremes(5, {name: full[first:end] for name, full in u.items()}, first)
        for first, end in zip(firsts, [*cuts, 30], strict=True)
    ]
    merge = partial(activations.merged, 5)
    from_left, from_right = reduce(merge, parts), reduce(lambda a, b: merge(b, a), reversed(parts))
    for total in (from_left, from_right):
        for name, full in u.items():
            assert np.array_equal(total[f"{name}/clips"][0], activations.highest(full, 5))  # ties among them
            assert np.array_equal(total[f"{name}/clips"][1], activations.highest(-full, 5))
            assert total[f"{name}/count"] == 30
            np.testing.assert_allclose(total[f"{name}/mean"], full.mean(0, dtype=float), atol=1e-12)
            np.testing.assert_allclose(total[f"{name}/squares"] / 30, full.var(0, dtype=float), atol=1e-12)


def test_values_that_are_not_finite_name_the_layer(waves):
    target = tiny_target()
    with torch.no_grad():
        target.module.audio_spectrogram_transformer.layers[0].mlp.fc1.bias[0] = float("nan")
    with pytest.raises(InputError, match="block0.intermediate .*not finite"):
        activations.record(target, [waves[:3], waves[3:]], 8)
