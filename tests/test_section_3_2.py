"""Our rules beside a language model: what is counted, on hand-made cases, and the labels that were given by reading."""

import json

import numpy as np
import pandas as pd
import pytest

from andlib import asking, descriptions, paths, stages
from andlib.concepts import concept_set
from andlib.errors import InputError
from andlib.llms.llm import Answer, Completions
from andlib.pages import section_3_2
from andlib.profiles import PROFILES
from andlib.run import Run

SETS = paths.root() / "benchmarks/labelled_sets.jsonl"
CAPTIONS = ("A dog barks loudly.", "A loud puppy.", "Rain falls.")


# ---- support of a point by captions


@pytest.mark.parametrize(
    "point, claims, shared, some",
    [
        ("A loud dog barks.", 3, 2, 3),  # loud and dog in two of three captions, barking in one
        ("Something barks.", 1, 0, 1),
        ("A helicopter.", 1, 0, 0),
        ("A loud helicopter.", 2, 1, 1),
        ("It is not loud.", 0, 0, 0),
        ("They are alike.", 0, 0, 0),
        ("", 0, 0, 0),
    ],
)
def test_a_point_is_supported_by_captions_that_make_its_claims(point, claims, shared, some):
    assert section_3_2.support(point, CAPTIONS) == {"claims": claims, "shared": shared, "some": some}


@pytest.mark.parametrize("captions, shared", [(2, 0), (3, 1), (5, 1)])
def test_shared_means_at_least_half_of_five(captions, shared):
    said = ["A siren wails."] * captions + ["Rain falls."] * (5 - captions)
    assert section_3_2.support("A siren.", said)["shared"] == shared


def test_points_of_both_are_laid_beside_the_same_captions(run, monkeypatch):
    rules = stages.neurons(run, "ast")
    chosen = rules.iloc[[5, 40]].reset_index(drop=True).assign(high=[["A dog.", "Nothing."], []])
    monkeypatch.setattr(stages, "neurons_by_language_model", lambda run, model: chosen)
    points = section_3_2.points(run)
    assert points.columns.tolist() == ["model", "unit", "summariser", "point", "claims", "shared", "some"]
    by_rules, by_llm = (points[points["summariser"] == name] for name in section_3_2.SUMMARISERS)
    assert by_llm["point"].tolist() == ["A dog.", "Nothing."] and set(by_llm["unit"]) == {chosen["unit"][0]}
    assert by_rules["point"].tolist() == [point for i in (5, 40) for point in rules["high"][i]]
    texts = descriptions.clip_descriptions(run)
    captions = [texts[i] for i in rules["highest"][5]]
    assert by_llm.iloc[0][["claims", "shared", "some"]].to_dict() == section_3_2.support("A dog.", captions)
    assert (by_rules["shared"] <= by_rules["some"]).all() and (by_rules["some"] <= by_rules["claims"]).all()


def test_supported_counts_points_a_neuron_and_shares_of_claims(monkeypatch):
    rows = [
        ("ast", "a", "llm", "x", 4, 1, 2),
        ("ast", "a", "llm", "y", 0, 0, 0),
        ("ast", "b", "llm", "z", 2, 2, 2),
        ("ast", "a", "rules", "x", 1, 1, 1),
        ("beats", "a", "llm", "w", 0, 0, 0),
    ]
    columns = ["model", "unit", "summariser", "point", "claims", "shared", "some"]
    monkeypatch.setattr(section_3_2, "points", lambda run: pd.DataFrame(rows, columns=columns))
    first, second, silent = section_3_2.supported(None).to_dict("records")
    assert (first["model"], first["summariser"], first["neurons"], first["points"]) == ("ast", "llm", 2, 1.5)
    assert first["silent"] == pytest.approx(1 / 3) and first["claims"] == 3
    assert first["shared"] == pytest.approx(3 / 6) and first["some"] == pytest.approx(4 / 6)
    assert (second["neurons"], second["shared"], second["some"]) == (1, 1, 1)
    assert silent["silent"] == 1 and np.isnan([silent["shared"], silent["some"]]).all()  # and no warning


# ---- words of the same units, answers of several models


def as_stored(value):
    return np.array(value) if isinstance(value, list) else value  # as parquet gives lists back


def test_words_are_counted_over_the_same_block_units(monkeypatch, run):
    name = run.probing_set.classes[0]
    rows = [
        ("ast", "rules", "block0.output", ["loud", "high", "loud"], [name]),
        ("ast", "rules", "block0.output", ["loud"], []),
        ("ast", "rules", "classifier", ["soft"], [name]),
        ("ast", "llm", "block0.output", [], ["thing"]),
        ("ast", "llm", "block0.output", [], []),
    ]
    columns = ["model", "summariser", "layer", "adjectives", "nouns"]
    monkeypatch.setattr(section_3_2, "summaries", lambda run: pd.DataFrame(rows, columns=columns).map(as_stored))
    rules, llm = section_3_2.read_alike(run).to_dict("records")
    shares = ["neurons", "with adjective", "with noun", "names a class", "commonest"]
    assert [rules[key] for key in shares] == [2, 1, 0.5, 0.5, "loud, high"]
    assert [llm[key] for key in shares] == [2, 0, 0.5, 0, "none"]


def test_each_model_whose_answers_are_kept_has_its_rows(run, tmp_path):
    texts, table = descriptions.clip_descriptions(run), asking.sampled(stages.neurons(run, "ast"))
    kept = Completions(tmp_path / "log.jsonl")

    class Other:
        model, revision = "another", ""

        def answers(self, chats, sampling):
            yield from ((i, Answer("1. Loud.")) for i in range(0, len(chats), 2))

    asking.summaries(run.using(completions=kept, language_model=Other()), table, texts)
    rows = section_3_2.asked(run.using(completions=kept, models=("ast",))).set_index("asked")
    assert rows.index.tolist() == [run.answerer, "another"]
    assert rows.loc[run.answerer, "answered"] == 0 and 0 < rows.loc["another", "answered"] < 1


def test_the_ways_to_ask_are_those_that_were_measured_on_the_labelled_sets():
    rows, made_by = section_3_2.ways_to_ask()
    sets = [json.loads(line) for line in SETS.read_text(encoding="utf-8").splitlines()]
    named = [each["label"] for each in sets if each["label"] != "none"]
    assert len(sets) == 30 and set(named) <= set(concept_set("esc50", ()))
    assert (rows["sets"] == len(named)).all() and (rows["first"] <= rows["among five"]).all()
    assert "SmolLM2" in made_by and {"free text", "likelihood, a token"} <= set(rows["way"])


# ---- labels given by reading


def test_a_profile_without_answers_says_what_asks_for_them(run):
    with pytest.raises(InputError, match="No answer of .* is kept: `make answers PROFILE=mini`"):
        section_3_2.supported(run)


# ---- filters of adjectives


def test_filters_are_compared_word_by_word(monkeypatch):
    by_hand = {"loud": True, "red": False, "deep": True, "purple": True}
    said = {"loud": True, "red": True, "deep": None, "purple": False, "dull": False, "green": None}
    asked = []
    monkeypatch.setattr(asking, "labelled_adjectives", lambda: by_hand)
    monkeypatch.setattr(asking, "verdicts", lambda run, words: asked.append(set(words)) or {w: said[w] for w in words})
    table = pd.DataFrame({"calibrated": [("A dull sound.",), ("A green and loud sound.",), ("A dull sound.",)]})
    monkeypatch.setattr(stages, "neurons_by_language_model", lambda run, model: table)
    ours, model, both = section_3_2.adjective_filters(Run(PROFILES["mini"], ("ast",))).to_dict("records")
    assert asked == [set(by_hand), {"dull", "green", "loud"}]
    names = [(row["one"], row["other"], row["words"], row["undecided"]) for row in (ours, model, both)]
    assert names == [
        ("our list", "by hand", 4, 0),
        ("language model", "by hand", 4, 1),
        ("language model", "our list", 3, 1),
    ]
    shares = [(row["agreement"], row["yes_one"], row["yes_other"]) for row in (ours, model, both)]
    assert shares[0] == (0.75, 0.5, 0.75)  # our list misses purple
    assert shares[1] == pytest.approx((1 / 3, 2 / 3, 2 / 3))
    assert shares[2] == pytest.approx((0.5, 0.5, 1))


def test_without_a_language_model_its_rows_say_nothing(run, tmp_path):
    silent = run.using(completions=Completions(tmp_path / "none.jsonl"))
    ours, model, both = section_3_2.adjective_filters(silent).to_dict("records")
    assert ours["undecided"] == 0 and 0 <= ours["agreement"] <= 1
    assert model["undecided"] == model["words"] and np.isnan(model["agreement"])
    assert both["words"] == 0 and np.isnan(both["yes_one"])


def test_removals_are_counted_and_those_by_another_property_named(run, monkeypatch):
    high = ("1. Gradual onset: gradual in three of the five clips.", "2. Dog heard: a dog in all five clips.")
    low = ("1. Sharp onset: sharp in three of the five clips.", "2. Dog: two of the five clips are of a dog.")
    tables = {"rules": pd.DataFrame({"high": [high], "low": [low]}), "a model": pd.DataFrame({"high": [], "low": []})}
    monkeypatch.setattr(section_3_2, "summaries_of_all", lambda run: tables)
    rows = section_3_2.removals(run).set_index(["written by", "mode"])
    ours, released = rows.loc[("rules", "corrected")], rows.loc[("rules", "calibration_loop")]
    assert ours["points"] == 2 and ours["removed"] == 0.5 and ours["different"] == 0  # the dog, by the dog
    assert released["removed"] >= 0.5 and released["different"] >= 0.5  # the gradual onset, by the sharp one
    assert np.isnan(rows.loc[("a model", "corrected"), "different"])


def test_the_rule_for_different_claims_was_judged_by_hand():
    agreement = section_3_2.removals_by_hand()
    read = pd.read_csv(paths.PACKAGE / "removals.csv")
    assert len(read) == 100 and set(read["label"]) == {"same", "different"}
    guess = read.groupby("writer", sort=False)["label"].agg(lambda labels: labels.value_counts(normalize=True).max())
    assert (agreement > guess).all()  # better than always the commoner label
