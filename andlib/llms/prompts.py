"""What is asked of a language model, and how its answers are read.

prompts.toml has the texts, and says which are the paper's. Constant text stands first, for servers keep it."""

import json
import re
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from andlib import language
from andlib.llms.llm import Chat, Sampling

_TEXTS = tomllib.loads(Path(__file__).with_name("prompts.toml").read_text(encoding="utf-8"))
CAPTION, SUMMARY, ADJECTIVE, RANKED = (_TEXTS[name] for name in ("caption", "summary", "adjective", "ranked"))
INSTRUCTION, EXAMPLES = tuple(_TEXTS["instruction"]), tuple(tuple(each.values()) for each in _TEXTS["examples"])
_NUMBER = re.compile(r"^\s*(?:\d+[.)]|[-*•])\s+")
# what an answer says that it is not: up to four words of the same clause
_DENIED = re.compile(r"(?i)\b(?:not|no|nor|never|without|rather than|instead of)\b(?:[^\w,.;:\n]+(?!but\b)\w+){0,4}")
SUMMARY_SAMPLING, CHOICE_SAMPLING, VERDICT_SAMPLING = Sampling(192), Sampling(128), Sampling(32)
SCORING = Sampling(0)  # nothing is written: see `scored`


def summary(descriptions: Sequence[str]) -> Chat:
    """Asks what the descriptions of a neuron's clips have in common (Section 3.2)."""
    return _ask("\n".join([SUMMARY, *(f"{i}. {text}" for i, text in enumerate(descriptions, 1))]))


def verdict(adjective: str) -> Chat:
    """Asks whether an adjective can describe a sound (Section 3.5)."""
    return _ask(f"{ADJECTIVE}\nThe adjective: {adjective}")


def choice(concepts: Sequence[str], points: Sequence[str], shots: int) -> Chat:
    """Asks which concepts a calibrated summary speaks of (ICL in Section 3.3, Table 5).
    points: of S_h^c. shots: how many of the paper's two worked examples come before, as turns of the talk."""
    opening = "\n".join([INSTRUCTION[0], ", ".join(concepts), INSTRUCTION[1], RANKED])
    turns = []
    for text, response, answer in EXAMPLES[:shots]:
        turns.append({"role": "user", "content": f"Description: {_data(text)}"})
        turns.append({"role": "assistant", "content": f"Response: {response}\nAnswer: {answer}"})
    text = " ".join(points) or "Nothing is known of these clips."
    first, *others = [*turns, {"role": "user", "content": f"Description: {_data(text)}"}]
    return [{**first, "content": f"{opening}\n{first['content']}"}, *others]


def scored(concepts: Sequence[str], points: Sequence[str], shots: int) -> Chat:
    """The same question for `clients.Scorer`: its last turn holds the answers whose likelihood is asked."""
    return [*choice(concepts, points, shots), {"role": "names", "content": list(concepts)}]


def scores(answer: str, count: int) -> np.ndarray | None:
    """The scores of `count` names in an answer to `scored`; None where it has no such list."""
    with suppress(ValueError, RecursionError):
        found = np.array(json.loads(answer), float)
        return found if found.shape == (count,) and np.isfinite(found).all() else None


def lines(chat: Chat) -> list[dict[str, str]]:
    """Table 5: what `choice` asks, line by line; the turn of each, and whether it is quoted from the paper or ours."""
    quoted = {*INSTRUCTION, *(text for *texts, _ in EXAMPLES for text in texts)}
    rows = []
    for number, turn in enumerate(chat, 1):
        for line in turn["content"].split("\n"):
            source = "the paper" if line.partition(": ")[2] in quoted or line in quoted else "ours"
            rows.append({"turn": f"{number}. {turn['role']}", "from": source, "text": line})
    rows[1]["from"], rows[-1]["from"] = "the concept set", "the neuron's summary"
    return rows


def _ask(text: str) -> Chat:
    return [{"role": "user", "content": _data(text)}]


def _data(text: str) -> str:
    """The text without what a chat template takes for the border of a turn, like <|im_end|> or [INST]."""
    return re.sub(r"<[|｜]([^|｜\n]{0,100})[|｜]>|</?s>|\[/?INST\]|<</?SYS>>", r"\1", text)


def points(answer: str) -> tuple[str, ...]:
    """The points of a summary, each once: its list's items, or its sentences where it holds no list; without talk."""
    lines = [line for line in answer.split("\n") if line.strip()]
    numbered = [line for line in lines if _NUMBER.match(line)]
    parts = numbered or [part for line in lines for part in re.split(r"(?<=[.!?])\s+", line)]
    texts = dict.fromkeys(" ".join(re.sub(r"[*_#`]+", "", _NUMBER.sub("", part)).split()) for part in parts)
    talk = {text for text in texts if text.endswith(":") or language.is_boilerplate(text)}
    return tuple(text for text in texts if re.search(r"\w", text) and text not in talk)


def acoustic(answer: str) -> bool | None:
    """Whether an answer to `verdict` says yes or no; None where it says neither.
    Small models leave the word out: "The adjective is used to ..." is read as yes, a "not" in its sentence as no."""
    opening = re.split(r"(?<=[.!?])\s", answer.strip().lower())[0]
    if word := re.match(r"\W*(?:(?:the )?answer(?: is)?\W+)?(yes|no)\b", opening):
        return word[1] == "yes"
    if re.search(r"\b(not|cannot|never)\b|n['’]t\b", opening):
        return False
    return True if re.search(r"\b(can|could|is|are|used|describes?|descriptive)\b", opening) else None


def ranked(answer: str, concepts: Sequence[str]) -> tuple[str, ...]:
    """The concepts that an answer to `choice` names, best first; none for "none" or where it names no known one.
    Read from the first line that begins with "Answer:" (or from what follows it), else from the whole text. A name
    counts as whole words alone, in singular or plural, and not where it is denied ("not a dog")."""
    line = re.search(r"^[^\w\n]*answer[^\w\n]*:\s*(.*)$", answer, flags=re.IGNORECASE | re.MULTILINE)
    text = _words(_DENIED.sub(" ", line[1] if line else answer))
    place = {name: text.find(_words(name)) for name in concepts}
    return tuple(sorted((name for name, at in place.items() if at >= 0), key=lambda name: (place[name], -len(name))))


def _words(text: str) -> str:
    """The words of a text or name between spaces, without the s that may make a plural."""
    return " ".join(["", *(re.sub(r"(?<=\w\w\w)s$", "", w) for w in re.findall(r"[^\W_]+", text.lower())), ""])
