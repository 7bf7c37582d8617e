"""The five similarity functions against the released ones' output and against slow oracles."""

from pathlib import Path

import numpy as np
import oracles
import pytest
from safetensors.numpy import load_file

from andlib import concepts, similarity

GOLDEN = load_file(Path(__file__).parent / "golden" / "similarity.safetensors")
U = GOLDEN["activations"]
REAL = load_file(Path(__file__).parent / "golden" / "classifiers.safetensors")
TOLERANCE = {"cos": 1e-6, "cos_cubed": 1e-6, "wpmi": 1e-3, "soft_wpmi": 1e-3}
LAM = {"wpmi": 0.6, "soft_wpmi": 1.0}


@pytest.mark.parametrize("features", ["db", "tab"])
@pytest.mark.parametrize("name", TOLERANCE)
def test_joint_scores_are_the_golden_ones(features, name):
    ours = similarity.FUNCTIONS[name](U, GOLDEN[f"features_{features}"])
    ours = ours + LAM.get(name, 0) * np.log(len(ours))  # released code: the mean over units, in place of our sum
    np.testing.assert_allclose(ours, GOLDEN[f"expect.{features}.joint.{name}"], atol=TOLERANCE[name], rtol=0)


@pytest.mark.parametrize("features", ["db", "tab"])
@pytest.mark.parametrize("name", TOLERANCE)
def test_scores_of_one_unit_at_a_time_are_the_golden_ones(features, name):
    p = GOLDEN[f"features_{features}"]
    ours = np.concatenate([similarity.FUNCTIONS[name](U[:, i : i + 1], p) for i in range(U.shape[1])])
    np.testing.assert_allclose(ours, GOLDEN[f"expect.{features}.single.{name}"], atol=TOLERANCE[name], rtol=0)
    if name == "soft_wpmi":  # why Table 7's DB column under soft_wpmi is 2 / 10 / 0.24
        assert not ours.any()


@pytest.mark.parametrize("features", ["db", "tab"])
def test_released_rank_reorder_is_proportional_to_the_golden_one(features):
    expected = GOLDEN[f"expect.{features}.joint.rank_reorder_mean200"]
    ours = similarity.rank_reorder(U, GOLDEN[f"features_{features}"], single_argsort=True)
    finite = np.abs(expected) < 1e6  # elsewhere the released code divides by zero
    for unit in range(len(ours)):
        ratio = ours[unit, finite[unit]] / expected[unit, finite[unit]]
        assert ratio.max() - ratio.min() < 1e-4 * abs(ratio.mean())  # one constant a unit: the random baseline
        assert 0.8 < ratio.mean() < 1.25  # five random orders against their expectation


def test_rank_reorder_ranks_clips_and_the_fault_does_not():
    p = GOLDEN["features_tab"]
    np.testing.assert_allclose(similarity.rank_reorder(U, p), oracles.rank_reorder(U, p), rtol=1e-4)
    assert np.abs(similarity.rank_reorder(U, p) - similarity.rank_reorder(U, p, single_argsort=True)).max() > 0.1


def test_rank_reorder_prefers_the_concept_that_orders_clips_as_the_unit_does():
    u = np.linspace(0, 1, 100, dtype=np.float32)[:, None]
    rng = np.random.default_rng(0)
    p = np.stack([u[:, 0], u[::-1, 0], rng.random(100, dtype=np.float32)], 1) + 1
    scores = similarity.rank_reorder(u, p, top=1.0)[0]
    assert scores.argmax() == 0 and scores[0] == pytest.approx(0, abs=1e-6)
    assert scores[1] < scores[2]


@pytest.fixture(params=[False, True], ids=["no ties", "ties"])
def problem(request):
    """Activations and similarities of 300 clips, 70 units and 40 concepts."""
    rng = np.random.default_rng(0)
    u, p = rng.standard_normal((300, 70), dtype=np.float32), rng.random((300, 40), dtype=np.float32) - 0.2
    return (u.round(1), p.round(1)) if request.param else (u, p)


@pytest.mark.parametrize("name", similarity.FUNCTIONS)
def test_scores_agree_with_the_loop_over_units(name, problem):
    u, p = problem
    oracle = oracles.soft_wpmi if name == "soft_wpmi" else getattr(oracles, name)
    expected = oracle(u.astype(np.float64), p.astype(np.float64))
    np.testing.assert_allclose(similarity.FUNCTIONS[name](u, p), expected, atol=1e-4, rtol=1e-5)


def exactly(name, u, p):
    """The slow oracle in float64, whose scores rounding does not reorder."""
    less = {"less": oracles.less_common_exactly} if name in LAM else {}
    return getattr(oracles, name)(u.astype(np.float64), p.astype(np.float64), **less)


@pytest.mark.parametrize("method", ["DB", "TAB"])
@pytest.mark.parametrize("model", ["ast", "beats_finetuned", "beats_frozen"])
@pytest.mark.parametrize("name", similarity.FUNCTIONS)
def test_no_rank_of_a_real_classifier_hangs_on_rounding(name, model, method):
    u, p = (REAL[key].astype(np.float32) for key in (model, method))  # of SynthESC's 1120 clips, kept in float16
    expected = concepts.ranked(exactly(name, u, p), 5)
    np.testing.assert_array_equal(concepts.ranked(similarity.FUNCTIONS[name](u, p), 5), expected)


def test_concepts_that_a_unit_has_for_itself_are_ranked_by_what_little_others_have():
    clips = np.arange(300)
    u = np.stack([-clips, clips], 1).astype(np.float32)  # opposite orders, so that the highest clips are others
    share = np.where(clips[:, None] < 100, [0.25, 0.2, 0.3, 0.22, 0.03], [0.001, 0.001, 0.001, 0.001, 0.996])
    scores = similarity.soft_wpmi(u, (np.log(share) / 10).astype(np.float32))
    assert list(concepts.ranked(scores, 4)[0]) == [2, 0, 3, 1]
    assert (scores[0, :4] + np.log(2) == np.log(2)).all()  # with the mean over units in place of the sum, all are equal


@pytest.mark.parametrize("name", similarity.FUNCTIONS)
def test_results_do_not_depend_on_how_units_are_chunked(name, problem, monkeypatch):
    u, p = problem
    whole = similarity.FUNCTIONS[name](u, p)
    for size, few in {"CHUNK": 3, "TILE": (3, 2), "SORTED_TILE": (2, 3), "WIDE": 3}.items():
        monkeypatch.setattr(similarity, size, few)
    np.testing.assert_allclose(similarity.FUNCTIONS[name](u, p), whole, atol=1e-5)


@pytest.mark.parametrize("name", ["rank_reorder", "wpmi", "soft_wpmi"])
def test_any_number_of_threads_gives_the_same_bytes(name, problem, monkeypatch):
    scores = []
    for threads in ("1", "3", ""):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        scores.append(similarity.FUNCTIONS[name](*problem).tobytes())
    assert len(set(scores)) == 1


@pytest.mark.parametrize("name", similarity.FUNCTIONS)
def test_dead_units_and_constant_concepts_give_finite_scores(name):
    u, p = U.copy(), GOLDEN["features_tab"].copy()
    u[:, 0], p[:, 0], p[:, 1] = 0, 0, -1
    assert np.isfinite(similarity.FUNCTIONS[name](u, p)).all()


def test_counts_of_clips_scale_below_a_thousand():
    assert [similarity.scaled(100, n) for n in (2000, 1000, 400, 10)] == [100, 100, 20, 1]
