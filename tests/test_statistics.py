"""Intervals, tests and trends, against hand-made cases and scipy; undefined where there is nothing to compare."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from andlib import statistics
from andlib.statistics import bootstrap_weights, holm, interval, permutation_p, rank_correlation, two_sided_p


def test_holm_multiplies_the_smallest_most_and_never_reorders():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.6, 0.9]), [1, 1])


def test_holm_leaves_out_what_was_not_tested():
    np.testing.assert_allclose(holm([0.02, np.nan, 0.5]), [0.04, np.nan, 0.5])
    assert holm([]).shape == (0,)


def test_rank_correlation_is_spearmans_over_members():
    sizes, counts = np.array([5, 8, 3, 6]), np.array([[4, 5, 1, 1], [0, 2, 2, 6]])
    for counted, rho in zip(counts, rank_correlation(counts, sizes), strict=True):
        group = np.repeat(range(4), sizes)
        member = np.concatenate([np.arange(size) < count for size, count in zip(sizes, counted, strict=True)])
        assert rho == pytest.approx(spearmanr(group, member).statistic)


def test_there_is_no_trend_where_all_agree():
    np.testing.assert_array_equal(rank_correlation(np.array([[0, 0], [3, 4]]), np.array([3, 4])), [0, 0])


def test_an_undefined_gap_has_no_p():
    rng = np.random.default_rng(0)
    matrix = -np.eye(5)
    assert permutation_p(matrix, 999, rng) < 0.05
    assert np.isnan(permutation_p(matrix[:1, :1], 999, rng))  # one class: nothing remains
    matrix[:, 2] = np.nan  # a class without clips
    assert np.isnan(permutation_p(matrix, 999, rng))


def test_p_of_a_permutation_is_that_of_the_gap_itself():
    rng = np.random.default_rng(1)
    matrix, draws = rng.normal(size=(4, 4)) - np.eye(4), 999

    def gap(order):
        own = matrix[order, np.arange(4)].mean()
        return (matrix.sum() / 4 - own) / 3 - own

    orders = np.random.default_rng(2).permuted(np.tile(np.arange(4), (draws, 1)), axis=1)
    larger = sum(gap(order) >= gap(np.arange(4)) - 1e-12 for order in orders)
    assert permutation_p(matrix, draws, np.random.default_rng(2)) == (1 + larger) / (draws + 1)


def test_bootstrap_values_that_are_missing_or_undefined_give_no_interval_and_no_p():
    assert interval(np.arange(1001.0)) == pytest.approx((25, 975))
    assert np.isnan(interval(np.array([]))).all() and np.isnan(interval(np.array([1.0, np.nan]))).all()
    assert two_sided_p(np.ones(99)) == 0.02 and two_sided_p(np.zeros(99)) == 1
    assert np.isnan(two_sided_p(np.full(99, np.nan)))


def test_classes_of_one_source_widen_an_interval_by_the_variance_that_they_hide():
    labels = np.array([0, 0, 1, 1, 2, 2])
    assert statistics.widening(labels, np.array(list("abcdef"))) == 1
    assert statistics.widening(labels, np.array(list("abcdee"))) == pytest.approx(np.sqrt(2))
    assert np.isnan(statistics.widening(labels, np.array(list("aaccee"))))


def test_one_source_a_class_gives_no_interval_but_a_value():
    labels, sources, rng = np.array([0, 0, 1, 1]), np.array(["a", "a", "b", "b"]), np.random.default_rng(0)
    assert np.isnan(bootstrap_weights(labels, sources, 20, rng)).all()
    several = bootstrap_weights(labels, np.array(["a", "c", "b", "b"]), 20, rng)
    assert (several[:, 2:] == 1).all() and several[:, 0].std() > 0  # one class has two sources

    class Clips:
        pass

    clips = Clips()
    clips.labels, clips.sources = labels, sources
    found = statistics.accuracy([1, 0, 1, 1], clips, np.full(4, True))
    assert found["accuracy"] == 0.75 and found["n"] == 4 and np.isnan([found["low"], found["high"]]).all()
