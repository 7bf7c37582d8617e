"""BEATs (Chen et al. 2023): the network, its input, and its checkpoints.

`python -m andlib.beats CHECKPOINT FOLDER` turns a torch checkpoint into configuration and safetensors.
"""

import argparse
import hashlib
import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import conv1d, gelu, scaled_dot_product_attention

from andlib import frontend
from andlib.errors import InputError
from andlib.store import digest, write_atomically
from andlib.targets import Layer, Target

SHARED = "encoder.layers.0.self_attn.relative_attention_bias.weight"


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


def config_from(settings: Mapping) -> Config:
    """The sizes in a checkpoint's settings; raises InputError if they describe another architecture."""
    wrong = {k: settings[k] for k, value in FIXED.items() if k in settings and settings[k] != value}
    if wrong:
        raise InputError(
            f"These settings are not those of BEATs: {wrong}; expected { ({k: FIXED[k] for k in wrong}) }."
        )
    return Config(**{f.name: int(settings[f.name]) for f in fields(Config) if f.name in settings})


class PositionConvolution(nn.Module):
    """Convolution over tokens whose kernel is normalised along its own axis (weight norm)."""

    def __init__(self, width: int, kernel: int, groups: int):
        super().__init__()
        self.groups = groups
        self.bias = nn.Parameter(torch.zeros(width))
        self.weight_g = nn.Parameter(torch.ones(1, 1, kernel))
        self.weight_v = nn.Parameter(torch.randn(width, width // groups, kernel) * (4 / (kernel * width)) ** 0.5)
        self.weight_g.data = self.weight_v.data.norm(dim=(0, 1), keepdim=True)

    def forward(self, x: Float[Tensor, "clips tokens width"]) -> Float[Tensor, "clips tokens width"]:
        weight = self.weight_g * self.weight_v / self.weight_v.norm(dim=(0, 1), keepdim=True)
        kernel = weight.shape[-1]
        x = conv1d(x.transpose(1, 2), weight, self.bias, padding=kernel // 2, groups=self.groups)
        return gelu(x[..., : x.shape[-1] - (kernel % 2 == 0)].transpose(1, 2))


class Attention(nn.Module):
    """Self-attention with a bias by relative position, gated by the query."""

    def __init__(self, config: Config, first: bool):
        super().__init__()
        width, self.heads = config.encoder_embed_dim, config.encoder_attention_heads
        self.k_proj, self.v_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.q_proj, self.out_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.grep_linear = nn.Linear(width // self.heads, 8)
        self.grep_a = nn.Parameter(torch.ones(1, self.heads, 1, 1))
        if first:  # one table for all blocks
            self.relative_attention_bias = nn.Embedding(config.num_buckets, self.heads)
            nn.init.xavier_normal_(self.relative_attention_bias.weight)

    def forward(self, x: Float[Tensor, "clips tokens width"], bias: Tensor, padding: Tensor | None) -> Tensor:
        projections = (self.q_proj, self.k_proj, self.v_proj)
        q, k, v = (project(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for project in projections)
        a, b = self.grep_linear(q).unflatten(-1, (2, 4)).sum(-1).sigmoid().split(1, -1)
        bias = (a * (b * self.grep_a - 1) + 2) * bias  # [clips, heads, tokens, tokens]
        if padding is not None:
            bias = bias.masked_fill(padding[:, None, None], -torch.inf)
        return self.out_proj(scaled_dot_product_attention(q, k, v, attn_mask=bias).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and two linear layers, each added to a scaled residual and normalised after."""

    def __init__(self, config: Config, first: bool):
        super().__init__()
        width, inner = config.encoder_embed_dim, config.encoder_ffn_embed_dim
        self.alpha = (2 * config.encoder_layers) ** 0.25
        self.self_attn, self.self_attn_layer_norm = Attention(config, first), nn.LayerNorm(width)
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, bias: Tensor, padding: Tensor | None) -> Tensor:
        x = self.self_attn_layer_norm(self.alpha * x + self.self_attn(x, bias, padding))
        return self.final_layer_norm(self.alpha * x + self.fc2(gelu(self.fc1(x))))


class Encoder(nn.Module):
    """Position convolution and the blocks."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.pos_conv = nn.Sequential(
            PositionConvolution(config.encoder_embed_dim, config.conv_pos, config.conv_pos_groups)
        )
        self.layer_norm = nn.LayerNorm(config.encoder_embed_dim)
        self.layers = nn.ModuleList(Block(config, first=i == 0) for i in range(config.encoder_layers))

    def forward(self, x: Tensor, padding: Tensor | None = None) -> Tensor:
        return self.blocks(self.place(x, padding), torch.arange(x.shape[1], device=x.device), padding)

    def place(self, x: Tensor, padding: Tensor | None = None) -> Tensor:
        """Tokens that know their surroundings, and so their position."""
        if padding is not None:
            x = x.masked_fill(padding[..., None], 0.0)
        return self.layer_norm(x + self.pos_conv(x))

    def blocks(self, x: Tensor, position: Int[Tensor, "tokens"], padding: Tensor | None = None) -> Tensor:
        """All blocks in turn, on tokens at those positions of the sequence."""
        distance = bucket(position - position[:, None], self.config.num_buckets, self.config.max_distance)
        bias = self.layers[0].self_attn.relative_attention_bias(distance).permute(2, 0, 1)
        for layer in self.layers:
            x = layer(x, bias, padding)
        return x


def bucket(distance: Int[Tensor, "queries keys"], buckets: int, farthest: int) -> Int[Tensor, "queries keys"]:
    """Which entry of the table of relative positions serves key j minus query i: half of them for j > i; in each half
    exact for near tokens, logarithmic for others, the last for all beyond `farthest`."""
    half = buckets // 2
    exact = half // 2
    size = distance.abs()
    ratio = size.clamp_min(1).float().div(exact).log() / torch.tensor(farthest / exact).log()
    far = (exact + (ratio * (half - exact)).long()).clamp_max(half - 1)
    return (distance > 0) * half + torch.where(size < exact, size, far)


class BEATs(nn.Module):
    """BEATs without a classifier: normalised log-mel in, tokens out. Parameter names are the public checkpoints'."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        size, width = config.input_patch_size, config.encoder_embed_dim
        self.patch_embedding = nn.Conv2d(1, config.embed_dim, size, size, bias=False)
        self.layer_norm = nn.LayerNorm(config.embed_dim)
        self.post_extract_proj = nn.Linear(config.embed_dim, width) if config.embed_dim != width else nn.Identity()
        self.encoder = Encoder(config)

    def embed(self, features: Float[Tensor, "clips frames mels"]) -> Float[Tensor, "clips tokens width"]:
        """Patches as vectors, over mel bands first and then time, before any position is known."""
        patches = self.patch_embedding(features[:, None]).flatten(2).transpose(1, 2)
        return self.post_extract_proj(self.layer_norm(patches))

    def padding(
        self, features: Float[Tensor, "clips frames mels"], frames: Int[Tensor, "clips"] | None
    ) -> Bool[Tensor, "clips tokens"] | None:
        """Which tokens lie beyond each clip's own frames: alone, the clip would not have them."""
        if frames is None:
            return None
        size = self.config.input_patch_size
        steps, bands = features.shape[1] // size, features.shape[2] // size
        late = torch.arange(steps, device=features.device) >= (frames.to(features.device) // size)[:, None]
        return late.repeat_interleave(bands, 1)

    def forward(
        self, features: Float[Tensor, "clips frames mels"], frames: Int[Tensor, "clips"] | None = None
    ) -> Float[Tensor, "clips tokens width"]:
        """Tokens of each clip. frames: how many frames are the clip's own where a batch is padded; None: all."""
        return self.encoder(self.embed(features), self.padding(features, frames))


class Classifier(nn.Module):
    """BEATs and a linear layer that reads every token; a clip's logits are their mean (the fine-tuned form)."""

    def __init__(self, config: Config, classes: int):
        super().__init__()
        self.beats = BEATs(config)
        self.fc = nn.Linear(config.encoder_embed_dim, classes)

    def forward(
        self, features: Float[Tensor, "clips frames mels"], frames: Int[Tensor, "clips"] | None = None
    ) -> Float[Tensor, "clips classes"]:
        """Class scores. frames: as for `BEATs`."""
        scores = self.fc(self.beats(features, frames))
        if frames is None:
            return scores.mean(1)
        kept = ~self.beats.padding(features, frames)[..., None]
        return (scores * kept).sum(1) / kept.sum(1)


def features(waveforms: Float[Tensor, "clips samples"]) -> Float[Tensor, "clips frames mels"]:
    """BEATs' input: normalised log-mel of waveforms at 16 kHz; frames beyond the last whole patch are not used."""
    return (frontend.log_mel(waveforms, frontend.BEATS) - frontend.BEATS.mean) / (2 * frontend.BEATS.deviation)


def read_checkpoint(path: Path) -> tuple[Config, dict[str, Tensor], tuple[str, ...]]:
    """Configuration, weights under the names of `Classifier`, and class names (where known) of a checkpoint.

    path: a folder with config.json and model.safetensors; a safetensors file whose metadata holds `config`; or a torch
    checkpoint {"cfg", "model"}, which is read without running any code in it. A pre-trained network without classifier
    gives none of `fc.*`.
    Raises InputError for anything else, and where weights are missing, extra, mis-shaped or not finite.
    """
    path = Path(path).expanduser()
    settings, weights = _read_folder(path) if path.is_dir() else _read_file(path)
    config = config_from(settings)
    weights = _named(weights)
    _check(weights, config, path)
    return config, weights, tuple(settings.get("classes", ()))


def _read_folder(folder: Path) -> tuple[dict, dict[str, Tensor]]:
    missing = [name for name in ("config.json", "model.safetensors") if not (folder / name).is_file()]
    if missing:
        raise InputError(f"{folder} lacks {missing[0]}; expected a folder with config.json and model.safetensors.")
    settings = json.loads((folder / "config.json").read_text())
    if settings.get("model_type") != "beats":
        raise InputError(f"{folder} holds a {settings.get('model_type')!r} network; expected model_type 'beats'.")
    return settings, _read_safetensors(folder / "model.safetensors")[1]


def _read_file(path: Path) -> tuple[dict, dict[str, Tensor]]:
    if path.suffix == ".safetensors":
        metadata, weights = _read_safetensors(path)
        return json.loads(metadata.get("config", "{}")), weights
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
    if not isinstance(held, dict) or not {"cfg", "model"} <= held.keys():
        raise InputError(f"{path} is no BEATs checkpoint: expected a dictionary with 'cfg' and 'model'.")
    return dict(held["cfg"]), dict(held["model"])


def _read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}, {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} cannot be read as safetensors ({error}). Fetch or convert it anew.") from None


def _named(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights under the names of this module's networks, whatever form the checkpoint has."""
    weights = {name: value.float() for name, value in weights.items()}
    fine_tuned = any(name.startswith("fc.") for name in weights)
    if not fine_tuned:  # a pre-trained network, or one with the public checkpoints' own classifier
        weights = {name.replace("predictor.", "fc."): value for name, value in weights.items()}
        if "fc.weight" in weights:
            weights = {name if name.startswith("fc.") else f"beats.{name}": value for name, value in weights.items()}
    prefix = "beats." if "fc.weight" in weights else ""
    for name in [n for n in weights if n.endswith("relative_attention_bias.weight") and n != prefix + SHARED]:
        if torch.equal(weights[name], weights.get(prefix + SHARED, torch.empty(0))):
            del weights[name]  # public checkpoints repeat the one table in every block
    return weights


def make(config: Config, outputs: int, seed: int = 0) -> nn.Module:
    """A network with random weights: `Classifier`, or `BEATs` alone where there are no outputs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Classifier(config, outputs) if outputs else BEATs(config)


def _outputs(weights: Mapping[str, Tensor]) -> int:
    return len(weights["fc.weight"]) if "fc.weight" in weights else 0


def _check(weights: dict[str, Tensor], config: Config, path: Path) -> None:
    """Raises InputError, naming the first of them, where weights do not fit the network."""
    with torch.device("meta"):
        expected = {name: tuple(value.shape) for name, value in make(config, _outputs(weights)).state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
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


def save(folder: Path, config: Config, network: nn.Module, classes: Sequence[str] = (), *, half: bool = False) -> None:
    """Writes config.json and model.safetensors into `folder`; half: weights in half precision."""
    from safetensors.torch import save_file

    weights = {name: value.half() if half else value for name, value in network.state_dict().items()}
    write_atomically(folder / "model.safetensors", lambda path: save_file(weights, path))
    text = json.dumps({"model_type": "beats", **asdict(config), "classes": list(classes)}, indent=1) + "\n"
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
    Raises InputError where the checkpoint does not fit, or `classes` does not fit its classifier.
    """
    config, weights, own = read_checkpoint(Path(location))
    classes = tuple(own or classes)
    outputs = _outputs(weights)
    if outputs and len(classes) != outputs:
        raise InputError(f"{location} has {outputs} outputs but {len(classes)} class names; give them as `classes`.")

    def build() -> nn.Module:
        network = make(config, outputs, untrained_seed or 0)
        if untrained_seed is None:
            network.load_state_dict(weights)
        return network

    content = [
        config,
        classes,
        [[n, hashlib.sha256(w.numpy().tobytes()).hexdigest()] for n, w in sorted(weights.items())],
    ]
    return Target(
        name=name,
        layers=layers(config, outputs),
        classes=classes,
        sample_rate=frontend.SAMPLE_RATE,
        seconds=seconds,
        features=features,
        build=build,
        fingerprint=digest([*content[:2], f"untrained{untrained_seed}"] if untrained_seed is not None else content),
    )


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
        classes = own or tuple(given.classes.read_text().split("\n") if given.classes else ())
        network = make(config, _outputs(weights))
        network.load_state_dict(weights)
        save(given.folder, config, network, classes)
        load_beats(given.folder, classes=classes)  # what was saved must load
    except InputError as error:
        parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    main()
