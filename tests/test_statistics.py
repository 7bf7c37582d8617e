"""Holm's correction and the trend over groups, against hand-made cases and scipy."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from andlib.statistics import holm, rank_correlation


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
