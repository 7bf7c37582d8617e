"""Making the book: from the sources in `notebooks/` to executed pages, and those laid out to be built.

python book/publish.py execute [PAGE ...]    execute pages into _build/pages/<profile>/
python book/publish.py stage                 lay the book out with those pages, in _build/book/
python book/publish.py results               execute, then refresh book/pages/<profile>/ and results/<profile>/
python book/publish.py sync                  write notebooks/*.ipynb from the .py beside them
python book/publish.py check                 name every committed page that is missing or out of date
python book/publish.py compare               name every number of executed pages that is not the committed one"""

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import jupytext
import pandas as pd

import comparing
from andlib import kept, paths
from andlib.errors import InputError
from andlib.llms.clients import SMOLLM2
from andlib.llms.llm import Completions
from andlib.report.sounds import WITHHOLD_AUDIO
from committed import (
    ACROSS,
    ACROSS_PROFILE,
    KERNEL,
    LAYOUT,
    check,
    committed_page,
    frame_digests,
    in_book,
    names,
    number_cells,
    numbers,
    results,
    signed,
    source,
    write,
)
from executing import execute_pages, frames_of, fresh, side_by_side


def sync() -> list[Path]:
    """Write each `notebooks/*.ipynb` from the source beside it: no outputs, cell ids that follow from the source.

    Timestamps are not trusted: the `.py` always wins. Returns the files written."""
    written = []
    for page in names():
        notebook = jupytext.read(source(page))
        notebook.metadata = {"jupytext": {"formats": "ipynb,py:percent"}, "kernelspec": KERNEL}
        for cell in notebook.cells:
            cell.metadata.pop(LAYOUT, None)
        number_cells(notebook)
        written.append(write(notebook, source(page, ".ipynb")))
    return written


# The book


def stage(profile: str) -> Path:
    """Lay the book out in `_build/book/`, with the freshly executed pages of `profile`; returns that folder.

    Raises InputError if a page that the table of contents lists was never executed."""
    book, out = paths.root() / "book", paths.root() / "_build/book"
    shutil.rmtree(out, ignore_errors=True)
    mine = {path.name for path in book.glob("*.py")} | {"_build", "__pycache__"}  # not the extension in _ext
    shutil.copytree(book, out, ignore=lambda _, names: mine.intersection(names))
    for owner, page in in_book():
        made, staged = fresh(owner, page), out / committed_page(owner, page).relative_to(book)
        if owner == profile and made.exists():
            staged.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(made, staged)
        if not staged.exists():
            raise InputError(f"Page {page} of profile {owner} was never executed: run make results PROFILE={owner}.")
    return out


def write_atlas(book: Path, profile: str, data_dir: str, *, sounds: bool) -> Path:
    """Write the atlas of a profile's neurons into a book, with the clips' sounds or without; returns its data file."""
    from andlib.report import atlas
    from andlib.run import open_run

    run = open_run({"model": "all", "profile": profile, "data_dir": data_dir})
    return atlas.write(run, book / "_static/atlas", sounds=sounds)


def write_neuron(book: Path, profile: str) -> list[Path]:
    """Write the neurons to begin with into a book, if they are of this profile; returns the files."""
    import front
    from andlib.run import open_run

    return front.write(open_run({"model": "all", "profile": profile}), book) if profile == ACROSS_PROFILE else []


def publish(executed: list[Path], profile: str, frames: Mapping[str, Mapping[str, pd.DataFrame]]) -> None:
    """Copy executed pages to `book/pages/<profile>/`, the numbers they glue to `results/<profile>/<page>.json`, and
    each page's frames to `results/<profile>/<page>/`.

    Raises InputError, before anything is copied, if a page names a folder of this machine."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in executed}
    for page, text in texts.items():
        for folder in (paths.root(), Path.home()):
            if len(folder.parts) > 1 and f"{folder}/" in text:
                raise InputError(f"{page}.ipynb shows the folder {folder}: a page must not print it.")
    for page, text in texts.items():
        given = frames.get(page, {})
        for name in set(kept.frame_names(profile, page)) - set(given):
            kept.path_of(profile, page, f"{name}.csv").unlink()
        for name, frame in given.items():
            kept.write_frame(profile, page, name, frame)
        write(signed(text, frame_digests(profile, page)), committed_page(profile, page))
        write(numbers(text), results(profile) / f"{page}.json")


def check_answers(profile: str) -> None:
    """Raises InputError where the cache holds answers of the language model that pages read by default which no profile
    keeps: committed pages would say what a clone of the repository cannot."""
    log, kept_answers = paths.cache() / "completions.jsonl", paths.results().glob("*/completions.jsonl.gz")
    given = {key for key, row in Completions(log).rows.items() if row["model"] == SMOLLM2 and not row["error"]}
    if strange := given - Completions(log.with_name("none"), sorted(kept_answers)).rows.keys():
        raise InputError(
            f"{log} holds {len(strange)} answers of {SMOLLM2} that no profile keeps, and pages would read them: "
            f"`make answers PROFILE={profile}` keeps those that its pages ask for; move the file away for the others."
        )


def refresh(pages: list[str], profile: str, data_dir: str = "", workers: int = 2) -> list[Path]:
    """Execute pages, compute their frames, and publish both; returns the executed files."""
    done = execute_pages(pages, profile, data_dir, workers)
    compute = partial(frames_of, profile=profile, data_dir=data_dir)
    publish(done, profile, side_by_side(compute, pages, workers, f"frames ({profile})"))
    return done


# The command line


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python book/publish.py", description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["execute", "stage", "results", "sync", "check", "compare"])
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
    if given.command == "compare":
        return comparing.report(given.profile)
    if given.command == "stage":
        laid_out = stage(given.profile)
        done = [laid_out, write_atlas(laid_out, given.profile, given.data_dir, sounds=True)]
        done += write_neuron(laid_out, given.profile)
    elif given.command == "sync":
        done = sync()
    else:
        pages = given.pages or [page for _, page in in_book(given.profile)] or names()
        if given.command == "results":
            if given.data_dir:
                os.environ |= {WITHHOLD_AUDIO: "1", kept.KEEP: "1"}  # recordings of others stay out of committed pages
            check_answers(given.profile)
            pages = [page for page in pages if page not in ACROSS]
            done = refresh(pages, given.profile, given.data_dir, given.workers)
            write_atlas(paths.root() / "book", given.profile, given.data_dir, sounds=False)
            write_neuron(paths.root() / "book", given.profile)
            done += refresh(list(ACROSS), ACROSS_PROFILE)
        else:
            done = execute_pages(pages, given.profile, given.data_dir, given.workers)
    print("\n".join(str(path) for path in done))
    return 0


if __name__ == "__main__":
    sys.exit(main())
