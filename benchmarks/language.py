"""SmolLM2, the small language model, on summaries in batches; no rows where it is not installed (make llm)."""

import time
from collections.abc import Iterator

import numpy as np

from benchmarks.measuring import Row

CHATS, SINGLE, TOKENS = 64, 4, 100


def rows() -> Iterator[Row]:
    """Seconds for TOKENS tokens of answers, prompts included: batches of our making, and one chat at a time."""
    from andlib.errors import MissingExtra
    from andlib.llms import clients, llm, prompts

    try:
        model = clients.open_llm("smollm2")
        tokenizer, _ = model.loaded
    except MissingExtra as error:
        print(f"No language model: {error}")
        return
    rng = np.random.default_rng(0)
    words = ("A dog barks.", "Rain falls on a roof.", "It is loud.", "The pitch is high.", "It repeats regularly.")
    chats = [prompts.summary([" ".join(rng.choice(words, 3)) for _ in range(5)]) for _ in range(CHATS)]

    def taken(asked: list) -> float:
        start = time.perf_counter()
        texts = [answer.text for _, answer in model.answers(asked, llm.Sampling(128))]
        return TOKENS * (time.perf_counter() - start) / sum(len(tokenizer(text)["input_ids"]) for text in texts)

    taken(chats[:1])
    ours, reference = taken(chats), float(np.mean([taken([chat]) for chat in chats[:SINGLE]]))
    what = f"{clients.SMOLLM2}, {TOKENS} tokens of {CHATS} summaries in batches"
    yield Row(what, ours, reference, "one chat at a time", note=f"{TOKENS / ours:.0f} tokens/s")
