"""A network that others built: whether the names of its units are borne out, beside what a name reaches by itself."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from andlib.descriptions import SHUFFLED
from andlib.errors import check_choice
from andlib.networks import aisfx
from andlib.networks.wrapping import wrap
from andlib.pages import wording
from andlib.run import Run
from andlib.stages import neurons

LAST = "embedding"
READING = {"layers": ["block?.relu?", LAST], "axes": ("clips", "channels", "frames", "mels"), "pooling": "max"}
READING |= {"sample_rate": aisfx.SAMPLE_RATE, "features": aisfx.log_mel}  # as on the page
SHARES = ["with adjective", "with noun", "borne out", "shuffled captions", "untrained network", "any name"]


def first_folds(run: Run, folds: int) -> Run:
    """The run with the clips of as many folds; raises InputError where that is none of 1 to 5."""
    check_choice("Folds", folds, range(1, 6))
    return run.using(probing_set=run.probing_set.in_folds(tuple(range(1, folds + 1))))


def borne_out(run: Run, described: pd.DataFrame, shuffled: pd.DataFrame, untrained: pd.DataFrame) -> pd.DataFrame:
    """Described neurons with SHARES and points (of S_h). A unit's name, DB's first concept, is borne out by the share
    of its highest clips that are of that class.

    any name: the most that one could be, the share of the commonest class. shuffled, untrained: the same neurons from
    captions of other clips, and those of the untrained twin, whose weights are all random."""
    named = {"borne out": described, "shuffled captions": shuffled, "untrained network": untrained}
    shares = {column: _share_named(run, table) for column, table in named.items()}
    classes = [_classes(run, clips) for clips in described["highest"]]
    shares |= {"any name": [max(map(labels.count, labels), default=np.nan) / max(len(labels), 1) for labels in classes]}
    shares |= {f"with {part}": described[f"{part}s"].map(len) > 0 for part in ("adjective", "noun")}
    return described.assign(**shares, points=described["high"].map(len))


def _classes(run: Run, clips: Sequence[int]) -> list[str]:
    return [run.probing_set.clips[i].label for i in clips]


def _share_named(run: Run, table: pd.DataFrame) -> list[float]:
    """Of each unit's highest clips, the share that is of the class that DB puts first."""
    pairs = zip(table["highest"], table["db"], strict=True)
    return [_classes(run, highest).count(best[0]) / len(highest) if len(highest) else np.nan for highest, best in pairs]


def by_layer(units: pd.DataFrame) -> pd.DataFrame:
    """`borne_out`, one row a layer: units, dead, hardly fires (how many do), and means of points and SHARES."""
    layers = units.groupby("layer", sort=False)
    counted = layers.agg(units=("unit", "size"), dead=("dead", "sum"), **{"hardly fires": ("hardly_fires", "sum")})
    return counted.join(layers[["points", *SHARES]].mean()).reset_index()


def ranked(units: pd.DataFrame) -> pd.DataFrame:
    """Five units of the last layer, ranked by how far their name is borne out (ties: more calibrated points first, then
    the lower number): the first, those at each quarter and the last."""
    last = units[units["layer"] == LAST].assign(left=units["calibrated"].map(len))
    last = last.sort_values(["borne out", "left", "index"], ascending=[False, False, True])
    return last.iloc[[round(share * (len(last) - 1)) for share in (0, 0.25, 0.5, 0.75, 1)]]


def in_words(run: Run, units: pd.DataFrame) -> pd.DataFrame:
    """What is said of units: unit, DB, borne out, classes of its highest clips, calibrated summary."""
    classes = [", ".join(_classes(run, highest)) for highest in units["highest"]]
    shown = wording.described(units, "borne out").assign(**{"classes of its highest clips": classes})
    return shown[["unit", "DB", "borne out", "classes of its highest clips", "calibrated summary"]]


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """What the page keeps: the sound-effects network, layer by layer."""
    run = first_folds(run, run.extra["folds"])
    seeds, reading = {"aisfx": None, "untrained": 0}, {**READING, "seconds": run.profile.seconds}
    target, twin = (wrap(aisfx.network(seed), name=name, **reading) for name, seed in seeds.items())
    tables = neurons(run, target), neurons(run, target, control=SHUFFLED), neurons(run, twin)
    return {"layers": by_layer(borne_out(run, *tables))}


def words(run: Run, units: pd.DataFrame) -> dict[str, object]:
    """The numbers of the page's prose, most of them of the last layer. units: `borne_out`."""
    last = units[units["layer"] == LAST]
    spoken = {"title": run.profile.title, "clips": len(run.probing_set), "probed_folds": run.extra["folds"]}
    spoken |= {"units": len(units), "dead": int(units["dead"].sum())}
    return spoken | {name.replace(" ", "_"): float(last[name].mean()) for name in SHARES[2:]}
