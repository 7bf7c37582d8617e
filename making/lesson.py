"""What a network learns from, and how: recipes, augmentation, and the loop that trains on folds 2-5 of a profile."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch.nn.functional import cross_entropy, one_hot

from andlib.errors import InputError, first_line
from andlib.records import ProbingSet
from making.progress import Progress, finish, state_of


@dataclass(frozen=True)
class Recipe:
    """How one network is trained; its fields go into the record beside the weights."""

    seconds: float
    max_length: int
    epochs: int
    width: int = 96
    blocks: int = 4
    batch: int = 16
    rate: float = 1e-3
    decay: float = 0.05
    mixup: float = 0.3
    smoothing: float = 0.1
    dropout: float = 0.1
    mask_bands: int = 24
    mask_frames: int = 30
    seed: int = 0
    teacher: ClassVar[float] = 0.0
    precision: ClassVar[str] = "float32"  # of the network's products; a recipe of its own kind may state another
    at_once: ClassVar[int] = 0  # clips that a pass takes, where memory asks for fewer than a batch has


@dataclass(frozen=True)
class Taught(Recipe):
    """As Recipe. teacher: the share of a teacher's word in what is learnt; the rest are the labels."""

    teacher: float = 0.5


def augmented(x: torch.Tensor, y: torch.Tensor, recipe: Recipe, rng: np.random.Generator):
    """A batch rolled in time, with a masked band and interval a clip, and mixed with itself in another order."""
    x = x.clone()
    for clip in x:
        clip[:] = clip.roll(int(rng.integers(len(clip))), 0)
        mask(clip, 0, recipe, rng)
    weight = torch.from_numpy(rng.beta(recipe.mixup, recipe.mixup, len(x)).astype(np.float32))
    order = torch.from_numpy(rng.permutation(len(x)))
    mixed_x = weight[:, None, None] * x + (1 - weight[:, None, None]) * x[order]
    return mixed_x, weight[:, None] * y + (1 - weight[:, None]) * y[order]


def mask(clip: torch.Tensor, value: float | torch.Tensor, recipe, rng: np.random.Generator) -> None:
    """Sets a band and an interval of a clip [frames, mels] to a value, in place; at most as wide as the recipe says."""
    frames, mels = clip.shape
    band, frame = rng.integers(recipe.mask_bands), rng.integers(recipe.mask_frames)
    low, first = rng.integers(mels - band), rng.integers(frames - frame)
    clip[:, low : low + band] = value
    clip[first : first + frame] = value


def scores(network: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Class scores, [clips, classes]; transformers' networks wrap them."""
    output = network(x.to(next(network.parameters()).device))
    return getattr(output, "logits", output)


@dataclass(frozen=True)
class Lesson:
    """What one network learns from: inputs and labels of all clips, and which of them it sees."""

    profile: str
    probing_set: ProbingSet
    features: torch.Tensor  # [clips, frames, mels]
    held_out: int = 1  # the fold that teaches nothing
    taught: torch.Tensor | None = None  # a teacher's class probabilities [clips, classes], where a recipe asks for one
    device: str = "cpu"  # that the network learns on

    @property
    def labels(self) -> torch.Tensor:
        """Class numbers of all clips."""
        return torch.from_numpy(self.probing_set.labels)

    @property
    def seen(self) -> torch.Tensor:
        """Which clips may be learnt from: all but the fold held out."""
        return torch.from_numpy(self.probing_set.folds != self.held_out)

    @torch.no_grad()
    def accuracy(self, network: torch.nn.Module, clips: torch.Tensor) -> float:
        """Share of some clips, bool [clips], whose largest logit is their class's."""
        network.to(self.device)
        likeliest = torch.cat([scores(network, x.float()).argmax(1).cpu() for x in self.features[clips].split(64)])
        network.cpu()
        return (likeliest == self.labels[clips]).float().mean().item()

    def teach(self, network: torch.nn.Module, recipe: Recipe, state: Path) -> list[float]:
        """Trains `network` in place on the clips that are seen, resuming from the file `state`; mean loss by epoch."""
        features, targets = self.features[self.seen], one_hot(self.labels[self.seen]).float()
        if recipe.teacher:
            targets = torch.lerp(targets, self.taught[self.seen], recipe.teacher)
        steps, size = len(features) // recipe.batch, recipe.at_once or recipe.batch
        progress = Progress(state, network.to(self.device), recipe, recipe.epochs * steps)
        for batch in progress.batches(len(features)):
            x, y = augmented(features[batch].float(), targets[batch], recipe, progress.rng)
            try:
                progress.step(losses(network, x, y, recipe))
            except torch.OutOfMemoryError as error:
                short = f"{self.device} lacks the memory for {size} clips ({first_line(error)})"
                raise InputError(f"{short}. Give fewer, as --at-once, or free it, and run again.") from None
        network.cpu()
        return progress.losses(steps)


def losses(network: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, recipe: Recipe) -> Iterator[torch.Tensor]:
    """The loss of a batch in parts, a pass each, which add up to its mean over clips."""
    size = recipe.at_once or len(x)
    device = next(network.parameters()).device
    for part, wanted in zip(x.split(size), y.split(size), strict=True):
        with torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            predicted = scores(network, part).float()
        loss = cross_entropy(predicted, wanted.to(device), label_smoothing=recipe.smoothing)
        yield loss * (len(part) / len(x))


def make(lesson: Lesson, name: str, settings: dict, out: Path, learn: Callable, keep: Callable) -> Path:
    """Trains a network and saves it and its record in a folder of `out`, unless it holds what these settings made of
    this probing set without this fold; gives the folder.

    learn: takes the file of the training's state; gives the network and what its record says of the training. keep:
    takes the network and the folder; saves it in half precision and gives what was saved, which is tested."""
    begun, folder = time.perf_counter(), out / f"{name}_{lesson.profile}"
    file = folder / "record.json"
    record = json.loads(file.read_text()) if file.is_file() else {}
    made = record.get("recipe"), record.get("probing_set"), record.get("held_out", 1)  # older ones are of fold 1
    if made == (json.loads(json.dumps(settings)), lesson.probing_set.fingerprint, lesson.held_out):
        return folder
    network, told = learn(state_of(folder, settings))
    network = keep(network, folder)
    about = {"profile": lesson.profile, "recipe": settings, "probing_set": lesson.probing_set.fingerprint}
    about |= {"held_out": lesson.held_out, "accuracy_held_out": lesson.accuracy(network, ~lesson.seen)}
    about["accuracy_learnt"] = lesson.accuracy(network, lesson.seen)
    finish(file, network, begun, **about, **told)
    return folder
