"""Results that take longer than a page may: a command computes them, results/<profile>/ keeps them, pages read them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from andlib import paths
from andlib.errors import InputError
from andlib.store import read_object, write_atomically


def path_of(profile: str, name: str) -> Path:
    """The file that keeps a profile's results of that name."""
    return paths.results() / profile / f"{name}.json"


def read(profile: str, name: str, command: str = "") -> dict[str, Any]:
    """What is kept, or an empty dict. command: the one that computes it; given, its absence raises InputError.

    Raises InputError if the file is damaged, too, and says how what is committed is had again.
    """
    file = path_of(profile, name)
    if file.is_file():
        shown = file.relative_to(paths.results().parent).as_posix()
        return read_object(file, shown, f"`git checkout {shown}` brings it back.")
    if command:
        raise InputError(f"Profile {profile} has no {file.name}: `{command}` computes it.")
    return {}


def write(profile: str, name: str, held: Mapping[str, Any]) -> Path:
    """Keeps results, whole or not at all; returns the file."""
    text = json.dumps(held, indent=1, ensure_ascii=False) + "\n"
    write_atomically(path_of(profile, name), lambda file: file.write_text(text, encoding="utf-8"))
    return path_of(profile, name)
