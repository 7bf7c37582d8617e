"""Making the book: from the sources in `notebooks/` to executed pages, and those laid out to be built.

python book/publish.py execute [PAGE ...]    execute pages into _build/pages/<profile>/
python book/publish.py stage                 lay the book out with those pages, in _build/book/
python book/publish.py results               execute, then refresh book/pages/<profile>/ and results/<profile>/
python book/publish.py sync                  write notebooks/*.ipynb from the .py beside them
python book/publish.py check                 name every committed page that is missing or out of date
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from ast import literal_eval
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import jupytext
import papermill
from jupyter_client.kernelspec import NoSuchKernel
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError
from tqdm import tqdm

from andlib import paths
from andlib.errors import InputError, check_choice, suggest
from andlib.report.sounds import WITHHOLD_AUDIO
from committed import (
    ACROSS,
    ACROSS_PROFILE,
    KERNEL,
    LAYOUT,
    as_text,
    check,
    committed_page,
    in_book,
    labelled,
    made_from,
    names,
    normalise,
    number_cells,
    numbers,
    results,
    signed,
    source,
    write,
)

LONGEST = ("4_3_unlearning", "4_4_feature_importance")  # begun first, so that the others run beside them


def sync() -> list[Path]:
    """Write each `notebooks/*.ipynb` from the source beside it: no outputs, cell ids that follow from the source.

    Timestamps are not trusted: the `.py` always wins. Returns the files written.
    """
    written = []
    for page in names():
        notebook = jupytext.read(source(page))
        notebook.metadata = {"jupytext": {"formats": "ipynb,py:percent"}, "kernelspec": KERNEL}
        for cell in notebook.cells:
            cell.metadata.pop(LAYOUT, None)
        number_cells(notebook)
        written.append(write(notebook, source(page, ".ipynb")))
    return written


# Execution


def execute(page: Path, out: Path, parameters: dict[str, str], note: dict[str, Any] | None = None) -> Path:
    """Run the notebook `page` with `parameters` and write it, normalised, to `out`; returns `out`.

    `out` is replaced only when every cell has run. `note` is kept in the page's metadata under `andlib`.
    Raises InputError for a parameter that the page does not have, or with the sentence its failing cell gave.
    """
    changed = _changed(page, parameters)
    with tempfile.TemporaryDirectory() as folder:
        try:
            raw = papermill.execute_notebook(
                page,
                Path(folder) / "page.ipynb",
                changed,
                kernel_name=KERNEL["name"],
                progress_bar=False,
                extra_arguments=["--log-level=CRITICAL"],  # not of ports and of being asked to stop
            )
        except PapermillExecutionError as error:
            where = f"Page {page.stem} stopped in code cell {error.exec_count}"
            raise InputError(f"{where}. {error.ename}: {error.evalue}") from None
        except NoSuchKernel:
            raise InputError(f"Jupyter has no kernel {KERNEL['name']!r} to run pages with: run make install.") from None
        except DeadKernelError:
            raise InputError(
                f"The kernel of page {page.stem} died, most likely for want of memory: close other programs, or run "
                "fewer pages at a time (WORKERS=1)."
            ) from None
    executed = labelled(normalise(raw), parameters.get("profile", ""))
    if note:
        executed.metadata["andlib"] = note
    text = as_text(executed)
    if changed.get("data_dir"):
        text = _without_folder(text, changed["data_dir"], parameters["profile"])
    return write(text, out)


def _changed(page: Path, parameters: dict[str, str]) -> dict[str, str]:
    """The parameters that differ from the page's defaults."""
    about = papermill.inspect_notebook(page)
    for name in parameters:
        if name not in about:
            raise InputError(f"Page {page.stem} has no parameter {name!r}. {suggest(name, about)}")
    return {name: value for name, value in parameters.items() if value != literal_eval(about[name]["default"])}


def _without_folder(text: str, data_dir: str, profile: str) -> str:
    """The page's text with `path/to/<profile>` for the folder of this machine that held the recordings."""
    absolute = str(Path(data_dir).expanduser().resolve())
    for folder in (absolute, data_dir):
        text = text.replace(json.dumps(folder)[1:-1], f"path/to/{profile}")
    return text


def execute_pages(pages: list[str], profile: str, data_dir: str = "", workers: int = 2) -> list[Path]:
    """Execute source pages, `workers` at a time, into `_build/pages/<profile>/`; returns the files in that order.

    Every page runs even if another fails. Raises InputError naming each that failed and why.
    """
    for page in pages:
        check_choice("Page", page, names())
        if not source(page, ".ipynb").exists():
            raise InputError(f"notebooks/{page}.ipynb is missing beside its source: run make sync.")
    out, failures = {}, []
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        longest_first = sorted(pages, key=lambda page: page not in LONGEST)
        jobs = {pool.submit(_execute_page, page, profile, data_dir): page for page in longest_first}
        for job in (progress := tqdm(as_completed(jobs), total=len(jobs), desc=f"pages ({profile})", unit="page")):
            if error := job.exception():
                failures.append(str(error) if isinstance(error, InputError) else f"{jobs[job]}: {error!r}")
                continue
            out[jobs[job]], seconds = job.result()
            progress.write(f"  {jobs[job]}: {seconds:.0f} s", file=sys.stderr)
    if failures:
        raise InputError("\n".join(failures))
    return [out[page] for page in pages]


def _execute_page(page: str, profile: str, data_dir: str) -> tuple[Path, float]:
    """Where the executed page lies, and the seconds it took; runs in a process of its own."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # pages run side by side; one thread also gives equal bytes
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")  # not a kernel of another environment of the user
    started = time.monotonic()
    parameters = {"profile": profile} | ({"data_dir": data_dir} if data_dir else {})
    note = {"profile": profile, "made_from": made_from(page, profile)}
    out = execute(source(page, ".ipynb"), _fresh(profile, page), parameters, note)
    return out, time.monotonic() - started


# The book


def _fresh(profile: str, page: str) -> Path:
    return paths.root() / "_build/pages" / profile / f"{page}.ipynb"


def stage(profile: str) -> Path:
    """Lay the book out in `_build/book/`, with the freshly executed pages of `profile`; returns that folder.

    Raises InputError if a page that the table of contents lists was never executed.
    """
    book, out = paths.root() / "book", paths.root() / "_build/book"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(book, out, ignore=shutil.ignore_patterns("_build", "*.py", "__pycache__"))
    for owner, page in in_book():
        fresh, staged = _fresh(owner, page), out / committed_page(owner, page).relative_to(book)
        if owner == profile and fresh.exists():
            staged.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(fresh, staged)
        if not staged.exists():
            raise InputError(f"Page {page} of profile {owner} was never executed: run make results PROFILE={owner}.")
    return out


def write_atlas(book: Path, profile: str, data_dir: str, *, sounds: bool) -> Path:
    """Write the atlas of a profile's neurons into a book, with the clips' sounds or without; returns its data file."""
    from andlib.report import atlas
    from andlib.run import open_run

    run = open_run({"model": "all", "profile": profile, "data_dir": data_dir})
    return atlas.write(run, book / "_static/atlas", sounds=sounds)


def publish(executed: list[Path], profile: str) -> None:
    """Copy executed pages to `book/pages/<profile>/` and the numbers they glue to `results/<profile>/<page>.json`.

    Raises InputError, before anything is copied, if a page names a folder of this machine.
    """
    texts = {path.stem: path.read_text(encoding="utf-8") for path in executed}
    for page, text in texts.items():
        for folder in (paths.root(), Path.home()):
            if len(folder.parts) > 1 and f"{folder}/" in text:
                raise InputError(f"{page}.ipynb shows the folder {folder}: a page must not print it.")
    for page, text in texts.items():
        write(signed(text), committed_page(profile, page))
        write(numbers(text), results(profile) / f"{page}.json")


# The command line


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python book/publish.py", description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["execute", "stage", "results", "sync", "check"])
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="source pages; without any, all of the profile")
    parser.add_argument("--profile", default="mini", help="what is probed and with which models")
    parser.add_argument("--data-dir", default="", help="folder with the recordings, for profiles that need one")
    parser.add_argument("--workers", type=int, default=2, help="pages executed side by side")
    try:
        return _run(parser.parse_args(arguments))
    except InputError as error:
        print(error, file=sys.stderr)
        return 1


def _run(given: argparse.Namespace) -> int:
    if given.command == "check":
        problems = check()
        print("\n".join(problems) or "Every committed page is fresh.")
        return bool(problems)
    if given.command == "stage":
        laid_out = stage(given.profile)
        done = [laid_out, write_atlas(laid_out, given.profile, given.data_dir, sounds=True)]
    elif given.command == "sync":
        done = sync()
    else:
        pages = given.pages or [page for _, page in in_book(given.profile)] or names()
        if given.command == "results" and given.data_dir:
            os.environ[WITHHOLD_AUDIO] = "1"  # recordings of others stay out of committed pages
        if given.command == "results":
            pages = [page for page in pages if page not in ACROSS]
        done = execute_pages(pages, given.profile, given.data_dir, given.workers)
        if given.command == "results":
            publish(done, given.profile)
            write_atlas(paths.root() / "book", given.profile, given.data_dir, sounds=False)
            publish(execute_pages(list(ACROSS), ACROSS_PROFILE), ACROSS_PROFILE)
    print("\n".join(str(path) for path in done))
    return 0


if __name__ == "__main__":
    sys.exit(main())
