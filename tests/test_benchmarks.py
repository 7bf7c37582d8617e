"""The benchmarks' frame: what they measure is theirs, that they measure it honestly is here."""

import json
import math
import re

import numpy as np
import pytest
from conftest import tiny_target

from benchmarks import __main__ as command
from benchmarks import gpu, measuring

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


@pytest.mark.slow
def test_a_process_of_its_own_gives_its_value_and_its_memory():
    held = np.ones(2**27)  # a GiB of this process's own
    value, peak = measuring.in_own_process("math", "hypot", 3, 4)
    assert value == 5.0 and 0.01 < peak < 0.5 < measuring.peak() and len(held)


def test_the_machine_s_rates_are_those_of_a_machine():
    assert 1e8 < measuring.arithmetic() < 1e13 and 1e8 < measuring.memory() < 1e12


def test_where_there_is_no_gpu_its_group_says_so_and_adds_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "HISTORY", tmp_path / "history.jsonl")
    monkeypatch.setattr(gpu, "device_named", lambda name: "cpu")
    assert not command.measure("gpu", measuring.machine(), "abc")
    assert re.fullmatch(r"gpu: skipped, for torch .* sees no GPU on this machine\.\n", capsys.readouterr().out)
    assert not command.HISTORY.exists()


def test_the_gpu_s_rows_are_those_of_the_network_that_is_given(monkeypatch):
    monkeypatch.setattr(gpu, "card", lambda device: f"a card called {device}")
    monkeypatch.setattr(gpu, "COMPARED", 5)
    rows = list(gpu.rows_on("cpu", tiny_target(), clips=6, sets=2, tested=9))
    assert [row.what for row in rows] == [
        "GPU: recording 6 clips, full-size AST, float32",
        "GPU: silencing 2 sets of 3 units, 9 clips, float32",
        "GPU: recording 6 clips, full-size AST, bf16",
        "GPU: silencing 2 sets of 3 units, 9 clips, bf16",
        "GPU: what it records, beside the processor's 5 clips",
    ]
    assert {row.device for row in rows[:4]} == {"a card called cpu"} and rows[4].device == "cpu"
    assert rows[0].reference and all(row.least > 0 for row in rows[:4])
    whole = rows[1].seconds / 2 * gpu.OF_TABLE_4 / 60
    assert f"{whole:.1f} minutes for 150 sets, asked: at most 10" in rows[1].note
    same, near = rows[4].note.split("; ")
    assert same.endswith("at most 0 of a layer's standard deviation apart, 0 of 67 highest clips differ")
    assert "bf16: at most 0.0" in near


def test_what_sets_recordings_apart_is_told_in_deviations_and_highest_clips():
    u = {"a": np.array([[1.0, 0.0], [-1.0, 2.0]]), "b": np.array([[0.0], [20.0]])}
    moved = {"a": u["a"].copy(), "b": np.array([[21.0], [20.0]])}
    assert gpu.difference(u, moved) == "at most 2.1 of a layer's standard deviation apart, 1 of 3 highest clips differ"
