"""The command that captions a profile's clips: what it writes, that it asks once, and what it refuses."""

import csv
import io

import pytest
import soundfile
from test_captioners import NAMES, Scripted, sounds, tiny_audio_folder

from andlib import scale
from andlib.llms.captioners import AudioLLM


@pytest.fixture
def recordings(tmp_path, monkeypatch):
    """A folder in ESC's layout with the four clips."""
    monkeypatch.setenv("ANDLIB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "esc/audio").mkdir(parents=True)
    (tmp_path / "esc/meta").mkdir()
    rows = ["filename,fold,target,category,esc10,src_file"]
    for name, samples in sounds().items():
        soundfile.write(tmp_path / "esc/audio" / name, samples, 16_000, subtype="PCM_16")
        rows.append(f"{name},1,0,dog,True,{name}")
    (tmp_path / "esc/meta/esc50.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "esc"


def command(recordings, out, llm):
    asked = {"profile": "esc10", "data-dir": recordings, "llm": llm, "captions": out}
    scale.main([text for name, value in asked.items() for text in (f"--{name}", str(value))])


def test_command_writes_a_caption_file_and_asks_once(recordings, tmp_path, capsys, monkeypatch):
    out = tmp_path / "captions.csv"
    command(recordings, out, f"transformers:{tiny_audio_folder()}")
    said, first = capsys.readouterr().out, out.read_bytes()
    assert (
        said.startswith("captions.csv: 4 captions; 0 naming no clip (ignored)")
        and " of 4 answers were cut at 200 tokens" in said
    )
    rows = list(csv.DictReader(io.StringIO(first.decode())))
    assert [row["filename"] for row in rows] == list(NAMES) and all(row["description"] for row in rows)
    monkeypatch.setattr(AudioLLM, "loaded", property(lambda llm: pytest.fail("the network was loaded again")))
    command(recordings, out, f"transformers:{tiny_audio_folder()}")
    assert out.read_bytes() == first


def test_the_audio_llm_runs_on_the_device_that_is_asked_for(recordings, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr(scale.captioners, "caption", lambda clips, llm, *rest: pytest.fail(f"{llm.device} {llm.model}"))
    asked = ["--profile", "esc10", "--data-dir", str(recordings), "--llm", "transformers:x", "--device", "cuda:1"]
    with pytest.raises(pytest.fail.Exception, match="cuda:1 x"):
        scale.main([*asked, "--captions", str(tmp_path / "c.csv")])


@pytest.mark.parametrize(
    ("out", "llm", "word"),
    [
        ("c.csv", "smollm2", "Audio language model 'smollm2' is unknown. Valid names: transformers, openai, vllm."),
        ("c.json", "openai:qwen2-audio", "--captions is"),
    ],
)
def test_command_refuses_in_a_sentence(recordings, tmp_path, capsys, out, llm, word):
    with pytest.raises(SystemExit) as left:
        command(recordings, tmp_path / out, llm)
    assert left.value.code == 2 and word in capsys.readouterr().err and not (tmp_path / out).exists()


def test_command_leaves_no_file_where_a_clip_failed(recordings, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(scale.captioners, "open_captioner", lambda *_: Scripted(fails=[8_000]))
    with pytest.raises(SystemExit):
        command(recordings, tmp_path / "captions.csv", "openai:any")
    assert "without a caption: 'short.wav'" in capsys.readouterr().err and not (tmp_path / "captions.csv").exists()
