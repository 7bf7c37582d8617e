"""Trains what stands on Whisper's encoder for ESC-50: labels, and choices between ways, come from folds 2-5 alone.

`python -m making.whisper --profile esc50 --data-dir FOLDER` makes `whisper_untrained`, `whisper_frozen` and,
from that, `whisper_finetuned`, of which only what they change in Whisper is kept."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from andlib.networks import whisper
from andlib.networks.checkpoints import load_target
from andlib.records import ProbingSet
from andlib.store import write_atomically
from making.command import THREADS, asked, trained
from making.training import Lesson, Recipe, make


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


@torch.no_grad()
def states(network: nn.Module, features: Tensor) -> Tensor:
    """The mean over time of every state of the encoder, before its first block and after each; [clips, states, width].
    features: [clips, frames, mels]."""
    network = network.eval()
    each = [network.encoder(x.transpose(1, 2).float(), output_hidden_states=True) for x in features.split(32)]
    return torch.cat([torch.stack([state.mean(1) for state in one.hidden_states], 1) for one in each])


def head(x: Tensor, labels: Tensor, recipe: Head, decay: float) -> dict[str, Tensor]:
    """Weights over states and a linear layer on their standardised sum, as a classifier of transformers names them.

    x: [clips, states, width]. labels: class numbers [clips]."""
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
    The decay is the one that does best on folds 2 to 5, each in turn left out."""
    about = configuration(lesson) | ({} if random_encoder is None else {"random_encoder": random_encoder})

    def learn(_: Path):
        network, seen, labels = whisper.classifier(about), lesson.seen, lesson.labels
        x, folds, right = states(network, lesson.features), torch.from_numpy(lesson.probing_set.folds), {}
        for decay in recipe.decays:
            each = [(seen & (folds != fold), seen & (folds == fold)) for fold in folds[seen].unique()]
            guesses = [scored(x[test], head(x[use], labels[use], recipe, decay)).argmax(1) for use, test in each]
            hits = torch.cat([guess == labels[test] for guess, (_, test) in zip(guesses, each, strict=True)])
            right[decay] = round(hits.float().mean().item(), 4)
        learnt = head(x[seen], labels[seen], recipe, decay := max(right, key=right.get))
        network.load_state_dict({**network.state_dict(), **learnt})
        shares = learnt["layer_weights"].softmax(0).tolist()
        return network, {"decay": decay, "cross_validated": right, "shares": [round(share, 4) for share in shares]}

    name = "whisper_frozen" if random_encoder is None else "whisper_untrained"
    make(lesson, name, {**asdict(recipe), "random_encoder": random_encoder}, out, learn, keeper(lesson, about))


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
            linear = [(name, module) for name, module in block.named_modules() if isinstance(module, nn.Linear)]
            for name, module in linear:
                block.set_submodule(name, Changed(module, recipe.rank))
        return network, {"losses": lesson.teach(Hearing(network), recipe, state)}

    make(lesson, "whisper_finetuned", asdict(recipe), out, learn, keeper(lesson, about))


def configuration(lesson: Lesson) -> dict:
    """Of a classifier of 5-s clips on Whisper's encoder, whose linear layer reads a weighted sum of its states."""
    names = {"id2label": {str(number): name for number, name in enumerate(lesson.probing_set.classes)}}
    reads = {"use_weighted_layer_sum": True, "classifier_proj_size": len(lesson.probing_set.classes)}
    kind = {"architectures": ["WhisperForAudioClassification"], "model_type": "whisper"}
    return {**kind, **whisper.SIZES, "max_source_positions": 250, **reads, **names}


def keeper(lesson: Lesson, about: dict):
    """What keeps a network as its changes to Whisper, in half precision, and gives the network that they make."""

    def keep(network: nn.Module, folder: Path) -> nn.Module:
        kept = {name: value for name, value in network.state_dict().items() if not name.startswith("encoder.")}
        for name, module in network.named_modules():
            if isinstance(module, Changed):
                kept |= {
                    f"{name}.weight{whisper.DOWN}": module.down.weight,
                    f"{name}.weight{whisper.UP}": module.up.weight,
                }
        kept = {name: value.detach().half().contiguous() for name, value in kept.items()}
        write_atomically(folder / whisper.CONFIG, lambda path: path.write_text(json.dumps(about, indent=1) + "\n"))
        write_atomically(folder / whisper.CHANGES, lambda path: save_file(kept, path))
        return Hearing(load_target(folder, seconds=5.0).module)

    return keep


def inputs(probing_set: ProbingSet) -> Tensor:
    """Whisper's input of all clips; float16 [clips, frames, mels]."""
    from transformers import WhisperFeatureExtractor

    extractor = WhisperFeatureExtractor(chunk_length=5)
    made = (
        extractor(list(batch), sampling_rate=16_000, return_tensors="pt") for batch in probing_set.batches(16_000, 5.0)
    )
    return torch.cat([each.input_features.half().transpose(1, 2) for each in made])


def main() -> None:
    out = {"type": Path, "help": "folder for the networks; default: cache/training/seed<seed>"}
    own = {"seed": {"type": int, "default": 0}, "out": out, "threads": THREADS}
    run, given = asked("Trains what stands on Whisper's encoder.", model="ast", **own)
    torch.set_num_threads(given.threads)
    lesson, out = Lesson(given.profile, run.probing_set, inputs(run.probing_set)), given.out or trained(given.seed)
    frozen(lesson, Head(), out)
    frozen(lesson, Head(), out, random_encoder=given.seed)
    finetuned(lesson, replace(FINETUNED, seed=given.seed), out)


if __name__ == "__main__":
    main()
