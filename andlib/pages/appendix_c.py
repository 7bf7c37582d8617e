"""Appendix C, Figure 8: how loud and how high the clips are that units with and without an adjective respond to."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import scipy

from andlib import descriptions, paper, stages
from andlib.activations import filled
from andlib.pages.rules import judge
from andlib.run import Run
from andlib.statistics import bootstrap_weights, holm, interval, verdict
from andlib.store import Stage

WORDS = {"loud": "amplitude", "high-pitched": "median frequency"}  # adjective -> what it should go with
ACOUSTICS = Stage("acoustics", "frame")
DRAWS, SEED = 1000, 0
ENDS = [f"{name}{end}" for name in ("", "source_", "share_") for end in ("low", "high")]
CONTRAST = ("difference", *ENDS, "share", "p", "mean_with", "mean_without")
HEADS = {"mean_with": "mean with", "mean_without": "mean without", "low": "95 % (neurons) from", "high": "to"}
HEADS |= {"source_low": "95 % (sources) from", "source_high": " to", "verdict": "larger with the word"}
FORMATS = dict.fromkeys([*list(HEADS.values())[:-1], "difference"], ".3g") | {"share": ".0%", "p": ".2g"}


def median_frequency(samples: np.ndarray, sample_rate: int) -> float:
    """MDF, in Hz: the frequency below which half of the power of a clip [samples] lies; 0 for a silent one."""
    power = np.cumsum(np.abs(np.fft.rfft(samples.astype(np.float64) - samples.mean())) ** 2)
    return float(np.searchsorted(power, power[-1] / 2) * sample_rate / len(samples)) if power[-1] else 0.0


def clip_acoustics(run: Run) -> pd.DataFrame:
    """One row a clip: amplitude (mean of |x|, up to 1), median frequency (Hz), of what networks at 16 kHz are given."""
    rate = descriptions.HEARING_RATE

    def make():
        batches = run.probing_set.batches(rate, run.profile.seconds)
        rows = [(float(np.abs(clip).mean()), median_frequency(clip, rate)) for clips in batches for clip in clips]
        return pd.DataFrame(rows, columns=["amplitude", "median frequency"])

    return run.store.get(ACOUSTICS, [run.probing_set, run.profile.seconds, rate], make)


def without_measured(run: Run) -> Run:
    """The same run with descriptions that state nothing measured, only what a file says or the ear names."""
    parts = tuple(part for part in run.profile.caption_parts if part != "measured")
    return run.using(profile=replace(run.profile, caption_parts=parts), probing_set=run.probing_set)


def unit_acoustics(run: Run, model: str, word: str) -> pd.DataFrame:
    """Figure 8's points: unit, highest, has (the adjective in C_open), value (its measure, mean over highest)."""
    neurons, measured = stages.neurons(run, model), clip_acoustics(run)[WORDS[word]].to_numpy()
    clips, own = filled(neurons["highest"])
    has = np.array([word in c_open for c_open in neurons["adjectives"]], bool)
    return neurons[["unit", "highest"]].assign(has=has, value=_weighted(measured[clips], own))


def with_and_without(run: Run, model: str, word: str) -> dict[str, float]:
    """Figure 8 in numbers: how many units are with and without an adjective, and the values of their K highest clips.

    mean_with, mean_without, their difference, with 95 % bootstrap over units (low, high) and over source recordings
    (source_low, source_high); share of pairs in which the unit with it is larger, 0.5 by chance (share_low, share_high:
    over sources); p of the one-sided rank test over units. NaN where no unit or every one has it; low, high if one."""
    table, clips = unit_acoustics(run, model, word).dropna(subset="value"), run.probing_set  # described by some clip
    has, value = table["has"].to_numpy(), table["value"].to_numpy()
    row = {**dict.fromkeys(CONTRAST, np.nan), "with": int(has.sum()), "without": int((~has).sum())}
    if not row["with"] or not row["without"]:
        return row
    rng, (highest, own) = np.random.default_rng(SEED), filled(table["highest"])
    by_unit = np.subtract(*(rng.choice(value[side], (DRAWS, side.sum())).mean(1) for side in (has, ~has)))
    by_unit = by_unit if min(row["with"], row["without"]) > 1 else by_unit[:0]
    measured = clip_acoustics(run)[WORDS[word]].to_numpy()[highest]
    drawn = bootstrap_weights(clips.labels, clips.sources, DRAWS, rng)
    by_source = np.array([_contrast(has, _weighted(measured, weights[highest] * own)) for weights in drawn])
    by_source = by_source[~np.isnan(by_source).any(1)]  # draws without any clip of the few units that have the word
    row |= {"mean_with": value[has].mean(), "mean_without": value[~has].mean()}
    row["difference"], row["share"] = _contrast(has, value)
    row |= zip(ENDS, [end for draws in (by_unit, *by_source.T) for end in interval(draws)], strict=True)
    return row | {"p": float(scipy.stats.mannwhitneyu(value[has], value[~has], alternative="greater").pvalue)}


def contrasts(run: Run) -> pd.DataFrame:
    """`with_and_without`, one row a model and word of WORDS; columns model, word, descriptions (their origins)."""
    origins, keys = " + ".join(run.caption_parts), product(run.models, WORDS)
    rows = [{"model": m, "word": w, "descriptions": origins, **with_and_without(run, m, w)} for m, w in keys]
    return pd.DataFrame(rows)


def judged(*tables: pd.DataFrame) -> pd.DataFrame:
    """`contrasts`, with p adjusted for all rows (Holm) and the verdict of both intervals: larger with the word?"""
    table = pd.concat(tables, ignore_index=True)
    low, high = np.minimum(table["low"], table["source_low"]), np.maximum(table["high"], table["source_high"])
    table.insert(2, "verdict", list(map(verdict, low, high)))  # NaN where either is
    return table.assign(p=holm(table["p"]))


def _weighted(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted means over the last axis; NaN where all weights are 0: none of the unit's clips was drawn."""
    total = weights.sum(-1)
    return np.divide((values * weights).sum(-1), total, out=np.full(len(values), np.nan), where=total > 0)


def _contrast(has: np.ndarray, value: np.ndarray) -> tuple[float, float]:
    """Difference of the means of units with and without, and the share of such pairs in which the former is larger."""
    one, other = value[has & ~np.isnan(value)], value[~has & ~np.isnan(value)]
    if not len(one) or not len(other):
        return np.nan, np.nan
    larger = np.searchsorted(np.sort(other), one, "left") + np.searchsorted(np.sort(other), one, "right")
    return one.mean() - other.mean(), larger.mean() / (2 * len(other))


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """What the page keeps: Figure 8 in numbers, with and without what captions measure."""
    return {"acoustics": judged(contrasts(run), contrasts(without_measured(run)))}


def words(run: Run, table: pd.DataFrame) -> dict[str, object]:
    """The numbers of the page's prose, of the run's first model, and the ledger's verdicts. table: as in `frames`."""
    printed, first = paper.numbers()["figures"]["8_acoustic_properties"], table[table["model"] == run.models[0]]
    loud, high = (first[first["word"] == word].iloc[0] for word in WORDS)
    spoken = {"k": run.k, "title": run.profile.title, "network": run.models[0], "paper_loud": printed["loud_neurons"]}
    spoken |= {"paper_all": printed["loud_neurons"] + printed["not_loud_neurons"]}
    spoken |= {"loud": loud["with"], "high": high["with"], "all": loud["with"] + loud["without"]}
    for claim in ("f8a_loud", "f8b_high_pitched"):
        spoken[claim], spoken[f"{claim}_numbers"] = judge(claim, {"appendix_c_acoustics": {"acoustics": table}})
    return spoken
