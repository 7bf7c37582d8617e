"""Highest and lowest clips of every unit, and moments of its activations, from shards of clips that merge."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial, reduce

import numpy as np

from andlib import stages
from andlib.activations import highest
from andlib.records import ProbingSet
from andlib.run import Run
from andlib.store import Arrays
from andlib.targets import Target

STAGE = "extremes_of_shards"

NAMES = ("clips", "values", "count", "mean", "squares")


def summary(k: int, u: Mapping[str, np.ndarray], first: int) -> Arrays:
    """The k highest and lowest clips of every unit, and moments; u: layer -> [clips, units], numbered from `first`.

    `layer/NAME`, where clips, values: [2, k or fewer, units], of the highest u and of the highest -u; count: of clips;
    mean, squares (sum of squared deviations from it): float64 [units].
    """
    return {f"{layer}/{name}": array for layer in u for name, array in _of_layer(k, u[layer], first).items()}


def _of_layer(k: int, u: np.ndarray, first: int) -> Arrays:
    sides = np.stack([u, -u])
    clips = np.stack([highest(side, k) for side in sides])
    mean = u.mean(0, dtype=np.float64)
    return {
        "clips": (clips + first).astype(np.int32),
        "values": np.take_along_axis(sides, clips, 1),
        "count": np.array([len(u)]),
        "mean": mean,
        "squares": ((u - mean) ** 2).sum(0),
    }


def merged(k: int, a: Arrays, b: Arrays) -> Arrays:
    """`summary` of the clips of `a` and of those of `b`, which come behind them.

    Associative, but for the rounding of moments, whose formula is that of Chan et al. (1979).
    """
    total = {}
    for layer in {name.rpartition("/")[0]: None for name in a}:
        of = [{name: part[f"{layer}/{name}"] for name in NAMES} for part in (a, b)]
        total |= {f"{layer}/{name}": array for name, array in _merged_layer(k, *of).items()}
    return total


def _merged_layer(k: int, a: Arrays, b: Arrays) -> Arrays:
    clips, values = (np.concatenate([a[name], b[name]], 1) for name in ("clips", "values"))
    keep = np.stack([highest(side, k) for side in values])
    count, apart = a["count"] + b["count"], b["mean"] - a["mean"]
    return {
        "clips": np.take_along_axis(clips, keep, 1),
        "values": np.take_along_axis(values, keep, 1),
        "count": count,
        "mean": a["mean"] + apart * b["count"] / count,
        "squares": a["squares"] + b["squares"] + apart**2 * a["count"] * b["count"] / count,
    }


Shard = tuple[dict, tuple[int, ProbingSet]]  # its key, and its clips with the number of the first


def shards(run: Run, network: Target, where: np.ndarray) -> Iterator[Shard]:
    """The clips `where`, in the shards of `stages`."""
    key = stages.extremes_key(run, network, where)
    for first in range(0, len(where), stages.SHARD):
        clips = tuple(run.probing_set.clips[i] for i in where[first : first + stages.SHARD])
        yield {**key, "first": first}, (first, replace(run.probing_set, clips=clips))


def of_shard(k: int, network: Target, job: tuple[int, ProbingSet]) -> Arrays:
    """The summary of a shard's clips."""
    first, clips = job
    return summary(k, stages.recorded(network, clips), first)


def gather(run: Run, network: Target, where: np.ndarray, parts: Sequence[Shard]) -> Arrays:
    """Merges stored shards, in the order of clips, and stores the summary, and its clips for `highest_and_lowest`."""
    stored = (run.store.get(STAGE, key, partial(of_shard, run.k, network, job), "arrays") for key, job in parts)
    total = reduce(partial(merged, run.k), stored)
    layers = [name.removesuffix("/clips") for name in total if name.endswith("/clips")]
    clips = {f"{layer}/{side}": total[f"{layer}/clips"][side].astype(int) for layer in layers for side in (0, 1)}
    key = stages.extremes_key(run, network, where)
    run.store.get("extremes", key, lambda: clips, "arrays")
    return run.store.get(STAGE, {**key, "first": "all"}, lambda: total, "arrays")
