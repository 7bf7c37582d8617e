"""What the commands of this folder share: their arguments."""

import argparse
from collections.abc import Mapping
from typing import Any

from andlib.profiles import MODELS, PROFILES
from andlib.run import Run, open_run


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
