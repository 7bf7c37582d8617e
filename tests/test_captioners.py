"""Captions by audio LLMs: what they are asked, that it is asked once, and what becomes of failures."""

import base64
import io
import json
import sys
import tempfile
import threading
import types
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import CLASSES, tiny_folder

from andlib.errors import InputError, MissingExtra
from andlib.llms import captioners
from andlib.llms.captioners import AudioLLM, caption, open_captioner, question
from andlib.llms.clients import open_llm
from andlib.llms.llm import Answer, Completions, Sampling
from andlib.records import Clip, ProbingSet

PROMPT = "Please describe the audio in detail."
NAMES = ("noise.wav", "tone.wav", "short.wav", "click.wav")


@lru_cache
def sounds() -> dict[str, np.ndarray]:
    """Four clips of different lengths, at 16 kHz."""
    rng, tone = np.random.default_rng(0), np.sin(2 * np.pi * 440 * np.arange(12_000) / 16_000)
    levels = zip((16_000, 12_000, 8_000, 4_000), (0.3, 0.5, 0.02, 0.2), strict=True)
    waves = [(level * (tone if n == 12_000 else rng.standard_normal(n))).astype(np.float32) for n, level in levels]
    return dict(zip(NAMES, waves, strict=True))


def four_clips() -> ProbingSet:
    clips = tuple(Clip(name, "dog", 1, name, None) for name in NAMES)
    return ProbingSet("four", clips, ("dog",), lambda clip, rate: sounds()[clip.name], "0")


@lru_cache
def tiny_audio_folder() -> str:
    """Qwen2-Audio with random weights, two layers and one-second clips, saved as its makers do, with its processor."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        PreTrainedTokenizerFast,
        Qwen2AudioConfig,
        Qwen2AudioForConditionalGeneration,
        Qwen2AudioProcessor,
        WhisperFeatureExtractor,
    )

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>"]
    words = dict.fromkeys([*special, "[UNK]", *PROMPT.rstrip(".").split(), *CLASSES, "loud", "quiet", "near", "far"])
    vocabulary = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    vocabulary.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=vocabulary,
        unk_token="[UNK]",
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        additional_special_tokens=special,
    )
    small = {"initializer_range": 0.5, "num_hidden_layers": 2, "num_attention_heads": 2}  # wide enough to hear a clip
    audio = {"encoder_ffn_dim": 16, "d_model": 16, "num_mel_bins": 8, "max_source_positions": 50}
    text = {"hidden_size": 16, "intermediate_size": 32, "num_key_value_heads": 2, "vocab_size": len(words)}
    torch.manual_seed(0)
    network = Qwen2AudioForConditionalGeneration(
        Qwen2AudioConfig(
            audio_config={"model_type": "qwen2_audio_encoder", **small, **audio},
            text_config={"model_type": "qwen2", **small, **text},
            audio_token_index=special.index("<|AUDIO|>"),
        )
    )
    network.generation_config.update(eos_token_id=[0, 2], pad_token_id=0)
    folder = Path(tempfile.mkdtemp()) / "tiny-audio"
    network.save_pretrained(folder)
    Qwen2AudioProcessor(WhisperFeatureExtractor(feature_size=8, chunk_length=1), tokenizer).save_pretrained(folder)
    return str(folder)


def listen(chat) -> np.ndarray:
    """The samples that a chat carries."""
    [message] = chat
    audio, text = message["content"]
    assert text == {"type": "text", "text": PROMPT} and audio["type"] == "input_audio"
    assert audio["input_audio"]["format"] == "wav" and message["role"] == "user"
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(audio["input_audio"]["data"])), dtype="float32")
    assert rate == 16_000
    return samples


class Scripted:
    """An LLM that names a clip by its length; it fails those in `fails` and is killed before answer `kill`."""

    model, revision = "scripted", "1"

    def __init__(self, fails=(), kill=None):
        self.fails, self.kill, self.asked = fails, kill, []

    def answers(self, chats, sampling):
        assert sampling == Sampling(max_tokens=200)
        for index, chat in enumerate(chats):
            length = len(listen(chat))
            if len(self.asked) == self.kill:
                raise KeyboardInterrupt
            self.asked.append(length)
            failed = length in self.fails
            yield index, Answer("", error="no sound came") if failed else Answer(f"It lasts {length}.")


def lengths(answers):
    return {name: answer.text for name, answer in answers.items()}


EXPECTED = {name: f"It lasts {n}." for name, n in zip(NAMES, (16_000, 12_000, 8_000, 4_000), strict=True)}


# What is asked


@pytest.mark.parametrize("name", NAMES)
def test_question_carries_the_clip_as_16_bit_wav(name):
    np.testing.assert_allclose(listen(question(sounds()[name])), sounds()[name].clip(-1, 1), atol=1.01 / 2**15)


def test_question_clips_what_lies_beyond_one():
    assert listen(question(np.array([0.5, 2.0, -2.0], np.float32))).tolist() == [0.5, 1 - 1 / 2**15, -1.0]


def test_question_rests_on_the_samples_alone():
    samples = sounds()["tone.wav"]
    changed = samples.copy()
    changed[7] += 2 / 2**15
    assert question(samples) == question(samples.copy()) != question(changed)


def test_a_clip_is_played_as_long_as_the_networks_hear_it(tmp_path):
    heard = lengths(caption(four_clips(), Scripted(), Completions(tmp_path / "c.jsonl"), seconds=0.5))
    assert set(heard.values()) == {"It lasts 8000.", "It lasts 4000."}


# Asked once


def test_captions_in_the_order_of_the_set_are_asked_once(tmp_path):
    completions, llm = Completions(tmp_path / "c.jsonl"), Scripted()
    assert list(lengths(caption(four_clips(), llm, completions)).items()) == list(EXPECTED.items())
    assert lengths(caption(four_clips(), llm, Completions(tmp_path / "c.jsonl"))) == EXPECTED
    assert len(llm.asked) == 4


def test_killed_and_resumed_asks_for_the_rest_alone(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        caption(four_clips(), Scripted(kill=2), Completions(tmp_path / "c.jsonl"))
    llm = Scripted()
    assert lengths(caption(four_clips(), llm, Completions(tmp_path / "c.jsonl"))) == EXPECTED
    assert llm.asked == [8_000, 4_000]


def test_failed_clip_is_recorded_reported_and_asked_again(tmp_path, capsys):
    path = tmp_path / "c.jsonl"
    with pytest.raises(InputError, match=r"scripted described 3 of 4 clips; without a caption: 'tone.wav'.*c.jsonl"):
        caption(four_clips(), Scripted(fails=[12_000]), Completions(path))
    assert (
        "1 of 4 captions 1-4 of 4 failed and will be asked again; the first: no sound came" in capsys.readouterr().out
    )
    llm = Scripted()
    assert lengths(caption(four_clips(), llm, Completions(path))) == EXPECTED
    assert llm.asked == [12_000]


def test_no_more_than_a_shard_is_held_and_a_dead_server_is_not_asked_on(monkeypatch, tmp_path):
    monkeypatch.setattr(captioners, "SHARD", 2)
    held = []

    class Counting(Scripted):
        def answers(self, chats, sampling):
            held.append(len(chats))
            return super().answers(chats, sampling)

    assert lengths(caption(four_clips(), Counting(), Completions(tmp_path / "a.jsonl"))) == EXPECTED
    assert held == [2, 2]
    dead = Scripted(fails=[16_000, 12_000, 8_000, 4_000])
    with pytest.raises(InputError, match="described 0 of 4 clips"):
        caption(four_clips(), dead, Completions(tmp_path / "b.jsonl"))
    assert dead.asked == [16_000, 12_000]


# Qwen2-Audio through transformers, with random weights


def heard(llm, names=NAMES, limit=12) -> list[Answer]:
    answers = dict(llm.answers([question(sounds()[name]) for name in names], Sampling(max_tokens=limit)))
    return [answers[i] for i in range(len(names))]


def test_qwen2_audio_says_the_same_twice_and_in_any_batch(monkeypatch):
    together = heard(AudioLLM(tiny_audio_folder()))
    assert all(answer.text and not answer.error for answer in together)
    assert len({answer.text for answer in together}) == 4  # the clips are heard: they alone differ
    assert heard(AudioLLM(tiny_audio_folder())) == together
    monkeypatch.setattr(captioners, "BATCH", 1)
    assert heard(AudioLLM(tiny_audio_folder())) == together
    monkeypatch.setattr(captioners, "BATCH", 3)
    assert heard(AudioLLM(tiny_audio_folder()), NAMES[::-1]) == together[::-1]


def test_qwen2_audio_tells_what_was_cut():
    llm = AudioLLM(tiny_audio_folder())
    assert [answer.finish for answer in heard(llm, limit=1)] == ["length"] * 4
    llm.loaded[1].generation_config.eos_token_id = list(range(99))  # now any word ends the answer
    assert [answer.finish for answer in heard(llm, limit=1)] == ["stop"] * 4


def test_a_batch_that_goes_wrong_fails_alone(monkeypatch):
    monkeypatch.setattr(captioners, "BATCH", 1)
    broken = question(sounds()["tone.wav"])
    broken[0]["content"][0]["input_audio"]["data"] = base64.b64encode(b"no WAV").decode()
    chats = [question(sounds()["noise.wav"]), broken, question(sounds()["short.wav"])]
    first, second, third = dict(AudioLLM(tiny_audio_folder()).answers(chats, Sampling(max_tokens=4))).values()
    assert first.text and third.text and not second.text and "Format not recognised" in second.error


def test_models_that_cannot_be_used(monkeypatch, tmp_path):
    ask = lambda model: list(AudioLLM(str(model)).answers([], Sampling(max_tokens=1)))  # noqa: E731
    with pytest.raises(InputError, match="cannot be read"):
        ask(tmp_path)  # an empty folder
    with pytest.raises(InputError, match="cannot be read"):
        ask(tiny_folder())  # an AST: it hears and says nothing
    import transformers

    monkeypatch.setattr(transformers.AutoProcessor, "from_pretrained", lambda *_, **__: object())
    with pytest.raises(InputError, match="tiny-audio takes no audio"):
        ask(tiny_audio_folder())

    def without_package(*_, **__):
        raise ImportError("this processor requires torchaudio")

    monkeypatch.setattr(transformers.AutoProcessor, "from_pretrained", without_package)
    with pytest.raises(MissingExtra, match=r"requires torchaudio.*pip install -c constraints.txt"):
        ask(tiny_audio_folder())


@pytest.mark.parametrize(
    ("specification", "word"),
    [("smollm2", "'smollm2' is unknown"), ("transformers:", "names no model"), ("qwen", "Valid names: transformers")],
)
def test_specifications_that_name_no_audio_llm(specification, word):
    with pytest.raises(InputError, match=word):
        open_captioner(specification)


# A server with audio input, and vLLM


@pytest.fixture
def server(monkeypatch):
    """A compatible server that says how long the WAV is that it was sent; `server.heard` holds what came."""
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            heard.append(listen(asked["messages"]))
            message = {"role": "assistant", "content": f"It lasts {len(heard[-1])}."}
            reply = {"id": "1", "object": "chat.completion", "created": 0, "model": asked["model"]}
            reply["system_fingerprint"] = "fp_1"
            reply["choices"] = [{"index": 0, "finish_reason": "stop", "message": message}]
            body = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.heard = heard
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{running.server_port}/v1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def test_server_hears_each_clip_once(server, tmp_path):
    for _ in range(2):  # the second, in another process as it were, finds all answers
        open_llm.cache_clear()
        answers = caption(four_clips(), open_captioner("openai:qwen2-audio"), Completions(tmp_path / "c.jsonl"))
        assert lengths(answers) == EXPECTED
    assert len(server.heard) == 4
    for samples in server.heard:
        [name] = [name for name in NAMES if len(sounds()[name]) == len(samples)]
        np.testing.assert_allclose(samples, sounds()[name].clip(-1, 1), atol=1.01 / 2**15)


def test_vllm_is_given_the_audio_in_the_chat(tmp_path, monkeypatch):
    """A stand-in with vLLM's documented signatures; what it hears is what a server hears."""

    class LLM:
        def __init__(self, model, **options):
            assert model == "Qwen/Qwen2-Audio-7B-Instruct"
            self.llm_engine = types.SimpleNamespace(model_config=types.SimpleNamespace(hf_config=None))

        def chat(self, messages, sampling_params=None, use_tqdm=True, **_):
            assert sampling_params == {"max_tokens": 200, "temperature": 0.0, "top_p": 1.0, "top_k": 0, "seed": 0}
            said = [types.SimpleNamespace(text=f"It lasts {len(listen(m))}.", finish_reason="stop") for m in messages]
            return [types.SimpleNamespace(outputs=[one]) for one in said]

    monkeypatch.setitem(sys.modules, "vllm", types.SimpleNamespace(LLM=LLM, SamplingParams=dict))
    llm = open_captioner("vllm:Qwen/Qwen2-Audio-7B-Instruct")
    assert lengths(caption(four_clips(), llm, Completions(tmp_path / "c.jsonl"))) == EXPECTED


def test_real_vllm_takes_the_audio_part():
    try:
        from vllm.entrypoints.chat_utils import MM_PARSER_MAP
    except (ImportError, OSError) as error:
        pytest.skip(f"needs the extra vllm, on a machine with a GPU: {error}")
    audio = question(sounds()["tone.wav"])[0]["content"][0]
    assert MM_PARSER_MAP["input_audio"](audio) == audio["input_audio"]
