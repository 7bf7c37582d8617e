"""What is true of a clip, whatever its caption says, and the activations of units that detect it."""

import tomllib
from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pandas as pd
import scipy

from andlib import paths
from andlib.descriptions import HEARING_RATE
from andlib.mini.measurements import measure
from andlib.mini.phrases import FAST, HIGH_PITCH, LOW_PITCH, SLOW
from andlib.mini.synthesis import CONFUSABLE
from andlib.run import Run
from andlib.store import Stage

KNOWN = Stage("known", "frame", 2)
ATTRIBUTES = tomllib.loads((paths.PACKAGE / "planted.toml").read_text(encoding="utf-8"))
HOLDS = 0.9  # of a graded truth: it is said to hold for the tenth of the clips it is truest of
AUDIBLE_PITCH, FUSED = 30.0, 20.0  # Hz: slower pulses have no pitch; faster ones no pace
PAIRS = 10  # conjunctions and pairs in a layer
TIES = 1e-4  # deviation of what orders clips of equal truth where there is no noise


def known(run: Run) -> pd.DataFrame:
    """What is known of each clip, one row a clip: its recipe's attributes (see `synthesis.synthesc`), or measurements
    of a recording under the same names; late_seconds, the centre of its energy in time."""

    def make():
        heard = (clip for batch in run.probing_set.batches(HEARING_RATE, run.profile.seconds) for clip in batch)
        rows = []
        for clip, samples in zip(run.probing_set.clips, heard, strict=True):
            power = samples.astype(np.float64) ** 2
            late = power @ np.arange(len(power)) / max(power.sum(), 1e-30) / HEARING_RATE
            attributes = clip.attributes if "level_db" in clip.attributes else _measured(samples)
            rows.append({**attributes, "late_seconds": float(late)})
        return pd.DataFrame(rows)

    return run.store.get(KNOWN, [run.probing_set, run.profile.seconds], make)


def _measured(samples: np.ndarray) -> dict[str, float | None]:
    m = measure(samples, HEARING_RATE)
    heard = {"level_db": m.level, "pitch_hz": m.pitch, "brightness_hz": m.centroid, "noisiness": 1 - m.periodicity}
    return {**heard, "n_events": m.events, "event_rate_hz": m.rate}


def truths(run: Run) -> pd.DataFrame:
    """What is true of each clip, 0 to 1, [clips, truths]: class, attributes, ranks; each holds for K clips at least."""
    sound, labels = known(run), np.array([clip.label for clip in run.probing_set.clips])
    pitch, rate = sound["pitch_hz"].astype(float), sound["event_rate_hz"].astype(float)
    graded = {"loud": sound["level_db"], "quiet": -sound["level_db"], "noisy": sound["noisiness"]}
    graded |= {"late": sound["late_seconds"], "bright": sound["brightness_hz"], "muffled": -sound["brightness_hz"]}
    true = {name: labels == name for name in run.probing_set.classes} | {
        "high-pitched": pitch >= HIGH_PITCH,
        "low-pitched": (pitch >= AUDIBLE_PITCH) & (pitch <= LOW_PITCH),
        "fast": (rate >= FAST) & (rate <= FUSED),
        "slow": (rate <= SLOW) & (sound["n_events"] >= 3),
        "single": sound["n_events"] == 1,
        "tonal": (pitch >= AUDIBLE_PITCH) & (sound["noisiness"] < sound["noisiness"].median()),
    }
    if "background" in sound:
        graded, true = graded | {"reverberant": sound["reverb_seconds"]}, true | {"hum": sound["background"] == "hum"}
    true |= {name: (scipy.stats.rankdata(values) - 1) / (len(sound) - 1) for name, values in graded.items()}
    table = pd.DataFrame({name: np.asarray(values, float) for name, values in true.items()})
    return table.loc[:, (table >= HOLDS).sum() >= run.k]


def detectors(true: pd.DataFrame, seed: int) -> Iterator[tuple[str, tuple[str, ...], np.ndarray]]:
    """Kind, truths and signal [clips] of every unit of a layer: each truth alone, 0 or 1; conjunctions of a class and a
    level (the lesser of the two truths); pairs of unrelated classes (the greater); and a dead unit."""
    for name in true:
        yield ATTRIBUTES.get(name, {"kind": "class"})["kind"], (name,), (true[name] >= HOLDS).to_numpy(float)
    classes, rng = [name for name in true if name not in ATTRIBUTES], np.random.default_rng(seed)
    both = [(name, level) for name in classes for level in ("loud", "quiet")]
    pairs = [pair for pair in combinations(classes, 2) if not {pair, pair[::-1]} & set(CONFUSABLE)]
    for kind, choice, combine in (("conjunction", both, np.minimum), ("polysemantic pair", pairs, np.maximum)):
        for i in rng.choice(len(choice), min(PAIRS, len(choice)), replace=False):
            yield kind, choice[i], combine(*true[list(choice[i])].to_numpy().T)
    yield "dead", (), np.zeros(len(true))


def activations(signals: np.ndarray, noise: float, seed: int) -> np.ndarray:
    """u, float32 [clips, units]: signals [clips, units] in their deviations over clips, plus noise of that deviation.
    Without noise chance orders clips of equal truth; inf leaves noise alone. A dead unit stays 0."""
    alive, drawn = signals.std(0) > 0, np.random.default_rng([seed, 1]).standard_normal(signals.shape)
    clean = (signals - signals.mean(0)) / np.where(alive, signals.std(0), 1)
    return np.where(alive, drawn if np.isinf(noise) else clean + max(noise, TIES) * drawn, 0).astype(np.float32)
