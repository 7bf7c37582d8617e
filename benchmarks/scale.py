"""Recording on Ray's workers against the same shards in this process: a full-size AST, random weights, noise.

    python -m benchmarks.scale                # about a minute a pass and core, nine passes
    python -m benchmarks.scale --clips 16 --repeats 1
Seconds are by the clock, so other programs count: the load of the machine stands beside them. Each worker has one
thread, and so has this process. Starting Ray and loading the network are timed by themselves.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from andlib import scale, stages
from andlib.records import Clip, ProbingSet
from benchmarks.full_size import SECONDS, random_network

SHARD = 4  # clips: so that the last shards of a pass do not decide its length
ENGINES = {
    "serial": scale.Engine("serial"),
    "one worker": scale.Engine(workers=1),
    "two workers": scale.Engine(workers=2),
}


def noise(clips: int) -> ProbingSet:
    """A probing set of noise."""
    named = tuple(Clip(str(i), "noise", 1, str(i)) for i in range(clips))

    def read(clip: Clip, sample_rate: int) -> np.ndarray:
        rng = np.random.default_rng(int(clip.name))
        return 0.1 * rng.standard_normal(round(SECONDS * sample_rate)).astype(np.float32)

    return ProbingSet("noise", named, ("noise",), read, "")


def taken(engine: scale.Engine, network, probing_set: ProbingSet) -> tuple[float, float]:
    """Seconds until every worker has done a first shard, and then for all shards."""
    parts = [
        replace(probing_set, clips=probing_set.clips[first : first + SHARD])
        for first in range(0, len(probing_set), SHARD)
    ]
    begun = time.perf_counter()
    with scale.workers(engine, partial(replace, network)) as each:
        list(each(stages.recorded, parts[: engine.workers if engine.engine == "ray" else 1]))
        ready = time.perf_counter()
        for _ in each(stages.recorded, parts):
            pass
        return ready - begun, time.perf_counter() - ready


def rows(clips: int = 64, repeats: int = 3) -> Iterator[dict]:
    """One row a pass: repeat, engine, start and seconds, and the machine's load when it ended; passes alternate."""
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        network, probing_set = random_network("ast", Path(folder) / "ast"), noise(clips)
        for repeat in range(repeats):
            for name, engine in ENGINES.items():
                start, seconds = taken(engine, network, probing_set)
                yield {
                    "repeat": repeat,
                    "engine": name,
                    "clips": clips,
                    "start": start,
                    "seconds": seconds,
                    "load": os.getloadavg()[0],
                }


def main() -> None:
    """Measure, print every pass, and the ratios of medians."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    given, seconds = parser.parse_args(), {name: [] for name in ENGINES}
    for row in rows(given.clips, given.repeats):
        print(
            "{engine:12} {clips} clips: {seconds:6.1f} s after {start:5.1f} s to start, load {load:.1f}".format(**row)
        )
        seconds[row["engine"]].append(row["seconds"])
    serial, one, two = (float(np.median(times)) for times in seconds.values())
    print(f"one worker takes {one / serial:.2f} of serial; two workers are {one / two:.2f} times as fast as one")


if __name__ == "__main__":
    main()
