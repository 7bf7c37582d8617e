"""Long stages in parts, each a process of its own, on as many cores or machines as share the cache:

    python -m andlib.scale --profile esc50 --data-dir FOLDER --model ast --part 1/8
    python -m andlib.scale --profile esc50 --data-dir FOLDER --llm transformers:MODEL --captions captions.csv

The first records activations, the second captions every clip. A part makes every so manyth shard, on one thread or
`--threads`, or on the next GPU or `--device`. The parts' number does not decide what a shard holds, so the bytes are
those of one process; a killed part, run again, makes what is missing. All machines need the same files at one path."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from andlib import responses
from andlib.bars import tqdm
from andlib.devices import device_named
from andlib.errors import InputError
from andlib.inputs.captions import read_captions
from andlib.llms import captioners
from andlib.llms.llm import Completions
from andlib.run import DEFAULTS, Run, open_run
from andlib.stages import EVERY
from andlib.targets import Target


def record(run: Run, model: str | Target, part: str = "1/1", folds: Sequence[int] = EVERY) -> None:
    """Makes and stores a part of what pages read of a target: activations; where they exceed the budget, the highest
    and lowest among the clips of `folds`, and beside them moments (`activations.extremes`).

    part: which of how many, "1/8" to "8/8"; raises InputError for any other."""
    own, of = map(int, part.split("/")) if re.fullmatch(r"[0-9]{1,6}/[0-9]{1,6}", part) else (0, 0)
    if not 1 <= own <= of:
        raise InputError(f"Part {part!r} is none; expected which of how many, such as 1/8 or 8/8.")
    network = run.probed(model)
    if responses.too_large(run, network):
        shards = responses.extreme_shards(run, network, run.probing_set.numbers_in(folds))
    else:
        shards = responses.shards(run, network)
    missing = [job for job in list(shards)[own - 1 :: of] if not run.store.holds(*job[:2])]
    for job in tqdm(missing, f"recording part {part}", unit="shard", leave=False):
        run.store.get(*job)


def caption(run: Run, path: Path) -> None:
    """Captions every clip by the run's audio LLM into a new file; answers are kept beside it."""
    llm, kept = captioners.open_captioner(run.llm, run.store.device), Completions(path.with_suffix(".jsonl"))
    answers = captioners.caption(run.probing_set, llm, kept, run.profile.seconds)
    captioners.write_captions(path, answers)
    print(read_captions(path, list(answers))[1])
    cut, most = sum(answer.finish == "length" for answer in answers.values()), captioners.SAMPLING.max_tokens
    print(f"{cut} of {len(answers)} answers were cut at {most} tokens")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; see the module's docstring."""
    import torch

    parser = argparse.ArgumentParser(description="Records in parts, or captions.")
    settings = ("profile", "data_dir", "model", "weights", "llm", "device", "precision")
    for name in settings:
        parser.add_argument(f"--{name.replace('_', '-')}", default=DEFAULTS[name])
    parser.add_argument("--part", default="1/1", help="which of how many, such as 1/8")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--captions", type=Path, help="caption file to write, by what --llm names")
    given = parser.parse_args(arguments)
    if given.captions and given.captions.suffix.lower() != ".csv":
        parser.error(f"--captions is {str(given.captions)!r}; expected a name that ends in .csv.")
    if given.threads < 1:
        parser.error(f"--threads is {given.threads}; expected at least 1.")
    torch.set_num_threads(given.threads)
    try:
        given.device = device_named(given.device, int(re.match("[0-9]{0,6}", given.part)[0] or 1) - 1)
        run = open_run({name: getattr(given, name) for name in settings})
        if given.captions:
            caption(run, given.captions)
        else:
            for model in run.models:
                record(run, model, given.part)
    except InputError as error:
        parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    main()
