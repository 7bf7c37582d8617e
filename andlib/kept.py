"""Results that take longer than a page may: a command computes them, results/<profile>/ keeps them, pages read them."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from andlib import paths
from andlib.errors import InputError
from andlib.profiles import MODELS, PROFILES
from andlib.run import Run, open_run
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


def asked(description: str, *, model: str = "all", **own: Mapping[str, Any]) -> tuple[Run, argparse.Namespace]:
    """The run that a command's arguments ask for, and all of them.

    own: the command's own options, name -> arguments of `add_argument`.
    """
    able = [name for name, profile in PROFILES.items() if set(MODELS) <= set(profile.networks)]
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--profile", choices=able, default="mini")
    parser.add_argument("--data-dir", default="", help="folder with the recordings, for profiles that need one")
    for name, option in own.items():
        parser.add_argument(f"--{name}", **option)
    given = parser.parse_args()
    chosen = {"llm": given.llm} if "llm" in own else {}
    run = open_run({"profile": given.profile, "data_dir": given.data_dir, "model": model, **chosen})
    return run, given
