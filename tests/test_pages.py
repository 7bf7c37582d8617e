"""The source pages: short, without hidden work, each parameter with an effect, one way to what they show."""

import ast
import json
import re
from functools import cache
from importlib.util import find_spec
from statistics import median

import papermill
import pytest

import committed
import executing
from andlib import paths
from andlib.run import DEFAULTS

LONGEST, MIDDLE = 70, 40
CALLED = {
    "concepts": "concept_set",
    "model": "models",
    "device": "store",
    "precision": "store",
}  # parameter -> the run's field
SAYS_ALONE = {"made_by", "using", "__init__"}  # of a run: they tell of its fields, or copy them, without effect
PAGES = committed.names()


def lines(text):
    return [line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


@cache
def code(page):
    """Source and tags of each code cell but the parameters'."""
    cells = committed.cells(committed.source(page))
    found = [(text, set(about.get("tags", []))) for kind, text, about in cells if kind == "code"]
    return [(text, tags) for text, tags in found if "parameters" not in tags]


def source(page):
    return "\n".join(text for text, _ in code(page))


def parameters(page):
    return papermill.inspect_notebook(committed.source(page, ".ipynb"))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_short_and_defines_nothing(page):
    assert len(lines(source(page))) <= LONGEST
    defining = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    assert not [node.name for node in ast.walk(ast.parse(source(page))) if isinstance(node, defining)]


@pytest.mark.parametrize("page", PAGES)
def test_no_prose_is_caught_in_a_code_cell(page):
    """Where the mark of a markdown cell is forgotten, what it says is a comment that no reader of the book sees."""
    assert not [line for text, _ in code(page) for line in text.splitlines() if line.startswith("#")]


@pytest.mark.parametrize("page", [page for page in PAGES if page not in committed.ACROSS])
def test_a_page_computes_no_number_for_its_prose_that_none_reads(page):
    """The pages across profiles glue whole tables, of which prose reads some cells."""
    given = json.loads((committed.results("mini") / f"{page}.json").read_text(encoding="utf-8"))
    prose = committed.source(page).read_text(encoding="utf-8")
    assert not [name for name in given if not re.search(rf"{{glue:text}}`{name}[:`]", prose)]


def test_the_middle_page_is_short_and_no_cell_is_left_out():
    counts = {page: len(lines(source(page))) for page in PAGES}
    assert median(counts.values()) <= MIDDLE, counts
    assert not [page for page in PAGES for _, tags in code(page) if "remove-cell" in tags]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_imports_the_package_and_whole_modules_of_it_alone(page):
    """So that every call of a cell names the module where a reader finds it."""
    imported = set()
    for node in ast.walk(ast.parse(source(page))):
        if isinstance(node, ast.Import):
            ours = [alias for alias in node.names if alias.name.split(".")[0] in ("andlib", "making", "benchmarks")]
            assert all((alias.name, alias.asname) == ("andlib", "al") for alias in ours), ast.unparse(node)
        elif isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in ("andlib", "making", "benchmarks"):
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
            assert node.module.startswith("andlib") and all(map(find_spec, modules)), ast.unparse(node)
            imported |= {alias.name for alias in node.names if node.module == "andlib.pages"}
    own = executing.module_of(page)
    assert own in imported or not (paths.root() / f"andlib/pages/{own}.py").exists(), f"{page} does not import {own}"


@pytest.mark.parametrize("page", PAGES)
def test_every_parameter_of_a_page_has_an_effect(page):
    """A parameter is named in a cell, or code that the page calls reads it of the run."""
    cells = ast.parse(source(page))
    named = {node.id for node in ast.walk(cells) if isinstance(node, ast.Name)}
    fields, texts = Reading().of_page(cells)
    own = texts if "extra" in fields else set()
    idle = [name for name in parameters(page) if name not in named | own and CALLED.get(name, name) not in fields]
    assert not idle, f"{page} has parameters without an effect: {', '.join(idle)}"


def test_a_parameter_that_nothing_reads_is_found():
    cells = ast.parse("import andlib as al\nrun = al.open_run(globals())\nprint(run.models, run.made_by())")
    assert Reading().of_page(cells)[0] & set(DEFAULTS) == set()
    cells.body += ast.parse("al.neurons(run.using(k=3), 'ast')").body
    fields, _ = Reading().of_page(cells)
    assert {"models", "profile", "data_dir", "k", "mode", "concept_set", "weights"} <= fields


class Reading:
    """Which of a run's fields code reads, through every function of the package that it names."""

    def __init__(self):
        self.fields, self.texts, self.met, self.left = set(), set(), set(), []

    def of_page(self, cells):
        """Fields, and string constants beside the reading of any, of a page's cells and all that they call."""
        self.visit(cells, bindings(cells))
        while self.left:
            module, name = self.left.pop()
            node = top(module).get(name)
            if node is None:  # taken from there, but defined elsewhere, or a module
                self.meet(*bindings(tree(module)).get(name, (module, "")))
            elif (module, name) not in {("andlib.run", "Run"), ("andlib.run", "open_run")}:
                here = {other: (module, other) for other in top(module)}
                self.visit(node, bindings(tree(module)) | here)
        return self.fields, self.texts

    def meet(self, module, name):
        if name and module.startswith("andlib") and (module, name) not in self.met:
            self.met.add((module, name))
            self.left.append((module, name))

    def visit(self, node, known):
        runs = {"run"} | {
            arg.arg for arg in ast.walk(node) if isinstance(arg, ast.arg) and "Run" in names(arg.annotation)
        }
        before = len(self.fields)
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and part.id in known:
                self.meet(*known[part.id])
            elif isinstance(part, ast.Attribute):
                self.meet(*taken(part, known))
                if is_run(part.value, runs):
                    self.field(part.attr)
            elif isinstance(part, ast.Assign | ast.NamedExpr) and is_run(part.value, runs):
                targets = part.targets if isinstance(part, ast.Assign) else [part.target]
                runs |= {target.id for target in targets if isinstance(target, ast.Name)}
        if len(self.fields) > before or "extra" in {p.attr for p in ast.walk(node) if isinstance(p, ast.Attribute)}:
            self.texts |= {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)}

    def field(self, name):
        """A field is read, or a property or method of the run that reads others."""
        if name in self.fields or name in SAYS_ALONE:
            return
        self.fields.add(name)
        body = {part.name: part for part in top("andlib.run")["Run"].body if isinstance(part, ast.FunctionDef)}
        for part in ast.walk(body.get(name, ast.Module([], []))):
            if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == "self":
                self.field(part.attr)


def is_run(node, runs):
    """Whether an expression is a run: a variable that holds one, or a copy of it."""
    if isinstance(node, ast.Call):
        copied = isinstance(node.func, ast.Attribute) and node.func.attr == "using"
        return copied and is_run(node.func.value, runs)
    return isinstance(node, ast.Name) and node.id in runs


def names(node):
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)} if node else set()


def taken(node, known):
    """(module, name) of `module.name`; the name is empty for anything else."""
    if isinstance(node.value, ast.Name):
        module, name = known.get(node.value.id, ("", ""))
    elif isinstance(node.value, ast.Attribute):
        module, name = taken(node.value, known)
    else:
        module = name = ""
    place = f"{module}.{name}" if name else module
    if place == "andlib":
        return bindings(tree("andlib")).get(node.attr, ("", ""))
    return (place, node.attr) if tree(place) else ("", "")


@cache
def tree(module):
    """A module's syntax tree; none where the package has no such module."""
    path = paths.root().joinpath(*module.split("."))
    files = [file for file in (path.with_suffix(".py"), path / "__init__.py") if module and file.is_file()]
    return ast.parse(files[0].read_text(encoding="utf-8")) if files else None


@cache
def bindings(module):
    """Name -> (module, name) of every import in a tree, also within functions."""
    found = {}
    for node in ast.walk(module) if module else []:
        if isinstance(node, ast.Import):
            found |= {alias.asname or alias.name: (alias.name, "") for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
    return found


@cache
def top(module):
    """Name -> node of everything that a module defines."""
    found = {}
    for node in tree(module).body if tree(module) else []:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {name: node for target in targets for name in names(target)}
    return found
