"""The paper's claims, each as a rule over the numbers that a profile's pages commit, and the verdicts.

A rule yields the parts of its claim: numbers in words, and what they say (a key of WORST). Its docstring is the rule
that the report prints.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu

from andlib import kept, paper, paths
from andlib.pages.section_4_1 import best_function
from andlib.pages.section_4_4 import narrowing, verdict
from andlib.pages.section_4_5 import trends
from andlib.profiles import MODELS, PROFILES

Results = Mapping[str, Mapping[str, Any]]  # page -> name -> what the page glues
Parts = Iterator[tuple[str, str]]
HOLDS, FAILS, UNTESTED = "holds", "fails", "cannot be tested here"
WORST = {"fails": FAILS, "undecided": FAILS, "cannot be tested": UNTESTED, "holds": HOLDS}  # the first decides
METHODS, MEASURED = ["DB", "TAB", "ICL"], ["top1", "top5", "cos"]
WATER = ("pouring water", "rain", "sea waves", "toilet flush")  # beside water drops, classes related to water


class Untestable(Exception):
    """Why a claim cannot be tested with these results."""


def committed(profile: str) -> Results:
    """What every page of a profile glues, as committed in results/<profile>/<page>.json."""
    files = sorted((paths.results() / profile).glob("*.json"))
    return {file.stem: kept.read(profile, file.stem) for file in files}


def judge(claim: str, results: Results) -> tuple[str, str, str]:
    """The verdict on a claim (HOLDS, FAILS or UNTESTED), the part that decided it (a key of WORST), and the numbers.

    A claim fails if one of its parts fails or is undecided, and holds if every part does.
    """
    parts = []
    try:
        parts.extend(RULES[claim](results))
    except Untestable as reason:
        parts.append((str(reason), "cannot be tested"))
    decisive = _worst(said for _, said in parts)
    return WORST[decisive], decisive, "; ".join(f"{words}: {said}" for words, said in parts) + "."


def ledger(profiles: Sequence[str] = ()) -> pd.DataFrame:
    """Every claim of the paper on every profile; columns id, where, claim, profile, verdict, decisive, numbers, rule.

    profiles: those that have committed results where none is named.
    """
    profiles = profiles or [name for name in PROFILES if committed(name)]
    found = {profile: committed(profile) for profile in profiles}
    rows = []
    for claim in paper.numbers()["claims"]:
        rule = " ".join(str(RULES[claim["id"]].__doc__).split())
        for profile, results in found.items():
            about = (claim["id"], claim["where"], claim["text"], profile)
            rows.append((*about, *judge(claim["id"], results), rule))
    return pd.DataFrame(rows, columns=["id", "where", "claim", "profile", "verdict", "decisive", "numbers", "rule"])


def _worst(said: Iterable[str]) -> str:
    return min(said, key=list(WORST).index)


def _said(holds: bool, known: bool = True) -> str:
    return "cannot be tested" if not known else "holds" if holds else "fails"


def _frame(results: Results, page: str, name: str) -> pd.DataFrame:
    if not (rows := results.get(page, {}).get(name)):
        raise Untestable(f"The page {page} has no {name} here")
    return pd.DataFrame(rows).fillna(np.nan)  # JSON's null


def _of(frame: pd.DataFrame, **wanted: Any) -> pd.DataFrame:
    return frame[np.logical_and.reduce([frame[name] == value for name, value in wanted.items()])]


def _apart(more: Mapping[str, float], less: Mapping[str, float], name: str) -> str:
    """Whether one value is the larger by intervals that do not meet."""
    return verdict(more[f"{name}_low"] - less[f"{name}_high"], more[f"{name}_high"] - less[f"{name}_low"])


def _spelt(value: float, low: float, high: float, spec: str = "+.2f") -> str:
    return "no value" if np.isnan(low) else f"{value:{spec}} ({low:{spec}} … {high:{spec}})"


def _best(results: Results, model: str) -> pd.DataFrame:
    """Table 2 for one model: each method's best function on all clips."""
    ours = _of(_frame(results, "4_1_last_layer", "last_layer"), model=model, condition="all clips")
    best = {method: best_function(ours, method) for method in METHODS if method in set(ours["method"])}
    rows = {m: _of(ours, method=m, function=function)[MEASURED].iloc[0] for m, function in best.items()}
    return pd.DataFrame(rows, MEASURED, METHODS).T.astype(float).round(4)  # cosines of equal names differ by 1e-7


def _listed(values: pd.DataFrame) -> str:
    cells = {name: f"{a:.0%} / {b:.0%} / {c:.2f}" for name, (a, b, c) in values.dropna().iterrows()}
    return ", ".join(f"{name} {cells.get(name, 'no value')}" for name in values.index)


def t2_db_best(results: Results) -> Parts:
    """In each of the paper's networks, DB is above TAB and above ICL in top-1, top-5 or cosine, and below them in none
    (each method's best function, all clips), by paired 95 % intervals over units; a tie in all three is not above."""
    frame = _frame(results, "4_1_last_layer", "intervals").set_index(["model", "compared"])
    for model, other in product(MODELS, ("TAB", "ICL")):
        row = frame.reindex([(model, f"DB − {other}")]).iloc[0].astype(float).round(4)  # equal names' cosines differ
        lows, highs = (row[[f"{name}_{end}" for name in MEASURED]] for end in ("low", "high"))
        fails, undecided = (highs < 0).any() or (highs <= 0).all(), not (lows > 0).any()
        said = "fails" if fails else "undecided" if undecided else "holds"
        gained = ", ".join(f"{name} {_spelt(*row[[name, f'{name}_low', f'{name}_high']])}" for name in MEASURED)
        yield f"{model} DB − {other} {gained}", "cannot be tested" if row.isna().any() else said


def t2_follows_accuracy(results: Results) -> Parts:
    """Of every two of the paper's networks whose accuracies on fold 1 have 95 % intervals apart, the more accurate one
    has the higher top-1 (DB's best function, all clips). Pairs that are not apart say nothing."""
    accuracy = _of(_frame(results, "4_0_target_networks", "accuracy"), clips="fold 1").set_index("model")
    ranked = list(accuracy.reindex(MODELS).dropna(how="all").sort_values("accuracy").iterrows())
    shares = {model: f"{model} {_spelt(*row[['accuracy', 'low', 'high']], '.1%')}" for model, row in ranked}
    apart = [(less, more) for (less, a), (more, b) in combinations(ranked, 2) if b["low"] > a["high"]]
    if not apart:
        raise Untestable(f"No two networks' accuracies are apart: {', '.join(shares.values())}")
    for less, more in apart:
        worse, better = (_best(results, model).loc["DB", "top1"] for model in (less, more))
        words = f"accuracy {shares[more]} and {shares[less]}, top-1 {better:.0%} and {worse:.0%}"
        yield words, _said(better > worse, not np.isnan(better + worse))


def t3_order(results: Results) -> Parts:
    """People's ratings, and cosine and BERTScore of what they wrote, are higher for SUM than for DB and for DB than for
    TAB, by 95 % intervals that do not meet."""
    scores = _frame(results, "4_2_human_evaluation", "human_evaluation").set_index("method")
    if not scores["ratings"].sum():
        raise Untestable("No rating is shipped, and none was returned")
    for name in ("rating", "cos", next(name for name in scores if name.startswith("bertscore"))):
        for a, b in (("SUM", "DB"), ("DB", "TAB")):
            words = f"{name} {a} {scores.loc[a, name]:.2f}, {b} {scores.loc[b, name]:.2f}"
            yield words, _apart(scores.loc[a], scores.loc[b], name)


def t4_ocp_gap(results: Results) -> Parts:
    """In each of the paper's networks, OCP's gap dR - dA has a 95 % interval above those of random, TAB and DB."""
    gaps = _frame(results, "4_3_unlearning", "unlearning")
    for model in MODELS:
        ours = _of(gaps, model=model).set_index("strategy").reindex(["OCP", "random", "TAB", "DB"])
        words = [f"{name} {_spelt(*row[['gap', 'gap_low', 'gap_high']])}" for name, row in ours.iterrows()]
        said = _worst(_apart(ours.loc["OCP"], ours.loc[name], "gap") for name in ours.index[1:])
        yield f"{model} {', '.join(words)}", said


def t4_frozen_robust(results: Results) -> Parts:
    """Under OCP, BEATs-frozen's own logits change less (dA, whatever its sign) than AST's and BEATs-finetuned's, by
    95 % intervals of |dA| that do not meet. Logits of two classifiers have no common scale."""
    found = _of(_frame(results, "4_3_unlearning", "unlearning"), strategy="OCP")
    changes = found.set_index("model").reindex(index=MODELS, columns=["dA", "dA_low", "dA_high"]).astype(float)
    frozen = _magnitude(changes.loc["beats_frozen"])
    for model in MODELS[:2]:
        words = " and ".join(f"{name} {_spelt(*changes.loc[name])}" for name in (model, "beats_frozen"))
        yield f"dA {words}", _apart(_magnitude(changes.loc[model]), frozen, "dA")


def _magnitude(row: pd.Series) -> dict[str, float]:
    """The ends of |dA| where dA lies between its own."""
    low, high = row["dA_low"], row["dA_high"]
    return {"dA_low": max(low, -high, 0 * low), "dA_high": max(-low, high)}


def f10_water(results: Results) -> Parts:
    """Silencing BEATs-finetuned's OCP units of water drops lowers the own logits of pouring water, rain, sea waves and
    toilet flush more than those of the other classes: one-sided rank test over classes at 5 %."""
    if results.get("4_3_unlearning", {}).get("water_drops") == []:
        raise Untestable("The probing set has no class water drops")
    changes = _frame(results, "4_3_unlearning", "water_drops")
    water = changes.loc[changes["class"].isin(WATER), "change"]
    other = changes.loc[~changes["class"].isin(("water drops", *WATER)), "change"]
    if water.empty or other.empty or not changes["units"].iloc[0]:
        raise Untestable("No unit is labelled water drops, or no other class is related to water")
    lower = mannwhitneyu(water, other, alternative="less").pvalue < 0.05
    words = f"median change {water.median():+.2f} of {len(water)} classes with water, {other.median():+.2f} of others"
    yield words, "holds" if lower else "undecided" if water.median() < other.median() else "fails"


def f4a_adjectives(results: Results) -> Parts:
    """Averaged over r, AST's accuracy without the units that have most adjectives is at most two points below that
    without random ones, with all of the 95 % interval."""
    return _figure4(results, "f4a_adjectives")


def f4a_nouns(results: Results) -> Parts:
    """AST loses more accuracy without the units that have most nouns than without random ones at r = 4, 6 and 8 %, and
    less at 2 and 10 %, each with a 95 % interval that leaves out 0."""
    return _figure4(results, "f4a_nouns")


def f4b_basic(results: Results) -> Parts:
    """AST loses more accuracy without units with basic adjectives than without those with high-level ones at every r,
    with a 95 % interval above 0, and above ten points at 10 %."""
    return _figure4(results, "f4b_basic")


def f4c_single(results: Results) -> Parts:
    """Averaged over r, AST loses more accuracy without units with any basic adjective than without those with one, for
    each of the four, with a 95 % interval above 0; how much is "much" the paper does not say."""
    return _figure4(results, "f4c_single")


def _figure4(results: Results, claim: str) -> Parts:
    rows = _of(_frame(results, "4_4_feature_importance", "comparisons"), claim=claim, model="ast")
    if rows.empty:
        raise Untestable("The page 4_4_feature_importance was not run for AST")
    for _, row in rows.iterrows():
        gained = _spelt(*row[["difference", "low", "high"]], "+.1%")
        asked = f", asked {row['margin']:+.0%}" if row["margin"] else ""
        words = f"{row['more']} beyond {row['less']} at {row['percents']} % {gained}{asked}"
        yield words, verdict(row["low"], row["high"], row["margin"])


def f5_ast_narrows(results: Results) -> Parts:
    """Spearman's rho of block and adjectives a unit: AST's 95 % interval lies below 0 and below BEATs-finetuned's,
    BEATs-frozen's within 0.1 of 0; and BEATs-frozen's units have fewer adjectives than AST's, by intervals apart."""
    found = _frame(results, "4_4_feature_importance", "trends")
    for (part, said), names in zip(narrowing(found).itertuples(index=False), FIGURE5, strict=True):
        rows = found.set_index("model").reindex(names.split())
        columns = ["mean", "mean_low", "mean_high"] if "fewer" in part else ["rho", "low", "high"]
        yield f"{part}, " + ", ".join(f"{name} {_spelt(*row[columns])}" for name, row in rows.iterrows()), said


FIGURE5 = ("ast", "ast beats_finetuned", "beats_frozen", "ast beats_frozen")  # whose numbers decide each part


def f6_ast_concentrates(results: Results) -> Parts:
    """At K = 5 and tau = 4, Spearman's rho of a unit's block and its being uninterpretable has a 95 % interval below 0
    for AST and for the deeper half of BEATs-finetuned's blocks, and one that holds 0 for BEATs-frozen."""
    found, shares = (_frame(results, "4_5_polysemanticity", name) for name in ("trends", "shares"))
    yield from _over_depth(_of(found, k=5, tau=4))
    deep = _of(shares, model="beats_finetuned", k=5, tau=4)
    deep = deep[deep["block"] > deep["block"].max() / 2]
    if deep.empty:
        raise Untestable("The page 4_5_polysemanticity was not run for BEATs-finetuned")
    row = trends(deep).iloc[0]
    yield f"beats_finetuned, deeper half {_spelt(*row[['rho', 'low', 'high']])}", verdict(-row["high"], -row["low"])


def _over_depth(found: pd.DataFrame) -> Parts:
    """That AST's trend falls, and BEATs-frozen's is flat: its interval holds 0."""
    rows = found.set_index("model")[["rho", "low", "high"]].reindex(["ast", "beats_frozen"])
    ast, frozen = rows.to_numpy(float)
    yield f"ast {_spelt(*ast)}", verdict(-ast[2], -ast[1])
    yield f"beats_frozen {_spelt(*frozen)}", _said(frozen[1] <= 0 <= frozen[2], not np.isnan(frozen).any())


def f11_13_same(results: Results) -> Parts:
    """For each of the paper's networks, the trend over depth (falls, rises, or flat where rho's 95 % interval holds 0)
    is the same for every K and tau. Undecided if it is flat for some; contradicted if it falls and rises."""
    found = _frame(results, "4_5_polysemanticity", "trends")
    for model in MODELS:
        ours = _of(found, model=model)
        words = np.select([ours["high"] < 0, ours["low"] > 0], ["falls", "rises"], "flat")
        seen = pd.Series(words).value_counts()
        said = _said(not {"falls", "rises"} <= set(seen.index), len(seen) > 0)
        listed = ", ".join(f"{word} in {count}" for word, count in seen.items())
        yield f"{model} {listed}", "undecided" if said == "holds" and len(seen) > 1 else said


def f14_gtzan(results: Results) -> Parts:
    """On GTZAN at K = 5, no block's share of uninterpretable units exceeds 20 % at tau = 4, by 95 % intervals; at tau =
    5 the trend over depth falls for AST and is flat for BEATs-frozen."""
    title = results.get("4_5_polysemanticity", {}).get("title", "no page 4_5_polysemanticity")
    if "GTZAN" not in title:
        raise Untestable(f"What is probed is not GTZAN's music: {title}")
    found, shares = (_frame(results, "4_5_polysemanticity", name) for name in ("trends", "shares"))
    share, low, high = _of(shares, k=5, tau=4)[["share", "share_low", "share_high"]].max()
    yield f"highest share {_spelt(share, low, high, '.1%')}", verdict(0.2 - high, 0.2 - low)
    yield from _over_depth(_of(found, k=5, tau=5))


def f8a_loud(results: Results) -> Parts:
    """The highest clips of AST's neurons with "loud" have larger amplitudes than those of the others: 95 % intervals
    over neurons and over sources lie above 0, with captions that measure nothing, for what is measured is circular."""
    yield _contrast(_word(results, "loud"))


def f8b_high_pitched(results: Results) -> Parts:
    """As for "loud", with "high-pitched" and median frequency; and the share of pairs in which a neuron with the word
    exceeds one without is lower than for "loud", by intervals that do not meet."""
    high = _word(results, "high-pitched")
    yield _contrast(high)
    loud = _word(results, "loud")
    yield f"less markedly, {high['share']:.0%} of pairs and {loud['share']:.0%}", _apart(loud, high, "share")


def _word(results: Results, word: str) -> pd.Series:
    """Figure 8's row of a word, where no description holds what is measured."""
    rows = _of(_frame(results, "appendix_c_acoustics", "acoustics"), model="ast", word=word)
    rows = rows[~rows["descriptions"].str.contains("measured")]
    if not rows["with"].sum():
        raise Untestable(f"No neuron has {word!r} but by captions that measure it, which is circular")
    return rows.iloc[0]


def _contrast(row: pd.Series) -> tuple[str, str]:
    low, high = min(row["low"], row["source_low"]), max(row["high"], row["source_high"])
    words = f"{row['with']} neurons with {row['word']!r}, difference {_spelt(row['difference'], low, high, '+.3g')}"
    return words, verdict(low, high)


def t7_cubed_best_db(results: Results) -> Parts:
    """For AST, no similarity function is above cos_cubed with DB in top-1, top-5 or cosine (all clips)."""
    ours = _of(_frame(results, "4_1_last_layer", "last_layer"), model="ast", method="DB", condition="all clips")
    values = ours.set_index("function")[MEASURED].astype(float).round(4)
    if "cos_cubed" not in values.index:
        raise Untestable("The page 4_1_last_layer has no cos_cubed for AST")
    yield _listed(values), _said((values.loc["cos_cubed"] >= values.max()).all(), values.notna().all(axis=None))


RULES = {claim["id"]: globals()[claim["id"]] for claim in paper.numbers()["claims"]}
