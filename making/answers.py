"""Asks the embedded SmolLM2 all that the pages of a profile read: results/<profile>/completions.jsonl.

`python -m making.answers --profile mini` (`make answers`). Killed, it goes on where it was."""

import json

from andlib import asking, paths, stages
from andlib.llms.llm import Completions
from andlib.pages import section_4_1
from andlib.run import Run
from andlib.store import write_atomically
from making.command import asked


def ask_everything(run: Run) -> None:
    """Asks all that the pages of a profile read."""
    uncalibrated = run.using(mode="icl_uncalibrated")
    for model in run.models:
        stages.neurons_by_language_model(run, model)
        for shots in asking.SHOTS:
            section_4_1.icl(run, model, shots)
            section_4_1.icl(uncalibrated, model, shots)
    asking.verdicts(run, asking.labelled_adjectives())


def main() -> None:
    run, given = asked("Asks a language model what the pages of a profile read.", llm={"default": "smollm2"})
    run = run.using(completions=Completions(run.completions.log))  # not those committed: they are asked again
    ask_everything(run)
    lines = sorted(json.dumps(row, ensure_ascii=False, sort_keys=True) for row in run.completions.used())
    path = paths.completions(given.profile)
    write_atomically(path, lambda temporary: temporary.write_text("\n".join(lines) + "\n", encoding="utf-8"))
    print(f"{len(lines)} answers are in {path}")


if __name__ == "__main__":
    main()
