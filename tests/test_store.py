"""Stored stages: keyed by what decides them, whole or absent, checked when read."""

import json
import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from andlib.errors import InputError
from andlib.store import Stage, Store, digest, file_digest, fingerprint, write_atomically

ARRAYS = Stage("stage", "arrays")


def _arrays():
    return {"a": np.arange(6, dtype=np.float32).reshape(2, 3)}


def _never():
    raise AssertionError("made again although stored")


VALUES = [
    ("arrays", _arrays()),
    ("frame", pd.DataFrame({"words": [["a", "b"], []], "n": [1, 2]})),
    ("lines", [{"text": "line\nbreak \u2028 <b>"}, 3]),
]


@pytest.mark.parametrize("kind,value", VALUES)
def test_others_read_what_the_user_lets_them(tmp_path, kind, value):
    before = os.umask(0o027)
    try:
        Store(tmp_path).get(Stage("stage", kind), [5], lambda: value)
    finally:
        os.umask(before)
    assert {oct(path.stat().st_mode & 0o777) for path in tmp_path.rglob("*.*")} == {"0o640"}


@pytest.mark.parametrize("kind,value", VALUES)
def test_a_value_is_made_once_and_read_back(tmp_path, kind, value):
    store = Store(tmp_path)
    first = store.get(Stage("stage", kind), [5], lambda: value)
    second = store.get(Stage("stage", kind), [5], _never)
    if kind == "frame":
        pd.testing.assert_frame_equal(first, second)
        assert [list(words) for words in second["words"]] == [["a", "b"], []]
    elif kind == "arrays":
        np.testing.assert_array_equal(second["a"], value["a"])
    else:
        assert second == value


def test_every_record_is_part_of_the_key(tmp_path):
    store, made = Store(tmp_path), []
    for records in ([5], [6], [5, 0.7], [5], ["5"]):
        store.get(Stage("stage", "lines"), records, lambda records=records: made.append(records) or [records])
    assert made == [[5], [6], [5, 0.7], ["5"]]
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def test_stage_version_device_and_precision_are_part_of_the_key(tmp_path):
    made = []
    stores = Store(tmp_path), Store(tmp_path, device="cuda"), Store(tmp_path, precision="bfloat16")
    cases = [(store, Stage("stage", "lines", version)) for store in stores for version in (1, 2)]
    for store, stage in cases * 2:
        store.get(stage, [5], lambda: made.append(1) or [1])
    assert len(made) == len(cases)


def test_a_key_covers_a_record_by_all_its_fields():
    @dataclass(frozen=True)
    class Record:
        name: str
        values: np.ndarray
        parts: tuple = ()

    class Known:
        fingerprint = "known"

    records = [
        Record("a", np.arange(3)),
        Record("b", np.arange(3)),
        Record("a", np.arange(4)),
        Record("a", np.arange(3.0)),
        Record("a", np.arange(3), (Known(),)),
        Record("a", np.arange(3), (frozenset("ab"),)),
        Record("a", np.arange(3), (None,)),
    ]
    assert len({digest(record) for record in records}) == len(records)
    assert digest(records[0]) == digest(Record("a", np.arange(3)))
    assert fingerprint(np.int64(3)) == 3 and fingerprint({1: (2.5,)}) == {"1": [2.5]}


@pytest.mark.parametrize("value", [lambda: 3, object(), pd.DataFrame({"a": [1]})])
def test_what_no_key_can_cover_is_refused(value):
    with pytest.raises(TypeError, match="No key can be made of"):
        digest([value])


def test_an_array_in_column_order_is_stored_as_it_is(tmp_path):
    turned = np.asfortranarray(np.arange(6.0).reshape(2, 3))  # safetensors ignores strides
    stored = Store(tmp_path).get(ARRAYS, [], lambda: {"a": turned})
    np.testing.assert_array_equal(stored["a"], turned)


@pytest.mark.parametrize("damage", ["truncate", "flip", "manifest", "no manifest"])
def test_damage_is_reported_and_made_again(tmp_path, damage):
    store = Store(tmp_path)
    store.get(ARRAYS, [], _arrays)
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
        store.get(ARRAYS, [], _arrays)
    else:
        with pytest.warns(UserWarning, match="damaged"):
            store.get(ARRAYS, [], _arrays)
    assert value.read_bytes() == content
    store.get(ARRAYS, [], _never)


def test_a_value_that_answers_another_question_is_made_again(tmp_path):
    store = Store(tmp_path)
    asked = {5: store._asked(ARRAYS, [5])[0], 6: store._asked(ARRAYS, [6])[0]}
    for k in asked:
        store.get(ARRAYS, [k], lambda k=k: {"a": np.array([k])})
    for ends in ((".safetensors", ".safetensors"), (".json", ".json")):
        first, second = (path.with_suffix(end) for path, end in zip(asked.values(), ends, strict=True))
        first.rename(tmp_path / "aside")
        second.rename(first)
        (tmp_path / "aside").rename(second)
    for k in asked:
        with pytest.warns(UserWarning, match="names other records"):
            value = store.get(ARRAYS, [k], lambda k=k: {"a": np.array([k])})
        assert value["a"] == [k]
        assert store.holds(ARRAYS, [k])


@pytest.mark.parametrize("kind", ["arrays", "frame", "lines"])
@pytest.mark.parametrize("content", [b"", b"no table", b"PAR1" + bytes(20) + b"PAR1", b'{"a": ' * 5000])
def test_what_is_no_value_is_made_again_though_its_checksum_was_mended(tmp_path, kind, content):
    stage, store = Stage("stage", kind), Store(tmp_path)
    good = {"arrays": {"a": np.arange(3)}, "frame": pd.DataFrame({"a": [1]}), "lines": [{"a": 1}]}[kind]
    store.get(stage, [1], lambda: good)
    path, _ = store._asked(stage, [1])
    path.write_bytes(content)
    manifest = path.with_suffix(".json")
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"sha256": file_digest(path)}))
    if kind == "lines" and not content:
        assert store.get(stage, [1], lambda: good) == []  # which is a list of no lines
        return
    with pytest.warns(UserWarning, match="cannot be read as"):
        value = store.get(stage, [1], lambda: good)
    assert list(value) == list(good)


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
        Store(blocked).get(ARRAYS, [], _arrays)


def _slow_writer(folder, ready):
    def write(path):
        path.write_text("half")
        ready.set()
        time.sleep(60)

    write_atomically(folder / "value.txt", write)


@pytest.mark.slow
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
    results.put(Store(folder).get(ARRAYS, [1], _arrays)["a"].sum())


@pytest.mark.slow
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


def _make_slowly(folder, begun, ending):
    def make():
        begun.set()
        time.sleep(60 if ending == "killed" else 1)
        if ending == "failed":
            raise InputError("This one fails.")
        return ["theirs"]

    Store(folder).get(Stage("slow", "lines"), [1], make)


@pytest.mark.slow
@pytest.mark.parametrize("ending,value", [("done", "theirs"), ("failed", "ours"), ("killed", "ours")])
def test_what_another_process_makes_is_waited_for(tmp_path, ending, value):
    context = multiprocessing.get_context("spawn")
    begun = context.Event()
    other = context.Process(target=_make_slowly, args=(tmp_path, begun, ending))
    other.start()
    assert begun.wait(60)
    if ending == "killed":
        threading.Timer(1, os.kill, (other.pid, signal.SIGKILL)).start()
    assert Store(tmp_path).get(Stage("slow", "lines"), [1], lambda: ["ours"]) == [value]
    other.join()


def test_a_value_whose_making_fails_can_be_made_again(tmp_path):
    store, stage = Store(tmp_path), Stage("slow", "lines")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            store.get(stage, [1], lambda: [1 / 0])
    assert store.get(stage, [1], lambda: [1]) == [1]
