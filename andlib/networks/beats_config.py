"""BEATs' configuration: the sizes of a network, read off the shapes of a checkpoint's weights."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from andlib.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

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
    sizes = (*asdict(config).values(), max(outputs_of(shapes), 1))
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


def shapes_of(weights: Mapping[str, "Tensor"]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in weights.items()}


def outputs_of(shapes: Mapping[str, tuple[int, ...]]) -> int:
    return next(iter(shapes.get("fc.weight", ())), 0)
