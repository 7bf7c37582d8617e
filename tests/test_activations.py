"""Recording, extremes and their edge cases."""

import numpy as np
import oracles
import pytest
import torch
from conftest import tiny_target

from andlib import activations
from andlib.errors import InputError


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


def test_a_dead_unit_takes_the_first_clips_and_is_reported():
    u = np.zeros((9, 2), np.float32)
    u[4, 1] = 1
    assert activations.highest(u, 3)[:, 0].tolist() == [0, 1, 2]
    assert activations.dead_units(u).tolist() == [True, False]


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


def test_streaming_extremes_are_those_of_the_full_matrix(waves):
    target = tiny_target()
    batches = [waves[i : i + 3] for i in range(0, 8, 3)]
    full = activations.record(target, batches, 8)
    kept = activations.record_extremes(target, iter(batches), 8, k=2)
    for name, u in full.items():
        np.testing.assert_array_equal(kept[f"{name}/clips"][0], activations.highest(u, 2))
        np.testing.assert_array_equal(kept[f"{name}/clips"][1], activations.highest(-u, 2))


def test_streaming_keeps_ties_as_the_full_matrix_does():
    u = np.random.default_rng(1).integers(0, 4, (50, 20)).astype(np.float32)
    kept = activations.extremes(3, {"layer": u[:7]})
    for first in range(7, 50, 7):
        kept = activations.merged(3, kept, activations.extremes(3, {"layer": u[first : first + 7]}, first))
        assert kept["layer/values"].shape[1] <= 3
    np.testing.assert_array_equal(kept["layer/clips"][0], activations.highest(u, 3))


def test_values_that_are_not_finite_name_the_layer(waves):
    target = tiny_target()
    with torch.no_grad():
        target.module.audio_spectrogram_transformer.layers[0].mlp.fc1.bias[0] = float("nan")
    with pytest.raises(InputError, match="block0.intermediate .*not finite"):
        activations.record(target, [waves[:3], waves[3:]], 8)
