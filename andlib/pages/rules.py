"""The rules of the paper's claims in code; `rules.toml` has them in words.

A rule reads frames that `make results` keeps and yields its claim's parts: numbers in words, and a verdict."""

import tomllib
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd

from andlib import paths, statistics
from andlib.concepts import FUNCTION
from andlib.pages.section_4_4 import narrowing
from andlib.pages.wording import spelt
from andlib.profiles import MODELS
from andlib.similarity import FUNCTIONS
from andlib.statistics import CONTRADICTED, INCONCLUSIVE, SUPPORTED, UNTESTABLE, as_trend, trend, verdict

Frames = Mapping[str, Mapping[str, pd.DataFrame]]  # page -> name -> frame
Parts = Iterator[tuple[str, str]]
MEASURED = ["top1", "top5", "cos"]
WATER = ("pouring water", "rain", "sea waves", "toilet flush")  # beside water drops, classes related to water
FIGURE_5 = ("ast", "ast beats_finetuned", "beats_frozen", "ast beats_frozen")  # whose numbers decide each part
FIGURE_6 = {("ast", "all"): "falls", ("beats_frozen", "all"): "flat"}  # trends over all blocks or a part of them


class Untestable(Exception):
    """Why a claim cannot be tested with these results."""


def judge(claim: str, frames: Frames) -> tuple[str, str]:
    """The verdict on a claim, that of the part which decides it, and the numbers of every part in words.

    >>> judge("t4_ocp_gap", claims.committed("mini"))"""
    parts = []
    try:
        parts.extend(RULES[claim](frames))
    except Untestable as reason:
        parts.append((str(reason), UNTESTABLE))
    return statistics.together(said for _, said in parts), "; ".join(f"{words}: {said}" for words, said in parts) + "."


def rows(frame: pd.DataFrame, **wanted: Any) -> pd.DataFrame:
    """The rows of a frame that have these values in these columns."""
    for name, value in wanted.items():
        frame = frame[frame[name] == value]
    return frame


def _frame(frames: Frames, page: str, name: str) -> pd.DataFrame:
    frame = frames.get(page, {}).get(name, pd.DataFrame())
    if frame.empty:
        raise Untestable(f"The page {page} has no {name} here")
    return frame


def _apart(more: Mapping[str, float], less: Mapping[str, float], name: str) -> str:
    """Whether one value is the larger by intervals that do not meet."""
    return verdict(more[f"{name}_low"] - less[f"{name}_high"], more[f"{name}_high"] - less[f"{name}_low"])


def _better(frame: pd.DataFrame, model: str, one: str, other: str, tied: str) -> tuple[str, str]:
    """Whether one less other lies above 0 in a measure and below in none; tied: the verdict where it nowhere may."""
    of_model = rows(frame, model=model).set_index("compared")
    row = of_model.reindex([f"{one} − {other}"]).iloc[0].drop("model").astype(float).round(4)  # equal names' cosines
    lows, highs = (row[[f"{name}_{end}" for name in MEASURED]] for end in ("low", "high"))
    decided = SUPPORTED if (lows > 0).any() else tied if (highs <= 0).all() else INCONCLUSIVE
    decided = UNTESTABLE if row.isna().any() else CONTRADICTED if (highs < 0).any() else decided
    perfect = (of_model.reindex([one, other])[MEASURED] >= 1 - 1e-6).all(axis=None)
    gained = ", ".join(f"{name} {spelt(*row[[name, f'{name}_low', f'{name}_high']])}" for name in MEASURED)
    return f"{model} {one} − {other} {gained}", statistics.CEILING if perfect else decided


def t2_db_best(frames: Frames) -> Parts:
    frame = _frame(frames, "4_1_last_layer", "intervals")
    yield from (_better(frame, model, "DB", other, CONTRADICTED) for model, other in product(MODELS, ("TAB", "ICL")))


def t2_follows_accuracy(frames: Frames) -> Parts:
    accuracy = rows(_frame(frames, "4_0_target_networks", "accuracy"), clips="fold 1").set_index("model")
    ranked = list(accuracy.reindex(MODELS).dropna(how="all").sort_values("accuracy").iterrows())
    shares = {model: f"{model} {spelt(*row[['accuracy', 'low', 'high']], '.1%')}" for model, row in ranked}
    apart = [(less, more) for (less, a), (more, b) in combinations(ranked, 2) if b["low"] > a["high"]]
    if not apart:
        raise Untestable(f"No two networks' accuracies are apart: {', '.join(shares.values())}")
    top1 = rows(_frame(frames, "4_1_last_layer", "intervals"), compared="DB").set_index("model")
    top1 = top1[["top1", "top1_low", "top1_high"]].astype(float)
    for less, more in apart:
        value, low, high = 0 - top1.reindex([f"{less} − {more}"]).iloc[0]
        gained = (value, high, low) if value == value else top1.reindex([f"{more} − {less}"]).iloc[0]
        perfect = (top1.reindex([less, more])["top1"] == 1).all()
        words = f"accuracy {shares[more]} and {shares[less]}, top-1 {spelt(*gained)}"
        yield words, statistics.CEILING if perfect else verdict(*gained[1:])


def t3_order(frames: Frames) -> Parts:
    scores = _frame(frames, "4_2_human_evaluation", "human_evaluation").set_index("method")
    if not scores["ratings"].sum():
        raise Untestable("No rating is shipped, and none was returned")
    for name in ("rating", "cos", next(name for name in scores if name.startswith("bertscore"))):
        for a, b in (("SUM", "DB"), ("DB", "TAB")):
            words = f"{name} {a} {scores.loc[a, name]:.2f}, {b} {scores.loc[b, name]:.2f}"
            yield words, _apart(scores.loc[a], scores.loc[b], name)


def t4_ocp_gap(frames: Frames) -> Parts:
    gaps = _frame(frames, "4_3_unlearning", "unlearning").set_index(["model", "strategy"])
    parts = {"random units": ("OCP", "excess"), "TAB": ("TAB", "ocp_beyond"), "DB": ("DB", "ocp_beyond")}
    for model in MODELS:
        beyond = {other: _ends(gaps, (model, strategy), name) for other, (strategy, name) in parts.items()}
        words = ", ".join(f"{other} {spelt(*ends)}" for other, ends in beyond.items())
        yield f"{model} OCP beyond {words}", statistics.together(verdict(*ends[1:]) for ends in beyond.values())


def t4_frozen_robust(frames: Frames) -> Parts:
    effects = _frame(frames, "4_3_unlearning", "unlearning").set_index(["model", "strategy"])
    *others, frozen = (_ends(effects, (model, "OCP"), "accuracy_drop") for model in MODELS)
    for model, ours in zip(MODELS, others, strict=False):
        words = f"{model} {spelt(*ours, '+.1%')} and beats_frozen {spelt(*frozen, '+.1%')}"
        yield f"accuracy lost by {words}", verdict(ours[1] - frozen[2], ours[2] - frozen[1])


def _ends(frame: pd.DataFrame, row: tuple[str, str], name: str) -> np.ndarray:
    """A value and the ends of its interval; NaN where the frame lacks them."""
    return frame.reindex(index=[row], columns=[name, f"{name}_low", f"{name}_high"]).to_numpy(float)[0]


def f10_water(frames: Frames) -> Parts:
    changes = frames.get("4_3_unlearning", {}).get("water_drops")
    if changes is not None and changes.empty:
        raise Untestable("The probing set has no class water drops")
    changes = _frame(frames, "4_3_unlearning", "water_drops").dropna(subset="change")  # a class without clips has none
    water = changes.loc[changes["class"].isin(WATER), "change"]
    other = changes.loc[~changes["class"].isin(("water drops", *WATER)), "change"]
    if water.empty or other.empty or not changes["units"].iloc[0]:
        raise Untestable("No unit is labelled water drops, or no other class is related to water")
    rng = np.random.default_rng(0)
    one, two = (rng.choice(group, (10_000, len(group))).mean(1) for group in (water, other))
    low, high = statistics.interval(one - two) if min(len(water), len(other)) > 1 else (np.nan, np.nan)
    words = f"mean change of {len(water)} classes with water less that of {len(other)} others"
    yield f"{words} {spelt(water.mean() - other.mean(), low, high)}", verdict(-high, -low)


def figure_4(frames: Frames, claim: str) -> Parts:
    """The comparisons of Figure 4 that a claim names, each with its own margin."""
    comparisons = rows(_frame(frames, "4_4_feature_importance", "comparisons"), claim=claim, model="ast")
    if comparisons.empty:
        raise Untestable("The page 4_4_feature_importance was not run for AST")
    for _, row in comparisons.iterrows():
        gained = spelt(*row[["difference", "low", "high"]], "+.1%")
        asked = f", asked {row['margin']:+.0%}" if row["margin"] else ""
        words = f"{row['more']} beyond {row['less']} at {row['percents']} % {gained}{asked}"
        yield words, verdict(row["low"], row["high"], row["margin"])


def f5_ast_narrows(frames: Frames) -> Parts:
    by_model = _frame(frames, "4_4_feature_importance", "trends")
    for (part, decided), names in zip(narrowing(by_model).itertuples(index=False), FIGURE_5, strict=True):
        ours = by_model.set_index("model").reindex(names.split())
        columns = ["mean", "mean_low", "mean_high"] if "fewer" in part else ["rho", "low", "high"]
        yield f"{part}, " + ", ".join(f"{name} {spelt(*row[columns])}" for name, row in ours.iterrows()), decided


def f6_ast_concentrates(frames: Frames) -> Parts:
    yield from _over_depth(frames, FIGURE_6 | {("beats_finetuned", "deeper half"): "falls"}, tau=4)


def _over_depth(frames: Frames, claimed: Mapping[tuple[str, str], str], tau: int) -> Parts:
    found = rows(_frame(frames, "4_5_polysemanticity", "trends"), k=5, tau=tau).set_index(["model", "part"])
    for place, word in claimed.items():
        rho = found[["rho", "low", "high"]].reindex([place]).to_numpy(float)[0]
        yield f"{' '.join(place).removesuffix(' all')} {spelt(*rho)}", as_trend(word, *rho[1:])


def f11_13_same(frames: Frames) -> Parts:
    over_depth = rows(_frame(frames, "4_5_polysemanticity", "trends"), part="all")
    for model in MODELS:
        ours = rows(over_depth, model=model)
        trends = ours.apply(lambda row: trend(row["low"], row["high"]), axis=1)
        seen = trends[trends.astype(bool)].value_counts()  # without an interval there is none
        same = len(seen) == 1 and "unclear" not in seen
        decided = CONTRADICTED if {"falls", "rises"} <= set(seen.index) else SUPPORTED if same else INCONCLUSIVE
        listed = ", ".join(f"{word} in {count}" for word, count in seen.items())
        without = "was not run" if ours.empty else "has no interval"
        yield f"{model} {listed or without}", decided if listed else UNTESTABLE


def f14_gtzan(frames: Frames) -> Parts:
    numbers = frames.get("4_5_polysemanticity", {}).get("numbers")
    title = "no page 4_5_polysemanticity" if numbers is None else numbers["title"].iloc[0]
    if "GTZAN" not in title:
        raise Untestable(f"What is probed is not GTZAN's music: {title}")
    shares = _frame(frames, "4_5_polysemanticity", "shares")
    share, low, high = rows(shares, k=5, tau=4)[["share", "share_low", "share_high"]].max()
    yield f"highest share {spelt(share, low, high, '.1%')}", verdict(0.2 - high, 0.2 - low)
    yield from _over_depth(frames, FIGURE_6, tau=5)


def f8a_loud(frames: Frames) -> Parts:
    yield _contrast(_word(frames, "loud"))


def f8b_high_pitched(frames: Frames) -> Parts:
    high = _word(frames, "high-pitched")
    yield _contrast(high)
    loud = _word(frames, "loud")
    yield f"less markedly, {high['share']:.0%} of pairs and {loud['share']:.0%}", _apart(loud, high, "share")


def _word(frames: Frames, word: str) -> pd.Series:
    """Figure 8's row of a word, where no description holds what is measured."""
    ours = rows(_frame(frames, "appendix_c_acoustics", "acoustics"), model="ast", word=word)
    ours = ours[~ours["descriptions"].str.contains("measured")]
    if not ours["with"].sum():
        raise Untestable(f"No neuron has {word!r} but by captions that measure it, which is circular")
    return ours.iloc[0]


def _contrast(row: pd.Series) -> tuple[str, str]:
    low, high = np.min(row[["low", "source_low"]].to_list()), np.max(row[["high", "source_high"]].to_list())
    words = f"{row['with']} neurons with {row['word']!r}, difference {spelt(row['difference'], low, high, '+.3g')}"
    return words, verdict(low, high)


def t7_cubed_best_db(frames: Frames) -> Parts:
    frame = _frame(frames, "4_1_last_layer", "intervals")
    yield from (_better(frame, "ast", FUNCTION, other, INCONCLUSIVE) for other in FUNCTIONS if other != FUNCTION)


TEXTS = tomllib.loads((paths.PACKAGE / "rules.toml").read_text(encoding="utf-8"))  # claim -> its rule in words
_TABLES = [t2_db_best, t2_follows_accuracy, t3_order, t4_ocp_gap, t4_frozen_robust, t7_cubed_best_db, f10_water]
_FIGURES = [f5_ast_narrows, f6_ast_concentrates, f11_13_same, f14_gtzan, f8a_loud, f8b_high_pitched]
_FIGURE_4 = ("f4a_adjectives", "f4a_nouns", "f4b_basic", "f4c_single")
# claim -> the function that yields its parts from a profile's frames
RULES = {rule.__name__: rule for rule in _TABLES + _FIGURES} | {c: partial(figure_4, claim=c) for c in _FIGURE_4}
