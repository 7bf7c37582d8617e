"""Silencing units, and what that does to each class: Section 4.3, Table 4, Figure 10."""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int

from andlib.devices import in_halves
from andlib.errors import InputError
from andlib.targets import Layer, Target, check_axes, first, hooked

if TYPE_CHECKING:
    from torch import Tensor

UnitSet = Mapping[str, Int[np.ndarray, "units"]]  # layer name -> indices of units
Instead = Callable[[Layer, "Tensor"], "Tensor"]  # a layer, and outputs of some of its units -> other outputs
VERSION = 1  # enters the keys of stored effects
BATCH = 64  # clips in a forward pass; another number may change the scores' last bits


@contextmanager
def ablate(target: Target, units: UnitSet, instead: Instead | None = None) -> Iterator[None]:
    """While open, the outputs of `units` are zero, or what `instead` gives, at every position of every forward pass.

    instead: from the layer and the units' outputs, on its axes, to what stands in their place.
    Of a module that gives several outputs (a recurrent layer), the first is silenced, not its states.
    Restores the network on exit, also after an error: its outputs are then bit for bit what they were.
    Raises InputError if the target lacks a layer, or reads units out of its channels.

    >>> with ablate(target, {"block0.output": [3, 17]}):
    ...     logits = target.logits(features)"""
    import torch

    layers = [target.layer(name) for name in units if len(units[name])]
    index = {layer.name: torch.from_numpy(np.array(units[layer.name], dtype=np.int64)) for layer in layers}

    def hook(layer: Layer, output: Any) -> Any:
        channels = first(output)
        check_axes(layer, channels)
        axis, place = layer.axes.index("channels"), index[layer.name].to(channels.device)
        if instead is None:
            silenced = channels.index_fill(axis, place, 0.0)
        else:
            silenced = channels.index_copy(axis, place, instead(layer, channels.index_select(axis, place)))
        return (silenced, *output[1:]) if isinstance(output, tuple) else silenced

    for layer in layers:
        if layer.readout is not None:
            raise InputError(
                f"Units of layer {layer.name} are read out of its channels and cannot be silenced one by one. "
                "Describe the layer without a readout to silence its channels."
            )
    with hooked(target, layers, hook):
        yield


def logits_of(
    target: Target, features, units: UnitSet | None = None, instead: Instead | None = None
) -> Float[np.ndarray, "clips classes"]:
    """The network's class scores on prepared features, with `units` silenced or replaced, see `ablate`.

    On a processor, batches run side by side on the cores that torch leaves idle, which changes no score."""
    import torch

    def scores(batch: "Tensor") -> "Tensor":
        with torch.inference_mode():
            given = target.logits(batch).cpu()
        return given if given.dtype == torch.float64 else given.float()

    _ = target.module  # loaded once, before any thread asks
    workers = max(1, (os.cpu_count() or 1) // torch.get_num_threads()) if target.device == "cpu" else 1
    with ablate(target, units or {}, instead), ThreadPoolExecutor(workers) as pool:
        parts = pool.map(partial(in_halves, scores), features.split(BATCH))
        return torch.cat(list(chain.from_iterable(parts))).numpy()


def features_of(target: Target, waveforms: Float[np.ndarray, "clips samples"]):
    """The network's inputs for many clips, made batch by batch."""
    import torch

    return torch.cat([target.features(batch) for batch in torch.from_numpy(waveforms).split(64)])


def size(units: UnitSet) -> int:
    """How many units a set holds."""
    return sum(len(indices) for indices in units.values())


def matched_random(units: UnitSet, widths: Mapping[str, int], rng: np.random.Generator) -> UnitSet:
    """As many units, drawn at random, in every layer as `units` has there, of the layers' `widths`."""
    return {name: np.sort(rng.choice(widths[name], len(indices), replace=False)) for name, indices in units.items()}


def random_units(count: int, widths: Mapping[str, int], rng: np.random.Generator) -> UnitSet:
    """`count` units drawn at random from all layers together (the paper's random baseline: 3000 of 55,296)."""
    starts = np.concatenate([[0], np.cumsum(list(widths.values()))])
    drawn = np.sort(rng.choice(starts[-1], count, replace=False))
    return {name: drawn[(drawn >= a) & (drawn < b)] - a for name, a, b in zip(widths, starts, starts[1:], strict=False)}


@dataclass(frozen=True)
class Effects:
    """What silencing one set of units a class did."""

    own: Float[np.ndarray, "ablated clips"]  # change of the logit of a clip's own class, the paper's "confidence"
    # the same of own logit less the largest other: a shift of all logits, which forgets nothing, leaves it alone
    margin: Float[np.ndarray, "ablated clips"]
    correct: Float[np.ndarray, "ablated clips"]  # whether each clip is still classified right, 0 or 1
    own_before: Float[np.ndarray, "clips"]  # the logit with no unit silenced
    correct_before: Float[np.ndarray, "clips"]
    labels: Int[np.ndarray, "clips"]
    sources: np.ndarray  # source recording of each clip
    sizes: Int[np.ndarray, "ablated"]  # units silenced for each class
    tried: Bool[np.ndarray, "ablated clips"] | None = None  # others count in no mean; None: each set was tried on all

    def by_class(
        self, values: Float[np.ndarray, "ablated clips"], weights: Float[np.ndarray, "draws clips"] | None = None
    ) -> Float[np.ndarray, "*draws ablated classes"]:
        """Mean of `values` over each class's own clips: row a, column c is what silencing a's units did to class c.

        weights: how often each clip counts, a row a bootstrap draw, which gives a matrix for each; None counts each
        once. NaN for a class without clips."""
        known = self.tried is None or len(values) != len(self.tried)  # before anything is silenced, every clip is
        tried = np.ones(values.shape) if known else self.tried.astype(float)
        counts = np.ones((1, len(self.labels))) if weights is None else weights
        means = np.empty((len(counts), len(values), len(self.sizes)))
        for label in range(len(self.sizes)):
            own = self.labels == label
            total = counts[:, own] @ tried[:, own].T
            summed = counts[:, own] @ (tried[:, own] * values[:, own]).T
            means[..., label] = summed / np.where(total == 0, np.nan, total)
        return means[0] if weights is None else means


def changed(
    before: Float[np.ndarray, "clips classes"],
    after: Float[np.ndarray, "ablated clips classes"],
    labels: Int[np.ndarray, "clips"],
) -> dict[str, np.ndarray]:
    """The measured fields of `Effects`, from logits before and after each set of units is silenced."""
    clip = np.arange(len(labels))
    own_before, correct_before = before[clip, labels], (before.argmax(-1) == labels).astype(float)
    return {
        "own": after[:, clip, labels] - own_before,
        "margin": margins(after, labels) - margins(before, labels),
        "correct": (after.argmax(-1) == labels).astype(float),
        "own_before": own_before,
        "correct_before": correct_before,
    }


def margins(logits: Float[np.ndarray, "... clips classes"], labels: Int[np.ndarray, "clips"]) -> np.ndarray:
    """Own logit less the largest other, [..., clips]; NaN where there is no other."""
    clip = np.arange(len(labels))
    others = logits.copy()
    others[..., clip, labels] = -np.inf if logits.shape[-1] > 1 else np.nan
    return logits[..., clip, labels] - others.max(-1)


def ablated_and_remaining(
    matrix: Float[np.ndarray, "... ablated classes"], rows: np.ndarray | None = None
) -> tuple[np.ndarray | float, np.ndarray | float]:
    """dA and dR of Table 4: mean of the diagonal (the class whose units were silenced) and of everything else.

    matrix: `Effects.by_class`. rows: which classes count (those with a unit, say); None counts all.
    Each class weighs the same. NaN if no row counts, and dR for a single class."""
    classes = matrix.shape[-1]
    rows = np.arange(classes) if rows is None else np.flatnonzero(rows)
    if not len(rows):
        return np.full(matrix.shape[:-2], np.nan), np.full(matrix.shape[:-2], np.nan)
    own = matrix[..., rows, rows]
    remaining = (matrix[..., rows, :].sum(-1) - own) / (classes - 1 or np.nan)
    return own.mean(-1), remaining.mean(-1)
