"""What environment.yml and the extras ask for can be had: resolved for Linux and macOS, nothing is installed."""

import subprocess
import sys
from pathlib import Path

import pytest

from andlib import paths


def resolved(folder: Path, platform: str, extras: str, *options: str) -> dict[str, str]:
    """Name -> version of all that pip would install."""
    out, project = folder / "resolved.txt", paths.root() / "pyproject.toml"
    asked = [word for extra in extras.split() for word in ("--extra", extra)]
    command = [sys.executable, "-m", "uv", "pip", "compile", project, *asked, "--python-platform", platform]
    command += ["--python-version", "3.11.0", "--no-header", "--no-annotate", "--quiet", "--output-file", out, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert "No solution found" not in done.stderr, done.stderr
    if done.returncode:
        pytest.skip(f"the package index could not be asked: {done.stderr[:300]}")
    lines = (line.partition(";")[0].strip() for line in out.read_text().splitlines())
    return dict(line.split("==") for line in lines if line)


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["linux", "macos"])
def test_the_conda_environment_resolves(tmp_path, platform):
    versions = resolved(tmp_path, platform, "paper vllm llm")
    assert ("vllm" in versions) == (platform == "linux")
    assert versions["transformers"].startswith("5.") and versions["numpy"].startswith("2.")
    assert {"torchaudio", "open-clip-torch", "bert-score", "torchlibrosa", "accelerate"} <= versions.keys()


@pytest.mark.slow
@pytest.mark.parametrize("extras", ["test llm serving", "paper"])
def test_the_extras_that_are_told_to_be_installed_with_the_constraints_resolve_with_them(tmp_path, extras):
    pinned = resolved(tmp_path, "linux", extras, "--constraints", str(paths.root() / "constraints.txt"))
    known = (paths.root() / "constraints.txt").read_text(encoding="utf-8")
    assert f"torch=={pinned['torch']}\n" in known
