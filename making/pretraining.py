"""Self-supervised pre-training of a small BEATs: masked prediction of acoustic tokens, without any label.

As BEATs' first iteration (Chen et al. 2023): a random projection turns each patch into a token, the encoder sees the
patches that are not masked, and a small predictor says which tokens the masked ones have."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from andlib.mini.synthesis import synthesc
from andlib.networks.beats import BEATs, Encoder
from andlib.networks.families import beats_features
from andlib.records import ProbingSet
from making.progress import Progress

FRAMES = 198  # of the 2-s pieces that it learns from
PATCH, MELS = 16, 128


@dataclass(frozen=True)
class Pretraining:
    """How a network is pre-trained."""

    steps: int = 1600
    batch: int = 32
    rate: float = 1e-3
    decay: float = 0.05
    masked: float = 0.6
    books: int = 4
    codes: int = 256
    dimensions: int = 16
    corpus: list[int] = field(default_factory=lambda: list(range(100, 108)))  # SynthESC's seeds, none probed
    seed: int = 0


def synthesised(recipe: Pretraining) -> Tensor:
    """Inputs of fresh SynthESC clips, every one from a source of its own; float16 [clips, frames, mels]."""
    sets = (synthesc(seed=seed, sources_per_fold=8, variants=1) for seed in recipe.corpus)
    return torch.cat([inputs(probing_set, 2.0).half() for probing_set in sets])


def inputs(probing_set: ProbingSet, seconds: float, front_end: Callable[[Tensor], Tensor] = beats_features) -> Tensor:
    """A network's inputs of all clips, BEATs' by default; float32 [clips, frames, mels]."""
    return torch.cat([front_end(torch.from_numpy(batch)) for batch in probing_set.batches(16_000, seconds)])


def patches(x: Tensor) -> Tensor:
    """[clips, frames, mels] -> [clips, steps, bands, values of a patch], in the order of BEATs' tokens."""
    return x.unfold(1, PATCH, PATCH).unfold(2, PATCH, PATCH).flatten(3)


class Tokenizer:
    """Random-projection tokenizer: each patch, standardised by its band's mean and deviation, is projected at random
    and takes the number of the nearest of random unit vectors; `books` times over."""

    def __init__(self, recipe: Pretraining, sample: Tensor, rng: torch.Generator):
        values = patches(sample.float())
        self.mean, self.deviation = values.mean((0, 1)), values.std((0, 1)) + 1e-5
        self.projection = torch.randn(PATCH * PATCH, recipe.books, recipe.dimensions, generator=rng)
        self.vectors = normalize(torch.randn(recipe.books, recipe.codes, recipe.dimensions, generator=rng), dim=-1)

    def __call__(self, x: Tensor) -> Tensor:
        """Tokens of inputs [clips, frames, mels]; int [clips, tokens, books]."""
        values = ((patches(x) - self.mean) / self.deviation).flatten(1, 2)
        projected = normalize(torch.einsum("ctv,vbd->ctbd", values, self.projection), dim=-1)
        return torch.einsum("ctbd,bnd->ctbn", projected, self.vectors).argmax(-1)


class MaskedPrediction(nn.Module):
    """The encoder on the visible patches, and the predictor that fills in the others."""

    def __init__(self, beats: BEATs, recipe: Pretraining):
        super().__init__()
        width = beats.config.encoder_embed_dim
        self.beats, self.books = beats, recipe.books
        self.predictor = Encoder(replace(beats.config, encoder_layers=1))
        self.mask = nn.Parameter(torch.zeros(width))
        self.head = nn.Linear(width, recipe.books * recipe.codes)

    def forward(self, x: Tensor, masked: np.ndarray) -> Tensor:
        """Scores of every code at the masked tokens: [clips, masked, books, codes]. masked: bool [tokens]."""
        visible, hidden = (torch.from_numpy(np.flatnonzero(where)) for where in (~masked, masked))
        tokens = self.beats.embed(x).index_fill(1, hidden, 0.0)
        encoded = self.beats.encoder.blocks(self.beats.encoder.place(tokens)[:, visible], visible)
        filled = self.mask.expand(*tokens.shape).index_copy(1, visible, encoded)
        return self.head(self.predictor(filled)[:, hidden]).unflatten(-1, (self.books, -1))


def batches(corpora: list[Tensor], size: int, rng: np.random.Generator) -> Iterator[Tensor]:
    """Endless batches of 2-s pieces rolled in time, as many from each corpus."""
    while True:
        pieces = []
        for corpus in corpora:
            for i in rng.integers(len(corpus), size=size // len(corpora)):
                first = rng.integers(corpus.shape[1] - FRAMES + 1)
                pieces.append(corpus[i, first : first + FRAMES].float().roll(int(rng.integers(FRAMES)), 0))
        yield torch.stack(pieces)


def pretrain(beats: BEATs, corpora: list[Tensor], recipe: Pretraining, state: Path) -> list[float]:
    """Pre-trains `beats` in place, resuming from the file `state`; gives the mean loss of every hundredth of it.
    corpora: inputs, each [clips, frames, mels], drawn from equally."""
    sample = torch.cat([corpus[:2000, :FRAMES] for corpus in corpora])
    tokenizer = Tokenizer(recipe, sample, torch.Generator().manual_seed(recipe.seed))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = MaskedPrediction(beats, recipe)
    progress = Progress(state, network, recipe, recipe.steps, betas=(0.9, 0.98))
    drawn = batches(corpora, recipe.batch, progress.rng)
    tokens = FRAMES // PATCH * (MELS // PATCH)
    count = max(1, recipe.steps // 100)
    for _ in progress.left(recipe.steps, "step", every=count):
        x = next(drawn)
        masked = progress.rng.permutation(tokens) < round(recipe.masked * tokens)
        scores = network(x, masked)
        wanted = tokenizer(x)[:, torch.from_numpy(masked)]
        progress.step([cross_entropy(scores.flatten(0, 2), wanted.flatten())])
    return progress.losses(count)
