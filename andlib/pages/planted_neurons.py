"""Planted neurons: units made of a known truth and noise, so that every method's answer is right or wrong.

Table 3 asks people how well descriptions fit units of middle layers, of which nobody knows what they respond to. Here
u of a unit is what is true of each clip, plus noise; `planted.toml` says which words are then right.
"""

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import combinations

import numpy as np
import pandas as pd

from andlib import asking, concepts, language, paths, stages
from andlib.activations import dead_units, highest
from andlib.descriptions import clip_descriptions
from andlib.llms import prompts
from andlib.pages.truth import HOLDS, truths
from andlib.run import Run
from andlib.similarity import FUNCTIONS
from andlib.store import Stage
from andlib.tagging import tag

PLANTED = Stage("planted", "frame", 2)
ATTRIBUTES = tomllib.loads((paths.PACKAGE / "planted.toml").read_text(encoding="utf-8"))
NOISES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, np.inf)  # deviation of the noise, in deviations of the truth
SEEDS, PAIRS = 3, 10  # layers at each noise; conjunctions and pairs in each
TIES = 1e-4  # deviation of what orders clips of equal truth where there is no noise


def detectors(true: pd.DataFrame, seed: int) -> Iterator[tuple[str, tuple[str, ...], np.ndarray]]:
    """Kind, truths and signal [clips] of every unit of a layer.

    Each truth alone, 0 or 1; conjunctions of a class and a level (the lesser of the two truths); pairs of unrelated
    classes (the greater); and a dead unit.
    """
    from andlib.mini.synthesis import CONFUSABLE

    for name in true:
        yield ATTRIBUTES.get(name, {"kind": "class"})["kind"], (name,), (true[name] >= HOLDS).to_numpy(float)
    classes, rng = [name for name in true if name not in ATTRIBUTES], np.random.default_rng(seed)
    both = [(name, level) for name in classes for level in ("loud", "quiet")]
    pairs = [pair for pair in combinations(classes, 2) if not {pair, pair[::-1]} & set(CONFUSABLE)]
    for kind, choice, combine in (("conjunction", both, np.minimum), ("polysemantic pair", pairs, np.maximum)):
        for i in rng.choice(len(choice), min(PAIRS, len(choice)), replace=False):
            yield kind, choice[i], combine(*true[list(choice[i])].to_numpy().T)
    yield "dead", (), np.zeros(len(true))


def activations(signals: np.ndarray, noise: float, seed: int) -> np.ndarray:
    """u, float32 [clips, units]: signals [clips, units] in their deviations over clips, plus noise of that deviation.

    Without noise chance orders clips of equal truth; inf leaves noise alone. A dead unit stays 0, whatever the noise.
    """
    alive, drawn = signals.std(0) > 0, np.random.default_rng([seed, 1]).standard_normal(signals.shape)
    clean = (signals - signals.mean(0)) / np.where(alive, signals.std(0), 1)
    return np.where(alive, drawn if np.isinf(noise) else clean + max(noise, TIES) * drawn, 0).astype(np.float32)


def with_concepts(run: Run) -> Run:
    """The same run with ESC-50's names and every attribute's concept for its concept set."""
    attributes = tuple(attribute["concept"] for attribute in ATTRIBUTES.values())
    return run.using(concepts=(*concepts.ESC50, *attributes))


def planted_neurons(run: Run) -> pd.DataFrame:
    """Every planted neuron, described as `stages.neurons` describes a network's; one row a unit.

    Columns: noise, seed, kind, truths, dead; for each closed method, similarity function and concept set (`own`, for
    its kind; `joint`) the three best concepts, all units of one noise and seed being a layer; high, low, calibrated,
    adjectives, nouns; ICL's where a language model answered for all. A dead unit's explanations are empty.
    """
    run = with_concepts(run)
    texts = clip_descriptions(run)
    plan = [ATTRIBUTES, NOISES, SEEDS, PAIRS, TIES, HOLDS]
    answers = [run.answerer, getattr(run.language_model, "revision", run.completions.kept)]

    def make() -> pd.DataFrame:
        return described(run, truths(run), texts, NOISES, SEEDS)

    return run.store.get(PLANTED, [run.probing_set, run.profile.seconds, texts, run.method, answers, plan], make)


def described(run: Run, true: pd.DataFrame, texts: Sequence[str], noises: Sequence[float], seeds: int) -> pd.DataFrame:
    """`planted_neurons` for truths [clips, truths] of clips with these texts, at these noises, in so many seeds."""
    from andlib.mini.consensus import Consensus

    p = {"TAB": stages.sound_similarity(run), "DB": stages.concept_similarity(run, texts)}
    summariser, layers = Consensus(texts), []
    for noise, seed in ((noise, seed) for noise in noises for seed in range(seeds)):
        kinds, named, signals = zip(*detectors(true, seed), strict=True)
        u = activations(np.stack(signals, 1), noise, seed)
        layer = {"noise": noise, "seed": seed, "kind": kinds, "truths": named, "dead": dead_units(u)}
        for method, f in ((method, f) for method in p for f in FUNCTIONS):
            best = {part: _best(run, method, f, u, p[method], part) for part in ("names", "attributes", "joint")}
            own = [best[_set_of(kind)][i] for i, kind in enumerate(kinds)]
            layer |= {f"{method}/{f}/own": own, f"{method}/{f}/joint": best["joint"]}
        layer |= {side: summariser.summaries(highest(s * u, run.k)) for side, s in (("high", 1), ("low", -1))}
        layers.append(pd.DataFrame(layer))
    table = _chosen(run, stages.concluded(run, pd.concat(layers, ignore_index=True)))
    given = [name for name in table if name in ("high", "low", "calibrated", "adjectives", "nouns") or "/" in name]
    for name in given:
        table[name] = [() if dead else value for dead, value in zip(table["dead"], table[name], strict=True)]
    return table[["noise", "seed", "kind", "truths", "dead", *given]]


def _set_of(kind: str) -> str:
    return {"class": "names", "polysemantic pair": "names", "conjunction": "joint"}.get(kind, "attributes")


def _best(run: Run, method: str, function: str, u: np.ndarray, p: np.ndarray, part: str) -> list[list[str]]:
    names = len(run.concepts) - len(ATTRIBUTES)
    where = {"names": slice(names), "attributes": slice(names, None), "joint": slice(None)}[part]
    best = concepts.ranked(stages.closed_scores(run, method, function, u, p[:, where], hidden=True), 3)
    return [[run.concepts[where][j] for j in row] for row in best]


def _chosen(run: Run, table: pd.DataFrame) -> pd.DataFrame:
    """Adds ICL's concepts where every question has an answer; a run without a language model reads kept ones."""
    chats = [prompts.choice(run.concepts, points, 1) for points in table["calibrated"]]
    given = asking.ask(run, chats, prompts.CHOICE_SAMPLING, "choices")
    ranked = {} if None in given else {"ICL/1-shot/joint": [prompts.ranked(a.text, run.concepts)[:3] for a in given]}
    return table.assign(**ranked)


def judged(table: pd.DataFrame) -> pd.DataFrame:
    """Which truths each method finds, one row a living unit and method: noise, seed, kind, truth, method, function,
    concepts (the concept set), found, three, share.

    A closed method finds a truth if it ranks it first (found) or among its three best (three); two truths, if both are
    among the three. Summaries and open concepts find what they say, wherever. share: of the unit's truths, those found
    so.
    """
    rows = []
    for unit in table[~table["dead"]].to_dict("records"):
        names, of = tuple(unit["truths"]), {name: unit[name] for name in ("noise", "seed", "kind")}
        right = [ATTRIBUTES.get(name, {"concept": name})["concept"] for name in names]
        answered = {}
        for column in (name for name in unit if "/" in name):
            held = [concept in unit[column] for concept in right]
            answered[tuple(column.split("/"))] = held, list(unit[column][:1]) == right if len(right) == 1 else all(held)
        for method, column in (("summary", "high"), ("calibrated", "calibrated")):
            held = [any(states(point, name) for point in unit[column]) for name in names]
            answered[method, "", ""] = held, all(held)
        held = [_say({*unit["adjectives"], *unit["nouns"]}, name) for name in names]
        answered["open concepts", "", ""] = held, all(held)
        for by, (held, found) in answered.items():
            of |= dict(zip(("method", "function", "concepts"), by, strict=True))
            rows.append({**of, "truth": " + ".join(names), "found": found, "three": all(held), "share": np.mean(held)})
    return pd.DataFrame(rows)


def _say(words: Iterable[str], truth: str) -> bool:
    if truth in ATTRIBUTES:
        return bool(set(ATTRIBUTES[truth]["words"].split()) & set(words))
    return language.names_class(words, truth)


@lru_cache(maxsize=1 << 16)
def states(text: str, truth: str) -> bool:
    """Whether a text says a truth, in any of its words; a class also by a verb that is its own."""
    if truth in ATTRIBUTES:
        return _say((token.word.lower() for token in tag(text) if not token.negated), truth)
    return language.mentions(text, truth)


def captioned(run: Run) -> pd.DataFrame:
    """How often captions say a truth of the clips it holds for, and of the others; one row a truth: kind, truth, clips,
    said, elsewhere."""
    true, texts, rows = truths(run), clip_descriptions(run), []
    for kind, [name], signal in (unit for unit in detectors(true, 0) if len(unit[1]) == 1):
        said, holds = np.array([states(text, name) for text in texts]), signal == 1
        of = {"kind": kind, "truth": name, "clips": int(holds.sum())}
        rows.append({**of, "said": said[holds].mean(), "elsewhere": said[~holds].mean()})
    return pd.DataFrame(rows)
