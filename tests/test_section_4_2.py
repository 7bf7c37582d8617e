"""Sampled neurons, what people are asked of them, and the scores of what they answer."""

import csv
import sys
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from andlib.errors import InputError, MissingExtra
from andlib.pages import appendix_b, section_4_2
from andlib.report import tables


@pytest.fixture(scope="module")
def neurons(run):
    return section_4_2.sampled_neurons(run, per_block=2)


@pytest.fixture(scope="module")
def page(run, neurons):
    return section_4_2.questionnaire(run, neurons)["page"]


def saved(folder, rows, name="one.csv", columns=section_4_2.COLUMNS):
    folder.mkdir(exist_ok=True)
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return folder


def test_a_sample_has_as_many_neurons_of_each_block_and_is_the_same_again(run, neurons):
    assert len(neurons) == 4 and neurons["unit"].is_unique
    assert [unit.split("/")[1].split(".")[0] for unit in neurons["unit"]] == ["block0"] * 2 + ["block1"] * 2
    pd.testing.assert_frame_equal(neurons, section_4_2.sampled_neurons(run, per_block=2))
    other = section_4_2.sampled_neurons(run, per_block=2, seed=1)
    assert list(other["unit"]) != list(neurons["unit"])
    named = section_4_2.sampled_neurons(run, 1, units="block1.output/3, ast/classifier/0,")
    assert list(named["unit"][:2]) == ["ast/block1.output/3", "ast/classifier/0"] and len(named) == 4
    assert len(section_4_2.sampled_neurons(run, 0, units="block1.output/3")) == 1


def test_a_sample_of_nothing_is_refused(run):
    with pytest.raises(InputError, match="0 neurons a block"):
        section_4_2.sampled_neurons(run, 0)
    with pytest.raises(InputError, match="block1.output has units 0 to 7"):
        section_4_2.sampled_neurons(run, units="block1.output/8")


def test_descriptions_are_the_first_concepts_and_the_calibrated_summary(run, neurons):
    described = section_4_2.neuron_descriptions(run, neurons)
    assert list(described.columns) == ["neuron", "SUM", "DB", "TAB", "labels"]
    for (_, row), (_, neuron) in zip(described.iterrows(), neurons.iterrows(), strict=True):
        assert row["DB"] == neuron["db"][0] and row["TAB"] == neuron["tab"][0]
        assert row["SUM"].split("\n") == (list(neuron["calibrated"]) or [""])
        assert row["labels"].count(",") == 2  # K = 3


GOOD = ["A", "NEURON", "DB", "4", "", "PAGE"]


@pytest.mark.parametrize(
    ("rows", "columns", "refused"),
    [
        ([GOOD[:4]], section_4_2.COLUMNS[:4], r"one\.csv.*line 2: no column text, page"),
        (
            [GOOD, ["A", "NEURON", "TAB", "7", "", "PAGE"]],
            section_4_2.COLUMNS,
            r"one\.csv.*line 3: rating '7' is none of 1, 2, 3, 4, 5",
        ),
        ([["A", "NEURON", "TAB", "", "", "PAGE"]], section_4_2.COLUMNS, r"line 2: rating '' is none"),
        (
            [["A", "ast/block9.output/1", "DB", "4", "", "PAGE"]],
            section_4_2.COLUMNS,
            r"line 2: nobody was asked .*'ast/block9.output/1'",
        ),
        ([["A", "NEURON", "ICL", "4", "", "PAGE"]], section_4_2.COLUMNS, r"line 2: nobody was asked to rate 'ICL'"),
        ([["", "NEURON", "DB", "4", "", "PAGE"]], section_4_2.COLUMNS, r"line 2: no rater is named"),
        ([GOOD, GOOD], section_4_2.COLUMNS, r"line 3: 'A' rated DB of .* before, in line 2 of one\.csv"),
        ([GOOD, GOOD[:3]], section_4_2.COLUMNS, r"line 3 is not of the header's 6 cells"),
        ([[*GOOD[:5], "0123"]], section_4_2.COLUMNS, r"line 2: rated on page '0123', but these neurons .* are page"),
        ([], section_4_2.COLUMNS, r"one\.csv.*line 2: no rating, the file ends"),
    ],
)
def test_a_bad_csv_is_a_sentence_with_file_and_line(run, neurons, page, tmp_path, rows, columns, refused):
    known = {"NEURON": neurons["unit"][0], "PAGE": page}
    saved(tmp_path / "r", [[known.get(cell, cell) for cell in row] for row in rows], columns=columns)
    with pytest.raises(InputError, match=refused):
        section_4_2.score_ratings(run, neurons, tmp_path / "r")


def test_no_file_and_no_text_are_sentences_too(run, neurons, tmp_path):
    with pytest.raises(InputError, match="holds no ratings"):
        section_4_2.score_ratings(run, neurons, tmp_path)
    (tmp_path / "bad.csv").write_bytes(b"rater\xff")
    with pytest.raises(InputError, match=r"bad\.csv.*UTF-8"):
        section_4_2.score_ratings(run, neurons, tmp_path)
    with pytest.raises(InputError, match="BERTScore 'roberta' is unknown"):
        section_4_2.score_ratings(run, neurons, "", "roberta")


def test_the_same_rater_in_two_files_is_found(run, neurons, page, tmp_path):
    row = ["A", neurons["unit"][0], "DB", "4", "", page]
    saved(saved(tmp_path / "r", [row]), [row], "two.csv")
    with pytest.raises(InputError, match=r"two\.csv.*before, in line 2 of one\.csv"):
        section_4_2.score_ratings(run, neurons, tmp_path / "r")


def test_scores_are_means_over_neurons_of_means_over_raters(run, neurons, page, tmp_path):
    units, described = list(neurons["unit"]), section_4_2.neuron_descriptions(run, neurons)
    rows = [
        ["A", units[0], "DB", 5, described["DB"][0]],
        ["B", units[0], "DB", 3, ""],
        ["A", units[1], "DB", 2, "quiet"],
    ]
    rows = [[*row, page] for row in rows]
    table = section_4_2.score_ratings(run, neurons, saved(tmp_path / "r", rows)).set_index("method")
    db, other = table.loc["DB"], table.loc["TAB"]
    assert db["rating"] == 3 and (db["raters"], db["neurons"], db["ratings"]) == (2, 2, 3)
    assert db["rating_low"] <= 3 <= db["rating_high"] and db["rating_low"] >= 2 and db["rating_high"] <= 5
    assert db["alpha"] == pytest.approx(0)  # one shared neuron: its two ratings differ as much as any two
    expected = [
        section_4_2.token_f1(["quiet"], [described["DB"][1]])[0],
        1.0,
    ]  # the raters' own words are the description's, once
    assert db["bertscore_minilm"] == pytest.approx(np.mean(expected), abs=1e-5)
    assert other["ratings"] == 0 and np.isnan(other["rating"]) and np.isnan(other["alpha"]) and np.isnan(other["cos"])


def test_without_ratings_nothing_is_scored(run, neurons):
    table = section_4_2.score_ratings(run, neurons, "")
    assert list(table["method"]) == ["TAB", "DB", "SUM"] and (table["ratings"] == 0).all()
    assert table[["rating", "rating_low", "alpha", "cos", "bertscore_minilm"]].isna().all(axis=None)


def test_table_3_shows_each_measure_in_its_own_column_beside_the_paper_s(run, neurons, page, tmp_path):
    empty = tables.table3(section_4_2.score_ratings(run, neurons, ""), "made", "E").frame.set_index("method")
    assert list(empty["rating, the paper"]) == [2.73, 3.24, 3.49] and set(empty["rating"]) == {"–"}
    rows = [
        ["A", unit, "SUM", 4, "", page]
        for unit, points in zip(neurons["unit"], neurons["calibrated"], strict=True)
        if len(points)
    ][:1]  # of one neuron there is no interval
    table = tables.table3(section_4_2.score_ratings(run, neurons, saved(tmp_path / "r", rows)), "made", "E")
    own = table.frame.set_index("method").loc["SUM"]
    assert own["rating"] == "4.00 (–)" and own["cosine (E)"] == "–" and own["BERTScore (minilm)"] == "–"
    assert own["ratings"] == len(rows) and "BERTScore, the paper" in own


def test_alpha_is_krippendorff_s_on_his_own_example():
    n = np.nan  # four observers, twelve units: Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, C
    observers = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, n, n, n],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, n, 3],
        [n, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, n],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, n],
    ]
    rows = [(r, u, v) for r, row in enumerate(observers) for u, v in enumerate(row) if v == v]
    assert section_4_2.agreement(pd.DataFrame(rows, columns=["rater", "neuron", "rating"])) == pytest.approx(
        0.849, abs=5e-4
    )
    assert np.isnan(section_4_2.agreement(pd.DataFrame({"rater": ["A", "B"], "neuron": ["n", "n"], "rating": [3, 3]})))
    assert np.isnan(section_4_2.agreement(pd.DataFrame({"rater": ["A", "A"], "neuron": ["n", "m"], "rating": [3, 4]})))


def test_intervals_are_those_of_drawn_neurons():
    ratings = np.random.default_rng(0).integers(1, 6, (1, 400)).astype(float)
    mean, low, high = section_4_2.mean_over_neurons(ratings)
    half = 1.96 * ratings.std() / 20  # of one rater: the textbook's interval of a mean
    assert mean == ratings.mean() and (high - low) / 2 == pytest.approx(half, rel=0.1)
    assert section_4_2.mean_over_neurons(np.full((3, 5), 4.0)) == (4, 4, 4)
    mean, *ends = section_4_2.mean_over_neurons(np.array([[np.nan, 4.0]]))
    assert mean == 4 and np.isnan(ends).all()  # one rating: no interval
    biased = np.array([[5.0] * 400, [1.0] * 400])  # raters who disagree on level: both may be drawn alone
    assert section_4_2.mean_over_neurons(biased) == (3, 1, 5)


def test_token_f1_is_one_for_equal_texts_and_symmetric():
    loud, same, other = section_4_2.token_f1(
        ["a loud dog"] * 3, ["a loud dog", "loud barking of a dog", "quarterly tax return"]
    )
    assert loud == pytest.approx(1, abs=1e-6) and 0 < other < same < 1
    assert section_4_2.token_f1(["quarterly tax return"], ["a loud dog"])[0] == pytest.approx(other, abs=1e-6)


def test_token_f1_matches_every_token_with_its_closest():
    import torch
    from sentence_transformers import SentenceTransformer

    from andlib import encoders

    network = SentenceTransformer(str(encoders.embedded_folder()), device="cpu")
    one, two = (
        torch.nn.functional.normalize(network.encode(text, output_value="token_embeddings")[1:-1], dim=1)
        for text in ("rain", "heavy rain falls")
    )
    assert (len(one), len(two)) == (1, 3)
    cosines = [float(one[0] @ token) for token in two]
    precision, recall = max(cosines), sum(cosines) / 3
    expected = 2 * precision * recall / (precision + recall)
    assert section_4_2.token_f1(["rain"], ["heavy rain falls"])[0] == pytest.approx(expected, abs=1e-5)


def test_roberta_is_asked_through_bert_score(run, neurons, page, tmp_path, monkeypatch):
    import torch

    def score(cands, refs, model_type=None, lang=None, rescale_with_baseline=False):
        assert model_type == "roberta-large" and lang == "en" and rescale_with_baseline
        assert refs == ["quiet"] and cands == [section_4_2.neuron_descriptions(run, neurons)["DB"][0]]
        return torch.tensor([0.1]), torch.tensor([0.2]), torch.tensor([0.3])

    stand_in = ModuleType("bert_score")
    stand_in.score = score
    monkeypatch.setitem(sys.modules, "bert_score", stand_in)
    folder = saved(tmp_path / "r", [["A", neurons["unit"][0], "DB", 5, "quiet", page]])
    table = section_4_2.score_ratings(run, neurons, folder, "roberta-large").set_index("method")
    assert table.loc["DB", "bertscore_roberta-large"] == pytest.approx(0.3) and "bertscore_minilm" not in table
    monkeypatch.setitem(sys.modules, "bert_score", None)
    with pytest.raises(MissingExtra, match=r"bert-score .*\[paper\]"):
        section_4_2.score_ratings(run, neurons, folder, "roberta-large")


def test_a_sample_of_several_models_is_each_one_s(run, neurons):
    twice = section_4_2.sampled_neurons(run.using(models=("ast", "ast")), per_block=2)
    assert list(twice["unit"]) == 2 * list(neurons["unit"]) and list(twice.index) == list(range(8))


def test_pages_keep_their_tables_and_count_what_they_say(run, neurons):
    asked = run.using(extra={"per_block": 2, "seed": 0, "units": "", "ratings": "", "bertscore": "minilm"})
    [described], [scores] = (module.frames(asked).values() for module in (appendix_b, section_4_2))
    pd.testing.assert_frame_equal(described, section_4_2.neuron_descriptions(run, neurons))
    spoken = section_4_2.words(asked, neurons, described, scores)
    assert spoken["state"].startswith("Nobody has rated") and spoken["raters"] == 0
    assert (spoken["paper_sum"], spoken["drawn"], spoken["per_block"]) == (3.49, 4, 2)
    rated = scores.assign(rating=[1.0, 2.0, 3.0], raters=2)
    assert section_4_2.words(asked, neurons, described, rated)["state"].endswith("the order is the paper's.")
    rated["rating"] = [3.0, 2.0, 1.0]
    assert section_4_2.words(asked, neurons, described, rated)["state"].endswith("the order is another.")
    spoken = appendix_b.words(asked, neurons, described)
    before, after = neurons["high"].map(len).sum(), neurons["calibrated"].map(len).sum()
    assert spoken["removed"] == pytest.approx(1 - after / before) and 0 <= spoken["sources"] <= 1
