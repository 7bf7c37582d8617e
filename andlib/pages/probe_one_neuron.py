"""One neuron, cell by cell: each function takes the run and the unit's id, so that a cell can be run alone."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from andlib import firing, stages, targets
from andlib.pages import one_neuron_in_full, wording
from andlib.run import Run
from andlib.searching import search


def otherwise(run: Run, unit: str, *, k: int = 10, t: float = 0.5, pooling: str = "max") -> pd.DataFrame:
    """What the unit would be called if it were read in another way, a row each; see `one_neuron_in_full.reading`."""
    network, address = run.unit(unit)
    changes = {}, {"k": k}, {"t": t}, {"pooling": pooling}
    readings = [one_neuron_in_full.reading(run, network, address, **changed) for changed in changes]
    return one_neuron_in_full.compared(run, readings)


def multiplied(run: Run, unit: str, factor: float) -> pd.DataFrame:
    """What becomes of the classes that the unit matters to most, when its output is silenced and multiplied by
    `factor`: class, before, silenced, scaled (change of the mean logit on the class's own clips of fold 1)."""
    network, address = run.unit(unit)
    effects = [firing.effect(run, network, address, by) for by in (0.0, factor)]
    return one_neuron_in_full.most_changed(*effects)


def found(run: Run, words: str, layers: Sequence[str] = ()) -> pd.DataFrame:
    """The five neurons of the run's first network whose descriptions are nearest to the words, with what is said of
    them. layers: these alone."""
    nearest = search(stages.neurons(run, run.models[0], layers=layers), words, run=run, best=5)
    return wording.described(nearest, "similarity")


def words(run: Run) -> dict[str, object]:
    """The numbers of the page's prose."""
    asked, (network, address) = run.extra, run.unit(run.extra["unit"])
    spoken = {"unit": address.id, "pooled": targets.POOLINGS[network.layer(address.layer).pooling]}
    spoken |= {"units": sum(layer.units for layer in network.layers), "factor": asked["factor"]}
    return spoken | {"heard": Path(asked["wav"]).name or "a tone that rises from 100 Hz to 7 kHz"}
