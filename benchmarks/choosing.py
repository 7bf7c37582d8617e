"""ICL asked in other ways, on thirty summaries that were labelled by hand.

`python -m benchmarks.choosing` (half an hour on one core) writes results/mini/ways_to_ask.json, which the page on
summaries shows. labelled_sets.jsonl has the sets: five captions of `mini`, the language model's calibrated summary of
them, which is what ICL reads, and the name out of ESC-50's 50 that most of the captions speak of, or "none". The
captions alone were read, before any answer was seen: the classifier unit of each class, of the three networks in turn,
and two units of blocks."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from andlib import kept
from andlib.bars import tqdm
from andlib.concepts import concept_set
from andlib.llms import clients, prompts

SETS = Path(__file__).with_name("labelled_sets.jsonl")
# worked examples about no class of the set, in the form of the paper's
STRANGE = (
    (
        "The audio features a violin: All of the clips contain a violin playing a slow melody. Soft sound: they are "
        "quiet and smooth.",
        "All of the clips contain a violin, so the class is “violin”.",
        "violin, cello, flute, piano, harp",
    ),
    (
        "Each clip is of a drum that is struck again and again. The sound is loud, dull and regular.",
        "A drum is struck in each clip, so the class is “drum”.",
        "drum, tambourine, cymbal, gong, bell",
    ),
)
EXAMPLES = {"the paper's": prompts.EXAMPLES, "of no class of the set": STRANGE}
NAMES = concept_set("esc50", ())


def question(points: Sequence[str], shots: int, examples: str) -> list[dict]:
    """ICL's question with other worked examples in the place of the paper's."""
    chat = [dict(turn) for turn in prompts.choice(NAMES, points, shots)]
    for (text, response, answer), (own, reason, named) in zip(
        EXAMPLES[examples][:shots], prompts.EXAMPLES, strict=False
    ):
        for turn in chat:
            turn["content"] = turn["content"].replace(own, text).replace(reason, response).replace(named, answer)
    return chat


def likelihoods(tokenizer, network, chat: list[dict]) -> list[np.ndarray]:
    """Log probabilities of the tokens of each name behind "Answer:"."""
    import torch

    head = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False) + "Answer:"
    *shared, last = tokenizer(head, add_special_tokens=False)["input_ids"]
    tails = [tokenizer(f" {name}", add_special_tokens=False)["input_ids"] for name in NAMES]
    longest = max(map(len, tails))
    rows = torch.tensor([([last, *tail] + [0] * longest)[:longest] for tail in tails])
    with torch.inference_mode():
        past = network(torch.tensor([shared]), use_cache=True).past_key_values
        past.batch_repeat_interleave(len(tails))
        said = network(rows, past_key_values=past).logits.log_softmax(-1).numpy()
    return [said[i, np.arange(len(tail)), tail] for i, tail in enumerate(tails)]


def ranked(scores: Sequence[float]) -> list[str]:
    """Names, best first."""
    return [NAMES[i] for i in np.argsort(-np.array(scores), kind="stable")]


def answers(sets: Sequence[Mapping], shots: int, examples: str) -> dict[str, list[list[str]]]:
    """Names that each way to ask ranks for every set, best first."""
    model = clients.open_llm("smollm2")
    chats = [question(each["summary"], shots, examples) for each in sets]
    each = [likelihoods(*model.loaded, chat) for chat in tqdm(chats, desc=f"{shots}-shot, {examples}")]
    bare = likelihoods(*model.loaded, question([], shots, examples))  # nothing is known of the clips
    ways = {}
    for name, total in (("a token", np.mean), ("in all", np.sum)):
        known = [total(tokens) for tokens in bare]
        ways[f"likelihood, {name}"] = [ranked([total(tokens) for tokens in scores]) for scores in each]
        ways[f"gain of likelihood, {name}"] = [
            ranked([total(tokens) - before for tokens, before in zip(scores, known, strict=True)]) for scores in each
        ]
    if shots:
        said = dict(model.answers(chats, prompts.CHOICE_SAMPLING))
        ways["free text"] = [list(prompts.ranked(said[i].text, NAMES)) for i in range(len(chats))]
    return ways


def main() -> None:
    """Writes the table."""
    sets = [json.loads(line) for line in SETS.read_text(encoding="utf-8").splitlines()]
    labels, rows = [each["label"] for each in sets], []
    for shots, examples in (
        (shots, name) for shots in (0, 1, 2) for name in EXAMPLES if shots or name == "the paper's"
    ):
        for way, named in answers(sets, shots, examples).items():
            pairs = [(names, label) for names, label in zip(named, labels, strict=True) if label != "none"]
            right = {"first": sum(names[:1] == [label] for names, label in pairs)}
            right["among five"] = sum(label in names[:5] for names, label in pairs)
            told = {"worked examples": shots, "examples": examples if shots else "–", "way": way, "sets": len(pairs)}
            rows.append({**told, **right, "different": len({names[0] for names, _ in pairs if names})})
            print(rows[-1], flush=True)
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers"))
    made = f"By benchmarks.choosing on {datetime.now(UTC).date()}: {clients.SMOLLM2}, {packages}."
    kept.write("mini", "ways_to_ask", {"made_by": made, "unlabelled": labels.count("none"), "rows": rows})


if __name__ == "__main__":
    main()
