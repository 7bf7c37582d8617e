"""Frames to tables of the report. They draw what they are given: nothing here loads, computes or saves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd

from andlib import paper

Format = Mapping[str, str]  # column -> format specification


@dataclass(frozen=True)
class Table:
    """A captioned table with the line that says what made it. Every cell is escaped: text from models is data."""

    frame: pd.DataFrame
    caption: str
    made_by: str
    formats: Format

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(str(name))}</th>" for name in self.frame.columns)
        rows = "".join(
            "<tr>"
            + "".join(self._cell(name, value) for name, value in zip(self.frame.columns, row, strict=True))
            + "</tr>"
            for row in self.frame.itertuples(index=False)
        )
        return (
            f'<div class="andlib-table"><table><caption>{escape(self.caption)}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
            f'<p class="made-by">{escape(self.made_by)}</p></div>'
        )

    def _cell(self, name: str, value: object) -> str:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and pd.isna(value):
            return '<td class="number">–</td>'
        text = format(value, self.formats.get(name, "")) if number else str(value)
        return f'<td class="number">{escape(text)}</td>' if number else f"<td>{escape(text)}</td>"


def keep(**values: object) -> None:
    """Glues values by name: into the page's prose, and into the results that are committed beside the page.

    A frame is kept as its rows.
    """
    from myst_nb import glue

    for name, value in values.items():
        if isinstance(value, pd.DataFrame):
            value = value.astype(object).where(value.notna(), None).to_dict("records")
        glue(name, getattr(value, "item", lambda v=value: v)(), display=False)


def plain(frame: pd.DataFrame, caption: str, made_by: str, formats: Format | None = None) -> Table:
    """Any frame as a table. A model that is the same in every row moves from its column into the caption."""
    if "model" in frame and frame["model"].nunique() == 1:
        caption = f"{caption} ({frame['model'].iloc[0]})"
        frame = frame.drop(columns="model")
    return Table(frame, caption, made_by, formats or {})


def table2(results: pd.DataFrame, made_by: str, encoder: str) -> Table:
    """Table 2 for DB: the best function's top-1, top-5 and cosine, beside the paper's, chance and every control.

    results: `section_4_1.last_layer`. encoder: what the cosine is measured with, which stands in its header.
    """
    rows = []
    for model, ours in results.groupby("model", sort=False):
        best = best_function(ours)
        reference = paper.table2(model).set_index("method").loc["DB"]
        rows.append({"model": model, "method": "DB, the paper (ESC-50)", **reference})
        for _, row in ours[(ours["function"] == best) | (ours["method"] != "DB")].iterrows():
            label = row["method"] if row["method"] != "DB" else f"DB, {best}"
            kept = row[["top1", "top5", "cos"]].to_dict()
            rows.append({"model": model, "method": f"{label}: {row['condition']}", **kept})
        rows.append({"model": model, "method": "chance (50 concepts)", **paper.CHANCE, "cos": float("nan")})
    frame = pd.DataFrame(rows).rename(columns={"top1": "top-1", "top5": "top-5", "cos": f"cosine ({encoder})"})
    formats = {"top-1": ".1%", "top-5": ".1%", f"cosine ({encoder})": ".2f"}
    return plain(frame, "Table 2. Naming the classes of classifier units", made_by, formats)


def best_function(results: pd.DataFrame) -> str:
    """The similarity function with the highest top-1 on all clips (ties: top-5, then cosine), as Table 2 takes it."""
    scored = results[(results["method"] == "DB") & (results["condition"] == "all clips")]
    return scored.sort_values(["top1", "top5", "cos"], ascending=False, kind="stable").iloc[0]["function"]


def table7(results: pd.DataFrame, made_by: str, encoder: str) -> Table:
    """Table 7 for DB: every similarity function, ours (all clips, fold 1 alone) and the paper's.

    A cell holds top-1 in %, top-5 in % and the cosine, as the paper lays it out.
    """
    rows = []
    for model, ours in results[results["method"] == "DB"].groupby("model", sort=False):
        reference = paper.table7(model).set_index("function")
        cells = ours.set_index(["condition", "function"])
        for function in reference.index:
            row = {"model": model, "function": function}
            for condition in ("all clips", "fold 1"):
                if (condition, function) in cells.index:
                    row[f"ours, {condition}"] = _cell(cells.loc[(condition, function)])
            rows.append(row | {"the paper (ESC-50)": _cell(reference.loc[function])})
    caption = f"Table 7. DB by similarity function: top-1 % / top-5 % / cosine by {encoder}"
    return plain(pd.DataFrame(rows), caption, made_by)


def _cell(row: pd.Series) -> str:
    return f"{100 * row['top1']:.1f} / {100 * row['top5']:.1f} / {row['cos']:.2f}"


TABLE4_COLUMNS = {
    "model": "model",
    "strategy": "strategy",
    "units": "units",
    "empty": "empty",
    "dA": "ΔA",
    "dR": "ΔR",
    "gap": "ΔR − ΔA",
    "interval": "95 %",
    "p": "p",
}


def table4(results: pd.DataFrame, made_by: str) -> Table:
    """Table 4: change of a class's own logit when its units are silenced, ours and the paper's rows.

    results: `section_4_3.unlearning_table`.
    """
    rows = []
    for model, ours in results.groupby("model", sort=False):
        reference = paper.table4(model).set_index("strategy")
        for strategy in ("random", "DB", "OCP"):
            rows.append({"model": model, "strategy": f"{strategy}, the paper (ESC-50)", **reference.loc[strategy]})
        rows += ours.to_dict("records")
    frame = pd.DataFrame(rows)
    frame["interval"] = [_interval(low, high) for low, high in zip(frame["gap_low"], frame["gap_high"], strict=True)]
    frame = frame[list(TABLE4_COLUMNS)].rename(columns=TABLE4_COLUMNS)
    formats = dict.fromkeys(["ΔA", "ΔR", "ΔR − ΔA"], "+.2f") | {"units": ".0f", "empty": ".0f", "p": ".4f"}
    caption = "Table 4. Change of the class's own logit after silencing its units"
    return plain(frame, caption, made_by, formats)


def beyond_logits(results: pd.DataFrame, made_by: str) -> Table:
    """What Table 4's logits hide: margins, accuracies, and averages over the classes that have a unit at all."""
    columns = {
        "model": "model",
        "strategy": "strategy",
        "gap_filled": "logit gap",
        "margin_dA": "ΔA",
        "margin_dR": "ΔR",
        "margin_gap": "ΔR − ΔA",
        "margin_p": "p",
        "accuracy_forgotten": "forgotten",
        "accuracy_remaining": "others",
    }
    formats = {name: "+.2f" for name in columns.values() if "gap" in name or "Δ" in name}
    formats |= dict.fromkeys(["forgotten", "others"], ".1%") | {"p": ".4f"}
    caption = "Beyond logits: change of the margin (own logit less the largest other), and accuracy"
    return plain(results[list(columns)].rename(columns=columns), caption, made_by, formats)


def listing(rows: Sequence[Mapping[str, object]], caption: str, made_by: str) -> Table:
    """Rows of mixed text and numbers."""
    return plain(pd.DataFrame(rows), caption, made_by)


def _interval(low: float, high: float) -> str:
    return "–" if pd.isna(low) else f"{low:+.2f} … {high:+.2f}"
