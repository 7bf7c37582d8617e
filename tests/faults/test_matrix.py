"""The fault matrix names tests that exist, and the scheduled workflow audits the pins."""

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest
import yaml

from andlib import paths

TESTS = Path(__file__).resolve().parents[1]
ROWS = re.findall(r"^\| ([^|]+) \| ([^|]+) \| (`[^|]+`) \|$", (TESTS / "faults/README.md").read_text(), re.M)


@lru_cache
def functions(file: str) -> set[str]:
    return {node.name for node in ast.walk(ast.parse((TESTS / file).read_text())) if isinstance(node, ast.FunctionDef)}


def test_the_matrix_has_a_row_for_every_line():
    lines = [line for line in (TESTS / "faults/README.md").read_text().splitlines() if line.startswith("| ")]
    assert len(ROWS) == len(lines) - 1 >= 40  # all but the head


@pytest.mark.parametrize(("fault", "tests"), [(fault, tests) for fault, _, tests in ROWS])
def test_every_fault_names_tests_that_exist(fault, tests):
    named = [test.split("::") for test in re.findall(r"`([^`]+)`", tests)]
    assert named and all(name in functions(file) for file, name in named), fault


def test_the_pins_are_audited_every_week():
    workflow = yaml.safe_load((paths.root() / ".github/workflows/weekly.yml").read_text())
    assert workflow[True]["schedule"]  # YAML 1.1 reads `on` as true
    commands = [step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]]
    assert any(command.startswith("pip-audit --strict --requirement constraints.txt") for command in commands)
    assert "make faults" in commands
