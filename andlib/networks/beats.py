"""The network BEATs (Chen et al. 2023). Its input: `families.beats_features`; its checkpoints: `beats_files`."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import conv1d, gelu, scaled_dot_product_attention

if TYPE_CHECKING:
    from andlib.networks.beats_files import Config


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

    def __init__(self, config: "Config", first: bool):
        super().__init__()
        width, self.heads = config.encoder_embed_dim, config.encoder_attention_heads
        self.k_proj, self.v_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.q_proj, self.out_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.grep_linear = nn.Linear(width // self.heads, 8)
        self.grep_a = nn.Parameter(torch.ones(1, self.heads, 1, 1))
        if first:  # one table for all blocks
            self.relative_attention_bias = nn.Embedding(config.num_buckets, self.heads)
            nn.init.xavier_normal_(self.relative_attention_bias.weight)

    def forward(self, x: Float[Tensor, "clips tokens width"], bias: Tensor) -> Tensor:
        projections = (self.q_proj, self.k_proj, self.v_proj)
        q, k, v = (project(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for project in projections)
        a, b = self.grep_linear(q).unflatten(-1, (2, 4)).sum(-1).sigmoid().split(1, -1)
        bias = (a * (b * self.grep_a - 1) + 2) * bias  # [clips, heads, tokens, tokens]
        return self.out_proj(scaled_dot_product_attention(q, k, v, attn_mask=bias).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and two linear layers, each added to a scaled residual and normalised after."""

    def __init__(self, config: "Config", first: bool):
        super().__init__()
        width, inner = config.encoder_embed_dim, config.encoder_ffn_embed_dim
        self.alpha = (2 * config.encoder_layers) ** 0.25
        self.self_attn, self.self_attn_layer_norm = Attention(config, first), nn.LayerNorm(width)
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        x = self.self_attn_layer_norm(self.alpha * x + self.self_attn(x, bias))
        return self.final_layer_norm(self.alpha * x + self.fc2(gelu(self.fc1(x))))


class Encoder(nn.Module):
    """Position convolution and the blocks."""

    def __init__(self, config: "Config"):
        super().__init__()
        self.config = config
        width = config.encoder_embed_dim
        self.pos_conv = nn.Sequential(PositionConvolution(width, config.conv_pos, config.conv_pos_groups))
        self.layer_norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(Block(config, first=i == 0) for i in range(config.encoder_layers))

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.place(x), torch.arange(x.shape[1], device=x.device))

    def place(self, x: Tensor) -> Tensor:
        """Tokens that know their surroundings, and so their position."""
        return self.layer_norm(x + self.pos_conv(x))

    def blocks(self, x: Tensor, position: Int[Tensor, "tokens"]) -> Tensor:
        distance = bucket(position - position[:, None], self.config.num_buckets, self.config.max_distance)
        bias = self.layers[0].self_attn.relative_attention_bias(distance).permute(2, 0, 1)
        for layer in self.layers:
            x = layer(x, bias)
        return x


def bucket(distance: Int[Tensor, "queries keys"], buckets: int, farthest: int) -> Int[Tensor, "queries keys"]:
    """Which entry of the table of relative positions serves key j minus query i: half of them for j > i; in each half
    exact for near tokens, logarithmic for others, the last for all beyond `farthest`."""
    half, exact = buckets // 2, buckets // 4
    size = distance.abs()
    ratio = size.clamp_min(1).float().div(exact).log() / torch.tensor(farthest / exact).log()
    far = (exact + (ratio * (half - exact)).long()).clamp_max(half - 1)
    return (distance > 0) * half + torch.where(size < exact, size, far)


class BEATs(nn.Module):
    """BEATs without a classifier: normalised log-mel in, tokens out. Parameter names are the public checkpoints'."""

    def __init__(self, config: "Config"):
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

    def forward(self, features: Float[Tensor, "clips frames mels"]) -> Float[Tensor, "clips tokens width"]:
        return self.encoder(self.embed(features))


class Classifier(nn.Module):
    """BEATs and a linear layer that reads every token; a clip's logits are their mean (the fine-tuned form)."""

    def __init__(self, config: "Config", classes: int):
        super().__init__()
        self.beats = BEATs(config)
        self.fc = nn.Linear(config.encoder_embed_dim, classes)

    def forward(self, features: Float[Tensor, "clips frames mels"]) -> Float[Tensor, "clips classes"]:
        return self.fc(self.beats(features)).mean(1)


def make(config: "Config", outputs: int, seed: int = 0) -> nn.Module:
    """A network with random weights: `Classifier`, or `BEATs` alone where there are no outputs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Classifier(config, outputs) if outputs else BEATs(config)
