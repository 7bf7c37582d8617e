"""What a run's networks do on its clips: activations of every unit, stored, and the clips of the highest and lowest."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial, reduce

import numpy as np

from andlib import kept
from andlib.activations import BUDGET, EXTREMES, VERSION, Chosen, choose, choose_kept, extremes, merged, record, size
from andlib.errors import InputError
from andlib.records import ProbingSet
from andlib.run import Run
from andlib.store import Arrays, Stage
from andlib.targets import Target

ACTIVATIONS, KEPT = Stage("activations", "arrays", VERSION), Stage("extremes", "arrays", VERSION + 1)
OUTPUTS = Stage("outputs", "arrays", VERSION)
SHARD = 256  # clips whose activations are stored at a time

Job = tuple[Stage, list, Callable[[], Arrays]]  # what `Store.get` takes
Extremes = dict[str, tuple[Chosen, Chosen, np.ndarray | None]]  # layer -> highest, lowest, u


def unit_activations(run: Run, model: str | Target, *, untrained: bool = False) -> dict[str, np.ndarray]:
    """u of every unit on every clip: layer -> float32 [clips, units].

    Raises InputError if these matrices exceed activations.BUDGET."""
    network, seconds = run.probed(model, untrained=untrained), run.profile.seconds
    if network.seconds > 2 * seconds:
        silence = (
            f"{network.name} hears {network.seconds:g} s, and clips last {seconds:g} s: the rest is silence to it."
        )
        warnings.warn(f"{silence} Give it seconds={seconds:g} where it takes such clips.", stacklevel=2)
    if too_large(run, network):
        raise InputError(
            f"Activations of {len(run.probing_set)} clips take {size(network, len(run.probing_set)) / 2**30:.1f} GiB; "
            f"the budget is {BUDGET / 2**30:.1f} GiB. Probe with fewer clips, or raise andlib.activations.BUDGET."
        )
    stored = [run.store.get(*job) for job in shards(run, network)]
    return {layer.name: np.concatenate([shard[layer.name] for shard in stored]) for layer in network.layers}


def classifier_outputs(run: Run, model: str | Target, *, untrained: bool = False) -> np.ndarray:
    """u of the classifier's units alone; float32 [clips, classes]; of networks of which no more is read, kept."""
    network = run.probed(model, untrained=untrained)
    if not untrained and (network.name in run.models or network.name not in run.profile.slow):
        return unit_activations(run, network)["classifier"]
    only = network.only(["classifier"])
    only = replace(only, name="untrained") if untrained else only  # networks of one shape share their untrained twin
    made_from, lasting = ([only, clips] for clips in (run.probing_set, run.probing_set.layout))
    return kept.stage(run, OUTPUTS, made_from, lasting, lambda: {"u": unit_activations(run, only)["classifier"]})["u"]


def shards(run: Run, network: Target) -> Iterator[Job]:
    """u of every SHARD clips, stored by themselves, so that a killed run resumes behind the last."""
    for first in range(0, len(run.probing_set), SHARD):
        clips = replace(run.probing_set, clips=run.probing_set.clips[first : first + SHARD])
        made_from = [network, run.probing_set, first, len(clips)]
        yield ACTIVATIONS, made_from, lambda clips=clips: recorded(network, clips)


def recorded(network: Target, clips: ProbingSet) -> dict[str, np.ndarray]:
    """u of every unit on these clips alone: layer -> float32 [clips, units]."""
    return record(network, clips.batches(network.sample_rate, network.seconds), len(clips))


def highest_and_lowest(run: Run, network: Target, where: np.ndarray) -> Extremes:
    """For each layer, every unit's K highest and lowest clips among `where` (indices into it), and u.

    u, float32 [clips, units], is None where the full matrices exceed the memory budget: the extremes are then gathered
    shard by shard, so that memory does not grow with clips, and what needs every clip's activation (DB) is left out."""
    if not too_large(run, network):
        every = np.array_equal(where, np.arange(len(run.probing_set)))  # needs no copy
        full = {name: u if every else u[where] for name, u in unit_activations(run, network).items()}
        return {name: (choose(u, run.k), choose(-u, run.k), u) for name, u in full.items()}
    total = reduce(partial(merged, run.k), (run.store.get(*job) for job in extreme_shards(run, network, where)))
    by_layer = {layer.name: {name: total[f"{layer.name}/{name}"] for name in EXTREMES} for layer in network.layers}
    return {layer: (choose_kept(arrays, 0), choose_kept(arrays, 1), None) for layer, arrays in by_layer.items()}


def extreme_shards(run: Run, network: Target, where: np.ndarray) -> Iterator[Job]:
    """`activations.extremes` of every SHARD clips of `where`."""
    for first in range(0, len(where), SHARD):
        clips = tuple(run.probing_set.clips[i] for i in where[first : first + SHARD])
        shard, made_from = replace(run.probing_set, clips=clips), [network, run.probing_set, where, run.k, first]
        yield KEPT, made_from, lambda first=first, shard=shard: extremes(run.k, recorded(network, shard), first)


def too_large(run: Run, network: Target) -> bool:
    """Whether the full matrices exceed the memory budget."""
    return size(network, len(run.probing_set)) > BUDGET
