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

# of each option that several commands have: arguments of `add_argument`
THREADS = {"type": int, "default": 2, "help": "that torch may use"}
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
    if which:
        parser.add_argument("which", choices=which)
    for name, option in own.items():
        parser.add_argument(f"--{name}", **option)
    given = parser.parse_args()
    chosen = {"llm": given.llm} if "llm" in own else {}
    run = open_run({"profile": given.profile, "data_dir": given.data_dir, "model": model, **chosen})
    return run if slow else run.using(models=tuple(m for m in run.models if m not in run.profile.slow)), given


def trained(seed: int) -> Path:
    """The folder in which networks trained from a seed lie."""
    return paths.cache() / "training" / f"seed{seed}"
