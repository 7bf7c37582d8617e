"""Executed pages as they are committed: the same bytes whenever they were run, signed, with what decided them."""

import base64
import copy
import hashlib
import io
import json
import re
from ast import literal_eval
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jupytext
import nbformat
import yaml
from PIL import Image

import reach
from andlib import paths
from andlib.store import write_atomically

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LAYOUT = "lines_to_next_cell"  # jupytext's note of blank lines in the .py
WIDGET = "application/vnd.jupyter.widget-view+json"
PICTURE = re.compile(r"(data:image/png;base64,)([A-Za-z0-9+/]+=*)")
ACROSS, ACROSS_PROFILE = ("claims",), "mini"  # pages that read every profile's numbers, and so are made last


# Where pages are


def source(page: str, ending: str = ".py") -> Path:
    """The source of a page, `notebooks/<page>.py`, or the notebook derived from it."""
    return paths.root() / "notebooks" / f"{page}{ending}"


def committed_page(profile: str, page: str) -> Path:
    """The executed page of a profile in the book."""
    return paths.root() / "book/pages" / profile / f"{page}.ipynb"


def results(profile: str) -> Path:
    """Folder of a profile's committed numbers."""
    return paths.results() / profile


def names() -> list[str]:
    """Every source page, by name: `4_3_unlearning` for `notebooks/4_3_unlearning.py`."""
    return sorted(path.stem for path in source("x").parent.glob("*.py"))


def in_book(profile: str | None = None) -> list[tuple[str, str]]:
    """(profile, page) of each executed page that the table of contents lists, in reading order."""
    toc = yaml.safe_load((paths.root() / "book/_toc.yml").read_text(encoding="utf-8"))
    files = [chapter["file"].split("/") for part in toc["parts"] for chapter in part["chapters"]]
    return [(of, page) for first, *rest in files if first == "pages" for of, page in [rest] if profile in (None, of)]


def cells(path: Path) -> list[tuple[str, str, dict[str, Any]]]:
    """Type, source and metadata of every cell of a notebook or a py:percent source: what the two of a pair share."""
    return [
        (cell.cell_type, cell.source.strip(), {k: v for k, v in cell.metadata.items() if k != LAYOUT})
        for cell in jupytext.read(path).cells
    ]


def write(notebook: Any, out: Path) -> Path:
    """Write a notebook, or text, in one step: a reader sees the file that was there before or the whole new one."""
    text = notebook if isinstance(notebook, str) else as_text(notebook)
    write_atomically(out, lambda temporary: temporary.write_text(text, encoding="utf-8", newline="\n"))
    return out


def as_text(notebook: Any) -> str:
    """A notebook's JSON, its keys sorted."""
    return json.dumps(nbformat.from_dict(notebook), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


# The same bytes


def normalise(notebook: Any) -> Any:
    """A copy of an executed notebook that says the same in the same bytes whenever it was run.

    Gone: times, execution and papermill metadata, stderr, progress widgets, memory addresses, and the plain text
    beside an HTML table or an image. Drawings have 256 colours. Cell ids and pandas Styler ids follow from position and
    source. Folded: the parameters that papermill added, as those of the page are."""
    notebook = copy.deepcopy(notebook)
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    number_cells(notebook)
    tables = iter(range(10**6))
    for cell in notebook.cells:
        for key in ("papermill", "execution", "ExecuteTime"):
            cell.metadata.pop(key, None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.metadata.tags = ["injected-parameters", "hide-input"]
        if not cell.metadata.get("tags"):
            cell.metadata.pop("tags", None)
        if cell.cell_type == "code":
            kept = (output for output in cell.outputs if not _is_noise(output))
            cell.outputs = [_stable(output, tables) for output in _joined(kept)]
    return notebook


def number_cells(notebook: Any) -> None:
    """Give every cell an id that follows from its position and source."""
    for position, cell in enumerate(notebook.cells):
        cell.id = f"{position:02d}-{hashlib.sha256(cell.source.encode()).hexdigest()[:8]}"


def _is_noise(output: Any) -> bool:
    return output.get("name") == "stderr" or WIDGET in output.get("data", {})


def _joined(outputs: Iterable[Any]) -> list[Any]:
    """Consecutive printed pieces as one: where a stream is cut depends on timing."""
    joined: list[Any] = []
    for output in outputs:
        if joined and output.output_type == joined[-1].output_type == "stream":
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def _stable(output: Any, tables: Iterator[int]) -> Any:
    if output.output_type == "stream":
        output.text = _without_addresses(output.text)
    data = output.get("data", {})
    if any(kind == "text/html" or kind.startswith("image/") for kind in data):
        data.pop("text/plain", None)
    for kind, value in data.items():
        if kind == "image/png":
            data[kind] = _in_few_colours(value)
        elif isinstance(value, str):
            data[kind] = PICTURE.sub(lambda found: found[1] + _in_few_colours(found[2]), _without_addresses(value))
    for found in dict.fromkeys(re.findall(r'id="(T_[0-9a-f]+)"', data.get("text/html", ""))):
        data["text/html"] = data["text/html"].replace(found, f"T_table{next(tables)}")
    return output


def _in_few_colours(picture: str) -> str:
    """A drawing in base64 as a PNG of 256 colours, under a third of the size of matplotlib's of 32 bits a pixel."""
    with Image.open(io.BytesIO(base64.b64decode(picture))) as drawn:
        if drawn.mode == "P":
            return picture
        few = drawn.convert("RGB").quantize(256, Image.Quantize.MEDIANCUT, kmeans=1, dither=Image.Dither.NONE)
    written = io.BytesIO()
    few.save(written, "PNG", optimize=True)
    return min(picture, base64.b64encode(written.getvalue()).decode(), key=len)


def _without_addresses(text: str) -> str:
    text = re.sub(r" at 0x[0-9a-f]+", "", text)
    return re.sub(r"<dc:date>.*?</dc:date>", "", text)  # matplotlib dates its SVG


def labelled(page: Any, profile: str) -> Any:
    """The page with its profile in the labels of its figures, for labels are global and a page may be there twice, and
    with links to `mini`'s pages where the book has none of this profile."""
    figures = [f for cell in page.cells if (f := cell.metadata.get("mystnb", {}).get("figure", {})) and "name" in f]
    for figure in figures:
        label, figure["name"] = figure["name"], f"{profile}-{figure['name']}".strip("-")
        for cell in page.cells:
            cell.source = re.sub(
                rf"(\{{(?:num)?ref\}}`(?:[^`]*<)?){re.escape(label)}(>?`)", rf"\1{figure['name']}\2", cell.source
            )
    there = {name for _, name in in_book(profile)}
    for cell in (cell for cell in page.cells if cell.cell_type == "markdown"):
        for name in set(re.findall(r"\]\((\w+)\.ipynb", cell.source)) - there:
            cell.source = cell.source.replace(f"]({name}.ipynb", f"](../{ACROSS_PROFILE}/{name}.ipynb")
    return page


# What a page glues


def glued(page: str) -> dict[str, Any]:
    """Name and value of everything that an executed page, given as text, glues into its prose."""
    outputs = [output for cell in json.loads(page)["cells"] for output in cell.get("outputs", [])]
    found = {}
    for output in outputs:
        if about := output.get("metadata", {}).get("scrapbook"):
            found[about["name"]] = _value(output["data"].get(about["mime_prefix"] + "text/plain", ""))
    return found


def _value(text: str) -> Any:
    try:
        return literal_eval(text)
    except (ValueError, SyntaxError):
        return text  # the repr of an object is kept as it reads


def numbers(page: str) -> str:
    """The text of `results/<profile>/<page>.json` for an executed page, given as text."""
    return json.dumps(glued(page), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


# Freshness


def made_from(page: str, profile: str) -> dict[str, str]:
    """What decides an executed page: path -> beginning of its sha256, for the page's source (its cells, and the
    profile), the pins, the modules that its cells reach, and the data of the package and the results that these
    name."""
    pieces = cells(source(page))
    own = reach.read("\n".join(text for kind, text, _ in pieces if kind == "code"))
    modules = reach.reached(own)
    named = own.texts.union(*(module.texts for module in modules.values()))
    digests = {path: module.digest for path, module in modules.items()}
    files = [paths.root() / "constraints.txt", *_data(profile, named), *_results_read(page, profile, named)]
    digests |= {path: _digest(path) for path in files}
    digests[source(page)] = _sha256(json.dumps([profile, pieces], sort_keys=True).encode())
    return {path.relative_to(paths.root()).as_posix(): digest[:16] for path, digest in digests.items()}


def _data(profile: str, named: Collection[str]) -> Iterator[Path]:
    """The package's data files of those names; of the networks, which have a folder a profile, the profile's alone."""
    networks = paths.root() / "andlib/mini/weights"
    for path in _files(paths.root() / "andlib"):
        others = networks in path.parents[1:] and networks / profile not in path.parents
        if path.suffix not in (".py", ".pyc") and path.name in named and not others:
            yield path


def _results_read(page: str, profile: str, named: Collection[str]) -> list[Path]:
    """The committed results that a page reads, by name: its profile's, made by no page; for the pages that are made
    last every profile's, also what pages made. Were those to decide other pages, no page would ever be fresh."""
    if page not in ACROSS:
        kept = [path for path in results(profile).glob("*.*") if path.stem not in names()]
        return [path for path in kept if {path.stem, path.name} & set(named)]
    kept = [path for path in paths.results().glob("*/*.*") if {path.stem, path.name} & set(named)]
    kept += [path for path in paths.results().glob("*/*/*.csv") if {path.stem, path.parent.name} <= set(named)]
    return [path for path in kept if not {path.stem, path.parent.name} & set(ACROSS)]


def frame_digests(profile: str, page: str) -> dict[str, str]:
    """Name and beginning of the sha256 of every frame that is kept of a page."""
    return {path.stem: _digest(path)[:16] for path in sorted((results(profile) / page).glob("*.csv"))}


def _digest(path: Path) -> str:
    return _sha256(path.read_bytes())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def signed(page: str, frames: Mapping[str, str] = MappingProxyType({})) -> str:
    """An executed page, given as text, with the sha256 of all else that it holds: an edit by hand breaks it.

    frames: the digests of the page's kept frames, which it then holds, too."""
    notebook = json.loads(page)
    about = notebook["metadata"].setdefault("andlib", {})
    about.pop("sha256", None)
    about |= {"frames": dict(frames)} if frames else {}
    about["sha256"] = _sha256(as_text(notebook).encode())
    return as_text(notebook)


def check() -> list[str]:
    """One sentence for each page or file of numbers that is missing, out of date, changed by hand or unlisted."""
    listed = in_book()
    found = {(path.parent.name, path.stem) for path in (paths.root() / "book/pages").glob("*/*.ipynb")}
    problems = [] if listed else ["book/_toc.yml lists no executed page."]
    for profile, page in listed:
        wrong = _wrong(profile, page) if (profile, page) in found else [f"{_shown(profile, page)} is missing"]
        problems += [f"{what}: run make results PROFILE={profile}." for what in wrong]
    strangers = sorted(found - set(listed))
    return problems + [f"{_shown(profile, page)} is not in book/_toc.yml." for profile, page in strangers]


def _wrong(profile: str, page: str) -> Iterator[str]:
    """What is wrong with a committed page and its numbers."""
    try:
        text = committed_page(profile, page).read_text(encoding="utf-8")
        by_hand, glues = signed(text) != text, numbers(text)
        about = json.loads(text)["metadata"].get("andlib", {})
        then, frames = dict(about.get("made_from", {})), dict(about.get("frames", {}))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        yield f"{_shown(profile, page)} is no executed page ({error!r})"
        return
    if by_hand:
        yield f"{_shown(profile, page)} was changed by hand"
    kept = results(profile) / f"{page}.json"
    if not kept.exists() or kept.read_text(encoding="utf-8", errors="replace") != glues:
        yield f"{kept.relative_to(paths.root()).as_posix()} does not hold what {_shown(profile, page)} glues"
    for name in _changed(frames, frame_digests(profile, page)):
        path = (results(profile) / page / f"{name}.csv").relative_to(paths.root()).as_posix()
        yield f"{path} is not the frame that was published with {_shown(profile, page)}"
    changed = _changed(then, made_from(page, profile))
    if changed:  # results come first, the package last
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        yield f"{_shown(profile, page)} is out of date, for {', '.join(changed[:3])}{more} changed"


def _changed(then: dict[str, str], now: dict[str, str]) -> list[str]:
    """The names whose digests differ, or that one side lacks, from the last to the first."""
    return sorted((name for name in then.keys() | now.keys() if then.get(name) != now.get(name)), reverse=True)


def _shown(profile: str, page: str) -> str:
    return committed_page(profile, page).relative_to(paths.root()).as_posix()
