"""Where on the spectrogram one unit fires, and what the network loses without it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import scipy
from jaxtyping import Float

from andlib import frontend
from andlib.bench import bench
from andlib.errors import InputError
from andlib.records import Grid, Unit
from andlib.run import Run
from andlib.store import Stage
from andlib.targets import Layer, Target, at_positions, hooked, pool

FIRING = Stage("firing", "arrays")
TIMES, BANDS = ("time", "frames"), ("mels",)  # names of axes that say where a position lies


@dataclass(frozen=True)
class Firing:
    """One unit over one clip: its value at every position of the spectrogram, and where that is highest.

    activation: u on the clip. map: float [times, bands], bands from low to high.
    seconds, hertz: edges of its cells, [times + 1] and [bands + 1]. heard: seconds of the clip, before padding."""

    activation: float
    map: Float[np.ndarray, "times bands"]
    seconds: np.ndarray
    hertz: np.ndarray
    heard: float

    @cached_property
    def _peak(self) -> tuple[slice, slice]:
        """Times and bands of the cells around the highest that reach half of its height over the clip's median."""
        own = self.map[self.seconds[:-1] < self.heard]
        near, _ = scipy.ndimage.label(own >= (own.max() + np.median(own)) / 2)
        return scipy.ndimage.find_objects(near)[near.flat[own.argmax()] - 1]

    @property
    def interval(self) -> tuple[float, float]:
        """Start and end of the peak in seconds."""
        times, _ = self._peak
        return float(self.seconds[times.start]), float(min(self.seconds[times.stop], self.heard))

    @property
    def band(self) -> tuple[float, float]:
        """Lowest and highest frequency of the peak in Hz."""
        _, bands = self._peak
        return float(self.hertz[bands.start]), float(self.hertz[bands.stop])


def where_it_fired(target: Target, unit: Unit, clips: Sequence[Float[np.ndarray, "_"]]) -> list[Firing]:
    """Where in each clip the unit fires: its values before pooling, laid out in time and mel bands.

    A map's mean is the activation where the layer's pooling is "mean". Class and distillation tokens have no place:
    where they are pooled ("cls"), the map holds the same unit's values at all other tokens.

    clips: mono, at the target's sampling rate, cut to its length. Raises InputError if the layer's positions have none.

    >>> [firing] = al.where_it_fired(target, al.Unit("ast", "block0.output", 17), [samples])
    >>> firing.interval, firing.band  # seconds, Hz"""
    length = round(target.sample_rate * target.seconds)
    waveforms = np.stack([np.pad(clip[:length], (0, max(0, length - len(clip)))) for clip in clips])
    u, cells, seconds, hertz = maps(target, target.layer(unit.layer), [unit.index], waveforms.astype(np.float32))
    heard = [min(len(clip), length) / target.sample_rate for clip in clips]
    return [Firing(float(a[0]), m[..., 0], seconds, hertz, end) for a, m, end in zip(u, cells, heard, strict=True)]


def maps(
    target: Target, layer: Layer, units: Sequence[int], waveforms: Float[np.ndarray, "clips samples"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """For some units of a layer: activations [clips, units], values at every place [clips, times, bands, units], and
    the edges of places in seconds [times + 1] and Hz [bands + 1]. Raises InputError if positions have no place."""
    import torch

    units, pooled, placed, grid = list(units), [], [], _grid(target, layer)

    def hook(layer: Layer, output: Any) -> None:
        pooled.append(pool(output, layer)[:, units])
        placed.append(_laid_out(at_positions(output, layer)[..., units], layer, grid))

    with torch.no_grad(), hooked(target, [layer], hook):
        for batch in torch.from_numpy(waveforms).split(32):
            target.forward(target.features(batch))
    cells = torch.cat(placed).float().cpu().numpy()
    seconds = np.linspace(*grid.seconds, cells.shape[1] + 1)
    hertz = frontend.hertz(np.linspace(*frontend.mel(grid.hertz), cells.shape[2] + 1))
    return torch.cat(pooled).float().cpu().numpy(), cells, seconds, hertz


def _grid(target: Target, layer: Layer) -> Grid:
    grid = target.grid() if target.grid else None
    positions = layer.positions
    known = set(positions) <= {*TIMES, *BANDS, "windows"} or (positions == ("tokens",) and grid and grid.bands)
    if not (grid and positions and known):
        raise InputError(
            f"Where layer {layer.name} of {target.name} fires cannot be told: its axes {layer.axes} have no place in "
            f"time. Expected axes among {', '.join(TIMES + BANDS)}, or tokens of a target that declares its `grid`."
        )
    return grid


def _laid_out(x, layer: Layer, grid: Grid):
    """Values at positions [clips, *positions, units] as [clips, times, bands, units]."""
    positions = layer.positions
    if "windows" in positions:  # they and the times within them follow each other evenly
        x, times = x.movedim(1 + positions.index("windows"), 1), [axis for axis in positions if axis in TIMES]
        rest = [axis for axis in positions if axis != "windows"]
        if times:
            x = x.movedim(2 + rest.index(times[0]), 2).flatten(1, 2)
        positions = ("time", *(axis for axis in rest if axis in BANDS))
    if positions == ("tokens",):
        x = x[:, grid.prefix :]
        if x.shape[1] % grid.bands:
            wrong = f"{x.shape[1]} tokens with a place, not whole rows of {grid.bands} bands"
            raise InputError(f"Layer {layer.name} has {wrong}.")
        return x.unflatten(1, (grid.bands, -1)).transpose(1, 2) if grid.time_first else x.unflatten(1, (-1, grid.bands))
    if len(positions) == 1:
        return x.unsqueeze(2 if positions[0] in TIMES else 1)
    return x if positions[0] in TIMES else x.transpose(1, 2)


def fired(run: Run, network: Target, unit: Unit, clips: Sequence[int]) -> dict[int, Firing]:
    """`where_it_fired` for clips of the run's probing set, by their number; stored."""
    rate, chosen = network.sample_rate, [run.probing_set.clips[i] for i in clips]

    def make() -> dict[str, np.ndarray]:
        found = where_it_fired(network, unit, [run.probing_set.read(clip, rate) for clip in chosen])
        own = {name: np.array([getattr(firing, name) for firing in found]) for name in ("activation", "map", "heard")}
        return {**own, "seconds": found[0].seconds, "hertz": found[0].hertz}

    layer = network.only([unit.layer])
    kept = run.store.get(FIRING, [layer, unit.index, run.probing_set, clips], make)
    rows = zip(clips, kept["activation"], kept["map"], kept["heard"], strict=True)
    return {int(i): Firing(float(u), cells, kept["seconds"], kept["hertz"], float(end)) for i, u, cells, end in rows}


def effect(run: Run, network: Target, unit: Unit, factor: float = 0.0) -> pd.DataFrame:
    """What each class loses on fold 1 when the unit's output is multiplied by `factor`, 0 silencing it.

    One row a class: class, before, after (mean logit of the class on its own clips), change; stored.
    Raises InputError where there is no fold 1, or the network has not the probing set's classes."""
    measured, units = bench(run, network), {unit.layer: np.array([unit.index])}
    tested, logits = measured.tested, {"before": measured.logits([{}]), "after": measured.logits([units], factor)}
    own = {name: scores[0, np.arange(len(tested)), tested.labels] for name, scores in logits.items()}
    frame = pd.DataFrame({"class": [clip.label for clip in tested.clips], **own}).groupby("class", sort=False).mean()
    return frame.reset_index().assign(change=lambda table: table["after"] - table["before"])
