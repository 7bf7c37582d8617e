"""Target networks F: what a target declares, and AST as one."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from andlib.errors import InputError, check_choice, suggest
from andlib.records import Unit

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor, nn

POOLINGS = {
    "cls": "the first token",
    "first": "the first token",
    "cls+distillation": "the mean of the first two tokens",
    "mean": "the mean over tokens",
    "max": "the largest token",
    "none": "the layer gives one vector a clip",
}
BLOCK_LAYERS = {"attention_output": "attention.o_proj", "intermediate": "mlp.fc1", "output": "mlp.fc2"}


@dataclass(frozen=True)
class Layer:
    """One linear layer whose outputs are units.

    name: `block0.intermediate`. module: its dotted path in the network. units: number of outputs.
    pooling: how its (tokens, channels) output becomes one number a clip, a key of POOLINGS.
    """

    name: str
    module: str
    units: int
    pooling: str

    @property
    def in_block(self) -> bool:
        """Whether its units are candidates for ablation: those of blocks are, the classifier's are not."""
        return self.name.startswith("block")


@dataclass(frozen=True)
class Target:
    """A target network F and everything about it that decides a result.

    sample_rate (Hz) and seconds: the waveforms it takes; shorter ones are zero-padded at the end, longer cropped.
    features: waveforms [clips, samples] -> the network's input. build: makes the network, in evaluation mode.
    classes: names of the outputs of the layer `classifier`. fingerprint: sha256 of configuration and weights.
    """

    name: str
    layers: tuple[Layer, ...]
    classes: tuple[str, ...]
    sample_rate: int
    seconds: float
    features: "Callable[[Tensor], Tensor]"
    build: "Callable[[], nn.Module]"
    fingerprint: str

    @cached_property
    def module(self) -> "nn.Module":
        """The network, loaded when first asked for."""
        return self.build().eval()

    def layer(self, name: str) -> Layer:
        """The layer of that name; raises InputError with the nearest names."""
        layers = {layer.name: layer for layer in self.layers}
        if name not in layers:
            raise InputError(f"{self.name} has no layer {name!r}. {suggest(name, layers)}")
        return layers[name]

    def check(self, unit: Unit) -> Unit:
        """`unit` if the target has it; raises InputError otherwise."""
        check_choice("Model", unit.model, [self.name])
        layer = self.layer(unit.layer)
        if unit.index >= layer.units:
            raise InputError(f"Unit {unit.id} does not exist: {layer.name} has units 0 to {layer.units - 1}.")
        return unit

    def logits(self, features: "Tensor") -> "Float[Tensor, 'clips classes']":
        """The network's class scores for inputs made by `features`."""
        return self.module(features).logits


def chosen_unit(target: Target, text: str) -> Unit:
    """The unit that a page's parameter names; empty takes unit 17 of the first block's last layer, as good as any.

    Raises InputError, naming what there is, if the target has no such unit.
    """
    first = [layer for layer in target.layers if layer.name.startswith("block0.")][-1]
    return target.check(Unit.parse(text or f"{first.name}/{min(17, first.units - 1)}", target.name))


def pool(output: "Tensor", pooling: str) -> "Float[Tensor, 'clips units']":
    """One number a clip and unit from a layer's output, (clips, tokens, channels) or (clips, channels).

    Raises InputError where the pooling does not fit the output's axes.
    """
    if (output.dim() == 2) != (pooling == "none"):
        raise InputError(f"Pooling {pooling!r} does not fit an output of shape {tuple(output.shape)}.")
    match pooling:
        case "none":
            return output
        case "cls" | "first":
            return output[:, 0]
        case "cls+distillation":
            return output[:, :2].mean(1)
        case "mean":
            return output.mean(1)
        case "max":
            return output.amax(1)
    raise InputError(f"Pooling {pooling!r} is unknown. {suggest(pooling, POOLINGS)}")


def load_ast(location: str | Path, *, name: str = "ast", seconds: float, untrained_seed: int | None = None) -> Target:
    """AST (Gong et al. 2021) as a target: units of each block's three linear layers, and the classifier's.

    location: folder made by `save_pretrained`, or the id of a model on the Hugging Face hub.
    seconds: length of the clips it is given; their log-mel is padded with zeros to the network's own length.
    untrained_seed: if given, the same architecture with random weights (a control).
    Raises InputError if the folder holds no AST classifier.
    """
    folder = _local(location)
    config = json.loads((folder / "config.json").read_text())
    if config.get("model_type") != "audio-spectrogram-transformer":
        raise InputError(f"{folder} holds a {config.get('model_type')!r} network; expected an AST classifier.")
    weights = _digest(folder / "model.safetensors") if untrained_seed is None else f"untrained{untrained_seed}"
    shape = {k: v for k, v in config.items() if k not in ("transformers_version", "dtype")}
    return Target(
        name=name,
        layers=_ast_layers(config),
        classes=tuple(label.replace("_", " ") for _, label in sorted(config["id2label"].items(), key=_number)),
        sample_rate=16_000,
        seconds=seconds,
        features=lambda waveforms: ast_features(waveforms, config["max_length"]),
        build=lambda: _build_ast(folder, untrained_seed),
        fingerprint=hashlib.sha256(f"{json.dumps(shape, sort_keys=True)}{weights}".encode()).hexdigest(),
    )


def _ast_layers(config: dict) -> tuple[Layer, ...]:
    width = {"attention_output": "hidden_size", "intermediate": "intermediate_size", "output": "hidden_size"}
    blocks = [
        Layer(f"block{i}.{name}", f"audio_spectrogram_transformer.layers.{i}.{path}", config[width[name]], "cls")
        for i in range(config["num_hidden_layers"])
        for name, path in BLOCK_LAYERS.items()
    ]
    return (*blocks, Layer("classifier", "classifier.dense", len(config["id2label"]), "none"))


def ast_features(waveforms: "Tensor", max_length: int) -> "Float[Tensor, 'clips frames mels']":
    """AST's input: normalised log-mel of waveforms [clips, samples] at 16 kHz, padded with zeros to `max_length`."""
    from torch.nn.functional import pad

    from andlib import frontend

    bands = frontend.log_mel(waveforms, frontend.AST)[:, :max_length]
    bands = pad(bands, (0, 0, 0, max_length - bands.shape[1]))  # before normalisation, as the checkpoints were trained
    return (bands - frontend.AST.mean) / (2 * frontend.AST.deviation)


def _build_ast(folder: Path, untrained_seed: int | None) -> "nn.Module":
    import torch
    from transformers import ASTConfig, ASTForAudioClassification

    if untrained_seed is None:
        return ASTForAudioClassification.from_pretrained(folder, use_safetensors=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(untrained_seed)
        return ASTForAudioClassification(ASTConfig.from_pretrained(folder))


def _local(location: str | Path) -> Path:
    """A local folder with the network; a hub id is fetched when online (configuration and safetensors alone)."""
    folder = Path(location).expanduser()
    if not folder.is_dir():
        from huggingface_hub import snapshot_download

        try:
            folder = Path(snapshot_download(str(location), allow_patterns=["config.json", "model.safetensors"]))
        except Exception as error:
            raise InputError(
                f"{str(location)!r} is neither a local folder nor a model that the hub could give "
                f"({type(error).__name__}). Go online, or name a folder with config.json and model.safetensors."
            ) from None
    for name in ("config.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise InputError(f"{folder} lacks {name}; expected a folder made by save_pretrained.")
    return folder


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _number(item: tuple[str, str]) -> int:
    return int(item[0])
