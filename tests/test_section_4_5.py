"""Clusters of sentences, interpretable units, chance and trends."""

from collections import Counter
from functools import reduce
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from conftest import tiny_run
from scipy.stats import hypergeom, spearmanr

from andlib import activations, descriptions, responses
from andlib.errors import InputError
from andlib.pages import rules, section_4_5, section_4_5_words
from andlib.statistics import UNTESTABLE


@pytest.fixture
def counted():
    """What 12 clips' descriptions say: int16 [clips, 4 clusters], and 3 clips for each of 40 units."""
    rng = np.random.default_rng(1)
    return rng.integers(0, 3, (12, 4)).astype(np.int16), rng.integers(0, 12, (3, 40))


def test_a_unit_counts_the_clips_that_share_a_cluster(counted):
    counts, clips = counted
    slow = [max(sum(counts[clip, c] > 0 for clip in unit) for c in range(4)) for unit in clips.T]
    np.testing.assert_array_equal(section_4_5.most_in_a_cluster(counts, clips), slow)
    partitions = np.stack([counts, 0 * counts])
    np.testing.assert_array_equal(section_4_5.most_in_a_cluster(partitions, clips), [slow, np.zeros(40)])
    printed = section_4_5.intersection(partitions, clips)
    np.testing.assert_array_equal(printed, [section_4_5.intersection(counts, clips), np.zeros(40)])


def test_algorithm_1_intersects_multisets(counted):
    counts, clips = counted
    bags = [Counter({c: int(n) for c, n in enumerate(row)}) for row in counts]
    slow = [reduce(lambda one, other: one & other, (bags[clip] for clip in unit)).total() for unit in clips.T]
    np.testing.assert_array_equal(section_4_5.intersection(counts, clips), slow)


def test_the_two_readings_differ_where_one_of_five_clips_says_something_else():
    counts = np.array([[1, 0], [1, 0], [1, 0], [1, 0], [0, 1]], np.int16)
    clips = np.arange(5)[:, None]
    assert section_4_5.most_in_a_cluster(counts, clips) == 4  # interpretable at tau = 4
    assert section_4_5.intersection(counts, clips) == 0


def test_random_clips_are_every_set_equally_often():
    drawn = section_4_5.random_clips(5, 3, 50_000, np.random.default_rng(0))
    seen = Counter(frozenset(clips) for clips in drawn.T.tolist())
    assert set(seen) == {frozenset(clips) for clips in combinations(range(5), 3)}  # so no clip comes twice
    assert max(abs(count - 5000) for count in seen.values()) < 4.5 * 5000**0.5
    everything = section_4_5.random_clips(4, 4, 2, np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort(everything, 0), [[0, 0], [1, 1], [2, 2], [3, 3]])


def test_drawn_chance_agrees_with_all_samples_and_with_the_hypergeometric(counted):
    counts, _ = counted
    drawn = section_4_5.random_clips(12, 4, 50_000, np.random.default_rng(0))
    every = np.array(list(combinations(range(12), 4))).T
    for part in (counts, counts[:, :1]):
        share, exact = ((section_4_5.most_in_a_cluster(part, clips) >= 3).mean() for clips in (drawn, every))
        assert share == pytest.approx(exact, abs=0.01)  # four standard errors of 50,000 draws
    assert exact == pytest.approx(hypergeom.sf(2, 12, (counts[:, 0] > 0).sum(), 4))


def test_chance_of_the_papers_cluster_sizes():
    sizes = section_4_5.TABLE_8
    chance = [100 * section_4_5.chance_by_sizes(sizes, 2000, 5, tau) for tau in (3, 4, 5)]
    assert np.round(chance, 1).tolist() == [72.5, 24.8, 3.2]
    # clips drawn without replacement give nearly the same
    exact = [100 * (1 - np.prod(1 - hypergeom.sf(tau - 1, 2000, sizes, 5))) for tau in (3, 4, 5)]
    np.testing.assert_allclose(chance, exact, atol=0.1)


def test_sentences_end_at_their_marks():
    assert section_4_5.sentences(" A dog barks! It is loud. 2.5 seconds ") == [
        "A dog barks!",
        "It is loud.",
        "2.5 seconds",
    ]
    assert section_4_5.sentences("") == []


def test_every_sentence_is_in_one_cluster_of_each_partition_the_largest_first(run):
    groups = section_4_5.sentence_clusters(run, 4)
    texts = [section_4_5.sentences(text) for text in descriptions.clip_descriptions(run)]
    assert len(groups.counts) == len(groups.label) == 20 > len(np.unique(groups.label, axis=0)) > 1
    for label, counts in zip(groups.label, groups.counts, strict=True):
        np.testing.assert_array_equal(counts.sum(1), [len(row) for row in texts])
        cluster = dict(zip(groups.sentences, label, strict=True))
        assert counts[7].tolist() == [sum(cluster[sentence] == c for sentence in texts[7]) for c in range(4)]
        assert (np.diff(counts.sum(0)) <= 0).all()


def test_the_partition_of_lowest_inertia_is_first_and_shown(run):
    groups = section_4_5.sentence_clusters(run, 4)
    assert (np.diff(groups.distance**2 @ groups.times) >= 0).all()
    cluster = dict(zip(groups.sentences, groups.label[0], strict=True))
    table = section_4_5.cluster_table(groups)
    assert table["sentences"].tolist() == groups.counts[0].sum(0).tolist()
    nearest = table["nearest"][0].split(" · ")
    assert {cluster[sentence] for sentence in nearest} == {0}
    words = section_4_5.cluster_words(groups)
    assert list(words)[0] == f"1 ({table['captions'][0]} / {table['sentences'][0]})"
    assert "the" not in set().union(*words.values()) and "sound" in set().union(*words.values())


def test_each_partition_is_of_one_start(run):
    from sklearn.cluster import KMeans

    groups = section_4_5.sentence_clusters(run, 4)
    _, vectors, times = section_4_5._sentences(run, section_4_5.clips_of(run))
    fits = [KMeans(4, n_init=1, random_state=seed).fit(vectors, sample_weight=times.sum(0)) for seed in range(20)]
    np.testing.assert_allclose(groups.distance**2 @ groups.times, sorted(f.inertia_ for f in fits), rtol=1e-4)


def test_clusters_of_a_part_are_of_its_own_sentences(run):
    part = section_4_5.sentence_clusters(run, 4, classes=1)
    assert part.counts.shape == (20, (run.probing_set.labels == 0).sum(), 4) and part.counts.shape[1] < 30
    assert (part.times > 0).all() and (part.counts.sum((1, 2)) == part.times.sum()).all()


def test_more_clusters_are_tighter(run):
    bends = section_4_5.elbow(run)
    assert bends["inertia"].is_monotonic_decreasing and bends["elbow"].sum() == 1
    four = section_4_5.sentence_clusters(run, 4)
    inertia = bends.set_index("clusters")["inertia"]
    assert inertia[4] == pytest.approx(min(four.distance**2 @ four.times))


def test_impossible_parameters_are_refused(run):
    with pytest.raises(InputError, match="tau is 4 and k is 3; expected 1 <= tau <= k <= 30 clips"):
        section_4_5.interpretability(run, 4, tau=4)
    with pytest.raises(InputError, match="clusters is 900; expected 1 to"):
        section_4_5.sentence_clusters(run, 900)


def test_shares_count_units_of_a_block_unit_by_unit(run):
    rows = section_4_5.interpretability(run, 4, tau=2)
    assert set(zip(rows["k"], rows["tau"], strict=True)) == {
        (3, 2),
        *((5 * f, t * f) for f in (1, 2, 4) for t in (3, 4, 5)),
    }
    ours = rows[(rows["k"] == 3) & (rows["block"] == 2)].iloc[0]
    alone = []
    for counts in section_4_5.sentence_clusters(run, 4).counts:
        alone.append([])
        for name, u in responses.unit_activations(run, "ast").items():
            if name.startswith("block1."):
                alone[-1] += [max((counts[clips] > 0).sum(0)) < 2 for clips in activations.highest(u, 3).T]
    assert ours["units"] == len(alone[0]) == 32 and ours["uninterpretable"] == tuple(map(sum, alone))
    shares = [np.mean(units) for units in alone]
    ends = ours[["share", "share_least", "share_most"]].tolist()
    assert ends == pytest.approx([np.mean(shares), min(shares), max(shares)])
    for name in ("share", "chance", "beyond"):
        assert (rows[name].between(rows[f"{name}_low"], rows[f"{name}_high"])).all()
    np.testing.assert_allclose(rows["beyond"], rows["share"] - rows["chance"], atol=1e-12)
    assert (rows["share_printed"] >= 0).all() and rows.groupby("k")["chance"].nunique().max() <= 3
    pd.testing.assert_frame_equal(rows, section_4_5.interpretability(run, 4, tau=2))


def test_dead_units_are_left_out(cache, monkeypatch):
    run = tiny_run(cache)
    u = {name: values.copy() for name, values in responses.unit_activations(run, "ast").items()}
    u["block0.output"][:, :3] = 0.5
    monkeypatch.setattr(responses, "unit_activations", lambda run, model: u)
    rows = section_4_5.interpretability(run, 4, tau=2)
    assert set(rows.loc[rows["block"] == 1, "dead"]) == {3} and set(rows.loc[rows["block"] == 1, "units"]) == {29}
    assert set(rows.loc[rows["block"] == 2, "dead"]) == {0}


def test_intervals_hold_partitions_and_differences_from_chance_are_within_them(run, monkeypatch):
    """By one partition all clips are alike, by the other no two: shares and chance are 0 and 1."""
    alike, apart = np.eye(30, dtype=np.int16)[[0] * 30], np.eye(30, dtype=np.int16)
    two = section_4_5.Clusters([], *[np.zeros(0)] * 3, np.stack([alike, apart]))
    monkeypatch.setattr(section_4_5, "sentence_clusters", lambda *args: two)
    row = section_4_5.interpretability(run, tau=2).iloc[0]
    assert row["uninterpretable"] == (0, 32) and row["share"] == row["chance"] == 0.5 and row["beyond"] == 0
    assert row["share_low"] < 0.01 and row["share_high"] > 0.99 and row["chance_high"] - row["chance_low"] > 0.99
    assert -0.1 < row["beyond_low"] < 0 < row["beyond_high"] < 0.1


def test_an_interval_covers_what_other_seeds_give_and_that_of_one_partition_does_not(run, monkeypatch):
    def rows(seeds):
        monkeypatch.setattr(section_4_5, "PARTITIONS", seeds)
        found = section_4_5.interpretability(run, 4, tau=3)
        return found[(found["k"] == 10) & (found["tau"] == 10)].reset_index()

    many, others = rows(range(20)), [rows(range(seed, seed + 1)) for seed in range(100, 120)]
    for name in ("share", "chance"):
        covered = [
            np.mean([one[name].between(by[f"{name}_low"], by[f"{name}_high"]).mean() for one in others])
            for by in (many, *others)
        ]
        assert covered[0] > 0.9 and np.mean(covered[1:]) < 0.7


def shares(*values, units=400):
    """A model's blocks, each value a block's share, or its shares by several partitions."""
    by = [np.atleast_1d(value) for value in values]
    counts = {"uninterpretable": [tuple(np.rint(units * one).astype(int).tolist()) for one in by]}
    return pd.DataFrame(
        {"model": "m", "k": 5, "tau": 4, "block": range(1, len(by) + 1), "units": units}
        | {"share": [one.mean() for one in by], **counts}
    )


def over(*values, part="all", units=400):
    """The trend over these blocks."""
    return section_4_5.trends(shares(*values, units=units)).set_index("part").loc[part]


@pytest.mark.parametrize(
    "values, verdict",
    [
        ((0.6, 0.5, 0.4, 0.3), "falls"),
        ((0.3, 0.4, 0.5, 0.6), "rises"),
        ((0.4, 0.41, 0.39, 0.4), "flat"),
        ((0.0, 0.0, 0.0, 0.0), "flat"),
        ((0.005, 0.0, 0.0, 0.0), "flat"),  # two units are no trend
        ((0.46, 0.4, 0.4, 0.37), "falls"),
    ],
)
def test_verdicts_follow_the_interval(values, verdict):
    row = over(*values)
    assert row["verdict"] == verdict and row["low"] <= row["rho"] <= row["high"]
    assert row["rho"] == row["rho_least"] == row["rho_most"]
    assert (row["falling"], row["rising"]) == (verdict == "falls", verdict == "rises")


def test_few_units_leave_a_trend_unclear():
    assert over(0.5, 0.4, 0.4, 0.3, units=40)["verdict"] == over(0.4, 0.4, 0.4, 0.4, units=40)["verdict"] == "unclear"


def test_partitions_that_disagree_leave_a_trend_unclear():
    row = over((0.6, 0.3), (0.5, 0.4), (0.4, 0.5), (0.3, 0.6))
    assert row["verdict"] == "unclear" and row["low"] < -0.2 < 0.2 < row["high"]
    assert (row["falling"], row["rising"]) == (1, 1) and row["rho"] == pytest.approx(0)
    assert over((0.6, 0.4), (0.5, 0.4), (0.4, 0.4), (0.3, 0.4))["verdict"] == "unclear"
    assert over((0.6, 0.5), (0.5, 0.4), (0.4, 0.3), (0.3, 0.2))["verdict"] == "falls"


def test_rho_is_that_of_units_in_each_partition():
    values = np.array([(0.6, 0.3), (0.5, 0.35), (0.4, 0.45), (0.3, 0.6)])
    block, slow = np.repeat(range(4), 400), []
    for partition in values.T:
        below = np.concatenate([np.arange(400) < round(400 * share) for share in partition])
        slow.append(spearmanr(block, below).statistic)
    row = over(*values)
    assert row[["rho", "rho_least", "rho_most"]].tolist() == pytest.approx([np.mean(slow), min(slow), max(slow)])


def test_the_deeper_half_is_a_trend_of_its_own():
    values = (0.2, 0.2, 0.5, 0.3)
    assert over(*values, part="deeper half")["verdict"] == "falls" and over(*values)["verdict"] == "rises"
    alone = section_4_5.trends(shares(0.5, 0.3)).iloc[0]
    columns = ["first", "last", "rho", "low", "high", "verdict"]
    assert over(*values, part="deeper half")[columns].tolist() == alone[columns].tolist()
    assert over(0.1, 0.5, 0.5, 0.3, 0.1, part="deeper half")["first"] == 0.5  # of five blocks the last three


def test_words_and_frames_are_of_the_runs_k_and_tau(run):
    few = run.using(extra={"clusters": 4, "tau": 2})
    groups, rows = section_4_5.sentence_clusters(few, 4), section_4_5.interpretability(few, 4, tau=2)
    ten, every = section_4_5.interpretability(few, 4, tau=2, classes=10), section_4_5.trends(rows)
    said = section_4_5_words.words(few, groups, section_4_5.elbow(few), rows, every, ten)
    shown = rows[(rows["k"] == 3) & (rows["tau"] == 2)]
    assert said["means"] == f"ast {shown['share'].mean():.1%}" and said["clusters"] == 4
    five = ten[(ten["k"] == 5) & (ten["tau"] == 4)]
    assert said["few_clips"] == 30 and said["chance_few"] == five["chance"].iloc[0]
    kept = section_4_5.frames(few)
    pd.testing.assert_frame_equal(kept["shares"], rows.drop(columns="uninterpretable"))
    pd.testing.assert_frame_equal(kept["trends"], every)
    assert len(every) == 2 * (1 + 9) and said["verdicts"] == f"ast {every['verdict'][0]}"
    numbers = {name: said[name] for name in ("title", "bend", "most_few")}
    assert kept["numbers"].to_dict("records") == [numbers | {"few": 3}]
    wide = section_4_5.wide(shown)
    assert list(wide.columns[1:5]) == ["block 1", "block 2", "lowest", "highest"]
    assert wide.loc[0, ["block 2", "highest"]].tolist() == [shown["share"].iloc[1], shown["share_most"].max()]
    assert len(section_4_5.settings(kept["trends"])) == 10
    frames = {"4_5_polysemanticity": kept}
    for name, claim in (("claim", "f6_ast_concentrates"), ("same", "f11_13_same")):
        assert (said[name], said[f"{name}_numbers"]) == rules.judge(claim, frames)  # as the ledger says
    assert f"beats_frozen no value: {UNTESTABLE}" in said["claim_numbers"]
    assert f"beats_frozen was not run: {UNTESTABLE}" in said["same_numbers"]


def test_blocks_are_beyond_chance_where_the_interval_of_the_difference_is():
    rows = pd.DataFrame({"model": ["b", "b", "a"], "beyond_low": [-0.2, -0.2, 0.1], "beyond_high": [-0.1, 0.1, 0.2]})
    assert section_4_5_words._blocks(rows, rows["beyond_high"] < 0) == "b 1 of 2, a 0 of 1"
