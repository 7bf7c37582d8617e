"""Appendix B.2, Table 6: what the modules say of the same neurons, side by side."""

import pandas as pd

from andlib.pages.section_4_2 import neuron_descriptions, sampled_neurons
from andlib.run import Run


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """What the page keeps: Table 6."""
    neurons = sampled_neurons(run, *(run.extra[name] for name in ("per_block", "seed", "units")))
    return {"qualitative": neuron_descriptions(run, neurons)}


def words(run: Run, neurons: pd.DataFrame, described: pd.DataFrame) -> dict[str, object]:
    """The numbers of the page's prose. described: `neuron_descriptions` of the neurons."""
    classes = described["labels"].str.split(", ").map(set).map(len)
    before, after = neurons["high"].map(len), neurons["calibrated"].map(len)
    spoken = {"drawn": len(neurons), "per_block": run.extra["per_block"], "concepts": len(run.concepts), "k": run.k}
    spoken |= {"classes": classes.mean(), "one_class": (classes == 1).sum(), "title": run.profile.title}
    spoken |= {"before": before.mean(), "removed": 1 - after.sum() / before.sum(), "silent": (after == 0).sum()}
    kinds = neurons["kinds"].explode().value_counts(normalize=True)
    return spoken | {"same": (described["TAB"] == described["DB"]).sum(), "sources": kinds.get("source", 0)}
