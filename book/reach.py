"""What code reaches: the modules of the package that it imports, however far, and the texts that name files there."""

import ast
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from andlib import paths


@dataclass(frozen=True)
class Code:
    """What one module, or a page's cells, says. imports: (module, name taken from it) pairs, also within functions;
    the name is empty for a module as a whole. texts: its string constants. digest: of all but docstrings, comments and
    layout."""

    imports: frozenset[tuple[str, str]]
    texts: frozenset[str]
    digest: str


@cache
def read(text: str) -> Code:
    """What a module's text says. Raises SyntaxError where it is no Python."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if documented and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    nodes = list(ast.walk(tree))
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    digest = hashlib.sha256(repr(_shape(tree)).encode()).hexdigest()
    return Code(frozenset(_imports(nodes)), frozenset(texts), digest)


def _shape(node: Any) -> Any:
    """A syntax tree as nested lists; unlike `ast.dump`, the same in every Python that reads it the same."""
    if isinstance(node, list):
        return [_shape(part) for part in node]
    if isinstance(node, ast.AST):
        parts = [(name, _shape(value)) for name, value in ast.iter_fields(node) if value not in (None, [])]
        return [type(node).__name__, *parts]
    return repr(node)


def _imports(nodes: list[ast.AST]) -> Iterator[tuple[str, str]]:
    called = {"andlib"}  # what the package itself is called here
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
            called |= {alias.asname for alias in node.names if alias.name == "andlib" and alias.asname}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((node.module or "", alias.name) for alias in node.names)
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in called:
            yield "andlib", node.attr


def reached(code: Code) -> dict[Path, Code]:
    """Every module of `andlib` that code reaches, through imports of any depth.

    What is taken from `andlib` itself is looked up in the module that its `__init__` takes it from: the rest of what
    that imports is not reached."""
    public = paths.root() / "andlib/__init__.py"
    names = {}
    if public.exists():
        names = {name: (module, name) for module, name in read(public.read_text(encoding="utf-8")).imports}
    files = {path.relative_to(paths.root()).as_posix(): path for path in paths.root().glob("andlib/**/*.py")}
    found: dict[Path, Code] = {}
    met, left = set(), set(code.imports)
    while left:
        module, name = taken = left.pop()
        met.add(taken)
        if module == "andlib" and name in names and not _file(files, "andlib", name):
            module, name = names[name]
        more = {(module, ""), (module.rpartition(".")[0], "")}  # a room's __init__ runs before its modules
        file = _file(files, module, name) or _file(files, module, "")
        if file and file != public and file not in found:
            found[file] = read(file.read_text(encoding="utf-8"))
            more |= found[file].imports
        left |= more - met
    return found


def _file(files: Mapping[str, Path], module: str, name: str) -> Path | None:
    """The file, of the package's, of a module or of its part `name`; none where there is no such module."""
    path = "/".join(filter(None, [*module.split("."), name]))
    return files.get(f"{path}.py") or files.get(f"{path}/__init__.py")
