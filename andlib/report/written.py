"""The report of a dissection as a folder that needs no other file and no connection: index.html, its atlas, sounds."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import jinja2
from markupsafe import Markup

from andlib.bars import tqdm
from andlib.report import dissection
from andlib.report.dissection import HERE
from andlib.report.opening import Asked
from andlib.report.shown import STYLE, Card
from andlib.run import Run
from andlib.store import write_atomically

ABOUT = (
    "What single units of this network respond to, by audio network dissection (AND, Wu et al., ICML 2024), as andlib "
    "{} does it. A unit is described from the recordings that activate it most and least. Every table says what made "
    "it, and what could not be measured says why."
)


def write(asked: Asked, run: Run, notes: Sequence[str]) -> Path:
    """Makes every part of the report and writes it into `asked.out`; returns its index.html.

    What takes long is stored by the run, so that a run that was killed goes on where it stopped.
    run, notes: of `opening.opened`. Raises InputError where the folder cannot be written."""
    parts = []
    for title, make in tqdm(dissection.sections(run, notes, asked).items(), "report", unit="part"):
        section = make()
        pieces = [Markup(part.html if isinstance(part, Card) else part._repr_html_()) for part in section.parts]
        parts.append({"title": title, "lead": section.lead, "pieces": pieces})
    template, atlas = ((HERE / name).read_text(encoding="utf-8") for name in ("report.html", "atlas.css"))
    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(template)
    styles = Markup(STYLE.removeprefix("<style>").removesuffix("</style>") + atlas)
    title, about = f"{run.models[0]} on {run.profile.title}", ABOUT.format(version("andlib"))
    html = page.render(title=title, about=about, parts=parts, styles=styles)
    return write_atomically(asked.out / "index.html", lambda path: path.write_text(html, encoding="utf-8"))
