"""Recording in two parts at once, and the same shards in one process: a full-size AST, random weights, noise."""

import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from andlib import responses
from andlib.records import Clip, ProbingSet
from benchmarks.full_size import SECONDS, random_network
from benchmarks.measuring import Row

CLIPS, SHARD = 16, 4  # a minute in one process; shards so small that the last ones do not decide


def rows() -> Iterator[Row]:
    """Two parts, each a process of one thread, against one such process."""
    with tempfile.TemporaryDirectory() as folder:
        one, two = (taken(parts, Path(folder) / str(parts)) for parts in (1, 2))
    what = f"recording {CLIPS} clips, full-size AST: two parts at once"
    yield Row(what, two, one, "one process", asked=1.7, note="from the first shard on: networks are loaded before")


def taken(parts: int, folder: Path) -> float:
    """Seconds from when every part holds its network until the last of them is done."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(parts + 1)
    processes = [context.Process(target=record, args=(folder, part, parts, ready)) for part in range(parts)]
    for process in processes:
        process.start()
    ready.wait()
    begun = time.perf_counter()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise RuntimeError("a part failed")
    return time.perf_counter() - begun


def record(folder: Path, part: int, parts: int, ready) -> None:
    """Every so manyth shard, after everybody is ready."""
    import torch

    torch.set_num_threads(1)
    network, clips = random_network("ast", folder / str(part)), noise(CLIPS)
    shards = [replace(clips, clips=clips.clips[first : first + SHARD]) for first in range(0, CLIPS, SHARD)]
    _ = network.module
    ready.wait()
    for shard in shards[part::parts]:
        responses.recorded(network, shard)


def noise(clips: int) -> ProbingSet:
    """A probing set of noise."""
    named = tuple(Clip(str(i), "noise", 1, str(i)) for i in range(clips))
    return ProbingSet("noise", named, ("noise",), _noise, "")


def _noise(clip: Clip, sample_rate: int) -> np.ndarray:
    rng = np.random.default_rng(int(clip.name))
    return 0.1 * rng.standard_normal(round(SECONDS * sample_rate)).astype(np.float32)
