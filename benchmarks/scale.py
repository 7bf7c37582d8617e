"""Recording on Ray's workers, and the same shards in this process: a full-size AST, random weights, noise.

    python -m benchmarks.scale --repeats 3        # about three minutes each
Each worker has one thread, and so has this process. Starting Ray and loading the network are timed by themselves."""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from andlib import responses, scale
from andlib.errors import MissingExtra
from andlib.records import Clip, ProbingSet
from benchmarks.full_size import SECONDS, random_network
from benchmarks.measuring import Row

CLIPS, SHARD = 16, 4  # a minute in one process; shards so small that the last ones do not decide a pass
ENGINES = {
    "serial": scale.Engine("serial"),
    "one worker": scale.Engine(workers=1),
    "two workers": scale.Engine(workers=2),
}


def rows() -> Iterator[Row]:
    """One worker against this process, two against one; no rows without Ray."""
    try:
        median = {name: np.median(list(found), 0).tolist() for name, found in _by_engine(passes(1)).items()}
    except MissingExtra as error:
        print(f"No Ray: {error}")
        return
    (_, serial), (start, one), (starts, two) = median.values()
    what = f"recording {CLIPS} clips, full-size AST, on Ray:"
    loading = "{:.0f} s more to start Ray and load the network"
    yield Row(f"{what} one worker", one, serial, "this process", asked=0.9, note=loading.format(start))
    yield Row(f"{what} two workers", two, one, "one worker", asked=1.7, note=loading.format(starts))


def _by_engine(found: Iterator[tuple[str, float, float]]) -> dict[str, list[tuple[float, float]]]:
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ENGINES}
    for name, start, seconds in found:
        times[name].append((start, seconds))
    return times


def passes(repeats: int) -> Iterator[tuple[str, float, float]]:
    """Every engine in turn, so often: its name, seconds to start, and seconds for all shards."""
    import torch

    os.environ.setdefault("RAY_worker_niceness", "0")  # Ray makes its workers nicer than the serial pass is
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        network, probing_set = random_network("ast", Path(folder) / "ast"), noise(CLIPS)
        for _ in range(repeats):
            for name, engine in ENGINES.items():
                yield name, *taken(engine, network, probing_set)


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
        list(each(responses.recorded, parts[: engine.workers if engine.engine == "ray" else 1]))
        ready = time.perf_counter()
        for _ in each(responses.recorded, parts):
            pass
        return ready - begun, time.perf_counter() - ready


def main() -> None:
    """Print every pass and the machine's load after it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=1)
    for name, start, seconds in passes(parser.parse_args().repeats):
        load = os.getloadavg()[0]
        print(f"{name:12} {CLIPS} clips: {seconds:6.1f} s after {start:5.1f} s to start, load {load:.1f}", flush=True)


if __name__ == "__main__":
    main()
