"""Training strategies: intervals over seeds, and what the prose says of the committed comparison."""

import numpy as np
import pandas as pd
import pytest
from conftest import tiny_run
from scipy import stats

from andlib.pages import training_strategies as strategies
from andlib.profiles import MEASURES


def test_intervals_over_seeds_are_student_s():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        [
            {"strategy": strategy, "seed": seed, **{measure: rng.normal(i) for measure in MEASURES}}
            for i, strategy in enumerate(("beats_untrained", "beats_supervised", "beats_frozen", "beats_finetuned"))
            for seed in (0, 1, 2)
        ]
    )
    network = strategies.over_seeds(rows).set_index(["measure", "strategy"]).loc[("accuracy", "beats_frozen")]
    values = rows.loc[rows["strategy"] == "beats_frozen", "accuracy"]
    expected = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))
    assert network.tolist() == pytest.approx([values.mean(), *expected])
    pair = strategies.paired_over_seeds(rows).set_index(["measure", "one", "other"])
    pair = pair.loc[("top1", "beats_finetuned", "beats_supervised")]
    wide = rows.pivot(index="seed", columns="strategy", values="top1")
    difference = wide["beats_finetuned"] - wide["beats_supervised"]
    assert pair["mean"] == pytest.approx(difference.mean())
    assert pair["high"] == pytest.approx(stats.t.interval(0.95, 2, difference.mean(), stats.sem(difference))[1])


def test_the_prose_says_what_the_committed_comparison_holds(cache):
    run = tiny_run(cache)
    frames = strategies.frames(run)
    words = strategies.words(run, frames["summary"])
    accuracy = frames["comparison"].groupby("strategy")["accuracy"].mean()
    assert accuracy.idxmin() == "beats_untrained" and words["least"] == "random features, trained classifier"
    assert words["accuracy_order"].split("; ")[-1] == words["least"]
    assert words["start"] == pytest.approx(100 * (accuracy["beats_finetuned"] - accuracy["beats_supervised"]))
    pairs = frames["comparison"].pivot(index="seed", columns="strategy", values="ocp_excess")
    mean = (pairs["beats_finetuned"] - pairs["beats_frozen"]).mean()
    paired = strategies.paired_over_seeds(frames["comparison"]).set_index(["measure", "one", "other"])["mean"]
    assert paired["ocp_excess", "beats_finetuned", "beats_frozen"] == pytest.approx(mean) and words["seeds"] == 3
