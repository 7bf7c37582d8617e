"""Records that travel between stages."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from andlib.errors import InputError

SILENT = 0.5 / 2**15  # peak below half a step of 16-bit audio


@dataclass(frozen=True)
class Clip:
    """One audio clip a_i of the probing set D_p.

    attributes: what is known of the sound beside its class (SynthESC records its recipe's parameters here)."""

    name: str  # unique in its set (a file name)
    label: str  # class in words, "crying baby"
    fold: int  # 1-5, or 0 where the set has none
    source: str  # recording the clip was cut from
    path: Path | None = None  # file it is read from; None for a synthesised clip
    attributes: Mapping[str, float | str] = field(default_factory=dict, hash=False, compare=False)


@dataclass(frozen=True)
class ProbingSet:
    """The probing set D_p: N clips in a fixed order, and how their samples are had."""

    name: str
    clips: tuple[Clip, ...]
    classes: tuple[str, ...]  # in the order of the set's own numbering
    read: Callable[[Clip, int], np.ndarray]  # a clip's mono samples, float32 in [-1, 1], at a sampling rate (Hz)
    fingerprint: str  # sha256 over everything that decides the samples, labels, folds and sources

    def __len__(self) -> int:
        return len(self.clips)

    @cached_property
    def labels(self) -> np.ndarray:
        """Index into `classes` for each clip; int64 [clips]."""
        position = {name: i for i, name in enumerate(self.classes)}
        return np.array([position[clip.label] for clip in self.clips])

    @cached_property
    def folds(self) -> np.ndarray:
        """Fold of each clip; int64 [clips]."""
        return np.array([clip.fold for clip in self.clips])

    @cached_property
    def sources(self) -> np.ndarray:
        """Source recording of each clip; str [clips]."""
        return np.array([clip.source for clip in self.clips])

    @property
    def layout(self) -> list:
        """All but the samples: the classes and, for each clip, its name less its ending, label, fold and source."""
        return [self.classes, [[c.name.rpartition(".")[0] or c.name, c.label, c.fold, c.source] for c in self.clips]]

    def frame(self) -> pd.DataFrame:
        """One row a clip: name, label, fold, source, and its attributes."""
        own = ("name", "label", "fold", "source")
        return pd.DataFrame([{name: getattr(c, name) for name in own} | dict(c.attributes) for c in self.clips])

    def batches(self, sample_rate: int, seconds: float, size: int = 32) -> Iterator[np.ndarray]:
        """Samples of consecutive clips, cropped or zero-padded at the end to one length; float32 [clips, samples].

        Raises InputError before the last batch, naming the first clips and their number, if some cannot be read."""
        length, refused = round(sample_rate * seconds), []
        for first in range(0, len(self), size):
            clips = self.clips[first : first + size]
            batch = np.zeros((len(clips), length), np.float32)
            for row, clip in zip(batch, clips, strict=True):
                try:
                    samples = self.read(clip, sample_rate)
                    row[: len(samples)] = samples[:length]
                    if np.abs(row).max() < SILENT <= np.abs(samples).max():
                        heard = f"the {seconds:g} s that are heard of it, and not behind them"
                        remedy = "Cut its beginning off or take it out of the set."
                        raise InputError(f"{clip.name!r} is silent in {heard}. {remedy}")
                except InputError as error:
                    refused.append(str(error))
            if refused and first + size >= len(self):
                raise InputError(f"{len(refused)} of {len(self)} clips cannot be used. " + " ".join(refused[:5]))
            yield batch

    def waveforms(self, sample_rate: int, seconds: float) -> np.ndarray:
        """All of `batches` at once; float32 [clips, samples]."""
        return np.concatenate(list(self.batches(sample_rate, seconds)))

    def numbers_in(self, folds: Sequence[int]) -> np.ndarray:
        """Indices of the clips of those folds, and of those in no fold (0); int [clips]."""
        return np.flatnonzero(np.isin(self.folds, folds) | (self.folds == 0))

    def in_folds(self, folds: tuple[int, ...]) -> "ProbingSet":
        """The clips of those folds, in order; raises InputError if there are none."""
        if not (kept := tuple(clip for clip in self.clips if clip.fold in folds)):
            held = sorted(set(self.folds))
            raise InputError(f"Probing set {self.name!r} has no clip in folds {folds}; it has {held}.")
        return replace(self, clips=kept, fingerprint=f"{self.fingerprint}/folds{folds}")


@dataclass(frozen=True)
class Unit:
    """Address of one neuron: one output of one linear layer, numbered from 0."""

    model: str
    layer: str
    index: int

    @property
    def id(self) -> str:
        """The unit's name everywhere: `ast/block0.intermediate/17`."""
        return f"{self.model}/{self.layer}/{self.index}"

    @classmethod
    def parse(cls, text: str, model: str = "") -> "Unit":
        """The unit that `text` names: model/layer/index, or layer/index of `model`. Raises InputError otherwise."""
        parts = text.strip().split("/")
        if len(parts) == 2 and model:
            parts = [model, *parts]
        if len(parts) != 3 or not re.fullmatch("[0-9]{1,9}", parts[2]):
            raise InputError(f"Unit {text!r} is not of the form model/layer/index, like ast/block0.intermediate/17.")
        return cls(parts[0], parts[1], int(parts[2]))


@dataclass(frozen=True)
class Grid:
    """Where the positions of a target's layers lie on the spectrogram, which they divide evenly."""

    seconds: tuple[float, float]  # start of the first position and end of the last
    hertz: tuple[float, float]  # the same of the mel bands, even on the mel scale
    bands: int = 0  # how many tokens there are to each moment; 0 where the layers' own axes tell time from bands
    prefix: int = 0  # leading tokens that have no place (class and distillation token)
    time_first: bool = False  # whether tokens run over time and then over bands (AST), or over bands first (BEATs)
