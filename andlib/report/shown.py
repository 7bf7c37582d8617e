"""What a notebook shows as HTML: a table, a card. Text from models is data: it is escaped."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import pandas as pd

STYLE = """<style>
.clips { display: grid; gap: 1rem .8rem; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); }
.glance { columns: 19rem 2; column-gap: 2rem; }
.glance > div { break-inside: avoid; overflow-x: auto; }
.clip { margin: 0; min-width: 0; }
.sound { position: relative; }
.sound img { display: block; width: 100%; height: 5rem; }
.sound svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.course { display: block; width: 100%; height: 1.4rem; }
.clip audio { width: 100%; height: 2rem; margin-top: .3rem; }
.clip button { font: inherit; font-size: .8rem; cursor: pointer; }
.clip figcaption { margin-top: .3rem; font-size: .8rem; line-height: 1.35; text-align: left; }
.neuron h3 { margin: .5rem 0; overflow-wrap: anywhere; }
.neuron h4 { margin: 0 0 .3rem; padding-top: .9rem; }
.neuron th, .neuron td { text-align: left; vertical-align: top; padding: .1rem .6rem .1rem 0; }
.points { margin: 0; padding-left: 0; list-style: none; }
.points del, .neuron small { opacity: .75; }
</style>"""


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

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in self.frame.columns)
        cells = ["".join(map(self._cell, self.frame.columns, row)) for row in self.frame.itertuples(index=False)]
        rows = "".join(f"<tr>{row}</tr>" for row in cells)
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
