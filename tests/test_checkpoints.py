"""Networks of Hugging Face: small random ones of every known architecture, loaded from folders; and damaged folders."""

import json
import shutil
from functools import lru_cache

import numpy as np
import pytest
import torch
import transformers
from conftest import tiny_folder
from safetensors.numpy import save
from safetensors.torch import load_file, save_file
from torch import nn

from andlib import load_target
from andlib.ablation import ablate
from andlib.activations import record
from andlib.errors import InputError
from andlib.networks.checkpoints import FAMILIES

SPEECH = {
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "conv_dim": (8, 8),
    "conv_stride": (10, 8),
    "conv_kernel": (20, 16),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
    "classifier_proj_size": 6,
    "id2label": {0: "dog", 1: "sea_waves", 2: "rain"},
}
WHISPER = {
    "d_model": 8,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 12,
    "decoder_ffn_dim": 8,
    "max_source_positions": 50,
    "vocab_size": 9,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
    "classifier_proj_size": 6,
    "id2label": {0: "dog", 1: "sea_waves", 2: "rain"},
}
CLAP = {
    "patch_embeds_hidden_size": 8,
    "depths": [1, 1],
    "num_attention_heads": [2, 2],
    "spec_size": 64,
    "num_mel_bins": 16,
    "window_size": 4,
    "hidden_size": 16,
}
TEXT = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8, "vocab_size": 20}
LINEAR = {  # whose rows make the units of attention_output, intermediate and output
    "wav2vec2": ("attention.out_proj", "feed_forward.intermediate_dense", "feed_forward.output_dense"),
    "whisper": ("self_attn.out_proj", "fc1", "fc2"),
    "clap": ("attention.output.dense", "intermediate.dense", "output.dense"),
    "audio-spectrogram-transformer": ("attention.o_proj", "mlp.fc1", "mlp.fc2"),
}
CASES = ("ASTModel", "ASTForAudioClassification", "Wav2Vec2Model", "Wav2Vec2ForSequenceClassification", "HubertModel")
CASES += ("WavLMModel", "WavLMForSequenceClassification", "WhisperModel", "WhisperForConditionalGeneration")
CASES += ("WhisperForAudioClassification", "ClapModel", "ClapAudioModel", "fused ClapModel")


def configuration(transformers, kind):
    if kind.startswith("AST"):
        return transformers.ASTConfig.from_pretrained(tiny_folder())
    if "Clap" in kind:
        audio = transformers.ClapAudioConfig(**CLAP, enable_fusion=kind.startswith("fused"))
        return transformers.ClapConfig(audio_config=audio.to_dict(), text_config=TEXT) if "ClapM" in kind else audio
    family = next(name for name in ("Wav2Vec2", "Hubert", "WavLM", "Whisper") if kind.startswith(name))
    return getattr(transformers, f"{family}Config")(**(WHISPER if family == "Whisper" else SPEECH))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Folder of a small random network of one class, as `save_pretrained` writes it, and the network."""
    import transformers

    @lru_cache
    def save(kind):
        folder = tmp_path_factory.mktemp("networks") / kind.replace(" ", "_")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = getattr(transformers, kind.split()[-1])(configuration(transformers, kind)).eval()
            for parameter in network.parameters():
                nn.init.normal_(parameter, std=0.3)  # their own start leaves some outputs 0
        network.save_pretrained(folder)
        if "Clap" in kind:
            transformers.ClapFeatureExtractor(
                feature_size=16,
                sampling_rate=16_000,
                max_length_s=1,
                hop_length=160,
                frequency_max=8_000,
                truncation="fusion" if kind.startswith("fused") else "rand_trunc",
            ).save_pretrained(folder)
        return folder, network

    return save


@pytest.mark.parametrize("kind", CASES)
def test_units_are_the_outputs_of_three_linear_layers_a_block(saved, waves, kind):
    folder, _ = saved(kind)
    target = load_target(folder, seconds=0.5)
    config = json.loads((folder / "config.json").read_text())
    classified = "Classification" in kind
    names = [f"block{i}.{name}" for i in (0, 1) for name in ("attention_output", "intermediate", "output")]
    assert [la.name for la in target.layers] == names + ["classifier"] * classified
    assert target.name == folder.name and len(target.classes) == 3 * classified
    plain = record(target, [waves], 8)
    linear = LINEAR.get(config["model_type"].split("_")[0], LINEAR["wav2vec2"])
    block = FAMILIES[config["model_type"]].blocks(config.get("audio_config", config))[1][0]
    prefix = f"{FAMILIES[config['model_type']].within}." if classified else ""
    for layer, path in zip(target.layers[3:6], linear, strict=True):
        module = target.module.get_submodule(f"{prefix}{block}.{path}")
        assert layer.units == module.out_features
        with torch.no_grad():
            module.weight[1] = module.bias[1] = 0
    u = record(target, [waves], 8)
    for layer in target.layers[3:6]:
        assert not u[layer.name][:, 1].any() and np.abs(u[layer.name]).max(0).astype(bool).sum() == layer.units - 1
        assert np.abs(plain[layer.name][:, 1]).max() > 1e-4


@pytest.mark.parametrize("kind", ["WavLMModel", "ClapModel", "WhisperModel", "Wav2Vec2ForSequenceClassification"])
def test_silencing_units_changes_what_zeroed_weights_change(saved, waves, kind):
    folder, _ = saved(kind)
    target, twin = load_target(folder, seconds=0.5), load_target(folder, seconds=0.5)
    config = json.loads((folder / "config.json").read_text())
    linear = LINEAR.get(config["model_type"], LINEAR["wav2vec2"])
    block = target.layers[0].module.removesuffix(FAMILIES[config["model_type"]].linear[0])
    with torch.no_grad():
        for path in linear[:2]:
            module = twin.module.get_submodule(f"{block}{path}")
            module.weight[3] = module.bias[3] = 0
    units = {"block0.attention_output": np.array([3]), "block0.intermediate": np.array([3])}
    plain = record(target, [waves], 8)["block1.output"]
    with ablate(target, units):
        silenced = record(target, [waves], 8)["block1.output"]
    np.testing.assert_allclose(silenced, record(twin, [waves], 8)["block1.output"], atol=1e-5)
    assert np.abs(silenced - plain).max() > 1e-3


@pytest.mark.parametrize("kind", ["ASTForAudioClassification", "HubertModel", "WhisperForConditionalGeneration"])
def test_the_loaded_network_gives_what_the_saved_one_gave(saved, waves, kind):
    folder, network = saved(kind)
    target = load_target(folder, seconds=0.5)
    x = target.features(torch.from_numpy(waves))
    with torch.no_grad():
        ours = target.forward(x)
        theirs = network.get_encoder()(x) if "Whisper" in kind else network(x)
    torch.testing.assert_close(ours[0], theirs[0])
    if "AST" in kind:
        assert torch.equal(target.logits(x), theirs.logits)


@pytest.mark.parametrize("settings", [{"do_normalize": True}, {"do_normalize": False}, None])
def test_wav2vec2_hears_what_its_own_extractor_makes(saved, waves, settings):
    from transformers import Wav2Vec2FeatureExtractor

    folder, _ = saved("Wav2Vec2Model")
    stated = folder / "preprocessor_config.json"
    stated.unlink(missing_ok=True)
    silent = load_target(folder, seconds=0.5)
    extractor = Wav2Vec2FeatureExtractor(**(settings or {}))
    if settings:
        extractor.save_pretrained(folder)
    target = load_target(folder, seconds=0.5)
    expected = extractor(list(waves), sampling_rate=16_000, return_tensors="pt").input_values
    assert torch.equal(target.features(torch.from_numpy(waves)), expected)
    assert (target.fingerprint != silent.fingerprint) == bool(settings)
    stated.unlink(missing_ok=True)


def test_whisper_hears_what_its_own_extractor_makes_and_its_padding_is_not_pooled(saved, waves):
    from transformers import WhisperFeatureExtractor

    folder, _ = saved("WhisperModel")
    target = load_target(folder, seconds=0.5)
    extractor = WhisperFeatureExtractor(chunk_length=1)
    x = target.features(torch.from_numpy(waves))
    assert torch.equal(x, extractor(list(waves), sampling_rate=16_000, return_tensors="pt").input_features)
    seen = []
    target.module.layers[1].fc2.register_forward_hook(lambda module, inputs, output: seen.append(output))
    u = record(target, [waves], 8)["block1.output"]
    assert seen[0].shape == (8, 50, 8)
    np.testing.assert_allclose(u, seen[0][:, :25].mean(1), atol=1e-6)


def test_fused_clap_hears_every_clip_as_one_that_fits_its_window(saved, waves):
    from transformers import ClapFeatureExtractor

    folder, network = saved("fused ClapModel")
    target = load_target(folder, seconds=0.5)
    x = target.features(torch.from_numpy(waves))
    made = ClapFeatureExtractor.from_pretrained(folder)(list(waves), sampling_rate=16_000, return_tensors="pt")
    assert torch.equal(x, made["input_features"].float())
    with torch.no_grad():
        expected = network.audio_model(x, is_longer=torch.zeros(8, 1, dtype=torch.bool)).pooler_output
        torch.testing.assert_close(target.forward(x).pooler_output, expected)


@pytest.mark.filterwarnings("ignore:At least one mel filter has all zero values")  # Kaldi's bank, too, has one
@pytest.mark.parametrize("settings", [{}, {"mean": -6.0, "std": 3.0}, {"do_normalize": False}])
def test_ast_hears_what_its_own_extractor_makes(saved, waves, settings):
    try:
        from transformers import ASTFeatureExtractor
    except (ImportError, OSError) as error:
        pytest.skip(f"transformers' extractor needs torchaudio here: {error}")
    folder, _ = saved("ASTModel")
    extractor = ASTFeatureExtractor(max_length=48, **settings)
    extractor.save_pretrained(folder)
    ours = load_target(folder, seconds=0.5).features(torch.from_numpy(waves))
    theirs = extractor(list(waves), sampling_rate=16_000, return_tensors="pt").input_values
    (folder / "preprocessor_config.json").unlink()
    # bands far below a frame's strongest differ in single precision
    assert (ours - theirs).abs().median() < 1e-4 and (ours - theirs).abs().max() < 0.1


def test_sampling_rate_names_pooling_and_length_are_the_model_s_or_the_caller_s(saved):
    assert load_target(saved("ClapModel")[0]).seconds == 1.0
    folder, _ = saved("Wav2Vec2ForSequenceClassification")
    target = load_target(folder, name="mine", classes=("a", "b", "c"), pooling="max")
    assert (target.name, target.seconds, target.sample_rate, target.classes) == ("mine", 10.0, 16_000, ("a", "b", "c"))
    assert {la.pooling for la in target.layers} == {"max", "none"}
    assert load_target(folder).classes == ("dog", "sea waves", "rain")
    (folder / "processor_config.json").write_text(json.dumps({"feature_extractor": {"sampling_rate": 8_000}}))
    assert load_target(folder).sample_rate == 8_000
    (folder / "processor_config.json").unlink()


def test_an_untrained_twin_has_other_weights_of_the_same_shape(saved):
    folder, _ = saved("WhisperModel")
    trained, twin, again = (load_target(folder, untrained_seed=seed) for seed in (None, 3, 3))
    assert twin.layers == trained.layers and len({trained.fingerprint, twin.fingerprint}) == 2
    weights = [target.module.layers[0].fc1.weight for target in (trained, twin, again)]
    assert not torch.equal(weights[0], weights[1]) and torch.equal(weights[1], weights[2])


def test_what_the_network_cannot_take_is_refused(saved):
    with pytest.raises(InputError, match="takes clips of at most 1 s, not 2 s"):
        load_target(saved("WhisperModel")[0], seconds=2.0)
    with pytest.raises(InputError, match="classifier of 3 classes, but 2 names were given"):
        load_target(saved("Wav2Vec2ForSequenceClassification")[0], classes=("a", "b"))


def folder_with(tmp_path, config, weights=b""):
    (tmp_path / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(weights)
    return tmp_path


def test_another_architecture_lists_the_known_ones(saved, tmp_path):
    weights = (saved("HubertModel")[0] / "model.safetensors").read_bytes()
    folder = folder_with(tmp_path, {"model_type": "encodec"}, weights)
    with pytest.raises(InputError, match="'encodec' network; known are audio.*, beats.*give it to andlib.wrap"):
        load_target(folder)


def test_damaged_files_are_named(saved, tmp_path):
    weights = (saved("HubertModel")[0] / "model.safetensors").read_bytes()
    with pytest.raises(InputError, match="model.safetensors is damaged"):
        load_target(folder_with(tmp_path, {"model_type": "hubert"}, weights[:-5]))
    with pytest.raises(InputError, match=r"config.json cannot be read as JSON"):
        load_target(folder_with(tmp_path, '{"model_type": ', weights))


class Hostile:
    """Its pickle makes a file when it is loaded the careless way."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_pickled_weights_are_read_as_weights_alone(tmp_path, waves):
    folder = shutil.copytree(tiny_folder(), tmp_path / "whole")
    whole = record(load_target(folder, seconds=0.5), [waves], 8)
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    pickled = record(load_target(folder, seconds=0.5), [waves], 8)
    assert all(np.array_equal(whole[name], pickled[name]) for name in whole)
    torch.save({**weights, "more": Hostile(tmp_path / "bait")}, folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="objects that only running its code could make, so it is refused"):
        record(load_target(folder, seconds=0.5), [waves], 8)
    assert not (tmp_path / "bait").exists()
    (folder / "pytorch_model.bin").write_bytes(b"none")
    with pytest.raises(InputError, match="so it is refused"):
        record(load_target(folder, seconds=0.5), [waves], 8)


def test_shards_and_names_of_parallel_training_give_the_same_network(tmp_path, waves):
    folder = shutil.copytree(tiny_folder(), tmp_path / "shards")
    whole = load_target(folder, seconds=0.5)
    theirs = record(whole, [waves], 8)
    weights, numbers = load_file(folder / "model.safetensors"), {}
    (folder / "model.safetensors").unlink()
    for number in (0, 1):
        name = f"model-0000{number + 1}-of-00002.safetensors"
        part = {f"module.{key}": weights[key] for key in sorted(weights)[number::2]}
        save_file(part, folder / name, metadata={"format": "pt"})
        numbers |= dict.fromkeys(part, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": numbers}))
    target = load_target(folder, seconds=0.5)
    assert target.classes == whole.classes and target.fingerprint != whole.fingerprint
    ours = record(target, [waves], 8)
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)
    (folder / name).unlink()
    with pytest.raises(InputError, match="lacks model-00002-of-00002.safetensors"):
        load_target(folder, seconds=0.5)


@pytest.mark.parametrize("named", [["Mine"], None, [], ["ASTForAudioClassification"]])
def test_a_classifier_is_known_by_its_weights_where_its_class_is_not(tmp_path, named):
    folder = shutil.copytree(tiny_folder(), tmp_path / "net")
    config = {**json.loads((folder / "config.json").read_text()), "architectures": named}
    (folder / "config.json").write_text(json.dumps(config))
    target = load_target(folder, seconds=0.5)
    assert target.layers[-1].name == "classifier" and len(target.classes) == 3


@pytest.mark.filterwarnings("ignore:At least one mel filter has all zero values")
@pytest.mark.parametrize("rate, mels", [(22_050, 128), (8_000, 128), (16_000, 64)])
def test_an_ast_of_another_rate_or_other_bands_hears_what_transformers_gives_it(tmp_path, rate, mels):
    settings = transformers.ASTConfig.from_pretrained(tiny_folder()).to_dict() | {"num_mel_bins": mels}
    transformers.ASTForAudioClassification(transformers.ASTConfig(**settings)).save_pretrained(tmp_path)
    extractor = transformers.ASTFeatureExtractor(sampling_rate=rate, num_mel_bins=mels, max_length=48)
    extractor.save_pretrained(tmp_path)
    target = load_target(tmp_path, seconds=0.5)
    heard = 0.1 * np.random.default_rng(0).standard_normal((2, rate // 2)).astype(np.float32)
    expected = extractor(list(heard), sampling_rate=rate, return_tensors="pt").input_values
    assert target.sample_rate == rate and target.grid is None
    assert torch.equal(target.features(torch.from_numpy(heard)), expected)
    assert np.isfinite(record(target, [heard], 2)["classifier"]).all()


@pytest.mark.parametrize(
    "changed",
    [
        {"num_attention_heads": 0},
        {"hidden_act": "none such"},
        {"time_stride": 0},
        {"frequency_stride": -1},
        {"max_length": 0},
        {"num_mel_bins": 0},
        {"layer_norm_eps": "x"},
        {"hidden_dropout_prob": 2},
        {"max_length": 10**9},
        {"intermediate_size": 10**9},
        {"hidden_size": 10**7},
        {"id2label": ["a"]},
    ],
    ids=lambda changed: "_".join(map(str, *changed.items())),
)
def test_a_configuration_out_of_range_is_a_sentence_and_asks_for_no_memory(tmp_path, waves, changed):
    folder = shutil.copytree(tiny_folder(), tmp_path / "net")
    config = {**json.loads((folder / "config.json").read_text()), **changed}
    (folder / "config.json").write_text(json.dumps(config))
    refusal = "describes (no network that could be|[0-9,]+ weights, more)|is no whole AST|net failed on clips 0 to 7"
    if max(value if isinstance(value, int) else 0 for value in changed.values()) > 10**6:
        refusal = "describes [0-9,]+ weights, more than its files hold"
    for seed in (None, 0):
        with pytest.raises(InputError, match=refusal):
            record(load_target(folder, seconds=0.5, untrained_seed=seed), [waves], 8)


def test_a_file_that_asks_for_more_than_it_holds_is_damaged(tmp_path):
    folder = shutil.copytree(tiny_folder(), tmp_path / "net")
    about = json.dumps({"w": {"dtype": "F32", "shape": [200_000] * 2, "data_offsets": [0, 160_000_000_000]}}).encode()
    (folder / "model.safetensors").write_bytes(len(about).to_bytes(8, "little") + about)
    with pytest.raises(InputError, match="model.safetensors is damaged"):
        load_target(folder)


@pytest.mark.parametrize("seconds", [-1, "2", 0, 0.001, float("nan"), float("inf"), 1e9, True])
def test_the_length_of_clips_is_a_number_within_reason(seconds):
    with pytest.raises(InputError, match="seconds is .*; expected the length of clips, from 0.025 to 600"):
        load_target(tiny_folder(), seconds=seconds)


def test_locations_that_are_none_are_sentences(tmp_path):
    for location in ("a" * 5000, "a\0b", "", "."):
        with pytest.raises(InputError, match="neither a local folder|lacks config.json"):
            load_target(location)
    (tmp_path / "config.json").write_text('{"model_type": "whisper"}')
    (tmp_path / "model.bin").write_bytes(b"\6\0\0\0\14\0WhisperSpec\0")
    with pytest.raises(InputError, match="lacks model.safetensors. Load it with its own package"):
        load_target(tmp_path)


@pytest.mark.parametrize("change", [{"num_hidden_layers": 3}, {"intermediate_size": 20}])
def test_weights_that_do_not_fit_the_configuration_are_never_made_up(saved, tmp_path, waves, change):
    source, _ = saved("HubertModel")
    config = {**json.loads((source / "config.json").read_text()), **change}
    target = load_target(folder_with(tmp_path, config, (source / "model.safetensors").read_bytes()), seconds=0.5)
    with pytest.raises(InputError, match="is no whole HubertModel: it (lacks|has, in another shape,) encoder.layers"):
        record(target, [waves], 8)


@pytest.mark.parametrize("blocks", [0, False, -1, 10**12])
def test_no_blocks_or_too_many_are_no_network(saved, tmp_path, blocks):
    source, _ = saved("HubertModel")
    config = {**json.loads((source / "config.json").read_text()), "num_hidden_layers": blocks}
    with pytest.raises(InputError, match="describes no network that could be built .* blocks"):
        load_target(folder_with(tmp_path, config, (source / "model.safetensors").read_bytes()), seconds=0.5)


def test_a_network_of_no_layers_is_none(tmp_path):
    config = {"model_type": "clap_audio_model", "patch_embeds_hidden_size": 8, "depths": [], "mlp_ratio": 4.0}
    folder = folder_with(tmp_path, {**config, "num_mel_bins": 64}, save({"weight": np.zeros(1)}))
    with pytest.raises(InputError, match="0 is no sampling rate, or number of layers or units"):
        load_target(folder)


def test_a_folder_without_a_network_is_named(tmp_path):
    with pytest.raises(InputError, match="lacks config.json"):
        load_target(tmp_path, seconds=1.0)


def test_a_hub_id_that_cannot_be_had_says_so(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match="neither a local folder nor a model that the hub could give"):
        load_target("nobody/no-such-network", seconds=1.0)
