"""Trains the small audio encoder of `andlib.mini.encoder` by contrast (the loss of CLIP); the sentence encoder stays.

It hears synthesised clips with captions of them, none of a seed that is probed or judged on.
`python -m making.audio_encoder` (15 minutes on one core) trains it into `cache/training/seed0/encoder/`, and copies
what a fresh clone needs to `andlib/mini/weights/`. A killed training goes on where it was."""

import argparse
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import cross_entropy, interpolate

from andlib.bars import tqdm
from andlib.concepts import ESC50
from andlib.encoders import EMBEDDED, encode
from andlib.frontend import BEATS, SAMPLE_RATE, log_mel
from andlib.mini.encoder import FLOOR, AudioEncoder, encode_audio, load
from andlib.mini.measurements import measure
from andlib.mini.naming import naming_sentence
from andlib.mini.phrases import measured_sentences
from andlib.mini.synthesis import synthesc
from andlib.paths import WEIGHTS
from andlib.records import ProbingSet
from andlib.store import write_atomically
from making.command import THREADS, trained
from making.lesson import mask
from making.progress import Progress, finish, state_of


@dataclass(frozen=True)
class Contrast:
    """How the encoder is trained; masks are at most so wide."""

    corpus: list[int] = field(default_factory=lambda: list(range(100, 108)))  # seeds, none probed (0) or judged on (1)
    sources_per_fold: int = 8
    epochs: int = 15
    batch: int = 128
    rate: float = 3e-3
    decay: float = 0.05
    temperature: float = 0.07  # at first
    alike: float = 0.7  # cosine from which two captions say the same
    mask_bands: int = 24
    mask_frames: int = 40
    shift_bands: int = 5  # either way, at most
    equaliser: float = 0.7  # deviation of a microphone's response, natural logarithm of power
    padded: float = 0.25  # share that ends early
    seed: int = 0


def spoken(label: str, samples: np.ndarray, key: str) -> tuple[str, str, str]:
    """Captions of one clip: its class, a sentence that names the sound, and one that also says how it sounds. The class
    is the true one: as with CLAP's captions, a person says what is heard. key: the clip's name."""
    quality = measured_sentences(measure(samples, SAMPLE_RATE), key).split(". ")[0].rstrip(".")
    return label, naming_sentence(label, key), f"{naming_sentence(label, key + ' again')} {quality}."


def corpus(recipe: Contrast) -> tuple[Tensor, Tensor, Tensor]:
    """SynthESC's clips of the recipe's seeds, each from a source of its own: spectra [clips, frames, mels] in half
    precision, class numbers [clips], and the vectors of each clip's captions [clips, captions, DIMENSIONS]."""
    spectra, labels, texts = [], [], []
    for seed in tqdm(recipe.corpus, "synthesising", unit="seed"):
        clips = synthesc(seed, recipe.sources_per_fold, variants=1)
        waves = clips.waveforms(SAMPLE_RATE, 2.0)
        spectra += [log_mel(batch, BEATS).half() for batch in torch.from_numpy(waves).split(70)]
        texts += [spoken(clip.label, wave, clip.name) for clip, wave in zip(clips.clips, waves, strict=True)]
        labels.append(torch.from_numpy(clips.labels))
    vectors = torch.from_numpy(encode([text for captions in texts for text in captions]))
    return torch.cat(spectra), torch.cat(labels), vectors.unflatten(0, (len(texts), -1))


def augmented(x: Tensor, recipe: Contrast, rng: np.random.Generator) -> Tensor:
    """Log-mel spectra as other microphones and rooms would give them: rolled in time, moved by a few bands, through a
    smooth random response, in coloured noise, with silence at the end, and with a band and an interval masked."""
    clips, frames, mels = x.shape
    x = torch.stack([
        clip.roll((int(rng.integers(frames)), int(rng.integers(-recipe.shift_bands, recipe.shift_bands + 1))), (0, 1))
        for clip in x
    ])  # fmt: skip
    knots = torch.from_numpy(rng.normal(0, [[recipe.equaliser], [3.0]], (clips, 2, 7)).astype(np.float32))
    response, colour = interpolate(knots, mels, mode="linear", align_corners=True).unbind(1)
    x = x + response[:, None]
    noise = x.amax((1, 2)) - torch.from_numpy(rng.uniform(4, FLOOR + 4, clips).astype(np.float32))
    x = torch.logaddexp(x, noise[:, None, None] + (colour - colour.amax(1, keepdim=True))[:, None])
    for clip, low in zip(x, x.amin((1, 2)), strict=True):
        mask(clip, low, recipe, rng)
        if rng.random() < recipe.padded:
            clip[rng.integers(frames // 4, frames) :] = low - FLOOR
    return x


def contrast(audio: Tensor, text: Tensor, labels: Tensor, scale: Tensor, alike: float) -> Tensor:
    """CLIP's symmetric loss; captions of other clips of the class, or that say the same, are left out of it."""
    same = (labels[:, None] == labels) | (text @ text.T > alike)
    logits = (scale * audio @ text.T).masked_fill(same.fill_diagonal_(False), -torch.inf)
    right = torch.arange(len(labels))
    return (cross_entropy(logits, right) + cross_entropy(logits.T, right)) / 2


def fit(encoder: AudioEncoder, recipe: Contrast, state: Path) -> list[float]:
    """Trains `encoder` in place, resuming from the file `state`; gives the mean loss of each epoch."""
    spectra, labels, captions = corpus(recipe)
    steps = len(labels) // recipe.batch
    progress = Progress(state, encoder, recipe, recipe.epochs * steps)
    for batch in progress.batches(len(labels)):
        x = augmented(spectra[batch].float(), recipe, progress.rng)
        caption = torch.from_numpy(progress.rng.integers(captions.shape[1], size=len(batch)))
        with torch.autocast("cpu", torch.bfloat16):
            audio = encoder(x)
        scale = (encoder.log_scale.exp() / recipe.temperature).clamp_max(100)
        progress.step([contrast(audio, captions[batch, caption], labels[batch], scale, recipe.alike)])
    return progress.losses(steps)


def zero_shot(audio: np.ndarray, labels: Sequence[str], names: Sequence[str]) -> float:
    """Share of clips whose own class is, among `names`, the text nearest to the clip."""
    nearest = (audio @ encode(names).T).argmax(1)
    return float(np.mean([names[i] == label for i, label in zip(nearest, labels, strict=True)]))


def accuracies(encoder: AudioEncoder, probing_set: ProbingSet, seconds: float) -> dict[str, float]:
    """Zero-shot accuracy on fold 1 and on all clips, among the set's own classes and among ESC-50's."""
    audio = encode_audio(probing_set.batches(SAMPLE_RATE, seconds), SAMPLE_RATE, encoder)
    labels, classes = np.array([clip.label for clip in probing_set.clips]), probing_set.classes
    return {
        f"{fold}, {len(names)} names": round(zero_shot(audio[clips], labels[clips], names), 4)
        for fold, clips in (("fold 1", probing_set.folds == 1), ("all", probing_set.folds > 0))
        for names in (classes, ESC50)
    }


def train(recipe: Contrast, out: Path, judged: dict[str, tuple[ProbingSet, float]]) -> None:
    """Writes a trained encoder and its record into `out`; resumes a killed training of the same recipe. judged: sets on
    which the record says how often the nearest class name is right, and the length of their clips."""
    begun, file = time.perf_counter(), out / "encoder.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        encoder = AudioEncoder()
    losses = fit(encoder, recipe, state_of(out, asdict(recipe)))
    weights = {name: x.half().contiguous() for name, x in encoder.state_dict().items() if x.is_floating_point()}
    write_atomically(file, lambda path: save_file(weights, path))
    kept = load(file)
    about = {"text_encoder": EMBEDDED, "recipe": asdict(recipe), "losses": losses}
    about["zero_shot"] = {name: accuracies(kept, *judge) for name, judge in judged.items()}
    finish(out / "encoder.json", kept, begun, **about)


def main() -> None:
    parser = argparse.ArgumentParser(description="Trains the small audio encoder again.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", **THREADS | {"default": 1})
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    judged = {f"synthesc-{seed}": (synthesc(seed), 2.0) for seed in (0, 1)}
    out = trained(given.seed) / "encoder"
    train(Contrast(seed=given.seed), out, judged)
    if given.seed == 0:
        for name in ("encoder.safetensors", "encoder.json"):
            shutil.copyfile(out / name, WEIGHTS / name)


if __name__ == "__main__":
    main()
