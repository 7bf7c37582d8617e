"""The atlas, and the book: every page of the profile mini, and their HTML."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measuring import ROOT, Row, both


def rows() -> Iterator[Row]:
    """A row each. The pages run twice: the first run fills the cache where it is empty, and is not counted."""
    yield _atlas()
    pages = [sys.executable, "book/publish.py", "execute"]
    _timed(pages)
    yield Row("every page of mini, from a full cache, all cores", _timed(pages), at_most=60)
    laid_out = _timed([sys.executable, "book/publish.py", "stage"])
    with tempfile.TemporaryDirectory() as folder:
        build = [str(Path(sys.executable).with_name("jupyter-book")), "build", "_build/book", "-n", "-W", "-q"]
        yield Row("the report's HTML from executed pages", laid_out + _timed([*build, "--path-output", folder]))


def _timed(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def _atlas() -> Row:
    """The atlas of one network's stored neurons, and pandas' JSON of the same table."""
    from andlib import stages
    from andlib.profiles import LEARNT
    from andlib.report import atlas
    from andlib.run import open_run

    run = open_run({})
    table = stages.neurons(run, run.models[0], LEARNT)
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, "plain.json")
        write = lambda: atlas.write(run, Path(folder), sounds=False)  # noqa: E731
        taken = both(write, lambda: table.to_json(plain, orient="records"), 3)
        sizes = [path.stat().st_size / 2**20 for path in (write(), plain)]
    note = f"{sizes[0]:.2f} MiB with scores and every caption, pandas' {sizes[1]:.2f} MiB without"
    return Row(f"atlas of {len(table):,} stored neurons", **taken, against="pandas' JSON of their table", note=note)
