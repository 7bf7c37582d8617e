"""The frame: requirements agree, `make help` is complete, and the repository holds nothing that it should not."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from andlib import paths
from committed import cells, in_book, names, source

ROOT = paths.root()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MISSION = [
    "jupyter-book",
    "jupytext",
    "papermill",
    "torch",
    "torchaudio",
    "transformers",
    "vllm",
    "laion-clap",
    "open-clip-torch",
    "sentence-transformers",
    "nltk",
    "scikit-learn",
    "seaborn",
    "wordcloud",
]


def ranges(lines):
    requirements = [Requirement(line) for line in lines]
    return {canonicalize_name(r.name): r.specifier for r in requirements}


def constraints():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {canonicalize_name(name): version for name, version in (x.split("==") for x in lines if x[0] != "#")}


def tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_the_conda_environment_holds_the_core_and_the_mission():
    text = (ROOT / "environment.yml").read_text()
    [packages] = [entry["pip"] for entry in yaml.safe_load(text)["dependencies"] if isinstance(entry, dict)]
    assert packages == ["--editable .[paper,vllm,llm]"]  # pyproject.toml has their ranges, see test_environment.py
    extras = PROJECT["optional-dependencies"]
    held = ranges(PROJECT["dependencies"] + extras["paper"] + extras["vllm"])
    alone = re.search(r"^#   pip install --no-deps (.*)$", text, re.M)[1].split()
    assert set(MISSION) <= {*held, *ranges(alone)}


def test_the_conda_environment_asks_for_the_python_that_the_pins_were_made_for():
    text = (ROOT / "environment.yml").read_text()
    assert "- python=3.11\n" in text
    assert PROJECT["requires-python"] == ">=3.11"


def test_constraints_pin_every_requirement_within_its_range():
    pinned = constraints()
    for name, allowed in ranges(PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]).items():
        assert allowed.contains(pinned[name]), name


def test_what_is_pinned_is_to_be_had_with_every_python_that_is_supported():
    """3.11.2, for instance, is Debian 12's; one pin that wants 3.11.5 stops the whole installation."""
    from importlib.metadata import distributions

    wanted = {d.name: d.metadata["Requires-Python"] or "" for d in distributions()}
    assert not {name: python for name, python in wanted.items() if not SpecifierSet(python).contains("3.11.0")}


def test_constraints_pin_what_this_environment_resolved_to():
    from importlib.metadata import distributions

    installed = {canonicalize_name(d.name): d.version.split("+")[0] for d in distributions()}
    pinned = constraints()
    differing = {name: (pinned[name], v) for name, v in installed.items() if pinned.get(name, v) != v}
    if differing:
        pytest.skip(f"another environment than the pinned one: {sorted(differing)}")
    unpinned = {name for name in installed if name not in pinned} - {"andlib", "pip"}
    assert not {name for name in unpinned if not re.match(r"nvidia|cuda|triton", name)}


def test_help_lists_every_target_with_what_it_does():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.search(r"^\.PHONY: (.*)$", makefile, re.M)[1].split())
    rules = set(re.findall(r"^([a-z]+):(?!=)", makefile, re.M))
    helped = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert rules == targets == set(re.findall(r"^  make (\w+) +\w", helped, re.M))
    assert {"help", "book", "pages", "page", "results", "test", "bench", "clean"} <= targets


@pytest.mark.parametrize("name", ["_config.yml", "_toc.yml"])
def test_the_root_shares_the_book_s_settings(name):
    """The book's are the files, so that `jupyter-book build book/` works where a checkout has no symbolic links."""
    assert (ROOT / name).is_symlink() and not (ROOT / "book" / name).is_symlink()
    assert (ROOT / name).resolve() == ROOT / "book" / name


def test_every_source_page_is_in_the_contents_and_every_prose_page_exists():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    prose = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"] if "/" not in chapter["file"]]
    assert all((ROOT / "book" / f"{name}.md").exists() for name in [toc["root"], *prose])
    assert {page for _, page in in_book("mini")} == set(names())


def test_every_source_page_has_its_notebook_with_equal_cells_and_no_outputs():
    assert names()
    for page in names():
        derived = source(page, ".ipynb")
        assert derived.exists() and cells(source(page)) == cells(derived), f"{page}: run make sync"
        code = [cell for cell in json.loads(derived.read_text())["cells"] if cell["cell_type"] == "code"]
        assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


def test_a_page_declares_its_parameters_in_one_tagged_cell():
    for page in names():
        tagged = [cell for cell in cells(source(page)) if "parameters" in cell[2].get("tags", [])]
        assert len(tagged) <= 1, page


def test_no_tracked_file_is_too_large_or_generated():
    for path in tracked():
        assert path.stat().st_size <= 6_000_000, path
        assert not {"_build", "cache", "__pycache__", ".venv"} & set(path.relative_to(ROOT).parts), path


def test_no_recording_is_tracked():
    sounds = [path for path in tracked() if path.suffix in {".wav", ".flac", ".ogg", ".mp3", ".opus"}]
    assert [path.name for path in sounds] == ["spoken.mp3"]  # a sentence synthesised for a test of Whisper


def test_no_tracked_text_names_a_folder_or_host_of_one_machine():
    private = re.compile(
        "|".join([r"/wo" + r"rk/", r"/ro" + r"ot/", r"file:///o" + "pt", r"\." + "library", "py" + r"pi\.org/simple"])
    )
    for path in tracked():
        text = path.read_bytes()
        if path.suffix != ".mjs" and b"\0" not in text:
            found = private.search(text.decode("utf-8"))
            assert not found, f"{path}: {found and found[0]}"


def test_the_drawing_names_itself_to_those_who_do_not_see_it():
    drawing = (ROOT / "book/_static/pipeline.svg").read_text()
    assert re.search(r'role="img" aria-labelledby="(\S+) (\S+)"', drawing)
    assert "<title" in drawing
    assert "<desc" in drawing


def test_nothing_of_the_book_is_fetched_from_elsewhere():
    static = [path for path in (ROOT / "book/_static").rglob("*") if path.suffix in {".css", ".svg"}]
    fetched = re.compile(r"@import|url\(['\"]?https?:|(?:src|xlink:href)=\"https?:")
    assert static
    assert not [path for path in static if fetched.search(path.read_text())]
    settings = yaml.safe_load((ROOT / "_config.yml").read_text())["sphinx"]["config"]
    assert settings["html_math_renderer"] == "mathml"
    assert settings["nb_ipywidgets_js"] == {}


def test_the_index_maps_every_table_and_figure_of_the_paper():
    index = Path(ROOT / "book/index.md").read_text()
    first = [row.split("|")[1] for row in index.splitlines() if re.match(r"\| (Table|Figure)", row)]
    numbered = {"Table": set(), "Figure": set()}
    for cell in first:
        kind = cell.split()[0].rstrip("s")
        spans = re.findall(r"(\d+)(?:–(\d+))?", cell)
        numbered[kind] |= {n for low, high in spans for n in range(int(low), int(high or low) + 1)}
    assert numbered == {"Table": set(range(1, 9)), "Figure": set(range(1, 15))}
