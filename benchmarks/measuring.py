"""How a row of the benchmark table is measured: against a plain reference of the same run, in seconds by the clock."""

import importlib
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("andlib", "numpy", "scipy", "torch", "transformers")


@dataclass(frozen=True)
class Row:
    """One row of the table.

    what: is measured. seconds: it takes. reference: seconds of `against`, a plain way to do the same.
    asked: how many times as fast as the reference it should be. least: seconds that this machine's arithmetic or memory
    takes for it at any rate. peak_gib: the process's largest memory. at_most: what `seconds` should not exceed.
    device: where it ran, a card's name or cpu."""

    what: str
    seconds: float
    reference: float | None = None
    against: str = ""
    asked: float | None = None
    least: float | None = None
    peak_gib: float | None = None
    at_most: float | None = None
    note: str = ""
    device: str = "cpu"


def seconds(function: Callable[[], object], repeats: int = 3) -> float:
    """Median seconds of a call, after one that is not counted."""
    function()
    return float(np.median([_once(function) for _ in range(repeats)]))


def both(ours: Callable[[], object], reference: Callable[[], object], repeats: int = 5) -> dict[str, float]:
    """`seconds` and `reference` of a Row: medians of calls that alternate, so that a busy moment meets both."""
    pairs = [(_once(ours), _once(reference)) for _ in range(repeats + 1)][1:]  # the first is not counted
    taken, plain = np.median(pairs, 0).tolist()
    return {"seconds": taken, "reference": plain}


def _once(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def in_own_process(module: str, function: str, *arguments: Any, threads: int = 1) -> tuple[Any, float]:
    """What `module.function(*arguments)`, all of it JSON, gives in a process of its own, and its peak GiB."""
    command = [sys.executable, "-m", "benchmarks.measuring", module, function, json.dumps(arguments)]
    env = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    said = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout
    value, peak_gib = json.loads([line for line in said.splitlines() if line.startswith("[")][-1])  # others log there
    return value, peak_gib


@lru_cache
def arithmetic() -> float:
    """Multiplications and additions a second in float32 on one thread: the most that a matrix product reaches here, of
    torch's and numpy's, which come with different libraries."""
    import torch
    from threadpoolctl import threadpool_limits

    size = 2048
    a = np.random.default_rng(0).random((size, size), dtype=np.float32)
    with threadpool_limits(1):
        torch.set_num_threads(1)
        products = (lambda: a @ a, lambda: torch.from_numpy(a) @ torch.from_numpy(a))
        return 2 * size**3 / min(_once(product) for product in products for _ in range(5))


@lru_cache
def memory() -> float:
    """Bytes a second that one thread reads from memory here, by a sum over far more than any cache holds."""
    array = np.ones(2**26, np.float32)
    return array.nbytes / seconds(array.sum, 5)


def machine() -> dict[str, Any]:
    """What seconds are taken on."""
    about = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    models = [line.split(":")[1].strip() for line in about.splitlines() if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def commit() -> str:
    """The commit of this checkout, with "+" behind it where files differ from it; "" where git cannot say."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short=10", "HEAD") + "+" * bool(git("status", "--porcelain", "--", "andlib"))
    except (OSError, subprocess.CalledProcessError):
        return ""


def main(module: str, function: str, arguments: str) -> None:
    """The process of `in_own_process`."""
    value = getattr(importlib.import_module(module), function)(*json.loads(arguments))
    print(json.dumps([value, peak()]))


def peak() -> float:
    """The largest memory that this process has had, GiB.

    Linux's own count, where there is one: getrusage's holds the memory of the process that started this one."""
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 2**20
    unit = 1 if sys.platform == "darwin" else 2**10  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


if __name__ == "__main__":
    main(*sys.argv[1:])
