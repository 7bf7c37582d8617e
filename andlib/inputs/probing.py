"""Probing sets D_p from folders of recordings: ESC's layout, Hugging Face audiofolder, one folder a class.

Opening a folder hashes every recording and checks what its header and its length on disk say; reading decodes it and
checks its samples. Nothing is stored, and no recording outside the folder is read."""

import csv
import hashlib
import io
import json
import os
import re
import unicodedata
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from andlib import paths
from andlib.errors import InputError, check_choice, explained
from andlib.inputs.recordings import REMEDY, SUFFIXES, damage, decode, read_recording
from andlib.records import Clip, ProbingSet
from andlib.store import file_digest

LAYOUTS = (
    "meta/*.csv beside audio/ (ESC-50, ESC-10), metadata/UrbanSound8K.csv beside audio/fold1, metadata.csv or "
    "metadata.jsonl with file_name and label (Hugging Face audiofolder), or one folder of recordings a class "
    "(dog/1.wav), the latter two also within train and test"
)
# Columns of a table, in the order of `_Row`; in an audiofolder fold and source may be left out.
ESC = ("filename", "category", "fold", "src_file", "target")
URBAN = ("slice_file_name", "class", "fold", "fsid", "classid")
AUDIOFOLDER = ("file_name", "label", "fold", "source")
SPLIT = re.compile(r"(train(ing)?|test(ing)?|val(id(ation)?)?|dev(elopment)?|eval(uation)?)([-_ ].*)?", re.I)
# names of folders which divide recordings by other than their classes, and cells which name none
DIVISION = re.compile(SPLIT.pattern + r"|(fold|split|part|batch|set)[-_ ]?\d+|[\d.]+ ?k?hz|\d+k", re.I)
NAMELESS = re.compile(r"[\d.,+-]*(e[+-]?\d+)?|-?inf(inity)?|nan|none|null|true|false|[\[{(].*", re.I | re.S)
UNLABELLED = "sound"  # the one class of sounds without labels
TABLES = ("metadata.csv", "metadata.jsonl")


class _Row(NamedTuple):
    where: str  # for messages
    file: str
    label: str
    fold: str | None = None
    source: str | None = None
    number: str | None = None  # of the class
    place: str = ""  # within the set's folder


def open_folder(data_dir: str | Path, *, subset: str = "", unlabelled: bool = False) -> ProbingSet:
    """The probing set D_p that a folder of recordings holds, clips in the order of its table.

    For its layouts see `LAYOUTS`. Labels are class names in words: `crying_baby` becomes "crying baby". ESC's classes
    keep the order of `target`, others are sorted. Without a column `fold` every fold is 0; without `source` each clip
    is its own source. subset: "esc10" keeps the rows of an ESC table whose column `esc10` is true, "" keeps all.
    unlabelled: takes any other folder, too, and one with most sounds in no class's folder: all are of class UNLABELLED.
    Raises InputError where the table or the recordings cannot be used; `check_recordings` reads their samples, too."""
    check_choice("subset", subset, ("", "esc10"))
    folder = paths.named(data_dir).resolve()
    if not str(data_dir).strip() or not folder.is_dir():
        raise InputError(f"data_dir {str(data_dir)!r} is not a folder. Give one that holds {LAYOUTS}.")
    name, rows = _layout(folder, subset, unlabelled)
    clips = tuple(_clip(folder, row) for row in rows)
    classes = _classes(rows)
    first: dict[Path, str] = {}  # file -> the row that names it
    for row, clip in zip(rows, clips, strict=True):
        if (other := first.setdefault(clip.path.resolve(), row.where)) != row.where:
            raise InputError(f"{row.where}: {clip.name!r} is the file of {other} again. Keep one of the two rows.")
    _refuse(clips, (damage(clip.path) for clip in clips))
    digests = {clip.path: file_digest(clip.path) for clip in clips}
    about = [[clip.name, clip.label, clip.fold, clip.source, digests[clip.path]] for clip in clips]
    fingerprint = hashlib.sha256("".join(map(json.dumps, [classes, *about])).encode()).hexdigest()
    # of the very bytes that the set is fingerprinted by
    read = lambda clip, sample_rate: read_recording(clip.path, sample_rate, digests[clip.path])  # noqa: E731
    return ProbingSet(name, clips, classes, read, fingerprint)


def check_recordings(probing_set: ProbingSet) -> None:
    """Decode every recording of the set; raises InputError naming the first five that cannot be used, and how many."""
    clips = [clip for clip in probing_set.clips if clip.path]
    _refuse(clips, (decode(clip.path)[2] for clip in clips))


def sources_in_several_folds(probing_set: ProbingSet) -> list[str]:
    """Source recordings with clips in more than one fold, sorted: four in ESC-50 (131943, ...), none in ESC-10."""
    fold: dict[str, int] = {}
    return sorted({c.source for c in probing_set.clips if fold.setdefault(c.source, c.fold) != c.fold})


def _layout(folder: Path, subset: str, unlabelled: bool) -> tuple[str, list[_Row]]:
    esc, urban, own = (_tables(folder, *names) for names in (["meta/*.csv"], ["metadata/UrbanSound8K.csv"], TABLES))
    if subset and not esc:
        raise InputError(f"subset {subset!r} is a column of ESC's table meta/*.csv, which {str(folder)!r} has not.")
    if esc:
        rows = _listed(esc, ESC, ESC, subset)
        return subset or esc.stem, [row._replace(place="audio") for row in rows]
    if urban:
        rows = _listed(urban, URBAN, URBAN)
        return urban.stem, [row._replace(place=f"audio/fold{row.fold.strip()}", fold=_of_five(row)) for row in rows]
    if own:
        return folder.name, _with_splits(_listed(own, AUDIOFOLDER, AUDIOFOLDER[:2]))
    inner = [path for path in sorted(folder.glob("[!.]*/")) if path.is_dir()]
    nested = any(any(path.glob("metadata.*")) or any(path.glob("[!.]*/*")) for path in inner)
    if not (nested and all(SPLIT.fullmatch(path.name) for path in inner)):
        return folder.name, _class_folders(folder, unlabelled)
    rows = []
    for path in inner:
        table = _tables(path, *TABLES)
        found = _listed(table, AUDIOFOLDER, AUDIOFOLDER[:2]) if table else _class_folders(path)
        rows += [r._replace(file=f"{path.name}/{r.file}", where=f"{path.name}: {r.where}") for r in found]
    return folder.name, _with_splits(rows)


def _tables(folder: Path, *patterns: str) -> Path | None:
    """The one table of a kind, or None; what other systems leave beside a file begins with a dot."""
    tables = sorted(path for pattern in patterns for path in folder.glob(pattern) if not path.name.startswith("."))
    if len(tables) > 1:
        names = ", ".join(str(table.relative_to(folder)) for table in tables)
        raise InputError(f"{str(folder)!r} holds {len(tables)} tables ({names}). Leave the one that describes the set.")
    return tables[0] if tables else None


def _of_five(row: _Row) -> str:
    """UrbanSound8K's ten folds as five: the first and the sixth are fold 1, and so on."""
    return str(1 + (int(check_choice(f"{row.where}: fold", row.fold.strip(), [str(i) for i in range(1, 11)])) - 1) % 5)


def _with_splits(rows: list[_Row]) -> list[_Row]:
    """Rows of splits, without folds: what is to be tested on is fold 1, a class's other clips are dealt to the rest."""
    splits = [row.file.partition("/")[0].lower() for row in rows]
    tested = next((kind for kind in ("test", "eval", "val", "dev") if any(s.startswith(kind) for s in splits)), "")
    if not tested or any(row.fold is not None for row in rows) or not all(map(SPLIT.fullmatch, splits)):
        return rows
    next_fold = defaultdict(lambda: cycle("2345"))  # of each class
    folds = ["1" if s.startswith(tested) else next(next_fold[r.label]) for r, s in zip(rows, splits, strict=True)]
    return [row._replace(fold=fold) for row, fold in zip(rows, folds, strict=True)]


def _listed(table: Path, columns: Sequence[str], needed: Sequence[str], subset: str = "") -> list[_Row]:
    needed = [*needed, subset] if subset else needed
    with reading(table, f"{table.suffix[1:].upper()} with the columns {', '.join(needed)}") as text:
        lines = list(table_rows(text, needed, table.suffix))
    rows = []
    for line, cells in lines:
        where = f"{table.name}, line {line}"
        if not subset or check_choice(f"{where}: {subset}", cells[subset].strip().lower(), ("true", "false")) == "true":
            rows.append(_Row(where, *map(cells.get, columns)))
    if not rows:
        raise InputError(f"{str(table)!r} names no clip. Give a table with one row a recording.")
    return rows


def _class_folders(folder: Path, unlabelled: bool = False) -> list[_Row]:
    """A row for each sound of a class's folder, which directly holds one, however deep; with a warning of the rest."""
    seen = sorted({*folder.glob("[!.]*"), *folder.glob("[!.]*/**/[!.]*")})
    places = {path: path.relative_to(folder).parts for path in seen if path.is_file()}
    files = [p for p, place in places.items() if not (p.match("captions*.[cj]s*") or any(n[0] == "." for n in place))]
    sounds = [path for path in files if path.suffix.lower() in SUFFIXES or not damage(path)]
    classes = sorted({places[path][0] for path in sounds if len(places[path]) == 2})
    divided = all(map(DIVISION.fullmatch, classes))  # a train among other sounds is one of them
    taken = [path for path in sounds if places[path][0] in classes]
    if whole := unlabelled and (len(classes) < 2 or divided or 2 * len(taken) < len(sounds)):
        taken = sounds
    if not taken or len(classes) < 2 and not whole:
        content = ", ".join(sorted(path.name for path in folder.iterdir())[:10]) or "nothing"
        inner = sorted(path.parent for path in folder.glob("*/meta*"))
        inner += sorted({path.parents[1] for path in folder.glob("*/*/*") if path.suffix.lower() in SUFFIXES})
        hint = f" Did you mean {str(inner[0])!r}?" if inner else ""
        raise InputError(f"{str(folder)!r} is no set of recordings: it holds {content}. Expected {LAYOUTS}.{hint}")
    if divided and not whole:
        told = f"{str(folder)!r} is divided into {', '.join(classes[:5])}: {classes[0]!r} is no class"
        raise InputError(f"{told}. Expected {LAYOUTS}.")
    if others := ["/".join(places[path]) for path in sorted({*files} - {*taken})]:
        kind = "sounds" if whole else "sounds in the folder of a class"
        warnings.warn(
            f"{len(others)} of {len(files)} files are no {kind} and are skipped: {', '.join(others[:5])}.", stacklevel=2
        )
    return [_Row(repr(n := "/".join(places[path])), n, UNLABELLED if whole else places[path][0]) for path in taken]


@contextmanager
def reading(path: Path, expected: str) -> Iterator[str]:
    """The text of a file without its byte-order mark; raises InputError, which says "Give `expected`, in UTF-8"."""
    kinds = (OSError, ValueError, csv.Error, RecursionError)
    with explained(lambda error: f"{str(path)!r} cannot be read ({error}). Give {expected}, in UTF-8.", *kinds):
        if path.exists() and not path.is_file():  # a pipe or a device might never come to an end
            raise OSError("it is no file")
        yield path.read_text(encoding="utf-8-sig")


def table_rows(text: str, columns: Sequence[str], kind: str = ".csv") -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, column -> cell) of RFC 4180 text with a header, or of JSON lines (kind ".jsonl")."""
    for line, cells in _json_lines(text) if kind == ".jsonl" else _csv_lines(text):
        if missing := [name for name in columns if name not in cells]:
            raise ValueError(f"line {line}: no column {', '.join(missing)}, only {', '.join(cells)}")
        yield line, cells


def _csv_lines(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    names = reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
    for cells in reader:
        # a cell too many has no name, one too few no value, and of two columns of one name the first is lost
        if len(cells) != len(names) or None in cells.values():
            wrong = f"line {reader.line_num} is not of the header's {len(names)} cells"
            raise ValueError(f"{wrong}; quote those with commas")
        yield reader.line_num, cells


def _json_lines(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, {name: "" if value is None else str(value) for name, value in json_pairs(line)}


def json_pairs(text: str) -> tuple[tuple[str, Any], ...]:
    """Names and values of one JSON object: pairs, because a dict would hide a name given twice."""
    pairs = json.loads(text, object_pairs_hook=tuple)
    if not isinstance(pairs, tuple):
        raise ValueError("it is no JSON object")
    return pairs


def _clip(folder: Path, row: _Row) -> Clip:
    """The clip of one row; links followed, its file lies in the folder or where the hub's cache keeps a snapshot's."""
    label = _words(row.label)
    if NAMELESS.fullmatch(label) or not label.isprintable():
        raise InputError(f"{row.where}: label {row.label!r} of {row.file!r} is no class name. Give a word or a few.")
    # bytes of a name that are no UTF-8 reach Python as lone surrogates
    if "\0" in row.file or row.file.encode(errors="ignore").decode() != row.file:
        raise InputError(f"{row.where}: {row.file!r} is no file name that can be kept in UTF-8. Rename the file.")
    forms = [row.file, *(unicodedata.normalize(form, row.file) for form in ("NFC", "NFD"))]
    places = [folder / row.place / form for form in forms]
    path = next((path for path in places if os.path.lexists(path)), places[0])
    homes = [folder, *([folder.parents[1] / "blobs"] if folder.parent.name == "snapshots" else [])]
    if ".." in path.parts or not any(path.resolve().is_relative_to(home) for home in homes):
        outside = f"{row.where}: {row.file!r} lies outside {str(folder)!r}"
        raise InputError(f"{outside}. Copy the recording into that folder.")
    fold = "0" if row.fold is None else check_choice(f"{row.where}: fold", row.fold.strip(), "12345")
    source = str(PurePosixPath(row.file).with_suffix("")) if row.source is None else row.source.strip()
    if not source:
        raise InputError(f"{row.where}: {row.file!r} has an empty source. Name the recording it was cut from.")
    return Clip(row.file, label, int(fold), source, path)


def _words(name: str) -> str:
    return unicodedata.normalize("NFC", " ".join(name.replace("_", " ").split()))


def _classes(rows: list[_Row]) -> tuple[str, ...]:
    """Class names in the order of their numbers, or of the alphabet; a class and its number must belong together."""
    for row in rows:
        if row.number is not None and not row.number.strip().isdecimal():
            raise InputError(f"{row.where}: target {row.number!r} is no whole number. Correct it.")
    known = sorted({(_words(row.label) if row.number is None else int(row.number), _words(row.label)) for row in rows})
    numbers, labels = zip(*known, strict=True)
    if clash := [f"{name!r} has {n}" for n, name in known if numbers.count(n) + labels.count(name) > 2]:
        raise InputError(f"Classes and their numbers clash: {', '.join(clash)}. Give each class one number of its own.")
    return labels


def _refuse(clips: Sequence[Clip], faults: Iterable[str]) -> None:
    if bad := [f"{clip.name!r} {fault}" for clip, fault in zip(clips, faults, strict=True) if fault]:
        more = f"; and {len(bad) - 5} more" if len(bad) > 5 else ""
        raise InputError(f"{len(bad)} of {len(clips)} recordings cannot be used: {'; '.join(bad[:5])}{more}. {REMEDY}.")
