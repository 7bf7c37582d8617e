"""Scores of a tiny network's units: what is barred, what perfect explanations get, what is undefined, and the nulls."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from andlib import responses, stages
from andlib.errors import InputError
from andlib.pages import explanations, scoring
from andlib.profiles import LEARNT, TEST
from andlib.report import figures, tables

CORE = ["pearson", "auprc", "auroc", "f1", "iou", "balanced_accuracy", "hard_balanced_accuracy"]


@pytest.fixture(scope="module")
def scores(run):
    return scoring.score_neurons(run, "ast")


def scored_with(run, monkeypatch, change, methods):
    """Scores after `change` of the activations [clips, units] of every layer, with explanations as they were."""
    table = explanations.described(run, "ast")
    changed = {layer: change(u.copy(), layer, table) for layer, u in responses.unit_activations(run, "ast").items()}
    with monkeypatch.context() as patch:
        patch.setattr(scoring, "unit_activations", lambda *_: changed)
        return scoring._score(run, "ast", table, methods)


def test_one_row_a_unit_method_and_matcher(run, scores):
    units = stages.neurons(run, "ast", LEARNT)["unit"]
    assert not scores.duplicated(["unit", "method", "matcher"]).any()
    assert len(scores) == len(units) * len(explanations.METHODS) * len(explanations.MATCHERS)
    assert set(scores["unit"]) == set(units)
    assert (scores["clips"] == np.isin(run.probing_set.folds, TEST).sum()).all()
    assert (scores["active"] == 1).all()  # 10 % of six clips


def test_a_score_is_there_or_the_reason_is(scores):
    without = scores[CORE].isna().all(axis=1)
    assert (without == (scores["reason"] != "")).all()
    assert (scores["explanation"] == "").equals(scores["reason"] == "no explanation")
    inside = scores[~without]
    assert inside[CORE].notna().all(axis=None)
    assert (inside["pearson"].between(-1, 1)).all()
    assert np.allclose(inside["lift"], inside["auprc"] * 6)


def test_no_clip_of_a_recording_that_described_a_unit_is_scored(run):
    leaking = run.probing_set.clips[0]
    assert leaking.fold == 1
    heard = next(clip for clip in run.probing_set.clips if clip.fold == 2)
    clips = (replace(leaking, source=heard.source), *run.probing_set.clips[1:])
    held_out = explanations.scored_clips(replace(run.probing_set, clips=clips))
    np.testing.assert_array_equal(held_out, [False, *(clip.fold == 1 for clip in clips[1:])])


@pytest.mark.parametrize("junk", [np.inf, np.nan])
def test_a_barred_clips_activation_decides_nothing(run, monkeypatch, junk):
    def spoil(u, *_):
        return np.where(explanations.scored_clips(run.probing_set)[:, None], u, junk).astype(np.float32)

    methods = ("summary", "open concepts")
    clean = scored_with(run, monkeypatch, lambda u, *_: u, methods)
    spoilt = scored_with(run, monkeypatch, spoil, methods)
    assert clean.keys() == spoilt.keys()
    for name, values in clean.items():
        np.testing.assert_array_equal(values, spoilt[name], err_msg=name)


def test_a_unit_that_is_its_explanation_has_full_marks_and_a_constant_one_none(run, monkeypatch):
    table = stages.neurons(run, "ast", LEARNT)
    [own] = dict(explanations.matches(run, [table], ("DB",)))["DB/captions/"]

    def planted(u, layer, table):
        u[:] = own[(table["layer"] == layer).to_numpy()].T
        u[:, 0] = 0.25
        return u

    stored = scored_with(run, monkeypatch, planted, ("DB",))["DB/captions/"]
    dead = (table["index"] == 0).to_numpy()
    values = dict(zip([*scoring.MEASURES, *scoring.BOUNDS, "reason"], stored, strict=True))
    for name in CORE:
        np.testing.assert_allclose(values[name][~dead], 1, atol=1e-6, err_msg=name)
        assert np.isnan(values[name][dead]).all(), name
    assert {scoring.REASONS[int(code)] for code in values["reason"][dead]} == {"same activation on every clip"}


def test_shuffled_explanations_are_those_of_other_units():
    rows = [(), ("a",), ("b",), ("b",), ("c", "d"), ()]
    shuffled = explanations.nulled(rows, "shuffled")
    assert Counter(shuffled) == Counter(rows)
    assert shuffled[0] == shuffled[5] == ()
    assert shuffled != rows
    assert explanations.nulled(rows, "most common") == [(), *[("b",)] * 4, ()]
    assert explanations.nulled([()], "most common") == [()]


def test_scorecard_has_means_beside_their_nulls(run, scores):
    card = scoring.scorecard(run, "ast")
    assert set(card["layer"]) == {"all", *scores["layer"]}
    everywhere = card[card["layer"] == "all"].set_index(["method", "matcher", "null"])
    assert len(everywhere) == 4 * 2 * 3
    own_db = scores[(scores["method"] == "DB") & (scores["matcher"] == "sound")]
    assert everywhere.loc[("DB", "sound", ""), "auprc"] == pytest.approx(own_db["auprc"].mean())
    assert everywhere.loc[("DB", "sound", ""), "pearson"] == pytest.approx(own_db["pearson"].mean())
    own = card[card["null"] == ""]
    assert (own["p_holm"] >= own["p"]).all() and own["p"].between(0.001, 1).all()
    assert card.loc[card["null"] != "", "p"].isna().all()


def test_a_single_unit_gives_no_interval_over_units():
    for units, known in ((1, False), (5, True)):
        mean, *ends = scoring._means_of_units(np.arange(1.0, units + 1)[None, None])[0, :, 0]
        assert mean == (units + 1) / 2 and np.isfinite(ends).all() == known


def test_table_and_figure_show_every_method_and_matcher(run):
    card = scoring.scorecard(run, "ast").assign(model="ast")
    table = tables.scorecard(card[card["layer"] == "all"], "made by").frame
    assert len(table) == len(explanations.METHODS) * len(explanations.MATCHERS)
    own = card[(card["layer"] == "all") & (card["null"] == "")]
    assert list(table["r"]) == list(own["pearson"])
    scores = scoring.score_neurons(run, "ast").assign(model="ast")
    axes = figures.scores_over_units(scores)
    assert [ax.get_title("left") for ax in axes.flat] == ["ast, by captions", "ast, by sound"]
    means = axes[0, 0].collections[-1].get_offsets().data[:, 0]
    ours = scores[scores["matcher"] == "captions"].groupby("method", sort=False)["pearson"].mean()
    assert list(ours.index) == [label.get_text() for label in axes[0, 0].get_yticklabels()]
    assert means == pytest.approx(ours)


def test_a_summary_that_says_nothing_is_no_explanation():
    table = pd.DataFrame({"calibrated": [["1. The clips have nothing in common."], ["1. Loud.", "2. Brief."], []]})
    assert explanations.phrases(table, "summary") == [(), ("1. Loud.", "2. Brief."), ()]
    assert explanations.in_words([("1. Loud.", "2. Brief."), ("loud", "brief", "loud"), ()]) == [
        "1. Loud. 2. Brief.",
        "loud, brief",
        "",
    ]


def test_reliability_compares_explanations_of_other_recordings(run):
    again = scoring.reliability(run, "ast").set_index(["method", "matcher"])
    first, second = (stages.neurons(run, "ast", folds) for folds in scoring.HALVES)
    same = np.mean([a[0] == b[0] for a, b in zip(first["db"], second["db"], strict=True)])
    assert again.loc[("DB", "sound"), "same"] == pytest.approx(same)
    assert again[["same", "chance"]].stack().between(0, 1).all()
    assert again[["halves", "retest"]].stack().between(-1, 1).all()
    assert explanations.shared([("a", "b"), ()], [("b", "c"), ()]) == pytest.approx(1 / 3)


def test_a_set_without_folds_is_not_scored(run):
    clips = tuple(replace(clip, fold=0) for clip in run.probing_set.clips)
    unfolded = run.using(probing_set=replace(run.probing_set, clips=clips))
    with pytest.raises(InputError, match="no fold 1"):
        scoring.score_neurons(unfolded, "ast")


def test_best_and_worst_are_the_ends_of_each_method_by_sound(scores):
    ends = scoring.best_and_worst(scores)
    for method, rows in ends.groupby("method"):
        own = scores[(scores["method"] == method) & (scores["matcher"] == "sound")]["pearson"].dropna().sort_values()
        assert list(rows["pearson"]) == [*own[-3:][::-1], *own[:3][::-1]]


def test_the_page_keeps_and_says_what_its_tables_hold(run, scores):
    frames = scoring.frames(run)
    assert len(frames["scores"]) == 4 * 2 * 3 and set(frames["scores"]["model"]) == {"ast"}
    pd.testing.assert_frame_equal(frames["reliability"].drop(columns="model"), scoring.reliability(run, "ast"))
    by_layer = scoring.shape_by_layer(scores.assign(model="ast"))
    assert list(by_layer["layer"]) == [*scores["layer"].unique(), "with r"]
    words = scoring.words(run, scoring.of_models(run, scoring.scorecard), scores.assign(model="ast"))
    own = frames["scores"][frames["scores"]["null"] == ""]
    best = own.loc[own["pearson"].idxmax()]
    assert words["best"] == f"ast {best['method']} by {best['matcher']} ({best['pearson']:.2f})"
    assert words["easy"] == f"ast {best['balanced_accuracy']:.0%}"
