"""The only file of the package that knows a folder."""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
WEIGHTS = PACKAGE / "mini" / "weights"


def root() -> Path:
    """The project's folder: where `andlib` lies when it is installed in place (`pip install -e .`)."""
    return PACKAGE.parent


def cache() -> Path:
    """Folder of stored stages; the environment variable ANDLIB_CACHE moves it."""
    return Path(os.environ.get("ANDLIB_CACHE") or root() / "cache").expanduser()


def results() -> Path:
    """Committed numbers, one folder a profile."""
    return root() / "results"


def completions(profile: str) -> Path:
    """Answers of a language model that the repository carries for a profile."""
    return results() / profile / "completions.jsonl"
