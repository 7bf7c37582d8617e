"""Takes out of the book what Jupyter Book puts into it and the book does not use."""

import re
from pathlib import Path

ICONS = re.compile(r'\s*<script[^>]*src="[^"]*/fontawesome\.js[^"]*"[^>]*></script>')


def without_thebe(app, name, template, context, doctree):
    """Drop the scripts of sphinx-thebe, which runs code on servers elsewhere, from a page's context: Jupyter Book
    declares them twice, which browsers report as an error."""
    context["script_files"] = [script for script in context["script_files"] if "thebe" not in _described(script)]


def _described(script) -> str:
    return f"{getattr(script, 'filename', script)} {getattr(script, 'attributes', '')}".lower()


def without_numbers(app, config):
    """Leave figures unnumbered, for they have the paper's numbers; an extension for LaTeX turns numbering on."""
    config["numfig"] = False


def without_icon_library(app, error):
    """Drop the theme's icon library, 1.5 MB of script for a dozen icons: `_static/andlib.css` draws these."""
    if error or app.builder.format != "html":
        return
    for page in Path(app.outdir).rglob("*.html"):
        html = page.read_text(encoding="utf-8")
        page.write_text(ICONS.sub("", html), encoding="utf-8")
    for file in Path(app.outdir, "_static", "scripts").glob("fontawesome.js*"):
        file.unlink()


def setup(app):
    """Called by Sphinx."""
    app.connect("html-page-context", without_thebe, priority=999)
    app.connect("config-inited", without_numbers, priority=999)
    app.connect("build-finished", without_icon_library)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
