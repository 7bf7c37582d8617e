"""The flow's long stages on many cores or machines: fixed shards of clips or questions, given to workers by Ray.

    python -m andlib.scale --profile esc50 --data-dir FOLDER --model ast --workers 8 --gpus 1 --address auto
    python -m andlib.scale --profile esc50 --data-dir FOLDER --llm transformers:MODEL --workers 8 --gpus 1
    python -m andlib.scale --profile esc50 --data-dir FOLDER --llm transformers:MODEL --captions captions.csv

The first records activations, the second asks what the pages ask of a language model, the third captions every clip;
`--engine serial` does it in this process. This process alone writes, a shard at a time, and answers beside the captions
(`captions.jsonl`): run again after a kill, only what is missing is made. Every machine needs andlib, and recordings and
weights at the same path."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from andlib import asking, responses, stages
from andlib.errors import InputError, check_choice, explained, optional
from andlib.inputs.captions import read_captions
from andlib.llms import captioners
from andlib.llms.clients import open_llm
from andlib.llms.llm import LLM, Answer, Chat, Completions, Sampling
from andlib.pages import section_4_1
from andlib.run import Run, open_run
from andlib.stages import EVERY
from andlib.store import Stage
from andlib.targets import Target

RESTARTS = 4  # of a worker; tasks have no limit, for each call while a lost machine is not known as lost counts
PATIENCE = 60  # seconds without any result until an idle worker makes room for one that lost its machine
QUESTIONS = 32  # in a shard: a batch of clients.TransformersLLM


@dataclass(frozen=True)
class Engine:
    """What does the jobs: this process (`serial`), or as many actors of `ray`, each of which holds the model."""

    engine: str = "ray"
    workers: int = 2
    address: str = ""  # of a running cluster, "auto" for this machine's; empty makes one of this machine's cores
    gpus: float = 0.0  # of each worker
    threads: int = 1  # of each worker

    def __post_init__(self):
        check_choice("Engine", self.engine, ("serial", "ray"))
        if self.workers < 1 or self.threads < 1 or self.gpus < 0:
            raise InputError(f"{self} cannot work; expected at least one worker and one thread, and no negative gpus.")


class Worker:
    """Holds a model, got by `hold` when the first job comes, and does one job after another with it."""

    def __init__(self, hold: Callable[[], Any], threads: int):
        self.hold, self.threads = hold, threads

    @cached_property
    def held(self) -> Any:
        import torch

        torch.set_num_threads(self.threads)
        return self.hold()

    def do(self, number: int, function: Callable, job: Any) -> tuple[int, Any]:
        return number, function(self.held, job)


@contextmanager
def workers(engine: Engine, hold: Callable[[], Any]) -> Iterator[Callable]:
    """Gives `each(function, jobs)`: a job's number and `function(hold(), job)`, in any order, as soon as it is there.

    A lost worker starts again elsewhere and does its job again; raises InputError where that is over RESTARTS times."""
    if engine.engine == "serial":
        model = hold()
        yield lambda function, jobs: ((i, function(model, job)) for i, job in enumerate(jobs))
        return
    ray = _ray()
    if ours := not ray.is_initialized():
        cores = {"num_cpus": max(engine.workers * engine.threads, os.cpu_count()), "include_dashboard": False}
        absent = f"No cluster at {engine.address!r}"
        with explained(lambda error: f"{absent} ({error}): ray start --head makes one.", ConnectionError):
            ray.init(address=engine.address or "local", log_to_driver=False, **({} if engine.address else cores))
    needs = {"num_cpus": engine.threads, "num_gpus": engine.gpus, "max_restarts": RESTARTS, "max_task_retries": -1}
    another, actors = partial(ray.remote(**needs)(Worker).remote, hold, engine.threads), []
    try:
        yield partial(_each, ray, engine.workers, actors, another)
    finally:
        ray.shutdown() if ours else actors.clear()


def _each(ray, most: int, actors: list, another: Callable, function: Callable, jobs: Sequence) -> Iterator:
    actors += [another() for _ in range(min(most, len(jobs)) - len(actors))]
    pool = ray.util.ActorPool(actors)
    for job in enumerate(jobs):
        pool.submit(lambda worker, job: worker.do.remote(job[0], function, job[1]), job)
    while pool.has_next():
        try:
            yield pool.get_next_unordered(timeout=PATIENCE)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayActorError as error:
            lost = f"A worker was lost more than {RESTARTS} times: its machine, its memory or its job is at fault."
            raise InputError(f"{lost} What is done is stored; run again for the rest. Ray says: {error}") from None
        except TimeoutError:
            if idle := pool.pop_idle():
                actors.remove(idle)
                ray.kill(idle)


def _ray():
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report to its makers
    with optional("ray", extra="scale"):
        import ray.util
    return ray


def record(run: Run, model: str | Target, engine: Engine, folds: Sequence[int] = EVERY) -> None:
    """Makes and stores what pages read of a target: activations; where they exceed the budget, the highest and lowest
    among the clips of `folds`, and beside them moments (`activations.extremes`)."""
    network = run.probed(model)
    if responses.too_large(run, network):
        shards = responses.extreme_shards(run, network, run.probing_set.numbers_in(folds))
        _make(run, network, engine, responses.KEPT, partial(responses.extremes_of_shard, run.k), shards)
    else:
        _make(run, network, engine, responses.ACTIVATIONS, responses.recorded, responses.shards(run, network))


def _make(run: Run, network: Target, engine: Engine, stage: Stage, function: Callable, shards: Iterable) -> None:
    if not (missing := [shard for shard in shards if not run.store.holds(stage, shard[0])]):
        return
    # replaced: without the weights, if they came from a file
    hold = partial(_on_gpu if engine.gpus else replace, replace(network))
    with workers(engine, hold) as each, tqdm(total=len(missing), desc=stage.name, unit="shard", leave=False) as bar:
        for number, arrays in each(function, [job for _, job in missing]):
            run.store.get(stage, missing[number][0], lambda arrays=arrays: arrays)
            bar.update()


def _on_gpu(network: Target) -> Target:
    build, features = network.build, network.features
    return replace(network, build=lambda: build().to("cuda"), features=lambda waves: features(waves).to("cuda"))


@dataclass(frozen=True)
class Spread:
    """A language model held by many workers; see `llm.LLM`. shard: how many chats are given to one at a time."""

    model: str
    revision: str
    each: Callable[[Callable, Sequence], Iterator[tuple[int, Any]]]
    shard: int

    def answers(self, chats: Sequence[Chat], sampling: Sampling) -> Iterator[tuple[int, Answer]]:
        firsts = range(0, len(chats), self.shard)
        jobs = [chats[first : first + self.shard] for first in firsts]
        for number, answers in self.each(lambda llm, job: list(llm.answers(job, sampling)), jobs):
            yield from ((firsts[number] + i, answer) for i, answer in answers)


@contextmanager
def language_model(
    specification: str, engine: Engine, opened: Callable[[str], LLM] = open_llm, shard: int = QUESTIONS
) -> Iterator[Spread]:
    """The language model of that specification on every worker; `opened` opens it there."""
    here = opened(specification)  # for its name: the weights are loaded when it is first asked
    with workers(engine, partial(opened, specification)) as each:
        yield Spread(here.model, here.revision, each, shard)


def ask_everything(run: Run) -> None:
    """Asks all that the pages of a profile read."""
    uncalibrated = run.using(mode="icl_uncalibrated")
    for model in run.models:
        stages.neurons_by_language_model(run, model)
        for shots in asking.SHOTS:
            section_4_1.icl(run, model, shots)
            section_4_1.icl(uncalibrated, model, shots)
    asking.verdicts(run, asking.labelled_adjectives())


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description="Records, asks or captions on many workers.")
    texts = {"profile": "mini", "data-dir": "", "model": "ast", "weights": "", "llm": ""}
    for name, default in (texts | vars(Engine())).items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    parser.add_argument("--captions", type=Path, help="caption file to write")
    given = parser.parse_args(arguments)
    if given.captions and given.captions.suffix.lower() != ".csv":
        parser.error(f"--captions is {str(given.captions)!r}; expected a name that ends in .csv.")
    try:
        engine = Engine(**{name: getattr(given, name) for name in vars(Engine())})
        run = open_run({name: getattr(given, name) for name in ("profile", "data_dir", "model", "weights")})
        if given.captions:
            kept, at_once = Completions(given.captions.with_suffix(".jsonl")), captioners.SHARD * engine.workers
            with language_model(given.llm, engine, captioners.open_captioner, captioners.BATCH) as llm:
                answers = captioners.caption(run.probing_set, llm, kept, run.profile.seconds, at_once)
            captioners.write_captions(given.captions, answers)
            print(read_captions(given.captions, list(answers))[1])
            cut, most = sum(answer.finish == "length" for answer in answers.values()), captioners.SAMPLING.max_tokens
            print(f"{cut} of {len(answers)} answers were cut at {most} tokens")
        elif given.llm:
            with language_model(given.llm, engine) as model:
                ask_everything(run.using(language_model=model))
        else:
            for model in run.models:
                record(run, model, engine)
    except InputError as error:
        parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    main()
