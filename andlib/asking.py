"""What a run asks its language model of neurons: their summaries, which adjectives are acoustic, which class it is."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd

from andlib import encoders, language, paths
from andlib.llms import prompts
from andlib.llms.clients import Scorer, TransformersLLM
from andlib.llms.llm import Answer, Chat, Sampling
from andlib.run import Run

SAMPLED, SEED = 120, 0  # block units of a model that are asked about where asking about all would take days
SHOTS, SIDES = (1, 2), ("highest", "lowest")


def ask(run: Run, chats: Sequence[Chat], sampling: Sampling, what: str) -> list[Answer | None]:
    """The answer of the run's language model to each chat; None where none is kept and the run names no model."""
    return run.completions.ask(chats, sampling, run.answerer, run.language_model, what)


def sampled(table: pd.DataFrame) -> pd.DataFrame:
    """The neurons that a small model is asked about: the classifier's, and SAMPLED drawn from the blocks."""
    classifier = (table["layer"] == "classifier").to_numpy()
    blocks = np.flatnonzero(~classifier)
    chosen = np.random.default_rng(SEED).choice(blocks, min(SAMPLED, len(blocks)), replace=False)
    return table.iloc[np.sort(np.concatenate([chosen, np.flatnonzero(classifier)]))]


def summaries(run: Run, table: pd.DataFrame, texts: Sequence[str]) -> pd.DataFrame:
    """S_h and S_l of neurons as the language model writes them (Section 3.2), by the index of `table`.
    Neurons that share their K clips share a question. Columns high, low (points), kinds (of each point of S_h),
    answered (both; else both are empty). table: columns highest and lowest. texts: the description of every clip."""
    points = {
        clips: None if answer is None else prompts.points(answer.text) if answer else ()
        for clips, answer in _answers(run, table, texts).items()
    }
    sides = [[points[tuple(sorted(clips))] for clips in table[side]] for side in SIDES]
    answered = [None not in both for both in zip(*sides, strict=True)]
    high, low = ([given if both else () for given, both in zip(side, answered, strict=True)] for side in sides)
    kinds = [[_kind(point) for point in points] for points in high]
    return pd.DataFrame({"high": high, "kinds": kinds, "low": low, "answered": answered}, index=table.index)


def _answers(run: Run, table: pd.DataFrame, texts: Sequence[str]) -> dict[tuple, Answer | Literal[False] | None]:
    """By the clips of each question, in the order of their numbers; False where there is no clip to ask of."""
    sets = [tuple(sorted(clips)) for side in SIDES for clips in table[side]]
    chats = {clips: prompts.summary([texts[i] for i in clips]) for clips in sets if clips}
    answers = dict(zip(chats, ask(run, list(chats.values()), prompts.SUMMARY_SAMPLING, "summaries"), strict=True))
    return {clips: answers.get(clips, False) for clips in sets}


def counted(run: Run, table: pd.DataFrame, texts: Sequence[str]) -> dict[str, float]:
    """Share of neurons that the language model answered for, neurons, questions, answers cut by length."""
    answers = _answers(run, table, texts)
    texts_of = {tuple(texts[i] for i in clips): answer for clips, answer in answers.items()}
    cut = sum(bool(answer) and answer.finish == "length" for answer in texts_of.values())
    share = summaries(run, table, texts)["answered"].mean()
    return {"answered": share, "neurons": len(table), "questions": len(answers), "cut by length": cut}


def _kind(point: str) -> str:
    """What a point speaks of, as `stages.neurons` says it: qualities or events before sources; "" for none of these."""
    from andlib.mini.consensus import KINDS, claims

    kinds = {claim.kind for claim in claims(point)}
    return next((kind for kind in KINDS if kind in kinds), "")


def verdicts(run: Run, adjectives: Iterable[str]) -> dict[str, bool | None]:
    """Whether the language model finds each adjective acoustic (Section 3.5); None: it said neither, or nothing yet."""
    words = sorted(set(adjectives))
    given = ask(run, [prompts.verdict(word) for word in words], prompts.VERDICT_SAMPLING, "verdicts")
    return {word: prompts.acoustic(answer.text) if answer else None for word, answer in zip(words, given, strict=True)}


def acoustic_filter(run: Run, points: Sequence[Sequence[str]]) -> Callable[[str], bool]:
    """The paper's adjective filter for these summaries: what the language model calls acoustic."""
    released = "word_lists_by_substring" in run.faults
    read = partial(language.open_concepts, released=released, acoustic=bool, tagger=run.tagger)
    concepts = map(read, {tuple(summary) for summary in points})
    judged = verdicts(run, {word for words in concepts for word in words.adjectives})
    return lambda word: bool(judged.get(word))


def choices(run: Run, summaries: Sequence[Sequence[str]], shots: int) -> list[tuple[str, ...] | None]:
    """ICL: the concepts that the language model names for each summary, best first (Section 3.3, Table 5), or None."""
    chats = [prompts.choice(run.concepts, points, shots) for points in summaries]
    given = ask(run, chats, prompts.CHOICE_SAMPLING, "choices")
    named = [prompts.ranked(answer.text, run.concepts) if answer else None for answer in given]
    if "icl_uncalibrated" in run.faults:  # released code: none becomes the nearest, data_utils.py:222-238
        silent = [i for i, concepts in enumerate(named) if concepts == ()]
        near = encoders.encode([given[i].text for i in silent]) @ encoders.encode(run.concepts).T
        for i, nearest in zip(silent, near.argmax(1), strict=True):
            named[i] = (run.concepts[nearest],)
    return named


def likeliest(run: Run, summaries: Sequence[Sequence[str]], shots: int) -> list[tuple[str, ...] | None]:
    """ICL by likelihood: concepts ordered by how much more of the language model's probability each gets as the answer
    by a summary than by none, of all its tokens together; None where that is not kept and the model is not of this
    process. Of the ways that `benchmarks.choosing` tries, the one that names most of what was named by hand."""
    model = run.language_model
    chats = [prompts.scored(run.concepts, points, shots) for points in ((), *summaries)]
    scorer = Scorer(model) if isinstance(model, TransformersLLM) else None
    given = run.completions.ask(chats, prompts.SCORING, run.answerer, scorer, "likelihoods")
    usual, *scores = [prompts.scores(answer.text, len(run.concepts)) if answer else None for answer in given]
    orders = [None if s is None or usual is None else np.argsort(usual - s, kind="stable") for s in scores]
    return [None if order is None else tuple(run.concepts[i] for i in order) for order in orders]


def labelled_adjectives() -> dict[str, bool]:
    """Adjectives judged by hand before any filter was compared: whether each can describe a sound."""
    frame = pd.read_csv(paths.PACKAGE / "adjectives.csv", index_col="adjective")
    return (frame["acoustic"] == "yes").to_dict()
