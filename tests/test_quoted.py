"""What README, CONTRIBUTING, the book and its pages quote can be typed: imports, commands, parameters, paths."""

import ast
import importlib
import importlib.util
import re
import shlex
import tomllib
from types import ModuleType

import papermill
import pytest

import committed
from andlib import command, paths

PROSE = [
    "README.md",
    "CONTRIBUTING.md",
    "results/README.md",
    *(f"book/{p.name}" for p in paths.root().glob("book/*.md")),
]
FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```", re.M | re.S)
INLINE = re.compile(r"(?<![`}\w])`([^`\n]+)`")  # no role, as {glue:text}`...`
OURS = "andlib|making|benchmarks|book|notebooks|results|tests"
ELSEWHERE = {"export", "source", "git"}  # commands that name nothing of ours
COMMANDS = ("make", "python", "papermill", "pip", "bash", "jupyter-book", *ELSEWHERE)


@pytest.mark.parametrize("file", PROSE)
def test_what_prose_quotes_resolves(file):
    assert not list(wrong((paths.root() / file).read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", committed.names())
def test_what_a_page_quotes_resolves(page):
    cells = committed.cells(committed.source(page))
    known = imported(ast.parse("\n".join(text for kind, text, _ in cells if kind == "code")))
    assert not [problem for kind, text, _ in cells if kind == "markdown" for problem in wrong(text, known)]


def test_what_the_makefile_runs_is_there():
    commands = re.findall(r"\$\(RUN\) -m ([\w.]+)", (paths.root() / "Makefile").read_text(encoding="utf-8"))
    assert "making.audit" in commands and not [problem for name in commands for problem in wrong_python(["-m", name])]


@pytest.mark.parametrize(
    "quoted",
    [
        "```python\nfrom andlib import claims\nclaims.judge()\n```",
        "```python\nimport andlib as al\nal.neuron(run)\n```",
        "```python\nal.tables.table99(run)\n```",
        "`from andlib.paper import section_4_3`",
        "`andlib.errors.InputMistake`",
        "```sh\npython -m andlib.captioner --profile mini\n```",
        "`python -m andlib.errors`",
        "`python book/publishing.py`",
        "`make boook`",
        "`make book PROFIL=mini`",
        "`make page nb=4_3_unlerning`",
        "```bash\nVALUE=1 papermill notebooks/4_3_unlearning.ipynb out.ipynb -p modle ast\n```",
        "`papermill notebooks/4_3_unlerning.ipynb out.ipynb`",
        "`pip install -e '.[papers]'`",
        "`bash .ci/runs`",
        "`andlib/beyond/`",
        "`results/<profile>/completions.json`",
    ],
)
def test_what_does_not_resolve_is_found(quoted):
    assert len(list(wrong(quoted))) == 1


def test_what_resolves_passes():
    block = "```sh\nmake book PROFILE=mini # all of it\npython -m andlib.scale\npython -m pip --version\n```\n"
    inline = (
        "`andlib.errors.InputError`, `results/<profile>/controls.json`, `al.open_run(globals())`, `a/b`, {a}`make b`"
    )
    assert not list(wrong(block + inline))


def wrong(text, known=None):
    """One sentence for each quote of a markdown text that does not resolve. known: name -> module or object."""
    known = {"al": importlib.import_module("andlib"), **(known or {})}
    for language, body in FENCED.findall(text):
        if language == "python":
            yield from wrong_code(body, known)
        elif language in ("sh", "bash"):
            for line in body.splitlines():
                yield from wrong_command(line)
    for quote in INLINE.findall(FENCED.sub("", text)):
        if quote.split()[0] in COMMANDS and " " in quote:
            yield from wrong_command(quote)
        elif quote.startswith(("import ", "from ")) or re.fullmatch(r"(al|andlib|making)(\.\w+)+(\(.*\))?", quote):
            yield from wrong_code(quote, {**known, "andlib": known["al"]})
        elif re.fullmatch(rf"({OURS})/[\w./<>*-]*", quote):
            yield from wrong_path(quote)


def wrong_path(quoted):
    if not list(paths.root().glob(re.sub(r"<\w+>", "*", quoted).rstrip("/"))):
        yield f"{quoted} does not exist"


def wrong_code(text, known):
    tree = ast.parse(text)
    try:
        known = {**known, **imported(tree)}
    except (ImportError, AttributeError) as error:
        yield f"{text!r}: {error}"
        return
    chains = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for chain in chains:
        first, *rest = chain.split(".")
        value = known.get(first)
        for name in rest:
            if not isinstance(value, ModuleType | type) or not name.isidentifier():
                break
            value = taken(value, name)
            if value is None:
                yield f"{chain} is not there"


def imported(tree):
    """Name -> what it stands for, for every import of some code. Raises ImportError, AttributeError."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                module = importlib.import_module(alias.name)
                found[alias.asname or alias.name.split(".")[0]] = module
        elif isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            for alias in node.names:
                found[alias.asname or alias.name] = taken(module, alias.name)
                if found[alias.asname or alias.name] is None:
                    raise ImportError(f"{node.module} has no {alias.name}")
    return found


def taken(value, name):
    """What a module or class holds under a name, a module that is not imported yet included; else None."""
    if not hasattr(value, name) and hasattr(value, "__path__") and importlib.util.find_spec(f"{value.__name__}.{name}"):
        importlib.import_module(f"{value.__name__}.{name}")
    return getattr(value, name, None)


def wrong_andlib(words):
    """The package's own command takes these words."""
    try:
        command._parser().parse_args(words)
    except SystemExit:
        yield f"andlib does not take {' '.join(words)}"


def wrong_command(line):
    words = shlex.split(line, comments=True)
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    if words:
        name, *rest = words
        check = {"make": wrong_make, "python": wrong_python, "papermill": wrong_papermill, "pip": wrong_pip}
        check["andlib"] = wrong_andlib
        if name in check:
            yield from check[name](rest)
        elif name in ("bash", "jupyter-book"):
            yield from wrong_path(rest[-1])
        elif name not in ELSEWHERE:
            yield f"{name} is no command that is known here"


def wrong_make(words):
    text = (paths.root() / "Makefile").read_text(encoding="utf-8")
    for word in words:
        name, given, value = word.partition("=")
        if given and not re.search(rf"^{name} \?=|\$\({name}\)", text, re.M):
            yield f"the Makefile reads no {name}"
        elif name == "nb" and value not in committed.names():
            yield f"there is no page {value}"
        elif not given and not re.search(rf"^{name}:", text, re.M):
            yield f"the Makefile has no target {name}"


def wrong_python(words):
    if words[0] != "-m":
        yield from wrong_path(words[0])
        return
    try:
        spec = importlib.util.find_spec(words[1])
        spec = importlib.util.find_spec(f"{words[1]}.__main__") if spec and spec.submodule_search_locations else spec
    except ModuleNotFoundError:
        spec = None
    if spec is None:
        yield f"python -m {words[1]}: there is no such module"
    elif words[1].partition(".")[0] in OURS.split("|") and not spec.name.endswith("__main__"):
        with open(spec.origin, encoding="utf-8") as file:
            if '__name__ == "__main__"' not in file.read():
                yield f"python -m {words[1]} does nothing"


def wrong_papermill(words):
    (page,) = (word for word in words if word.startswith("notebooks/"))
    if not (paths.root() / page).is_file():
        yield f"{page} does not exist"
        return
    parameters = papermill.inspect_notebook(paths.root() / page)
    for flag, name in zip(words, words[1:], strict=False):
        if flag == "-p" and name not in parameters:
            yield f"{page} has no parameter {name}"


def wrong_pip(words):
    about = tomllib.loads((paths.root() / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extra in re.findall(r"\.\[(\w+)\]", " ".join(words)):
        if extra not in about["optional-dependencies"]:
            yield f"there is no extra {extra}"
