"""Networks that others trained: how far names of their units are borne out, beside what a name reaches by itself."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from andlib import kept
from andlib.descriptions import SHUFFLED
from andlib.errors import InputError
from andlib.networks import aisfx
from andlib.networks.wrapping import wrap
from andlib.run import Run
from andlib.stages import neurons
from andlib.targets import Target

SHARES = ["with adjective", "with noun", "untrained with noun", "borne out", "untrained network", "shuffled captions"]
SHARES += ["any name"]
# the kept results, and their columns, those that decide first
NAME, SHOWN = "networks_of_others", [*SHARES[3:], *SHARES[:3]]  # of the shares, those that decide stand first
COLUMNS = ["network", *SHOWN, "units", "trained for"]


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

    shuffled captions: the same of units described from other clips' captions. untrained: of the twin's, nan without
    one. any name: the commonest class's share, the most there is. Raises InputError where clips have no classes."""
    if len(run.probing_set.classes) < 2:
        raise InputError("Without labels, nothing can tell whether names are borne out.")
    described = neurons(run, model)
    classes = [_classes(run, clips) for clips in described["highest"]]
    shares = {f"with {part}": described[f"{part}s"].map(len) > 0 for part in ("adjective", "noun")}
    shares |= {"borne out": _share_named(run, described)}
    shares |= {"shuffled captions": _share_named(run, neurons(run, model, control=SHUFFLED))}
    shares |= {"any name": [max(map(labels.count, labels), default=np.nan) / max(len(labels), 1) for labels in classes]}
    units, unknown = described.assign(**shares), {"untrained with noun": np.nan, "untrained network": np.nan}
    if not twin:
        return units.assign(**unknown)
    theirs = neurons(run, twin)
    theirs = theirs.assign(**dict(zip(unknown, (theirs["nouns"].map(len) > 0, _share_named(run, theirs)), strict=True)))
    return units.merge(theirs[["layer", "index", *unknown]], on=["layer", "index"], how="left")


def _classes(run: Run, clips: Sequence[int]) -> list[str]:
    return [run.probing_set.clips[i].label for i in clips]


def _share_named(run: Run, table: pd.DataFrame) -> list[float]:
    """Of each unit's highest clips, the share that is of the class that DB puts first."""
    pairs = zip(table["highest"], table["db"], strict=True)
    return [_classes(run, highest).count(best[0]) / len(highest) if len(highest) else np.nan for highest, best in pairs]


def by_layer(units: pd.DataFrame) -> pd.DataFrame:
    """`borne_out`, one row a layer: means of SHARES, and how many units."""
    layers = units.groupby("layer", sort=False)
    return layers[SHOWN].mean().assign(units=layers.size()).reset_index()


def others(run: Run) -> pd.DataFrame:
    """Networks that others trained, one row each: network, trained for, units, and means of SHARES over these, as `make
    networks` kept them of the run's profile; empty where it has not."""
    return pd.DataFrame(kept.read(run.profile.name, NAME).get("rows", []), columns=COLUMNS)


def words(run: Run, units: pd.DataFrame, trained: pd.DataFrame) -> dict[str, object]:
    """The numbers of the page's prose, and two of its sentences. units: `borne_out`. trained: `others`."""
    spoken = {name.replace(" ", "_"): float(units[name].mean()) for name in ("borne out", "untrained network")}
    spoken |= {"beside": "", "nouns": ""}
    if len(rows := trained[trained["network"] != run.models[0]]):
        spoken["beside"] = f"It is {_twins(rows, 'borne out', 'untrained network')}."
        spoken["nouns"] = (
            f"The share of units that hold nouns is {_twins(trained, 'with noun', 'untrained with noun')}."
        )
    return spoken | {"title": run.profile.title, "model": run.models[0], "probed_folds": run.extra.get("folds", 5)}


def _twins(trained: pd.DataFrame, own: str, twin: str) -> str:
    cells = zip(trained["network"], trained[own], trained[twin], strict=True)
    return ", ".join(f"{share:.0%} in {name} (untrained: {random:.0%})" for name, share, random in cells)
