"""Writes formulas into pages as MathML, which browsers set themselves: no script, no font, nothing fetched."""

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.errors import ExtensionError


def inline(translator, node):
    """A formula within a line."""
    _write(translator, node, "inline")


def displayed(translator, node):
    """A formula on a line of its own."""
    _write(translator, node, "block")


def _write(translator, node, display):
    try:
        translator.body.append(convert(node.astext(), display=display))
    except Exception as error:  # the library raises what it meets: a KeyError, an IndexError, its own
        raise ExtensionError(
            f"The formula {node.astext()!r} is no LaTeX that latex2mathml reads: {error!r}."
        ) from error
    raise nodes.SkipNode


def setup(app):
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (inline, None), (displayed, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
