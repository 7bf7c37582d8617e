"""Executed pages beside the committed ones."""

# ruff: noqa: F811 (pytest finds fixtures by the names of arguments)

import json

import pytest
from test_publish import kept, notebook, project, published  # noqa: F401

import comparing
import executing
import publish
from andlib import kept as keeping
from andlib import paths
from andlib.errors import InputError
from committed import write


def executed(project, *values):
    """A page that glues those values, (name, value) each, in place of the one that lies in `_build/pages`."""
    return write(notebook(*(kept(*value) for value in values)), project / "_build/pages/mini/one.ipynb")


@pytest.mark.parametrize(
    "here, there, is_near",
    [
        (0.93, 0.93, True),
        (0.93, 0.87, True),
        (0.93, 0.85, False),
        (-0.03, 0.03, True),
        ("+0.40 (+0.34 … +0.45)", "+0.38 (−0.03 … +0.45)", False),
        ("gap -0.03", "gap −0.02", True),
        ("ast 93.8%, beats 64 %", "ast 89.1%, beats 60 %", True),
        ("ast 93.8%", "ast 80.1%", False),
        ("1,234 units", "1,190 units", True),
        ("1,234 units", "1,090 units", False),
        ("3 of 4", "4 of 4", False),
        ("cos", "soft_wpmi", False),
        ("93%", "93% of AST", False),
        (True, 1, False),
        (None, "none", False),
        ([1, 2.0], [1, 2.01], True),
        ([1, 2], [1, 2, 3], False),
    ],
)
def test_values_are_near_where_words_are_equal_and_numbers_differ_little(here, there, is_near):
    assert comparing.near(here, there) == is_near


def test_a_page_measured_anew_with_equal_numbers_passes(published, capsys):
    assert publish.main(["compare"]) == 0
    assert capsys.readouterr().out == "2 of 2 values on 1 page of mini are as committed.\n"


def test_every_value_that_differs_is_named_and_one_may_be_far(published, capsys):
    executed(published, ("top1", 0.9), ("best", "wpmi"))
    assert publish.main(["compare"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "0 of 2 values on 1 page of mini are as committed, all but these:",
        "  one, best: 'cos' is committed, 'wpmi' was measured here (far)",
        "  one, top1: 0.93 is committed, 0.9 was measured here",
    ]


def test_a_page_of_which_much_is_far_or_that_glues_other_names_fails(published, capsys):
    executed(published, ("top1", 0.1), ("best", "wpmi"))
    assert publish.main(["compare"]) == 1
    assert "one: 2 of its 2 values are far from the committed ones.\n" in capsys.readouterr().out
    executed(published, ("top1", 0.93), ("worst", "cos"))
    assert publish.main(["compare"]) == 1
    assert "one glues other names than the committed page: best, worst.\n" in capsys.readouterr().out


def test_where_no_page_was_executed_the_command_is_named(published, capsys):
    (published / "_build/pages/mini/one.ipynb").unlink()
    assert publish.main(["compare"]) == 1
    assert "No page of profile mini was executed: run make book PROFILE=mini." in capsys.readouterr().err


def test_a_page_that_was_never_committed_is_named(published, capsys):
    (published / "book/pages/mini/one.ipynb").unlink()
    assert publish.main(["compare"]) == 1
    assert "one has no committed page to compare it with: make results PROFILE=mini" in capsys.readouterr().out


@pytest.mark.slow
def test_frames_computed_anew_keep_their_numbers():
    """Activations may differ by 1e-4 between machines: two of the 28 classifier units may change places."""
    ours, page = executing.frames_of("4_1_last_layer", "mini"), ("mini", "4_1_last_layer")
    assert sorted(ours) == keeping.frame_names(*page) and "last_layer" in ours
    for name, frame in ours.items():
        given = keeping.frame(*page, name)
        assert list(frame) == list(given) and len(frame) == len(given), name
    shares = ["top1", "top5", "cos"]
    there, here = (rows[shares].to_numpy(float) for rows in (keeping.frame(*page, "last_layer"), ours["last_layer"]))
    assert here == pytest.approx(there, abs=comparing.TOLERANCE + 1e-9, nan_ok=True)


def test_answers_that_no_profile_keeps_are_not_published(published, monkeypatch):
    from andlib.llms.clients import SMOLLM2
    from making.answers import write as write_answers

    monkeypatch.setenv("ANDLIB_CACHE", str(published / "cache"))
    log = published / "cache/completions.jsonl"
    row = {"model": SMOLLM2, "prompt": "0" * 64, "sampling": {"max_tokens": 1}, "revision": "r", "date": "2026-01-01"}
    row |= {"text": "Answer: dog", "finish": "stop", "error": ""}
    publish.check_answers("mini")  # no file of answers
    write_answers(log, [row, row | {"model": "of a reader", "prompt": "1" * 64}])
    with pytest.raises(InputError, match="holds 1 answers of SmolLM2.*make answers PROFILE=mini"):
        publish.check_answers("mini")
    write_answers(paths.completions("esc50"), [row])
    publish.check_answers("mini")
    write_answers(log, [row, row | {"prompt": "2" * 64, "text": "", "error": "it was empty"}])
    publish.check_answers("mini")  # of an error nothing is read
    assert json.loads(log.read_text().splitlines()[0])["text"] == "Answer: dog"
