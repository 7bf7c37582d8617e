"""BEATs' checkpoints: as targets, and reading every form that they are published in without running code in them."""

import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from andlib import frontend, paths
from andlib.errors import InputError
from andlib.networks.families import beats_features
from andlib.store import digest, file_digest, read_object, unchanged, write_atomically
from andlib.targets import Layer, Target
from andlib.weights import opened

if TYPE_CHECKING:
    from torch import Tensor, nn

WEIGHTS, CONFIG = "model.safetensors", "config.json"
SHARED, KERNEL = "encoder.layers.0.self_attn.relative_attention_bias.weight", "encoder.pos_conv.0.weight_v"
REMEDY = "Fetch or convert it anew."
WRAPPERS = ("module.", "model.", "_orig_mod.", "network.", "net.")
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
FIXED = {"conv_bias": False, "layer_norm_first": False, "deep_norm": True, "activation_fn": "gelu"}
FIXED |= {"relative_position_embedding": True, "gru_rel_pos": True}


def load_beats(
    location: Path, *, name="beats", seconds=5.0, classes: Sequence[str] = (), untrained_seed: int | None = None
) -> Target:
    """BEATs as a target: units of each block's fc1 and fc2, and the classifier's, means over tokens.
    location: as for `read_checkpoint`. classes, untrained_seed: as for `load_target`. Raises InputError where the
    checkpoint or `classes` does not fit; a folder's weights are read at their first use."""
    path = paths.named(location)
    file = path / WEIGHTS if path.is_dir() else path
    files = {each: file_digest(each) for each in {file, path / CONFIG} if each.is_file()}

    @lru_cache  # once
    def read() -> tuple[Config, dict, tuple[str, ...]]:
        checkpoint = read_checkpoint(path)
        unchanged(files)
        return checkpoint

    if path.is_dir():
        config, outputs, own = read_header(path)
    else:
        config, tensors, own = read()
        outputs = outputs_of(shapes_of(tensors))
    coded = own and all(name.startswith("/") for name in own)  # AudioSet's codes, like /m/0jbk
    classes = tuple(classes if coded and classes else own or classes)
    if outputs and len(classes) != outputs:
        raise InputError(f"{location} has {outputs} outputs but {len(classes)} class names; give them as `classes`.")

    def build() -> "nn.Module":
        from andlib.networks.beats import make

        tensors = read()[1]  # an untrained twin, too, is no larger than weights that fit
        network = make(config, outputs, untrained_seed or 0)
        if untrained_seed is None:
            network.load_state_dict(tensors)
        return network

    weights = files[file] if untrained_seed is None else f"untrained{untrained_seed}"
    return Target(
        name=name,
        layers=layers(config, outputs),
        classes=classes,
        sample_rate=frontend.SAMPLE_RATE,
        seconds=seconds,
        features=beats_features,
        build=build,
        content=digest([asdict(config), classes, weights]),
        grid=lambda: frontend.patches(frontend.frames(round(seconds * frontend.SAMPLE_RATE)), config.input_patch_size),
    )


def layers(config: Config, outputs: int) -> tuple[Layer, ...]:
    """The layers whose outputs are units: fc1 and fc2 of every block and, if there are outputs, the classifier."""
    width = {"fc1": config.encoder_ffn_embed_dim, "fc2": config.encoder_embed_dim}
    prefix = "beats." if outputs else ""
    places = [(i, name) for i in range(config.encoder_layers) for name in width]
    blocks = (Layer(f"block{i}.{n}", f"{prefix}encoder.layers.{i}.{n}", width[n], "mean") for i, n in places)
    return (*blocks, *([Layer("classifier", "fc", outputs, "mean")] if outputs else []))


def read_checkpoint(path: Path) -> tuple[Config, dict[str, "Tensor"], tuple[str, ...]]:
    """Configuration, weights under the names of `Classifier`, and class names (where known) of a checkpoint.
    path: a folder with config.json and model.safetensors; a safetensors file whose metadata holds `config`; or a torch
    checkpoint, {"cfg", "model"} or weights alone. Without a classifier there is none of `fc.*`.
    Raises InputError for anything else, and where weights are missing, extra, mis-shaped or not finite."""
    if path.is_dir():
        settings, weights = _folder_settings(path), _read_safetensors(path / WEIGHTS)[1]
    else:
        settings, weights = _read_file(path)
    weights = _named(weights, path)
    config = config_from(settings, shapes_of(weights), path)
    _check(weights, config, path)
    return config, weights, _class_names(settings, path)


def read_header(path: Path) -> tuple[Config, int, tuple[str, ...]]:
    """Configuration, number of outputs and class names of a folder as for `read_checkpoint`, without its weights."""
    with opened(path / WEIGHTS, "np") as file:
        shapes = _renamed({name: tuple(file.get_slice(name).get_shape()) for name in file.keys()})  # noqa: SIM118
    settings = _folder_settings(path)
    return config_from(settings, shapes, path), outputs_of(shapes), _class_names(settings, path)


def _folder_settings(folder: Path) -> dict:
    if missing := [name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file()]:
        raise InputError(f"{folder} lacks {missing[0]}; expected a folder with config.json and {WEIGHTS}.")
    settings = read_object(folder / CONFIG, f"The configuration in {folder / CONFIG}", REMEDY)
    if settings.get("model_type") != "beats":
        raise InputError(f"{folder} holds a {settings.get('model_type')!r} network; expected model_type 'beats'.")
    return settings


def _class_names(settings: Mapping, path: Path) -> tuple[str, ...]:
    names = settings.get("classes", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"The classes in the configuration of {path} are no list of names. {REMEDY}")
    return tuple(names)


def _read_file(path: Path) -> tuple[dict, dict[str, "Tensor"]]:
    import torch

    if path.suffix == ".safetensors":
        metadata, weights = _read_safetensors(path)
        return read_object(metadata.get("config", "{}"), f"The configuration in {path}", REMEDY), weights
    if not path.is_file():
        raise InputError(f"{path} {'is no file' if path.exists() else 'does not exist'}; expected a BEATs checkpoint.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever the damage provokes
        if "TorchScript" in str(error):
            remedy = "Load it with torch.jit.load and give it to andlib.wrap."
            raise InputError(f"{path} is a TorchScript program, not weights. {remedy}") from None
        code = isinstance(error, pickle.UnpicklingError)
        reason = "holds objects that only running its code could make" if code else "cannot be read"
        remedy = "Expected a torch checkpoint of tensors; fetch the file anew."
        raise InputError(f"{path} {reason}, so it is refused. {remedy}") from None
    both = isinstance(content, dict) and {"cfg", "model"} <= content.keys()
    settings, weights = (content["cfg"], content["model"]) if both else ({}, content)
    if both and isinstance(settings, dict) and isinstance(labels := content.get("label_dict"), dict):
        settings = {"classes": [labels.get(i, labels.get(str(i))) for i in range(len(labels))], **settings}
    if isinstance(weights, dict) and isinstance(weights.get("state_dict"), dict):  # as Lightning saves them
        weights = weights["state_dict"]
    if not isinstance(settings, dict) or not isinstance(weights, dict):
        raise InputError(f"{path} is no BEATs checkpoint: expected a dictionary with 'cfg' and 'model', or of weights.")
    return settings, weights


def _read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, "Tensor"]]:
    with opened(path, "pt") as file:
        return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _named(weights: Mapping[str, "Tensor"], path: Path) -> dict[str, "Tensor"]:
    import torch

    for name, value in weights.items():
        # a file may hold sparse tensors and shells, too
        whole = isinstance(value, torch.Tensor) and value.layout is torch.strided and not value.is_nested
        if not (isinstance(name, str) and whole and value.is_floating_point() and value.is_cpu):
            raise InputError(f"{path} holds {name!r}, which is no weight of a network. Expected a BEATs checkpoint.")
    weights = _renamed({name: value.float() for name, value in weights.items()})
    prefix = "beats." if "fc.weight" in weights else ""
    for name in [n for n in weights if n.endswith("relative_attention_bias.weight") and n != prefix + SHARED]:
        if torch.equal(weights[name], weights.get(prefix + SHARED, torch.empty(0))):
            del weights[name]  # public checkpoints repeat the one table in every block
    return weights


def _renamed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values under the names of `Classifier`, without trainers' prefixes, and torch's first names of weight norm."""
    while values and len({name.partition(".")[0] for name in values}) == 1 and next(iter(values)).startswith(WRAPPERS):
        values = {name.partition(".")[2]: value for name, value in values.items()}
    for old, new in (("original0", "weight_g"), ("original1", "weight_v")):
        values = {name.replace(f"parametrizations.weight.{old}", new): value for name, value in values.items()}
    if any(name.startswith("fc.") for name in values):  # fine-tuned
        return dict(values)
    # a pre-trained network, or one with the public checkpoints' own classifier
    values = {name.replace("predictor.", "fc."): value for name, value in values.items()}
    prefix = "beats." if "fc.weight" in values else ""
    return {name if name.startswith("fc.") else prefix + name: value for name, value in values.items()}


def _check(weights: dict[str, "Tensor"], config: Config, path: Path) -> None:
    import torch

    from andlib.networks.beats import make

    shapes = shapes_of(weights)
    with torch.device("meta"):
        expected = shapes_of(make(config, outputs_of(shapes)).state_dict())
    other = [f"{n} {shapes[n]} for {shape}" for n, shape in expected.items() if shapes.get(n, shape) != shape]
    faults = {
        "lacks": [name for name in expected if name not in shapes],
        "has weights that BEATs has not:": [name for name in shapes if name not in expected],
        "has other shapes than its configuration says:": other,
        "has values that are not finite in": [name for name, value in weights.items() if not value.isfinite().all()],
    }
    for fault, names in faults.items():
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise InputError(f"{path} {fault} {', '.join(names[:3])}{more}. Expected a BEATs checkpoint.")


def config_from(settings: Mapping, shapes: Mapping[str, tuple[int, ...]], path: Path) -> Config:
    """The sizes of a checkpoint, read off its weights, so that none exceeds them; its settings tell the distance alone.
    Raises InputError if the settings describe another architecture or other sizes, or no network has such sizes."""
    if wrong := _unlike(settings, FIXED):
        raise InputError(f"{path} has settings that are not those of BEATs; expected {wrong}.")
    sizes = _sizes(shapes, path)
    if wrong := _unlike(settings, sizes):
        raise InputError(f"{path} has a configuration that does not fit its weights; theirs is {wrong}.")
    config = Config(**sizes, max_distance=settings.get("max_distance", Config.max_distance))
    width, exact = config.encoder_embed_dim, config.num_buckets // 4
    parts = (config.encoder_attention_heads, config.conv_pos_groups)
    sizes = (*asdict(config).values(), max(outputs_of(shapes), 1))
    known = all(type(size) is int and 0 < size <= LARGEST for size in sizes)
    if not known or any(width % part for part in parts) or not 0 < exact < config.max_distance:
        raise InputError(
            f"{path} has sizes of no BEATs network. They are whole numbers from 1 to {LARGEST:,}; the width is a "
            "multiple of the heads and of the groups, and the farthest distance is more than a quarter of the buckets."
        )
    return config


def _unlike(settings: Mapping, expected: Mapping) -> dict:
    plain = {name: settings[name] for name in expected if isinstance(settings.get(name), int | float | str)}
    return {n: value for n, value in expected.items() if n in settings and (n not in plain or plain[n] != value)}


def _sizes(shapes: Mapping[str, tuple[int, ...]], path: Path) -> dict[str, int]:
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


def shapes_of(weights: Mapping[str, "Tensor"]) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of a checkpoint, by name."""
    return {name: tuple(value.shape) for name, value in weights.items()}


def outputs_of(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """How many outputs the checkpoint's classifier has; 0 without one."""
    return next(iter(shapes.get("fc.weight", ())), 0)


def save(
    folder: Path, config: Config, weights: Mapping[str, "Tensor"], classes: Sequence[str] = (), *, half: bool = False
) -> None:
    """Writes config.json and model.safetensors into `folder`; half: weights in half precision."""
    from safetensors.torch import save_file

    weights = {name: value.half() if half else value for name, value in weights.items()}
    write_atomically(folder / WEIGHTS, lambda path: save_file(weights, path))
    outputs = outputs_of(shapes_of(weights))
    settings = {"model_type": "beats", **asdict(config), "outputs": outputs, "classes": list(classes)}
    write_atomically(folder / CONFIG, lambda path: path.write_text(json.dumps(settings, indent=1) + "\n"))
