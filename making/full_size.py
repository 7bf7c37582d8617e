"""Fine-tunes a network of the paper's size for a profile, on folds 2-5 alone: seeded, resumable (Section 4).

    python -m making.full_size --init MIT/ast-finetuned-audioset-10-10-0.4593 --profile esc50 --data-dir FOLDER
    python -m making.full_size --init BEATs_iter3_plus_AS2M.pt --strategy frozen --profile esc50 --data-dir FOLDER

It prints the folder that a page takes as `-p weights`. Batches, epochs and masks are those of AST's recipe for ESC-50
(Gong et al. 2021); the rate, which rises and falls once, and mixup are chosen as for the small networks."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import nn

from andlib import frontend
from andlib.errors import InputError
from andlib.networks import beats
from andlib.networks.checkpoints import load_target
from andlib.networks.families import ast_features
from andlib.run import Run
from making.command import TRAINING, asked, at_least_one, trained
from making.lesson import Recipe
from making.training import lesson_of, make_beats, train_ast, with_linear


@dataclass(frozen=True)
class FullSize(Recipe):
    """As Recipe."""

    epochs: int = 25
    batch: int = 48
    at_once: int = 8
    rate: float = 5e-5
    mask_frames: int = 96
    dropout: float = 0.0
    precision: str = "bfloat16"
    init: str = ""  # fingerprint of the network that it begins as, whose width and blocks it has


def fine_tuned_ast(run: Run, start: nn.Module, recipe: FullSize, out: Path) -> Path:
    """Trains an AST that begins as `start`, with a classifier of the profile's classes; gives its folder."""
    size = start.config.to_dict()
    recipe = replace(recipe, width=size["hidden_size"], blocks=size["num_hidden_layers"])
    lesson = lesson_of(run, recipe.seconds, lambda waves: ast_features(waves, recipe.max_length))
    return train_ast(lesson, recipe, out, "full_ast", size, start)


def fine_tuned_beats(run: Run, start: beats.BEATs, strategy: str, recipe: FullSize, out: Path) -> Path:
    """As `fine_tuned_ast`, of a BEATs; under the strategy `frozen`, a linear classifier on its tokens alone learns."""
    config = start.config
    recipe = replace(recipe, width=config.encoder_embed_dim, blocks=config.encoder_layers)
    lesson = lesson_of(run, recipe.seconds)

    def learn(state: Path):
        if strategy == "frozen":
            return with_linear(start, lesson), {"losses": []}
        network = beats.make(config, len(run.probing_set.classes), recipe.seed)
        network.beats.load_state_dict(start.state_dict())
        return network, {"losses": lesson.teach(network, recipe, state)}

    return make_beats(lesson, f"full_{strategy}", asdict(recipe), out, learn, config)


def main() -> None:
    options = {"init": {"required": True, "help": "hub id, folder or checkpoint of the AST or BEATs that it begins as"}}
    options["strategy"] = {"choices": ("finetuned", "frozen"), "default": "finetuned", "help": "frozen: of BEATs"}
    options["at-once"] = {"type": at_least_one, "default": FullSize.at_once, "help": "clips of a pass"}
    run, given = asked("Fine-tunes a full-size network.", model="ast", **TRAINING, **options)
    torch.set_num_threads(given.threads)
    target, seconds = load_target(given.init), run.profile.seconds
    start, frames = target.module, frontend.frames(round(seconds * frontend.SAMPLE_RATE))
    recipe = FullSize(seconds, frames, at_once=given.at_once, seed=given.seed, init=target.fingerprint)
    out, kind, frozen = given.out or trained(given.seed), type(start).__name__, given.strategy == "frozen"
    if isinstance(start, beats.BEATs | beats.Classifier):
        folder = fine_tuned_beats(run, getattr(start, "beats", start), given.strategy, recipe, out)
    elif kind == "ASTForAudioClassification" and not frozen:
        folder = fine_tuned_ast(run, start, recipe, out)
    else:
        expected = "a BEATs, whose weights may stay" if frozen else "an AST with a classifier, or a BEATs"
        raise InputError(f"{given.init} is a {kind}; expected {expected}.")
    print(folder)


if __name__ == "__main__":
    main()
