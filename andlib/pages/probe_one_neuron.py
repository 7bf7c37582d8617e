"""One neuron, cell by cell: a function takes the run and the unit's id, so that its cell can be run alone."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from andlib import firing, paths, stages, summaries, targets
from andlib.inputs import recordings
from andlib.pages import wording
from andlib.records import Unit
from andlib.responses import too_large, unit_activations
from andlib.run import Run
from andlib.searching import search
from andlib.targets import Target

CLASSES = 4  # of the highest clips, that are listed
POOLED = ("first", "mean", "max")
LOWEST, HIGHEST = 100, 7000  # Hz, of the tone


def otherwise(run: Run, unit: Unit | str, *, k: int = 10, t: float = 0.5, pooling: str = "max") -> pd.DataFrame:
    """What would be said of the unit if it were read in another way: a row for how the run reads it, and one for each
    change, see `reading`; columns changed, shared (with the first row), DB, S_h^c and highest clips (their classes)."""
    target, unit = run.unit(unit)
    readings = [reading(run, target, unit, **changed) for changed in ({}, {"k": k}, {"t": t}, {"pooling": pooling})]
    rows = []
    for neuron in readings:
        classes = Counter(run.probing_set.clips[i].label for i in neuron["highest"]).most_common(CLASSES)
        shown = {"changed": neuron.name, "shared": len(set(neuron["highest"]) & set(readings[0]["highest"]))}
        shown |= {"DB": ", ".join(neuron["db"][:1]), "S_h^c": wording.summary(neuron["calibrated"])}
        rows.append(shown | {"highest clips": ", ".join(f"{count} {label}" for label, count in classes)})
    return pd.DataFrame(rows)


def reading(run: Run, target: Target, unit: Unit, *, k: int = 0, t: float | None = None, pooling: str = ""):
    """The described neuron, a row of `stages.neurons`, as the run reads it, or with some of these changed, after which
    it is called. k: how many highest and lowest clips. t: the cosine above which a point of S_h is the lowest clips'
    own. pooling: how the values at all places become one number."""
    run = run.using(k=k) if k else run
    neuron = stages.neuron(run, target, unit, pooled(run, target, unit.layer, pooling) if pooling else None)
    usual = f"nothing: K = {run.k}, t = {summaries.THRESHOLD}, {target.layer(unit.layer).pooling}"
    if t is not None:
        points = zip(neuron["high"], neuron["cosine"], strict=True)
        neuron["calibrated"] = [point for point, cosine in points if cosine <= t]
    changed = {f"K = {k}": k, f"t = {t}": t is not None, f"pooling: {pooling}": pooling}
    return neuron.rename(", ".join(name for name, given in changed.items() if given) or usual)


def pooled(run: Run, target: Target, layer: str, pooling: str) -> np.ndarray:
    """A layer's activations under a pooling; [clips, units]. One pass reads all layers by each of POOLED, so that the
    next choice takes no other; where that is too large, this layer alone."""
    alone, layers = target.only([layer]).read(pooling=pooling), []
    for each in target.layers:
        fitting = POOLED if len(each.positions) == 1 else POOLED[1:] if each.positions else ()
        layers += [replace(each.read(pooling=name), name=f"{each.name} {name}") for name in fitting]
    every, key = replace(target, layers=tuple(layers)), f"{layer} {alone.layers[0].pooling}"
    if key not in [each.name for each in layers] or too_large(run, every):
        return unit_activations(run, alone)[layer]
    return unit_activations(run, every)[key]


def multiplied(run: Run, unit: Unit | str, factor: float) -> pd.DataFrame:
    """The eight classes that silencing the unit changes most: class, before (mean logit on its own clips of fold 1),
    and its change when the unit's output is silenced and when it is multiplied by `factor`, scaled."""
    silenced, scaled = (firing.effect(run, *run.unit(unit), by) for by in (0.0, factor))
    changes = silenced[["class", "before"]].assign(silenced=silenced["change"], scaled=scaled["change"])
    return changes.sort_values("silenced", key=abs, ascending=False, kind="stable")[:8]


def played(target: Target, wav: str) -> np.ndarray:
    """A sound file's samples at the target's rate, float32; without one a tone that rises from LOWEST to HIGHEST."""
    if wav:
        return recordings.read_recording(paths.named(wav), target.sample_rate)
    time = np.arange(round(target.seconds * target.sample_rate)) / target.sample_rate
    rise = np.log(HIGHEST / LOWEST) / target.seconds  # of the pitch, a second
    return (0.3 * np.sin(2 * np.pi * LOWEST / rise * np.expm1(rise * time))).astype(np.float32)


def found(run: Run, words: str, layers: Sequence[str] = ()) -> pd.DataFrame:
    """The five neurons of the run's first network whose descriptions are nearest to the words. layers: these alone."""
    nearest = search(stages.neurons(run, run.models[0], layers=layers), words, run=run, best=5)
    return wording.described(nearest, "similarity")


def layers(run: Run, unit: Unit | str) -> pd.DataFrame:
    """The layers of the unit's network: layer, units, one number a clip (the pooling)."""
    rows = [(layer.name, layer.units, layer.pooling) for layer in run.unit(unit)[0].layers]
    return pd.DataFrame(rows, columns=["layer", "units", "one number a clip"])


def words(run: Run) -> dict[str, object]:
    """The numbers of the page's prose."""
    network, unit = run.unit(run.extra["unit"])
    spoken = {"unit": unit.id, "pooled": targets.POOLINGS[network.layer(unit.layer).pooling]}
    spoken |= {"units": sum(layer.units for layer in network.layers), "factor": run.extra["factor"]}
    tone = f"a tone that rises from {LOWEST} Hz to {HIGHEST // 1000} kHz"
    return spoken | {"heard": Path(run.extra["wav"]).name or tone}
