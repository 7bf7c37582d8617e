"""Section 4.3 step by step, on a small set with a tiny network."""

import json
from dataclasses import replace
from statistics import fmean

import numpy as np
import pandas as pd
import pytest
import soundfile
from conftest import effects_of, tiny_run

from andlib import paper, paths, statistics, unlearning
from andlib.bench import bench
from andlib.descriptions import clip_descriptions, decided_by
from andlib.errors import InputError
from andlib.pages import rules, section_4_3
from andlib.profiles import MODELS
from andlib.report import figures, tables
from andlib.run import open_run
from andlib.statistics import INCONCLUSIVE, SUPPORTED
from andlib.store import digest

STRATEGIES = ("TAB", "DB", "OCP")


def test_table_4_holds_its_controls_and_adjusts_p_over_its_rows(run):
    units = section_4_3.labelled_units(run)
    table = section_4_3.table4(section_4_3.silenced(run, units), section_4_3.controls(run, units))
    controls = ("shuffled captions", "source alone", "measured alone")
    described = {f"{strategy}, {control}" for strategy in ("DB", "OCP") for control in controls}
    assert set(table["strategy"]) == {"random", *STRATEGIES, *described, *(f"{s} (all clips)" for s in STRATEGIES)}
    assert (table["gap"] >= table["gap_low"]).all() and (table["gap"] <= table["gap_high"]).all()
    assert (table["dA"] >= table["dA_low"]).all() and (table["dA"] <= table["dA_high"]).all()
    main = table[table["strategy"].isin(["random", *STRATEGIES])]
    assert (main["p_holm"] >= main["p"]).all() and main["p_holm"].max() <= 1
    assert table.loc[~table.index.isin(main.index), "p_holm"].isna().all()
    drawn = table.set_index("strategy")["draws"].dropna().to_dict()
    assert drawn == {"random": 3, **dict.fromkeys(STRATEGIES, 20)}
    assert set(table.loc[table["ocp_beyond"].notna(), "strategy"]) == {"TAB", "DB"}
    shown = tables.table4(table, "made")
    assert list(shown.frame["strategy"]) == ["random, 3 draws", *STRATEGIES]
    theirs = [row.split(" / ") for row in shown.frame["the paper: ΔA / ΔR / ΔR − ΔA"]]
    assert np.array_equal(np.array(theirs, float), paper.table4("ast")[["dA", "dR", "gap"]])
    name, controls = shown.more
    assert set(controls["strategy"]) == set(table["strategy"]) - set(main["strategy"])
    assert f"<summary>{name}</summary>" in shown._repr_html_() and "nan" not in shown._repr_html_()
    assert list(tables.beyond_logits(table, "made").frame["strategy"]) == ["random", *STRATEGIES]
    assert list(tables.beyond_random(table, "made").frame["strategy"]) == list(STRATEGIES)


def test_a_class_that_does_not_exist_is_refused(run):
    effects = section_4_3.silenced(run, section_4_3.labelled_units(run))["ast"]["OCP"]
    with pytest.raises(InputError, match="target_class 'rian'.*Did you mean 'rain'"):
        section_4_3.class_changes(run, effects, "rian")


def test_frames_are_what_the_page_shows_and_words_name_every_network(run):
    kept = section_4_3.frames(run)
    assert kept["water_drops"].empty and list(kept["water_drops"])[:2] == ["class", "before"]
    rows = kept["unlearning"].set_index("strategy")
    said = section_4_3.words(run, kept["unlearning"])
    assert said["drops"].startswith("ast ")
    assert said["largest"] == f"{rows.loc[list(STRATEGIES), 'excess'].idxmax()} for ast"
    assert (said["draws"], said["draws_all"]) == ("20", "3")
    for word, claim in (("claim", "t4_ocp_gap"), ("robust", "t4_frozen_robust")):
        assert said[word] == rules.judge(claim, {"4_3_unlearning": kept})[0]


def test_the_page_judges_by_the_excess_where_the_gap_says_otherwise(run):
    """OCP's raw gap is the smallest; beyond as many random units it is the largest, and then not."""
    names = ["random", *STRATEGIES, "OCP, shuffled captions", "DB, shuffled captions"]
    table = pd.DataFrame({"strategy": names, "gap": [0.0, 9.0, 9.0, 1.0, 0.0, 0.0]})
    table = table.assign(excess=table["strategy"].map({"TAB": 0.1, "DB": 0.2, "OCP": 0.9}))
    for low, decided in ((0.1, SUPPORTED), (-0.1, INCONCLUSIVE)):
        others = table["strategy"].isin(["TAB", "DB"])
        ends = {"excess_low": table["excess"] - 0.05, "excess_high": table["excess"] + 0.05, "ocp_beyond": 0.7}
        ends |= {"ocp_beyond_low": low, "ocp_beyond_high": 1.0, "draws": 20, "draws_all": 3}
        rest = dict.fromkeys(
            ("empty", "margin_gap", "accuracy_before", "accuracy_forgotten", "accuracy_remaining", "accuracy_drop"), 0.0
        )
        full = table.assign(**ends, **rest)
        full.loc[~others, ["ocp_beyond", "ocp_beyond_low", "ocp_beyond_high"]] = np.nan
        results = pd.concat([full.assign(model=model) for model in MODELS])
        said = section_4_3.words(run.using(models=MODELS), results)
        assert said["claim"] == decided and said["largest"] == ", ".join(f"OCP for {model}" for model in MODELS)


def test_a_draw_is_judged_by_two_entries_of_each_row_of_the_matrix(run):
    """What a draw gives for a class and the next equals the full matrix of changes; the rest is 0."""
    chosen = {"DB": unlearning.unit_sets(run, "ast", (2, 3, 4, 5), "DB")}
    drawn = [section_4_3._drawn(bench(run, "ast"), chosen, seed)["DB"] for seed in range(2)]
    for seed in range(2):
        sets = unlearning.random_sets(run, "ast", chosen, seed)
        effects = unlearning.unlearning(run, "ast", sets)["random as DB"]
        for label, row in enumerate(drawn[seed]):
            tried = np.isin(effects.labels, [label, (label + 1) % 3])
            np.testing.assert_allclose(row, np.where(tried, effects.own[label], 0), atol=1e-5)
    assert drawn[0].sum() != drawn[1].sum()


def test_a_network_that_takes_hours_is_spared_sets_on_all_clips(run):
    slow = run.using(profile=replace(run.profile, slow=("ast",)))
    chosen = unlearning.strategy_sets(slow, "ast")
    controls = section_4_3.compute(slow, "ast", chosen, 3, 1)
    assert not [row for row in controls["rows"] if "all clips" in row["strategy"]] and controls["rows"][0]["draws"] == 1
    effects = unlearning.unlearning(run, "ast", chosen)
    table = section_4_3.table4({"ast": effects}, {"ast": controls}).set_index("strategy")
    assert (table.loc[list(STRATEGIES), "draws"] == 3).all() and (table.loc[list(STRATEGIES), "draws_all"] == 0).all()
    assert table["excess_all"].isna().all() and table.loc[list(STRATEGIES), "excess"].notna().all()
    assert {"draws": "3", "draws_all": "0"}.items() <= section_4_3.words(slow, table.reset_index()).items()
    drawn = [unlearning.random_sets(run, "ast", chosen, seed)["random as OCP"] for seed in range(3)]
    each, _ = unlearning.beyond_random(effects["OCP"], [bench(run, "ast").effects(sets).own for sets in drawn])
    assert table.loc["OCP", "excess"] == pytest.approx(each.mean(), abs=1e-5)  # on all clips, it is the same
    shown = tables.beyond_random(table.reset_index(), "made")
    assert shown.frame["by all"].isna().all() and "nan" not in shown._repr_html_()


def toy(own, sources=(0, 1, 2, 3, 4, 5), after=None):
    """Effects on six clips of three classes with these changes of own logit, [ablated, clips]."""
    labels = np.repeat(np.arange(3), 2)
    before = np.zeros((6, 3))
    after = np.zeros((3, 6, 3)) if after is None else after
    after[:, np.arange(6), labels] += own
    return effects_of(before, after, labels, np.array(sources), np.ones(3, int))


def test_the_excess_counts_the_draws_that_reach_it():
    """Random gaps 0, 1 and 2; a draw that ties counts, and so does the strategy itself."""
    for gap, p in ((2.5, 1 / 4), (1.0, 3 / 4), (-1.0, 1.0)):
        own = np.repeat(np.eye(3), 2, 1)
        random = np.array([own * -drawn for drawn in (0.0, 1.0, 2.0)])
        row = section_4_3.beyond({"OCP": toy(-gap * own)}, {"OCP": random}, 2)["OCP"]
        assert row["excess"] == pytest.approx(gap - 1) and row["p_excess"] == pytest.approx(p) and row["draws"] == 3
        assert row["excess_low"] < row["excess"] < row["excess_high"]
        assert row["excess_all"] == pytest.approx(gap - 0.5) and row["draws_all"] == 2


def test_the_excess_is_drawn_by_pairs_of_sources_and_random_sets_as_an_obvious_twin_does():
    rng = np.random.default_rng(3)
    own = {name: toy(rng.standard_normal((3, 6))) for name in ("OCP", "DB")}
    random = {name: rng.standard_normal((4, 3, 6)) for name in own}
    rows = section_4_3.beyond(own, random, 2)
    plain = {name: effects.own.tolist() for name, effects in own.items()}
    drawn_sets = {name: values.tolist() for name, values in random.items()}

    def gap(values, taken, columns):
        means = [[fmean(values[a][i] for i in taken[c]) for c in range(3)] for a in range(3)]
        others = [fmean(means[a][c] for c in columns(a)) for a in range(3)]
        return fmean(others[a] - means[a][a] for a in range(3))

    def twin(columns, tries):
        """Excess of OCP, and OCP's less DB's, by recordings (one clip each) and a set drawn in plain loops."""
        drawn = []
        for _ in range(4000):
            taken = [2 * c + rng.integers(2, size=2) for c in range(3)]
            t = rng.integers(tries)
            each = [gap(plain[n], taken, columns) - gap(drawn_sets[n][t], taken, columns) for n in ("OCP", "DB")]
            drawn.append((each[0], each[0] - each[1]))
        return np.quantile(drawn, [0.025, 0.975], axis=0).T

    beside, less = twin(lambda a: [(a + 1) % 3], 4)
    ends = [
        [row[f"{name}_low"], row[f"{name}_high"]] for row, name in ((rows["OCP"], "excess"), (rows["DB"], "ocp_beyond"))
    ]
    width = np.ptp([beside, less], axis=1)[:, None]
    assert (np.abs(np.array(ends) - [beside, less]) < 0.1 * width).all()
    (entire, _) = twin(lambda a: [c for c in range(3) if c != a], 2)
    found = np.array([rows["OCP"]["excess_all_low"], rows["OCP"]["excess_all_high"]])
    assert (np.abs(found - entire) < 0.1 * np.ptp(entire)).all()
    assert rows["DB"]["ocp_beyond"] == pytest.approx(rows["OCP"]["excess"] - rows["DB"]["excess"])


def test_an_undefined_excess_has_no_p_and_single_recordings_no_interval():
    own = np.repeat(-np.eye(3), 2, 1)
    alone = section_4_3.beyond({"OCP": toy(own, sources=(0, 0, 2, 2, 4, 4))}, {"OCP": np.zeros((3, 3, 6))}, 2)["OCP"]
    assert alone["excess"] == 1 and alone["p_excess"] == 1 / 4
    assert np.isnan([alone[f"excess{e}"] for e in ("_low", "_high", "_all_low", "_all_high")]).all()
    own[1, 2] = np.nan
    none = section_4_3.beyond({"OCP": toy(own)}, {"OCP": np.zeros((3, 3, 6))}, 2)["OCP"]
    assert np.isnan([none["excess"], none["p_excess"], none["excess_low"]]).all()


def test_committed_controls_are_read_for_the_parameters_and_sets_that_they_belong_to(run, cache, monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "results", lambda: tmp_path)
    monkeypatch.setattr(section_4_3, "PAGE_DRAWS", (2, 2))
    units = section_4_3.labelled_units(run)
    computed = section_4_3.controls(run, units)["ast"]
    assert {name: row["draws"] for name, row in computed["beyond"].items()} == dict.fromkeys(STRATEGIES, 2)
    path = tmp_path / run.profile.name / "controls.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"models": {"ast": computed | {"rows": ["as committed"]}}}))
    assert section_4_3.controls(run, units)["ast"]["rows"] == ["as committed"]
    other = tiny_run(cache, k=4)
    assert section_4_3.controls(other, section_4_3.labelled_units(other))["ast"]["rows"] != ["as committed"]
    changed = {"ast": units["ast"] | {"DB": units["ast"]["TAB"]}}
    again = section_4_3.controls(run, changed)["ast"]["rows"]
    pd.testing.assert_frame_equal(pd.DataFrame(again), pd.DataFrame(computed["rows"]))


def test_of_a_network_that_takes_long_a_page_shows_the_strategies_alone_unless_controls_are_kept(run, monkeypatch):
    run = run.using(profile=replace(run.profile, slow=("ast",)))
    monkeypatch.setattr(section_4_3, "compute", None)  # it would take hours
    units = section_4_3.labelled_units(run)
    table = section_4_3.table4(section_4_3.silenced(run, units), section_4_3.controls(run, units))
    assert list(table["strategy"]) == list(STRATEGIES) and table["gap"].notna().all()
    assert table[section_4_3.BEYOND].isna().all(axis=None)
    words = section_4_3.words(run, table)
    assert words["spared"] == "ast" and words["largest"] == "none" and words["draws"] == "0"
    assert words["ocp_shuffled"] == "not measured" and words["claim"] == statistics.UNTESTABLE
    assert tables.table4(table, "").frame["strategy"].tolist() == list(STRATEGIES)
    assert tables.beyond_random(table, "").frame.empty
    assert figures.gaps(table)[0, 0].get_yticklabels()
    own = -np.repeat(np.eye(3), 2, 1)
    complete = set(section_4_3.beyond({"OCP": toy(own)}, {"OCP": np.zeros((3, 3, 6))}, 2)["OCP"])
    assert complete | {"ocp_beyond", "ocp_beyond_low", "ocp_beyond_high"} == set(section_4_3.BEYOND)


def copy_of_recordings(folder, ending, rate, fold=2, caption="A dog barks."):
    """Two recordings and their captions as ESC-50 has them, at a sampling rate and in a format."""
    (folder / "meta").mkdir(parents=True)
    (folder / "audio").mkdir()
    table, texts = ["filename,fold,target,category,esc10,src_file,take"], ["filename,description"]
    for number, (name, text) in enumerate({"dog": caption, "hen": "A hen clucks."}.items()):
        clip = f"{number}-7-A-{number}{ending}"
        tone = 0.3 * np.sin(2 * np.pi * 700 * (number + 1) * np.arange(rate) / rate)
        soundfile.write(folder / "audio" / clip, tone, rate)
        table.append(f"{clip},{fold if number else 1},{number},{name},True,{number}7,A")
        texts.append(f"{clip},{text}")
    (folder / "meta" / "esc50.csv").write_text("\n".join(table))
    (folder / "captions.csv").write_text("\n".join(texts))
    return open_run({"profile": "esc50", "data_dir": str(folder), "model": "whisper_frozen"})


def test_kept_results_fit_another_copy_of_the_recordings_and_no_other_set(tmp_path, monkeypatch):
    monkeypatch.setenv("ANDLIB_CACHE", str(tmp_path / "cache"))
    official = copy_of_recordings(tmp_path / "official", ".wav", 44_100)
    ours = copy_of_recordings(tmp_path / "ours", ".flac", 16_000)
    assert official.probing_set.fingerprint != ours.probing_set.fingerprint
    assert digest(decided_by(official)) == digest(decided_by(ours))
    assert clip_descriptions(official) == clip_descriptions(ours)  # measured in the same words, too
    others = {"fold": {"fold": 3}, "text": {"caption": "A dog howls."}}
    for name, change in others.items():
        other = copy_of_recordings(tmp_path / name, ".flac", 16_000, **change)
        assert digest(decided_by(other)) != digest(decided_by(ours))
