"""Stages in parts: the bytes of one run, whichever part makes what, and whatever is killed meanwhile."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import tiny_run

from andlib import devices, responses, scale
from andlib.errors import InputError
from andlib.paths import root

SHARD, SHARDS = 4, 8


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(responses, "SHARD", SHARD)


def content(folder: Path) -> dict[str, str]:
    """sha256 of every file below a folder but the temporary ones, which a killed run may leave and nothing reads."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".tmp"]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_page_finds_what_parts_on_a_budget_stored(tmp_path, monkeypatch):
    monkeypatch.setattr(responses, "BUDGET", 1)
    plain, sharded = tiny_run(tmp_path / "plain"), tiny_run(tmp_path / "sharded")
    where = np.flatnonzero(np.isin(plain.probing_set.folds, (2, 3, 4, 5)))
    for part in ("2/2", "1/2"):
        scale.record(sharded, "ast", part, folds=(2, 3, 4, 5))
    for run in (plain, sharded):
        responses.highest_and_lowest(run, run.probed("ast"), where)
    assert content(tmp_path / "plain/extremes") == content(tmp_path / "sharded/extremes")


@pytest.mark.parametrize("of", [1, 3, SHARDS + 1])
def test_a_page_finds_what_parts_recorded(tmp_path, monkeypatch, of):
    plain, sharded = tiny_run(tmp_path / "plain"), tiny_run(tmp_path / "sharded")
    for part in range(of, 0, -1):
        scale.record(sharded, "ast", f"{part}/{of}")
    with monkeypatch.context() as patch:
        patch.setattr(responses, "recorded", None)  # nothing is left to record
        responses.unit_activations(sharded, "ast")
    responses.unit_activations(plain, "ast")
    assert content(tmp_path / "plain") == content(tmp_path / "sharded")


def test_bytes_do_not_depend_on_threads(tmp_path):
    import torch

    before, made = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            scale.record(tiny_run(tmp_path / str(threads)), "ast")
            made.append(content(tmp_path / str(threads)))
    finally:
        torch.set_num_threads(before)
    assert made[0] and made[0] == made[1] == made[2]


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "", "1/0", "a/b", "-1/2", "1/2/3", "²/3"])
def test_a_part_that_is_none_is_refused(tmp_path, part):
    with pytest.raises(InputError, match="is none; expected which of how many"):
        scale.record(tiny_run(tmp_path), "ast", part)


def test_the_command_says_what_it_cannot_do(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("ANDLIB_CACHE", str(tmp_path))
    for given, said in ((["--part", "2/1"], "Part '2/1' is none"), (["--threads", "0"], "--threads is 0")):
        with pytest.raises(SystemExit) as left:
            scale.main(given)
        assert left.value.code == 2 and said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "taken"),
    [([], "cuda"), (["--part", "2/8"], "cuda:1"), (["--part", "3/8"], "cuda:0"), (["--device", "cuda:1"], "cuda:1"),
     (["--part", "2/8", "--device", "cuda:0"], "cuda:0"), (["--part", "2/8", "--device", "cpu"], "cpu")],
)  # fmt: skip
def test_a_part_runs_on_the_device_that_is_asked_for(monkeypatch, given, taken):
    monkeypatch.setattr(devices.Path, "glob", lambda folder, kind: iter([folder / kind]))
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    seen = []
    monkeypatch.setattr(scale, "record", lambda run, model, part: seen.append(run.store))
    scale.main([*given, "--precision", "bf16"])
    assert [(store.device, store.precision) for store in seen] == [(taken, "bf16")]


PART = """
import sys, time
from pathlib import Path
from conftest import tiny_run
from andlib import activations, responses, scale
def late(network, clips):
    time.sleep(0.5)
    return activations.record(network, clips.batches(network.sample_rate, network.seconds), len(clips))
responses.SHARD, responses.recorded = 4, late
scale.record(tiny_run(Path(sys.argv[1])), "ast", sys.argv[2])
"""


@pytest.mark.slow
def test_parts_at_once_of_which_one_is_killed_and_run_again_give_the_bytes_of_one_run(tmp_path):
    given = {"env": os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (root(), Path(__file__).parent)))}}
    parts = [[sys.executable, "-c", PART, str(tmp_path / "parts"), f"{part}/2"] for part in (1, 2)]
    running = [subprocess.Popen(part, **given, stderr=subprocess.PIPE) for part in parts]
    manifests = lambda: list((tmp_path / "parts" / "activations").glob("*.json"))  # noqa: E731
    while running[0].poll() is None and len(manifests()) < 3:
        time.sleep(0.02)
    running[0].send_signal(signal.SIGKILL)
    for part in running:
        part.communicate()
    first = {path: path.stat().st_mtime_ns for path in manifests()}
    assert 3 <= len(first) < SHARDS and running[0].returncode == -signal.SIGKILL and running[1].returncode == 0
    subprocess.run(parts[0], check=True, **given, capture_output=True)
    scale.record(tiny_run(tmp_path / "one"), "ast")
    assert content(tmp_path / "parts" / "activations") == content(tmp_path / "one" / "activations")
    assert all(path.stat().st_mtime_ns == at for path, at in first.items())  # what was stored stayed
