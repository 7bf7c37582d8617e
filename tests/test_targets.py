"""AST as a target: its units and its input; how outputs become one number a clip and unit."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from conftest import CLASSES, tiny_folder, tiny_target

from andlib import frontend, load_target
from andlib.errors import InputError
from andlib.records import Unit
from andlib.targets import Layer, chosen_unit, pool


def test_units_are_every_output_of_three_layers_a_block_and_of_the_classifier():
    target = tiny_target()
    names = ["attention_output", "intermediate", "output"]
    assert [la.name for la in target.layers] == [f"block{i}.{n}" for i in (0, 1) for n in names] + ["classifier"]
    assert [la.units for la in target.layers] == [8, 16, 8, 8, 16, 8, 3]
    assert target.classes == CLASSES
    assert [la.name for la in target.layers if not la.hidden] == ["classifier"]


@pytest.fixture(scope="module")
def full_size(tmp_path_factory):
    """A folder with a random network of AST's full size, as `save_pretrained` writes it."""
    from transformers import ASTConfig, ASTForAudioClassification

    folder = tmp_path_factory.mktemp("full") / "ast-esc50"
    classes = {i: f"class_{i}" for i in range(50)}
    ASTForAudioClassification(ASTConfig(id2label=classes)).save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_a_full_size_network_from_a_local_folder_has_the_paper_s_units(full_size):
    target = load_target(full_size, seconds=5.0)
    assert sum(layer.units for layer in target.layers) == 55_346
    assert sum(layer.units for layer in target.layers if layer.hidden) == 55_296
    assert len(target.layers) == 37 and target.classes[7] == "class 7"
    wave = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 80_000)).astype(np.float32) * 0.1)
    with torch.no_grad():
        features = target.features(wave)
        assert features.shape == (1, 1024, 128)
        assert target.logits(features).shape == (1, 50)


def test_features_are_transformers_own(waves):
    """Padding comes before normalisation, as the public checkpoints were trained."""
    short = torch.from_numpy(waves[:, :6000])
    bands = frontend.log_mel(short, frontend.AST)
    features = tiny_target().features(short)
    mean, deviation = frontend.AST.mean, frontend.AST.deviation
    torch.testing.assert_close(features[:, : bands.shape[1]], (bands - mean) / (2 * deviation))
    assert bands.shape[1] < 48
    torch.testing.assert_close(
        features[:, bands.shape[1] :], torch.full((8, 48 - bands.shape[1], 128), -mean / (2 * deviation))
    )


def test_an_untrained_twin_has_the_same_units_and_other_weights():
    trained, twin = tiny_target(), load_target(tiny_folder(), seconds=0.5, untrained_seed=3)
    again = load_target(tiny_folder(), seconds=0.5, untrained_seed=3)
    assert twin.layers == trained.layers and twin.fingerprint != trained.fingerprint
    state = {name: weights for name, weights in twin.module.state_dict().items() if name.endswith("fc1.weight")}
    for name, weights in state.items():
        assert not torch.equal(weights, trained.module.state_dict()[name])
        assert torch.equal(weights, again.module.state_dict()[name])


def test_making_an_untrained_twin_leaves_global_randomness_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    _ = load_target(tiny_folder(), seconds=0.5, untrained_seed=3).module
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    "pooling,expected",
    [
        ("cls", lambda x: x[:, 0]),
        ("cls+distillation", lambda x: x[:, :2].mean(1)),
        ("mean", lambda x: x.mean(1)),
        ("max", lambda x: x[:, 2]),
    ],
)
def test_poolings(pooling, expected):
    output = torch.arange(24.0).reshape(2, 3, 4)
    layer = Layer("a", "a", 4, pooling)
    assert torch.equal(pool(output, layer), expected(output))
    assert torch.equal(pool((output.mT, "state"), replace(layer, axes=("clips", "channels", "time"))), expected(output))
    padded = torch.cat([output, output + 100], 1)
    assert torch.equal(pool(padded, replace(layer, own=3)), expected(output))


def test_sigmoids_of_scores_in_half_precision_stay_apart():
    scores = torch.tensor([[8.5, 9.0]], dtype=torch.float16)
    read = pool(scores, Layer("a", "a", 2, "none", ("clips", "channels"), "sigmoid"))
    torch.testing.assert_close(read, 1 / (1 + torch.exp(-scores.float())))
    assert scores.sigmoid().unique().numel() == 1 < read.unique().numel()


def test_a_layer_without_positions_is_not_pooled():
    output = torch.arange(8.0).reshape(2, 4)
    layer = Layer("classifier", "a", 4, "none", ("clips", "channels"))
    assert torch.equal(pool(output, layer), output) and layer.read(pooling="max") == layer


@pytest.mark.parametrize("output", [torch.zeros(2, 4), torch.zeros(2, 3, 5), {"hidden": torch.zeros(2, 3, 4)}])
def test_an_output_without_the_declared_axes_names_the_layer(output):
    with pytest.raises(InputError, match=r"Layer a gave a .*expected axes \('clips', 'tokens', 'channels'\) and 4 cha"):
        pool(output, Layer("a", "a", 4, "mean"))


@pytest.mark.parametrize(
    "pooling,axes,message",
    [
        ("none", ("clips", "tokens", "channels"), "Pooling 'none' does not fit layer a"),
        ("mean", ("clips", "channels"), "Pooling 'mean' does not fit layer a"),
        ("first", ("clips", "channels", "time", "mels"), "Pooling 'first' does not fit layer a"),
        ("mean", ("clips", "time", "mels"), "'clips' and 'channels' among"),
        ("mean", ("clips", "channels", "channels"), "expected different names"),
        ("median", ("clips", "tokens", "channels"), "Pooling 'median' is unknown"),
    ],
)
def test_a_reading_that_does_not_fit_the_axes_is_refused(pooling, axes, message):
    with pytest.raises(InputError, match=message):
        Layer("a", "a", 4, pooling, axes)


def test_another_reading_keeps_the_network_and_changes_the_keys():
    target = tiny_target()
    other = target.read(layers=["block0.output"], pooling="max", nonlinearity="relu")
    assert other.module is target.module and other.content == target.content
    assert other.module is target.module and other.fingerprint != target.fingerprint
    changed = [a.name for a, b in zip(target.layers, other.layers, strict=True) if a.fingerprint != b.fingerprint]
    assert changed == ["block0.output"]
    assert {layer.pooling for layer in target.read(pooling="first").layers} == {"first", "none"}
    with pytest.raises(InputError, match="no layer 'block0.outputs'"):
        target.read(layers=["block0.outputs"], pooling="max")


@pytest.mark.parametrize(
    "text,message",
    [
        ("block0.outptu/3", "no layer 'block0.outptu'.*Did you mean 'block0.output'"),
        ("block0.output/8", r"does not exist: block0.output has units 0 to 7"),
        ("block0.output", "not of the form"),
        ("block0.output/x", "not of the form"),
        ("other/block0.output/3", "Model 'other' is unknown"),
    ],
)
def test_units_that_do_not_exist_are_named(text, message):
    with pytest.raises(InputError, match=message):
        chosen_unit(tiny_target(), text)


def test_units_are_chosen_by_id_or_by_place():
    target = tiny_target()
    assert chosen_unit(target, "block1.intermediate/15") == Unit("ast", "block1.intermediate", 15)
    assert chosen_unit(target, "ast/classifier/2").id == "ast/classifier/2"
    assert chosen_unit(target, "").id == "ast/block0.output/7"


def test_every_field_of_a_layer_is_part_of_its_key():
    layer = Layer("a", "b", 4, "mean")
    changes = {
        "name": "c",
        "module": "c",
        "units": 5,
        "pooling": "max",
        "axes": ("clips", "time", "channels"),
        "nonlinearity": "relu",
        "readout": np.ones(4, np.float32),
        "own": 3,
        "channels": 6,
        "windows": 2,
    }
    assert {field.name for field in fields(layer)} == changes.keys()
    keys = [replace(layer, **{name: value}).fingerprint for name, value in changes.items()]
    other = replace(layer, readout=np.zeros(4, np.float32)).fingerprint
    assert len({layer.fingerprint, other, *keys}) == len(keys) + 2


def test_every_field_of_a_target_that_decides_a_result_is_part_of_its_key():
    target = tiny_target()
    changes = {
        "name": "other",
        "layers": target.layers[:2],
        "classes": ("a", "b", "c"),
        "sample_rate": 48_000,
        "seconds": 1.0,
        "content": "other",
    }
    # `content` covers what functions do; the grid only names places; a live network's behaviour is in `content`; device
    # and precision are in every key of the store by themselves
    others = {"features", "build", "grid", "live", "device", "precision"}
    assert {field.name for field in fields(target)} == changes.keys() | others
    keys = [replace(target, **{name: value}).fingerprint for name, value in changes.items()]
    assert len({target.fingerprint, *keys}) == len(keys) + 1


def test_some_layers_of_a_target_are_named():
    target = tiny_target()
    part = target.only(["block1.output", "block0.output"])
    assert [layer.name for layer in part.layers] == ["block1.output", "block0.output"]
    assert target.only([]) is target
    with pytest.raises(InputError, match="no layer 'block0.outputs'"):
        target.only(["block0.outputs"])
