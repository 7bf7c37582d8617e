"""Cross-fitting: each clip is heard by the network that did not learn from it; and what is committed of it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import tiny_run, tiny_set

from andlib import paths
from andlib.activations import record
from andlib.networks.checkpoints import load_target
from andlib.pages.cross_fitting import committed, logits
from andlib.profiles import PROFILES
from making import command, cross_fitting, training

RECIPE = training.Recipe(0.5, 48, 1, width=8, blocks=1, batch=8)


@pytest.fixture
def run(cache, tmp_path, monkeypatch):
    """The tiny run, with empty folders for networks and results, and a recipe of one epoch."""
    monkeypatch.setenv("ANDLIB_CACHE", str(tmp_path))
    monkeypatch.setattr(paths, "results", lambda: tmp_path / "results")
    monkeypatch.setitem(training.AST, "mini", RECIPE)
    return tiny_run(cache)


def commit(run, **changed):
    """Commits logits of the run's clips, in another order than the run's: clip i has i and -i."""
    rows = [{"clip": clip.name, "cross_fitted": [i, -i]} for i, clip in enumerate(run.probing_set.clips)]
    path = paths.results() / "mini" / "cross_fitting.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"clips": rows[::-1], **changed}))


def test_each_clip_is_heard_by_the_network_that_left_its_fold_out():
    folds = np.array([3, 1, 2, 1])
    by_fold = {fold: np.arange(8.0).reshape(4, 2) + 100 * fold for fold in (1, 2, 3)}
    assert cross_fitting.cross_fit(folds, by_fold).tolist() == [[300, 301], [102, 103], [204, 205], [106, 107]]


def test_accuracy_is_that_of_the_clips_left_out():
    probing_set = tiny_set()
    scores = np.eye(3)[probing_set.labels]
    scores[probing_set.folds == 2] = [1.0, 0.5, 0.0]  # calls every clip of fold 2 a dog
    found = cross_fitting.held_out_accuracy(probing_set, scores).set_index("clips")
    assert found["n"].tolist() == [6] * 5 + [30]
    assert found["accuracy"].tolist() == pytest.approx([1, 1 / 3, 1, 1, 1, 26 / 30])
    assert found.loc["fold 1", ["low", "high"]].tolist() == [1, 1]
    assert found.loc["all", "low"] < 26 / 30 < found.loc["all", "high"]


def test_logits_are_found_by_the_clips_names(run):
    assert logits(run, "ast") is None and committed(run) == {}
    commit(run)
    assert logits(run, "ast")[:, 0].tolist() == list(range(30))


def test_other_networks_and_other_clips_have_none(run):
    commit(run)
    assert logits(run, "beats_frozen") is None
    assert logits(replace(run, weights="a/network"), "ast") is None
    clip = replace(tiny_set().clips[0], name="another.wav")
    more = replace(tiny_set(), clips=(*tiny_set().clips, clip))
    assert logits(run.using(probing_set=more), "ast") is None


def test_the_command_trains_what_is_missing_and_commits_what_each_network_says(run, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "open_run", lambda parameters: run)
    monkeypatch.setattr("sys.argv", ["cross_fitting", "--profile", "mini", "--threads", "1"])
    cross_fitting.main()
    held = committed(run)
    assert held["recipe"]["seed"] == 0 and [n["held_out"] for n in held["networks"]] == [1, 2, 3, 4, 5]
    clips = run.probing_set.clips
    assert [row["clip"] for row in held["clips"]] == [clip.name for clip in clips]
    for fold in (1, 4):  # their logits anew
        network = load_target(tmp_path / f"training/cross_fitting/fold{fold}/ast_mini", name="ast", seconds=0.5)
        found = record(network, run.probing_set.batches(network.sample_rate, 0.5), len(clips))["classifier"]
        kept = np.array([row["cross_fitted"] for row in held["clips"]])
        inside = run.probing_set.folds == fold
        np.testing.assert_allclose(kept[inside], found[inside], atol=1e-4)
        assert np.abs(kept[~inside] - found[~inside]).max() > 1e-3
    first = (paths.results() / "mini" / "cross_fitting.json").read_bytes()
    monkeypatch.setattr(training.Lesson, "teach", lambda *_: pytest.fail("trained again"))
    cross_fitting.main()
    assert (paths.results() / "mini" / "cross_fitting.json").read_bytes() == first


def test_the_fold_left_out_teaches_nothing_and_another_network_is_not_mistaken_for_it(run, tmp_path):
    x = training.torch.zeros(30, 48, 128)
    lesson = training.Lesson("mini", run.probing_set, x, held_out=3)
    assert (lesson.seen.numpy() == (run.probing_set.folds != 3)).all()
    training.train_ast(lesson, RECIPE, tmp_path)
    recipe = training.asdict(RECIPE)
    assert lesson.has(tmp_path / "ast_mini", recipe)
    assert not replace(lesson, held_out=1).has(tmp_path / "ast_mini", recipe)


@pytest.mark.parametrize("profile", PROFILES)
def test_committed_accuracies_follow_from_the_committed_logits(profile):
    path = paths.results() / profile / "cross_fitting.json"
    if not path.exists():
        pytest.skip(f"no networks were cross-fitted for {profile}")
    held = json.loads(path.read_text())
    right = {}
    for row in held["clips"]:
        assert row["fold"] != 1 or row["plain"] == row["cross_fitted"]  # by one network
        right.setdefault(f"fold {row['fold']}", []).append(
            held["classes"][int(np.argmax(row["cross_fitted"]))] == row["label"]
        )
    right["all"] = [value for values in right.values() for value in values]
    assert {row["clips"]: (row["accuracy"], row["n"]) for row in held["accuracy"]} == {
        name: (round(np.mean(values), 4), len(values)) for name, values in right.items()
    }
    assert all(row["low"] <= row["accuracy"] <= row["high"] for row in held["accuracy"])
