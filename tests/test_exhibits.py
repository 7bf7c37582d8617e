"""The paper's exhibits at a glance: what stands for each, and the index that shows them."""

import re

import pandas as pd

from andlib import kept, paper, paths
from andlib.pages import claims
from andlib.pages.claims import ABSENT, EXHIBITS, at_a_glance, texts
from andlib.profiles import MODELS
from committed import in_book

NUMBERED = [f"Table {i}" for i in range(1, 9)] + [f"Figure {i}" for i in range(1, 15)]
OURS = {exhibit: ours for exhibit, _, _, ours in EXHIBITS}


def ours(exhibit, name, rows):
    """What stands for an exhibit by a page's frame, given as rows."""
    return OURS[exhibit]({name: pd.DataFrame(rows)})


def by_model(*values, **others):
    """Rows of a page's frame, one a network, in another order than MODELS."""
    return [
        {"model": model, "value": value} | others for model, value in reversed(list(zip(MODELS, values, strict=True)))
    ]


def test_every_exhibit_of_the_paper_has_one_row_and_a_page():
    glance = at_a_glance({"mini": claims.committed("mini")})
    assert list(glance["exhibit"]) == NUMBERED
    assert all((paths.root() / f"notebooks/{page}.py").exists() for page in glance["page"])
    assert list(glance.columns) == ["exhibit", "page", "what", "paper", "mini"]


def test_the_papers_column_is_what_it_prints():
    printed = at_a_glance({"mini": claims.committed("mini")}).set_index("exhibit")["paper"]
    assert printed["Table 1"] == "95.0% / 89.8% / 84.8%"
    assert printed["Table 2"] == "100% / 76% / 58%"
    assert printed["Table 4"] == "+3.90 / +1.49 / +0.10"
    assert printed["Table 7"] == "cos_cubed / cos / cos"
    assert printed["Figure 8"] == "40.9%"
    assert printed["Figure 6"] == ABSENT


def test_every_number_of_ours_is_found_in_what_is_committed():
    glance = at_a_glance({"mini": claims.committed("mini")})
    assert not list(glance.loc[glance["mini"] == ABSENT, "exhibit"])


def test_a_profile_without_results_has_dashes_and_is_left_out_where_none_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "results", lambda: tmp_path)
    assert set(at_a_glance({"mini": claims.committed("mini")})["mini"]) == {ABSENT}
    assert claims.everywhere() == {}


def test_three_networks_stand_in_one_order_and_a_missing_one_as_a_dash():
    rows = [
        row | {"gap": row["value"], "strategy": name} for name in ("OCP", "DB") for row in by_model(1.0, None, -2.0)
    ]
    assert ours("Table 4", "unlearning", rows) == "+1.00 / – / -2.00"
    assert ours("Table 4", "unlearning", [row for row in rows if row["model"] == "ast"]) == "+1.00 / – / –"


def test_water_is_compared_with_other_classes_but_not_with_itself():
    changes = {"water drops": -9.0, "rain": -2.0, "sea waves": -1.0, "dog": 0.25, "cat": 0.75}
    rows = [{"class": name, "change": change} for name, change in changes.items()]
    assert ours("Figure 10", "water_drops", rows) == "-1.50; +0.50"
    assert ours("Figure 10", "water_drops", []) == "no class water drops"


def test_ratings_count_only_where_people_rated():
    rows = [{"method": "DB", "rating": 1.0, "ratings": 9}, {"method": "SUM", "rating": 3.456, "ratings": 9}]
    assert ours("Table 3", "human_evaluation", rows) == "3.46 of 5"
    rows[1] |= {"rating": None, "ratings": 0}
    assert ours("Table 3", "human_evaluation", rows) == "nobody has rated"


def test_table_6_counts_the_neurons_that_tab_and_db_name_alike():
    rows = [{"TAB": tab, "DB": db} for tab, db in (("dog", "dog"), ("dog", "cat"), ("rain", "rain"))]
    assert ours("Table 6", "qualitative", rows) == "2 of 3"


def test_figure_2_stands_for_the_nouns_that_rules_leave_of_the_neuron_s_summary():
    parts = [("rules", "adjectives", "loud"), ("rules", "nouns", "frog"), ("a model", "nouns", "animal")]
    rows = [{"written by": by, "part of speech": part, "after rules": words} for by, part, words in parts]
    assert ours("Figure 2", "words", rows) == "frog"


def test_loud_is_counted_with_and_without_captions_that_measure():
    rows = [
        {"model": "ast", "word": "loud", "descriptions": text, "with": count, "without": 200 - count}
        for text, count in (("file + measured", 50), ("file", 3))
    ]
    assert ours("Figure 8", "acoustics", rows) == "25.0%; 1.5% if nothing is measured"


def test_the_index_shows_every_exhibit_and_claim_by_what_the_ledger_glues_and_leads_to_its_page():
    index = (paths.root() / "book/index.md").read_text(encoding="utf-8")
    rows = {row.split(":")[0][2:]: row for row in re.findall(r"^\| (?:Table|Figure) .*", index, re.MULTILINE)}
    for exhibit, page, _, _ in EXHIBITS:
        glued = "{{glue:text}}`pages/mini/claims.ipynb::{}_{}:s`".format
        name = exhibit.lower().replace(" ", "_")
        assert glued(name, "what") in rows[exhibit] and glued(name, "paper") in rows[exhibit]
        for profile in ("mini", "esc50"):
            there = (profile, page) in in_book(profile)
            shown = f"[{glued(name, profile)}](pages/{profile}/{page}.ipynb)" if there else glued(name, profile)
            assert shown in rows[exhibit]
        assert glued(name, "esc50_whisper") in rows[exhibit]
    ledger = index.split(", on stand-ins\n")[1]
    for claim in paper.numbers()["claims"]:
        for column in ("claim", "mini", "esc50", "esc50_whisper"):
            assert f"::{claim['id']}_{column}:s`" in ledger


def test_cells_are_named_by_row_and_column():
    named = texts(at_a_glance({"mini": claims.committed("mini")}), "exhibit")
    assert named["figure_14_paper"] == "at most 20%"
    assert len(named) == len(NUMBERED) * 4


def test_the_committed_exhibits_are_what_the_committed_numbers_say():
    committed = kept.frame("mini", "claims", "exhibits")
    glance = at_a_glance(claims.everywhere())
    assert committed.to_dict("records") == glance.to_dict("records"), "run publish.py results claims again"
