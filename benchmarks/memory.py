"""Memory of a streamed recording, which keeps the highest and lowest clips alone, as the number of clips grows."""

import time
from collections.abc import Iterator
from functools import partial, reduce

import numpy as np

from benchmarks.measuring import Row, in_own_process

CLIPS, TIMES, K, BATCH, SECONDS = 64, (1, 10, 100), 5, 32, 2.0


def rows() -> Iterator[Row]:
    """A row for each number of clips, each in a process of its own."""
    first = 0.0
    for times in TIMES:
        seconds, peak = in_own_process("benchmarks.memory", "streamed", times * CLIPS)
        first = first or peak
        yield Row(
            f"streaming {times * CLIPS:,} clips through the small AST",
            seconds,
            peak_gib=peak,
            note=f"{peak / first:.3f} of the memory that {CLIPS} clips take (asked: at most 1.1)",
        )


def streamed(clips: int) -> float:
    """Seconds to find every unit's highest and lowest of so many clips of noise."""
    import torch

    from andlib import activations, paths
    from andlib.networks.checkpoints import load_target

    torch.set_num_threads(1)
    target, rng = load_target(paths.WEIGHTS / "mini" / "ast", seconds=SECONDS), np.random.default_rng(0)
    samples = round(SECONDS * target.sample_rate)
    batches = (
        0.1 * rng.standard_normal((min(BATCH, clips - first), samples), dtype=np.float32)
        for first in range(0, clips, BATCH)
    )
    start = time.perf_counter()
    parts = (activations.extremes(K, activations.record(target, [batch], len(batch))) for batch in batches)
    reduce(partial(activations.merged, K), parts)
    return time.perf_counter() - start
