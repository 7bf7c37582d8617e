"""What the commands of this folder share: their arguments."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from andlib import paths
from andlib.errors import in_a_sentence
from andlib.profiles import PROFILES
from andlib.run import Run, open_run


def at_least_one(text: str) -> int:
    """The whole number that an option states, of things of which there must be one."""
    if text.isdecimal() and int(text):
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")


# of each option that several commands have: arguments of `add_argument`
THREADS = {"type": at_least_one, "default": 2, "help": "that torch may use"}
OUT = {"type": Path, "help": "folder for the networks; default: cache/training/seed<seed>"}
TRAINING = {"seed": {"type": int, "default": 0}, "out": OUT, "threads": THREADS}


def asked(
    description: str, *, model: str = "all", slow: bool = True, which: Sequence[str] = (), **own: Mapping[str, Any]
) -> tuple[Run, argparse.Namespace]:
    """The run that a command's arguments ask for, and all of them. slow: with networks that take long. which: choices
    of the command's first word, `which`, if it has one. own: its own options, name -> arguments of `add_argument`. From
    then on an InputError ends the command with its sentence alone."""
    sys.excepthook = in_a_sentence
    able = [name for name, profile in PROFILES.items() if profile.networks and not profile.subset]
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--profile", choices=able, default="mini")
    parser.add_argument("--data-dir", default="", help="folder with the recordings, for profiles that need one")
    parser.add_argument("--device", default="auto", help="where networks run: auto, cpu, cuda, cuda:1 or mps")
    if which:
        parser.add_argument("which", choices=which)
    for name, option in own.items():
        parser.add_argument(f"--{name}", **option)
    given = parser.parse_args()
    settings = {name: value for name, value in vars(given).items() if name in ("profile", "data_dir", "device", "llm")}
    run = open_run(settings | {"model": model})
    return run if slow else run.using(models=tuple(m for m in run.models if m not in run.profile.slow)), given


def trained(seed: int) -> Path:
    """The folder in which networks trained from a seed lie."""
    return paths.cache() / "training" / f"seed{seed}"
