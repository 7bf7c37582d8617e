"""Trains the small networks of profiles `mini` and `esc10`, seeded and resumable, with labels of folds 2-5 alone.

`python -m making.training ast --profile mini` makes `ast_mini`, `beats` the three BEATs of that profile;
`--profile esc10 --data-dir FOLDER` those for ESC-10. They appear in `cache/training/seed0/`; those of seed 0 are
copied to `weights/`. A killed training goes on where it was; a finished stage is not done again.
"""

import argparse
import json
import platform
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy, one_hot
from tqdm import trange

from andlib.networks import beats
from andlib.networks.beats_files import Config, read_checkpoint, save
from andlib.networks.checkpoints import load_target
from andlib.networks.families import ast_features
from andlib.paths import cache
from andlib.records import ProbingSet
from andlib.run import open_run
from andlib.store import digest, write_atomically
from making.pretraining import Pretraining, inputs, pretrain, synthesised
from making.progress import Progress


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


AST = {"mini": Recipe(2.0, 198, 120, dropout=0.0, mixup=0.2), "esc10": Recipe(5.0, 498, 70)}
# BEATs from labels, whether pre-trained or from scratch: one recipe for both, so that only the start differs
LABELLED = {"mini": Recipe(2.0, 198, 40, rate=2e-3, mixup=0.2), "esc10": Recipe(5.0, 498, 40, rate=2e-3)}
PRETRAINED = {"mini": Pretraining(), "esc10": Pretraining(steps=800)}
BEATS = Config(
    embed_dim=96,
    encoder_layers=4,
    encoder_embed_dim=96,
    encoder_ffn_embed_dim=384,
    encoder_attention_heads=4,
    conv_pos=32,
)


def make_ast(recipe: Recipe, classes: tuple[str, ...]):
    """A small AST: patches of 16 x 16 that do not overlap, `blocks` blocks of `width` channels."""
    from transformers import ASTConfig, ASTForAudioClassification

    config = ASTConfig(
        hidden_size=recipe.width,
        num_hidden_layers=recipe.blocks,
        num_attention_heads=4,
        intermediate_size=4 * recipe.width,
        hidden_dropout_prob=recipe.dropout,
        max_length=recipe.max_length,
        num_mel_bins=128,
        patch_size=16,
        frequency_stride=16,
        time_stride=16,
        id2label=dict(enumerate(classes)),
        label2id={name: i for i, name in enumerate(classes)},
    )
    return ASTForAudioClassification(config)


def augmented(x: torch.Tensor, y: torch.Tensor, recipe: Recipe, rng: np.random.Generator):
    """A batch rolled in time, with a masked band and interval a clip, and mixed with itself in another order."""
    x = x.clone()
    for i in range(len(x)):
        x[i] = x[i].roll(int(rng.integers(x.shape[1])), 0)
        band, frame = rng.integers(recipe.mask_bands), rng.integers(recipe.mask_frames)
        low, first = rng.integers(x.shape[2] - band), rng.integers(x.shape[1] - frame)
        x[i, :, low : low + band] = 0
        x[i, first : first + frame] = 0
    weight = torch.from_numpy(rng.beta(recipe.mixup, recipe.mixup, len(x)).astype(np.float32)).to(x.device)
    order = torch.from_numpy(rng.permutation(len(x))).to(x.device)
    mixed_x = weight[:, None, None] * x + (1 - weight[:, None, None]) * x[order]
    return mixed_x, weight[:, None] * y + (1 - weight[:, None]) * y[order]


def train(network: torch.nn.Module, features: torch.Tensor, labels: torch.Tensor, recipe: Recipe, state: Path):
    """Trains `network` in place and returns the mean loss of each epoch; resumes from the file `state`."""
    targets = one_hot(labels).float()
    optimiser = torch.optim.AdamW(network.parameters(), recipe.rate, weight_decay=recipe.decay)
    steps = len(features) // recipe.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, total_steps=recipe.epochs * steps, pct_start=0.1
    )
    progress = Progress(state, network, optimiser, schedule, np.random.default_rng(recipe.seed))
    network.train()
    for epoch in trange(progress.done, recipe.epochs, desc="training", unit="epoch"):
        order = torch.from_numpy(progress.rng.permutation(len(features)))[: steps * recipe.batch]
        for batch in order.split(recipe.batch):
            x, y = augmented(features[batch], targets[batch], recipe, progress.rng)
            progress.step(cross_entropy(scores(network, x), y, label_smoothing=recipe.smoothing))
        progress.save(epoch + 1)
    network.eval()
    return progress.losses(steps)


def scores(network: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Class scores, [clips, classes]; transformers' networks wrap them."""
    output = network(x)
    return getattr(output, "logits", output)


@torch.no_grad()
def accuracy(network: torch.nn.Module, features: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of clips whose largest logit is their class's."""
    found = torch.cat([scores(network, x).argmax(1) for x in features.split(64)])
    return (found == labels).float().mean().item()


@dataclass(frozen=True)
class Lesson:
    """What one network learns from: inputs [clips, frames, mels] and labels of all clips, and which of them it sees.

    held_out: the fold that teaches nothing.
    """

    profile: str
    probing_set: ProbingSet
    features: torch.Tensor
    held_out: int = 1

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
        held = json.loads(path.read_text()) if path.is_file() else {}
        made = held.get("recipe"), held.get("probing_set"), held.get("held_out", 1)  # older records are of fold 1
        return made == (recipe, self.probing_set.fingerprint, self.held_out)

    def record(self, network: torch.nn.Module, folder: Path, recipe: dict, losses: list[float], start: float) -> None:
        """Writes what was trained, how, and how well it does, beside the weights."""
        record = {
            "profile": self.profile,
            "recipe": recipe,
            "losses": [round(loss, 4) for loss in losses],
            "probing_set": self.probing_set.fingerprint,
            "held_out": self.held_out,
            "accuracy_held_out": accuracy(network, self.features[~self.seen], self.labels[~self.seen]),
            "accuracy_learnt": accuracy(network, self.features[self.seen], self.labels[self.seen]),
            "parameters": sum(p.numel() for p in network.parameters()),
            "seconds": round(time.perf_counter() - start),
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
        }
        text = json.dumps(record, indent=1) + "\n"
        write_atomically(folder / "record.json", lambda path: path.write_text(text))


def train_ast(lesson: Lesson, recipe: Recipe, out: Path) -> None:
    """Trains an AST and saves weights, configuration and record into `out`."""
    start, folder, settings = time.perf_counter(), out / f"ast_{lesson.profile}", asdict(recipe)
    if lesson.has(folder, settings):
        return
    torch.manual_seed(recipe.seed)
    network = make_ast(recipe, lesson.probing_set.classes)
    state = _state(folder, settings)
    losses = train(network, lesson.features[lesson.seen], lesson.labels[lesson.seen], recipe, state)
    network.half().save_pretrained(folder)
    lesson.record(load_target(folder, seconds=recipe.seconds).module, folder, settings, losses, start)
    _forget(folder)


def train_frozen(lesson: Lesson, recipe: Pretraining, out: Path) -> None:
    """beats_frozen: pre-trained without labels, and a linear classifier on its frozen tokens.

    On ESC-10, whose 320 clips are few, pre-training goes on from the network of profile mini, on clips of both.
    """
    start, folder = time.perf_counter(), out / f"beats_frozen_{lesson.profile}"
    settings = {**asdict(recipe), **asdict(BEATS)}
    if lesson.has(folder, settings):
        return
    network = beats.make(BEATS, 0, recipe.seed)
    corpora = [synthesised(recipe)]
    if lesson.profile != "mini":
        _, weights, _ = read_checkpoint(out / "beats_frozen_mini")
        network.load_state_dict({n.removeprefix("beats."): w for n, w in weights.items() if n.startswith("beats.")})
        corpora.append(lesson.features[lesson.seen])
    state = _state(folder, settings)
    losses = pretrain(network, corpora, recipe, state)
    _keep(with_linear(network, lesson), lesson, folder, settings, losses, start)
    _forget(folder)


def train_untrained(lesson: Lesson, seed: int, out: Path) -> None:
    """beats_untrained: random weights and a linear classifier on their frozen tokens, the floor of pre-training."""
    start, folder, settings = (
        time.perf_counter(),
        out / f"beats_untrained_{lesson.profile}",
        {"seed": seed, **asdict(BEATS)},
    )
    if not lesson.has(folder, settings):
        _keep(with_linear(beats.make(BEATS, 0, seed), lesson), lesson, folder, settings, [], start)


def train_labelled(lesson: Lesson, recipe: Recipe, out: Path, *, pretrained: bool) -> None:
    """beats_finetuned (from beats_frozen) or beats_supervised (from random weights): the whole network learns."""
    start, strategy = time.perf_counter(), "finetuned" if pretrained else "supervised"
    folder = out / f"beats_{strategy}_{lesson.profile}"
    settings = {**asdict(recipe), **asdict(BEATS)}
    if lesson.has(folder, settings):
        return
    network = beats.make(BEATS, len(lesson.probing_set.classes), recipe.seed)
    if pretrained:
        network.load_state_dict(read_checkpoint(out / f"beats_frozen_{lesson.profile}")[1])
    state = _state(folder, settings)
    losses = train(network, lesson.features[lesson.seen], lesson.labels[lesson.seen], recipe, state)
    _keep(network, lesson, folder, settings, losses, start)
    _forget(folder)


def _state(folder: Path, settings: dict) -> Path:
    """Where a training under these settings keeps its state; one under others is not mistaken for it."""
    return folder / f"{digest(settings)[:16]}.ckpt"


def _forget(folder: Path) -> None:
    """Removes the states of trainings that are over, also of those under recipes since changed."""
    for state in folder.glob("*.ckpt"):
        state.unlink()


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


def _keep(network: beats.Classifier, lesson: Lesson, folder: Path, *record) -> None:
    """Saves the network in half precision, and the record of what was saved, not of what was trained."""
    save(folder, BEATS, network.state_dict(), lesson.probing_set.classes, half=True)
    network.load_state_dict(read_checkpoint(folder)[1])
    lesson.record(network.eval(), folder, *record)


def train_strategies(profile: str, probing_set: ProbingSet, seed: int, out: Path | None = None) -> None:
    """BEATs under every strategy, into `out` (default: the cache), one folder each; what is there is not made again."""
    out = out or cache() / "training" / f"seed{seed}"
    lesson = Lesson(profile, probing_set, inputs(probing_set, LABELLED[profile].seconds))
    train_untrained(lesson, seed, out)
    train_frozen(lesson, replace(PRETRAINED[profile], seed=seed), out)
    for pretrained in (True, False):
        train_labelled(lesson, replace(LABELLED[profile], seed=seed), out, pretrained=pretrained)


def main() -> None:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=["ast", "beats"])
    parser.add_argument("--profile", choices=AST, default="mini")
    parser.add_argument("--data-dir", default="", help="folder with the recordings (esc10)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder for the networks; default: cache/training/seed<seed>")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    run = open_run({"profile": given.profile, "data_dir": given.data_dir})
    if given.model == "beats":
        return train_strategies(given.profile, run.probing_set, given.seed, given.out)
    recipe = replace(AST[given.profile], seed=given.seed)
    waves = run.probing_set.batches(16_000, recipe.seconds)
    x = torch.cat([ast_features(torch.from_numpy(batch), recipe.max_length) for batch in waves])
    out = given.out or cache() / "training" / f"seed{given.seed}"
    train_ast(Lesson(given.profile, run.probing_set, x), recipe, out)


if __name__ == "__main__":
    main()
