"""BEATs against golden values; its checkpoints in every form, and damaged, hostile or foreign ones."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import andlib as al
from andlib.errors import InputError
from andlib.networks import beats
from andlib.networks.beats import BEATs, Classifier
from andlib.networks.beats_files import SHARED, Config, layers, load_beats, read_checkpoint, save

GOLDEN = Path(__file__).parent / "golden" / "beats_small.safetensors"
SMALL = Config(16, 8, 2, 12, 24, 2, 16, 4, 32, 80)


@pytest.fixture(scope="module")
def golden():
    """Arrays of the golden file, and its settings."""
    with safe_open(GOLDEN, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()["config"])  # noqa: SIM118


def weights_of(arrays):
    return {name.removeprefix("model."): value for name, value in arrays.items() if name.startswith("model.")}


@pytest.fixture
def pretrained(golden, tmp_path):
    """A torch checkpoint of the public form, {"cfg", "model"}, with the golden network."""
    arrays, settings = golden
    path = tmp_path / "BEATs.pt"
    torch.save({"cfg": settings, "model": weights_of(arrays)}, path)
    return path


def classifier(classes=3, seed=0):
    return beats.make(SMALL, classes, seed).eval()


def saved(tmp_path, weights, settings=None):
    path = tmp_path / "fine_tuned.pt"
    torch.save({"cfg": settings or asdict(SMALL), "model": weights}, path)
    return path


def test_features_tokens_and_every_hidden_output_equal_the_golden_ones(golden, pretrained):
    arrays, _ = golden
    target = load_beats(pretrained)
    found = {}
    for i, layer in enumerate(target.module.encoder.layers):
        for name in ("fc1", "fc2"):
            key = f"layer{i}.{name}"
            getattr(layer, name).register_forward_hook(lambda m, a, out, key=key: found.__setitem__(key, out))
    with torch.no_grad():
        features = target.features(arrays["input.waveform"])
        tokens = target.module(features)
    torch.testing.assert_close(features, arrays["expect.fbank"], rtol=0, atol=1e-4)
    torch.testing.assert_close(tokens, arrays["expect.tokens"], rtol=0, atol=1e-4)
    assert len(found) == 4
    for key, value in found.items():  # the golden file has tokens before clips
        torch.testing.assert_close(value.transpose(0, 1), arrays[f"expect.hook.{key}"], rtol=0, atol=1e-4)


def test_relative_positions_fall_into_buckets_as_the_formula_says():
    distance = torch.tensor([[0, -1, -7, -8, -79, -80, -5000, 1, 7, 8, 79, 80, 5000]])
    # 32 buckets: 16 a direction, exact below 8, then 8 + floor(log(d / 8) / log(80 / 8) x 8), at most 15
    expected = [[0, 1, 7, 8, 15, 15, 15, 17, 23, 24, 31, 31, 31]]
    assert beats.bucket(distance, 32, 80).tolist() == expected


def test_full_size_has_the_paper_s_units():
    units = {layer.module: layer.units for layer in layers(Config(), 50)}
    assert sum(units.values()) == 46_130 and units["fc"] == 50
    with torch.device("meta"):
        modules = dict(Classifier(Config(), 50).named_modules())
    assert {name: modules[name].out_features for name in units} == units


def test_every_form_of_a_checkpoint_loads_to_the_same_network(tmp_path):
    network = classifier()
    save(tmp_path / "folder", SMALL, network.state_dict(), ["dog", "rain", "siren"])
    weights = network.state_dict()
    repeated = weights | {f"beats.{SHARED.replace('layers.0', 'layers.1')}": weights[f"beats.{SHARED}"]}
    own = {n.removeprefix("beats."): w for n, w in weights.items() if not n.startswith("fc.")}
    own |= {"predictor.weight": weights["fc.weight"], "predictor.bias": weights["fc.bias"]}
    save_file(weights, tmp_path / "one.safetensors", {"config": json.dumps(asdict(SMALL))})
    x = torch.randn(2, 48, 128, generator=torch.Generator().manual_seed(0))
    for path in (
        tmp_path / "folder",
        saved(tmp_path, repeated),
        tmp_path / "one.safetensors",
    ):
        target = load_beats(path, classes=["dog", "rain", "siren"])
        with torch.no_grad():
            torch.testing.assert_close(target.logits(x), network(x), rtol=0, atol=0)
    torch.save(weights, tmp_path / "bare.pt")  # sizes are then those of the shapes; one of them no shape tells
    assert asdict(read_checkpoint(tmp_path / "bare.pt")[0]) == {**asdict(SMALL), "max_distance": 800}
    with torch.no_grad():  # the public checkpoints' own classifier
        torch.testing.assert_close(load_beats(saved(tmp_path, own), classes=list("abc")).logits(x), network(x))


def test_what_trainers_put_around_a_checkpoint_is_taken_off(tmp_path):
    network = classifier()
    weights = network.state_dict()
    norm = {"weight_g": "parametrizations.weight.original0", "weight_v": "parametrizations.weight.original1"}
    later = {
        n.replace("weight_g", norm["weight_g"]).replace("weight_v", norm["weight_v"]): w for n, w in weights.items()
    }
    forms = {"a.pth": {f"module.{n}": w for n, w in weights.items()}, "b.bin": later, "c.PT": weights}
    forms["d.ckpt"] = {"epoch": 3, "state_dict": {f"model._orig_mod.{n}": w for n, w in weights.items()}}
    labels = {1: "rain", 0: "dog", 2: "siren"}
    for name, held in forms.items():
        torch.save({"cfg": asdict(SMALL), "model": held, "label_dict": labels}, tmp_path / name)
        target = al.load_target(tmp_path / name, classes=list("abc"))
        assert target.classes == ("dog", "rain", "siren")  # in the order of the outputs
        assert all(torch.equal(w, weights[n]) for n, w in target.module.state_dict().items())
    torch.save(
        {"cfg": asdict(SMALL), "model": weights, "label_dict": {i: f"/m/0{i}" for i in range(3)}}, tmp_path / "e.pt"
    )
    assert load_beats(tmp_path / "e.pt", classes=list("abc")).classes == ("a", "b", "c")
    assert load_beats(tmp_path / "e.pt").classes == ("/m/00", "/m/01", "/m/02")
    torch.save({"cfg": asdict(SMALL), "model": weights, "label_dict": {0: "dog", 5: "rain"}}, tmp_path / "f.pt")
    with pytest.raises(InputError, match="no list of names"):
        load_beats(tmp_path / "f.pt")


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_programs_and_graphs_are_sent_elsewhere(tmp_path):
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "a.pt"))
    with pytest.raises(InputError, match="a.pt is a TorchScript program, not weights. Load it with torch.jit.load"):
        al.load_target(tmp_path / "a.pt")
    for name in ("a.onnx", "a.TS", "a.tflite"):
        with pytest.raises(InputError, match="holds a graph, not weights. Load it with its own package"):
            al.load_target(tmp_path / name)


def test_half_precision_keeps_logits_close(tmp_path):
    network = classifier()
    save(tmp_path, SMALL, network.state_dict(), list("abc"), half=True)
    x = torch.randn(2, 48, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(load_beats(tmp_path).logits(x), network(x), rtol=0, atol=5e-3)


def test_an_untrained_twin_has_the_same_units_and_other_weights(pretrained):
    trained, untrained = load_beats(pretrained), load_beats(pretrained, untrained_seed=0)
    assert trained.layers == untrained.layers and trained.fingerprint != untrained.fingerprint
    random, again = untrained.module.state_dict(), load_beats(pretrained, untrained_seed=0).module.state_dict()
    assert all(torch.equal(again[name], value) for name, value in random.items())
    name = "encoder.layers.0.fc1.weight"
    assert not torch.equal(trained.module.state_dict()[name], random[name])


def without(weights, name):
    return {n: w for n, w in weights.items() if n != name}


FC1 = "beats.encoder.layers.1.fc1.weight"


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda w: without(w, FC1), f"lacks {FC1}"),
        (lambda w: w | {"beats.surprise": torch.zeros(1)}, "has not: beats.surprise"),
        (lambda w: w | {FC1: torch.zeros(3, 12)}, rf"{FC1} \(3, 12\) for \(24, 12\)"),
        (lambda w: w | {FC1: torch.full((24, 12), torch.nan)}, f"not finite in {FC1}"),
        (lambda w: w | {f"beats.layer{i}.weight": torch.zeros(2, 2) for i in range(5)}, "and 2 more"),
        (lambda w: {"layer.weight": torch.zeros(2, 2)}, "lacks patch_embedding.weight"),
    ],
)
def test_weights_that_do_not_fit_are_named(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        read_checkpoint(saved(tmp_path, change(classifier().state_dict())))


def test_another_architecture_is_refused(tmp_path):
    path = saved(tmp_path, classifier().state_dict(), {**asdict(SMALL), "layer_norm_first": True})
    with pytest.raises(InputError, match="expected.*layer_norm_first"):
        read_checkpoint(path)
    (tmp_path / "config.json").write_text('{"model_type": "wav2vec2"}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match="wav2vec2.*expected model_type 'beats'"):
        read_checkpoint(tmp_path)
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(InputError, match="expected a dictionary with 'cfg' and 'model'"):
        read_checkpoint(tmp_path / "list.pt")


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"encoder_layers": 10**12}, "does not fit its weights; theirs is {'encoder_layers': 2}"),
        ({"encoder_embed_dim": 10**9, "conv_pos": "wide"}, "'encoder_embed_dim': 12, 'conv_pos': 16"),
        ({"num_buckets": [32]}, "theirs is {'num_buckets': 32}"),
        ({"max_distance": 10**12}, "sizes of no BEATs network"),
        ({"max_distance": 8}, "farthest distance is more than a quarter of the buckets"),
        ({"max_distance": None}, "whole numbers from 1 to 4,096"),
        ({"classes": [1, 2, 3]}, "no list of names"),
    ],
)
def test_a_configuration_cannot_ask_for_more_than_its_weights_hold(tmp_path, changed, message):
    save(tmp_path / "folder", SMALL, classifier().state_dict(), list("abc"))
    settings = json.loads((tmp_path / "folder/config.json").read_text()) | changed
    (tmp_path / "folder/config.json").write_text(json.dumps(settings))
    for read in (
        lambda: load_beats(tmp_path / "folder"),
        lambda: load_beats(tmp_path / "folder", untrained_seed=0),
        lambda: read_checkpoint(saved(tmp_path, classifier().state_dict(), settings)),
    ):
        with pytest.raises(InputError, match=message):
            read()


@pytest.mark.parametrize("name, shape", [("fc.weight", (10**18, 0)), ("beats.patch_embedding.weight", (10**18, 0, 1))])
def test_weights_that_are_wide_and_empty_make_no_network(tmp_path, name, shape):
    save_file(classifier().state_dict() | {name: torch.empty(shape)}, tmp_path / "wide.safetensors")
    with pytest.raises(InputError, match="sizes of no BEATs network"):
        read_checkpoint(tmp_path / "wide.safetensors")


def test_blocks_without_number_are_refused_before_they_are_built(tmp_path):
    more = {f"beats.encoder.layers.{i}.x": torch.zeros(1) for i in range(5000)}
    save_file(classifier().state_dict() | more, tmp_path / "deep.safetensors")
    with pytest.raises(InputError, match="sizes of no BEATs network"):
        read_checkpoint(tmp_path / "deep.safetensors")


def test_weights_of_another_network_beside_a_configuration_are_named_when_they_are_needed(tmp_path):
    save(tmp_path, SMALL, without(classifier().state_dict(), FC1), list("abc"))
    for seed in (None, 0):
        target = load_beats(tmp_path, untrained_seed=seed)
        with pytest.raises(InputError, match=f"lacks {FC1}"):
            target.module  # noqa: B018


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, "null"])
def test_a_configuration_that_is_none_is_a_sentence(tmp_path, text):
    save(tmp_path, SMALL, classifier().state_dict(), list("abc"))
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match="config.json cannot be read"):
        load_beats(tmp_path)
    save_file(classifier().state_dict(), tmp_path / "one.safetensors", {"config": text})
    with pytest.raises(InputError, match="one.safetensors cannot be read"):
        load_beats(tmp_path / "one.safetensors")


@pytest.mark.parametrize(
    "held, message",
    [
        (3, "no BEATs checkpoint"),
        ({"cfg": 3, "model": {}}, "no BEATs checkpoint"),
        ({"cfg": {}, "model": 3}, "no BEATs checkpoint"),
        ({}, "lacks patch_embedding.weight"),
        ({"cfg": {}, "model": {"a": 3}}, "'a', which is no weight"),
        ({3: torch.zeros(1)}, "3, which is no weight"),
        ({"a": torch.zeros(1, dtype=torch.complex64)}, "'a', which is no weight"),  # its real part alone would be read
        ({"a": torch.zeros(2, 2).to_sparse()}, "'a', which is no weight"),
        ({"a": torch.zeros(2, 2, device="meta")}, "'a', which is no weight"),
    ],
)
def test_a_torch_file_of_another_form_is_a_sentence(tmp_path, held, message):
    torch.save(held, tmp_path / "other.pt")
    with pytest.raises(InputError, match=message):
        read_checkpoint(tmp_path / "other.pt")


def test_what_is_no_file_is_named_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.pt")
    (tmp_path / "b.safetensors").mkdir()
    (tmp_path / "c").mkdir()
    os.mkfifo(tmp_path / "c" / "config.json")
    for name in ("a.pt", "b.safetensors", "c"):
        with pytest.raises(InputError, match="is no file|lacks|cannot be read"):
            al.load_target(tmp_path / name)


def test_truncated_files_are_named(pretrained, tmp_path):
    pretrained.write_bytes(pretrained.read_bytes()[:5000])
    with pytest.raises(InputError, match="BEATs.pt cannot be read"):
        read_checkpoint(pretrained)
    save(tmp_path / "folder", SMALL, classifier().state_dict(), list("abc"))
    path = tmp_path / "folder" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="cannot be read as safetensors"):
        read_checkpoint(tmp_path / "folder")


class Hostile:
    """Its pickle touches a file when it is loaded the careless way."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_hostile_pickle_is_refused_and_never_run(tmp_path):
    bait, path = tmp_path / "bait", tmp_path / "hostile.pt"
    torch.save({"cfg": {}, "model": {}, "more": Hostile(bait)}, path)
    with pytest.raises(InputError, match="only running its code.*refused"):
        read_checkpoint(path)
    assert not bait.exists()
    torch.load(path, weights_only=False)
    assert bait.exists()  # the pickle would have worked


def test_class_names_must_fit_the_outputs(tmp_path):
    path = saved(tmp_path, classifier().state_dict())
    with pytest.raises(InputError, match="3 outputs but 2 class names"):
        load_beats(path, classes=["dog", "rain"])
    assert BEATs(SMALL).encoder.layers[1].self_attn is not None
