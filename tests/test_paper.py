"""The paper at full size: the plan needs nothing, and its commands are run once each, in order, and resumed."""

import json
import shlex
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from andlib import paths
from andlib.errors import InputError
from making import paper

PAGES = ("4_0_target_networks", "4_1_last_layer")
LOCAL = ("--pages", *PAGES, "--llm", "openai:some", "--data-dir", "nowhere")


@pytest.fixture
def beats(tmp_path):
    """A file that stands where a BEATs checkpoint would."""
    path = tmp_path / "BEATs of mine.pt"
    path.touch()
    return path


def command(monkeypatch, *arguments):
    monkeypatch.chdir(paths.root())
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # which the command puts its own in place of
    monkeypatch.setattr(sys, "argv", ["paper", "--device", "cpu", *map(str, arguments)])
    paper.main()


@pytest.fixture
def ran(monkeypatch):
    """Commands in place of running them: a training leaves a record, a page is executed to its end."""
    commands = []

    def run(command, **_):
        commands.append(command[2:])
        if command[2] == "papermill":
            notebook = {"metadata": {"papermill": {"end_time": "now", "exception": False}}}
            Path(command[4]).write_text(json.dumps(notebook))
        else:
            init = "full_ast" if command[4].startswith("MIT/") else f"beats_full_{command[6]}"
            folder = Path(command[command.index("--out") + 1], f"{init}_esc50")
            folder.mkdir(parents=True)
            (folder / "record.json").touch()
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(paper.subprocess, "run", run)
    return commands


def test_a_plan_needs_nothing_and_says_what_is_missing(tmp_path, monkeypatch, capsys, ran):
    monkeypatch.setenv("ANDLIB_CACHE", str(tmp_path))
    command(monkeypatch, "--plan", "--data-dir", tmp_path / "nowhere", "--out", tmp_path / "out")
    plan = capsys.readouterr().out
    for said in (
        "BEATs_iter3_plus_AS2M.pt: 0.36 GB; MIT; from the BEATs page",
        "ast: training: 112 h, 1.2 GB, ready",
        "beats_frozen: training: 0.3 h, 1.3 GB, BEATs_iter3_plus_AS2M.pt is not here: name it, BEATS=path",
        "ast: 4_3_unlearning: 75 h, 0 GB, needs vLLM: pip install -e '.[vllm]', or LLM=openai:MODEL",
        "Left: 30 of 30 steps",
    ):
        assert said in plan
    assert not ran and not list(tmp_path.iterdir())
    commands = [shlex.split(line) for line in plan.splitlines() if line.startswith("     python -m ")]
    assert len(commands) == 30
    assert all(Path(words[3]).is_file() for words in commands if words[2] == "papermill")


def test_every_step_runs_once_in_order_and_what_is_finished_does_not_run_again(tmp_path, monkeypatch, ran, beats):
    given = (*LOCAL, "--beats", beats, "--out", tmp_path / "out")
    command(monkeypatch, *given)
    assert [words[0] for words in ran] == ["making.full_size", "papermill", "papermill"] * 3
    last = ran[-1]
    settings = dict(zip(last[4::3], last[5::3], strict=True))
    assert settings["model"] == "beats_frozen" and settings["llm"] == "openai:some" and "summariser" not in settings
    assert Path(settings["weights"], "record.json").is_file()
    ran.clear()
    broken = tmp_path / "out" / "ast" / f"{PAGES[1]}.ipynb"
    broken.write_text(json.dumps({"metadata": {"papermill": {"end_time": "now", "exception": True}}}))
    command(monkeypatch, *given)
    assert [words[2] for words in ran] == [str(broken)]


def test_what_fails_or_is_missing_is_said(tmp_path, monkeypatch, ran, beats):
    out = ("--out", tmp_path / "out")
    with pytest.raises(InputError, match=r"Something is missing\. step 4: .*BEATS=path"):
        command(monkeypatch, *LOCAL, *out)
    assert not ran
    monkeypatch.setattr(paper.subprocess, "run", lambda words, **_: subprocess.CompletedProcess(words, 3))
    with pytest.raises(InputError, match="Step 1 ended with code 3; what it says stands above. Run again to go on."):
        command(monkeypatch, *LOCAL, "--beats", beats, *out)
    free = namedtuple("Usage", "free")(1e9)
    monkeypatch.setattr(paper.shutil, "disk_usage", lambda _: free)
    with pytest.raises(InputError, match="has 1 GB free; 4.9 are needed. Give another folder: OUT=path."):
        command(monkeypatch, *LOCAL, "--beats", beats, *out)
    monkeypatch.setattr("making.paper.Path.is_dir", lambda self: False)
    with pytest.raises(InputError, match="no notebooks here"):
        command(monkeypatch, "--plan", *out)
