"""What a language model says of a run's neurons: their summaries, which adjectives are acoustic, which class it is.

`python -m andlib.asking --profile mini` asks the embedded SmolLM2 everything that the pages of a profile read,
and writes results/<profile>/completions.jsonl. Killed, it goes on where it was.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from andlib import encoders, kept, language, paths, stages
from andlib.llms import prompts
from andlib.llms.llm import Answer, Chat, Completions, Sampling
from andlib.run import Run
from andlib.store import write_atomically

SAMPLED, SEED = 120, 0  # block units of a model that are asked about where asking about all would take days
SHOTS = (1, 2)


def ask(run: Run, chats: Sequence[Chat], sampling: Sampling, what: str) -> list[Answer | None]:
    """The answer of the run's language model to each chat; None where none is kept and the run names no model."""
    return run.completions.ask(chats, sampling, run.answerer, run.language_model, what)


def sampled(table: pd.DataFrame) -> pd.DataFrame:
    """The neurons that a small model is asked about: the classifier's, and SAMPLED drawn from the blocks."""
    blocks = np.flatnonzero(table["layer"] != "classifier")
    chosen = np.random.default_rng(SEED).choice(blocks, min(SAMPLED, len(blocks)), replace=False)
    return table.iloc[np.sort(np.concatenate([chosen, np.flatnonzero(table["layer"] == "classifier")]))]


def summarised(run: Run, table: pd.DataFrame, texts: Sequence[str]) -> pd.DataFrame:
    """The neurons with the language model's summaries in place of S_h and S_l, as points (Section 3.2).

    Neurons that share their K clips, in whatever order, share one question. Column answered: whether both of a
    neuron's questions have an answer; without, its summaries are empty. texts: the description of every clip.
    """
    chats = [
        prompts.summary([texts[i] for i in sorted(clips)]) for side in ("highest", "lowest") for clips in table[side]
    ]
    given = ask(run, chats, prompts.SUMMARY_SAMPLING, "summaries")
    sides = given[: len(table)], given[len(table) :]
    answered = [high is not None and low is not None for high, low in zip(*sides, strict=True)]
    told = [[prompts.points(a.text) if a and both else () for a, both in zip(s, answered, strict=True)] for s in sides]
    cut = sum(a.finish == "length" for a in {str(chat): a for chat, a in zip(chats, given, strict=True) if a}.values())
    kinds = [[_kind(point) for point in points] for points in told[0]]
    return table.assign(high=told[0], low=told[1], kinds=kinds, answered=answered).pipe(_noted, cut=cut)


def _kind(point: str) -> str:
    """What a point speaks of, as `neurons` says it: qualities or events before sources; "" for nothing of these."""
    from andlib.mini.consensus import KINDS, claims

    said = {claim.kind for claim in claims(point)}
    return next((kind for kind in KINDS if kind in said), "")


def _noted(table: pd.DataFrame, **notes: int) -> pd.DataFrame:
    table.attrs |= notes
    return table


def verdicts(run: Run, adjectives: Iterable[str]) -> dict[str, bool | None]:
    """Whether the language model finds each adjective acoustic, asked once per distinct one (Section 3.5).

    None where it says neither yes nor no, or was not asked.
    """
    words = sorted(set(adjectives))
    given = ask(run, [prompts.verdict(word) for word in words], prompts.VERDICT_SAMPLING, "verdicts")
    return {word: prompts.acoustic(answer.text) if answer else None for word, answer in zip(words, given, strict=True)}


def acoustic_filter(run: Run, points: Sequence[Sequence[str]]) -> Callable[[str], bool]:
    """The paper's adjective filter for these summaries: what the language model calls acoustic."""
    distinct, released = {tuple(summary) for summary in points}, "word_lists_by_substring" in run.faults
    found = [language.open_concepts(summary, released=released, acoustic=bool).adjectives for summary in distinct]
    said = verdicts(run, {word for adjectives in found for word in adjectives})
    return lambda word: bool(said.get(word))


def neurons(run: Run, model: str) -> pd.DataFrame:
    """`stages.neurons` of the sampled units, described by the language model instead: summaries, calibration, C_open.

    Only those whose two summaries are answered; attrs: asked (units), questions (distinct), cut (by length).
    """
    table = summarised(run, sampled(stages.neurons(run, model)), stages.clip_descriptions(run))
    sets = {tuple(sorted(clips)) for side in ("highest", "lowest") for clips in table[side]}
    notes = {"asked": len(table), "questions": len(sets), **table.attrs}
    table = table[table["answered"]].reset_index(drop=True)
    return stages.concluded(run, table, language_model=True).pipe(_noted, **notes)


def choices(run: Run, model: str, shots: int) -> list[tuple[str, ...] | None]:
    """ICL: the concepts that the language model names for each classifier unit, best first (Section 3.3, Table 5).

    It reads the calibrated summary; under `icl_uncalibrated` the uncalibrated one, and an answer that names no
    concept becomes the nearest. None where there is no answer.
    """
    table = neurons(run, model)
    table = table[table["layer"] == "classifier"].set_index("index")
    released = "icl_uncalibrated" in run.faults
    read = table["high" if released else "calibrated"]
    given = ask(run, [prompts.choice(run.concepts, p, shots) for p in read], prompts.CHOICE_SAMPLING, "choices")
    named = {i: prompts.ranked(a.text, run.concepts) if a else None for i, a in zip(read.index, given, strict=True)}
    if released:  # released code: data_utils.py:222-238
        silent = [i for i, a in zip(read.index, given, strict=True) if a and not named[i]]
        texts = {i: a.text for i, a in zip(read.index, given, strict=True) if a}
        near = encoders.encode([texts[i] for i in silent]) @ encoders.encode(run.concepts).T
        named |= {i: (run.concepts[j],) for i, j in zip(silent, near.argmax(1), strict=True)}
    units = len(stages.target(run, model).classes)
    return [named.get(i) for i in range(units)]


def questions_saved(table: pd.DataFrame) -> dict[str, int]:
    """How many summaries all of a model's neurons need, and how many questions are left when equal ones are asked
    once: units, summaries, questions."""
    sets = [tuple(sorted(clips)) for side in ("highest", "lowest") for clips in table[side]]
    return {"units": len(table), "summaries": len(sets), "questions": len(set(sets))}


def ask_everything(run: Run) -> None:
    """Asks all that the pages of a profile read."""
    from andlib.pages import section_3_2 as section_3  # it reads this module

    uncalibrated = replace(run, mode="icl_uncalibrated")
    vars(uncalibrated).update(completions=run.completions, language_model=run.language_model)
    for model in run.models:
        neurons(run, model)
        for shots in SHOTS:
            choices(run, model, shots)
            choices(uncalibrated, model, shots)
    verdicts(run, labelled_adjectives())
    section_3.real_captions(run)


def labelled_adjectives() -> dict[str, bool]:
    """Adjectives judged by hand before any filter was compared: whether each can describe a sound."""
    frame = pd.read_csv(paths.PACKAGE / "adjectives.csv")
    return dict(zip(frame["adjective"], frame["acoustic"] == "yes", strict=True))


def main() -> None:
    """The command line; see the module's docstring."""
    run, given = kept.asked("Asks a language model what the pages of a profile read.", llm={"default": "smollm2"})
    vars(run)["completions"] = Completions(run.completions.log)  # not those committed: they are asked again
    ask_everything(run)
    lines = sorted(json.dumps(row, ensure_ascii=False, sort_keys=True) for row in run.completions.used())
    path = paths.completions(given.profile)
    write_atomically(path, lambda temporary: temporary.write_text("\n".join(lines) + "\n", encoding="utf-8"))
    print(f"{len(lines)} answers are in {path}")


if __name__ == "__main__":
    main()
