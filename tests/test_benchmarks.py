"""The benchmarks' frame: what they measure is theirs, that they measure it honestly is here."""

import json
import math

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import measuring

ROW = measuring.Row("sorting", 2.0, 6.0, "a loop", asked=4, least=0.5, peak_gib=1.25, note="of 10 numbers")


def test_the_committed_history_is_whole():
    lines = [json.loads(line) for line in command.HISTORY.read_text(encoding="utf-8").splitlines()]
    assert {line["group"] for line in lines} <= set(command.GROUPS)
    for line in lines:
        assert line["date"] and line["commit"] and line["machine"]["processor"] and line["machine"]["torch"]
        for row in line["rows"]:
            assert math.isfinite(row["seconds"]) and row["seconds"] > 0
            assert set(row) <= set(measuring.Row.__annotations__)


def test_a_group_is_added_to_the_history_with_what_it_was_measured_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "HISTORY", tmp_path / "history.jsonl")
    monkeypatch.setattr("benchmarks.scoring.rows", lambda: iter([ROW]))
    for _ in range(2):
        command.measure("scoring", measuring.machine(), "abc+")
    first, second = map(json.loads, command.HISTORY.read_text().splitlines())
    assert first["rows"] == second["rows"] == [{k: v for k, v in vars(ROW).items() if k != "at_most"}]
    assert first["commit"] == "abc+" and first["machine"]["cores"] >= 1
    assert "3.00x" in capsys.readouterr().out


def test_what_was_asked_and_the_limit_are_printed():
    printed = command.line(ROW)
    for part in ("3.00x", "against a loop", "asked 4x", "least 0.500 s", "1.25 GiB", "of 10 numbers"):
        assert part in printed
    assert "asked 60 s" in command.line(measuring.Row("pages", 70.0, at_most=60))


def test_a_group_that_does_not_exist_is_named(capsys):
    with pytest.raises(SystemExit):
        command.main(["similarty"])
    assert "no group is called similarty" in capsys.readouterr().err


def test_the_reference_and_ours_take_turns():
    calls = []
    measuring.both(lambda: calls.append("ours"), lambda: calls.append("plain"), 2)
    assert calls == ["ours", "plain"] * 3


def test_seconds_are_the_median_without_the_first_call(monkeypatch):
    taken = iter([1.0, 5.0, 2.0])
    monkeypatch.setattr(measuring, "_once", lambda function: next(taken))
    assert measuring.seconds(lambda: None, 3) == 2.0


def test_a_process_of_its_own_gives_its_value_and_its_memory():
    held = np.ones(2**27)  # a GiB of this process's own
    value, peak = measuring.in_own_process("math", "hypot", 3, 4)
    assert value == 5.0 and 0.01 < peak < 0.5 < measuring.peak() and len(held)


def test_the_machine_s_rates_are_those_of_a_machine():
    assert 1e8 < measuring.arithmetic() < 1e13 and 1e8 < measuring.memory() < 1e12
