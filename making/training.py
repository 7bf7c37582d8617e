"""Trains the small networks of profiles `mini` and `esc50`, seeded and resumable, with labels of folds 2-5 alone.

`python -m making.training ast --profile mini` makes `ast_mini`, `beats` the BEATs of that profile under each strategy;
`--profile esc50 --data-dir FOLDER` those for ESC-50. They appear in `cache/training/seed0/`; those of seed 0 are
copied to `weights/`. A killed training goes on where it was; a finished stage is not done again."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy, interpolate, one_hot

from andlib import paths
from andlib.networks import beats
from andlib.networks.beats_files import Config, read_checkpoint, save
from andlib.networks.checkpoints import load_target
from andlib.networks.families import ast_features
from andlib.records import ProbingSet
from making.command import TRAINING, asked, trained
from making.pretraining import Pretraining, inputs, pretrain, synthesised
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


@dataclass(frozen=True)
class Taught(Recipe):
    """As Recipe. teacher: the share of a teacher's word in what is learnt; the rest are the labels."""

    teacher: float = 0.5


TEACHER = "teacher.safetensors"  # what `making.whisper` says of clips that it did not learn from
AST = {"mini": Recipe(2.0, 198, 120, dropout=0.0, mixup=0.2), "esc50": Taught(5.0, 498, 60, dropout=0.0)}
# BEATs from labels, whether pre-trained or from scratch: one recipe for both, so that only the start differs
LABELLED = {"mini": Recipe(2.0, 198, 40, rate=2e-3, mixup=0.2), "esc50": Recipe(5.0, 498, 60, rate=2e-3)}
PRETRAINED = {"mini": Pretraining(), "esc50": Pretraining(steps=3200)}
WIDTHS = {"embed_dim": 96, "encoder_embed_dim": 96, "encoder_ffn_embed_dim": 384}
BEATS = Config(encoder_layers=4, encoder_attention_heads=4, conv_pos=32, **WIDTHS)


def make_ast(recipe: Recipe, classes: tuple[str, ...]):
    """A small AST: patches of 16 x 16 that do not overlap, `blocks` blocks of `width` channels."""
    from transformers import ASTConfig, ASTForAudioClassification

    size = {"hidden_size": recipe.width, "intermediate_size": 4 * recipe.width, "num_hidden_layers": recipe.blocks}
    size |= {"num_attention_heads": 4, "max_length": recipe.max_length, "num_mel_bins": 128}
    patch = dict.fromkeys(["patch_size", "frequency_stride", "time_stride"], 16)
    names = {"id2label": dict(enumerate(classes)), "label2id": {name: i for i, name in enumerate(classes)}}
    return ASTForAudioClassification(ASTConfig(**size, **patch, **names, hidden_dropout_prob=recipe.dropout))


def begin_as(network: torch.nn.Module, small: torch.nn.Module) -> None:
    """Gives an AST all but the classifier of another that heard shorter clips: its places in time are stretched."""
    name = "audio_spectrogram_transformer.embeddings.position_embeddings"
    own = {key: values for key, values in small.state_dict().items() if not key.startswith("classifier.dense")}
    bands, tokens = (network.config.num_mel_bins - 16) // 16 + 1, network.state_dict()[name].shape[1] - 2
    places = own[name][:, 2:].unflatten(1, (bands, -1)).permute(0, 3, 1, 2)  # [1, width, bands, steps]
    stretched = interpolate(places, (bands, tokens // bands), mode="bilinear").flatten(2).mT
    own[name] = torch.cat([own[name][:, :2], stretched], 1)
    network.load_state_dict({**network.state_dict(), **own})


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
    output = network(x)
    return getattr(output, "logits", output)


@dataclass(frozen=True)
class Lesson:
    """What one network learns from: inputs [clips, frames, mels] and labels of all clips, and which of them it sees.
    held_out: the fold that teaches nothing. taught: a teacher's class probabilities [clips, classes], where a recipe
    asks for one. device: that the network learns on."""

    profile: str
    probing_set: ProbingSet
    features: torch.Tensor
    held_out: int = 1
    taught: torch.Tensor | None = None
    device: str = "cuda" if torch.cuda.is_available() else "cpu"

    @property
    def labels(self) -> torch.Tensor:
        """Class numbers of all clips."""
        return torch.from_numpy(self.probing_set.labels)

    @property
    def seen(self) -> torch.Tensor:
        """Which clips may be learnt from: all but the fold held out."""
        return torch.from_numpy(self.probing_set.folds != self.held_out)

    def has(self, folder: Path, recipe: dict) -> bool:
        """Whether `folder` holds a network that this recipe made of this probing set without this fold."""
        path = folder / "record.json"
        record = json.loads(path.read_text()) if path.is_file() else {}
        made = record.get("recipe"), record.get("probing_set"), record.get("held_out", 1)  # older ones are of fold 1
        return made == (json.loads(json.dumps(recipe)), self.probing_set.fingerprint, self.held_out)

    @torch.no_grad()
    def accuracy(self, network: torch.nn.Module, clips: torch.Tensor) -> float:
        """Share of some clips, bool [clips], whose largest logit is their class's."""
        likeliest = torch.cat([scores(network, x.float()).argmax(1) for x in self.features[clips].split(64)])
        return (likeliest == self.labels[clips]).float().mean().item()

    def teach(self, network: torch.nn.Module, recipe: Recipe, state: Path) -> list[float]:
        """Trains `network` in place on the clips that are seen, resuming from the file `state`; mean loss by epoch."""
        features, targets = self.features[self.seen], one_hot(self.labels[self.seen]).float()
        if recipe.teacher:
            targets = torch.lerp(targets, self.taught[self.seen], recipe.teacher)
        steps = len(features) // recipe.batch
        progress = Progress(state, network.to(self.device), recipe, recipe.epochs * steps)
        for batch in progress.batches(len(features)):
            x, y = augmented(features[batch].float(), targets[batch], recipe, progress.rng)
            with torch.autocast(self.device, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
                predicted = scores(network, x.to(self.device)).float()
            progress.step(cross_entropy(predicted, y.to(self.device), label_smoothing=recipe.smoothing))
        network.cpu()
        return progress.losses(steps)


def make(lesson: Lesson, name: str, settings: dict, out: Path, learn: Callable, keep: Callable) -> None:
    """Trains a network and saves it and its record in a folder of `out`, unless it is there already. learn: takes the
    file of the training's state; gives the network and what its record says of the training. keep: takes the network
    and the folder; saves it in half precision and gives what was saved, whose accuracies the record states."""
    begun, folder = time.perf_counter(), out / f"{name}_{lesson.profile}"
    if lesson.has(folder, settings):
        return
    network, told = learn(state_of(folder, settings))
    network = keep(network, folder)
    about = {"profile": lesson.profile, "recipe": settings, "probing_set": lesson.probing_set.fingerprint}
    about |= {"held_out": lesson.held_out, "accuracy_held_out": lesson.accuracy(network, ~lesson.seen)}
    about["accuracy_learnt"] = lesson.accuracy(network, lesson.seen)
    finish(folder / "record.json", network, begun, **about, **told)


def train_ast(lesson: Lesson, recipe: Recipe, out: Path, name: str = "ast") -> None:
    """Saves weights, configuration and record of a trained AST. On ESC-50, of few clips, it begins as mini's."""

    def learn(state: Path):
        torch.manual_seed(recipe.seed)
        network = make_ast(recipe, lesson.probing_set.classes)
        if lesson.profile != "mini":
            begin_as(network, load_target(paths.WEIGHTS / "mini" / "ast").module)
        return network, {"losses": lesson.teach(network, recipe, state)}

    def keep(network, folder: Path):
        network.half().save_pretrained(folder)
        return load_target(folder, seconds=recipe.seconds).module

    make(lesson, name, asdict(recipe), out, learn, keep)


def make_beats(lesson: Lesson, strategy: str, settings: dict, out: Path, learn: Callable) -> None:
    """As `make`, for a BEATs trained by a strategy."""

    def keep(network: beats.Classifier, folder: Path) -> beats.Classifier:
        save(folder, BEATS, network.state_dict(), lesson.probing_set.classes, half=True)
        network.load_state_dict(read_checkpoint(folder)[1])
        return network.eval()

    make(lesson, f"beats_{strategy}", {**settings, **asdict(BEATS)}, out, learn, keep)


def train_frozen(lesson: Lesson, recipe: Pretraining, out: Path) -> None:
    """beats_frozen: pre-trained without labels, and a linear classifier on its frozen tokens. On ESC-50, whose 1600
    clips are few, pre-training goes on from the network of profile mini, on clips of both."""

    def learn(state: Path):
        network, corpora = beats.make(BEATS, 0, recipe.seed), [synthesised(recipe)]
        if lesson.profile != "mini":
            _, weights, _ = read_checkpoint(out / "beats_frozen_mini")
            network.load_state_dict({n.removeprefix("beats."): w for n, w in weights.items() if n.startswith("beats.")})
            corpora.append(lesson.features[lesson.seen])
        losses = pretrain(network, corpora, recipe, state)
        return with_linear(network, lesson), {"losses": losses}

    make_beats(lesson, "frozen", asdict(recipe), out, learn)


def train_untrained(lesson: Lesson, seed: int, out: Path) -> None:
    """beats_untrained, the floor of pre-training: random features under a trained linear classifier."""
    network = beats.make(BEATS, 0, seed)
    make_beats(lesson, "untrained", {"seed": seed}, out, lambda _: (with_linear(network, lesson), {"losses": []}))


def train_labelled(lesson: Lesson, recipe: Recipe, out: Path, *, pretrained: bool) -> None:
    """beats_finetuned (from beats_frozen) or beats_supervised (from random weights): the whole network learns."""

    def learn(state: Path):
        network = beats.make(BEATS, len(lesson.probing_set.classes), recipe.seed)
        if pretrained:
            network.load_state_dict(read_checkpoint(out / f"beats_frozen_{lesson.profile}")[1])
        return network, {"losses": lesson.teach(network, recipe, state)}

    make_beats(lesson, "finetuned" if pretrained else "supervised", asdict(recipe), out, learn)


def with_linear(network: beats.BEATs, lesson: Lesson) -> beats.Classifier:
    """The network, its weights rounded to half precision as they are kept, with a linear classifier on its frozen
    tokens: logistic regression on the mean token of each clip of folds 2-5."""
    classifier = beats.make(network.config, len(lesson.probing_set.classes))
    classifier.beats.load_state_dict({name: value.half().float() for name, value in network.state_dict().items()})
    classifier.eval()
    classifier.fc.weight.data, classifier.fc.bias.data = linear_probe(classifier.beats, lesson)
    return classifier


def linear_probe(network: beats.BEATs, lesson: Lesson) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of a linear classifier on each clip's mean token, standardised; learnt on folds 2-5."""
    from sklearn.linear_model import LogisticRegression

    with torch.no_grad():
        x = torch.cat([network(batch).mean(1) for batch in lesson.features[lesson.seen].split(64)])
    mean, deviation = x.mean(0), x.std(0) + 1e-6
    model = LogisticRegression(max_iter=5000).fit(((x - mean) / deviation).numpy(), lesson.labels[lesson.seen].numpy())
    weight = (torch.from_numpy(model.coef_).float() / deviation).contiguous()
    return weight, torch.from_numpy(model.intercept_).float() - weight @ mean


def train_strategies(profile: str, probing_set: ProbingSet, seed: int, out: Path) -> None:
    """BEATs under every strategy, into `out`, one folder each; what is there is not made again."""
    recipe = replace(LABELLED[profile], seed=seed)
    lesson = Lesson(profile, probing_set, inputs(probing_set, recipe.seconds))
    train_untrained(lesson, seed, out)
    train_frozen(lesson, replace(PRETRAINED[profile], seed=seed), out)
    for pretrained in (True, False):
        train_labelled(lesson, recipe, out, pretrained=pretrained)


def main() -> None:
    run, given = asked("Trains the small networks again.", model="ast", which=("ast", "beats"), **TRAINING)
    torch.set_num_threads(given.threads)
    out = given.out or trained(given.seed)
    if given.which == "beats":
        return train_strategies(given.profile, run.probing_set, given.seed, out)
    recipe = replace(AST[given.profile], seed=given.seed)
    features = inputs(run.probing_set, recipe.seconds, lambda waves: ast_features(waves, recipe.max_length))
    lesson = Lesson(given.profile, run.probing_set, features)
    if recipe.teacher:
        train_ast(lesson, replace(recipe, teacher=0.0), out, "ast_alone")
        lesson = replace(lesson, taught=load_file(out / TEACHER)["probabilities"])
    train_ast(lesson, recipe, out)


if __name__ == "__main__":
    main()
