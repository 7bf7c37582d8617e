"""Shards on workers: the bytes of a serial run, whoever makes them, in whatever order and whatever is lost meanwhile.

What starts Ray takes a minute or more and runs in `make faults` (ANDLIB_FAULTS=1)."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import conftest
import numpy as np
import pytest
from conftest import tiny_run

from andlib import activations, responses, scale, store
from andlib.errors import InputError, MissingExtra
from andlib.llms import llm
from andlib.paths import root

SERIAL, SHARD, SHARDS = scale.Engine("serial"), 4, 8


def needs_ray():
    """Ray, or a skip with a reason."""
    if not os.environ.get("ANDLIB_FAULTS"):
        pytest.skip("starts Ray, which takes a minute: make faults")
    try:
        return scale._ray()
    except MissingExtra as error:
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(responses, "SHARD", SHARD)


def content(folder: Path) -> dict[str, str]:
    """sha256 of every file below a folder."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


# ---- what shards leave for a serial pass


def test_a_serial_pass_finds_what_shards_on_a_budget_stored(tmp_path, monkeypatch):
    monkeypatch.setattr(responses, "BUDGET", 1)
    plain, sharded = tiny_run(tmp_path / "plain"), tiny_run(tmp_path / "sharded")
    where = np.flatnonzero(np.isin(plain.probing_set.folds, (2, 3, 4, 5)))
    scale.record(sharded, "ast", SERIAL, folds=(2, 3, 4, 5))
    for run in (plain, sharded):
        responses.highest_and_lowest(run, run.probed("ast"), where)
    assert content(tmp_path / "plain/extremes") == content(tmp_path / "sharded/extremes")


# ---- the serial engine, refusals


def test_the_stages_find_what_was_recorded(tmp_path, monkeypatch):
    plain, sharded = tiny_run(tmp_path / "plain"), tiny_run(tmp_path / "sharded")
    scale.record(sharded, "ast", SERIAL)
    monkeypatch.setattr(responses, "recorded", None)  # nothing is left to record
    responses.unit_activations(sharded, "ast")
    monkeypatch.undo()
    monkeypatch.setattr(responses, "SHARD", SHARD)
    responses.unit_activations(plain, "ast")
    assert content(tmp_path / "plain") == content(tmp_path / "sharded")


def test_bytes_do_not_depend_on_threads(tmp_path):
    import torch

    before, made = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            scale.record(tiny_run(tmp_path / str(threads)), "ast", SERIAL)
            made.append(content(tmp_path / str(threads)))
    finally:
        torch.set_num_threads(before)
    assert made[0] and made[0] == made[1] == made[2]


@pytest.mark.parametrize(
    ("wrong", "said"), [({"engine": "spark"}, "Engine 'spark'"), ({"workers": 0}, "one worker"), ({"gpus": -1}, "gpus")]
)
def test_an_engine_that_cannot_work_is_refused(wrong, said):
    with pytest.raises(InputError, match=said):
        scale.Engine(**wrong)


def test_a_missing_ray_is_named_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.util", None)
    with pytest.raises(MissingExtra, match=r"\[scale\]"):
        scale.record(tiny_run(tmp_path), "ast", scale.Engine())


def test_a_cluster_that_is_not_there_is_named(tmp_path, monkeypatch):
    def refuse(address, **options):
        raise ConnectionError("no Ray there")

    monkeypatch.setattr(scale, "_ray", lambda: SimpleNamespace(is_initialized=lambda: False, init=refuse))
    with pytest.raises(InputError, match=r"'auto' \(no Ray there\)"):
        scale.record(tiny_run(tmp_path), "ast", scale.Engine(address="auto"))


# ---- questions


class Echo:
    """A language model that repeats the question, later for earlier shards."""

    model, revision = "echo", "1"

    def answers(self, chats, sampling):
        time.sleep(0.3 * ("q0" in chats[0][0]["content"]))
        for i, chat in enumerate(chats):
            yield i, llm.Answer(f"{chat[0]['content']}, {sampling.max_tokens} tokens")


def echo(specification: str) -> Echo:
    assert specification == "echo"
    return Echo()


def asked(folder: Path, engine: scale.Engine) -> list[str]:
    chats = [[{"role": "user", "content": f"q{i}"}] for i in range(70)]
    kept = llm.Completions(folder / "completions.jsonl")
    with scale.language_model("echo", engine, echo) as model:
        answers = kept.ask(chats, llm.Sampling(7), "echo", model)
        again = kept.ask(chats, llm.Sampling(7), "echo")
    assert answers == again
    return [answer.text for answer in answers]


def test_answers_belong_to_their_questions(tmp_path):
    assert asked(tmp_path, SERIAL) == [f"q{i}, 7 tokens" for i in range(70)]


# ---- Ray


def late(network, clips):
    """As `responses.recorded`, but the first shards come last, and each leaves time for accidents."""
    time.sleep(3.0 if clips.clips[0] == conftest.tiny_set().clips[0] else 0.7)
    return activations.record(network, clips.batches(network.sample_rate, network.seconds), len(clips))


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    """What a serial run stores: activations, extremes, answers."""
    folder = tmp_path_factory.mktemp("serial")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(responses, "SHARD", SHARD)
        everything(folder, SERIAL, patch)
    return folder


def everything(folder: Path, engine: scale.Engine, patch: pytest.MonkeyPatch) -> None:
    """Activations, extremes and answers of one engine."""
    patch.setattr(responses, "BUDGET", 2**31)
    scale.record(tiny_run(folder), "ast", engine)
    patch.setattr(responses, "BUDGET", 1)
    scale.record(tiny_run(folder), "ast", engine)
    asked(folder, engine)


@pytest.fixture
def cluster(monkeypatch, tmp_path):
    """A head of one core and a second node of one, on this machine; this process is its driver."""
    ray = needs_ray()
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_worker_niceness", "0")
    # workers find this file, and what it changes in `responses`
    monkeypatch.setenv("PYTHONPATH", f"{root()}:{Path(__file__).parent}")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        cluster.second = cluster.add_node(num_cpus=1)
        ray.init(address=cluster.address, log_to_driver=False)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def test_any_number_of_workers_gives_the_bytes_of_a_serial_run(serial, cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(responses, "recorded", late)
    for workers in (1, 2):
        everything(tmp_path / str(workers), scale.Engine(workers=workers), monkeypatch)
        assert same_but_order(tmp_path / str(workers), serial)


def same_but_order(folder: Path, expected: Path) -> bool:
    """Whether two folders hold the same bytes; lines of answers may stand in another order."""
    lines = [sorted((place / "completions.jsonl").read_text().split("\n")) for place in (folder, expected)]
    found, wanted = content(folder), content(expected)
    found["completions.jsonl"] = wanted["completions.jsonl"]
    return found == wanted and lines[0] == lines[1]


def test_a_node_lost_in_the_middle_costs_its_unfinished_shard(serial, cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(responses, "recorded", late)
    monkeypatch.setattr(scale, "PATIENCE", 5)
    stored, get, begun = [], store.Store.get, time.monotonic()

    def log(what):  # read with pytest -s
        print(f"{time.monotonic() - begun:5.1f} s, {len(cluster.list_all_nodes())} nodes: {what}")

    def count(self, stage, *rest):
        value = get(self, stage, *rest)
        stored.append(stage.name)
        log(f"shard {len(stored)} of {SHARDS} is stored")
        if len(stored) == 2:
            cluster.remove_node(cluster.second, allow_graceful=False)
            log("the second node was killed")
        return value

    monkeypatch.setattr(store.Store, "get", count)
    scale.record(tiny_run(tmp_path), "ast", scale.Engine(workers=2))
    assert stored == ["activations"] * SHARDS  # each once: none was made again
    assert content(tmp_path / "activations") == content(serial / "activations")
    assert len(cluster.list_all_nodes()) == 1


def test_a_job_that_kills_its_workers_is_given_up(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(scale, "RESTARTS", 1)
    monkeypatch.setattr(responses, "recorded", lambda network, clips: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(InputError, match="lost more than 1 times"):
        scale.record(tiny_run(tmp_path), "ast", scale.Engine(workers=1))


def test_what_a_job_raises_arrives_as_it_was(cluster, tmp_path, monkeypatch):
    def refuse(network, clips):
        raise InputError("Clip 3 is silent.")

    monkeypatch.setattr(responses, "recorded", refuse)
    with pytest.raises(InputError, match=r"^Clip 3 is silent\.$"):
        scale.record(tiny_run(tmp_path), "ast", scale.Engine(workers=1))


DRIVER = """
import sys
from pathlib import Path
from conftest import tiny_run
from test_scale import late
from andlib import responses, scale
responses.SHARD, responses.recorded = 4, late
scale.record(tiny_run(Path(sys.argv[1])), "ast", scale.Engine(workers=1))
"""


def test_a_killed_driver_is_resumed(serial, tmp_path):
    needs_ray()
    paths = os.pathsep.join(map(str, (root(), Path(__file__).parent)))
    command = [sys.executable, "-c", DRIVER, str(tmp_path)]
    given = {"env": os.environ | {"PYTHONPATH": paths, "RAY_worker_niceness": "0"}, "stderr": subprocess.PIPE}
    driver = subprocess.Popen(command, **given, start_new_session=True)
    manifests = partial(Path(tmp_path / "activations").glob, "*.json")
    while driver.poll() is None and len(list(manifests())) < 3:
        time.sleep(0.05)
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    first = {path: path.stat().st_mtime_ns for path in manifests()}
    assert 3 <= len(first) < SHARDS
    subprocess.run(command, check=True, **given)
    assert content(tmp_path / "activations") == content(serial / "activations")
    assert all(path.stat().st_mtime_ns == at for path, at in first.items())  # what was stored stayed
