"""What is true of a clip, whatever its caption says: its class, its level, pitch, brightness, pace, noisiness, room."""

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from andlib.descriptions import HEARING_RATE
from andlib.mini.measurements import measure
from andlib.mini.words import FAST, HIGH_PITCH, LOW_PITCH, SLOW
from andlib.run import Run
from andlib.store import Stage

KNOWN = Stage("known", "frame", 2)
HOLDS = 0.9  # of a graded truth: it is said to hold for the tenth of the clips it is truest of
AUDIBLE_PITCH, FUSED = 30.0, 20.0  # Hz: slower pulses have no pitch; faster ones no pace


def known(run: Run) -> pd.DataFrame:
    """What is known of each clip, one row a clip: its recipe's attributes (see `synthesis.synthesc`), or measurements
    of a recording under the same names; late_seconds, the centre of its energy in time."""
    rate = HEARING_RATE

    def make():
        heard = (clip for batch in run.probing_set.batches(rate, run.profile.seconds) for clip in batch)
        pairs = zip(run.probing_set.clips, heard, strict=True)
        each = ((c.attributes if "level_db" in c.attributes else _measured(x, rate), x) for c, x in pairs)
        return pd.DataFrame([{**attributes, "late_seconds": _centre(x, rate)} for attributes, x in each])

    return run.store.get(KNOWN, [run.probing_set, run.profile.seconds], make)


def _measured(samples: np.ndarray, rate: int) -> dict[str, float | None]:
    m = measure(samples, rate)
    heard = {"level_db": m.level, "pitch_hz": m.pitch, "brightness_hz": m.centroid, "noisiness": 1 - m.periodicity}
    return {**heard, "n_events": m.events, "event_rate_hz": m.rate}


def _centre(samples: np.ndarray, rate: int) -> float:
    power = samples.astype(np.float64) ** 2
    return float(power @ np.arange(len(power)) / max(power.sum(), 1e-30) / rate)


def truths(run: Run) -> pd.DataFrame:
    """What is true of each clip, 0 to 1, [clips, truths]: its class and attributes; graded ones are the clip's rank.

    One that holds for fewer than K clips is left out."""
    facts, labels = known(run), np.array([clip.label for clip in run.probing_set.clips])
    pitch, rate = facts["pitch_hz"].astype(float), facts["event_rate_hz"].astype(float)
    graded = {"loud": facts["level_db"], "quiet": -facts["level_db"]}
    graded |= {"noisy": facts["noisiness"], "late": facts["late_seconds"]}
    graded |= {"bright": facts["brightness_hz"], "muffled": -facts["brightness_hz"]}
    true = {name: labels == name for name in run.probing_set.classes}
    true |= {"high-pitched": pitch >= HIGH_PITCH, "low-pitched": (pitch >= AUDIBLE_PITCH) & (pitch <= LOW_PITCH)}
    true |= {"fast": (rate >= FAST) & (rate <= FUSED), "slow": (rate <= SLOW) & (facts["n_events"] >= 3)}
    true |= {"single": facts["n_events"] == 1}
    true |= {"tonal": (pitch >= AUDIBLE_PITCH) & (facts["noisiness"] < facts["noisiness"].median())}
    if "background" in facts:
        graded, true = graded | {"reverberant": facts["reverb_seconds"]}, true | {"hum": facts["background"] == "hum"}
    true |= {name: (rankdata(values) - 1) / (len(facts) - 1) for name, values in graded.items()}
    table = pd.DataFrame({name: np.asarray(values, float) for name, values in true.items()})
    return table.loc[:, (table >= HOLDS).sum() >= run.k]
