"""The only file that knows a folder."""

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


def notebooks() -> Path:
    """Source pages."""
    return root() / "notebooks"


def book() -> Path:
    """The book: prose pages and, under `pages/`, executed ones."""
    return root() / "book"


def results() -> Path:
    """Committed numbers, one folder a profile."""
    return root() / "results"


def build() -> Path:
    """Everything `make book` produces."""
    return root() / "_build"
