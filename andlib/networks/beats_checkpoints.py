"""BEATs' checkpoints as targets, without running code in them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from andlib import frontend, paths
from andlib.errors import InputError
from andlib.networks.beats_files import CONFIG, WEIGHTS, Config, outputs_of, read_checkpoint, read_header, shapes_of
from andlib.networks.families import beats_features
from andlib.store import digest, file_digest, unchanged
from andlib.targets import Layer, Target

if TYPE_CHECKING:
    from torch import nn


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
    untrained_seed: if given, random weights instead (a control).
    Raises InputError where the checkpoint or `classes` does not fit; a folder's weights are read at their first use."""
    path = paths.named(location)
    file = path / WEIGHTS if path.is_dir() else path
    files = {each: file_digest(each) for each in {file, path / CONFIG} if each.is_file()}
    read = lru_cache(partial(_read, path, files))  # once
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


def _read(path: Path, files: Mapping[Path, str]) -> tuple[Config, dict, tuple[str, ...]]:
    """A checkpoint, while its files are those of these digests."""
    checkpoint = read_checkpoint(path)
    unchanged(files)
    return checkpoint


def layers(config: Config, outputs: int) -> tuple[Layer, ...]:
    """The layers whose outputs are units: fc1 and fc2 of every block and, if there are outputs, the classifier."""
    width = {"fc1": config.encoder_ffn_embed_dim, "fc2": config.encoder_embed_dim}
    prefix = "beats." if outputs else ""
    places = [(i, name) for i in range(config.encoder_layers) for name in width]
    blocks = (Layer(f"block{i}.{n}", f"{prefix}encoder.layers.{i}.{n}", width[n], "mean") for i, n in places)
    return (*blocks, *([Layer("classifier", "fc", outputs, "mean")] if outputs else []))
