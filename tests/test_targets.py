"""AST as a target: its units, its input contract, and folders that hold something else."""

import json

import numpy as np
import pytest
import torch
from conftest import CLASSES, tiny_folder, tiny_target

from andlib import frontend
from andlib.errors import InputError
from andlib.records import Unit
from andlib.targets import chosen_unit, load_ast, pool


def test_units_are_every_output_of_three_layers_a_block_and_of_the_classifier():
    target = tiny_target()
    names = ["attention_output", "intermediate", "output"]
    assert [la.name for la in target.layers] == [f"block{i}.{n}" for i in (0, 1) for n in names] + ["classifier"]
    assert [la.units for la in target.layers] == [8, 16, 8, 8, 16, 8, 3]
    assert target.classes == CLASSES
    assert [la.name for la in target.layers if not la.in_block] == ["classifier"]


@pytest.fixture(scope="module")
def full_size(tmp_path_factory):
    """A folder with a random network of AST's full size, as `save_pretrained` writes it."""
    from transformers import ASTConfig, ASTForAudioClassification

    folder = tmp_path_factory.mktemp("full") / "ast-esc50"
    classes = {i: f"class_{i}" for i in range(50)}
    ASTForAudioClassification(ASTConfig(id2label=classes)).save_pretrained(folder)
    return folder


def test_a_full_size_network_from_a_local_folder_has_the_paper_s_units(full_size):
    target = load_ast(full_size, seconds=5.0)
    assert sum(layer.units for layer in target.layers) == 55_346
    assert sum(layer.units for layer in target.layers if layer.in_block) == 55_296
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
    trained, twin = tiny_target(), load_ast(tiny_folder(), seconds=0.5, untrained_seed=3)
    again = load_ast(tiny_folder(), seconds=0.5, untrained_seed=3)
    assert twin.layers == trained.layers and twin.fingerprint != trained.fingerprint
    state = {name: weights for name, weights in twin.module.state_dict().items() if name.endswith("fc1.weight")}
    for name, weights in state.items():
        assert not torch.equal(weights, trained.module.state_dict()[name])
        assert torch.equal(weights, again.module.state_dict()[name])


def test_making_an_untrained_twin_leaves_global_randomness_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    _ = load_ast(tiny_folder(), seconds=0.5, untrained_seed=3).module
    assert torch.equal(torch.rand(3), expected)


def test_poolings():
    output = torch.arange(24.0).reshape(2, 3, 4)
    assert torch.equal(pool(output, "cls"), output[:, 0])
    assert torch.equal(pool(output, "cls+distillation"), output[:, :2].mean(1))
    assert torch.equal(pool(output, "mean"), output.mean(1))
    assert torch.equal(pool(output, "max"), output[:, 2])
    assert torch.equal(pool(output[:, 0], "none"), output[:, 0])


@pytest.mark.parametrize("output,pooling", [(torch.zeros(2, 3), "cls"), (torch.zeros(2, 3, 4), "none")])
def test_a_pooling_that_does_not_fit_is_refused(output, pooling):
    with pytest.raises(InputError, match="does not fit an output of shape"):
        pool(output, pooling)


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


def test_a_folder_without_a_network_is_named(tmp_path):
    with pytest.raises(InputError, match="lacks config.json"):
        load_ast(tmp_path, seconds=1.0)


def test_another_network_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "wav2vec2"}))
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match="'wav2vec2' network; expected an AST classifier"):
        load_ast(tmp_path, seconds=1.0)


def test_a_hub_id_that_cannot_be_had_says_so(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match="neither a local folder nor a model that the hub could give"):
        load_ast("nobody/no-such-network", seconds=1.0)
