"""Tables: text from models is escaped, numbers are formatted, missing ones shown as such."""

import pandas as pd

from andlib import paper
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
        assert set(paper.table2(model)["method"]) == {"ICL", "TAB", "DB"}
        assert len(paper.table7(model)) == 5
        four = paper.table4(model)
        # the column headed dA - dR holds dR - dA, up to the rounding of three printed numbers
        assert ((four["dR"] - four["dA"]) - four["gap"]).abs().max() < 0.011
