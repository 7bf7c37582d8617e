"""Seeded mutants: does the suite notice when the code stops being careful?

python tests/faults/mutants.py [NAME ...]

Each mutant is a copy of the project with one line changed: a fast test of that module must fail there, and must pass
where the line is as it was."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# name -> file, line as it stands, line as a careless author would have it, tests that must notice
MUTANTS = {
    "the stored sha256 is not compared": (
        "andlib/store.py",
        'fault = "" if file_digest(path) == about["sha256"] else',
        'fault = "" if about["sha256"] else',
        "tests/test_store.py",
    ),
    "one parameter is left out of keys": (
        "andlib/store.py",
        "key = digest([asdict(stage), *self.computed.values(), made_from])[:32]",
        "key = digest([asdict(stage), *self.computed.values(), made_from[1:]])[:32]",
        "tests/test_store.py",
    ),
    "samples that a file lacks are not missed": (
        "andlib/inputs/recordings.py",
        'cut if len(channels) < wanted else ""',
        'cut if len(channels) < 0 else ""',
        "tests/test_probing.py",
    ),
    "truncated files pass by their header": (
        "andlib/inputs/recordings.py",
        "if short or CUT.search(info.extra_info) and not whole:",
        "if False:",
        "tests/test_probing.py",
    ),
    "MP3s end where their length was estimated": (
        "andlib/inputs/recordings.py",
        "return bool(counted or FRAME.search(data))",
        "return bool(counted)",
        "tests/test_streams.py",
    ),
    "links may leave the folder": (
        "andlib/inputs/probing.py",
        'if ".." in path.parts or not any(path.resolve().is_relative_to(home) for home in homes):',
        'if ".." in path.parts or not any(path.is_relative_to(home) for home in homes):',
        "tests/test_probing.py",
    ),
    "archives may name any file": (
        "andlib/inputs/downloads.py",
        r'_WANTED = re.compile(r"[^/]+/(audio/[\w-]+\.wav|meta/[\w-]+\.csv|LICENSE)", re.ASCII)',
        r'_WANTED = re.compile(r"[^/]*/(.*)", re.ASCII)',
        "tests/test_downloads.py",
    ),
    "a download's sha256 is not compared": (
        "andlib/inputs/downloads.py",
        "if (digest := file_digest(part)) != archive.sha256:",
        "if not (digest := file_digest(part)):",
        "tests/test_downloads.py",
    ),
    "cells of tables are not escaped": (
        "andlib/report/shown.py",
        """return f"<td{kind}>{escape(text).replace('_', '_<wbr>')}</td>\"""",
        """return f"<td{kind}>{text.replace('_', '_<wbr>')}</td>\"""",
        "tests/test_tables.py",
    ),
    "pickles may run": (
        "andlib/networks/beats_files.py",
        'torch.load(path, map_location="cpu", weights_only=True)',
        'torch.load(path, map_location="cpu", weights_only=False)',
        "tests/test_beats.py",
    ),
    "a configuration's sizes are believed": (
        "andlib/networks/beats_files.py",
        "if wrong := _unlike(settings, sizes):",
        "if wrong := {}:",
        "tests/test_beats.py",
    ),
    "the key is repeated in errors": (
        "andlib/llms/servers.py",
        "text = masked(str(words))[:QUOTED]",
        "text = str(words)[:QUOTED]",
        "tests/test_servers.py",
    ),
    "the key is repeated in answers": (
        "andlib/llms/servers.py",
        "return checked(masked(whole), finish)",
        "return checked(whole, finish)",
        "tests/test_servers.py",
    ),
    "a manifest may answer another question": (
        "andlib/store.py",
        "if not fault and any(about[name] != value for name, value in question.items()):",
        "if not fault and not about:",
        "tests/test_store.py",
    ),
    "what is kept of a strategy answers for any sets": (
        "andlib/unlearning.py",
        "digest(chosen) == digest(unit_sets(run, model, LEARNT, name))",
        "bool(chosen)",
        "tests/test_unlearning.py",
    ),
}


def tested(project: Path, *files: str) -> subprocess.CompletedProcess:
    """The tests of some files in a copy of the project, up to the first that fails."""
    environment = {name: value for name, value in os.environ.items() if name != "ANDLIB_FAULTS"}
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *files]
    given = {**environment, "PYTHONPATH": str(project)}  # before the package that is installed
    return subprocess.run(command, cwd=project, env=given, capture_output=True, text=True)


def caught(project: Path, file: str, line: str, mutated: str, tests: str) -> str:
    """The first test that fails on the mutant and passes without it, or "" if there is none."""
    path = project / file
    text = path.read_text(encoding="utf-8")
    assert text.count(line) == 1, f"{file} has changed: {line!r} stands there {text.count(line)} times"
    path.write_text(text.replace(line, mutated), encoding="utf-8")
    try:
        said = tested(project, tests).stdout.splitlines()
    finally:
        path.write_text(text, encoding="utf-8")
    failed = next((row.split(" - ")[0].removeprefix("FAILED ") for row in said if row.startswith("FAILED")), "")
    return failed if failed and tested(project, failed).returncode == 0 else ""


def main(names: list[str]) -> int:
    survived = 0
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "project")
        dropped = shutil.ignore_patterns("pages", "_build", "__pycache__", "_static", ".*")
        for part in ("andlib", "making", "tests", "book"):
            shutil.copytree(ROOT / part, project / part, ignore=dropped)
        shutil.copy(ROOT / "pyproject.toml", project)
        for name in names or MUTANTS:
            test = caught(project, *MUTANTS[name])
            survived += not test
            print(f"{'caught' if test else 'SURVIVES':9} {name}: {test or MUTANTS[name][-1]}", flush=True)
    return survived


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
