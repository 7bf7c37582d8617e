"""Tables: text from models is escaped, numbers are formatted, missing ones shown as such."""

import pandas as pd

from andlib import paper
from andlib.profiles import MEASURES
from andlib.report import tables

HOSTILE = '<script>alert("x")</script>{eval-rst}`x`'


def test_every_cell_of_a_table_is_escaped():
    html = tables.plain(pd.DataFrame({HOSTILE: [HOSTILE]}), HOSTILE, HOSTILE)._repr_html_()
    assert "<script>" not in html and html.count("&lt;script&gt;") == 4


def test_numbers_are_formatted_and_missing_ones_dashed():
    frame = pd.DataFrame({"share": [0.125, float("nan")], "name": ["a", "b"]})
    html = tables.plain(frame, "c", "m", {"share": ".1%"})._repr_html_()
    assert "12.5%" in html and "–" in html and "nan" not in html


def test_rows_are_a_table_too_and_columns_are_renamed_before_they_are_formatted():
    rows = [{"model": "ast", "share": 0.5}, {"model": "ast", "share": 0.25}]
    table = tables.plain(rows, "c", "m", {"of all": ".0%"}, {"share": "of all"})
    assert table.caption == "c (ast)" and list(table.frame) == ["of all"] and "25%" in table._repr_html_()
    network = tables.plain(rows, "c", "m", heads={"model": "network"})
    assert network.caption == "c" and list(network.frame) == ["network", "share"]


def test_the_paper_s_tables_are_complete():
    for model in ("ast", "beats_finetuned", "beats_frozen"):
        assert set(paper.table2(model).index) == {"ICL", "TAB", "DB"}
        assert len(paper.table7(model)) == 5
        four = paper.table4(model)
        # the column headed dA - dR holds dR - dA, up to the rounding of three printed numbers
        assert ((four["dR"] - four["dA"]) - four["gap"]).abs().max() < 0.011
    for table in (paper.table2, paper.table4, paper.table7):
        assert table("whisper_frozen").empty


def accuracies(model, accuracy, low, high, n):
    row = {"model": model, "accuracy": accuracy, "low": low, "high": high, "n": n}
    return [row | {"clips": clips} for clips in ("fold 1", "folds 2-5")]


def test_table_1_says_why_there_is_no_interval_and_what_is_trained():
    nan = float("nan")
    rows = [*accuracies("ast", 0.9, 0.8, 1.0, 9), *accuracies("beats_untrained", 0.3, nan, nan, 9)]
    rows += accuracies("beats_frozen", nan, nan, nan, 0)
    floors = pd.DataFrame({"method": ["chance"], "accuracy": [0.1]})
    shown = tables.table1(pd.DataFrame(rows), floors, "").frame.set_index("network")["95 %"]
    assert shown["ast"] == "80.0%\N{NO-BREAK SPACE}…\N{NO-BREAK SPACE}100.0%" and shown["beats_frozen"] == "–"
    assert shown["random features, trained classifier"] == "one source: no interval"


def test_strategies_are_called_alike_and_one_seed_has_no_interval():
    rows = [
        {"measure": measure, "one": "beats_frozen", "other": "beats_untrained", "mean": 0.5, "low": low, "high": high}
        for measure, (low, high) in zip(MEASURES, [(0.25, 0.75)] + [(float("nan"),) * 2] * 7, strict=True)
    ]
    frame = tables.strategies(pd.DataFrame(rows), "", "").frame
    [row] = frame.to_numpy().tolist()
    assert row == ["frozen − random features, trained classifier", "0.50 ± 0.25", *["0.50"] * 7]
    assert list(frame) == ["strategy", *MEASURES.values()]


def test_a_method_without_answers_is_a_dash():
    row = dict.fromkeys(("top1", "top5", "cos"), float("nan"))
    assert (
        tables._identified(row) == "–"
        and tables._identified({"top1": 0.5, "top5": 1, "cos": 0.5}, ".0f") == "50 / 100 / 0.50"
    )
