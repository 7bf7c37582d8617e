"""u: every unit's activation on every clip, recorded in one forward pass a batch; highest and lowest clips."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from andlib.errors import InputError
from andlib.targets import Layer, Target, pool

if TYPE_CHECKING:
    from torch import Tensor

VERSION = 1  # enters the keys of stored activations
BATCH = 32  # clips a forward pass


def highest(activations: Float[np.ndarray, "clips units"], k: int) -> Int[np.ndarray, "k units"]:
    """Indices of each unit's k highest clips, highest first; of equal activations the earlier clip comes first.

    k is at most the number of clips. The lowest clips are `highest(-activations, k)`.
    """
    rows = np.ascontiguousarray(-activations.T)
    k = min(k, rows.shape[1])
    chosen = np.sort(np.argpartition(rows, k - 1, axis=1)[:, :k], axis=1)
    values = np.take_along_axis(rows, chosen, 1)
    last = values.max(1, keepdims=True)
    tied = (rows == last).sum(1) > (values == last).sum(1)  # more clips share the last value than have room
    if tied.any():
        chosen[tied] = np.sort(np.argsort(rows[tied], axis=1, kind="stable")[:, :k], axis=1)
        values[tied] = np.take_along_axis(rows[tied], chosen[tied], 1)
    return np.take_along_axis(chosen, np.argsort(values, axis=1, kind="stable"), 1).T


@contextmanager
def recording(target: Target, receive: "Callable[[Layer, Tensor], None]") -> Iterator[None]:
    """While open, every forward pass hands each layer's pooled output [clips, units] to `receive`.

    The hooks return nothing, so the network's own outputs are what they are without recording.
    """

    def hook_for(layer: Layer):
        def hook(module, inputs, output) -> None:
            receive(layer, pool(output, layer.pooling))

        return hook

    handles = [target.module.get_submodule(la.module).register_forward_hook(hook_for(la)) for la in target.layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def batches(waveforms: Float[np.ndarray, "clips samples"], size: int = BATCH) -> Iterator["Tensor"]:
    """Consecutive batches of clips, with a progress bar."""
    import torch
    from tqdm import tqdm

    for first in tqdm(range(0, len(waveforms), size), desc="recording", unit="batch", leave=False):
        yield torch.from_numpy(waveforms[first : first + size])


def record(target: Target, waveforms: Float[np.ndarray, "clips samples"]) -> dict[str, np.ndarray]:
    """Activations of every unit on every clip: layer name -> float32 [clips, units], clips in the given order.

    waveforms: mono, at the target's sampling rate and length. One forward pass a batch records all layers.
    Raises InputError if a value is not finite, naming the layer.
    """
    import torch

    full = {layer.name: np.empty((len(waveforms), layer.units), np.float32) for layer in target.layers}
    done = 0

    def receive(layer: Layer, values: "Tensor") -> None:
        full[layer.name][done : done + len(values)] = _finite(layer, values)

    with torch.no_grad(), recording(target, receive):
        for batch in batches(waveforms):
            target.logits(target.features(batch))
            done += len(batch)
    return full


class Highest:
    """The k highest clips of every unit of one layer, gathered batch by batch: memory does not grow with clips.

    clips: indices of the clips, int [k or fewer, units], highest first once `add` has seen them.
    """

    def __init__(self, k: int, units: int):
        self.k = k
        self.values = np.empty((0, units), np.float32)
        self.clips = np.empty((0, units), int)

    def add(self, values: Float[np.ndarray, "clips units"], first: int) -> None:
        """Takes in the next clips, numbered from `first`; of equal activations the earlier clip stays first."""
        new = np.broadcast_to(np.arange(first, first + len(values))[:, None], values.shape)
        values, clips = np.concatenate([self.values, values]), np.concatenate([self.clips, new])
        keep = highest(values, self.k)
        self.values, self.clips = np.take_along_axis(values, keep, 0), np.take_along_axis(clips, keep, 0)


def record_extremes(
    target: Target, waveform_batches: Iterable[Float[np.ndarray, "clips samples"]], k: int
) -> dict[str, tuple[Int[np.ndarray, "k units"], Int[np.ndarray, "k units"]]]:
    """As `record`, keeping only which k clips activate each unit most and least: layer -> (highest, lowest).

    For probing sets whose full matrices exceed the memory budget; equals `highest` on the full matrix.
    """
    import torch

    kept = {la.name: (Highest(k, la.units), Highest(k, la.units)) for la in target.layers}
    done = 0

    def receive(layer: Layer, values: "Tensor") -> None:
        array = _finite(layer, values)
        for sign, extremes in zip((1, -1), kept[layer.name], strict=True):
            extremes.add(sign * array, done)

    with torch.no_grad(), recording(target, receive):
        for batch in waveform_batches:
            target.logits(target.features(torch.from_numpy(batch)))
            done += len(batch)
    return {name: (most.clips, least.clips) for name, (most, least) in kept.items()}


def dead_units(activations: Float[np.ndarray, "clips units"]) -> np.ndarray:
    """Which units give every clip the same activation, so that their highest clips mean nothing; bool [units]."""
    return (activations == activations[0]).all(0)


def _finite(layer: Layer, values: "Tensor") -> np.ndarray:
    array = values.float().cpu().numpy()
    if not np.isfinite(array).all():
        raise InputError(
            f"Layer {layer.name} gave activations that are not finite. Check the network's weights and the clips."
        )
    return array
