"""Results of stages on disk: keyed by everything that decides them, written whole or not at all, checked when read."""

import hashlib
import json
import os
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from andlib.errors import InputError

Arrays = dict[str, np.ndarray]


def _save_arrays(value: Arrays, path: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    try:
        save_file({name: np.ascontiguousarray(array) for name, array in value.items()}, path)
    except SafetensorError as error:  # a full disk, in Rust's words
        raise OSError(error) from None


def _load_arrays(path: Path) -> Arrays:
    from safetensors.numpy import load_file

    return load_file(path)


def _save_lines(value: list, path: Path) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in value), encoding="utf-8")


def _load_lines(path: Path) -> list:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


# kind of value -> file ending, how to write it, how to read it
KINDS: dict[str, tuple[str, Callable, Callable]] = {
    "arrays": (".safetensors", _save_arrays, _load_arrays),
    "frame": (".parquet", lambda value, path: value.to_parquet(path), pd.read_parquet),
    "lines": (".jsonl", _save_lines, _load_lines),
}


def digest(value: Any) -> str:
    """sha256 (hex) of a JSON-like value; the order of a mapping's keys does not matter."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Makes a folder to write in; what the system refuses there becomes an InputError that says why."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise InputError(
            f"{folder} could not be written ({error.strerror or error}). "
            "Free some space, or choose another folder; the environment variable ANDLIB_CACHE moves the cache."
        ) from None


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Lets `write` fill a temporary file in the same folder, then renames it to `path`.

    A killed run leaves at most a temporary file; two writers of one path do no harm.
    Raises InputError if the folder cannot be written or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with writing(path.parent):
            write(temporary)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink()


@dataclass(frozen=True)
class Store:
    """A folder of stage results. Each has a manifest beside it, written last: what has none does not exist."""

    folder: Path

    def get(self, stage: str, parameters: dict[str, Any], make: Callable[[], Any], kind: str) -> Any:
        """The stored value of `stage` under `parameters`, or what `make()` gives, stored.

        parameters: every value that changes the result, with fingerprints of its inputs and the stage's version.
        kind: `arrays` (name -> array), `frame` (pandas), `lines` (list of JSON values).
        A damaged value is reported in a warning and made again. Raises InputError if the folder cannot be used.
        """
        _, save, load = KINDS[kind]
        path = self._path(stage, parameters, kind)
        with writing(path.parent):
            intact = self._intact(path)
        if intact:
            return load(path)
        value = make()
        write_atomically(path, lambda temporary: save(value, temporary))
        manifest = {
            "stage": stage,
            "parameters": parameters,
            "sha256": file_digest(path),
            "andlib": version("andlib"),
        }
        text = json.dumps(manifest, indent=1, default=str)
        write_atomically(_manifest(path), lambda temporary: temporary.write_text(text))
        return load(path)

    def holds(self, stage: str, parameters: dict[str, Any], kind: str) -> bool:
        """Whether that value is stored whole."""
        return self._intact(self._path(stage, parameters, kind))

    def _path(self, stage: str, parameters: dict[str, Any], kind: str) -> Path:
        key = digest({"stage": stage, "parameters": parameters})[:32]
        return self.folder / stage / f"{key}{KINDS[kind][0]}"

    def _intact(self, path: Path) -> bool:
        if not _manifest(path).is_file() or not path.is_file():
            return False
        try:
            if file_digest(path) == json.loads(_manifest(path).read_text())["sha256"]:
                return True
        except (ValueError, LookupError, TypeError, RecursionError):
            pass  # what cannot be read is damaged, too
        warnings.warn(
            f"{path} is damaged (its contents changed since they were stored); it is made again.", stacklevel=3
        )
        return False


def file_digest(path: Path) -> str:
    """sha256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifest(path: Path) -> Path:
    return path.with_suffix(".json")
