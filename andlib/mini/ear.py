"""The hearing captioner ("the ear"): sentences about a clip, from its samples and nothing else.

It stands in for an audio LLM where none can be shipped. Two origins of sentences: `measured` says what stands out in
the waveform; `source` names what a deliberately small classifier takes the sound for, trained on few SynthESC clips
of a seed that is never probed (`making.ear`). No function here takes a label."""

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from safetensors.numpy import load_file

from andlib.bars import tqdm
from andlib.errors import check_choice, explained
from andlib.frontend import triangles
from andlib.mini.measurements import HOP, RATE, frames, hearable, measure
from andlib.mini.naming import naming_sentence
from andlib.mini.phrases import measured_sentences
from andlib.paths import WEIGHTS

ORIGINS = ("source", "measured")
BANDS, WINDOW = 40, 512  # mel bands, samples: enough for a weak listener
FLOOR = 60.0  # dB below the clip's strongest band: what lies lower is the recording, not the sound


def caption(samples: np.ndarray, sample_rate: int, name: str, parts: Sequence[str] = ORIGINS) -> dict[str, str]:
    """Description d_i of one clip, caption origin -> text: one sentence for `source`, two or three for `measured`.
    samples: mono, [samples], full scale at +-1. sample_rate: Hz. name: the clip's name; it decides between synonyms and
    is not otherwise read. parts: origins asked for. Raises InputError for an unknown origin or odd samples."""
    texts = {}
    for part in [check_choice("Caption origin", part, ORIGINS) for part in parts]:
        if part == "measured":
            texts[part] = measured_sentences(measure(samples, sample_rate), name)
        else:
            heard = guess(samples, sample_rate)
            texts[part] = naming_sentence(heard, name) if heard else "Nothing is heard."
    return texts


def hear(
    waveforms: Iterable[np.ndarray], sample_rate: int, names: Sequence[str], parts: Sequence[str] = ORIGINS
) -> dict[str, list[str]]:
    """Descriptions D_d of many clips, caption origin -> one text a clip, with a progress bar. waveforms: as `caption`
    takes them, read one at a time. names: one a clip. Raises InputError where `caption` does, or if numbers differ."""
    heard = tqdm(waveforms, "hearing", total=len(names), unit="clip", leave=False)
    unequal = f"The ear was given another number of waveforms than the {len(names)} names."
    with explained(lambda error: unequal, ValueError):  # zip's: one of the two ended before the other
        texts = [caption(waveform, sample_rate, name, parts) for waveform, name in zip(heard, names, strict=True)]
    return {part: [text[part] for text in texts] for part in parts}


def guess(samples: np.ndarray, sample_rate: int) -> str | None:
    """The class the small classifier takes the clip for; None for a clip without sound."""
    features, (weights, classes) = statistics(samples, sample_rate), classifier()
    return None if features is None else classes[int(predict(weights, features))]


def predict(weights: dict[str, np.ndarray], features: np.ndarray) -> np.ndarray:
    """Index of the likeliest class; features [..., 2 x bands] -> [...]."""
    standard = (features - weights["mean"]) / weights["scale"]
    return (standard @ weights["weight"].T + weights["bias"]).argmax(-1)


def statistics(samples: np.ndarray, sample_rate: int) -> np.ndarray | None:
    """Mean and deviation over time of the clip's log-mel spectrum, in dB under its strongest band; [2 x bands]."""
    content = hearable(samples, sample_rate)
    if content is None:
        return None
    power = np.abs(np.fft.rfft(frames(content, WINDOW, HOP) * np.hanning(WINDOW))) ** 2 @ mel_bands()
    level = np.maximum(10 * np.log10(power / power.max() + 1e-12), -FLOOR)
    return np.concatenate([level.mean(0), level.std(0)])


@lru_cache(maxsize=1)
def mel_bands() -> np.ndarray:
    """Triangular bands, evenly spaced in mel from 50 to 8000 Hz; [frequencies, bands]."""
    # `frontend.mel` in its decimal form, which differs in the last bit: the weights were fitted to these very bands
    edges = 700 * (10 ** (np.linspace(*2595 * np.log10(1 + np.array([50, 8000]) / 700), BANDS + 2) / 2595) - 1)
    return triangles(np.fft.rfftfreq(WINDOW, 1 / RATE), edges)


@lru_cache(maxsize=1)
def classifier() -> tuple[dict[str, np.ndarray], list[str]]:
    """The classifier (`mean`, `scale` [features], `weight` [classes, features], `bias` [classes]), and its classes."""
    return load_file(WEIGHTS / "ear.safetensors"), json.loads((WEIGHTS / "ear.json").read_text())["classes"]
