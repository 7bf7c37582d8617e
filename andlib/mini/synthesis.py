"""SynthESC, the probing set of profile `mini`: 28 of ESC-50's classes, synthesised, with their true attributes.

The sounds follow from physical recipes alone and are in the public domain (CC0 1.0)."""

from collections import UserDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product, starmap

import numpy as np
import scipy  # its parts are loaded when they are first needed
import soxr

from andlib.concepts import ESC50
from andlib.errors import check_choice
from andlib.mini import recipes
from andlib.mini.physics import LENGTH, RATE, SECONDS, Sound, log_uniform, noise, shape, times, unit_power, wander
from andlib.records import Clip, ProbingSet
from andlib.store import digest

RECIPE_VERSION = 1  # part of every fingerprint: raise it when any sample changes
RECIPES = {name.replace("_", " "): value for name, value in vars(recipes).items()}
CLASSES = tuple(name for name in ESC50 if name in RECIPES)  # what the module imports bears no class's name

# Pairs that share their band statistics or their physics; only timing, contour or detail tells them apart.
CONFUSABLE = (
    ("crickets", "chirping birds"),  # high tones in bursts
    ("engine", "helicopter"),  # low periodic pulses in noise
    ("insects", "chainsaw"),  # harmonic buzz with a moving pitch
    ("rain", "crackling fire"),  # many small clicks over noise
    ("sea waves", "wind"),  # noise that comes and goes
    ("clock tick", "mouse click"),  # one small click, repeated or not
    ("cat", "crying baby"),  # arched harmonic cries
    ("door wood knock", "footsteps"),  # wooden thuds
)
BACKGROUNDS = ("none", "hum", "wind", "room", "hiss")


@dataclass(frozen=True)
class Draw:
    """Everything that decides one clip's samples."""

    seed: int
    fold: int
    label: str
    source: int
    variant: int

    @property
    def name(self) -> str:
        """The clip's file name."""
        return f"synth{self.seed}-f{self.fold}-{self.label}-s{self.source}-v{self.variant}.wav".replace(" ", "_")

    def generators(self) -> tuple[np.random.Generator, np.random.Generator]:
        """Randomness of the source, shared by its variants, and of this take of it."""
        source = (self.seed, ESC50.index(self.label), self.fold, self.source)
        keys = [(*source, 0), (*source, 1, self.variant)]
        return tuple(np.random.Generator(np.random.PCG64(np.random.SeedSequence(key))) for key in keys)


class Truth(UserDict):
    """A clip's true attributes, measured when first looked at, because they need the sound."""

    def __init__(self, draw: Draw):
        self.draw = draw

    @property
    def data(self) -> dict[str, float | str]:
        """What a UserDict asks for whatever is looked up in it."""
        return render(self.draw)[1]


def synthesc(
    seed: int = 0,
    sources_per_fold: int = 4,
    variants: int = 2,
    classes: Sequence[str] = CLASSES,
    folds: Sequence[int] = (1, 2, 3, 4, 5),
) -> ProbingSet:
    """The probing set of one seed: 2-s clips at 16 kHz, rendered when read.

    Each class and fold has `sources_per_fold` sources (one draw of a recipe's physical parameters each) in `variants`
    takes that differ in timing, level, background and reverberation; a source is in one fold only. Every other seed
    gives clips that share nothing with these. A clip's samples depend on its own draw alone, and its attributes are
    what is true of it: level_db (RMS, dB re full scale), pitch_hz (NaN without one), brightness_hz (spectral centroid),
    n_events (0 for a steady sound), event_rate_hz, noisiness (spectral flatness, 0 to 1), active_seconds (within 30 dB
    of the loudest 10 ms), background, reverb_seconds. Raises InputError for a class without a recipe."""
    for label in classes:
        check_choice("Class", label, CLASSES)
    each = product([seed], folds, classes, range(sources_per_fold), range(variants))
    draws = {draw.name: draw for draw in starmap(Draw, each)}

    def read(clip: Clip, sample_rate: int) -> np.ndarray:
        samples = render(draws[clip.name])[0] / np.float32(32768)
        return samples if sample_rate == RATE else soxr.resample(samples, RATE, sample_rate)

    clips = tuple(Clip(name, d.label, d.fold, name.rsplit("-", 1)[0], attributes=Truth(d)) for name, d in draws.items())
    decides = [RECIPE_VERSION, seed, sources_per_fold, variants, list(classes), list(folds)]
    return ProbingSet(f"synthesc-{seed}", clips, tuple(classes), read, digest(decides))


@lru_cache(maxsize=1200)  # a whole set of the default size: 72 MB
def render(draw: Draw) -> tuple[np.ndarray, dict[str, float | str]]:
    """A clip's samples as a microphone in some room takes them, int16 [32000], and its true attributes."""
    source, take = draw.generators()
    sound: Sound = RECIPES[draw.label](source, take)
    background, reverb = str(take.choice(BACKGROUNDS)), log_uniform(take, 0.08, 0.9)
    foreground = microphone(reverberate(unit_power(sound.samples), take, reverb, take.uniform(0.1, 0.5)), take)
    snr = take.uniform(10, 32)
    clip = unit_power(foreground) + 10 ** (-snr / 20) * ambience(background, take)
    clip = unit_power(clip) * 10 ** (take.uniform(-36, -12) / 20)
    clip *= min(1, 0.98 / np.abs(clip).max())
    samples = np.round(clip * 32767).astype(np.int16)
    return samples, {
        **measured(samples / 32768),
        "pitch_hz": float(sound.pitch_hz),
        "n_events": len(sound.onsets),
        "event_rate_hz": len(sound.onsets) / SECONDS,
        "background": background,
        "reverb_seconds": reverb,
    }


def measured(samples: np.ndarray) -> dict[str, float]:
    """Attributes that follow from the samples; see `synthesc`."""
    power = np.abs(scipy.fft.rfft(samples)) ** 2 + 1e-12
    frequency = scipy.fft.rfftfreq(LENGTH, 1 / RATE)
    frames = (samples.reshape(-1, RATE // 100) ** 2).mean(1)
    smooth = power[: power.size // 64 * 64].reshape(-1, 64).mean(1)  # bands of 32 Hz: flatness of the envelope
    return {
        "level_db": float(10 * np.log10((samples**2).mean())),
        "brightness_hz": float((frequency * power).sum() / power.sum()),
        "noisiness": float(np.exp(np.log(smooth).mean()) / smooth.mean()),
        "active_seconds": float((frames > frames.max() / 1000).mean() * SECONDS),
    }


def reverberate(x: np.ndarray, take: np.random.Generator, seconds: float, wet: float) -> np.ndarray:
    """x with an exponentially decaying tail of noise that falls by 60 dB in `seconds`; `wet` is the tail's RMS."""
    tail = noise(take, seconds, 2) * np.exp(-6.9 * times(seconds) / seconds)
    tail *= wet / np.sqrt((tail**2).sum())
    return x + scipy.signal.oaconvolve(x, tail)[:LENGTH]


def microphone(x: np.ndarray, take: np.random.Generator) -> np.ndarray:
    """x through a random smooth response (within 4 dB at seven knots) with a tilt of at most 2 dB an octave."""
    knots = np.log2([60, 150, 400, 1000, 2500, 6000, 8000])
    gains = take.uniform(-4, 4, len(knots)) + take.uniform(-2, 2) * (knots - knots[3])
    return shape(x, lambda f: 10 ** (np.interp(np.log2(f + 1), knots, gains) / 20))


def ambience(kind: str, take: np.random.Generator) -> np.ndarray:
    """Two seconds of background, one of BACKGROUNDS."""
    floor = noise(take, SECONDS, take.uniform(0, 4))
    if kind == "hum":
        mains, t = take.choice([50, 60]), times(SECONDS)
        return 0.3 * floor + unit_power(sum(np.sin(2 * np.pi * mains * k * t) / k for k in (1, 2, 3, 4, 6)))
    if kind == "wind":
        return unit_power(noise(take, SECONDS, 7) * wander(take, 2, 0.5)) + 0.1 * floor
    if kind == "room":
        return noise(take, SECONDS, 5)
    return floor if kind == "hiss" else 0.1 * floor
