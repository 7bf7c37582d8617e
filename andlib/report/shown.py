"""What a notebook shows as HTML: a table, a card. Text from models is data: it is escaped."""

import base64
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

import pandas as pd

STYLE = f"<style>\n{Path(__file__).with_name('shown.css').read_text(encoding='utf-8')}</style>"


@dataclass(frozen=True)
class Card:
    """A piece of HTML that notebooks show."""

    html: str

    def _repr_html_(self) -> str:
        return STYLE + self.html


@dataclass(frozen=True)
class Table:
    """A captioned table with the line that says what made it. Every cell is escaped: text from models is data."""

    frame: pd.DataFrame
    caption: str
    made_by: str
    formats: Mapping[str, str]  # column -> format specification
    more: tuple[str, pd.DataFrame] | None = None  # what is shown on demand, under its name

    def _repr_html_(self) -> str:
        made_by, shown = f'<p class="made-by">{escape(self.made_by)}</p>', self._table(self.frame, self.caption)
        if self.more and len(self.more[1]):
            name, frame = self.more
            shown += f"<details><summary>{escape(name)}</summary>{self._table(frame, name)}</details>"
        return f'<div class="andlib-table">{shown}{made_by}</div>'

    def _table(self, frame: pd.DataFrame, caption: str) -> str:
        head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in frame.columns)
        cells = ["".join(map(self._cell, frame.columns, row)) for row in frame.itertuples(index=False)]
        rows = f"<tbody>{''.join(f'<tr>{row}</tr>' for row in cells)}</tbody>"
        return f"<table><caption><span>{escape(caption)}</span></caption><thead><tr>{head}</tr></thead>{rows}</table>"

    def _cell(self, name: str, value: object) -> str:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        spec = self.formats.get(name, "")
        text = str(value) if not number else "–" if pd.isna(value) else format(value, spec)
        kind = ' class="number"' if number else ' class="short"' * (len(text) <= 30)  # which stays on one line
        return f"<td{kind}>{escape(text).replace('_', '_<wbr>')}</td>"  # a long name breaks there


@dataclass(frozen=True)
class Figure:
    """A figure of `figures`, drawn from a frame when it is shown."""

    draw: Callable[[pd.DataFrame], object]
    frame: pd.DataFrame
    alt: str

    def _repr_html_(self) -> str:
        import matplotlib.pyplot as plt

        self.draw(self.frame)
        buffer = io.BytesIO()
        plt.savefig(buffer, format="png", metadata={"Software": None})
        plt.close()
        return (
            f'<img alt="{escape(self.alt)}" src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'
        )
