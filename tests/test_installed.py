"""The package as a wheel brings it, far from the repository: all that it needs comes with it, and nothing is added."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import soundfile
from conftest import tiny_set

from andlib import paths

COMMAND = "import sys; from andlib import command; sys.exit(command.main(sys.argv[1:]))"


@pytest.mark.slow
def test_a_wheel_reports_on_a_network_without_the_repository(tmp_path):
    source, installed = tmp_path / "source", tmp_path / "installed"
    ours = shutil.ignore_patterns("__pycache__")
    shutil.copytree(paths.PACKAGE, source / "andlib", ignore=ours)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(paths.root() / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-q"]
    subprocess.run([*pip, "-w", tmp_path, source], check=True, capture_output=True)
    [wheel] = tmp_path.glob("andlib-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
        scripts = archive.read(next(name for name in archive.namelist() if name.endswith("entry_points.txt"))).decode()
    assert "andlib = andlib.command:main" in scripts
    sounds = tmp_path / "sounds"
    for i, clip in enumerate(tiny_set().clips):
        (sounds / clip.label).mkdir(parents=True, exist_ok=True)
        soundfile.write(sounds / clip.label / f"{i}.wav", tiny_set().read(clip, 16_000), 16_000)
    found = [str(installed), str(Path(__file__).parent)]
    environment = {name: value for name, value in os.environ.items() if name != "ANDLIB_CACHE"}
    environment |= {"PYTHONPATH": os.pathsep.join(found), "HOME": str(tmp_path / "home")}
    before = sorted(installed.rglob("*.*"))
    given = [
        "report",
        "architectures:conv2d",
        "--data",
        sounds,
        "--out",
        tmp_path / "report",
        "--seconds",
        "0.5",
        "-k",
        "3",
    ]
    told = {
        "cwd": tmp_path,
        "env": environment | {"PYTHONDONTWRITEBYTECODE": "1"},
        "capture_output": True,
        "text": True,
    }
    done = subprocess.run([sys.executable, "-c", COMMAND, *map(str, given)], **told)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "report/index.html").is_file() and (tmp_path / "report/atlas/own.mjs").is_file()
    assert sorted(installed.rglob("*.*")) == before
    where = "from andlib import paths; print(paths.PACKAGE); print(paths.cache())"
    package, cache = subprocess.run([sys.executable, "-c", where], check=True, **told).stdout.split()
    assert Path(package) == installed / "andlib" and Path(cache) == tmp_path / "home/.cache/andlib"
