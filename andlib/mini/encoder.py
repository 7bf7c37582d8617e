"""A small audio encoder in the space of the embedded sentence encoder: what LAION-CLAP is to TAB, in `mini`.

Trained by contrast (the loss of CLIP) on synthesised clips and captions of them; the sentence encoder stays as it is,
so that a clip has a high cosine with a text of the same sound. No clip of a seed that is probed or judged on is heard.

`python -m andlib.mini.encoder` trains it again, into `cache/training/seed0/encoder/`, and copies what a fresh clone
needs to `weights/encoder.safetensors` and `weights/encoder.json`. A killed training goes on where it was.
"""

import argparse
import json
import platform
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import soxr
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate, normalize
from tqdm import tqdm, trange

from andlib.concepts import ESC50
from andlib.encoders import EMBEDDED, encode
from andlib.frontend import BEATS, SAMPLE_RATE, log_mel
from andlib.mini.measurements import measure
from andlib.mini.naming import naming_sentence
from andlib.mini.phrases import measured_sentences
from andlib.paths import WEIGHTS, cache
from andlib.records import ProbingSet
from andlib.store import digest, write_atomically
from making.progress import Progress

FLOOR = 14.0  # natural logarithm, 61 dB: what lies lower under the clip's maximum is the recording, not the sound
DIMENSIONS = 384  # of the sentence encoder


@dataclass(frozen=True)
class Contrast:
    """How the encoder is trained. corpus: SynthESC's seeds, none of them probed (0) or judged on (1).

    temperature: at the start. alike: cosine from which two captions say the same. mask_bands, mask_frames: at most.
    shift_bands: at most, either way. equaliser: deviation of a microphone's response, natural logarithm of power.
    padded: share of clips that end early.
    """

    corpus: list[int] = field(default_factory=lambda: list(range(100, 108)))
    sources_per_fold: int = 8
    epochs: int = 15
    batch: int = 128
    rate: float = 3e-3
    decay: float = 0.05
    temperature: float = 0.07
    alike: float = 0.7
    mask_bands: int = 24
    mask_frames: int = 40
    shift_bands: int = 5
    equaliser: float = 0.7
    padded: float = 0.25
    seed: int = 0


class AudioEncoder(nn.Module):
    """Log-mel spectra [clips, frames, mels] -> unit vectors [clips, DIMENSIONS]; any number of frames."""

    def __init__(self):
        super().__init__()
        self.stages = nn.Sequential(
            convolution(1, 32, 4, (2, 4)),  # 20 ms, 32 bands
            convolution(32, 64, 3, 2),  # 40 ms, 16 bands
            convolution(64, 112, 3, 2),  # 80 ms, 8 bands
            convolution(112, 176, 3, 2),  # 160 ms, 4 bands
            convolution(176, 320, (1, 4), 1, padding=0),  # all bands at once
        ).to(memory_format=torch.channels_last)
        self.out = nn.Linear(2 * 320, DIMENSIONS)
        self.log_scale = nn.Parameter(torch.zeros(()))  # of cosines, learnt: the inverse of CLIP's temperature

    def forward(self, x: Tensor) -> Tensor:
        """x: natural logarithm of mel-band power; a constant added to all of a clip changes nothing."""
        x = (x - x.amax((1, 2), keepdim=True)).clamp_min(-FLOOR) * (2 / FLOOR) + 1
        x = self.stages(x[:, None]).squeeze(3)  # [clips, channels, steps]
        return normalize(self.out(torch.cat([x.mean(2), x.amax(2)], 1)).float(), dim=1)


def convolution(width: int, wider: int, kernel, stride, padding: int = 1) -> nn.Sequential:
    """A convolution over time and frequency, standardised by channel, with what is negative set to 0."""
    return nn.Sequential(nn.Conv2d(width, wider, kernel, stride, padding, bias=False), nn.BatchNorm2d(wider), nn.ReLU())


def spoken(label: str, samples: np.ndarray, key: str) -> tuple[str, str, str]:
    """Captions of one clip: its class, a sentence that names the sound, and one that also says how it sounds.

    The class is the true one: as with CLAP's captions, a person says what is heard. key: the clip's name; decides
    among the words.
    """
    quality = measured_sentences(measure(samples, SAMPLE_RATE), key).split(". ")[0].rstrip(".")
    return label, naming_sentence(label, key), f"{naming_sentence(label, key + ' again')} {quality}."


@dataclass(frozen=True)
class Corpus:
    """What is learnt from: spectra [clips, frames, mels] in half precision, class numbers [clips], and the vectors
    of each clip's captions [clips, captions, DIMENSIONS]."""

    spectra: Tensor
    labels: Tensor
    captions: Tensor


def corpus(recipe: Contrast) -> Corpus:
    """SynthESC's clips of the recipe's seeds, each from a source of its own, with their captions."""
    from andlib.mini.synthesis import synthesc

    spectra, labels, texts = [], [], []
    for seed in tqdm(recipe.corpus, "synthesising", unit="seed"):
        clips = synthesc(seed, recipe.sources_per_fold, variants=1)
        waves = clips.waveforms(SAMPLE_RATE, 2.0)
        spectra += [log_mel(batch, BEATS).half() for batch in torch.from_numpy(waves).split(70)]
        texts += [spoken(clip.label, wave, clip.name) for clip, wave in zip(clips.clips, waves, strict=True)]
        labels.append(torch.from_numpy(clips.labels))
    vectors = torch.from_numpy(encode([text for told in texts for text in told]))
    return Corpus(torch.cat(spectra), torch.cat(labels), vectors.unflatten(0, (len(texts), -1)))


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
        band, frame = rng.integers(recipe.mask_bands), rng.integers(recipe.mask_frames)
        first_band, first = rng.integers(mels - band), rng.integers(frames - frame)
        clip[:, first_band : first_band + band] = low
        clip[first : first + frame] = low
        if rng.random() < recipe.padded:
            clip[rng.integers(frames // 4, frames) :] = low - FLOOR
    return x


def contrast(audio: Tensor, text: Tensor, labels: Tensor, scale: Tensor, alike: float) -> Tensor:
    """CLIP's symmetric loss; captions of other clips of the class, or that say the same, are left out of it."""
    same = (labels[:, None] == labels) | (text @ text.T > alike)
    logits = (scale * audio @ text.T).masked_fill(same.fill_diagonal_(False), -torch.inf)
    right = torch.arange(len(labels))
    return (cross_entropy(logits, right) + cross_entropy(logits.T, right)) / 2


def fit(encoder: AudioEncoder, heard: Corpus, recipe: Contrast, state: Path) -> list[float]:
    """Trains `encoder` in place, resuming from the file `state`; gives the mean loss of each epoch."""
    steps = len(heard.labels) // recipe.batch
    optimiser = torch.optim.AdamW(encoder.parameters(), recipe.rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, total_steps=recipe.epochs * steps, pct_start=0.1
    )
    progress = Progress(state, encoder, optimiser, schedule, np.random.default_rng(recipe.seed))
    encoder.train()
    for epoch in trange(progress.done, recipe.epochs, desc="training", unit="epoch"):
        order = torch.from_numpy(progress.rng.permutation(len(heard.labels)))[: steps * recipe.batch]
        for batch in order.split(recipe.batch):
            x = augmented(heard.spectra[batch].float(), recipe, progress.rng)
            told = torch.from_numpy(progress.rng.integers(heard.captions.shape[1], size=len(batch)))
            with torch.autocast("cpu", torch.bfloat16):
                audio = encoder(x)
            scale = (encoder.log_scale.exp() / recipe.temperature).clamp_max(100)
            progress.step(contrast(audio, heard.captions[batch, told], heard.labels[batch], scale, recipe.alike))
        progress.save(epoch + 1)
    encoder.eval()
    return progress.losses(steps)


@lru_cache(maxsize=1)
def embedded() -> AudioEncoder:
    """The trained encoder."""
    return load(WEIGHTS / "encoder.safetensors")


def load(path: Path) -> AudioEncoder:
    """The encoder whose weights a file holds, in half precision."""
    from safetensors.torch import load_file

    encoder = AudioEncoder()
    encoder.load_state_dict(load_file(path), strict=False)  # batch norm's counts are not kept
    return encoder.eval()


def encode_audio(
    batches: Iterable[Float[np.ndarray, "_ samples"]], sample_rate: int, encoder: AudioEncoder | None = None
) -> Float[np.ndarray, "clips dimensions"]:
    """The vector of each clip, of length 1, in the space of the embedded sentence encoder.

    batches: mono samples, one clip a row, of any level; at least 0.2 s. sample_rate: Hz; others than 16 kHz are
    resampled. A clip's level does not matter.
    """
    encoder, vectors = encoder or embedded(), []
    for batch in batches:
        at_rate = batch if sample_rate == SAMPLE_RATE else soxr.resample(batch.T, sample_rate, SAMPLE_RATE).T
        with torch.inference_mode():
            x = log_mel(torch.from_numpy(np.ascontiguousarray(at_rate, np.float32)), BEATS)
            vectors.append(encoder(x).numpy())
    return np.concatenate(vectors)


def zero_shot(audio: np.ndarray, labels: Sequence[str], names: Sequence[str]) -> float:
    """Share of clips whose own class is, among `names`, the text nearest to the clip."""
    nearest = (audio @ encode(names).T).argmax(1)
    return float(np.mean([names[i] == label for i, label in zip(nearest, labels, strict=True)]))


def accuracies(encoder: AudioEncoder, probing_set: ProbingSet, seconds: float) -> dict[str, float]:
    """Zero-shot accuracy on fold 1 and on all clips, among the set's own classes and among ESC-50's."""
    audio = encode_audio(probing_set.batches(SAMPLE_RATE, seconds), SAMPLE_RATE, encoder)
    labels, classes = np.array([clip.label for clip in probing_set.clips]), probing_set.classes
    return {
        f"{fold}, {len(names)} names": round(zero_shot(audio[kept], labels[kept], names), 4)
        for fold, kept in (("fold 1", probing_set.folds == 1), ("all", probing_set.folds > 0))
        for names in (classes, ESC50)
    }


def train(recipe: Contrast, out: Path, judged: dict[str, tuple[ProbingSet, float]]) -> None:
    """Writes a trained encoder and its record into `out`; resumes a killed training of the same recipe.

    judged: sets on which the record says how often the nearest class name is right, and the length of their clips.
    """
    from safetensors.torch import save_file

    start, state = time.perf_counter(), out / f"{digest(asdict(recipe))[:16]}.ckpt"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        encoder = AudioEncoder()
    losses = fit(encoder, corpus(recipe), recipe, state)
    weights = {
        name: value.half().contiguous() for name, value in encoder.state_dict().items() if value.is_floating_point()
    }
    write_atomically(out / "encoder.safetensors", lambda path: save_file(weights, path))
    seconds = round(time.perf_counter() - start)
    kept = load(out / "encoder.safetensors")
    record = {
        "text_encoder": EMBEDDED,
        "recipe": asdict(recipe),
        "losses": [round(loss, 4) for loss in losses],
        "zero_shot": {name: accuracies(kept, *judge) for name, judge in judged.items()},
        "parameters": sum(p.numel() for p in kept.parameters()),
        "seconds": seconds,
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    write_atomically(out / "encoder.json", lambda path: path.write_text(json.dumps(record, indent=1) + "\n"))
    state.unlink()


def main() -> None:
    """The command line; see the module's docstring."""
    from andlib.mini.synthesis import synthesc
    from andlib.probing import open_folder

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-dir", default="", help="ESC-10's folder: the record then tells how it does there")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    judged = {f"synthesc-{seed}": (synthesc(seed), 2.0) for seed in (0, 1)}
    if given.data_dir:
        judged["esc10"] = open_folder(given.data_dir, subset="esc10"), 5.0
    out = cache() / "training" / f"seed{given.seed}" / "encoder"
    train(replace(Contrast(), seed=given.seed), out, judged)
    if given.seed == 0:
        for name in ("encoder.safetensors", "encoder.json"):
            shutil.copyfile(out / name, WEIGHTS / name)


if __name__ == "__main__":
    main()
