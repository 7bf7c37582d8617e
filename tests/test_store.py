"""Stored stages: keyed by what decides them, whole or absent, checked when read."""

import multiprocessing
import os
import signal
import time

import numpy as np
import pandas as pd
import pytest

from andlib.errors import InputError
from andlib.store import Store, digest, write_atomically


def _arrays():
    return {"a": np.arange(6, dtype=np.float32).reshape(2, 3)}


def _never():
    raise AssertionError("made again although stored")


@pytest.mark.parametrize(
    "kind,value",
    [
        ("arrays", _arrays()),
        ("frame", pd.DataFrame({"words": [["a", "b"], []], "n": [1, 2]})),
        ("lines", [{"text": "line\nbreak \u2028 <b>"}, 3]),
    ],
)
def test_a_value_is_made_once_and_read_back(tmp_path, kind, value):
    store = Store(tmp_path)
    first = store.get("stage", {"k": 5}, lambda: value, kind)
    second = store.get("stage", {"k": 5}, _never, kind)
    if kind == "frame":
        pd.testing.assert_frame_equal(first, second)
        assert [list(words) for words in second["words"]] == [["a", "b"], []]
    elif kind == "arrays":
        np.testing.assert_array_equal(second["a"], value["a"])
    else:
        assert second == value


def test_every_parameter_is_part_of_the_key(tmp_path):
    store, made = Store(tmp_path), []
    for parameters in ({"k": 5}, {"k": 6}, {"k": 5, "t": 0.7}, {"k": 5}):
        store.get("stage", parameters, lambda p=parameters: made.append(p) or [p], "lines")
    assert made == [{"k": 5}, {"k": 6}, {"k": 5, "t": 0.7}]
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def test_an_array_in_column_order_is_stored_as_it_is(tmp_path):
    turned = np.asfortranarray(np.arange(6.0).reshape(2, 3))  # safetensors ignores strides
    stored = Store(tmp_path).get("stage", {}, lambda: {"a": turned}, "arrays")
    np.testing.assert_array_equal(stored["a"], turned)


@pytest.mark.parametrize("damage", ["truncate", "flip", "manifest", "no manifest"])
def test_damage_is_reported_and_made_again(tmp_path, damage):
    store = Store(tmp_path)
    store.get("stage", {}, _arrays, "arrays")
    [value] = tmp_path.glob("stage/*.safetensors")
    [manifest] = tmp_path.glob("stage/*.json")
    content = value.read_bytes()
    if damage == "truncate":
        value.write_bytes(content[:-3])
    elif damage == "flip":
        value.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "manifest":
        manifest.write_text("{not json")
    else:
        manifest.unlink()
    if damage == "no manifest":  # as a killed run leaves it: nothing to report
        store.get("stage", {}, _arrays, "arrays")
    else:
        with pytest.warns(UserWarning, match="damaged"):
            store.get("stage", {}, _arrays, "arrays")
    assert value.read_bytes() == content
    store.get("stage", {}, _never, "arrays")


def test_a_failing_writer_leaves_nothing(tmp_path):
    def fail(path):
        path.write_text("half")
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        write_atomically(tmp_path / "value.txt", fail)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(InputError, match=r"file.*could not be written.*ANDLIB_CACHE"):
        Store(blocked).get("stage", {}, _arrays, "arrays")


def _slow_writer(folder, ready):
    def write(path):
        path.write_text("half")
        ready.set()
        time.sleep(60)

    write_atomically(folder / "value.txt", write)


def test_a_killed_writer_leaves_no_value(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=_slow_writer, args=(tmp_path, ready))
    process.start()
    assert ready.wait(30)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not (tmp_path / "value.txt").exists()
    write_atomically(tmp_path / "value.txt", lambda path: path.write_text("whole"))
    assert (tmp_path / "value.txt").read_text() == "whole"


def _get(folder, results):
    results.put(Store(folder).get("stage", {"k": 1}, _arrays, "arrays")["a"].sum())


def test_two_writers_of_one_value_do_no_harm(tmp_path):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    writers = [context.Process(target=_get, args=(tmp_path, results)) for _ in range(2)]
    for writer in writers:
        writer.start()
    assert [results.get(timeout=30) for _ in writers] == [15.0, 15.0]
    for writer in writers:
        writer.join()
    assert len(list(tmp_path.glob("stage/*.safetensors"))) == 1
