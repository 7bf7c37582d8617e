"""Trains the small networks of profiles `mini` and `esc10`, seeded, on folds 2-5 alone.

`python -m andlib.mini.training ast --profile mini` rewrites `weights/ast_mini/`;
`--profile esc10 --data-dir FOLDER` the one for ESC-10.
"""

import argparse
import json
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy, one_hot
from tqdm import tqdm

from andlib.paths import WEIGHTS
from andlib.records import ProbingSet
from andlib.targets import ast_features, load_ast


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


RECIPES = {"mini": Recipe(2.0, 198, 120, dropout=0.0, mixup=0.2), "esc10": Recipe(5.0, 498, 70)}


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


def train(network, features: torch.Tensor, labels: torch.Tensor, recipe: Recipe):
    """Trains `network` in place and returns the mean loss of each epoch."""
    rng = np.random.default_rng(recipe.seed)
    targets = one_hot(labels, network.config.num_labels).float()
    optimiser = torch.optim.AdamW(network.parameters(), recipe.rate, weight_decay=recipe.decay)
    steps = recipe.epochs * (len(features) // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.rate, total_steps=steps, pct_start=0.1)
    losses = []
    network.train()
    for _ in tqdm(range(recipe.epochs), desc="training", unit="epoch"):
        order = torch.from_numpy(rng.permutation(len(features)))[: steps // recipe.epochs * recipe.batch]
        total = 0.0
        for batch in order.split(recipe.batch):
            x, y = augmented(features[batch], targets[batch], recipe, rng)
            loss = cross_entropy(network(x).logits, y, label_smoothing=recipe.smoothing)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += loss.item()
        losses.append(total / (steps // recipe.epochs))
    network.eval()
    return losses


@torch.no_grad()
def accuracy(network, features: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of clips whose largest logit is their class's."""
    logits = torch.cat([network(x).logits for x in features.split(64)])
    return (logits.argmax(1) == labels).float().mean().item()


def train_ast(profile: str, probing_set: ProbingSet, recipe: Recipe, folder: Path, device: str = "cpu") -> dict:
    """Trains on folds 2-5, saves weights, configuration and record into `folder`, and returns the record."""
    start = time.perf_counter()
    torch.manual_seed(recipe.seed)
    network = make_ast(recipe, probing_set.classes).to(device)
    batches = probing_set.batches(16_000, recipe.seconds)
    features = torch.cat([ast_features(torch.from_numpy(batch), recipe.max_length) for batch in batches]).to(device)
    labels = torch.from_numpy(probing_set.labels).to(device)
    seen = torch.from_numpy(probing_set.folds != 1)
    losses = train(network, features[seen], labels[seen], recipe)
    network.save_pretrained(folder)
    record = {
        "profile": profile,
        "recipe": asdict(recipe),
        "probing_set": probing_set.fingerprint,
        "accuracy_fold_1": accuracy(network, features[~seen], labels[~seen]),
        "accuracy_folds_2_5": accuracy(network, features[seen], labels[seen]),
        "parameters": sum(p.numel() for p in network.parameters()),
        "final_loss": losses[-1],
        "seconds": round(time.perf_counter() - start),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    (folder / "record.json").write_text(json.dumps(record, indent=1) + "\n")
    load_ast(folder, seconds=recipe.seconds)  # what was saved must load
    return record


def main() -> None:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=["ast"])
    parser.add_argument("--profile", choices=RECIPES, default="mini")
    parser.add_argument("--data-dir", default="", help="folder with the recordings (esc10)")
    parser.add_argument("--out", default="", help="folder for the weights; default: those of the package")
    parser.add_argument("--epochs", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    recipe = RECIPES[arguments.profile]
    if arguments.epochs:
        recipe = Recipe(**{**asdict(recipe), "epochs": arguments.epochs})
    if arguments.profile == "mini":
        from andlib.mini.synthesis import synthesc

        probing_set = synthesc()
    else:
        from andlib.probing import open_folder

        probing_set = open_folder(arguments.data_dir, subset="esc10")
    folder = Path(arguments.out or WEIGHTS / f"{arguments.model}_{arguments.profile}")
    print(json.dumps(train_ast(arguments.profile, probing_set, recipe, folder), indent=1))


if __name__ == "__main__":
    main()
