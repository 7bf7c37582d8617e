"""Descriptions d_i asked of an audio LLM, clip by clip, and kept: the paper's way to D_d (Section 3.2, Appendix A.1).

Models are named as in `andlib.llms.clients`. All hear the same 16-bit WAV at 16 kHz."""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from andlib import weights
from andlib.errors import InputError, check_choice
from andlib.inputs.captions import clean, guarded
from andlib.llms.clients import TransformersLLM, generated, open_llm, placed
from andlib.llms.llm import LLM, Answer, Chat, Completions, Sampling
from andlib.llms.prompts import CAPTION
from andlib.records import ProbingSet
from andlib.store import write_atomically

SAMPLE_RATE = 16_000
SAMPLING = Sampling(max_tokens=200)  # SALMONN's own limit
SHARD = 64  # clips whose audio is held at once: 14 MB for clips of 5 s, where 2000 would be 430 MB
BATCH = 8


def open_captioner(specification: str, device: str = "auto") -> LLM:
    """The audio LLM of that specification, `client:model` (see the module); raises InputError for an unknown one."""
    client, _, model = specification.partition(":")
    check_choice("Audio language model", client, ("transformers", "openai", "vllm"))
    return AudioLLM(model, device=device) if model and client == "transformers" else open_llm(specification)


def question(samples: np.ndarray) -> Chat:
    """The paper's question about one clip, with its audio, as a chat that every client takes.
    samples: float32 [samples] at 16 kHz in [-1, 1]; what lies beyond is clipped. The chat itself holds the WAV."""
    wav = io.BytesIO()
    soundfile.write(wav, samples, SAMPLE_RATE, format="WAV", subtype="PCM_16")
    audio = {"data": base64.b64encode(wav.getvalue()).decode(), "format": "wav"}
    parts = [{"type": "input_audio", "input_audio": audio}, {"type": "text", "text": CAPTION}]
    return [{"role": "user", "content": parts}]


def caption(probing_set: ProbingSet, llm: LLM, completions: Completions, seconds: float = 0.0) -> dict[str, Answer]:
    """The description d_i of every clip of D_p, by name in the order of the set; those kept are not asked again.
    seconds: how much of each clip's beginning is played; 0 plays all of it. Raises InputError, naming the first, where
    clips are left without one: early where all SHARD in memory fail. Call again then."""
    clips, answers, samples = probing_set.clips, {}, round(seconds * SAMPLE_RATE) or None
    for first in range(0, len(clips), SHARD):
        shard = clips[first : first + SHARD]
        chats = [question(probing_set.read(clip, SAMPLE_RATE)[:samples]) for clip in shard]
        what = f"captions {first + 1}-{first + len(shard)} of {len(clips)}"
        given = completions.ask(chats, SAMPLING, llm.model, llm, what)
        answers |= {clip.name: answer for clip, answer in zip(shard, given, strict=True) if answer}
        if not any(given):
            break
    if missing := [repr(clip.name) for clip in clips if clip.name not in answers]:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise InputError(
            f"{llm.model} described {len(answers)} of {len(clips)} clips; without a caption: {', '.join(missing[:5])}"
            f"{more}. {str(completions.log)!r} says why. Run again: only those are asked."
        )
    return answers


def write_captions(path: Path, answers: Mapping[str, Answer]) -> None:
    """Answers as a caption file with the columns `filename,description`, whole or not at all."""
    texts = [guarded(clean(answer.text)) for answer in answers.values()]
    table = pd.DataFrame({"filename": [guarded(name) for name in answers], "description": texts})
    write_atomically(path, lambda temporary: table.to_csv(temporary, index=False, lineterminator="\n"))


class AudioLLM(TransformersLLM):
    """An audio LLM in this process; a chat's content is a list of parts, as `question` gives it."""

    @cached_property
    def loaded(self):
        with self._reading():
            from transformers import AutoModelForMultimodalLM, AutoProcessor

            processor = weights.reader(AutoProcessor, self.location)
            network = placed(AutoModelForMultimodalLM, self.location, self.device)
        if not hasattr(processor, "feature_extractor"):
            raise InputError(f"Language model {self.model} takes no audio: name one that hears, like Qwen2-Audio.")
        return processor, network

    def answers(self, chats: Sequence[Chat], sampling: Sampling) -> Iterator[tuple[int, Answer]]:
        """See LLM. What goes wrong with a batch, like too little memory or audio of a wrong form, fails its chats."""
        self.loaded  # noqa: B018  that it cannot be read is no fault of a batch
        for first in range(0, len(chats), BATCH):
            batch = chats[first : first + BATCH]
            try:
                answers = self._batch(batch, sampling)
            except (RuntimeError, ValueError) as error:
                answers = [Answer("", error=str(error))] * len(batch)
            yield from enumerate(answers, start=first)

    def _batch(self, chats: Sequence[Chat], sampling: Sampling) -> list[Answer]:
        processor, network = self.loaded
        parts = [part for chat in chats for message in chat for part in message["content"]]
        files = [base64.b64decode(part["input_audio"]["data"]) for part in parts if "input_audio" in part]
        waves = [soundfile.read(io.BytesIO(file), dtype="float32")[0] for file in files]
        prompts = [processor.apply_chat_template(_marked(chat), add_generation_prompt=True) for chat in chats]
        padded = {"padding": True, "padding_side": "left", "return_tensors": "pt"}
        given = processor(text=prompts, audio=waves, sampling_rate=SAMPLE_RATE, **padded)
        return generated(network, given.to(network.device, network.dtype), sampling, processor)


def _marked(chat: Chat) -> Chat:
    mark = {"type": "audio"}  # is what a processor's template takes
    return [{**turn, "content": [mark if "input_audio" in part else part for part in turn["content"]]} for turn in chat]
