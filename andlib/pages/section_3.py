"""Section 3, Figures 1, 2 and 7 and Table 5: one neuron, taken through every module of the pipeline."""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from textwrap import shorten

import numpy as np
import pandas as pd

from andlib import asking, language, stages, summaries
from andlib.descriptions import clip_captions, clip_descriptions
from andlib.errors import InputError
from andlib.llms import prompts
from andlib.llms.llm import Chat
from andlib.pages.scoring import score_neurons
from andlib.records import Clip, Unit
from andlib.run import Run
from andlib.tagging import tag
from andlib.targets import chosen_unit

Described = Mapping[str, pd.Series]  # who wrote the summaries -> a row of `stages.neurons`


def neuron_of_the_page(run: Run) -> Unit:
    """The page's neuron: the one it names, or of the block units that the language model is asked about and that lose a
    point to calibration, the one whose explanations score best on held-out clips."""
    target = run.target(run.models[0])
    if named := run.extra.get("unit", ""):
        return chosen_unit(target, named)
    with suppress(InputError):  # without folds nothing is held out
        asked = asking.sampled(stages.neurons(run, target.name)).query("layer != 'classifier'")
        asked = asked.loc[asked["calibrated"].map(len) < asked["high"].map(len), "unit"]
        scores = score_neurons(run, target.name).groupby("unit")["pearson"].mean().reindex(asked).dropna()
        named = next(iter(scores.sort_values(kind="stable").index[::-1]), "")
    return chosen_unit(target, named)


def class_unit(run: Run) -> Unit:
    """The classifier's unit that Table 5's question is asked of."""
    target = run.target(run.models[0])
    return target.check(Unit(target.name, "classifier", run.extra.get("class_unit", 0)))


def captioned(run: Run, u: np.ndarray, clips: Sequence[int]) -> tuple[list[Clip], list[str]]:
    """Clips, and for each the neuron's activation and its captions by origin. u: the neuron's, of every clip."""
    captions = clip_captions(run)
    texts = ("[" + captions["origin"] + "] " + captions["text"]).groupby(captions["clip"]).agg(" ".join)
    chosen = [run.probing_set.clips[i] for i in clips]
    return chosen, [f"u = {u[i]:.2f}. {texts[clip.name]}" for i, clip in zip(clips, chosen, strict=True)]


def described(run: Run, unit: Unit) -> Described:
    """The neuron as our rules describe it and, where it has answered both questions of it, the language model."""
    table = stages.neurons(run, unit.model)
    table = table[table["unit"] == unit.id]
    written = stages.rewritten(run, table, clip_descriptions(run))
    return {"rules": table.iloc[0]} | ({} if written.empty else {run.answerer: written.iloc[0]})


def points(neurons: Described) -> pd.DataFrame:
    """Every point of S_h and of S_l, by who wrote it."""
    sides = {"S_h": "high", "S_l": "low"}.items()
    rows = [(by, name, point) for by, row in neurons.items() for name, side in sides for point in row[side]]
    return pd.DataFrame(rows, columns=["written by", "summary", "point"])


def calibration(neurons: Described) -> pd.DataFrame:
    """Figure 7: what module B does with each point of S_h, and the closest point of S_l."""
    rows = []
    for writer, row in neurons.items():
        for point, like, cosine in zip(row["high"], row["like"], row["cosine"], strict=True):
            fate = "kept" if point in set(row["calibrated"]) else "removed"
            closest = shorten(like, 100, placeholder=" …") or "–"
            rows.append((writer, fate, cosine if like else np.nan, point, closest))
    return pd.DataFrame(rows, columns=["written by", "module B", "cosine", "point of S_h", "closest point of S_l"])


def words_kept(run: Run, neurons: Described) -> pd.DataFrame:
    """Module C: words of the calibrated summary, by part of speech, before and after each filter."""
    released, rows = "word_lists_by_substring" in run.faults, []
    for writer, row in neurons.items():
        unnumbered = [re.sub(r"^\s*\d+[.)]\s*", "", point) for point in row["calibrated"]]
        tokens = [token for point in unnumbered for token in tag(point, run.tagger)]
        by_rules = language.open_concepts(row["calibrated"], released=released, acoustic=bool, tagger=run.tagger)
        for part in ("adjectives", "nouns", "verbs", "prepositions"):
            spoken = _distinct(token.lemma for token in tokens if f"{token.pos}s" == part)
            acoustic = _distinct(row[part]) if part == "adjectives" else "–"
            rows.append((writer, part, spoken, _distinct(getattr(by_rules, part)), acoustic))
    columns = ["written by", "part of speech", "in the summary", "after rules", "after the acoustic filter"]
    return pd.DataFrame(rows, columns=columns)


def _distinct(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(words)) or "none"


def questions(run: Run, unit: Unit) -> dict[int, Chat]:
    """Table 5: ICL's question by number of worked examples, with the language model's summary where there is one."""
    *_, row = described(run, unit).values()
    read = row["high" if "icl_uncalibrated" in run.faults else "calibrated"]
    return {shots: prompts.choice(run.concepts, read, shots) for shots in asking.SHOTS}


def answers(run: Run, chats: Mapping[int, Chat]) -> pd.DataFrame:
    """What the language model answers, and the concepts that are read from it. chats: `questions`."""
    rows = []
    for shots, chat in chats.items():
        [answer] = asking.ask(run, [chat], prompts.CHOICE_SAMPLING, "choices")
        read = _distinct(prompts.ranked(answer.text, run.concepts)) if answer else "–"
        rows.append((str(shots), answer.text if answer else "none is kept", read))
    return pd.DataFrame(rows, columns=["worked examples", "answer", "read as"])


def words(run: Run, unit: Unit, neurons: Described, closed: pd.DataFrame) -> dict[str, object]:
    """The numbers of the page's sentences. closed: `section_4_1.closed_concepts`."""
    asked, first, row = class_unit(run), closed["1."].unique(), neurons["rules"]
    drawn = "the best-scored one that the language model was asked about and that loses a point"
    alone = "Of this neuron it was not asked, or its answer is not kept: the rules stand alone below."
    differ = f"The {len(closed)} rows put {len(first)} different concepts first."
    spoken = {"unit": unit.id, "chosen": "the one that was asked for" if run.extra.get("unit") else drawn}
    spoken |= {"adjectives": _distinct(row["adjectives"]), "named": next(iter(row["db"]), "nothing")}
    spoken |= {"clips": len(run.probing_set), "concepts": len(run.concepts), "encoder": run.profile.encoder}
    spoken |= {"caption_prompt": prompts.CAPTION, "summary_prompt": prompts.SUMMARY, "answerer": run.answerer}
    spoken |= {"answered": "Both are shown." if len(neurons) > 1 else alone, "removed": _removed(calibration(neurons))}
    spoken |= {"disagreement": differ if len(first) > 1 else f"All rows put {first[0]} first."}
    spoken |= {"threshold": summaries.THRESHOLD, "most": prompts.CHOICE_SAMPLING.max_tokens}
    spoken |= {"class_unit": f"{asked.id}, the logit of “{run.target(asked.model).classes[asked.index]}”"}
    return spoken | {"pooling": run.target(unit.model).layer(unit.layer).pooling}


def _removed(calibrated: pd.DataFrame) -> str:
    counts = (calibrated["module B"] == "removed").groupby(calibrated["written by"], sort=False).agg(["size", "sum"])
    sentences = [f"Of {n} points by {by}, {k} {'is' if k == 1 else 'are'} removed." for by, n, k in counts.itertuples()]
    return " ".join(sentences) or "No point was there to calibrate."


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """What `make results` keeps of the page."""
    unit = neuron_of_the_page(run)
    neurons, chats = described(run, unit), questions(run, class_unit(run))
    numbers = {"clips": len(run.probing_set), "concepts": len(run.concepts)}
    kept = {"calibration": calibration(neurons), "words": words_kept(run, neurons)}
    kept |= {"answers": answers(run, chats).astype({"worked examples": int})}
    return kept | {"numbers": pd.DataFrame([numbers])}
