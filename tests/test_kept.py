"""What results/ keeps: whole, absent, or damaged in a sentence that says how it is had again."""

import numpy as np
import pandas as pd
import pytest

from andlib import kept, paths
from andlib.errors import InputError
from andlib.pages import claims


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "results", lambda: tmp_path / "results")
    return tmp_path / "results"


def test_what_is_kept_is_read_back_and_what_is_absent_names_its_command(results):
    assert kept.read("mini", "one") == {}
    with pytest.raises(InputError, match=r"mini has no one\.json: `make ones` computes it"):
        kept.read("mini", "one", "make ones")
    held = {"rows": [{"name": "Kürzel", "value": 0.1}]}
    assert kept.write("mini", "one", held) == results / "mini/one.json" and kept.read("mini", "one") == held


@pytest.mark.parametrize("damaged", [b"", b'{"rows": [', b"[3]", b"null", b'"\xff"', b"[" * 100_000])
def test_a_damaged_file_says_how_it_is_had_again(results, damaged):
    kept.write("mini", "one", {"rows": []})
    (results / "mini/one.json").write_bytes(damaged)
    sentence = r"^results/mini/one\.json cannot be read .* `git checkout results/mini/one\.json` brings it back\.$"
    with pytest.raises(InputError, match=sentence):
        kept.read("mini", "one")


def frame(**columns):
    return pd.DataFrame({"model": ["ast", None], "share": [0.1 + 0.2, np.nan], **columns}, index=[3, 1])


def test_a_frame_is_read_back_to_the_last_bit(results):
    small, yes = np.array([0.1, 3e-8], "float32"), [True, False]
    given = frame(counts=[1, 2], small=small, yes=yes, words=['a "b", ÿ\nc', "NA"])
    file = kept.write_frame("mini", "4_1_last_layer", "rows", given)
    assert file == results / "mini/4_1_last_layer/rows.csv" and b"\r" not in file.read_bytes()
    read = kept.frame("mini", "4_1_last_layer", "rows")
    assert read["share"][0] == 0.1 + 0.2 and list(read["small"]) == [float(value) for value in small]
    assert list(read["yes"]) == yes and read.isna().sum().sum() == 2 and read["words"][1] == "NA"
    kept.write_frame("mini", "4_1_last_layer", "none", given[:0])
    assert kept.frame("mini", "4_1_last_layer", "none").columns.equals(given.columns)
    assert kept.frame_names("mini", "4_1_last_layer") == ["none", "rows"]
    assert kept.frame_names("mini", "claims") == []


def test_texts_that_look_like_numbers_or_are_empty_read_as_these(results):
    kept.write_frame(
        "mini", "one", "rows", frame(digits=["5", "10"], empty=["", "a"], mixed=["5", "5, 10"], yes=[True, None])
    )
    read = kept.frame("mini", "one", "rows")
    assert list(read["digits"]) == [5, 10] and list(read["mixed"]) == ["5", "5, 10"]
    assert list(read["empty"].isna()) == [True, False] and read["yes"][0] is True


@pytest.mark.parametrize("column", [[[1, 2], [3]], ["1e3", "2"], ["05", "6"], [{"a": 1}, None]])
def test_a_frame_that_reads_as_something_else_is_refused(results, column):
    with pytest.raises(InputError, match="Frame rows of page one does not read back"):
        kept.write_frame("mini", "one", "rows", frame(column=column))
    assert kept.frame_names("mini", "one") == []


def test_an_absent_or_damaged_frame_says_how_it_is_had(results):
    with pytest.raises(InputError, match=r"mini has no frame 'rows' of page one: `make results PROFILE=mini`"):
        kept.frame("mini", "one", "rows")
    file = kept.write_frame("mini", "one", "rows", frame())
    for damaged in (b"", b"a,b\n1,2,3,4\n1,2,3,4,5\n", b'a,b\n"1,2\n', b"a\n\xff\n"):
        file.write_bytes(damaged)
        for read in (lambda: kept.frame("mini", "one", "rows"), claims.everywhere):
            with pytest.raises(InputError, match=r"^results/mini/one/rows\.csv cannot be read"):
                read()
