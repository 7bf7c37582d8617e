"""Whether what a neuron's highest clips are said to sound like belongs together: clusters and chance (Section 4.5).

sentence_clusters ─► interpretability (share of uninterpretable units, beside chance) ─► trends"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Int
from scipy import stats

from andlib import descriptions, encoders, paper, responses, stages
from andlib.activations import dead_units, highest
from andlib.errors import InputError
from andlib.run import Run
from andlib.statistics import holm, rank_correlation
from andlib.store import Stage

CONTROLS = ("beats_supervised", "beats_untrained")  # further lines, where the profile has them
CLUSTERS = Stage("clusters", "arrays", 3)
SEED, DRAWS, RESAMPLED = 0, 50_000, 19_999
DEFAULTS = {"clusters": 11, "tau": 4}  # the paper's: of Table 8 and of Figure 6
STARTS = 50  # of K-means, the best of which is kept; with 5, last digits of the vectors decided the clusters
ELBOW = range(2, 21)  # numbers of clusters tried
TABLE_8 = [size for size, _ in paper.numbers()["table8_clusters"]["captions_and_sentences"]]  # captions in each cluster


@dataclass(frozen=True)
class Clusters:
    """K-means clusters of all sentences of D_d, the largest first.

    sentences: the distinct ones. label: cluster of each. distance: to its centre, in [0, 2]. times: how often it is
    said. counts: int [clips, clusters], how many sentences of each description fall into each cluster."""

    sentences: list[str]
    label: np.ndarray
    distance: np.ndarray
    times: np.ndarray
    counts: np.ndarray


def sentences(text: str) -> list[str]:
    """The sentences of a description, cut behind full stops, exclamation and question marks."""
    return [sentence for sentence in re.split(encoders.ENDS[0], text.strip()) if sentence]


def clips_of(run: Run, classes: int = 0) -> np.ndarray:
    """Indices of the clips of the first so many classes by the set's numbering; of all by default."""
    return np.flatnonzero(run.probing_set.labels < (classes or len(run.probing_set.classes)))


def _sentences(run: Run, where: np.ndarray) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Distinct sentences of the descriptions of the clips `where`, their vectors, and [clips, sentences] counts."""
    by_clip = [sentences(text) for text in descriptions.clip_descriptions(run)]
    everything = sorted({sentence for clip in by_clip for sentence in clip})
    row = {sentence: i for i, sentence in enumerate(everything)}
    times = np.zeros((len(where), len(everything)), np.int16)
    for clip, counted in zip(where, times, strict=True):
        for sentence in by_clip[clip]:
            counted[row[sentence]] += 1
    kept = np.flatnonzero(times.any(0))
    vectors = stages.embeddings(run, everything, run.profile.encoder)  # of all, so that a part needs no encoder
    return [everything[i] for i in kept], vectors[kept], times[:, kept]


def _nearest(run: Run, texts: Sequence[str], vectors: np.ndarray, weights: np.ndarray, clusters: int):
    """Each sentence's cluster, the largest being 0, and its distance to the centre; each [sentences]."""

    def make():
        from sklearn.cluster import KMeans
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):  # more threads add up in any order: other last digits
            fitted = KMeans(clusters, n_init=STARTS, random_state=SEED).fit(vectors, sample_weight=weights)
        largest = np.argsort(-np.bincount(fitted.labels_, weights, clusters), kind="stable")
        return {"centres": fitted.cluster_centers_[largest]}

    made_from = [encoders.fingerprint(run.profile.encoder), texts, weights, clusters, STARTS, SEED]
    centres = run.store.get(CLUSTERS, made_from, make)["centres"]
    distance = np.linalg.norm(vectors[:, None] - centres, axis=2)
    return distance.argmin(1), distance.min(1)


def sentence_clusters(run: Run, clusters: int = 11, classes: int = 0) -> Clusters:
    """The clusters of Table 8: K-means over the vectors of all sentences, each as often as it is said, seeded.

    classes: as for `clips_of`. Raises InputError if there are fewer distinct sentences than clusters."""
    texts, vectors, times = _sentences(run, clips_of(run, classes))
    if not 1 <= clusters <= len(texts):
        raise InputError(f"Parameter clusters is {clusters}; expected 1 to {len(texts)}, the number of sentences.")
    label, distance = _nearest(run, texts, vectors, times.sum(0), clusters)
    return Clusters(texts, label, distance, times.sum(0), times @ np.eye(clusters, dtype=np.int16)[label])


def elbow(run: Run) -> pd.DataFrame:
    """The elbow method: inertia, the weighted sum of squared distances to centres, by number of clusters.

    Columns: clusters, inertia, elbow: the number whose point lies furthest below the line from first to last."""
    texts, vectors, times = _sentences(run, clips_of(run))
    tried = [clusters for clusters in ELBOW if clusters <= len(texts)]
    distances = (_nearest(run, texts, vectors, times.sum(0), clusters)[1] for clusters in tried)
    inertia = np.array([times.sum(0) @ distance**2 for distance in distances])
    below = np.linspace(inertia[0], inertia[-1], len(tried)) - inertia
    return pd.DataFrame({"clusters": tried, "inertia": inertia, "elbow": np.arange(len(tried)) == below.argmax()})


def cluster_table(groups: Clusters, nearest: int = 3) -> pd.DataFrame:
    """Table 8 in words, one row a cluster: its captions (descriptions with a sentence in it) and sentences, and the
    sentences nearest its centre."""
    order = np.argsort(groups.distance, kind="stable")
    clusters = range(groups.counts.shape[1])
    texts = [" · ".join([groups.sentences[i] for i in order if groups.label[i] == c][:nearest]) for c in clusters]
    sizes = {"captions": (groups.counts > 0).sum(0), "sentences": groups.counts.sum(0)}
    return pd.DataFrame({"cluster": [c + 1 for c in clusters], **sizes, "nearest": texts})


def cluster_words(groups: Clusters) -> dict[str, Counter]:
    """How often each word is said in each cluster, without stop words: the word clouds of Table 8."""
    from wordcloud import STOPWORDS

    words = [Counter() for _ in groups.counts.T]
    for sentence, label, times in zip(groups.sentences, groups.label, groups.times, strict=True):
        for word in re.findall(r"[a-z][a-z'-]*", sentence.lower()):
            if word not in STOPWORDS:
                words[label][word] += int(times)
    titles = (f"{row.cluster} ({row.captions} / {row.sentences})" for row in cluster_table(groups).itertuples())
    return dict(zip(titles, words, strict=True))


def most_in_a_cluster(counts: Int[np.ndarray, "clips clusters"], clips: Int[np.ndarray, "k units"]) -> np.ndarray:
    """How many of each unit's clips share a cluster, at most; int [units]. A unit is interpretable if that is tau."""
    return (counts > 0)[clips].sum(0, dtype=np.int16).max(1)


def intersection(counts: Int[np.ndarray, "clips clusters"], clips: Int[np.ndarray, "k units"]) -> np.ndarray:
    """|C_1 & ... & C_K| of Algorithm 1 as printed: the multisets of the clips' clusters, intersected; int [units]."""
    return counts[clips].min(0).sum(1)


def random_clips(clips: int, k: int, draws: int, rng: np.random.Generator) -> Int[np.ndarray, "k draws"]:
    """k different clips at random for each draw, every set of k as likely as another (Floyd's algorithm)."""
    chosen = np.empty((k, draws), int)
    for i, last in enumerate(range(clips - k, clips)):
        tried = rng.integers(0, last + 1, draws)
        chosen[i] = np.where((chosen[:i] == tried).any(0), last, tried)
    return chosen


def chance_by_sizes(sizes: Sequence[int], clips: int, k: int, tau: int) -> float:
    """Share of interpretable units among units whose K clips are drawn at random, known cluster sizes alone.

    sizes: descriptions in each cluster, of `clips`. Takes clips as independent draws and memberships of a clip as
    independent between clusters: 1 - prod_c P(Binomial(K, sizes_c / clips) < tau)."""
    return float(1 - np.prod(stats.binom.cdf(tau - 1, k, np.asarray(sizes) / clips)))


def _readings(counts: np.ndarray, clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return most_in_a_cluster(counts, clips), intersection(counts, clips)


def _below(readings: tuple[np.ndarray, np.ndarray], tau: int, name: str) -> dict[str, float]:
    """Share of units that do not reach tau by the text, with its 95 % interval (Jeffreys), and by Algorithm 1."""
    text, printed = (reading < tau for reading in readings)
    low, high = stats.beta.ppf([0.025, 0.975], text.sum() + 0.5, (~text).sum() + 0.5)
    ends = {f"{name}_low": min(low, text.mean()), f"{name}_high": max(high, text.mean())}
    return {name: text.mean(), **ends, f"{name}_printed": printed.mean()}


def interpretability(run: Run, clusters: int = 11, tau: int = 4, classes: int = 0) -> pd.DataFrame:
    """Figs 6, 11-13: share of uninterpretable units by block, for the run's K and tau and all of the paper's.

    One row a model, block (from 1), K and tau. Columns: units (that react at all), dead (that do not); share,
    share_low, share_high (interval over units) by the text's reading, share_printed by Algorithm 1's; and chance,
    chance_low, chance_high, chance_printed: the same of units whose clips are drawn at random.
    classes: as for `clips_of`. Raises InputError unless 1 <= tau <= K, and K clips are there."""
    where = clips_of(run, classes)
    if not 1 <= tau <= run.k <= len(where):
        raise InputError(f"Parameter tau is {tau} and k is {run.k}; expected 1 <= tau <= k <= {len(where)} clips.")
    counts, rng = sentence_clusters(run, clusters, classes).counts, np.random.default_rng(SEED)
    printed = paper.numbers()["figures"]["6_11_12_13_uninterpretable"]["tau"]
    taus = {int(k): set(taus) for k, taus in printed.items() if int(k) <= len(where)}
    taus.setdefault(run.k, set()).add(tau)
    blocks = [(model, *block) for model in run.beside(*CONTROLS) for block in _blocks(run, model, where, max(taus))]
    rows = []
    for k in sorted(taus):
        chance = _readings(counts, random_clips(len(where), k, DRAWS, rng))
        for model, block, clips, dead in blocks:
            ours = _readings(counts, clips[:k])
            unit = {"model": model, "block": block, "units": clips.shape[1], "dead": dead, "k": k}
            for t in sorted(taus[k]):
                rows.append({**unit, "tau": t, **_below(ours, t, "share"), **_below(chance, t, "chance")})
    return pd.DataFrame(rows).sort_values(["k", "tau"], kind="stable", ignore_index=True)


def _blocks(run: Run, model: str, where: np.ndarray, k: int):
    """Of each block: its number, the k highest clips (rows of `where`) of its units that react, and how many do not."""
    by_block: dict[str, list[np.ndarray]] = {}
    activations = responses.unit_activations(run, model)
    for layer in run.target(model).layers:
        if layer.hidden:
            by_block.setdefault(layer.name.split(".")[0], []).append(activations[layer.name][where])
    for number, layers in enumerate(by_block.values(), 1):
        u = np.concatenate(layers, 1)
        dead = dead_units(u)
        yield number, highest(u[:, ~dead], k), int(dead.sum())


def wide(shown: pd.DataFrame) -> pd.DataFrame:
    """Figure 6 as a table, one row a model: the share of each block, and means of Algorithm 1's reading and of chance.

    shown: `interpretability` at one K and tau."""
    shares = shown.pivot(index="model", columns="block", values="share").rename(columns="block {}".format)
    means = shown.groupby("model")[["share_printed", "chance", "chance_printed"]].mean()
    means.columns = ["all, Algorithm 1", "chance", "chance, Algorithm 1"]
    return shares.join(means).reset_index()


def trends(rows: pd.DataFrame) -> pd.DataFrame:
    """Whether the share of uninterpretable units falls with depth, one row a model, K and tau of `interpretability`.

    Columns: first, last (shares of those blocks); rho (`rank_correlation`), low, high (95 %, each block's share drawn
    from its Jeffreys posterior); p (two-sided, which unit is in which block permuted); holm (p, for all rows given);
    verdict: falls or rises if the interval leaves out 0, flat if it holds 0."""
    tested = []
    for (model, k, tau), ours in rows.groupby(["model", "k", "tau"], sort=False):
        rng = np.random.default_rng(SEED)  # anew, so that a row's verdict does not depend on the rows beside it
        units, share = ours["units"].to_numpy(), ours["share"].to_numpy()
        count = np.rint(units * share).astype(int)
        rho = rank_correlation(count, units)
        likely = units * rng.beta(count + 0.5, units - count + 0.5, (RESAMPLED, len(units)))
        low, high = np.quantile(rank_correlation(likely, units), [0.025, 0.975])
        permuted = rank_correlation(rng.multivariate_hypergeometric(units, count.sum(), RESAMPLED), units)
        p = (1 + (np.abs(permuted) >= abs(rho) - 1e-12).sum()) / (1 + RESAMPLED)
        row = {"model": model, "k": k, "tau": tau, "first": share[0], "last": share[-1], "rho": float(rho)}
        verdict = "falls" if high < 0 else "rises" if low > 0 else "flat"
        tested.append(row | {"low": low, "high": high, "p": p, "verdict": verdict})
    table = pd.DataFrame(tested)
    table.insert(table.columns.get_loc("verdict"), "holm", holm(table["p"]))
    return table


def settings(tested: pd.DataFrame) -> pd.DataFrame:
    """Verdicts of `trends`, one row a K and tau, a column a model."""
    named = tested.assign(setting="K = " + tested["k"].astype(str) + ", τ = " + tested["tau"].astype(str))
    verdicts = named.pivot(index="setting", columns="model", values="verdict")
    return verdicts.loc[named["setting"].unique()].reset_index()


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """What claims and exhibits read of this page; numbers: in one row, what is probed, the elbow, and the highest share
    of a block by the first ten classes at K = 5 and tau = 4."""
    own, bends = {name: run.extra.get(name, default) for name, default in DEFAULTS.items()}, elbow(run)
    rows, ten = interpretability(run, **own), interpretability(run, **own, classes=10)
    numbers = {"title": run.profile.title, "bend": int(bends.loc[bends["elbow"], "clusters"].iloc[0])}
    numbers |= {"few": min(10, len(run.probing_set.classes))}
    numbers |= {"most_few": ten.loc[(ten["k"] == 5) & (ten["tau"] == 4), "share"].max()}
    return {"shares": rows, "trends": trends(rows), "numbers": pd.DataFrame([numbers])}
