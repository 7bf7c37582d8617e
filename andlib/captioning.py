"""Captions of a profile's clips by an audio LLM, as a file: see `andlib.llms.captioners`.

    python -m andlib.captioning --profile esc50 --data-dir FOLDER --llm CLIENT:MODEL --out captions.csv

Answers are kept beside the captions (`captions.jsonl`): run again after a kill or a failure, only the rest is asked."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from andlib.errors import InputError
from andlib.inputs.captions import read_captions
from andlib.llms.captioners import SAMPLING, caption, open_captioner, write_captions
from andlib.llms.llm import Completions
from andlib.profiles import PROFILES
from andlib.run import open_run


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description="Describes every clip of a probing set by an audio LLM.")
    parser.add_argument("--profile", default="esc50", help=f"what is described: {', '.join(PROFILES)}")
    parser.add_argument("--data-dir", default="", help="folder with the recordings, for profiles that need one")
    parser.add_argument("--llm", required=True, help="transformers:MODEL, vllm:MODEL or openai:MODEL")
    parser.add_argument("--out", type=Path, default=Path("captions.csv"), help="caption file to write")
    given = parser.parse_args(arguments)
    if given.out.suffix.lower() != ".csv":
        parser.error(f"--out is {str(given.out)!r}; expected a name that ends in .csv.")
    try:
        run = open_run({"profile": given.profile, "data_dir": given.data_dir})
        kept = Completions(given.out.with_suffix(".jsonl"))
        answers = caption(run.probing_set, open_captioner(given.llm), kept, run.profile.seconds)
        write_captions(given.out, answers)
        print(read_captions(given.out, list(answers))[1])
        cut = sum(answer.finish == "length" for answer in answers.values())
        print(f"{cut} of {len(answers)} answers were cut at {SAMPLING.max_tokens} tokens")
    except InputError as error:
        parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    main()
