"""Clusters of sentences, interpretable units, chance and trends."""

from collections import Counter
from functools import reduce
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from conftest import tiny_run
from scipy.stats import hypergeom

from andlib import activations, descriptions, responses
from andlib.errors import InputError
from andlib.pages import section_4_5, section_4_5_words


@pytest.fixture
def counted():
    """What 12 clips' descriptions say: int16 [clips, 4 clusters], and 3 clips for each of 40 units."""
    rng = np.random.default_rng(1)
    return rng.integers(0, 3, (12, 4)).astype(np.int16), rng.integers(0, 12, (3, 40))


def test_a_unit_counts_the_clips_that_share_a_cluster(counted):
    counts, clips = counted
    slow = [max(sum(counts[clip, c] > 0 for clip in unit) for c in range(4)) for unit in clips.T]
    np.testing.assert_array_equal(section_4_5.most_in_a_cluster(counts, clips), slow)


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


def test_every_sentence_is_in_one_cluster_the_largest_first(run):
    groups = section_4_5.sentence_clusters(run, 4)
    texts = [section_4_5.sentences(text) for text in descriptions.clip_descriptions(run)]
    np.testing.assert_array_equal(groups.counts.sum(1), [len(row) for row in texts])
    cluster = dict(zip(groups.sentences, groups.label, strict=True))
    assert groups.counts[7].tolist() == [sum(cluster[sentence] == c for sentence in texts[7]) for c in range(4)]
    table = section_4_5.cluster_table(groups)
    assert table["sentences"].is_monotonic_decreasing and table["sentences"].sum() == sum(map(len, texts))
    nearest = table["nearest"][0].split(" · ")
    assert {cluster[sentence] for sentence in nearest} == {0}
    words = section_4_5.cluster_words(groups)
    assert list(words)[0] == f"1 ({table['captions'][0]} / {table['sentences'][0]})"
    assert "the" not in set().union(*words.values()) and "sound" in set().union(*words.values())


def test_clusters_of_a_part_are_of_its_own_sentences(run):
    part = section_4_5.sentence_clusters(run, 4, classes=1)
    assert len(part.counts) == (run.probing_set.labels == 0).sum() < len(run.probing_set)
    assert (part.times > 0).all() and part.counts.sum() == part.times.sum()


def test_more_clusters_are_tighter(run):
    bends = section_4_5.elbow(run)
    assert bends["inertia"].is_monotonic_decreasing and bends["elbow"].sum() == 1
    four = section_4_5.sentence_clusters(run, 4)
    inertia = bends.set_index("clusters")["inertia"]
    assert inertia[4] == pytest.approx(four.times @ four.distance**2)


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
    counts = section_4_5.sentence_clusters(run, 4).counts
    alone = []
    for name, u in responses.unit_activations(run, "ast").items():
        if name.startswith("block1."):
            alone += [max((counts[clips] > 0).sum(0)) < 2 for clips in activations.highest(u, 3).T]
    assert ours["units"] == len(alone) == 32 and ours["share"] == pytest.approx(np.mean(alone))
    assert (rows["share"].between(rows["share_low"], rows["share_high"])).all()
    assert (rows["chance"].between(rows["chance_low"], rows["chance_high"])).all()
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


def shares(*values, units=400):
    blocks = range(1, len(values) + 1)
    return pd.DataFrame({"model": "m", "k": 5, "tau": 4, "block": blocks, "units": units, "share": values})


@pytest.mark.parametrize(
    "values, verdict",
    [
        ((0.6, 0.5, 0.4, 0.3), "falls"),
        ((0.3, 0.4, 0.5, 0.6), "rises"),
        ((0.4, 0.41, 0.39, 0.4), "flat"),
        ((0.0, 0.0, 0.0, 0.0), "flat"),
        ((0.005, 0.0, 0.0, 0.0), "flat"),  # two units are no trend
    ],
)
def test_verdicts_follow_the_interval(values, verdict):
    tested = section_4_5.trends(shares(*values)).iloc[0]
    assert tested["verdict"] == verdict and tested["low"] <= tested["rho"] <= tested["high"]
    assert (tested["p"] < 0.01) == (verdict != "flat") and tested["holm"] == tested["p"]


def test_trends_are_corrected_for_their_number():
    rows = pd.concat([shares(0.45, 0.4, 0.4).assign(tau=tau) for tau in (3, 4, 5)])
    tested = section_4_5.trends(rows)
    assert list(tested["tau"]) == [3, 4, 5]
    assert tested["holm"].min() == pytest.approx(min(1, 3 * tested["p"].min()))


def test_words_and_frames_are_of_the_runs_k_and_tau(run):
    few = run.using(extra={"clusters": 4, "tau": 2})
    groups, rows = section_4_5.sentence_clusters(few, 4), section_4_5.interpretability(few, 4, tau=2)
    ten = section_4_5.interpretability(few, 4, tau=2, classes=10)
    said = section_4_5_words.words(few, groups, section_4_5.elbow(few), rows, ten)
    shown = rows[(rows["k"] == 3) & (rows["tau"] == 2)]
    assert said["means"] == f"ast {shown['share'].mean():.1%}" and said["clusters"] == 4
    assert said["claim"] == said["same"] == "cannot be tested without beats_finetuned, beats_frozen"
    assert (
        said["few"] == 3 and said["few_clips"] == said["all_clips"] == 30 and said["chance_few"] == said["chance_all"]
    )
    kept = section_4_5.frames(few)
    pd.testing.assert_frame_equal(kept["shares"], rows)
    assert len(kept["trends"]) == 1 + 9
    assert kept["numbers"].to_dict("records") == [{name: said[name] for name in ("title", "bend", "few", "most_few")}]
    wide = section_4_5.wide(shown)
    assert list(wide.columns[1:3]) == ["block 1", "block 2"] and wide.loc[0, "block 2"] == shown["share"].iloc[1]
    assert len(section_4_5.settings(kept["trends"])) == 10
