"""The look of the book's figures: colours, marks, legends."""

from collections.abc import Iterable
from contextlib import suppress

import numpy as np
import pandas as pd

from andlib.profiles import STRATEGIES, WHISPER

# Okabe and Ito's palette, told apart in every colour vision
OURS, PAPER, MUTED, SKY, GREEN, PINK, RED = "#0072B2", "#E69F00", "#8A8A8A", "#56B4E9", "#009E73", "#CC79A7", "#D55E00"
# colours and markers of lines
SERIES = tuple(zip((OURS, PAPER, GREEN, PINK, "black", MUTED, SKY, RED), "osD^vxP*", strict=True))
_LINES = zip((OURS, MUTED, PINK, GREEN, RED, "black", PAPER, SKY), "oXv^sPD*", strict=True)
NETWORKS = dict(zip(("ast", *STRATEGIES, *WHISPER), _LINES, strict=True))
SMALL = {"fontsize": "small", "frameon": False}
_LEADER = {"arrowstyle": "-", "linestyle": ":", "linewidth": 0.7, "color": MUTED, "relpos": (0, 0.5)}


def style() -> None:
    """One look for the whole book; every figure below has it."""
    import matplotlib as mpl
    import seaborn as sns

    sns.set_theme(style="whitegrid", context="notebook", font="DejaVu Sans")
    mpl.rcParams.update({"figure.dpi": 110, "svg.hashsalt": "andlib", "axes.titlelocation": "left"})
    mpl.rcParams["text.parse_math"] = False  # the name of a class may hold a dollar
    with suppress(NameError, ImportError):
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        get_ipython()  # noqa: F821  only in a notebook
        set_matplotlib_formats("png", metadata={"Software": None})


def panels(down: int, across: int, width: float, height: float, **shared: bool) -> np.ndarray:
    """Axes of a new figure [down, across]; width and height in inches."""
    import matplotlib.pyplot as plt

    style()
    return plt.subplots(down, across, figsize=(width, height), layout="constrained", squeeze=False, **shared)[1]


def hide(axes: Iterable) -> None:
    """Leaves panels of a grid empty."""
    for ax in axes:
        ax.axis("off")


def label(axes: np.ndarray, x: str = "", y: str = "") -> None:
    """Labels of a grid's outer axes."""
    for ax in axes[-1] if x else ():
        ax.set_xlabel(x)
    for ax in axes[:, 0] if y else ():
        ax.set_ylabel(y)


def name_lines(ax, gap: float = 0.06) -> None:
    """Names lines at their right ends, in darker shades of their colours, at least `gap` of the axes' height apart."""
    from matplotlib.colors import to_rgb

    ends, last, _ = [], -np.inf, ax.viewLim  # whose limits are set when it is first asked for
    for line, name in zip(*ax.get_legend_handles_labels(), strict=True):
        line = getattr(line, "lines", [line])[0]  # of one with error bars
        end = (line.get_transform() - ax.transAxes).transform(line.get_xydata()[-1])
        ends.append((*end[::-1], name, 0.7 * np.array(to_rgb(line.get_color()))))
    for y, x, name, colour in sorted(ends, key=lambda end: end[0]):
        last = max(y, last + gap)
        ax.annotate(name, (x, y), (1.04, last), "axes fraction", arrowprops=_LEADER, va="center", color=colour)


def legend_of_all(ax, columns: int) -> None:
    """One legend for the whole figure, of what one of its panels holds."""
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=columns, **SMALL)


def error(rows: pd.DataFrame, low: str, value: str, high: str) -> np.ndarray:
    """Lengths of error bars below and above the values [2, rows]."""
    return np.abs(rows[[low, high]].to_numpy().T - rows[value].to_numpy())


def dots(ax, rows: pd.DataFrame, ours: list[str], printed: pd.Series) -> None:
    """Values with their intervals (ours: the columns low, value, high), a line a name, and the paper's, where known."""
    xerr, printed = error(rows, *ours), printed.set_axis(rows.index).dropna()
    ax.errorbar(rows[ours[1]], rows.index, xerr=xerr, fmt="o", color=OURS, capsize=3, label="ours, 95 %")
    ax.scatter(printed, printed.index, label="the paper (ESC-50)", marker="D", color=PAPER, edgecolor="black", zorder=3)
    ax.set_ylim(-0.6, len(rows) - 0.4)
