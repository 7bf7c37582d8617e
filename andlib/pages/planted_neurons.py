"""Planted neurons: units made of a known truth and noise, so that every method's answer is right or wrong.

u of a unit is what is true of each clip, plus noise; `planted.toml` says which words are then right."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import product

import numpy as np
import pandas as pd

from andlib import asking, concepts, language, paper, stages
from andlib.activations import choose
from andlib.descriptions import clip_descriptions
from andlib.llms import prompts
from andlib.pages.truth import ATTRIBUTES, HOLDS, PAIRS, TIES, activations, detectors, truths
from andlib.pages.wording import by_model
from andlib.run import Run
from andlib.similarity import FUNCTIONS
from andlib.store import Stage
from andlib.tagging import tag

PLANTED = Stage("planted", "frame", 3)
NOISES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, np.inf)  # deviation of the noise, in deviations of the truth
SEEDS = 3  # layers at each noise
SAID = (("summary", "high"), ("calibrated", "calibrated"))  # method -> column of its points
SETS = {"class": "names", "polysemantic pair": "names", "conjunction": "joint"}  # kind -> its concepts; else attributes


def with_concepts(run: Run) -> Run:
    """The same run with ESC-50's names and every attribute's concept for its concept set."""
    attributes = tuple(attribute["concept"] for attribute in ATTRIBUTES.values())
    return run.using(concepts=(*concepts.ESC50, *attributes))


def planted_neurons(run: Run) -> pd.DataFrame:
    """Every planted neuron, described as `stages.neurons` describes a network's; those of one noise and seed, a layer.

    Columns noise, seed, kind, truths, dead; high, low, calibrated, adjectives, nouns; three best concepts by method,
    function and set (own, for its kind, or joint), ICL's where a model answered for all. Dead units have none."""
    run = with_concepts(run)
    texts = clip_descriptions(run)
    plan = [ATTRIBUTES, NOISES, SEEDS, PAIRS, TIES, HOLDS]
    answers = [run.answerer, getattr(run.language_model, "revision", run.completions.kept)]
    made_from = [run.probing_set, run.profile.seconds, texts, run.method, answers, plan]
    return run.store.get(PLANTED, made_from, lambda: described(run, truths(run), texts, NOISES, SEEDS))


def described(run: Run, true: pd.DataFrame, texts: Sequence[str], noises: Sequence[float], seeds: int) -> pd.DataFrame:
    """`planted_neurons` for truths [clips, truths] of clips with these texts, at these noises, in so many seeds."""
    from andlib.mini.consensus import Consensus

    p = {"TAB": stages.sound_similarity(run), "DB": stages.concept_similarity(run, texts)}
    summariser, layers = Consensus(texts), []
    for noise, seed in product(noises, range(seeds)):
        kinds, named, signals = zip(*detectors(true, seed), strict=True)
        u = activations(np.stack(signals, 1), noise, seed)
        layer = {"noise": noise, "seed": seed, "kind": kinds, "truths": named, "dead": (u == u[0]).all(0)}
        for method, f in product(p, FUNCTIONS):
            best = {part: _best(run, method, f, u, p[method], part) for part in ("names", "attributes", "joint")}
            own = [best[SETS.get(kind, "attributes")][i] for i, kind in enumerate(kinds)]
            layer |= {f"{method}/{f}/own": own, f"{method}/{f}/joint": best["joint"]}
        layer |= {side: summariser.summaries(choose(s * u, run.k).clips) for side, s in (("high", 1), ("low", -1))}
        layers.append(pd.DataFrame(layer))
    table = stages.concluded(run, pd.concat(layers, ignore_index=True))
    chats = [prompts.choice(run.concepts, points, 1) for points in table["calibrated"]]
    answers = asking.ask(run, chats, prompts.CHOICE_SAMPLING, "choices")
    if None not in answers:  # a run without a language model reads kept ones
        table["ICL/1-shot/joint"] = [prompts.ranked(answer.text, run.concepts)[:3] for answer in answers]
    given = [name for name in table if name in ("high", "low", "calibrated", "adjectives", "nouns") or "/" in name]
    for name in given:
        table[name] = [() if dead else value for dead, value in zip(table["dead"], table[name], strict=True)]
    return table[["noise", "seed", "kind", "truths", "dead", *given]]


def _best(run: Run, method: str, function: str, u: np.ndarray, p: np.ndarray, part: str) -> list[list[str]]:
    names = len(run.concepts) - len(ATTRIBUTES)
    where = {"names": slice(names), "attributes": slice(names, None), "joint": slice(None)}[part]
    best = concepts.ranked(stages.closed_scores(run, method, function, u, p[:, where], hidden=True), 3)
    return [[run.concepts[where][j] for j in row] for row in best]


def judged(table: pd.DataFrame) -> pd.DataFrame:
    """Which truths each method finds, one row a living unit, method, function and concept set (concepts).

    A closed method finds a truth if it ranks it first (found) or among its three best (three); two truths, if both are
    among the three. Summaries and open concepts find what they say, wherever. share: of the unit's truths, found so."""
    rows = []
    for unit in table[~table["dead"]].to_dict("records"):
        names = unit["truths"]
        about = (unit["noise"], unit["seed"], unit["kind"], " + ".join(names))
        right = [ATTRIBUTES.get(name, {"concept": name})["concept"] for name in names]
        for column in (name for name in unit if "/" in name):
            among = [concept in unit[column] for concept in right]
            first = list(unit[column][:1]) == right if len(right) == 1 else all(among)
            rows.append((*about, *column.split("/"), first, all(among), np.mean(among)))
        said = {method: [any(states(point, name) for point in unit[side]) for name in names] for method, side in SAID}
        said["open concepts"] = [_say({*unit["adjectives"], *unit["nouns"]}, name) for name in names]
        for method, among in said.items():
            rows.append((*about, method, "", "", all(among), all(among), np.mean(among)))
    columns = ["noise", "seed", "kind", "truth", "method", "function", "concepts", "found", "three", "share"]
    return pd.DataFrame(rows, columns=columns)


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
    """How often captions say a truth where it holds, and elsewhere; columns kind, truth, clips, said, elsewhere."""
    texts, rows = clip_descriptions(run), []
    for kind, [name], signal in (unit for unit in detectors(truths(run), 0) if len(unit[1]) == 1):
        states_it, holds = np.array([states(text, name) for text in texts]), signal == 1
        rows.append((kind, name, int(holds.sum()), states_it[holds].mean(), states_it[~holds].mean()))
    return pd.DataFrame(rows, columns=["kind", "truth", "clips", "said", "elsewhere"])


def stated(in_captions: pd.DataFrame) -> set[str]:
    """The truths that at least half of the captions say, where they hold: a summary tells what half of them share."""
    return set(in_captions.loc[in_captions["said"] >= 0.5, "truth"])


def by_best_function(every: pd.DataFrame, in_captions: pd.DataFrame) -> pd.DataFrame:
    """The rows of `judged` by the function with which each method finds most stated truths of the own kind without
    noise, sorted by kind; column by: the method and its concept set."""
    clean = (every["noise"] == 0) & every["truth"].isin(stated(in_captions)) & (every["concepts"] != "joint")
    shares = every[clean].groupby(["method", "function"], sort=False)["found"].mean()
    best = {method: share.idxmax()[1] for method, share in shares.groupby("method", sort=False)} | {"ICL": "1-shot"}
    rows = every[every["function"] == every["method"].map(best)]
    rows = rows.assign(by=rows["method"] + rows["concepts"].map({"own": " (own)", "joint": " (joint)", "": ""}))
    order = [*dict.fromkeys(["class", *(attribute["kind"] for attribute in ATTRIBUTES.values()), *rows["kind"]])]
    return rows.sort_values("kind", key=lambda kinds: kinds.map(order.index), kind="stable")


def with_and_without_noise(rows: pd.DataFrame) -> pd.DataFrame:
    """Share found (%) without noise, and by noise alone; a row a kind, a column a method. rows: `by_best_function`."""
    shares = rows.groupby(["kind", "by", "noise"], sort=False)["found"].mean().unstack("noise")
    cells = (100 * shares).map("{:.0f}".format)
    first = ["calibrated", "DB (own)", "TAB (own)"]  # what the paper's claim compares
    methods = sorted(rows["by"].unique(), key=lambda name: first.index(name) if name in first else len(first))
    cells = (cells[0.0] + " (" + cells[np.inf] + ")").unstack("by")[methods].loc[rows["kind"].unique()]
    cells["neurons"] = rows[(rows["noise"] == 0) & (rows["by"] == "summary")].groupby("kind").size()
    return cells.rename_axis(columns=None).reset_index()


def curves(rows: pd.DataFrame) -> pd.DataFrame:
    """Share found by kind, method and noise, but for the calibrated summary, which the open concepts are read from."""
    shown = rows[rows["by"] != "calibrated"].drop(columns="method").rename(columns={"by": "method"})
    return shown.groupby(["kind", "method", "noise"], sort=False)["found"].mean().reset_index()


def by_function(every: pd.DataFrame, in_captions: pd.DataFrame) -> pd.DataFrame:
    """Share found without noise, one row a method and similarity function, a column a group and concept set."""
    groups = {"conjunction": "conjunctions", "polysemantic pair": "pairs"}
    clean = every[(every["noise"] == 0) & every["method"].isin(["TAB", "DB"])]
    clean = clean[clean["truth"].isin(stated(in_captions)) | clean["kind"].isin(groups)]
    clean = clean.assign(group=clean["kind"].map(groups).fillna("single") + ", " + clean["concepts"])
    shares = clean.groupby(["method", "function", "group"], sort=False)["found"].mean().unstack("group")
    columns = ["single, own", "single, joint", "conjunctions, joint", "pairs, own", "pairs, joint"]
    return shares[columns].rename_axis(columns=None).reset_index()


def finders(rows: pd.DataFrame) -> dict[str, str]:
    """For each truth, the methods that find it without noise in more than half of the layers, or "none"."""
    shares = rows[rows["noise"] == 0].groupby(["truth", "by"], sort=False)["found"].mean()
    often = shares[shares > 0.5].reset_index().groupby("truth")["by"].agg(", ".join)
    return {truth: often.get(truth, "none") for truth in rows["truth"].unique()}


def attributes_found(rows: pd.DataFrame, in_captions: pd.DataFrame) -> pd.DataFrame:
    """The attributes of `captioned`, with their concepts, the words that say them, and by whom they are found."""
    sounds = in_captions[in_captions["kind"] != "class"]
    sounds = sounds.sort_values("truth", key=lambda names: names.map(list(ATTRIBUTES).index))
    about = {key: [ATTRIBUTES[name][key] for name in sounds["truth"]] for key in ("concept", "words")}
    return sounds.assign(by=sounds["truth"].map(finders(rows)), **about)


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """What `make results` keeps of this page."""
    every, in_captions = judged(planted_neurons(run)), captioned(run)
    rows = by_best_function(every, in_captions)
    kept = {"planted": with_and_without_noise(rows), "by_function": by_function(every, in_captions)}
    return kept | {"attributes_found": attributes_found(rows, in_captions)}


def words(run: Run, table: pd.DataFrame, rows: pd.DataFrame, in_captions: pd.DataFrame) -> dict[str, object]:
    """The numbers of the prose. table: `planted_neurons`; rows: `by_best_function`."""
    printed, known = paper.numbers()["table3_human_evaluation"], stated(in_captions)
    target = rows[rows["truth"].isin(known) & ~rows["kind"].isin(["conjunction", "polysemantic pair"])]
    target = target[target["noise"] == 0]
    classes, sounds = target[target["kind"] == "class"], target[target["kind"] != "class"]
    shares, finds = target.groupby("by", sort=False)["found"].mean(), finders(rows)
    best, dead = target[target["by"] == shares.idxmax()].groupby("truth")["found"].mean(), table[table["dead"]]
    functions = rows[["method", "function"]].drop_duplicates().to_numpy()
    noise = table.loc[np.isinf(table["noise"]) & ~table["dead"], ["adjectives", "nouns"]]
    left_out = "is left out: no language model was asked about planted neurons (`-p llm` asks one)"
    spoken = {f"paper_{name.lower()}": printed[name][0] for name in ("SUM", "DB", "TAB")}
    spoken |= {"title": run.profile.title, "layer": len(table) // (len(NOISES) * SEEDS), "seeds": SEEDS}
    spoken |= {"units": len(table), "names": len(concepts.ESC50), "attributes": len(ATTRIBUTES), "stated": len(known)}
    spoken["functions"] = ", ".join(f"{method} {function}" for method, function in functions if function)
    spoken |= {"icl": "was asked" if "ICL" in set(rows["method"]) else left_out, "best_method": shares.idxmax()}
    spoken |= {"truths": (in_captions["kind"] != "in no caption").sum(), "best_share": shares.max()}
    spoken |= {"every": _shares(target), "classes": _shares(classes), "sounds": _shares(sounds)}
    spoken |= {"joint": _shares(sounds[sounds["by"].str.contains("joint")]), "best_truths": (best > 0.5).sum()}
    spoken["false"] = 1 - (noise.map(len) == 0).all(axis=1).mean()
    spoken["lost"] = ", ".join(t for t in in_captions["truth"] if t in known and finds[t] == "none") or "none"
    named = sum(any(map(len, unit[5:])) for unit in dead.itertuples(index=False))
    return spoken | {"dead": len(dead), "dead_named": named}


def _shares(rows: pd.DataFrame) -> str:
    """Shares found by method: `TAB (own) 90%, summary 71%`."""
    return by_model(rows.groupby("by", sort=False)["found"].mean(), ".0%")
