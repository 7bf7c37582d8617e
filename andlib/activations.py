"""u: every unit's activation on every clip, recorded in one forward pass a batch; highest and lowest clips."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int

from andlib.bars import tqdm
from andlib.devices import in_halves
from andlib.errors import InputError, explained, first_line
from andlib.store import Arrays
from andlib.targets import Layer, Target, first, hooked, pool

if TYPE_CHECKING:
    from torch import Tensor

VERSION = 1  # enters the keys of stored activations
BUDGET = 2**31  # bytes of full matrices beyond which only the highest and lowest clips are kept
EXTREMES = ("clips", "values", "ties", "count", "mean", "squares")  # what is kept of a layer beyond the budget
SORTED = 256  # units whose clips are sorted at once, which bounds memory


def highest(activations: Float[np.ndarray, "clips units"], k: int) -> Int[np.ndarray, "k units"]:
    """Indices of each unit's k highest clips, highest first; of equal activations the earlier clip comes first.

    k is at most the number of clips. The lowest clips are `highest(-activations, k)`."""
    k = min(k, len(activations))
    chosen = np.empty((k, activations.shape[1]), int)
    for start in range(0, activations.shape[1], SORTED):
        rows = np.ascontiguousarray((-activations[:, start : start + SORTED]).T)  # twice as fast as transposed first
        near = np.flatnonzero(rows <= _bound(rows, k))  # each unit's k highest, those equal to the last, few others
        counts = np.bincount(near // len(activations), minlength=len(rows))
        # side by side, in the order of clips; the infinite values that fill up a row come last
        place = np.arange(counts.max()) < counts[:, None]
        clips, values = np.zeros(place.shape, int), np.full(place.shape, np.inf, rows.dtype)
        clips[place], values[place] = near % len(activations), rows.ravel()[near]
        order = np.argsort(values, axis=1, kind="stable")[:, :k]
        chosen[:, start : start + SORTED] = np.take_along_axis(clips, order, 1).T
    return chosen


def _bound(rows: np.ndarray, k: int) -> np.ndarray:
    """Of each row a number that k of its entries or little more do not exceed: the k-th of the lowest of every few."""
    few = max(1, rows.shape[1] // (4 * k))
    lowest = rows[:, : rows.shape[1] // few * few].reshape(len(rows), few, -1).min(1)
    return np.partition(lowest, k - 1, axis=1)[:, k - 1 : k]


@dataclass(frozen=True)
class Chosen:
    """The clips that describe each unit of a layer, by one end of its activations.

    clips: for each unit its clips, the furthest first; K of them, or fewer where it tells fewer from its commonest
    value. tied: how many clips that are not among them are as far as the last of K; int [units]."""

    clips: list[np.ndarray]
    tied: np.ndarray


def choose(activations: Float[np.ndarray, "clips units"], k: int) -> Chosen:
    """Each unit's k highest clips, but none at or below its commonest value (of equally common ones, the lowest).

    A unit that is 0 on all clips but two is described by those two: which three of the others would join them is the
    table's order, not the unit. The lowest clips are `choose(-activations, k)`."""
    clips = highest(activations, k)
    values = np.take_along_axis(activations, clips, 0)
    commonest = np.full(values.shape[1], -np.inf)
    as_high = (activations >= values[-1]).sum(0)
    # two clips share a value: of the highest, or across the last place; elsewhere the commonest value lies lower
    for unit in np.flatnonzero((as_high > len(clips)) | (values[1:] == values[:-1]).any(0)):
        shared, times = np.unique(activations[:, unit], return_counts=True)
        commonest[unit] = shared[times.argmax()]
    return _above(clips, values, commonest, as_high - len(clips))


def choose_kept(layer: Arrays, end: int) -> Chosen:
    """`choose` by what `extremes` keeps of a layer; end: 0 the highest clips, 1 the lowest.

    Other values are not known: a value counts as the commonest that at least half of the clips share."""
    clips, values, ties = (layer[name][end] for name in ("clips", "values", "ties"))
    commonest = np.where((ties > 1) & (2 * ties >= layer["count"]), values[-1], -np.inf)
    return _above(clips.astype(int), values, commonest, ties - (values == values[-1]).sum(0))


def _above(clips: np.ndarray, values: np.ndarray, commonest: np.ndarray, tied: np.ndarray) -> Chosen:
    above = (values > commonest).sum(0)
    own = [unit[:count] for unit, count in zip(clips.T, above, strict=True)]
    return Chosen(own, np.where(above < len(clips), 0, tied))


def filled(rows: Iterable) -> tuple[Int[np.ndarray, "units k"], Bool[np.ndarray, "units k"]]:
    """Clips of units side by side, filled up with 0 where a unit has fewer than others; and which are its own."""
    rows = list(rows)
    counts = np.array([len(row) for row in rows], int)
    own = np.arange(counts.max(initial=0)) < counts[:, None]
    clips = np.zeros(own.shape, int)
    clips[own] = np.concatenate([*rows, []])
    return clips, own


def recording(target: Target, receive: "Callable[[Layer, Tensor], None]") -> AbstractContextManager[None]:
    """While open, every forward pass hands each layer's pooled output [clips, units] to `receive`.

    Raises InputError where an output has not the declared axes, or another shape than in the batch before."""
    shapes: dict[str, list[int]] = {}

    def hook(layer: Layer, output: Any) -> None:
        values = pool(output, layer)
        shape = [n for n, axis in zip(first(output).shape, layer.axes, strict=True) if axis != layer.along]
        if shapes.setdefault(layer.name, shape) != shape:
            raise InputError(
                f"Layer {layer.name} gave {shape} numbers a clip after {shapes[layer.name]} in an earlier batch; "
                "expected one shape for clips of one length."
            )
        receive(layer, values)

    return hooked(target, target.layers, hook)


def record(target: Target, batches: Iterable[Float[np.ndarray, "_ samples"]], clips: int) -> dict[str, np.ndarray]:
    """Activations of every unit on every clip: layer name -> float32 [clips, units], clips in the given order.

    batches: mono, at the target's rate and length. Raises InputError for a layer whose values are not finite."""
    _ = target.module  # a description of more units than its file holds is refused before they are given room
    full = {layer.name: np.empty((clips, layer.units), np.float32) for layer in target.layers}

    def receive(layer: Layer, values: np.ndarray, first: int) -> None:
        full[layer.name][first : first + len(values)] = values

    _pass(target, batches, clips, receive)
    return full


def size(target: Target, clips: int) -> int:
    """Bytes of the full matrices of `record`."""
    return 4 * clips * sum(layer.units for layer in target.layers)


def _pass(target: Target, batches: Iterable[np.ndarray], clips: int, receive: Callable) -> None:
    """One forward pass over all clips; `receive` gets each layer, its activations and the first clip's number."""
    import torch

    done, length, heard = 0, 0, Counter()

    def take(layer: Layer, values: "Tensor") -> None:
        heard[layer.name] += 1
        if len(values) != length:
            given = f"Layer {layer.name} gave {len(values)} clips for {length}"
            raise InputError(f"{given}; declare where its clips' axis is.")
        receive(layer, _finite(layer, values), done)

    def hear(batch: "Tensor") -> None:
        nonlocal done, length
        heard.clear()
        length = len(batch)
        where = f"{target.name} failed on clips {done} to {done + length - 1}"
        where += f" of {target.seconds:g} s at {target.sample_rate} Hz"
        with explained(lambda e: f"{where} ({first_line(e)}). Check these, the network and `features`."):
            target.forward(target.features(batch))
        for layer in target.layers:
            if heard[layer.name] != 1:
                raise InputError(
                    f"The module of layer {layer.name} ran {heard[layer.name]} times in a forward pass; expected "
                    "once. Name another module whose output holds the same units."
                )
        done += length
        bar.update(length)

    with torch.no_grad(), tqdm(total=clips, desc="recording", unit="clip", leave=False) as bar, recording(target, take):
        for batch in batches:
            in_halves(hear, torch.from_numpy(batch))


def counted(target: Target) -> Target:
    """The target with the units of every layer counted, and its windows, by a forward pass over silence and noise.

    Raises InputError where the network does not do what is declared of its layers."""
    samples = round(target.sample_rate * target.seconds)
    noise = 0.1 * np.random.default_rng(0).standard_normal(samples)
    units = {}
    waveforms = np.stack([np.zeros(samples), noise]).astype(np.float32)
    target = _windowed(target, waveforms)
    _pass(target, [waveforms], 2, lambda layer, values, _: units.update({layer.name: values.shape[1]}))
    return replace(target, layers=tuple(replace(layer, units=units[layer.name]) for layer in target.layers))


def _windowed(target: Target, waveforms: np.ndarray) -> Target:
    """The target with the windows of a clip counted, for layers where they stand in the place of clips."""
    import torch

    rows, folded = {}, [layer for layer in target.layers if layer.along == "windows"]
    if not folded:
        return target
    count = lambda layer, output: rows.update({layer.name: first(output).shape[layer.axes.index("windows")]})  # noqa: E731
    with torch.no_grad(), hooked(target, folded, count):
        target.forward(target.features(torch.from_numpy(waveforms)))
    for name, total in rows.items():
        if total % len(waveforms):
            told = f"Layer {name} gave {total} windows for {len(waveforms)} clips"
            raise InputError(f"{told}; expected as many for each. Declare where its clips' axis is.")
    windows = {layer.name: rows.get(layer.name, 0) // len(waveforms) for layer in target.layers}
    return replace(target, layers=tuple(replace(layer, windows=windows[layer.name]) for layer in target.layers))


def extremes(k: int, u: Mapping[str, np.ndarray], first: int = 0) -> Arrays:
    """The k highest and lowest clips of every unit, and moments; u: layer -> [clips, units], numbered from `first`.

    `layer/NAME`, where clips, values: [2, k or fewer, units], of the highest u and of the highest -u; ties [2, units]:
    clips at the last of the values; count: of clips; mean, squares (summed, of deviations from it): float64 [units]."""
    return {f"{layer}/{name}": array for layer in u for name, array in _of_layer(k, u[layer], first).items()}


def _of_layer(k: int, u: np.ndarray, first: int) -> Arrays:
    sides = np.stack([u, -u])
    clips = np.stack([highest(side, k) for side in sides])
    values, mean = np.take_along_axis(sides, clips, 1), u.mean(0, dtype=np.float64)
    return {
        "clips": (clips + first).astype(np.int32),
        "values": values,
        "ties": (sides == values[:, -1:]).sum(1),
        "count": np.array([len(u)]),
        "mean": mean,
        "squares": ((u - mean) ** 2).sum(0),
    }


def merged(k: int, a: Arrays, b: Arrays) -> Arrays:
    """`extremes` of the clips of `a` and then those of `b`; of equal activations the earlier clip stays first.

    Associative, but for the rounding of moments, whose formula is that of Chan et al. (1979)."""
    total = {}
    for layer in {name.rpartition("/")[0]: None for name in a}:
        parts = [{name: part[f"{layer}/{name}"] for name in EXTREMES} for part in (a, b)]
        total |= {f"{layer}/{name}": array for name, array in _merged_layer(k, *parts).items()}
    return total


def _merged_layer(k: int, a: Arrays, b: Arrays) -> Arrays:
    clips, values = (np.concatenate([a[name], b[name]], 1) for name in ("clips", "values"))
    keep = np.stack([highest(side, k) for side in values])
    values = np.take_along_axis(values, keep, 1)
    count, apart, last = a["count"] + b["count"], b["mean"] - a["mean"], values[:, -1:]
    ties = [
        np.where(p["values"][:, -1:] == last, p["ties"][:, None], (p["values"] == last).sum(1, keepdims=True))
        for p in (a, b)
    ]
    return {
        "clips": np.take_along_axis(clips, keep, 1),
        "values": values,
        "ties": sum(ties)[:, 0],
        "count": count,
        "mean": a["mean"] + apart * b["count"] / count,
        "squares": a["squares"] + b["squares"] + apart**2 * a["count"] * b["count"] / count,
    }


def _finite(layer: Layer, values: "Tensor") -> np.ndarray:
    if values.is_complex():
        raise InputError(f"Layer {layer.name} gave complex numbers; expected real ones. Name a module that gives them.")
    array = values.float().cpu().numpy()
    if not np.isfinite(array).all():
        given = f"Layer {layer.name} gave activations that are not finite"
        raise InputError(f"{given}. Check the network's weights and the clips.")
    return array
