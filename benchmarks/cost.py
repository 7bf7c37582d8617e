"""What each stage costs for one clip, unit or question: results/mini/stage_costs.json, which the page `cost` reads.

    python -m benchmarks.cost      # some minutes; SmolLM2 must be installed (make llm)
Seconds are this process's processor time on one thread, so that whatever else runs on the machine does not count.
Networks of the paper's size have random weights, which cost what trained ones do."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from andlib import ablation, activations, asking, concepts, descriptions, encoders, paths, stages
from andlib.llms import prompts
from andlib.llms.clients import open_llm
from andlib.mini.consensus import Consensus
from andlib.mini.ear import hear
from andlib.profiles import TEST
from andlib.run import Run, open_run
from andlib.store import Store, write_atomically
from andlib.targets import Target
from benchmarks.full_size import random_network
from benchmarks.measuring import machine

RATE = 16_000  # Hz
SOUNDS, TEXTS, UNITS, QUESTIONS = 4, 64, 2048, 8  # of how many seconds are taken
STRATEGIES = 4  # of Table 4
PAPERS_SIZE = {"clips": 2000, "seconds": 5.0, "classes": 50, "tested": 400, "parts": ("measured",)}  # ESC-50


@dataclass(frozen=True)
class Setting:
    """What is dissected: `clips` of so many `seconds` and `classes`, of which `tested` are in fold 1; and a network.

    parts: what the ear says of a clip. asked: how many units a language model is asked about, two summaries each."""

    name: str
    units: int
    asked: int
    clips: int
    seconds: float
    classes: int
    tested: int
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """A stage: `function` does it for `measured` of what a count is of; `count` is how many there are in all.

    anywhere: one costs the same in every setting, and is measured in the first."""

    stage: str
    function: Callable[[], object] | None
    measured: int
    one: str
    count: int
    counted: str
    anywhere: bool = False


def seconds_each(job: Job) -> float | None:
    """Processor time for one, after a call that is not counted; None for what is not measured here."""
    if job.function is None:
        return None
    job.function()
    start = time.process_time()
    job.function()
    return (time.process_time() - start) / job.measured


def jobs(setting: Setting, target: Target, run: Run) -> Iterator[Job]:
    """Every stage of a dissection and of Table 4; descriptions and neurons that stand for any others are the run's."""
    yield from _with_sounds(setting, target, _sounds(run, setting.seconds))
    told, table = descriptions.clip_descriptions(run), stages.neurons(run, "ast")
    table = table.sample(UNITS, random_state=0)
    yield from _with_units(setting, told, table, run)
    chats = [prompts.summary([told[i] for i in clips]) for clips in table["highest"][:QUESTIONS]]
    model = open_llm("smollm2")
    counted = f"2 × {setting.asked:,} units"
    ask = lambda: list(model.answers(chats, prompts.SUMMARY_SAMPLING))  # noqa: E731
    yield Job("summaries by a language model", ask, QUESTIONS, "question", 2 * setting.asked, counted, True)


def _sounds(run: Run, seconds: float) -> np.ndarray:
    """SOUNDS clips of the probing set, repeated to that length; float32 [clips, samples]."""
    clips = run.probing_set.clips[:: len(run.probing_set) // SOUNDS][:SOUNDS]
    return np.stack([np.resize(run.probing_set.read(clip, RATE), round(seconds * RATE)) for clip in clips])


def _with_sounds(setting: Setting, target: Target, waves: np.ndarray) -> Iterator[Job]:
    names, listener = [str(i) for i in range(SOUNDS)], encoders.audio_text()
    widths = {layer.name: layer.units for layer in target.layers if layer.hidden}
    silenced = ablation.random_units(sum(widths.values()) // 20, widths, np.random.default_rng(0))
    features = ablation.features_of(target, waves)
    of_clips = (SOUNDS, "clip", setting.clips, f"{setting.clips:,} clips")
    yield Job("recording activations", lambda: activations.record(target, [waves], SOUNDS), *of_clips)
    ear = "captions by the ear: " + " and ".join(setting.parts)
    yield Job(ear, lambda: hear(waves, RATE, names, setting.parts), *of_clips)
    yield Job("captions by an audio language model", None, 0, *of_clips[1:])
    yield Job("TAB: encoding sounds", lambda: listener.audio([waves]), *of_clips)
    passes = STRATEGIES * setting.classes * setting.tested
    counted = f"{STRATEGIES} strategies × {setting.classes} classes × {setting.tested} clips"
    silence = lambda: ablation.logits_of(target, features, silenced)  # noqa: E731
    yield Job("Table 4: silencing units", silence, SOUNDS, "clip", passes, counted)


def _with_units(setting: Setting, told: list[str], table, run: Run) -> Iterator[Job]:
    texts = sorted(set(told))[:TEXTS]
    yield Job("DB: encoding descriptions", lambda: encoders.encode(texts), len(texts), "clip", setting.clips,
              f"{setting.clips:,} clips", True)  # fmt: skip
    rng, all_units = np.random.default_rng(0), f"{setting.units:,} units"
    u = rng.standard_normal((setting.clips, UNITS), dtype=np.float32)
    p = rng.random((setting.clips, len(run.concepts)), dtype=np.float32)
    summariser, top, bottom = Consensus(told), np.stack(table["highest"], 1), np.stack(table["lowest"], 1)
    pair = lambda: (summariser.summaries(top), summariser.summaries(bottom))  # noqa: E731
    extremes = lambda: (activations.highest(u, run.k), activations.highest(-u, run.k))  # noqa: E731
    of_units = (UNITS, "unit", setting.units, all_units)
    yield Job("highest and lowest clips", extremes, *of_units)
    yield Job("DB and TAB: similarity (cos cubed)", lambda: concepts.score(concepts.FUNCTION, u, p), UNITS, "unit",
              2 * setting.units, f"2 × {all_units}")  # fmt: skip
    yield Job("summaries by rules", pair, *of_units, True)
    yield Job("calibration and open concepts", lambda: _concluded(run, table), *of_units, True)


def _concluded(run: Run, table) -> None:
    with tempfile.TemporaryDirectory() as folder:  # so that nothing stored is read
        stages.concluded(run.using(store=Store(Path(folder))), table[["high", "low"]])


def settings(run: Run, folder: Path) -> Iterator[tuple[Setting, Target]]:
    """The embedded AST on its profile; AST and BEATs of the paper's size on as much as ESC-50 holds."""
    small = run.target("ast")
    held = {"clips": len(run.probing_set), "seconds": run.profile.seconds, "classes": len(small.classes)}
    held |= {"tested": len(run.probing_set.in_folds(TEST)), "parts": run.profile.caption_parts}
    yield Setting("mini", _units(small), asking.SAMPLED + len(small.classes), **held), small
    for name in ("ast", "beats"):
        target = random_network(name, folder / name)
        yield Setting(name, _units(target), _units(target), **PAPERS_SIZE), target


def _units(target: Target) -> int:
    return sum(layer.units for layer in target.layers)


def main() -> None:
    """Measure every stage and write the numbers."""
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    run, measured, sizes, known = open_run({"device": "cpu"}), [], [], {}
    with threadpool_limits(1), tempfile.TemporaryDirectory() as folder:
        for setting, target in settings(run, Path(folder)):
            sizes.append(asdict(setting))
            for job in jobs(setting, target, run):
                seconds = known[job.stage] if job.anywhere and job.stage in known else seconds_each(job)
                known[job.stage] = seconds
                about = {name: value for name, value in vars(job).items() if name != "function"}
                measured.append({"setting": setting.name, **about, "seconds": seconds})
                print(json.dumps(measured[-1]), flush=True)
    found = {"machine": machine(), "threads": 1, "settings": sizes, "stages": measured}
    out = paths.results() / "mini" / "stage_costs.json"
    write_atomically(out, lambda temporary: temporary.write_text(json.dumps(found, indent=1) + "\n"))


if __name__ == "__main__":
    main()
