"""Trains the small networks of profiles `mini` and `esc50`, seeded and resumable, with labels of folds 2-5 alone.

`python -m making.training ast --profile mini` makes `ast_mini`, `beats` the BEATs of that profile under each strategy;
`--profile esc50 --data-dir FOLDER` those for ESC-50. They appear in `cache/training/seed0/`; those of seed 0 are
copied to `weights/`. A killed training goes on where it was; a finished stage is not done again."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from sklearn.linear_model import LogisticRegression
from torch.nn.functional import interpolate

from andlib import paths
from andlib.networks import beats
from andlib.networks.beats_files import Config, read_checkpoint, save
from andlib.networks.checkpoints import load_target
from andlib.networks.families import ast_features, beats_features
from andlib.run import Run
from making.command import TRAINING, asked, trained
from making.lesson import Lesson, Recipe, Taught, make
from making.pretraining import Pretraining, inputs, pretrain, synthesised

TEACHER = "teacher.safetensors"  # what `making.whisper` says of clips that it did not learn from
AST = {"mini": Recipe(2.0, 198, 120, dropout=0.0, mixup=0.2), "esc50": Taught(5.0, 498, 60, dropout=0.0)}
# BEATs from labels, whether pre-trained or from scratch: one recipe for both, so that only the start differs
LABELLED = {"mini": Recipe(2.0, 198, 40, rate=2e-3, mixup=0.2), "esc50": Recipe(5.0, 498, 60, rate=2e-3)}
PRETRAINED = {"mini": Pretraining(), "esc50": Pretraining(steps=3200)}
WIDTHS = {"embed_dim": 96, "encoder_embed_dim": 96, "encoder_ffn_embed_dim": 384}
BEATS = Config(encoder_layers=4, encoder_attention_heads=4, conv_pos=32, **WIDTHS)


def small_ast(recipe: Recipe) -> dict[str, Any]:
    """The size of a small AST: patches of 16 x 16 that do not overlap, `blocks` blocks of `width` channels."""
    size = {"hidden_size": recipe.width, "intermediate_size": 4 * recipe.width, "num_hidden_layers": recipe.blocks}
    size |= dict.fromkeys(["patch_size", "frequency_stride", "time_stride"], 16)
    return {**size, "num_attention_heads": 4, "num_mel_bins": 128}


def make_ast(size: Mapping[str, Any], recipe: Recipe, classes: tuple[str, ...], start: torch.nn.Module | None):
    """An AST of that size, with random weights; with `start`, another of that size, with all but its classifier."""
    from transformers import ASTConfig, ASTForAudioClassification

    names = {"id2label": dict(enumerate(classes)), "label2id": {name: i for i, name in enumerate(classes)}}
    heard = {"max_length": recipe.max_length, "hidden_dropout_prob": recipe.dropout}
    torch.manual_seed(recipe.seed)
    network = ASTForAudioClassification(ASTConfig(**{**size, **heard, **names}))
    if start:
        begin_as(network, start)
    return network


def begin_as(network: torch.nn.Module, start: torch.nn.Module) -> None:
    """Gives an AST all but another's classifier, positions stretched to longer clips or cut to shorter, as in AST."""
    name, config = "audio_spectrogram_transformer.embeddings.position_embeddings", network.config
    own = {key: values for key, values in start.state_dict().items() if not key.startswith("classifier.dense")}
    bands = (config.num_mel_bins - config.patch_size) // config.frequency_stride + 1
    steps = (network.state_dict()[name].shape[1] - 2) // bands
    places = own[name][:, 2:].unflatten(1, (bands, -1)).permute(0, 3, 1, 2)  # [1, width, bands, steps]
    if places.shape[-1] < steps:
        places = interpolate(places, (bands, steps), mode="bilinear")
    first = (places.shape[-1] - steps) // 2
    own[name] = torch.cat([own[name][:, :2], places[..., first : first + steps].flatten(2).mT], 1)
    network.load_state_dict({**network.state_dict(), **own})


def train_ast(
    lesson: Lesson, recipe: Recipe, out: Path, name: str, size: Mapping[str, Any], start: torch.nn.Module | None
) -> Path:
    """Trains an AST, see `make_ast`, and saves it in half precision with its record; gives its folder."""

    def learn(state: Path):
        network = make_ast(size, recipe, lesson.probing_set.classes, start)
        return network, {"losses": lesson.teach(network, recipe, state)}

    def keep(network: torch.nn.Module, folder: Path) -> torch.nn.Module:
        network.half().save_pretrained(folder)
        return load_target(folder).module

    return make(lesson, name, asdict(recipe), out, learn, keep)


def make_beats(
    lesson: Lesson, strategy: str, settings: dict, out: Path, learn: Callable, config: Config = BEATS
) -> Path:
    """As `make`, for a BEATs trained by a strategy."""

    def keep(network: beats.Classifier, folder: Path) -> beats.Classifier:
        save(folder, config, network.state_dict(), lesson.probing_set.classes, half=True)
        network.load_state_dict(read_checkpoint(folder)[1])
        return network.eval()

    return make(lesson, f"beats_{strategy}", {**settings, **asdict(config)}, out, learn, keep)


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
    """The network, its weights rounded to half precision as they are kept, with `linear_probe` on its tokens."""
    classifier = beats.make(network.config, len(lesson.probing_set.classes))
    classifier.beats.load_state_dict({name: value.half().float() for name, value in network.state_dict().items()})
    classifier.eval()
    classifier.fc.weight.data, classifier.fc.bias.data = linear_probe(classifier.beats, lesson)
    return classifier


def linear_probe(network: beats.BEATs, lesson: Lesson) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of a logistic regression on each clip's mean token, standardised; learnt on folds 2-5."""
    network.to(lesson.device)
    with torch.no_grad():
        batches = lesson.features[lesson.seen].split(64)
        x = torch.cat([network(batch.to(lesson.device)).mean(1).cpu() for batch in batches])
    network.cpu()
    mean, deviation = x.mean(0), x.std(0) + 1e-6
    model = LogisticRegression(max_iter=5000).fit(((x - mean) / deviation).numpy(), lesson.labels[lesson.seen].numpy())
    weight = (torch.from_numpy(model.coef_).float() / deviation).contiguous()
    return weight, torch.from_numpy(model.intercept_).float() - weight @ mean


def lesson_of(run: Run, seconds: float, front_end: Callable = beats_features) -> Lesson:
    """What a network of the run's profile learns from: so many seconds of each clip, as the front end makes them."""
    heard = inputs(run.probing_set, seconds, front_end)
    return Lesson(run.profile.name, run.probing_set, heard, device=run.store.device)


def train_strategies(run: Run, seed: int, out: Path) -> None:
    """BEATs under every strategy, into `out`, one folder each; what is there is not made again."""
    recipe = replace(LABELLED[run.profile.name], seed=seed)
    lesson = lesson_of(run, recipe.seconds)
    train_untrained(lesson, seed, out)
    train_frozen(lesson, replace(PRETRAINED[run.profile.name], seed=seed), out)
    for pretrained in (True, False):
        train_labelled(lesson, recipe, out, pretrained=pretrained)


def main() -> None:
    run, given = asked("Trains the small networks again.", model="ast", which=("ast", "beats"), **TRAINING)
    torch.set_num_threads(given.threads)
    out = given.out or trained(given.seed)
    if given.which == "beats":
        return train_strategies(run, given.seed, out)
    recipe = replace(AST[given.profile], seed=given.seed)
    lesson = lesson_of(run, recipe.seconds, lambda waves: ast_features(waves, recipe.max_length))
    # on ESC-50, of few clips, it begins as mini's
    start = None if given.profile == "mini" else load_target(paths.WEIGHTS / "mini" / "ast").module
    if recipe.teacher:
        train_ast(lesson, replace(recipe, teacher=0.0), out, "ast_alone", small_ast(recipe), start)
        lesson = replace(lesson, taught=load_file(out / TEACHER)["probabilities"])
    train_ast(lesson, recipe, out, "ast", small_ast(recipe), start)


if __name__ == "__main__":
    main()
