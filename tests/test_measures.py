"""Measures of agreement against scikit-learn's, one unit at a time, and against hand-made cases."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from andlib.pages import measures

UNITS, CLIPS = 20, 90


@pytest.fixture
def problem():
    """Activations, a match with ties, and which clips are active."""
    rng = np.random.default_rng(0)
    u = rng.standard_normal((UNITS, CLIPS))
    match = np.round(0.4 * u + rng.standard_normal(u.shape), 1)
    return u, match, measures.most(u, np.full(UNITS, 8))


def test_measures_are_those_of_scikit_learn(problem):
    u, match, active = problem
    found = measures.agreement(u, match, active)
    for i, (x, y, fired) in enumerate(zip(u, match, active, strict=True)):
        yes = y >= np.sort(y)[-8]
        expected = {
            "pearson": np.corrcoef(x, y)[0, 1],
            "auprc": metrics.average_precision_score(fired, y),
            "auroc": metrics.roc_auc_score(fired, y),
            "f1": metrics.f1_score(fired, yes),
            "iou": metrics.jaccard_score(fired, yes),
            "balanced_accuracy": metrics.balanced_accuracy_score(fired, y >= found["threshold"][i]),
        }
        assert {name: found[name][i] for name in expected} == pytest.approx(expected, abs=1e-6)


def test_balanced_accuracy_says_yes_to_the_better_half_of_a_balanced_show():
    match, active = np.array([[7.0, 6, 5, 4, 3, 2, 1]]), np.array([[1, 0, 1, 0, 0, 0, 0]], bool)
    found = measures.ranking(match, active, np.ones_like(active))
    assert found["threshold"] == 5  # both active clips, and one of five others
    assert found["balanced_accuracy"] == pytest.approx((1 + 4 / 5) / 2)


@pytest.mark.parametrize("junk", [np.nan, np.inf, -np.inf])
def test_a_clip_that_is_not_ranked_is_never_read(problem, junk):
    _, match, active = problem
    among = active | (np.random.default_rng(1).random(match.shape) < 0.8)
    expected = measures.ranking(match, active, among)
    for name, values in measures.ranking(np.where(among, match, junk), active, among).items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)
    for i, counts in enumerate(among):
        precision = metrics.average_precision_score(active[i, counts], match[i, counts])
        assert expected["auprc"][i] == pytest.approx(precision, abs=1e-6)


def test_what_never_varies_has_no_score(problem):
    u, match, active = problem
    u[0], match[1], match[2] = 0.1, 7, np.nan
    active[0] = True
    for name, values in measures.agreement(u, match, active).items():
        assert np.isnan(values[:3]).all() and np.isfinite(values[3:]).all(), name


def test_hard_negatives_are_the_inactive_clips_nearest_in_sound():
    place = np.array([0.0, 10, 1, 9.5, 5, 2])
    sound = -np.abs(place[:, None] - place)
    hard = measures.hard_negatives(np.array([[1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]], bool), sound)
    np.testing.assert_array_equal(np.flatnonzero(hard[0]), [2, 3])
    assert not hard[1].any()  # no clip is left


def test_bootstrap_draws_are_those_of_clips_repeated(problem):
    u, match, active = problem
    groups = np.arange(CLIPS) // 3
    weights = np.random.default_rng(1).multinomial(30, np.full(30, 1 / 30), size=4)
    sums = measures.resampled(weights, groups)
    drawn = measures.resampled_pearson(sums, u, match)
    threshold = measures.agreement(u, match, active)["threshold"]
    accuracy = measures.resampled_accuracy(sums, match >= threshold[:, None], active)
    for draw, weight in enumerate(weights):
        clips = np.repeat(np.arange(CLIPS), weight[groups])
        for i in range(3):
            assert drawn[draw, i] == pytest.approx(np.corrcoef(u[i, clips], match[i, clips])[0, 1], abs=1e-4)
            said = metrics.balanced_accuracy_score(active[i, clips], match[i, clips] >= threshold[i])
            assert accuracy[draw, i] == pytest.approx(said, abs=1e-5)


def test_bounds_leave_out_undefined_draws():
    drawn = np.stack([np.arange(1000.0), np.r_[np.full(500, np.nan), np.arange(500.0)], np.full(1000, np.nan)], 1)
    low, high = measures.bounds(drawn)
    np.testing.assert_allclose([low[:2], high[:2]], [[25, 12], [974, 487]])
    assert np.isnan([low[2], high[2]]).all()


def test_clarity_is_the_mean_cosine_of_two_exemplars():
    v = np.random.default_rng(0).standard_normal((4, 5, 8))
    unit = v / np.linalg.norm(v, axis=2, keepdims=True)
    pairs = [(unit[:, i] * unit[:, j]).sum(1) for i in range(5) for j in range(i)]
    np.testing.assert_allclose(measures.exemplar_shape(v)[0], np.mean(pairs, 0))


def test_polysemanticity_is_how_far_two_clusters_are_apart():
    east, north = np.eye(2)
    both = np.stack([east, north, east, north, north])
    one = np.stack([east] * 5)
    outlier = np.stack([east] * 4 + [north])
    clarity, poly = measures.exemplar_shape(np.stack([both, one, outlier]))
    centre = np.array([0.8, 0.2]) / np.hypot(0.8, 0.2)
    np.testing.assert_allclose(poly, [1, 0, 1 - (4 * centre[0] + centre[1]) / 5], atol=1e-12)
    assert clarity[1] == pytest.approx(1)
    assert np.isnan(measures.exemplar_shape(both[None, :1])).all()


def test_redundancy_is_the_nearest_other_unit():
    found = measures.redundancy(np.array([[1.0, 0], [2, 0.1], [0, 3]]))
    close = np.hypot(1, 0.05) ** -1
    np.testing.assert_allclose(found, [close, close, 0.05 * close])
    assert np.isnan(measures.redundancy(np.ones((1, 3))))


CORE = ("pearson", "auprc", "f1", "iou")
SPAN = {"pearson": 2}  # width of a measure's range where it is not 1
LEAST_FALL = 0.001  # of its range, that counts as one
FREQUENCIES, MANY, DRAWN = (0.499, 0.1, 0.01, 0.001), 10_000, 20


def trusted():
    """The two sanity checks of Oikarinen et al. 2025 on ideal neurons: does a measure fall when the labels of its
    explanation are halved (each is dropped with probability 1/2) or doubled (as many other clips gain one)?

    One row a measure: missing and extra, shares of draws in which it falls, at the worst of FREQUENCIES."""
    rng, tests = np.random.default_rng(0), []
    for frequency in FREQUENCIES:
        labels = np.zeros((DRAWN, MANY), bool)
        labels[:, : max(1, round(frequency * MANY))] = True
        coin = rng.random(labels.shape)
        added = labels.sum(1, keepdims=True) / (~labels).sum(1, keepdims=True)
        cases = labels, labels & (coin < 0.5), labels | (coin < added)
        ideal, *wrong = (measures.agreement(labels, match, labels) | measures.overlap(match, labels) for match in cases)
        for measure in [name for name in ideal if name != "threshold"]:
            falls = [ideal[measure] - values[measure] > LEAST_FALL * SPAN.get(measure, 1) for values in wrong]
            missing, extra = (float(fall.mean()) for fall in falls)
            tests.append({"measure": measure, "missing": missing, "extra": extra})
    worst = pd.DataFrame(tests).groupby("measure", sort=False)[["missing", "extra"]].min()
    return worst


def test_core_measures_pass_the_tests_of_missing_and_extra_labels():
    """Oikarinen et al. 2025; a measure passes if it falls in at least 90 % of draws at every frequency."""
    least = trusted()
    passes = least.min(axis=1) >= 0.9
    assert passes[list(CORE)].all()
    assert set(passes.index[~passes]) == {"auroc", "balanced_accuracy", "recall", "precision"}
    assert least.loc["precision", "missing"] == least.loc["recall", "extra"] == 0
    assert least.loc["auroc", "extra"] < 0.5
