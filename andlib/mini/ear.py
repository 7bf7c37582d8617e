"""The hearing captioner ("the ear"): sentences about a clip, from its samples and nothing else.

It stands in for an audio LLM where none can be shipped. Two origins of sentences: `measured` says what stands out in
the waveform; `source` names what a deliberately small classifier takes the sound for, trained on few SynthESC clips
of a seed that is never probed. No function here takes a label.

`python -m andlib.mini.ear` trains the classifier again: `weights/ear.safetensors` and its record `weights/ear.json`.
"""

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.metadata import version

import numpy as np

from andlib.errors import InputError, check_choice
from andlib.mini.measurements import HOP, RATE, Measurements, frames, hearable, measure, salient_words
from andlib.mini.naming import naming_sentence
from andlib.mini.phrases import measured_sentences
from andlib.paths import WEIGHTS
from andlib.records import ProbingSet

__all__ = ["EAR_VERSION", "ORIGINS", "Measurements", "caption", "guess", "hear", "measure", "measured_sentences"]
__all__ += ["salient_words", "train"]

EAR_VERSION = 1  # enters every key that depends on a caption; raise it when any sentence changes
ORIGINS = ("source", "measured")
BANDS, WINDOW = 40, 512  # mel bands, samples: enough for a weak listener
FLOOR = 60.0  # dB below the clip's strongest band: what lies lower is the recording, not the sound
TRAINING_SEED, CHECK_SEED, PROBED_SEED = 7001, 7002, 0  # of SynthESC; the probed seed only tells how well it went
CLIPS_PER_CLASS = (4, 6, 8, 12, 16, 24, 32)  # the dial: the number that comes nearest to ...
TARGET = 0.75  # ... this accuracy on CHECK_SEED is taken, so that the ear errs on a clip in four


def caption(samples: np.ndarray, sample_rate: int, name: str, parts: Sequence[str] = ORIGINS) -> dict[str, str]:
    """Description d_i of one clip, caption origin -> text: one sentence for `source`, two or three for `measured`.

    samples: mono, [samples], full scale at +-1.  sample_rate: Hz.
    name: the clip's name; it decides between synonyms and is not otherwise read.
    parts: origins asked for.  Raises InputError for an unknown origin or samples that are no finite mono signal.
    """
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
    """Descriptions D_d of many clips, caption origin -> one text a clip; a progress bar is shown.

    waveforms: one vector a clip, as `caption` takes them, read one at a time. names: one a clip, in that order.
    Raises InputError where `caption` does, or if the numbers of waveforms and names differ.
    """
    from tqdm.auto import tqdm

    heard = tqdm(waveforms, "hearing", total=len(names), unit="clip", leave=False)
    try:
        texts = [caption(waveform, sample_rate, name, parts) for waveform, name in zip(heard, names, strict=True)]
    except InputError:
        raise
    except ValueError:  # zip's: one of the two ended before the other
        raise InputError(f"The ear was given another number of waveforms than the {len(names)} names.") from None
    return {part: [text[part] for text in texts] for part in parts}


def guess(samples: np.ndarray, sample_rate: int) -> str | None:
    """The class the small classifier takes the clip for; None for a clip without sound."""
    features = statistics(samples, sample_rate)
    return None if features is None else recorded_classes()[int(predict(classifier(), features))]


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
    edges = 700 * (10 ** (np.linspace(*2595 * np.log10(1 + np.array([50, 8000]) / 700), BANDS + 2) / 2595) - 1)
    hertz = np.fft.rfftfreq(WINDOW, 1 / RATE)[:, None]
    rising, falling = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2]), (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling))


@lru_cache(maxsize=1)
def classifier() -> dict[str, np.ndarray]:
    """The trained classifier: `mean`, `scale` [features], `weight` [classes, features], `bias` [classes]."""
    from safetensors.numpy import load_file

    return load_file(WEIGHTS / "ear.safetensors")


@lru_cache(maxsize=1)
def recorded_classes() -> list[str]:
    """Class names in the order of the classifier's outputs."""
    return json.loads((WEIGHTS / "ear.json").read_text())["classes"]


def train() -> dict:
    """Fits the classifier on few clips, writes its weights and record, and returns the record.

    The record holds seeds, clips per class, versions, and the accuracy on the probed seed per fold and over all.
    """
    from safetensors.numpy import save_file

    from andlib.mini.synthesis import synthesc

    many = synthesc(TRAINING_SEED, sources_per_fold=max(CLIPS_PER_CLASS), variants=1, folds=(1,))
    check, probed = synthesc(CHECK_SEED), synthesc(PROBED_SEED)
    features, check_features = all_statistics(many), all_statistics(check)
    tried = {n: fit(features, many.labels, n) for n in CLIPS_PER_CLASS}
    right = {n: float((predict(w, check_features) == check.labels).mean()) for n, w in tried.items()}
    chosen = min(right, key=lambda n: abs(right[n] - TARGET))
    save_file(tried[chosen], WEIGHTS / "ear.safetensors")
    record = {
        "classes": list(many.classes),
        "clips_per_class": chosen,
        "seeds": {"training": TRAINING_SEED, "check": CHECK_SEED, "probed": PROBED_SEED},
        "fingerprints": {"training": many.fingerprint, "check": check.fingerprint, "probed": probed.fingerprint},
        "accuracy_check_by_clips_per_class": {n: round(value, 4) for n, value in right.items()},
        "accuracy_probed": accuracy(tried[chosen], probed),
        "versions": {"ear": EAR_VERSION, "numpy": np.__version__, "scikit-learn": version("scikit-learn")},
    }
    (WEIGHTS / "ear.json").write_text(json.dumps(record, indent=1) + "\n")
    return record


def all_statistics(probing_set: ProbingSet) -> np.ndarray:
    """Statistics of every clip; [clips, 2 x bands]."""
    from tqdm.auto import tqdm

    return np.array([statistics(probing_set.read(c, RATE), RATE) for c in tqdm(probing_set.clips, probing_set.name)])


def fit(features: np.ndarray, labels: np.ndarray, clips_per_class: int) -> dict[str, np.ndarray]:
    """Softmax regression on the standardised statistics of the first clips of every class."""
    from sklearn.linear_model import LogisticRegression

    few = np.concatenate([np.flatnonzero(labels == label)[:clips_per_class] for label in np.unique(labels)])
    mean, scale = features[few].mean(0), features[few].std(0) + 1e-3
    model = LogisticRegression(max_iter=5000).fit((features[few] - mean) / scale, labels[few])
    weights = {"mean": mean, "scale": scale, "weight": model.coef_, "bias": model.intercept_}
    return {name: value.astype(np.float32, order="C") for name, value in weights.items()}  # safetensors wants C order


def accuracy(weights: dict[str, np.ndarray], probing_set: ProbingSet) -> dict[str, float]:
    """Share of clips whose class is guessed, per fold and over all."""
    right = predict(weights, all_statistics(probing_set)) == probing_set.labels
    folds = {f"fold {fold}": right[probing_set.folds == fold] for fold in np.unique(probing_set.folds)}
    return {name: round(float(part.mean()), 4) for name, part in (folds | {"all": right}).items()}


if __name__ == "__main__":
    print(json.dumps(train()["accuracy_probed"], indent=1))
