"""Results of stages on disk: keyed by everything that decides them, written whole or not at all, checked when read."""

import hashlib
import json
import os
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from andlib.bars import tqdm
from andlib.errors import InputError, explained, first_line

Arrays = dict[str, np.ndarray]


def _save_arrays(value: Arrays, path: Path) -> None:
    save_file({name: np.ascontiguousarray(array) for name, array in value.items()}, path)


def _save_lines(value: list, path: Path) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in value), encoding="utf-8")


def _load_lines(path: Path) -> list:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


# kind of value -> file ending, how to write it, how to read it
KINDS: dict[str, tuple[str, Callable, Callable]] = {
    "arrays": (".safetensors", _save_arrays, load_file),
    "frame": (".parquet", lambda value, path: value.to_parquet(path), pd.read_parquet),
    "lines": (".jsonl", _save_lines, _load_lines),
}


def fingerprint(value: Any) -> Any:
    """What tells a value from every other in keys, as JSON: what it calls its `fingerprint`, else all that it holds.

    Takes texts, numbers, arrays, sets, sequences and mappings of such, and frozen dataclasses, by all their fields.
    Raises TypeError for anything else: what a key cannot cover must not be left out of it."""
    if hasattr(value, "fingerprint"):
        return value.fingerprint
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return [str(value.dtype), value.shape, hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()]
    if isinstance(value, Mapping):
        return {str(name): fingerprint(held) for name, held in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(fingerprint, value))
    if isinstance(value, list | tuple | range):
        return [fingerprint(held) for held in value]
    if is_dataclass(value):
        return {field.name: fingerprint(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"No key can be made of a {type(value).__name__}: give it a `fingerprint`.")


def digest(value: Any) -> str:
    """sha256 (hex) of the fingerprint of a value; the order of a mapping's keys does not matter."""
    return hashlib.sha256(json.dumps(fingerprint(value), sort_keys=True).encode()).hexdigest()


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Makes a folder to write in; what the system refuses there becomes an InputError that says why."""
    remedy = "Free some space, or choose another folder; the environment variable ANDLIB_CACHE moves the cache."
    kinds = OSError, SafetensorError  # the latter tells of a full disk in Rust's words
    with explained(lambda e: f"{folder} could not be written ({getattr(e, 'strerror', '') or e}). {remedy}", *kinds):
        folder.mkdir(parents=True, exist_ok=True)
        yield


def write_atomically(path: Path, write: Callable[[Path], Any]) -> Path:
    """Lets `write` fill a temporary file in the same folder, then renames it to `path`, which it returns.

    A killed run leaves at most a temporary file; two writers do no harm. Raises InputError if it cannot be written."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with writing(path.parent):
            temporary.touch()
            mode = temporary.stat().st_mode  # what the user lets others read, which safetensors does not ask
            write(temporary)
            temporary.chmod(mode)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            return temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink()


@dataclass(frozen=True)
class Stage:
    """A kind of result that is stored."""

    name: str
    kind: str  # `arrays` (name -> array), `frame` (pandas) or `lines` (JSON values)
    version: int = 1  # raised when results change


@dataclass(frozen=True)
class Store:
    """A folder of results. Each has a manifest beside it, written last: what has none does not exist."""

    folder: Path
    device: str = "cpu"  # of the networks, see `devices.placed`; every key holds its kind
    precision: str = "float32"  # of the networks; every key holds it

    @property
    def computed(self) -> dict[str, str]:
        """By what results are computed, as keys and manifests hold it."""
        return {"device": self.device.partition(":")[0], "precision": self.precision}

    def get(self, stage: Stage, made_from: Sequence[Any], make: Callable[[], Any]) -> Any:
        """The stored result of a stage for these records, or what `make()` gives, stored.

        made_from: everything that changes the result, as `fingerprint` takes it. A value that is damaged or made from
        other records is reported in a warning and made again; one that another process of this machine is making is
        waited for. Raises InputError if the folder cannot be used."""
        ending, save, load = KINDS[stage.kind]
        path, question = self._asked(stage, made_from)
        with writing(path.parent):
            if self._intact(path, question):
                try:
                    return load(path)
                except Exception as error:  # readers raise whatever the damage provokes
                    _warn(path, f"it cannot be read as {ending[1:]}: {first_line(error)}")
        lock = _lock(path)
        try:
            held = lock.acquire(timeout=0)
        except Timeout:
            with tqdm(bar_format=f"waiting for {stage.name}, which another process makes", leave=False), lock:
                pass
            return self.get(stage, made_from, make)
        with held:
            value = make()
            write_atomically(path, lambda temporary: save(value, temporary))
            about = {**question, "sha256": file_digest(path), "andlib": version("andlib")}
            write_atomically(_manifest(path), lambda temporary: temporary.write_text(json.dumps(about, indent=1)))
        return load(path)

    def holds(self, stage: Stage, made_from: Sequence[Any]) -> bool:
        """Whether that result is stored whole."""
        return self._intact(*self._asked(stage, made_from))

    def _asked(self, stage: Stage, made_from: Sequence[Any]) -> tuple[Path, dict[str, Any]]:
        """The file of a value, and what its manifest must say that it answers."""
        key = digest([asdict(stage), *self.computed.values(), made_from])[:32]
        question = {**asdict(stage), **self.computed, "made_from": [digest(record) for record in made_from]}
        return self.folder / stage.name / f"{key}{KINDS[stage.kind][0]}", question

    def _intact(self, path: Path, question: Mapping[str, Any]) -> bool:
        if not _manifest(path).is_file() or not path.is_file():
            return False
        try:
            about = json.loads(_manifest(path).read_text())
            fault = "" if file_digest(path) == about["sha256"] else "its contents changed since they were stored"
            if not fault and any(about[name] != value for name, value in question.items()):
                fault = "its manifest names other records than those asked for"
        except (ValueError, LookupError, TypeError, RecursionError):
            fault = "its manifest cannot be read"
        if fault:
            _warn(path, fault)
        return not fault


def _warn(path: Path, fault: str) -> None:
    warnings.warn(f"{path} is damaged ({fault}); it is made again.", stacklevel=4)


def file_digest(path: Path) -> str:
    """sha256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unchanged(digests: Mapping[Path, str]) -> None:
    """Raises InputError, naming it, if a file's `file_digest` is no longer the one that keys of the store name."""
    for path, known in digests.items():
        if not path.is_file() or file_digest(path) != known:
            raise InputError(f"{path} was changed while it was in use. Run the page or the program again.")


def _lock(path: Path) -> FileLock:
    """What one process holds while it makes a value; among temporary files, for the store may be another machine's."""
    folder = Path(tempfile.gettempdir(), f"andlib-{getattr(os, 'getuid', int)()}")
    folder.mkdir(exist_ok=True)
    return FileLock(folder / f"{digest(str(path.resolve()))[:32]}.lock", thread_local=False)


def _manifest(path: Path) -> Path:
    return path.with_suffix(".json")


def read_object(source: Path | str | bytes, name: str, remedy: str) -> dict[str, Any]:
    """The JSON object that a file (a path), or a text itself, holds.

    Raises InputError if it holds none: `name` cannot be read, why, and what to do."""
    kinds = OSError, ValueError, RecursionError
    with explained(lambda error: f"{name} cannot be read as JSON ({error}). {remedy}", *kinds):
        if isinstance(source, Path) and source.exists() and not source.is_file():
            raise ValueError("it is no file")
        value = json.loads(source.read_text(encoding="utf-8") if isinstance(source, Path) else source)
        if not isinstance(value, dict):
            raise ValueError("it holds no JSON object")
    return value
