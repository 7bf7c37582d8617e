"""Committed numbers, in results/<profile>/: what takes longer than a page may, and the frames of each page."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from andlib import paths
from andlib.errors import InputError, explained
from andlib.store import Stage, read_object, write_atomically

if TYPE_CHECKING:
    from andlib.run import Run

KEEP = "ANDLIB_KEEP"  # environment variable: whether results of stages are kept


def path_of(profile: str, *name: str) -> Path:
    """A file or folder of a profile's results."""
    return paths.results().joinpath(profile, *name)


def read(profile: str, name: str, command: str = "") -> dict[str, Any]:
    """What is kept, or an empty dict. command: the one that computes it; given, its absence raises InputError.

    Raises InputError if the file is damaged, too, and says how what is committed is had again."""
    file = path_of(profile, f"{name}.json")
    if file.is_file():
        shown = file.relative_to(paths.results().parent).as_posix()
        return read_object(file, shown, f"`git checkout {shown}` brings it back.")
    if command:
        raise InputError(f"Profile {profile} has no {file.name}: `{command}` computes it.")
    return {}


def write(profile: str, name: str, held: Mapping[str, Any]) -> Path:
    """Keeps results, whole or not at all; returns the file."""
    text = json.dumps(held, indent=1, ensure_ascii=False) + "\n"
    return write_atomically(path_of(profile, f"{name}.json"), lambda file: file.write_text(text, encoding="utf-8"))


def keeps(run: "Run") -> bool:
    """Whether results of stages are kept for the run's profile, or are to be."""
    return bool(os.environ.get(KEEP)) or path_of(run.profile.name, "stages").is_dir()


def stage(run: "Run", stage: Stage, made_from: Sequence[Any], lasting: Sequence[Any], make: Callable[[], Any]) -> Any:
    """A stage's result as the store has it, or as results/<profile>/stages/ keeps it for other machines.

    lasting: the records that decide it but for the samples of recordings, which differ a little from copy to copy;
    without any, nothing is kept. `make results` writes there what pages of recordings ask for."""
    folder = replace(run.store, folder=path_of(run.profile.name, "stages"))
    if lasting and folder.holds(stage, lasting):
        return folder.get(stage, lasting, make)
    value = run.store.get(stage, made_from, make)
    return folder.get(stage, lasting, lambda: value) if lasting and os.environ.get(KEEP) else value


def frame(profile: str, page: str, name: str) -> pd.DataFrame:
    """A page's frame as `make results` wrote it; an empty cell is a missing value. InputError if absent or damaged."""
    file = path_of(profile, page, f"{name}.csv")
    if not file.is_file():
        absent = f"Profile {profile} has no frame {name!r} of page {page}"
        raise InputError(f"{absent}: `make results PROFILE={profile}` writes it.")
    shown = file.relative_to(paths.results().parent).as_posix()
    back = f"`git checkout {shown}` brings it back."
    with explained(lambda error: f"{shown} cannot be read ({error}). {back}", OSError, ValueError):
        return pd.read_csv(file, keep_default_na=False, na_values=[""])


def frame_names(profile: str, page: str) -> list[str]:
    """Every frame that a page of a profile keeps."""
    return sorted(file.stem for file in path_of(profile, page).glob("*.csv"))


def write_frame(profile: str, page: str, name: str, values: pd.DataFrame) -> Path:
    """Keeps a frame, its index left out; returns the file. Raises InputError for nested values, or a text like "1e3":
    what is read is what was written, but that an empty text is a missing value, and a text like "10" that number."""
    exact = values.reset_index(drop=True).astype(dict.fromkeys(values.select_dtypes("floating"), float))
    file = path_of(profile, page, f"{name}.csv")
    write_atomically(file, lambda path: exact.to_csv(path, index=False, lineterminator="\n", encoding="utf-8"))
    back = frame(profile, page, name)
    for column in exact:
        if len(back) != len(exact) or column not in back or not all(map(_reads_as, back[column], exact[column])):
            file.unlink()
            raise InputError(
                f"Frame {name} of page {page} does not read back from CSV as it was, in column {column!r}: "
                "write its texts in full, and no nested values."
            )
    return file


def _reads_as(read: Any, given: Any) -> bool:
    """Whether what was read stands for what was written."""
    if not pd.api.types.is_scalar(given):
        return False
    if pd.isna(given) or given == "":
        return bool(pd.isna(read))
    return str(read) == given if isinstance(given, str) else bool(read == given)
