"""What a folder of weights must hold, for every kind of model that is read, and that its own code never runs."""

import io
import json
import shutil
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

import pytest
import torch
from conftest import tiny_folder
from safetensors.torch import load_file, save_file
from test_captioners import tiny_audio_folder
from test_clients import folder  # noqa: F401  a fixture: of a small language model
from test_encoders import clap_folder, clip_folder, forget, save_tokenizer  # noqa: F401  fixtures

from andlib.encoders import audio_text, embedded_folder, encode
from andlib.errors import InputError
from andlib.llms.captioners import AudioLLM
from andlib.llms.clients import TransformersLLM
from andlib.llms.llm import Sampling
from andlib.networks.checkpoints import load_target

# kind of model -> what reads a folder of it
READERS = {
    "target": lambda path: load_target(path, seconds=0.5).module,
    "language model": lambda path: list(TransformersLLM(path).answers([[{"role": "user", "content": "?"}]], ONE)),
    "audio language model": lambda path: list(AudioLLM(path).answers([], ONE)),
    "CLIP": lambda path: encode(["rain"], path),
    "CLAP": lambda path: audio_text(path).texts(["rain"]),
    "sentence encoder": lambda path: encode(["rain"], path),
}
ONE = Sampling(max_tokens=1)


@lru_cache
def tiny_sentence_folder() -> Path:
    """The embedded sentence encoder's folder with a network of two layers and eight channels, random weights."""
    from transformers import BertConfig, BertModel

    made = shutil.copytree(embedded_folder(), Path(tempfile.mkdtemp()) / "sentences")
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    BertModel(BertConfig.from_pretrained(made, **sizes)).save_pretrained(made)
    pooling = made / "1_Pooling/config.json"
    pooling.write_text(json.dumps(json.loads(pooling.read_text()) | {"word_embedding_dimension": 8}))
    return made


@pytest.fixture
def copies(folder, clip_folder, clap_folder, tmp_path):  # noqa: F811
    """kind of model -> a copy of a small folder of it."""
    sources = (tiny_folder(), folder, tiny_audio_folder(), clip_folder, clap_folder, tiny_sentence_folder())
    copies = {kind: tmp_path / kind for kind in READERS}
    return lambda kind: shutil.copytree(dict(zip(copies, sources, strict=True))[kind], copies[kind])


def without(weights, name):
    del weights[name]


def added(weights, name):
    """A block more than there is."""
    number = max(int(part) for n in weights for part in n.split(".") if part.isdigit())
    weights[name.replace(f".{number}.", f".{number + 1}.")] = weights[name].clone()


def endless(weights, name):
    weights[name].view(-1)[-1] = torch.nan


def longer(weights, name):
    weights[name] = torch.cat([weights[name], weights[name]])


CHANGES = {without: "lacks", added: "has, beyond what", endless: "has no finite numbers in", longer: "in another shape"}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", READERS)
def test_weights_that_are_not_those_of_the_model_are_refused_by_name(kind, change, copies):
    path = copies(kind) / "model.safetensors"
    READERS[kind](str(path.parent))
    weights = load_file(path)
    numbers = {int(part) for name in weights for part in name.split(".") if part.isdigit()}
    name = next(n for n in sorted(weights) if f".{max(numbers)}." in n and "norm" in n.lower() and n.endswith("weight"))
    forgotten()
    change(weights, name)
    save_file(weights, path, {"format": "pt"})
    with pytest.raises(InputError, match=CHANGES[change]) as refused:
        READERS[kind](str(path.parent))
    assert name.split(".")[-2] in str(refused.value) and "\n" not in str(refused.value)


def forgotten():
    from andlib import encoders

    for load in (encoders._load, encoders._transformers_clap):
        load.cache_clear()


CODE = "import pathlib\npathlib.Path({!r}).write_text('it ran')\n"
CLASSES = ("AutoConfig", "AutoModel", "AutoModelForCausalLM", "AutoModelForMultimodalLM", "AutoProcessor")
CLASSES += ("AutoTokenizer", "AutoFeatureExtractor", "AutoModelForAudioClassification")


@pytest.mark.parametrize("unknown", [False, True], ids=["a known architecture", "one of its own"])
@pytest.mark.parametrize("kind", READERS)
def test_a_folder_s_own_code_never_runs_whatever_is_answered(kind, unknown, copies, tmp_path, monkeypatch):
    folder, ran = copies(kind), tmp_path / "ran"  # noqa: F811
    (folder / "own.py").write_text(CODE.format(str(ran)) + "class Own:\n    pass\n")
    for name in ("config.json", "tokenizer_config.json", "preprocessor_config.json", "processor_config.json"):
        if (folder / name).is_file():
            settings = json.loads((folder / name).read_text()) | {"auto_map": dict.fromkeys(CLASSES, "own.Own")}
            settings |= {"model_type": "own"} if unknown and name == "config.json" else {}
            settings |= {"tokenizer_class": "Own"} if unknown and name.startswith("tokenizer") else {}
            (folder / name).write_text(json.dumps(settings))
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 20))
    if unknown or kind == "sentence encoder":  # whose package asks for code wherever a class is named
        with pytest.raises(InputError) as refused:
            READERS[kind](str(folder))
        assert "trust_remote_code" not in str(refused.value) and "\n" not in str(refused.value)
    else:
        READERS[kind](str(folder))
    assert not ran.exists()


def test_a_sentence_encoder_s_own_modules_never_run(copies, tmp_path):
    folder, ran = copies("sentence encoder"), tmp_path / "ran"  # noqa: F811
    (folder / "own.py").write_text(CODE.format(str(ran)) + "class Own:\n    pass\n")
    modules = json.loads((folder / "modules.json").read_text())
    for named in ("own.Own", "subprocess.Popen"):
        own = {"idx": len(modules), "name": str(len(modules)), "path": "", "type": named}
        (folder / "modules.json").write_text(json.dumps([*modules, own]))
        with pytest.raises(InputError) as refused:
            encode(["rain"], str(folder))
        assert "trust_remote_code" not in str(refused.value) and not ran.exists()


@pytest.mark.parametrize("settings", [{"std": 0}, {"std": -1.0}, {"std": None}, {"mean": float("nan")}, {"std": "x"}])
def test_a_normalisation_that_is_none_is_not_taken_for_the_usual_one(settings, copies):
    folder = copies("target")  # noqa: F811
    (folder / "preprocessor_config.json").write_text(json.dumps({"sampling_rate": 16_000, **settings}))
    with pytest.raises(InputError, match="describes no network that could be built"):
        load_target(folder, seconds=0.5)
