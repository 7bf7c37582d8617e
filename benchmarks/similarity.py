"""The five similarity functions against a plain loop over units (`tests/oracles.py`), and their memory at full size.

Every reference takes what it can once (softmax, logarithm, norms) and one sorting of clips a unit, and computes in
float32 as the released code does: with float64 it takes longer."""

import os
import sys
import time
from collections.abc import Iterator
from unittest import mock

import numpy as np

from andlib import similarity
from andlib.activations import highest
from benchmarks.measuring import ROOT, Row, arithmetic, both, in_own_process, memory, seconds

sys.path.insert(0, str(ROOT / "tests"))
CLIPS, UNITS, CONCEPTS = 2000, 768, (50, 3000)
FULL_SIZE = 55_296  # AST's block units
ASKED = {"wpmi": 4, "soft_wpmi": 3, "rank_reorder": 5}
TOP = {"wpmi": 28, "soft_wpmi": 100, "rank_reorder": CLIPS // 20}  # how many clips of each unit count
# multiplications and additions for one unit and concept, logarithms and sorting left out
OPERATIONS = {"cos": 2 * CLIPS, "cos_cubed": 2 * CLIPS, "wpmi": 28, "soft_wpmi": 2 * 100, "rank_reorder": 4 * 100}


def rows() -> Iterator[Row]:
    """Each function at both numbers of concepts, on one thread and on all; then all five over every block unit."""
    for concepts in CONCEPTS:
        for name in similarity.FUNCTIONS:
            for threads in sorted({1, os.cpu_count() or 1} if name in TOP else {1}):
                yield _against_loop(name, concepts, threads)
    taken, peak = in_own_process("benchmarks.similarity", "full_size")
    what = f"DB, all five functions, {FULL_SIZE:,} units x {CLIPS} clips x {CONCEPTS[0]} concepts"
    yield Row(what, sum(taken.values()), peak_gib=peak, note=", ".join(f"{n} {s:.1f} s" for n, s in taken.items()))


def full_size() -> dict[str, float]:
    """Seconds of each function over every block unit of a full-size AST."""
    u, p = _problem(FULL_SIZE, CONCEPTS[0])
    taken = {}
    for name, function in similarity.FUNCTIONS.items():
        start = time.perf_counter()
        function(u, p)
        taken[name] = time.perf_counter() - start
    return taken


def _against_loop(name: str, concepts: int, threads: int) -> Row:
    import oracles

    u, p = _problem(UNITS, concepts)
    patient = UNITS // 8 if name == "rank_reorder" and concepts > CONCEPTS[0] else UNITS
    with mock.patch.dict(os.environ, OMP_NUM_THREADS=str(threads)):
        taken = both(lambda: similarity.FUNCTIONS[name](u, p), lambda: getattr(oracles, name)(u[:, :patient], p))
        top = seconds(lambda: highest(u, TOP[name])) / taken["seconds"] if name in TOP else 0
    taken["reference"] *= UNITS / patient
    notes = {
        f"the reference on {patient} units, times {UNITS // patient}": patient < UNITS,
        f"{top:.0%} is the shared top-k": top,
    }
    return Row(
        f"{name}, {UNITS} units x {CLIPS} clips x {concepts} concepts, {threads} thread{'s' * (threads > 1)}",
        **taken,
        against="a loop over units in numpy",
        asked=ASKED.get(name),
        least=max(
            UNITS * concepts * OPERATIONS[name] / arithmetic() / threads,
            (u.nbytes + p.nbytes + 4 * UNITS * concepts) / memory(),
        ),
        note="; ".join(note for note, holds in notes.items() if holds),
    )


def _problem(units: int, concepts: int) -> tuple[np.ndarray, np.ndarray]:
    """Activations [clips, units] and similarities [clips, concepts], random."""
    rng = np.random.default_rng(0)
    u = rng.standard_normal((CLIPS, units), dtype=np.float32)
    return u, 0.5 * rng.random((CLIPS, concepts), dtype=np.float32)
