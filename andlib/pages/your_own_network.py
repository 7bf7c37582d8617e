"""A network that others built: whether the names of its units are borne out, beside what a name reaches by itself."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from andlib.descriptions import SHUFFLED
from andlib.errors import InputError
from andlib.networks import aisfx
from andlib.networks.wrapping import wrap
from andlib.run import Run
from andlib.stages import neurons
from andlib.targets import Target

SHARES = ["with adjective", "with noun", "borne out", "shuffled captions", "untrained network", "any name"]


def sound_effects(seconds: float = 5.0, untrained_seed: int | None = None) -> Target:
    """The convolutional network of the package aisfx, on clips of so many seconds; see `aisfx.network`."""
    return wrap(
        aisfx.network(untrained_seed),
        name="aisfx" if untrained_seed is None else "untrained",
        layers=["block?.relu?", "embedding"],  # names or patterns of modules
        axes=("clips", "channels", "frames", "mels"),  # of their outputs
        pooling="max",  # over frames and mels
        sample_rate=aisfx.SAMPLE_RATE,
        seconds=seconds,
        features=aisfx.log_mel,  # waveforms -> the network's input
    )


def borne_out(run: Run, model: str | Target, twin: Target | None = None) -> pd.DataFrame:
    """Described neurons with SHARES. A unit's name, DB's first concept, is borne out by the share of its highest clips
    that are of that class, which no description has seen.

    shuffled captions: the same of units described from captions of other clips; untrained network: of the twin's, nan
    without one. any name: the most that one could be, the share of the commonest class. Raises InputError where clips
    have no classes."""
    if len(run.probing_set.classes) < 2:
        raise InputError("Without labels, nothing can tell whether names are borne out.")
    described = neurons(run, model)
    classes = [_classes(run, clips) for clips in described["highest"]]
    shares = {f"with {part}": described[f"{part}s"].map(len) > 0 for part in ("adjective", "noun")}
    shares |= {"borne out": _share_named(run, described)}
    shares |= {"shuffled captions": _share_named(run, neurons(run, model, control=SHUFFLED))}
    shares |= {"any name": [max(map(labels.count, labels), default=np.nan) / max(len(labels), 1) for labels in classes]}
    units = described.assign(**shares, **{"untrained network": np.nan})
    if twin:
        theirs = neurons(run, twin).assign(share=lambda table: _share_named(run, table))
        both = units[["layer", "index"]].merge(theirs[["layer", "index", "share"]], how="left")
        units["untrained network"] = both["share"].to_numpy()
    return units


def _classes(run: Run, clips: Sequence[int]) -> list[str]:
    return [run.probing_set.clips[i].label for i in clips]


def _share_named(run: Run, table: pd.DataFrame) -> list[float]:
    """Of each unit's highest clips, the share that is of the class that DB puts first."""
    pairs = zip(table["highest"], table["db"], strict=True)
    return [_classes(run, highest).count(best[0]) / len(highest) if len(highest) else np.nan for highest, best in pairs]


def by_layer(units: pd.DataFrame) -> pd.DataFrame:
    """`borne_out`, one row a layer: how many units, and means of SHARES."""
    layers = units.groupby("layer", sort=False)
    return layers.agg(units=("unit", "size")).join(layers[SHARES].mean()).reset_index()


def words(run: Run, units: pd.DataFrame) -> dict[str, object]:
    """The numbers of the page's prose. units: `borne_out`."""
    spoken = {name.replace(" ", "_"): float(units[name].mean()) for name in ("borne out", "untrained network")}
    return spoken | {"title": run.profile.title, "model": run.models[0], "probed_folds": run.extra["folds"]}
