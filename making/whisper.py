"""Trains what stands on Whisper's encoder for ESC-50: labels, and choices between ways, come from folds 2-5 alone.

`python -m making.whisper --profile esc50 --data-dir FOLDER` makes `whisper_untrained`, `whisper_frozen` and,
from that, `whisper_finetuned`, of which only what they change in Whisper is kept."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from sklearn.linear_model import Ridge
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from andlib.concepts import ESC50
from andlib.descriptions import caption_file
from andlib.encoders import EMBEDDED, encode
from andlib.mini.encoder import encode_audio
from andlib.networks import whisper
from andlib.networks.checkpoints import load_target
from andlib.records import ProbingSet
from andlib.store import write_atomically
from making.audio_encoder import zero_shot
from making.command import TRAINING, asked, trained
from making.lesson import Lesson, Recipe, make
from making.progress import finish
from making.training import TEACHER


@dataclass(frozen=True)
class Head:
    """How weights over the states of a frozen encoder and a linear layer are learnt, with all clips in each step."""

    steps: int = 600
    rate: float = 0.01
    rate_of_states: float = 0.03
    decays: tuple[float, ...] = (0.3, 1.0, 3.0)  # with larger ones, blocks 3 to 5 have no part in the class scores
    smoothing: float = 0.1


@dataclass(frozen=True)
class LowRank(Recipe):
    """How changes of low rank of the linear layers of some blocks are learnt; the rest of the encoder stays."""

    precision: str = "bfloat16"
    rank: int = 16
    first_block: int = 2


FINETUNED = LowRank(seconds=5.0, max_length=500, epochs=12, rate=5e-4, mask_bands=12, mask_frames=50, mixup=0.4)


class Hearing(nn.Module):
    """A Whisper classifier that takes [clips, frames, mels], as the other networks do."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x.transpose(1, 2)).logits


class Changed(nn.Module):
    """A linear layer, and a change of low rank that begins at nothing."""

    def __init__(self, linear: nn.Linear, rank: int):
        super().__init__()
        self.linear = linear
        self.down = nn.Linear(linear.in_features, rank, bias=False)
        self.up = nn.Linear(rank, linear.out_features, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + self.up(self.down(x))


def head(x: Tensor, labels: Tensor, recipe: Head, decay: float) -> dict[str, Tensor]:
    """Weights over states x [clips, states, width], and a linear layer on their standardised sum. labels: [clips]."""
    weight = torch.zeros(int(labels.max()) + 1, x.shape[-1], requires_grad=True)
    share, bias = torch.zeros(x.shape[1], requires_grad=True), torch.zeros(len(weight), requires_grad=True)
    groups = [(share, recipe.rate_of_states, 0.0), (weight, recipe.rate, decay), (bias, recipe.rate, 0.0)]
    optimiser = torch.optim.AdamW([{"params": [p], "lr": rate, "weight_decay": d} for p, rate, d in groups])
    for _ in range(recipe.steps):
        mixed = torch.einsum("s,csw->cw", share.softmax(0), x)
        mean, deviation = mixed.mean(0), mixed.std(0) + 1e-6
        scores = (mixed - mean) / deviation @ weight.T + bias
        optimiser.zero_grad()
        cross_entropy(scores, labels, label_smoothing=recipe.smoothing).backward()
        optimiser.step()
    weight, bias, mean, deviation = (values.detach() for values in (weight, bias, mean, deviation))
    return {
        "layer_weights": share.detach(),
        "projector.weight": weight / deviation,
        "projector.bias": bias - weight @ (mean / deviation),
        "classifier.weight": torch.eye(len(weight)),
        "classifier.bias": torch.zeros(len(weight)),
    }


def scored(x: Tensor, of: Mapping[str, Tensor]) -> Tensor:
    """Class scores of clips' mean states [clips, states, width] by what `head` gives."""
    mixed = torch.einsum("s,csw->cw", of["layer_weights"].softmax(0), x)
    return mixed @ of["projector.weight"].T + of["projector.bias"]


def frozen(lesson: Lesson, recipe: Head, out: Path, random_encoder: int | None = None) -> None:
    """whisper_frozen, or with a seed whisper_untrained: states of an encoder that stays as it is, and a linear layer.
    The decay does best on folds 2 to 5, each in turn left out; what is said there of these clips is kept to teach."""
    about = configuration(lesson) | ({} if random_encoder is None else {"random_encoder": random_encoder})

    def learn(_: Path):
        network, seen, labels = whisper.classifier(about), lesson.seen, lesson.labels
        x, folds, held, right = states(network, lesson), torch.from_numpy(lesson.probing_set.folds), {}, {}
        for decay in recipe.decays:
            held[decay] = torch.zeros(len(x), len(lesson.probing_set.classes))
            for fold in folds[seen].unique():
                use, test = seen & (folds != fold), seen & (folds == fold)
                held[decay][test] = scored(x[test], head(x[use], labels[use], recipe, decay))
            right[decay] = round((held[decay].argmax(1) == labels)[seen].float().mean().item(), 4)
        learnt = head(x[seen], labels[seen], recipe, decay := max(right, key=right.get))
        network.load_state_dict({**network.state_dict(), **learnt})
        if random_encoder is None:
            likely = {"probabilities": held[decay].softmax(1) * seen[:, None]}
            write_atomically(out / TEACHER, lambda path: save_file(likely, path))
        shares = [round(share, 4) for share in learnt["layer_weights"].softmax(0).tolist()]
        return network, {"decay": decay, "cross_validated": right, "shares": shares}

    name = "whisper_frozen" if random_encoder is None else "whisper_untrained"
    make(lesson, name, {**asdict(recipe), "random_encoder": random_encoder}, out, learn, partial(keep, about))


def finetuned(lesson: Lesson, recipe: LowRank, out: Path) -> None:
    """whisper_finetuned: from whisper_frozen, changes of low rank in some blocks' linear layers, and the classifier."""
    about = configuration(lesson)

    def learn(state: Path):
        torch.manual_seed(recipe.seed)
        network = whisper.classifier(about)
        start = load_file(out / f"whisper_frozen_{lesson.profile}" / whisper.CHANGES)
        network.load_state_dict({**network.state_dict(), **start})
        network.encoder.requires_grad_(False)
        for block in network.encoder.layers[recipe.first_block :]:
            for name, module in list(block.named_modules()):
                if isinstance(module, nn.Linear):
                    block.set_submodule(name, Changed(module, recipe.rank))
        return network, {"losses": lesson.teach(Hearing(network), recipe, state)}

    make(lesson, "whisper_finetuned", asdict(recipe), out, learn, partial(keep, about))


def states(network: nn.Module, lesson: Lesson) -> Tensor:
    """The encoder's mean states of all clips; [clips, states, width]."""
    return torch.cat([whisper.mean_states(network, x.float().transpose(1, 2)) for x in lesson.features.split(32)])


def configuration(lesson: Lesson) -> dict:
    """Of a classifier of the lesson's classes on Whisper's encoder."""
    classes = lesson.probing_set.classes
    return {**whisper.SHORT, "classifier_proj_size": len(classes), "id2label": dict(enumerate(classes))}


def keep(about: dict, network: nn.Module, folder: Path) -> nn.Module:
    """Keeps a network as its changes to Whisper, in half precision, and gives the network that they make."""
    kept = {name: value for name, value in network.state_dict().items() if not name.startswith("encoder.")}
    for name, module in network.named_modules():
        if isinstance(module, Changed):
            kept |= {f"{name}.weight{whisper.DOWN}": module.down.weight, f"{name}.weight{whisper.UP}": module.up.weight}
    kept = {name: value.detach().half().contiguous() for name, value in kept.items()}
    write_atomically(folder / whisper.CONFIG, lambda path: path.write_text(json.dumps(about, indent=1) + "\n"))
    write_atomically(folder / whisper.CHANGES, lambda path: save_file(kept, path))
    return Hearing(load_target(folder, seconds=5.0).module)


def inputs(probing_set: ProbingSet) -> Tensor:
    """Whisper's input of all clips; float16 [clips, frames, mels]."""
    return torch.cat([whisper.inputs(batch).half().transpose(1, 2) for batch in probing_set.batches(16_000, 5.0)])


def project(lesson: Lesson, captions: list[str], out: Path) -> None:
    """TAB's map from Whisper's states into the sentence encoder's space: ridge regression of the vectors of captions,
    less their mean, which holds what every caption says. The penalty is the one under which, of folds 2 to 5 each in
    turn left out, clips come nearest to their own captions. No label is read."""
    begun, seen = time.perf_counter(), lesson.seen.numpy()
    network = whisper.classifier(whisper.SHORT)
    x = states(network, lesson)[:, whisper.HEARD].flatten(1).numpy()
    y, folds, near = encode(captions), PredefinedSplit(lesson.probing_set.folds[seen]), {}
    for penalty in (0.03, 0.1, 0.3, 1.0):  # times the number of clips
        model = make_pipeline(StandardScaler(), Ridge(penalty * seen.sum()))
        guess = cross_val_predict(model, x[seen], y[seen], cv=folds)
        near[penalty] = round(float(np.mean((guess * y[seen]).sum(1) / np.linalg.norm(guess, axis=1))), 4)
    scaler, ridge = make_pipeline(StandardScaler(), Ridge(max(near, key=near.get) * seen.sum())).fit(x[seen], y[seen])
    weight = ridge.coef_.T / scaler.scale_[:, None]
    kept = {"weight": weight, "bias": -scaler.mean_ @ weight}
    kept = {name: torch.from_numpy(values).half().contiguous() for name, values in kept.items()}
    write_atomically(out / whisper.PROJECTION.name, lambda path: save_file(kept, path))
    tested = lesson.probing_set.in_folds((lesson.held_out,))
    vectors = {"whisper": x[~seen] @ kept["weight"].float().numpy() + kept["bias"].float().numpy()}
    vectors["embedded"] = encode_audio(tested.batches(16_000, 5.0), 16_000)
    labels = [clip.label for clip in tested.clips]
    right = {name: round(zero_shot(each, labels, ESC50), 4) for name, each in vectors.items()}
    about = {"text_encoder": EMBEDDED, "probing_set": lesson.probing_set.fingerprint, "held_out": lesson.held_out}
    finish(out / "projection.json", network, begun, **about, nearness=near, zero_shot=right)


def main() -> None:
    run, given = asked("Trains what stands on Whisper's encoder.", model="ast", **TRAINING)
    torch.set_num_threads(given.threads)
    out = given.out or trained(given.seed)
    lesson = Lesson(given.profile, run.probing_set, inputs(run.probing_set), device=run.store.device)
    project(lesson, list(caption_file(run)[0].values()), out)
    frozen(lesson, Head(), out)
    finetuned(lesson, replace(FINETUNED, seed=given.seed), out)
    frozen(lesson, Head(), out, random_encoder=given.seed)


if __name__ == "__main__":
    main()
