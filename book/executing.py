"""Executing pages, several side by side, and computing the frames that their modules keep."""

import importlib.util
import json
import os
import re
import sys
import tempfile
import time
from ast import literal_eval
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import papermill
from jupyter_client.kernelspec import NoSuchKernel
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from andlib import paths, scale, stages, unlearning
from andlib.bars import tqdm
from andlib.errors import InputError, check_choice, suggest
from andlib.responses import classifier_outputs
from andlib.run import open_run
from committed import KERNEL, as_text, labelled, made_from, names, normalise, source, write

# parameters of a profile's page that are not its defaults: ESC-50 compares networks, and another neuron of AST is the
# best explained there
TOLD = {
    ("esc50", "4_4_feature_importance"): {"model": "all"},
    ("esc50", "probe_one_neuron"): {"unit": "ast/block0.intermediate/18"},
}
LONGEST = ("4_3_unlearning", "4_4_feature_importance")  # begun first, so that the others run beside them


def fresh(profile: str, page: str) -> Path:
    """Where an executed page of a profile lies until it is published."""
    return paths.root() / "_build/pages" / profile / f"{page}.ipynb"


def execute(page: Path, out: Path, parameters: dict[str, str], note: dict[str, Any] | None = None) -> Path:
    """Run the notebook `page` with `parameters` and write it, normalised, to `out`; returns `out`.

    `out` is replaced only when every cell has run. `note` is kept in the page's metadata under `andlib`.
    Raises InputError for a parameter that the page does not have, or with the sentence its failing cell gave."""
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
                iopub_timeout=60,  # seconds: on a busy machine an error's own words come late
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
    _check_drawn(raw, page)
    profile = (note or parameters).get("profile", "")
    executed = labelled(normalise(raw), profile)
    if note:
        executed.metadata["andlib"] = note
    text = as_text(executed)
    if changed.get("data_dir"):
        text = _without_folder(text, changed["data_dir"], profile)
    return write(text, out)


def _check_drawn(executed: nbformat.NotebookNode, page: Path) -> None:
    """Raises InputError where a figure failed: Jupyter draws behind the cell, and goes on with what went wrong."""
    for cell in executed.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and "Error in callback" in output.text:
                raise InputError(
                    f"Page {page.stem} could not draw the figure of this cell:\n{cell.source}\n{output.text}"
                )


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

    Every page runs even if another fails. Raises InputError naming each that failed and why."""
    for page in pages:
        check_choice("Page", page, names())
        if not source(page, ".ipynb").exists():
            raise InputError(f"notebooks/{page}.ipynb is missing beside its source: run make sync.")
    given = {"profile": profile, "data_dir": data_dir}
    if len(pages) > workers and not fresh(profile, pages[0]).parent.exists():
        record_networks(given, workers)
    done = side_by_side(partial(_execute_page, **given), pages, workers, f"pages ({profile})")
    return [done[page] for page in pages]


def record_networks(given: dict[str, str], workers: int) -> None:
    """Record and describe the networks of a run, several side by side, before its pages are executed the first time.

    Pages that start together would each come to the same network, and one would wait while the other records it. Those
    that take long are recorded in parts, so that no core waits for the last, and beside them sounds are encoded for
    TAB. What is wrong with the run is left to the pages to say."""
    with suppress(InputError):
        run = open_run({"model": "all", **given})
        if len(run.probing_set):  # else it says so at once
            name, slow = run.profile.name, [model for model in run.models if model in run.profile.slow]
            if slow:
                parts = ["sounds", *(f"{model} {part + 1}/{workers}" for model in slow for part in range(workers))]
                side_by_side(partial(_record_part, given=given), parts, workers, f"parts ({name})")
            side_by_side(partial(_record, given=given), list(run.models), workers, f"networks ({name})")


def _record_part(job: str, given: dict[str, str]) -> None:
    run = open_run({"model": "all", **given})
    if job == "sounds":
        stages.sound_vectors(run)
    else:
        scale.record(run, *job.split())


def _record(model: str, given: dict[str, str]) -> None:
    run = open_run({"model": model, **given})
    stages.neurons(run, model)
    unlearning.strategy_sets(run, model)
    classifier_outputs(run, model, untrained=True)


def side_by_side(work: Callable[[str], Any], pages: list[str], workers: int, what: str) -> dict[str, Any]:
    """What `work` gives for each page, `workers` of them at a time, each in a process of its own.

    Every page is worked on even if another fails. Raises InputError naming each that failed and why."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # pages run side by side; one thread also gives equal bytes
    out, failures = {}, []
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        longest_first = sorted(pages, key=lambda page: page not in LONGEST)
        jobs = {pool.submit(_timed, work, page): page for page in longest_first}
        for job in (progress := tqdm(as_completed(jobs), total=len(jobs), desc=what, unit=what.split("s (")[0])):
            if error := job.exception():
                failures.append(str(error) if isinstance(error, InputError) else f"{jobs[job]}: {error!r}")
                continue
            out[jobs[job]], seconds = job.result()
            progress.write(f"  {jobs[job]}: {seconds:.0f} s", file=sys.stderr)
    if failures:
        raise InputError("\n".join(failures))
    return out


def _timed(work: Callable[[str], Any], page: str) -> tuple[Any, float]:
    started = time.monotonic()
    return work(page), time.monotonic() - started


def _execute_page(page: str, profile: str, data_dir: str) -> Path:
    """Where the executed page lies. A page that has no effect of the profile or its recordings is not told them."""
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")  # not a kernel of another environment of the user
    about = papermill.inspect_notebook(source(page, ".ipynb"))
    given = {"profile": profile, **TOLD.get((profile, page), {})} | ({"data_dir": data_dir} if data_dir else {})
    parameters = {name: value for name, value in given.items() if name in about}
    note = {"profile": profile, "made_from": made_from(page, profile)}
    return execute(source(page, ".ipynb"), fresh(profile, page), parameters, note)


def frames_of(page: str, profile: str, data_dir: str = "") -> dict[str, pd.DataFrame]:
    """Name and values of every frame that a page's module keeps, for the run that the page's defaults ask for."""
    name = f"andlib.pages.{module_of(page)}"
    module = importlib.import_module(name) if importlib.util.find_spec(name) else None
    if not hasattr(module, "frames"):
        return {}
    about = papermill.inspect_notebook(source(page, ".ipynb"))
    given = {name: literal_eval(parameter["default"]) for name, parameter in about.items()}
    given |= {"profile": profile, "data_dir": data_dir}
    return module.frames(open_run(given | {"__annotations__": {name: type(value) for name, value in given.items()}}))


def module_of(page: str) -> str:
    """The module of a page in `andlib/pages`: a section's or an appendix's has its number, any other the page's name.

    >>> module_of("4_1_last_layer"), module_of("appendix_b_qualitative"), module_of("claims")
    ('section_4_1', 'appendix_b', 'claims')"""
    if page == "3_summaries":  # Section 3.2's
        return "section_3_2"
    section = re.match(r"(\d(?:_\d)?)_[a-z]", page)
    appendix = re.match(r"appendix_[a-z](?=_)", page)
    return f"section_{section[1]}" if section else appendix[0] if appendix else page
