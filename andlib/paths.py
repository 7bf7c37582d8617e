"""The only file of the package that knows a folder."""

import importlib.util
import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
WEIGHTS = PACKAGE / "mini" / "weights"


def root() -> Path:
    """The project's folder: where `andlib` lies when it is installed in place (`pip install -e .`)."""
    return PACKAGE.parent


def named(path: str | os.PathLike[str]) -> Path:
    """The path that a user names: `~` is their home."""
    return Path(os.path.expanduser(path))  # Path.expanduser raises where there is no such user


def installed(package: str) -> Path:
    """Folder of another package, which is not imported; raises ImportError where it is not installed."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {package!r}")
    return Path(spec.submodule_search_locations[0])


def cache() -> Path:
    """Folder of stored stages: in the project or, of an installed wheel, at home; ANDLIB_CACHE moves it."""
    usual = root() / "cache" if (root() / "pyproject.toml").is_file() else Path.home() / ".cache/andlib"
    return named(os.environ.get("ANDLIB_CACHE") or usual)


def results() -> Path:
    """Committed numbers, one folder a profile."""
    return root() / "results"


def completions(profile: str) -> Path:
    """Answers of a language model that the repository carries for a profile."""
    return results() / profile / "completions.jsonl.gz"
