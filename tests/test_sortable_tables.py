"""Tables of the report sort in a real browser, from a file, by mouse and by keyboard, at desktop and phone width."""

import pandas as pd
import pytest
from browser import BROWSER, opened

from andlib import paths
from andlib.report.tables import plain

pytestmark = pytest.mark.skipif(not BROWSER, reason="needs Chromium or Chrome on the PATH")
STATIC = paths.root() / "book/_static"
VALUES = {
    "unit": ["ast/block10", "ast/block9", "beats/block0", "AST/block1"],
    "gap": ["+1.20 (−0.10 … +2.50)", "-10.50 (-11 … -9)", "–", "+0.9"],
    "share": [0.5, float("nan"), 1.0, 0.093],
    "mean": ["10.00 ± 0.50", "9.99 ± 1.00", "2,332", "1e-3"],
    "function": ["wpmi 100 / 100", "cos 80 / 82", "–", "cos_cubed 9 / 9"],
}
NUMBERED = "[...document.querySelectorAll('#regular tbody tr')].forEach((row, i) => row.dataset.place = i)"
ORDER = "[...document.querySelectorAll('#regular tbody tr')].map((row) => Number(row.dataset.place))"
SIZE = "(({width, height}) => [width, height])(document.querySelector('#regular table').getBoundingClientRect())"


def heading(column):
    return f"#regular th:nth-child({list(VALUES).index(column) + 1})"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A page with a table of ours, and with one whose rows differ in length."""
    folder = tmp_path_factory.mktemp("a b")
    table = plain(pd.DataFrame(VALUES), "A table", "By a test.", {"share": ".1%"})._repr_html_()
    ragged = "<table id='ragged'><thead><tr><th>a<tbody><tr><td>1<td>2<tr><td>3</table>"
    scripts = "".join(
        f'<script src="{STATIC / name}"></script>' for name in ("tables.js", "tablesort/tablesort.min.js")
    )
    head = f'<!DOCTYPE html><meta charset="utf-8"><link rel="stylesheet" href="{STATIC}/andlib.css">{scripts}'
    body = f'<div class="cell_output"><div class="text_html" id="regular">{table}</div>{ragged}</div>'
    early = f"<script>{NUMBERED}; window.early = {SIZE}</script>"  # before any table is made sortable
    (folder / "page.html").write_text(head + body + early, encoding="utf-8")
    return (folder / "page.html").as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def page(browser, address):
    """The page, opened anew."""
    browser.open(address)
    return browser


@pytest.mark.parametrize(
    "column, order",
    [
        ("unit", [3, 1, 0, 2]),
        ("gap", [2, 1, 3, 0]),
        ("share", [1, 3, 0, 2]),
        ("mean", [3, 1, 0, 2]),
        ("function", [2, 1, 3, 0]),  # words, though some begin with numbers
    ],
)
def test_a_click_sorts_numbers_as_numbers_and_names_by_the_numbers_in_them(page, column, order):
    page.click(heading(column))
    assert page.run(ORDER) == order
    page.click(heading(column))
    assert page.run(ORDER) == order[::-1]


def test_headings_take_the_keyboard_and_say_how_they_sort(page):
    said = "document.activeElement.getAttribute('aria-sort')"
    page.run(f"document.querySelector('{heading('share')}').focus()")
    page.press("Enter")
    assert (page.run(ORDER), page.run(said)) == ([1, 3, 0, 2], "ascending")
    page.press(" ")
    assert (page.run(ORDER), page.run(said)) == ([2, 0, 3, 1], "descending")
    page.click(heading("unit"))
    assert page.run("document.querySelectorAll('[aria-sort]').length") == 1


@pytest.mark.parametrize("width", [1200, 390])
def test_nothing_moves_or_complains_and_irregular_tables_stay_as_they_are(page, address, width):
    page.open(address, width=width)
    page.click(heading("gap"))
    assert page.run("window.early") == page.run(SIZE)
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    assert page.run("document.querySelectorAll('#ragged [tabindex]').length") == 0
    assert page.complaints == []
    assert all(asked.startswith("file:") or asked == "about:blank" for asked in page.requests)
