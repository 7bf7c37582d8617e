"""Pages of the book: from the sources in `notebooks/` to executed, normalised and freshness-tested notebooks.

python -m andlib.pages execute [PAGE ...]    execute pages into _build/pages/<profile>/
python -m andlib.pages stage                 lay the book out with those pages, in _build/book/
python -m andlib.pages results               execute, then refresh book/pages/<profile>/ and results/<profile>/
python -m andlib.pages sync                  write notebooks/*.ipynb from the .py beside them
python -m andlib.pages check                 name every committed page that is missing or out of date
"""

import argparse
import copy
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
from ast import literal_eval
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from andlib import paths
from andlib.errors import InputError, check_choice, suggest

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LAYOUT = "lines_to_next_cell"  # jupytext's note of blank lines in the .py
WIDGET = "application/vnd.jupyter.widget-view+json"


# Sources


def names() -> list[str]:
    """Every source page, by name: `4_3_unlearning` for `notebooks/4_3_unlearning.py`."""
    return sorted(path.stem for path in paths.notebooks().glob("*.py"))


def in_book(profile: str | None = None) -> list[tuple[str, str]]:
    """(profile, page) of each executed page that the table of contents lists, in reading order."""
    import yaml

    toc = yaml.safe_load((paths.root() / "_toc.yml").read_text(encoding="utf-8"))
    files = [chapter["file"].split("/") for part in toc["parts"] for chapter in part["chapters"]]
    pages = [(parts[1], parts[2]) for parts in files if parts[0] == "pages"]
    return [entry for entry in pages if profile in (None, entry[0])]


def cells(path: Path) -> list[tuple[str, str, dict[str, Any]]]:
    """Type, source and metadata of every cell of a notebook or a py:percent source: what the two of a pair share."""
    import jupytext

    return [
        (cell.cell_type, cell.source.strip(), {k: v for k, v in cell.metadata.items() if k != LAYOUT})
        for cell in jupytext.read(path).cells
    ]


def sync() -> list[Path]:
    """Write each `notebooks/*.ipynb` from the source beside it: no outputs, cell ids that follow from the source.

    Timestamps are not trusted: the `.py` always wins. Returns the files written.
    """
    import jupytext

    written = []
    for page in names():
        notebook = jupytext.read(paths.notebooks() / f"{page}.py")
        notebook.metadata = {"jupytext": {"formats": "ipynb,py:percent"}, "kernelspec": KERNEL}
        for cell in notebook.cells:
            cell.metadata.pop(LAYOUT, None)
        _number_cells(notebook)
        written.append(_write(_as_text(notebook), paths.notebooks() / f"{page}.ipynb"))
    return written


# Execution


def execute(source: Path, out: Path, parameters: dict[str, str], note: dict[str, Any] | None = None) -> Path:
    """Run the notebook `source` with `parameters` and write it, normalised, to `out`; returns `out`.

    `out` is replaced only when every cell has run. `note` is kept in the page's metadata under `andlib`.
    Raises InputError for a parameter that the page does not have, or with the sentence its failing cell gave.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    changed = _changed(source, parameters)
    with tempfile.TemporaryDirectory() as folder:
        try:
            raw = papermill.execute_notebook(
                source,
                Path(folder) / "page.ipynb",
                changed,
                kernel_name=KERNEL["name"],
                progress_bar=False,
                extra_arguments=["--log-level=CRITICAL"],  # not of ports and of being asked to stop
            )
        except PapermillExecutionError as error:
            where = f"Page {source.stem} stopped in code cell {error.exec_count}"
            raise InputError(f"{where}. {error.ename}: {error.evalue}") from None
    page = _labelled(normalise(raw), parameters.get("profile", ""))
    if note:
        page.metadata["andlib"] = note
    text = _as_text(page)
    if changed.get("data_dir"):
        text = _without_folder(text, changed["data_dir"], parameters["profile"])
    return _write(text, out)


def _changed(source: Path, parameters: dict[str, str]) -> dict[str, str]:
    """The parameters that differ from the page's defaults."""
    import papermill

    about = papermill.inspect_notebook(source)
    for name in parameters:
        if name not in about:
            raise InputError(f"Page {source.stem} has no parameter {name!r}. {suggest(name, about)}")
    return {name: value for name, value in parameters.items() if value != literal_eval(about[name]["default"])}


def _labelled(page: Any, profile: str) -> Any:
    """The page with its profile in the labels of its figures: labels are global, and a page is in the book twice."""
    figures = [f for cell in page.cells if (f := cell.metadata.get("mystnb", {}).get("figure", {})) and "name" in f]
    for figure in figures:
        label, figure["name"] = figure["name"], f"{profile}-{figure['name']}".strip("-")
        for cell in page.cells:
            cell.source = re.sub(
                rf"(\{{(?:num)?ref\}}`(?:[^`]*<)?){re.escape(label)}(>?`)", rf"\1{figure['name']}\2", cell.source
            )
    return page


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
    from tqdm import tqdm

    for page in pages:
        check_choice("Page", page, names())
        if not (paths.notebooks() / f"{page}.ipynb").exists():
            raise InputError(f"notebooks/{page}.ipynb is missing beside its source: run make sync.")
    out, failures = {}, []
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = {pool.submit(_execute_page, page, profile, data_dir): page for page in pages}
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
    note = {"profile": profile, "freshness": freshness(page, profile)}
    source, out = paths.notebooks() / f"{page}.ipynb", paths.build() / "pages" / profile / f"{page}.ipynb"
    return execute(source, out, parameters, note), time.monotonic() - started


# Normalisation


def normalise(notebook: Any) -> Any:
    """A copy of an executed notebook that says the same in the same bytes whenever it was run.

    Gone: times, execution and papermill metadata, stderr, progress widgets, memory addresses, and the plain text
    beside an HTML table or an image. Cell ids and pandas Styler ids follow from position and source.
    """
    notebook = copy.deepcopy(notebook)
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    _number_cells(notebook)
    tables = iter(range(10**6))
    for cell in notebook.cells:
        for key in ("papermill", "execution", "ExecuteTime"):
            cell.metadata.pop(key, None)
        if not cell.metadata.get("tags"):
            cell.metadata.pop("tags", None)
        if cell.cell_type == "code":
            kept = (output for output in cell.outputs if not _is_noise(output))
            cell.outputs = [_stable(output, tables) for output in _joined(kept)]
    return notebook


def _number_cells(notebook: Any) -> None:
    for position, cell in enumerate(notebook.cells):
        cell.id = f"{position:02d}-{hashlib.sha256(cell.source.encode()).hexdigest()[:8]}"


def _is_noise(output: Any) -> bool:
    return output.get("name") == "stderr" or WIDGET in output.get("data", {})


def _joined(outputs: Iterable[Any]) -> list[Any]:
    """Consecutive printed pieces as one: where a stream is cut depends on timing."""
    joined: list[Any] = []
    for output in outputs:
        if joined and output.output_type == joined[-1].output_type == "stream":
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def _stable(output: Any, tables: Iterator[int]) -> Any:
    if output.output_type == "stream":
        output.text = _without_addresses(output.text)
    data = output.get("data", {})
    if any(kind == "text/html" or kind.startswith("image/") for kind in data):
        data.pop("text/plain", None)
    for kind, value in data.items():
        if isinstance(value, str) and not kind.startswith("image/png"):
            data[kind] = _without_addresses(value)
    for found in dict.fromkeys(re.findall(r'id="(T_[0-9a-f]+)"', data.get("text/html", ""))):
        data["text/html"] = data["text/html"].replace(found, f"T_table{next(tables)}")
    return output


def _without_addresses(text: str) -> str:
    text = re.sub(r" at 0x[0-9a-f]+", "", text)
    return re.sub(r"<dc:date>.*?</dc:date>", "", text)  # matplotlib dates its SVG


# Freshness


def freshness(page: str, profile: str) -> str:
    """sha256 over what decides an executed page: its cells, the profile, the package, the pins, the results it reads.

    Results that `make results` takes from the pages themselves are left out, or no page would ever be fresh.
    """
    digest = hashlib.sha256(json.dumps([profile, cells(paths.notebooks() / f"{page}.py")], sort_keys=True).encode())
    for path in [paths.root() / "constraints.txt", *_package_files(), *_results_read(profile)]:
        digest.update(f"\0{path.relative_to(paths.root()).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _package_files() -> list[Path]:
    skipped = {Path(__file__).name}
    files = (path for path in (paths.root() / "andlib").rglob("*") if path.is_file())
    return sorted(path for path in files if path.name not in skipped and "__pycache__" not in path.parts)


def _results_read(profile: str) -> list[Path]:
    files = (path for path in (paths.results() / profile).rglob("*") if path.is_file())
    return sorted(path for path in files if path.stem not in names())


def check() -> list[str]:
    """One sentence for each executed page of the book that is missing, out of date, or not in the contents."""
    listed = in_book()
    committed = {(path.parent.name, path.stem) for path in (paths.book() / "pages").glob("*/*.ipynb")}
    problems = [] if listed else ["_toc.yml lists no executed page."]
    for profile, page in listed:
        if (profile, page) not in committed:
            problems.append(f"book/pages/{profile}/{page}.ipynb is missing: run make results PROFILE={profile}.")
        elif _stored_freshness(profile, page) != freshness(page, profile):
            problems.append(f"book/pages/{profile}/{page}.ipynb is out of date: run make results PROFILE={profile}.")
    strangers = sorted(committed - set(listed))
    return problems + [f"book/pages/{profile}/{page}.ipynb is not in _toc.yml." for profile, page in strangers]


def _stored_freshness(profile: str, page: str) -> str | None:
    committed = json.loads((paths.book() / "pages" / profile / f"{page}.ipynb").read_text(encoding="utf-8"))
    return committed["metadata"].get("andlib", {}).get("freshness")


# The book


def stage(profile: str) -> Path:
    """Lay the book out in `_build/book/`, with the freshly executed pages of `profile`; returns that folder.

    Raises InputError if a page that the table of contents lists was never executed.
    """
    out = paths.build() / "book"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(paths.book(), out, ignore=shutil.ignore_patterns("_build"))
    fresh = paths.build() / "pages" / profile
    for _, page in in_book(profile):
        if (fresh / f"{page}.ipynb").exists():
            (out / "pages" / profile).mkdir(parents=True, exist_ok=True)
            shutil.copy(fresh / f"{page}.ipynb", out / "pages" / profile)
    for owner, page in in_book():
        if not (out / "pages" / owner / f"{page}.ipynb").exists():
            raise InputError(f"Page {page} of profile {owner} was never executed: run make results PROFILE={owner}.")
    return out


def publish(executed: list[Path], profile: str) -> None:
    """Copy executed pages to `book/pages/<profile>/` and the numbers they glue to `results/<profile>/<page>.json`.

    Raises InputError, before anything is copied, if a page names a folder of this machine.
    """
    for path in executed:
        text = path.read_text(encoding="utf-8")
        for folder in (paths.root(), Path.home()):
            if len(folder.parts) > 1 and f"{folder}/" in text:
                raise InputError(f"{path.name} shows the folder {folder}: a page must not print it.")
    for path in executed:
        _write(path.read_text(encoding="utf-8"), paths.book() / "pages" / profile / path.name)
        numbers = json.dumps(glued(path), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        _write(numbers, paths.results() / profile / f"{path.stem}.json")


def glued(path: Path) -> dict[str, Any]:
    """Name and value of everything that an executed page glues into its prose."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    found = {}
    for output in outputs:
        if about := output.get("metadata", {}).get("scrapbook"):
            found[about["name"]] = _value(output["data"].get(about["mime_prefix"] + "text/plain", ""))
    return found


def _value(text: str) -> Any:
    try:
        return literal_eval(text)
    except (ValueError, SyntaxError):
        return text  # the repr of an object is kept as it reads


def _as_text(notebook: Any) -> str:
    import nbformat

    return json.dumps(nbformat.from_dict(notebook), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _write(text: str, out: Path) -> Path:
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f".{out.name}.{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8", newline="\n")
    return unfinished.replace(out)


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m andlib.pages", description=__doc__.splitlines()[0])
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
    from andlib.cards import WITHHOLD_AUDIO

    if given.command == "check":
        problems = check()
        print("\n".join(problems) or "Every committed page is fresh.")
        return bool(problems)
    if given.command == "stage":
        done = [stage(given.profile)]
    elif given.command == "sync":
        done = sync()
    else:
        pages = given.pages or [page for _, page in in_book(given.profile)] or names()
        if given.command == "results" and given.data_dir:
            os.environ[WITHHOLD_AUDIO] = "1"  # recordings of others stay out of committed pages
        done = execute_pages(pages, given.profile, given.data_dir, given.workers)
        if given.command == "results":
            publish(done, given.profile)
    print("\n".join(str(path) for path in done))
    return 0


if __name__ == "__main__":
    sys.exit(main())
