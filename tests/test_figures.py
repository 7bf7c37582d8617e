"""Every figure of the book can be read without seeing it, and without telling red from green."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from andlib import paths
from andlib.report import figures, look
from committed import committed_page, in_book

OKABE_ITO = {"#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}
GREYS = {look.MUTED}


@pytest.mark.parametrize(("profile", "page"), in_book(), ids="/".join)
def test_every_picture_of_a_page_has_alternative_text(profile, page):
    notebook = json.loads(committed_page(profile, page).read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        shown = [output.get("data", {}) for output in cell.get("outputs", [])]
        if any(kind.startswith("image/") for data in shown for kind in data):
            assert cell["metadata"]["mystnb"]["image"]["alt"], cell["id"]
        for data in shown:
            pictures = re.findall(r"<img\b[^>]*>", "".join(data.get("text/html", "")))
            assert all(re.search(r'\balt="[^"]+"', picture) for picture in pictures), cell["id"]


def test_a_dollar_in_a_name_begins_no_formula():
    import matplotlib.pyplot as plt

    (axes,) = look.panels(1, 1, 2, 2)[0]
    axes.set_title("A $100_bill$ \\frac")
    axes.set_yticks([0], ["$\\nonsense{$"])
    axes.figure.canvas.draw()
    plt.close(axes.figure)


def test_colours_are_told_apart_in_every_colour_vision():
    source = "".join(path.read_text(encoding="utf-8") for path in (paths.PACKAGE / "report").glob("*.py"))
    assert set(re.findall(r"#[0-9A-Fa-f]{6}", source)) <= OKABE_ITO | GREYS
    maps = set(re.findall(r'(?:cmap|colormap)"?[=:] ?"(\w+)"', source))
    assert maps <= {"RdBu", "cividis", "magma", "viridis"} and maps


def test_lines_are_named_at_their_ends_in_order_and_apart():
    ax = look.panels(1, 1, 7, 4)[0, 0]
    ax.errorbar([1, 2, 3], [5, 5, 2.0], [1, 1, 1], color="red", label="middle")
    ax.plot([1, 2], [9, 2.01], color="blue", label="just above, and shorter")
    ax.axhline(0.5, color="black", label="lowest")
    ax.plot([1, 2, 3], [1, 1, 8.0], color="green", label="highest")
    ax.set_ylim(0, 10)
    look.name_lines(ax, gap=0.1)
    named = {text.get_text(): text for text in ax.texts}
    height = {name: text.xyann[1] for name, text in named.items()}
    assert list(height) == ["lowest", "middle", "just above, and shorter", "highest"]
    assert height["lowest"] == pytest.approx(0.05) and height["highest"] == pytest.approx(0.8)
    assert height["just above, and shorter"] == pytest.approx(height["middle"] + 0.1) == pytest.approx(0.3)
    end = ax.transAxes.inverted().transform(ax.transData.transform((2, 2.01)))
    assert named["just above, and shorter"].xy == pytest.approx(end)  # the leader begins where the line ends


def test_gaps_of_a_network_without_random_sets_are_drawn_in_the_order_of_the_others():
    columns = ["model", "strategy", "gap_low", "gap", "gap_high", "excess_all"]
    rows = [("ast", name, 0.0, 0.5, 1.0, 0.4) for name in ("random", "TAB", "DB", "OCP")]
    rows += [("whisper_frozen", name, 0.0, 0.5, 1.0, float("nan")) for name in ("TAB", "DB", "OCP")]
    axes = figures.gaps(pd.DataFrame(rows, columns=columns))
    axes[0, 0].figure.canvas.draw()
    names = [[tick.get_text() for tick in ax.get_yticklabels()] for ax in axes.flat]
    assert names[0] == names[1] == ["OCP", "DB", "TAB", "random"]


@pytest.mark.parametrize(("classes", "columns"), [(28, [28]), (50, [25, 25]), (61, [21, 21, 19])])
def test_figure_10_holds_every_class_once_the_most_affected_at_the_top_left(classes, columns):
    changes = pd.DataFrame(
        {"class": [f"c{i}" for i in range(classes)], "change": np.arange(classes) % 7 - 3.0, "units": 4}
    )
    axes = figures.class_changes(changes, "c0", "ast", "OCP")
    axes[0, 0].figure.canvas.draw()
    names = [[tick.get_text() for tick in ax.get_yticklabels()] for ax in axes.flat]
    assert list(map(len, names)) == columns and len({name for part in names for name in part}) == classes
    drawn = dict(zip(changes["class"], changes["change"], strict=True))
    order = [drawn[name] for part in names for name in part]
    assert order == sorted(order) and names[0][0] == "c0"
    assert all(ax.get_ylim()[0] > ax.get_ylim()[1] for ax in axes.flat)  # the first is drawn at the top
