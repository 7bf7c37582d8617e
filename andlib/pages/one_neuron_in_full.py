"""One neuron, chosen by number or by words: what would be said of it if it were read in another way."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from andlib import paths, stages, summaries, targets
from andlib.inputs import recordings
from andlib.pages import wording
from andlib.records import Unit
from andlib.run import Run
from andlib.searching import search
from andlib.targets import Target

EXAMPLE = "high-pitched animal"  # is searched for where the page names no words
CLASSES = 4  # of the highest clips, that are listed
LOWEST, HIGHEST = 100, 7000  # Hz, of the tone


def nearest(run: Run, target: Target, words: str) -> pd.DataFrame:
    """The five neurons whose descriptions are nearest to the words, as `search` gives them."""
    return search(stages.neurons(run, target.name), words or EXAMPLE, run=run, best=5)


def address(target: Target, unit: str, words: str, candidates: pd.DataFrame) -> Unit:
    """The unit that is named; or, where words are given instead, the nearest. candidates: `nearest`."""
    return targets.chosen_unit(target, unit or (candidates["unit"][0] if words else ""))


def reading(run: Run, target: Target, unit: Unit, *, k: int = 0, t: float | None = None, pooling: str = ""):
    """The described neuron, a row of `stages.neurons`, as the run reads it, or with some of these changed, after which
    it is called. k: how many highest and lowest clips. t: the cosine above which a point of S_h is the lowest clips'
    own. pooling: how the values at all places become one number."""
    run = run.using(k=k) if k else run
    target = target.read(layers=[unit.layer], pooling=pooling) if pooling else target
    neuron = stages.neurons(run, target, layers=[unit.layer]).iloc[unit.index]
    usual = f"nothing: K = {run.k}, t = {summaries.THRESHOLD}, {target.layer(unit.layer).pooling}"
    if t is not None:
        points = zip(neuron["high"], neuron["cosine"], strict=True)
        neuron["calibrated"] = [point for point, cosine in points if cosine <= t]
    changed = {f"K = {k}": k, f"t = {t}": t is not None, f"pooling: {pooling}": pooling}
    return neuron.rename(", ".join(name for name, given in changed.items() if given) or usual)


def compared(run: Run, readings: Sequence[pd.Series]) -> pd.DataFrame:
    """Readings of one unit: columns changed, highest clips (their classes), shared (with the first), DB and S_h^c."""
    rows = []
    for neuron in readings:
        classes = Counter(run.probing_set.clips[i].label for i in neuron["highest"]).most_common(CLASSES)
        shown = {"changed": neuron.name, "highest clips": ", ".join(f"{count} {label}" for label, count in classes)}
        shown |= {"shared": len(set(neuron["highest"]) & set(readings[0]["highest"]))}
        rows.append(shown | {"DB": ", ".join(neuron["db"][:1]), "S_h^c": wording.summary(neuron["calibrated"])})
    return pd.DataFrame(rows)


def most_changed(silenced: pd.DataFrame, scaled: pd.DataFrame) -> pd.DataFrame:
    """The eight classes that silencing the unit changes most: class, before, and the changes silenced and scaled, as
    `firing.effect` gives them with factor 0 and with another."""
    changes = silenced[["class", "before"]].assign(silenced=silenced["change"], scaled=scaled["change"])
    return changes.sort_values("silenced", key=abs, ascending=False, kind="stable")[:8]


def played(target: Target, wav: str) -> np.ndarray:
    """A sound file's samples at the target's rate, float32; without one a tone that rises evenly from LOWEST to
    HIGHEST, as long as the target hears."""
    if wav:
        return recordings.read_recording(paths.named(wav), target.sample_rate)
    time = np.arange(round(target.seconds * target.sample_rate)) / target.sample_rate
    rise = np.log(HIGHEST / LOWEST) / target.seconds  # of the pitch, a second
    return (0.3 * np.sin(2 * np.pi * LOWEST / rise * np.expm1(rise * time))).astype(np.float32)


def layers(target: Target) -> pd.DataFrame:
    """The target's layers: layer, units, one number a clip (the pooling)."""
    rows = [(layer.name, layer.units, layer.pooling) for layer in target.layers]
    return pd.DataFrame(rows, columns=["layer", "units", "one number a clip"])


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """What the page keeps: the neuron, read in other ways."""
    target, asked = run.target(run.models[0]), run.extra
    unit = address(target, asked["unit"], asked["words"], nearest(run, target, asked["words"]))
    changes = {}, {"k": asked["other_k"]}, {"t": asked["t"]}, {"pooling": asked["pooling"]}
    return {"otherwise": compared(run, [reading(run, target, unit, **changed) for changed in changes])}


def words(run: Run, target: Target, unit: Unit, otherwise: pd.DataFrame) -> dict[str, object]:
    """The numbers of the page's prose. otherwise: `compared`, whose last row has another pooling."""
    asked, pooling = run.extra, targets.POOLINGS[target.layer(unit.layer).pooling]
    tone = f"No file was given, so a tone that rises evenly from {LOWEST} Hz to {HIGHEST // 1000} kHz is played."
    spoken = {"unit": unit.id, "pooled": pooling, "k": run.k, "units": sum(layer.units for layer in target.layers)}
    spoken |= {"pooling": asked["pooling"], "factor": asked["factor"], "words": asked["words"] or EXAMPLE}
    spoken |= {"heard": f"This is {Path(asked['wav']).name}." if asked["wav"] else tone}
    return spoken | {"shared_pooling": otherwise["shared"].iloc[-1]}
