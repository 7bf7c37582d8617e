"""Leaves out of every page the tool that runs code on servers elsewhere: the book does not use it, and Jupyter Book
declares it twice, which browsers report as an error."""


def without_thebe(app, name, template, context, doctree):
    """Drop the scripts of sphinx-thebe from a page's context."""
    context["script_files"] = [script for script in context["script_files"] if "thebe" not in _described(script)]


def _described(script) -> str:
    return f"{getattr(script, 'filename', script)} {getattr(script, 'attributes', '')}".lower()


def setup(app):
    """Called by Sphinx."""
    app.connect("html-page-context", without_thebe, priority=999)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
