"""Calibration (module B): the paper's rule, and the released loop against its own output."""

import json
from pathlib import Path

import numpy as np
import pytest

from andlib import summaries
from andlib.encoders import encode

GOLDEN = json.loads((Path(__file__).parent / "golden" / "released_calibration.json").read_text())
CASES = list(range(len(GOLDEN["lowly"])))


@pytest.mark.parametrize("threshold", ["0.5", "0.6", "0.7"])
@pytest.mark.parametrize("case", CASES)
def test_released_loop_gives_the_released_output(case, threshold):
    high, low = GOLDEN["after_junk_filter"][case], GOLDEN["lowly"][case]
    expected = GOLDEN["as_released"][threshold][case]["highly"]
    cosine = np.array(GOLDEN["cosine"][case]).reshape(len(high), len(low))
    assert list(summaries.calibrate_as_released(high, cosine, float(threshold))) == expected


@pytest.mark.parametrize("case", CASES)
def test_our_cosines_are_the_golden_ones(case):
    high, low = GOLDEN["after_junk_filter"][case], GOLDEN["lowly"][case]
    np.testing.assert_allclose(encode(high) @ encode(low).T, np.array(GOLDEN["cosine"][case]), atol=1e-3)


def test_the_paper_s_rule_drops_what_the_released_loop_misses():
    high, cosine = GOLDEN["after_junk_filter"][0], np.array(GOLDEN["cosine"][0])
    ours = summaries.calibrate(high, cosine)
    assert ours == (high[0], high[4])
    assert summaries.calibrate_as_released(high, cosine, 0.7) != ours


def test_the_order_of_points_does_not_matter():
    high, cosine = GOLDEN["after_junk_filter"][0], np.array(GOLDEN["cosine"][0])
    turned = summaries.calibrate(high[::-1], cosine[::-1, ::-1])
    assert turned == summaries.calibrate(high, cosine)[::-1]


def test_an_empty_low_summary_removes_nothing():
    assert summaries.calibrate(["a", "b"], np.zeros((2, 0))) == ("a", "b")


def test_a_cosine_equal_to_the_threshold_is_kept():
    assert summaries.calibrate(["a"], np.array([[0.7]]), 0.7) == ("a",)
