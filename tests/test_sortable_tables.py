"""Tables of the report sort in a real browser, from a file, by mouse and by keyboard."""

import html
import json
import re
import shutil
import subprocess

import pandas as pd
import pytest

from andlib import paths
from andlib.tables import plain

STATIC = paths.root() / "book/_static"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
VALUES = {
    "unit": ["ast/block10", "ast/block9", "beats/block0", "AST/block1"],
    "gap": ["+1.20 (−0.10 … +2.50)", "-10.50 (-11 … -9)", "–", "+0.9"],
    "share": [0.5, float("nan"), 1.0, 0.093],
    "mean": ["10.00 ± 0.50", "9.99 ± 1.00", "2,332", "1e-3"],
    "function": ["wpmi 100 / 100", "cos 80 / 82", "–", "cos_cubed 9 / 9"],
}
DRIVER = """
const errors = [], said = {};
addEventListener("error", (event) => errors.push(event.message));
console.error = (...words) => errors.push(words.join(" "));
const table = document.querySelector("table");
const size = () => [table.offsetWidth, table.offsetHeight];
const before = size();
[...table.tBodies[0].rows].forEach((row, place) => (row.dataset.place = place));
const order = () => [...table.tBodies[0].rows].map((row) => Number(row.dataset.place));
addEventListener("load", () => {
  for (const heading of table.tHead.rows[0].cells) {
    heading.click();
    said[heading.textContent] = [order(), heading.getAttribute("aria-sort")];
  }
  const heading = table.tHead.rows[0].cells[2], steps = [];
  heading.focus();
  for (const key of ["Enter", " "]) {
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true}));
    steps.push([order(), heading.getAttribute("aria-sort"), table.querySelectorAll("[aria-sort]").length]);
  }
  const left = document.querySelectorAll("#ragged [tabindex]").length;
  document.querySelector("#said").textContent = JSON.stringify({said, steps, errors, left, moved: [before, size()]});
});
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What a browser makes of a table of ours, and of one whose rows differ in length."""
    if not BROWSER:
        pytest.skip("needs Chromium or Chrome on the PATH")
    folder = tmp_path_factory.mktemp("page")
    table = plain(pd.DataFrame(VALUES), "A table", "By a test.", {"share": ".1%"})._repr_html_()
    ragged = "<table id='ragged'><thead><tr><th>a<tbody><tr><td>1<td>2<tr><td>3</table>"
    scripts = "".join(
        f'<script src="{STATIC / name}"></script>' for name in ("tables.js", "tablesort/tablesort.min.js")
    )
    page = (
        f'<!DOCTYPE html><meta charset="utf-8"><link rel="stylesheet" href="{STATIC}/andlib.css">{scripts}'
        f'<div class="cell_output">{table}{ragged}</div><pre id="said"></pre><script>{DRIVER}</script>'
    )
    (folder / "page.html").write_text(page, encoding="utf-8")
    command = [BROWSER, *FLAGS, f"--user-data-dir={folder / 'user'}", "--dump-dom", f"file://{folder}/page.html"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return json.loads(html.unescape(re.search(r'<pre id="said">(.*?)</pre>', done.stdout, re.DOTALL)[1]))


@pytest.mark.parametrize(
    "column, order",
    [("unit", [3, 1, 0, 2]), ("gap", [2, 1, 3, 0]), ("share", [1, 3, 0, 2]), ("mean", [3, 1, 0, 2])],
)
def test_a_click_sorts_numbers_as_numbers_and_names_by_the_numbers_in_them(seen, column, order):
    assert seen["said"][column] == [order, "ascending"]


def test_a_column_that_mixes_words_and_numbers_sorts_as_words(seen):
    assert seen["said"]["function"] == [[2, 1, 3, 0], "ascending"]


def test_headings_take_the_keyboard_and_say_how_they_sort(seen):
    first, second = seen["steps"]
    assert first == [[1, 3, 0, 2], "ascending", 1]
    assert second == [[2, 0, 3, 1], "descending", 1]


def test_nothing_moves_or_complains_and_irregular_tables_stay_as_they_are(seen):
    before, after = seen["moved"]
    assert before == after
    assert seen["errors"] == [] and seen["left"] == 0
