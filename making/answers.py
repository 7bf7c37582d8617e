"""Asks a language model all that the pages of a profile read: results/<profile>/completions.jsonl.gz.

`python -m making.answers --profile mini` (`make answers`) asks SmolLM2; killed, it goes on where it was. For a model
that is asked elsewhere, `--batch MODEL --questions FILE` (`make prompts`) writes what it has not answered yet, and
`--batch MODEL --answered FILE` takes its answers in: in turn, for later questions depend on answers to earlier ones."""

import gzip
import json
from collections.abc import Iterable
from itertools import product
from pathlib import Path

from andlib import asking, paths, stages
from andlib.descriptions import clip_descriptions
from andlib.errors import InputError
from andlib.llms.batches import Elsewhere, replies
from andlib.llms.llm import Completions
from andlib.pages import section_4_1
from andlib.profiles import LEARNT
from andlib.run import Run
from andlib.stages import EVERY
from andlib.store import write_atomically
from making.command import asked


def ask_everything(run: Run, *, every_unit: bool = False) -> None:
    """Asks all that the pages of a profile read; of every unit what `-p summariser llm` reads."""
    uncalibrated = run.using(mode="icl_uncalibrated")
    for model in run.models:
        for folds in (EVERY, LEARNT) if every_unit else (EVERY,):
            table = stages.neurons(run, model, folds)
            stages.rewritten(run, table if every_unit else asking.sampled(table), clip_descriptions(run))
        for shots, ask in product(asking.SHOTS, section_4_1.ICL.values()):
            section_4_1.icl(run, model, shots, ask)
            section_4_1.icl(uncalibrated, model, shots, ask)
    asking.verdicts(run, asking.labelled_adjectives())


def main() -> None:
    options = {"llm": {"default": "smollm2"}, "batch": {"default": "", "metavar": "MODEL"}}
    options |= {name: {"type": Path, "metavar": "FILE"} for name in ("questions", "answered")}
    options |= {"units": {"default": "sampled", "choices": ["sampled", "every"]}}
    run, given = asked("Asks a language model what the pages of a profile read.", **options)
    path, elsewhere = paths.completions(given.profile), None
    if given.batch:
        elsewhere = Elsewhere(given.batch, replies(given.answered, given.batch) if given.answered else None)
        run = run.using(language_model=elsewhere)
    else:
        run = run.using(completions=Completions(run.completions.log))  # not those committed: they are asked again
    ask_everything(run, every_unit=given.units == "every")
    if elsewhere and (strange := elsewhere.replies.keys() - run.completions.wanted):
        raise InputError(
            f"{given.answered} answers {len(strange)} questions that profile {given.profile} does not ask "
            f"{given.batch}, the first {min(strange)}. Name its own profile and model, and ask of the same units."
        )
    if elsewhere and given.questions:
        print(f"{write(given.questions, elsewhere.left.values())} questions are in {given.questions}")
        return
    others = [row for row in Completions(path).rows.values() if row["model"] != run.answerer and not row["error"]]
    told = f"{write(path, [*run.completions.used(), *others])} answers are in {path}"
    if elsewhere:
        left = len(elsewhere.left) + sum(bool(answer.error) for answer, _ in elsewhere.replies.values())
        told += f", {left} questions are left: make prompts writes them"
    print(told)


def write(path: Path, rows: Iterable[dict]) -> int:
    """Writes rows as lines of JSON, packed where the name ends in .gz, whole or not at all; returns how many."""
    lines = sorted(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows)
    content = "".join(lines).encode()
    packed = gzip.compress(content, mtime=0) if path.suffix == ".gz" else content
    write_atomically(path, lambda temporary: temporary.write_bytes(packed))
    return len(lines)


if __name__ == "__main__":
    main()
