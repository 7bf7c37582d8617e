"""The flow from clips to described neurons and to the tables, on a small set with a tiny network."""

import dataclasses

import numpy as np
import pytest
from conftest import CLASSES, tiny_folder

from andlib import concepts, experiments, stages
from andlib.errors import InputError
from andlib.mini.synthesis import synthesc
from andlib.profiles import MINI
from andlib.run import Run
from andlib.store import Store

PROFILE = dataclasses.replace(MINI, seconds=0.5, networks={"ast": str(tiny_folder())})
CLIPS = synthesc(sources_per_fold=2, variants=1, classes=CLASSES)


def make_run(folder, **changes) -> Run:
    run = Run(PROFILE, ("ast",), store=Store(folder), **changes)
    run.__dict__["probing_set"] = CLIPS  # a cached property: three classes instead of 28
    return run


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def run(cache):
    return make_run(cache, k=3)


def test_every_neuron_is_described_from_its_own_clips(run):
    neurons = stages.neurons(run, "ast")
    assert len(neurons) == 67 and neurons["unit"].is_unique
    u = stages.unit_activations(run, "ast")
    for _, neuron in neurons.iloc[::9].iterrows():
        values = u[neuron["layer"]][:, neuron["index"]]
        assert sorted(values[neuron["highest"]]) == sorted(np.sort(values)[-3:])
        assert sorted(values[neuron["lowest"]]) == sorted(np.sort(values)[:3])
        assert set(neuron["calibrated"]) <= set(neuron["high"])
        assert len(neuron["like"]) == len(neuron["cosine"]) == len(neuron["high"])
        removed = [c > 0.7 for c in neuron["cosine"]]
        assert [point not in set(neuron["calibrated"]) for point in neuron["high"]] == removed
        assert len(neuron["db"]) == 3 and set(neuron["db"]) <= set(concepts.ESC50)


def test_folds_keep_other_clips_out(run):
    neurons = stages.neurons(run, "ast", folds=(2, 3))
    used = {int(i) for column in ("highest", "lowest") for row in neurons[column] for i in row}
    assert {CLIPS.clips[i].fold for i in used} <= {2, 3}


def test_a_second_run_gives_the_same_bytes(run, cache, tmp_path):
    stages.neurons(run, "ast")
    again = make_run(tmp_path, k=3)
    stages.neurons(again, "ast")
    for path in tmp_path.glob("*/*"):
        assert path.read_bytes() == (cache / path.relative_to(tmp_path)).read_bytes(), path.name


def test_what_is_stored_is_read_and_not_made(run, monkeypatch):
    expected = stages.neurons(run, "ast")
    monkeypatch.setattr(stages, "_describe", None)
    monkeypatch.setattr(stages, "record", None)
    assert stages.neurons(run, "ast").equals(expected)


def test_beyond_the_memory_budget_the_same_clips_describe_a_neuron(run, tmp_path, monkeypatch):
    expected = stages.neurons(run, "ast")
    monkeypatch.setattr(stages, "BUDGET", 100)
    streamed = make_run(tmp_path, k=3)
    neurons = stages.neurons(streamed, "ast")
    for column in ("highest", "lowest", "high", "calibrated"):
        assert [list(row) for row in neurons[column]] == [list(row) for row in expected[column]]
    assert not neurons["db"].map(len).any()
    with pytest.raises(InputError, match="the budget is"):
        stages.unit_activations(streamed, "ast")


def test_too_large_a_k_is_refused(cache):
    with pytest.raises(InputError, match="30 clips cannot give K = 31"):
        stages.neurons(make_run(cache, k=31), "ast")


def test_controls_take_the_class_out_of_descriptions(run):
    plain, shuffled, struck = (stages.clip_descriptions(run, c) for c in ("", *stages.CONTROLS))
    assert sorted(shuffled) == sorted(plain) and shuffled != plain
    from andlib.language import mentions

    assert not any(mentions(text, name) for text in struck for name in CLASSES)
    assert any(mentions(text, name) for text in plain for name in CLASSES)


def test_last_layer_has_every_function_and_condition(run):
    results = experiments.last_layer(run)
    db = results[results["method"] == "DB"]
    assert len(db) == 5 * 5 and set(db["units"]) == {3}
    assert results[["top1", "top5"]].to_numpy().min() >= 0 and results[["top1", "top5"]].to_numpy().max() <= 1
    assert (results["top5"] >= results["top1"]).all()


def test_one_unit_at_a_time_makes_soft_wpmi_zero(cache):
    run = make_run(cache, k=3, mode="db_one_unit_at_a_time")
    results = experiments.last_layer(run)
    soft = results[(results["function"] == "soft_wpmi") & (results["condition"] == "all clips")].iloc[0]
    # every unit gets the first concept of the list, dog, which is one of these three classes
    assert soft["top1"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("mode", ["db_double_softmax", "db_top_k_only", "rank_single_argsort"])
def test_switches_of_db_change_scores(run, cache, mode):
    faulty = make_run(cache, k=3, mode=mode)
    u = stages.unit_activations(run, "ast")["block1.output"]
    function = "rank_reorder" if mode == "rank_single_argsort" else "wpmi"
    ours, theirs = (
        stages.db_scores(r, function, np.repeat(u, 8, 0), np.repeat(stages.concept_similarity(r), 8, 0), in_block=True)
        for r in (run, faulty)
    )
    assert np.abs(ours - theirs).max() > 1e-3


def test_calibration_loop_changes_what_is_kept(run, cache):
    kept = [
        stages.neurons(r, "ast")["calibrated"].map(len).sum()
        for r in (run, make_run(cache, k=3, mode="calibration_loop"))
    ]
    assert kept[0] != kept[1]


def test_leading_rows_silence_as_many_units_from_the_front(run, cache):
    ours = experiments.unit_sets(run, "ast", (2, 3, 4, 5), "DB")
    theirs = experiments.unit_sets(make_run(cache, k=3, mode="ablate_leading_rows"), "ast", (2, 3, 4, 5), "DB")
    for our, their in zip(ours, theirs, strict=True):
        assert {la: len(i) for la, i in our.items()} == {la: len(i) for la, i in their.items()}
        assert all(list(i) == list(range(len(i))) for i in their.values())
    random = experiments.unlearning_sets(make_run(cache, k=3, mode="ablate_leading_rows"), "ast")["random"]
    assert all(str(units) == str(random[0]) for units in random)
    assert len({str(units) for units in experiments.unlearning_sets(run, "ast")["random"]}) == 3


def test_unlearning_measures_on_fold_1_what_folds_2_to_5_chose(run):
    effects = experiments.unlearning(run, "ast")
    assert set(effects) == {"random", "DB", "random as DB", "DB (all clips)", "OCP", "random as OCP", "OCP (all clips)"}
    for result in effects.values():
        assert result.before.shape == (6, 3) and result.after.shape == (3, 6, 3)
        empty = result.sizes == 0
        np.testing.assert_array_equal(result.after[empty], np.broadcast_to(result.before, result.after[empty].shape))
    np.testing.assert_array_equal(effects["DB"].sizes, effects["random as DB"].sizes)
    table = experiments.unlearning_table(run)
    assert table["gap"].between(table["gap_low"], table["gap_high"]).mean() > 0.5
    assert table["p"].between(0, 1).all()


def test_a_class_that_does_not_exist_is_refused(run):
    with pytest.raises(InputError, match="target_class 'rian'.*Did you mean 'rain'"):
        experiments.class_changes(run, "ast", "OCP", "rian")


def test_layers_are_accounted_for(run):
    layers = experiments.described_layers(run)
    assert layers["units"].sum() == 67
    assert layers[["removed", "qualities or events", "with noun"]].to_numpy().min() >= 0
