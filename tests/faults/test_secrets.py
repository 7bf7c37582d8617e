"""A key stands in nothing that a run writes or says: files of the cache, pages, messages, logs."""

import base64
import logging

import pandas as pd
import pytest
from conftest import tiny_run
from test_publish import SOURCE, project  # noqa: F401  a fixture
from test_servers import KEY, NOW, completion, environment, serving  # noqa: F401  a fixture that is used by itself

import executing
import publish
from andlib import stages
from andlib.errors import InputError
from andlib.llms.clients import open_llm
from andlib.llms.llm import Sampling

ASKING = """# %%
from andlib.llms.clients import open_llm
from andlib.llms.llm import Sampling
llm = open_llm("openai:small")
print(llm, vars(Sampling(7)), list(llm.answers([[{"role": "user", "content": "What?"}]], Sampling(7))))
"""


@pytest.fixture
def server(monkeypatch):
    """Fails at first and then answers, repeating the key in either; refuses whoever says so."""

    def reply(words, times_asked):
        if "refuse" in words:
            return 401, {}, f'{{"error": {{"message": "the key {KEY} is wrong"}}}}'.encode()
        if times_asked == 1 and len(words) % 3 == 0:
            return 500, NOW, f"<h1>{KEY} made this fail</h1>".encode()
        return 200, {}, completion(f"- A loud dog barks.\n- Rain falls. {KEY}", model=f"small@{KEY}")

    open_llm.cache_clear()
    with serving(reply) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.address)
        yield server
    open_llm.cache_clear()


def contents(folder):
    """Path and text of every file, tables as text, too: they are compressed."""
    for path in folder.rglob("*"):
        if path.is_file():
            table = pd.read_parquet(path).to_json().encode() if path.suffix == ".parquet" else b""
            yield path, str(path).encode() + path.read_bytes() + table


@pytest.mark.slow
def test_a_planted_key_is_in_no_file_message_or_log(server, project, tmp_path, caplog, capfd):  # noqa: F811
    caplog.set_level(logging.DEBUG)
    run = tiny_run(tmp_path / "cache", llm="openai:small", summariser="llm")
    neurons = stages.neurons(run, "ast")
    assert len(neurons) == 67 and server.asked
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"  # it went where it belongs
    with pytest.raises(InputError, match="refuses the key") as refused:
        list(run.language_model.answers([[{"role": "user", "content": "refuse"}]], Sampling(7)))

    (project / "notebooks/one.py").write_text(SOURCE + ASKING)
    publish.sync()
    page = executing.execute(project / "notebooks/one.ipynb", project / "out.ipynb", {})
    assert "A loud dog barks" in page.read_text()
    (project / "notebooks/one.py").write_text(SOURCE + ASKING.replace("What?", "refuse"))
    publish.sync()
    with pytest.raises(InputError, match="refuses the key") as stopped:
        executing.execute(project / "notebooks/one.ipynb", project / "out.ipynb", {})

    said = capfd.readouterr()
    texts = {"messages": f"{refused.value} {stopped.value}", "streams": said.out + said.err, "log": caplog.text}
    secrets = (KEY.encode(), base64.b64encode(KEY.encode())[:-3])
    files = dict(contents(tmp_path))
    assert {path.suffix for path in files} >= {".jsonl", ".json", ".parquet", ".safetensors", ".ipynb"}
    for where, content in (files | {name: text.encode() for name, text in texts.items()}).items():
        assert not any(secret in content for secret in secrets), where
