"""A language model asked elsewhere: questions as a batch file of the OpenAI form, and the answers that came back, from
`vllm run-batch -i questions.jsonl -o answers.jsonl --model MODEL` for instance."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from andlib.errors import InputError, explained
from andlib.llms.llm import Answer, Chat, Sampling, question
from andlib.llms.servers import completion, quoted
from andlib.store import digest

Reply = tuple[Answer, str]  # and the revision of the model that gave it


class Elsewhere:
    """A model by its name. replies: answers that are here, by `question`; left: other questions, for a batch file."""

    def __init__(self, model: str, replies: Mapping[str, Reply] | None = None):
        self.model, self.revision, self.replies, self.left = model, "", replies or {}, {}

    def answers(self, chats: Sequence[Chat], sampling: Sampling) -> Iterator[tuple[int, Answer]]:
        """See LLM; a chat that has no answer here gets none. With each answer `revision` is that of its model."""
        for i, chat in enumerate(chats):
            key = question(self.model, digest(chat), asdict(sampling))
            if key in self.replies:
                answer, self.revision = self.replies[key]
                yield i, answer
            else:
                body = {"model": self.model, "messages": list(chat), "top_p": 1.0, "n": 1, **asdict(sampling)}
                self.left[key] = {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body}
        self.revision = ""


def replies(path: Path, model: str) -> dict[str, Reply]:
    """The answers in a file that a batch gave back, by `custom_id`; what failed, or is of another model, is an error.
    Raises InputError, naming the line, for a file that is cut or of another form, or answers a question twice."""
    with explained(lambda e: f"{path} cannot be read ({e}). Give the file that the batch wrote.", OSError, ValueError):
        lines = path.read_text(encoding="utf-8").split("\n")
    found: dict[str, Reply] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            key, response, failure = str(row["custom_id"]), row.get("response") or {}, row.get("error")
            status, body = response.get("status_code", 0), response.get("body")
        except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
            raise InputError(f"{path}, line {number}, is no whole answer of a batch: run the batch again.") from None
        if key in found:
            raise InputError(f"{path}, line {number}, answers {key} again. Give the answers of one batch.")
        failed = Answer("", error=f"the batch failed ({status}): {quoted(failure or body)}")
        found[key] = (failed, "") if failure or status != 200 else completion(json.dumps(body), model)
    return found
