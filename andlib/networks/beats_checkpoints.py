"""BEATs' checkpoints: in every form that they are published in to a target, without running code in them.

`python -m andlib.networks.beats_checkpoints CHECKPOINT FOLDER` turns one into configuration and safetensors.
"""

import argparse
import json
import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from andlib import paths
from andlib.errors import InputError
from andlib.store import digest, file_digest, write_atomically
from andlib.targets import Grid, Layer, Target

if TYPE_CHECKING:
    from torch import Tensor, nn

SAMPLE_RATE = 16_000  # Hz
WEIGHTS = "model.safetensors"
SHARED, KERNEL = "encoder.layers.0.self_attn.relative_attention_bias.weight", "encoder.pos_conv.0.weight_v"
LARGEST = 4096  # of any size; those of the full network end at 3072


@dataclass(frozen=True)
class Config:
    """Sizes of a BEATs network, under the names that public checkpoints give them; the defaults are full size."""

    input_patch_size: int = 16
    embed_dim: int = 512
    encoder_layers: int = 12
    encoder_embed_dim: int = 768
    encoder_ffn_embed_dim: int = 3072
    encoder_attention_heads: int = 12
    conv_pos: int = 128
    conv_pos_groups: int = 16
    num_buckets: int = 320
    max_distance: int = 800


# settings of a checkpoint that would need another network, and the only value this one has
FIXED = {
    "conv_bias": False,
    "layer_norm_first": False,
    "deep_norm": True,
    "relative_position_embedding": True,
    "gru_rel_pos": True,
    "activation_fn": "gelu",
}


def config_from(settings: Mapping, shapes: Mapping[str, tuple[int, ...]], path: Path) -> Config:
    """The sizes of a checkpoint, read off the shapes of its weights; its settings alone tell the farthest distance.

    So what a configuration asks for is never more than its weights hold.
    Raises InputError if the settings describe another architecture or other sizes, or no network has such sizes.
    """
    if wrong := _unlike(settings, FIXED):
        raise InputError(f"{path} has settings that are not those of BEATs; expected {wrong}.")
    sizes = _sizes(shapes, path)
    if wrong := _unlike(settings, sizes):
        raise InputError(f"{path} has a configuration that does not fit its weights; theirs is {wrong}.")
    config = Config(**sizes, max_distance=settings.get("max_distance", Config.max_distance))
    width, exact = config.encoder_embed_dim, config.num_buckets // 4
    parts = (config.encoder_attention_heads, config.conv_pos_groups)
    sizes = (*asdict(config).values(), max(_outputs(shapes), 1))
    if (
        not all(type(size) is int and 0 < size <= LARGEST for size in sizes)
        or any(width % part for part in parts)
        or not 0 < exact < config.max_distance
    ):
        raise InputError(
            f"{path} has sizes of no BEATs network. They are whole numbers from 1 to {LARGEST:,}; the width is a "
            "multiple of the heads and of the groups, and the farthest distance is more than a quarter of the buckets."
        )
    return config


def _unlike(settings: Mapping, expected: Mapping) -> dict:
    """Those of the expected values that the settings state otherwise."""
    plain = {name: settings[name] for name in expected if isinstance(settings.get(name), int | float | str)}
    return {n: value for n, value in expected.items() if n in settings and (n not in plain or plain[n] != value)}


def _sizes(shapes: Mapping[str, tuple[int, ...]], path: Path) -> dict[str, int]:
    """Sizes that the shapes of weights tell: all but the farthest distance of relative positions."""
    shapes = {name.removeprefix("beats."): shape for name, shape in shapes.items()}
    where = {  # size -> a weight that has it, and the axis
        "input_patch_size": ("patch_embedding.weight", 2),
        "embed_dim": ("patch_embedding.weight", 0),
        "encoder_embed_dim": ("encoder.layer_norm.weight", 0),
        "encoder_ffn_embed_dim": ("encoder.layers.0.fc1.weight", 0),
        "encoder_attention_heads": ("encoder.layers.0.self_attn.grep_a", 1),
        "conv_pos": (KERNEL, 2),
        "num_buckets": (SHARED, 0),
    }
    for name, axis in where.values():
        if len(shapes.get(name, ())) <= axis:
            raise InputError(f"{path} lacks {name}, or has it in another form. Expected a BEATs checkpoint.")
    sizes = {size: shapes[name][axis] for size, (name, axis) in where.items()}
    blocks = {name.split(".")[2] for name in shapes if name.startswith("encoder.layers.")}
    groups = sizes["encoder_embed_dim"] // max(shapes[KERNEL][1], 1)
    return {**sizes, "encoder_layers": len(blocks), "conv_pos_groups": groups}


def read_checkpoint(path: Path) -> tuple[Config, dict[str, "Tensor"], tuple[str, ...]]:
    """Configuration, weights under the names of `Classifier`, and class names (where known) of a checkpoint.

    path: a folder with config.json and model.safetensors; a safetensors file whose metadata holds `config`; or a torch
    checkpoint, {"cfg", "model"} or weights alone, which is read without running any code in it. A pre-trained network
    without classifier gives none of `fc.*`.
    Raises InputError for anything else, and where weights are missing, extra, mis-shaped or not finite.
    """
    path = paths.named(path)
    if path.is_dir():
        settings, weights = _folder_settings(path), _read_safetensors(path / WEIGHTS)[1]
    else:
        settings, weights = _read_file(path)
    weights = _named(weights, path)
    config = config_from(settings, _shapes(weights), path)
    _check(weights, config, path)
    return config, weights, _class_names(settings, path)


def _folder_settings(folder: Path) -> dict:
    missing = [name for name in ("config.json", WEIGHTS) if not (folder / name).is_file()]
    if missing:
        raise InputError(f"{folder} lacks {missing[0]}; expected a folder with config.json and {WEIGHTS}.")
    settings = _object((folder / "config.json").read_bytes(), folder / "config.json")
    if settings.get("model_type") != "beats":
        raise InputError(f"{folder} holds a {settings.get('model_type')!r} network; expected model_type 'beats'.")
    return settings


def _object(text: str | bytes, path: Path) -> dict:
    try:
        held = json.loads(text)
        if not isinstance(held, dict):
            raise ValueError("it is no JSON object")
    except (ValueError, RecursionError) as error:
        raise InputError(f"The configuration in {path} cannot be read ({error}). Fetch or convert it anew.") from None
    return held


def _class_names(settings: Mapping, path: Path) -> tuple[str, ...]:
    names = settings.get("classes", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"The classes in the configuration of {path} are no list of names. Fetch or convert it anew.")
    return tuple(names)


def _read_file(path: Path) -> tuple[dict, dict[str, "Tensor"]]:
    import torch

    if path.suffix == ".safetensors":
        metadata, weights = _read_safetensors(path)
        return _object(metadata.get("config", "{}"), path), weights
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; expected a BEATs checkpoint.") from None
    except Exception as error:  # torch raises whatever the damage provokes
        code = isinstance(error, pickle.UnpicklingError)
        reason = "holds objects that only running its code could make" if code else "cannot be read"
        raise InputError(
            f"{path} {reason}, so it is refused. Expected a torch checkpoint of tensors; fetch the file anew."
        ) from None
    both = isinstance(held, dict) and {"cfg", "model"} <= held.keys()
    settings, weights = (held["cfg"], held["model"]) if both else ({}, held)
    if not isinstance(settings, dict) or not isinstance(weights, dict):
        raise InputError(f"{path} is no BEATs checkpoint: expected a dictionary with 'cfg' and 'model', or of weights.")
    return settings, weights


def _read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, "Tensor"]]:
    with _opened(path, "pt") as file:
        return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


@contextmanager
def _opened(path: Path, framework: str) -> Iterator[Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework) as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} cannot be read as safetensors ({error}). Fetch or convert it anew.") from None


def _named(weights: Mapping[str, "Tensor"], path: Path) -> dict[str, "Tensor"]:
    """Weights under the names of `beats.Classifier` or `beats.BEATs`, whatever form the checkpoint has."""
    import torch

    for name, value in weights.items():
        if not isinstance(name, str) or not _is_weight(value):
            raise InputError(f"{path} holds {name!r}, which is no weight of a network. Expected a BEATs checkpoint.")
    weights = _renamed({name: value.float() for name, value in weights.items()})
    prefix = "beats." if "fc.weight" in weights else ""
    for name in [n for n in weights if n.endswith("relative_attention_bias.weight") and n != prefix + SHARED]:
        if torch.equal(weights[name], weights.get(prefix + SHARED, torch.empty(0))):
            del weights[name]  # public checkpoints repeat the one table in every block
    return weights


def _is_weight(value: Any) -> bool:
    """Whether it is a tensor of real numbers, all of them here: a file may hold sparse ones and shells, too."""
    import torch

    plain = isinstance(value, torch.Tensor) and value.layout is torch.strided and not value.is_nested
    return plain and value.is_floating_point() and value.is_cpu


def _renamed(held: Mapping[str, Any]) -> dict[str, Any]:
    if any(name.startswith("fc.") for name in held):  # fine-tuned
        return dict(held)
    # a pre-trained network, or one with the public checkpoints' own classifier
    held = {name.replace("predictor.", "fc."): value for name, value in held.items()}
    prefix = "beats." if "fc.weight" in held else ""
    return {name if name.startswith("fc.") else prefix + name: value for name, value in held.items()}


def _shapes(weights: Mapping[str, "Tensor"]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in weights.items()}


def _outputs(shapes: Mapping[str, tuple[int, ...]]) -> int:
    return next(iter(shapes.get("fc.weight", ())), 0)


def _check(weights: dict[str, "Tensor"], config: Config, path: Path) -> None:
    """Raises InputError, naming the first of them, where weights do not fit the network."""
    import torch

    from andlib.networks.beats import make

    found = _shapes(weights)
    with torch.device("meta"):
        expected = _shapes(make(config, _outputs(found)).state_dict())
    faults = {
        "lacks": [name for name in expected if name not in found],
        "has weights that BEATs has not:": [name for name in found if name not in expected],
        "has other shapes than its configuration says:": [
            f"{name} {found[name]} for {shape}" for name, shape in expected.items() if found.get(name, shape) != shape
        ],
        "has values that are not finite in": [name for name, value in weights.items() if not value.isfinite().all()],
    }
    for fault, names in faults.items():
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise InputError(f"{path} {fault} {', '.join(names[:3])}{more}. Expected a BEATs checkpoint.")


def save(
    folder: Path, config: Config, weights: Mapping[str, "Tensor"], classes: Sequence[str] = (), *, half: bool = False
) -> None:
    """Writes config.json and model.safetensors into `folder`; half: weights in half precision."""
    from safetensors.torch import save_file

    weights = {name: value.half() if half else value for name, value in weights.items()}
    write_atomically(folder / WEIGHTS, lambda path: save_file(weights, path))
    outputs = _outputs(_shapes(weights))
    settings = {"model_type": "beats", **asdict(config), "outputs": outputs, "classes": list(classes)}
    text = json.dumps(settings, indent=1) + "\n"
    write_atomically(folder / "config.json", lambda path: path.write_text(text))


def load_beats(
    location: str | Path,
    *,
    name: str = "beats",
    seconds: float = 5.0,
    classes: Sequence[str] = (),
    untrained_seed: int | None = None,
) -> Target:
    """BEATs as a target: units of each block's fc1 and fc2, and the classifier's, means over tokens.

    location: as for `read_checkpoint`. classes: names of the outputs, for checkpoints that do not hold them.
    untrained_seed: if given, the same architecture with random weights (a control).
    Raises InputError where the checkpoint does not fit, or `classes` does not fit its classifier; for a folder, whose
    configuration says all that a target declares, weights are read and checked when the network is first used.
    """
    path = paths.named(location)
    read = lru_cache(lambda: read_checkpoint(path))
    if path.is_dir():
        with _opened(path / WEIGHTS, "np") as file:
            shapes = _renamed({name: tuple(file.get_slice(name).get_shape()) for name in file.keys()})  # noqa: SIM118
        settings = _folder_settings(path)
        config, own = config_from(settings, shapes, path), _class_names(settings, path)
    else:
        config, weights, own = read()
        shapes = _shapes(weights)
    outputs = _outputs(shapes)
    classes = tuple(own or classes)
    if outputs and len(classes) != outputs:
        raise InputError(f"{location} has {outputs} outputs but {len(classes)} class names; give them as `classes`.")

    def build() -> "nn.Module":
        from andlib.networks.beats import make

        weights = read()[1]  # an untrained twin, too, is no larger than weights that fit
        network = make(config, outputs, untrained_seed or 0)
        if untrained_seed is None:
            network.load_state_dict(weights)
        return network

    content = file_digest(path / WEIGHTS if path.is_dir() else path)
    return Target(
        name=name,
        layers=layers(config, outputs),
        classes=classes,
        sample_rate=SAMPLE_RATE,
        seconds=seconds,
        features=_features,
        build=build,
        content=digest([asdict(config), classes, content if untrained_seed is None else f"untrained{untrained_seed}"]),
        grid=lambda: _grid(config, round(seconds * SAMPLE_RATE)),
    )


def _grid(config: Config, samples: int) -> Grid:
    from andlib import frontend

    return frontend.patches(frontend.frames(samples), config.input_patch_size)


def _features(waveforms: "Tensor") -> "Tensor":
    from andlib.networks.beats import features

    return features(waveforms)


def layers(config: Config, outputs: int) -> tuple[Layer, ...]:
    """The layers whose outputs are units: fc1 and fc2 of every block and, if there are outputs, the classifier."""
    width = {"fc1": config.encoder_ffn_embed_dim, "fc2": config.encoder_embed_dim}
    prefix = "beats." if outputs else ""
    blocks = [
        Layer(f"block{i}.{name}", f"{prefix}encoder.layers.{i}.{name}", width[name], "mean")
        for i in range(config.encoder_layers)
        for name in width
    ]
    return (*blocks, *([Layer("classifier", "fc", outputs, "mean")] if outputs else []))


def main() -> None:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description="Turns a BEATs checkpoint into a folder that andlib loads.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--classes", type=Path, help="text file with one class name a line")
    given = parser.parse_args()
    try:
        config, weights, own = read_checkpoint(given.checkpoint)
        classes = own or tuple(given.classes.read_text().splitlines() if given.classes else ())
        save(given.folder, config, weights, classes)
        load_beats(given.folder, classes=classes).module  # noqa: B018  what was saved must load
    except InputError as error:
        parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    main()
