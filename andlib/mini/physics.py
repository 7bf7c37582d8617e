"""A small kit of sound physics: noise, voices, resonant bodies, envelopes, and rhythms of events."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded when they are first needed

RATE = 16_000  # Hz
SECONDS = 2.0  # length of a clip
LENGTH = round(RATE * SECONDS)  # samples


@dataclass(frozen=True)
class Sound:
    """What a recipe makes of the physics of a source, before microphone and room. Of its two generators `source` draws
    what stays with the animal or machine, `take` what differs between recordings: timing, irregularities, noise."""

    samples: np.ndarray  # float64 [32000], any scale
    pitch_hz: float = np.nan  # NaN where there is none
    onsets: Sequence[float] = ()  # of events, s; none if steady


def times(seconds: float) -> np.ndarray:
    """Time of each sample, s; float64 [samples]."""
    return np.arange(max(2, round(seconds * RATE))) / RATE


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number whose logarithm is uniform, as pitches and rates are perceived."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def unit_power(x: np.ndarray) -> np.ndarray:
    """`x` scaled to a root mean square of 1."""
    return x / (np.sqrt(np.mean(x**2)) + 1e-12)


def noise(rng: np.random.Generator, seconds: float, slope: float = 0.0) -> np.ndarray:
    """Gaussian noise of unit power whose spectrum falls by `slope` dB an octave (white 0, pink 3, brown 6)."""
    return unit_power(shape(rng.standard_normal(len(times(seconds))), lambda f: (f + 20.0) ** (-slope / 6.02)))


def voice(pitch: np.ndarray, softness: float) -> np.ndarray:
    """All harmonics of a moving pitch, of unit power. pitch: Hz [samples]. softness: dB by which harmonics weaken per
    kHz (a sine at 40, a rasp at 3). Sums the geometric series r^k sin(k phase) in closed form."""
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    r = 10.0 ** (-softness * pitch / 20_000)
    return np.sqrt(2 * (1 - r**2)) * np.sin(phase) / (1 - 2 * r * np.cos(phase) + r**2)


def modes(seconds: float, frequencies: Sequence[float], decays, gains=1.0) -> np.ndarray:
    """A struck body: damped sinusoids at `frequencies` (Hz) that fall to 1/e in `decays` (s)."""
    t = times(seconds)
    f, d, g = np.broadcast_arrays(np.asarray(frequencies, float), decays, gains)
    rings = g[:, None] * np.exp(-t / d[:, None]) * np.sin(2 * np.pi * f[:, None] * t)
    return rings[f < RATE / 2].sum(0)


def shape(x: np.ndarray, gain) -> np.ndarray:
    """`x` with its spectrum multiplied by `gain(frequencies)`; the phase is kept."""
    return scipy.fft.irfft(scipy.fft.rfft(x) * gain(scipy.fft.rfftfreq(len(x), 1 / RATE)), len(x))


def band(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """The part of `x` between two frequencies (Hz), with edges of 24 dB an octave."""
    return shape(x, lambda f: 1 / np.sqrt(1 + (low / (f + 1e-9)) ** 8) / np.sqrt(1 + (f / high) ** 8))


def formants(x: np.ndarray, peaks: Sequence[float], width: float = 0.12) -> np.ndarray:
    """`x` through resonances at `peaks` (Hz), each `width` of its frequency wide, over a floor of -26 dB."""
    return shape(x, lambda f: 0.05 + sum(1 / (1 + ((f - p) / (width * p)) ** 2) for p in peaks))


def glide(seconds: float, *points: float) -> np.ndarray:
    """A smooth path through equally spaced values, geometric between them: a pitch contour in Hz [samples]."""
    t = np.linspace(0, len(points) - 1, len(times(seconds)))
    step = np.minimum(t.astype(int), len(points) - 2)
    ease = (1 - np.cos(np.pi * (t - step))) / 2
    values = np.log(points)
    return np.exp(values[step] * (1 - ease) + values[step + 1] * ease)


def wander(rng: np.random.Generator, rate: float, depth: float) -> np.ndarray:
    """A random path around 1 over a whole clip, turning `rate` times a second, with deviation `depth` in log."""
    return glide(SECONDS, *np.exp(depth * rng.standard_normal(int(rate * SECONDS) + 3)))


def swell(seconds: float, attack: float, release: float) -> np.ndarray:
    """An envelope that rises over `attack` seconds, stays at 1, and falls over `release` seconds."""
    t = times(seconds)
    rise, fall = np.clip(t / attack, 0, 1), np.clip((t[-1] - t) / release, 0, 1)
    return np.sin(np.pi / 2 * rise) ** 2 * np.sin(np.pi / 2 * fall) ** 2


def fading(seconds: float, decay: float) -> np.ndarray:
    """An envelope that starts at once (0.5 ms) and falls to 1/e in `decay` seconds."""
    t = times(seconds)
    return np.minimum(1, t / 5e-4) * np.exp(-t / decay)


def regular(rng: np.random.Generator, rate: float, jitter: float = 0.0) -> np.ndarray:
    """Onsets (s) through the whole clip at `rate` a second, from a random phase; jitter in periods."""
    beats = np.arange(rng.uniform(0, 1), rate * SECONDS)
    onsets = (beats + jitter * rng.standard_normal(len(beats))) / rate
    return np.sort(np.clip(onsets, 0, SECONDS - 0.01))


def scattered(rng: np.random.Generator, rate: float) -> np.ndarray:
    """Onsets (s) of independent events, `rate` a second on average (a Poisson process); at least one."""
    return np.sort(rng.uniform(0, SECONDS, max(1, rng.poisson(rate * SECONDS))))


def bout(rng: np.random.Generator, count: int, gap: float, length: float, jitter: float = 0.05) -> np.ndarray:
    """Onsets (s) of `count` events about `gap` apart, the whole bout placed at random where it fits the clip. length:
    of one event, s. Events that would begin in the last 50 ms are dropped."""
    gaps = gap * (1 + jitter * rng.standard_normal(count - 1))
    onsets = np.concatenate([[0.0], np.cumsum(np.maximum(gaps, 0.02))])
    start = rng.uniform(0, max(0.05, SECONDS - onsets[-1] - length))
    return (onsets + start)[onsets + start < SECONDS - 0.05]


def place(events: Sequence[np.ndarray], onsets: Sequence[float]) -> np.ndarray:
    """One clip with every event added at its onset; what runs past the end is cut."""
    clip = np.zeros(LENGTH)
    for event, onset in zip(events, onsets, strict=True):
        first = int(onset * RATE)
        clip[first : first + len(event)] += event[: max(0, LENGTH - first)]
    return clip


def patter(onsets: np.ndarray, gains: np.ndarray, grain: np.ndarray) -> np.ndarray:
    """One clip with the same short `grain` at every onset, each with its gain: `place` for thousands of events."""
    impulses = np.zeros(LENGTH)
    np.add.at(impulses, np.minimum((onsets * RATE).astype(int), LENGTH - 1), gains)
    return scipy.signal.oaconvolve(impulses, grain)[:LENGTH]
