"""What results/ keeps: whole, absent, or damaged in a sentence that says how it is had again."""

import pytest

from andlib import kept, paths
from andlib.errors import InputError
from andlib.pages import claims, exhibits


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
    assert claims.committed("mini") == {"one": held}


@pytest.mark.parametrize("damaged", [b"", b'{"rows": [', b"[3]", b"null", b'"\xff"', b"[" * 100_000])
def test_a_damaged_file_says_how_it_is_had_again(results, damaged):
    kept.write("mini", "one", {"rows": []})
    (results / "mini/one.json").write_bytes(damaged)
    told = r"^results/mini/one\.json cannot be read .* `git checkout results/mini/one\.json` brings it back\.$"
    for read in (lambda: kept.read("mini", "one"), lambda: claims.committed("mini"), exhibits.at_a_glance):
        with pytest.raises(InputError, match=told):
            read()
