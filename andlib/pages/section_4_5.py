"""Whether what a neuron's highest clips are said to sound like belongs together: clusters and chance (Section 4.5).

sentence_clusters ─► interpretability (share of uninterpretable units, beside chance) ─► trends

K-means has many nearly equal optima: all is measured by many partitions, every interval over units and partitions."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy
from jaxtyping import Int

from andlib import descriptions, encoders, paper, responses, stages
from andlib.activations import choose
from andlib.errors import InputError
from andlib.run import Run
from andlib.statistics import interval, rank_correlation, trend
from andlib.store import Stage

CONTROLS = ("beats_supervised", "beats_untrained")  # further lines, where the profile has them
CLUSTERS = Stage("clusters", "arrays", 4)
PARTITIONS = range(20)  # seeds of K-means, one start each; the vectors' last digits move none of them
SEED, DRAWS, LIKELY = 0, 2_500, 500  # both for each partition
ELBOW = range(2, 21)  # numbers of clusters tried
PARTS = {"all": 0, "deeper half": 0.5}  # of a network's blocks: those beyond this share of its depth
TABLE_8 = [size for size, _ in paper.numbers()["table8_clusters"]["captions_and_sentences"]]  # captions in each cluster


@dataclass(frozen=True)
class Clusters:
    """K-means partitions of all sentences of D_d, that of lowest inertia first, in each the largest cluster first.

    sentences: the distinct ones. times: how often each is said. label, distance: by each partition its cluster, and how
    far it is from the centre, in [0, 2]; [partitions, sentences]. counts: int [partitions, clips, clusters], how many
    sentences of each description fall into each cluster."""

    sentences: list[str]
    times: np.ndarray
    label: np.ndarray
    distance: np.ndarray
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
    everything = sorted(set().union(*by_clip))
    row, times = {text: i for i, text in enumerate(everything)}, np.zeros((len(where), len(everything)), np.int16)
    for clip, counted in zip(where, times, strict=True):
        np.add.at(counted, np.array([row[sentence] for sentence in by_clip[clip]], int), 1)
    kept = np.flatnonzero(times.any(0))
    vectors = stages.embeddings(run, everything, run.profile.encoder)  # of all, so that a part needs no encoder
    return [everything[i] for i in kept], vectors[kept], times[:, kept]


def _partitions(run: Run, texts: list[str], vectors: np.ndarray, weights: np.ndarray, clusters: int):
    """label and distance of `Clusters`."""

    def partition(seed: int) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.cluster import KMeans

        fitted = KMeans(clusters, n_init=1, random_state=seed).fit(vectors, sample_weight=weights)
        largest = np.argsort(-np.bincount(fitted.labels_, weights, clusters), kind="stable")
        distance = np.linalg.norm(vectors - fitted.cluster_centers_[fitted.labels_], axis=1)
        return np.argsort(largest)[fitted.labels_], distance

    def make():
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):  # more threads add up in any order: other last digits
            found = sorted(map(partition, PARTITIONS), key=lambda pair: pair[1] ** 2 @ weights)
        return dict(zip(("label", "distance"), map(np.array, zip(*found, strict=True)), strict=True))

    made_from = [encoders.fingerprint(run.profile.encoder), texts, weights, clusters, PARTITIONS]
    return run.store.get(CLUSTERS, made_from, make)


def sentence_clusters(run: Run, clusters: int = 11, classes: int = 0) -> Clusters:
    """Partitions as that of Table 8: K-means over the vectors of all sentences, each as often as it is said, seeded.
    classes: as for `clips_of`. Raises InputError if there are fewer distinct sentences than clusters."""
    texts, vectors, times = _sentences(run, clips_of(run, classes))
    if not 1 <= clusters <= len(texts):
        raise InputError(f"Parameter clusters is {clusters}; expected 1 to {len(texts)}, the number of sentences.")
    found = _partitions(run, texts, vectors, times.sum(0), clusters)
    falls_into = np.eye(clusters, dtype=np.float32)[found["label"]]  # whole numbers, which floats add up fast
    return Clusters(texts, times.sum(0), **found, counts=(times.astype(np.float32) @ falls_into).astype(np.int16))


def elbow(run: Run) -> pd.DataFrame:
    """The elbow method: inertia, lowest of all partitions, by number of clusters; columns clusters, inertia, elbow: the
    number whose point lies furthest below the line from first to last."""
    texts, vectors, times = _sentences(run, clips_of(run))
    tried, times = [clusters for clusters in ELBOW if clusters <= len(texts)], times.sum(0)
    distances = (_partitions(run, texts, vectors, times, clusters)["distance"] for clusters in tried)
    inertia = np.array([distance[0] ** 2 @ times for distance in distances])
    below = np.linspace(inertia[0], inertia[-1], len(tried)) - inertia
    return pd.DataFrame({"clusters": tried, "inertia": inertia, "elbow": np.arange(len(tried)) == below.argmax()})


def cluster_table(groups: Clusters, nearest: int = 3) -> pd.DataFrame:
    """Table 8 in words, by the partition of lowest inertia, one row a cluster: its captions (descriptions with a
    sentence in it) and sentences, and the sentences nearest its centre."""
    label, counts, order = groups.label[0], groups.counts[0], np.argsort(groups.distance[0], kind="stable")
    clusters = np.arange(counts.shape[1])
    texts = [" · ".join([groups.sentences[i] for i in order if label[i] == c][:nearest]) for c in clusters]
    sizes = {"captions": (counts > 0).sum(0), "sentences": counts.sum(0)}
    return pd.DataFrame({"cluster": clusters + 1, **sizes, "nearest": texts})


def cluster_words(groups: Clusters) -> dict[str, Counter]:
    """How often each word is said in each cluster of `cluster_table`, without stop words: its word clouds."""
    from wordcloud import STOPWORDS

    words = [Counter() for _ in groups.counts.T]
    for sentence, label, times in zip(groups.sentences, groups.label[0], groups.times, strict=True):
        for word in re.findall(r"[a-z][a-z'-]*", sentence.lower()):
            if word not in STOPWORDS:
                words[label][word] += int(times)
    titles = (f"{row.cluster} ({row.captions} / {row.sentences})" for row in cluster_table(groups).itertuples())
    return dict(zip(titles, words, strict=True))


def most_in_a_cluster(counts: Int[np.ndarray, "... clips clusters"], clips: Int[np.ndarray, "k units"]) -> np.ndarray:
    """How many of each unit's clips share a cluster, at most; int [..., units]. It is interpretable if that is tau."""
    return (counts > 0)[..., clips, :].sum(-3, dtype=np.int16).max(-1)


def intersection(counts: Int[np.ndarray, "... clips clusters"], clips: Int[np.ndarray, "k units"]) -> np.ndarray:
    """|C_1 & ... & C_K| of Algorithm 1 as printed: the multisets of the clips' clusters, intersected; [..., units]."""
    return counts[..., clips, :].min(-3).sum(-1)


def random_clips(clips: int, k: int, draws: int, rng: np.random.Generator) -> Int[np.ndarray, "k draws"]:
    """k different clips at random for each draw, every set of k as likely as another (Floyd's algorithm)."""
    chosen = np.empty((k, draws), int)
    for i, last in enumerate(range(clips - k, clips)):
        tried = rng.integers(0, last + 1, draws)
        chosen[i] = np.where((chosen[:i] == tried).any(0), last, tried)
    return chosen


def chance_by_sizes(sizes: Sequence[int], clips: int, k: int, tau: int) -> float:
    """Share of units with K random clips that are interpretable, from sizes (descriptions in each cluster, of `clips`)
    alone: 1 - prod_c P(Binomial(K, sizes_c / clips) < tau), as if draws and a clip's memberships were independent."""
    return float(1 - np.prod(scipy.stats.binom.cdf(tau - 1, k, np.asarray(sizes) / clips)))


def _readings(counts: np.ndarray, clips: np.ndarray) -> np.ndarray:
    """What is asked to reach tau, by the text and by Algorithm 1; int [2, ..., units]."""
    return np.stack([most_in_a_cluster(counts, clips), intersection(counts, clips)])


def _likely(counts: np.ndarray, of: int | np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shares that counts of so many leave likely: draws from Jeffreys' posterior; [..., LIKELY]."""
    return rng.beta(counts[..., None] + 0.5, (of - counts)[..., None] + 0.5, (*counts.shape, LIKELY))


def _ends(name: str, values: np.ndarray, likely: np.ndarray) -> dict[str, float]:
    """The mean over partitions, and the 95 % interval of what any makes likely, which holds that of their values."""
    low, high = zip(interval(likely), interval(values), strict=True)
    return {name: values.mean(), f"{name}_low": min(low), f"{name}_high": max(high)}


def _share(name: str, below: np.ndarray, rng: np.random.Generator) -> tuple[dict, np.ndarray, np.ndarray]:
    """Columns of the share of units below tau, that by partition, and what is likely. below: [2, partitions, units]."""
    (share, printed), likely = below.mean(-1), _likely(below[0].sum(-1), below.shape[-1], rng)
    ends = {f"{name}_least": share.min(), f"{name}_most": share.max(), f"{name}_printed": printed.mean()}
    return _ends(name, share, likely) | ends, share, likely


def interpretability(run: Run, clusters: int = 11, tau: int = 4, classes: int = 0) -> pd.DataFrame:
    """Figs 6, 11-13: share of uninterpretable units, by model, block (from 1), K and tau, the run's and the paper's.

    units, dead (left out, see `_blocks`); uninterpretable (a tuple: how many, by partition). Means over partitions and
    _low, _high (over partitions and units): share, by the text's reading; chance, of units with random clips; beyond,
    share less chance of the same partition. Of share and chance too: _least, _most (of any partition), _printed (by
    Algorithm 1). classes: as for `clips_of`. Raises InputError unless 1 <= tau <= K, and K clips are there."""
    where = clips_of(run, classes)
    if not 1 <= tau <= run.k <= len(where):
        raise InputError(f"Parameter tau is {tau} and k is {run.k}; expected 1 <= tau <= k <= {len(where)} clips.")
    counts, rng = sentence_clusters(run, clusters, classes).counts, np.random.default_rng(SEED)
    printed = paper.numbers()["figures"]["6_11_12_13_uninterpretable"]["tau"]
    taus = {int(k): set(asked) for k, asked in printed.items() if int(k) <= len(where)}
    taus.setdefault(run.k, set()).add(tau)
    blocks = [(model, *block) for model in run.beside(*CONTROLS) for block in _blocks(run, model, where, max(taus))]
    rows = []
    for k in sorted(taus):
        drawn = np.stack([_readings(part, random_clips(len(where), k, DRAWS, rng)) for part in counts], 1)
        chances = {t: _share("chance", drawn < t, rng) for t in sorted(taus[k])}
        for model, block, clips, dead in blocks:
            unit = {"model": model, "block": block, "units": clips.shape[1], "dead": dead, "k": k}
            ours = _readings(counts, clips[:k])
            for t, (by_chance, chance, at_random) in chances.items():
                row, share, likely = _share("share", ours < t, np.random.default_rng(SEED))  # the same alone
                unit |= {"tau": t, "uninterpretable": tuple((ours[0] < t).sum(-1).tolist())}
                rows.append(unit | row | by_chance | _ends("beyond", share - chance, likely - at_random))
    return pd.DataFrame(rows).sort_values(["k", "tau"], kind="stable", ignore_index=True)


def _blocks(run: Run, model: str, where: np.ndarray, k: int):
    """Of each block: number, the k highest clips (rows of `where`) of units that react to k, and how many do not."""
    by_block, activations = defaultdict(list), responses.unit_activations(run, model)
    for layer in run.target(model).layers:
        if layer.hidden:
            by_block[re.match(r"\D*\d*", layer.name)[0]].append(activations[layer.name][where])
    for number, layers in enumerate(by_block.values(), 1):
        chosen = choose(np.concatenate(layers, 1), k).clips
        whole = [clips for clips in chosen if len(clips) == k]
        yield number, np.array(whole, int).reshape(-1, k).T, len(chosen) - len(whole)


def wide(shown: pd.DataFrame) -> pd.DataFrame:
    """Figure 6 as a table, one row a model: the share of each block, the lowest and highest of any block and partition,
    and means of Algorithm 1's reading and of chance. shown: `interpretability` at one K and tau."""
    shares = shown.pivot(index="model", columns="block", values="share").rename(columns="block {}".format)
    heads = {"lowest": ("share_least", "min"), "highest": ("share_most", "max")}
    heads |= {"all, Algorithm 1": ("share_printed", "mean"), "chance": ("chance", "mean")}
    heads |= {"chance, Algorithm 1": ("chance_printed", "mean")}
    return shares.join(shown.groupby("model").agg(**heads)).reset_index()


def trends(rows: pd.DataFrame) -> pd.DataFrame:
    """Whether the share of uninterpretable units falls with depth; a row a model, K and tau of `interpretability`, and
    part ("all" blocks, or the "deeper half").

    verdict (`statistics.trend`); first, last (shares of those blocks); rho (`rank_correlation`, mean over partitions),
    low, high (95 %, over partitions and blocks' Jeffreys posteriors); rho_least, rho_most (of any partition); falling,
    rising (in how many partitions it does so by their own intervals)."""
    tested = []
    for (model, k, tau), every in rows.groupby(["model", "k", "tau"], sort=False):
        for part, above in PARTS.items():
            ours = every[every["block"] > above * every["block"].max()]
            units, share = ours["units"].to_numpy(), ours["share"].to_numpy()
            counts = np.array(ours["uninterpretable"].tolist()).T  # [partitions, blocks]
            drawn = _likely(counts, units, np.random.default_rng(SEED)).swapaxes(1, 2)
            likely, rho = rank_correlation(units * drawn, units), rank_correlation(counts, units)
            (low, high), alone = interval(likely), [trend(*interval(each)) for each in likely]
            row = {"model": model, "k": k, "tau": tau, "part": part, "verdict": trend(low, high)}
            row |= {"first": share[0], "last": share[-1], "rho": rho.mean(), "low": low, "high": high}
            row |= {"rho_least": rho.min(), "rho_most": rho.max()}
            tested.append(row | {"falling": alone.count("falls"), "rising": alone.count("rises")})
    return pd.DataFrame(tested)


def settings(tested: pd.DataFrame) -> pd.DataFrame:
    """Verdicts of `trends` over all blocks, one row a K and tau, a column a model."""
    tested = tested[tested["part"] == "all"]
    named = tested.assign(setting="K = " + tested["k"].astype(str) + ", τ = " + tested["tau"].astype(str))
    verdicts = named.pivot(index="setting", columns="model", values="verdict")
    return verdicts.loc[named["setting"].unique()].reset_index()


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """What claims and exhibits read of this page; numbers: the title, the elbow, and ten classes' highest share."""
    own, bends = {name: run.extra[name] for name in ("clusters", "tau") if name in run.extra}, elbow(run)
    rows, ten = interpretability(run, **own), interpretability(run, **own, classes=10)
    numbers = {"title": run.profile.title, "bend": bends.loc[bends["elbow"], "clusters"].iloc[0]}
    numbers["few"] = min(10, len(run.probing_set.classes))
    numbers["most_few"] = ten.query("k == 5 and tau == 4")["share"].max()
    return {"shares": rows.drop(columns="uninterpretable"), "trends": trends(rows), "numbers": pd.DataFrame([numbers])}
