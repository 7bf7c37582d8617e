"""Probing sets D_p from folders of recordings: ESC's layout, Hugging Face audiofolder, one folder a class.

Opening a folder hashes every recording and checks what its header and its length on disk say; reading decodes it and
checks its samples. Nothing is stored, and no recording outside the folder is read.
"""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from andlib.errors import InputError, check_choice
from andlib.recordings import LONGEST, REMEDY, SUFFIXES, damage, decode, read_recording
from andlib.records import Clip, ProbingSet

LAYOUTS = (
    "meta/*.csv beside audio/ (ESC-50, ESC-10), metadata.csv or metadata.jsonl with file_name and label "
    "(Hugging Face audiofolder), or one folder of recordings a class (dog/1.wav)"
)


class _Row(NamedTuple):
    """What a layout says of one clip, as written; `where` is the place a message points to."""

    where: str
    file: str
    label: str
    fold: str | None = None
    source: str | None = None
    number: int | None = None  # of the class


def open_folder(data_dir: str | Path, *, subset: str = "") -> ProbingSet:
    """The probing set D_p that a folder of recordings holds, clips in the order of its table.

    Three layouts are known (`LAYOUTS`). Labels are class names in words: `crying_baby` becomes "crying baby". ESC's
    classes keep the order of `target`, others are sorted. Without a column `fold` every fold is 0; without a column
    `source` each clip is its own source recording.

    subset: "esc10" keeps the rows of an ESC table whose column `esc10` is true, "" keeps all.
    Raises InputError, naming the first five and their number, where the table or the recordings cannot be used.
    Samples are checked when they are read; `check_recordings` reads them all.
    """
    check_choice("subset", subset, ("", "esc10"))
    folder = Path(data_dir).expanduser()
    if not str(data_dir).strip() or not folder.is_dir():
        raise InputError(f"data_dir {str(data_dir)!r} is not a folder. Give one that holds {LAYOUTS}.")
    folder = folder.resolve()
    name, base, rows = _layout(folder, subset)
    clips = tuple(_clip(base, row) for row in rows)
    classes = _check_classes(rows)
    _check_unique(rows, clips)
    _refuse(clips, (damage(clip.path) for clip in clips))
    return ProbingSet(name, clips, classes, read_clip, _fingerprint(clips, classes), _licence(folder))


def read_clip(clip: Clip, sample_rate: int, max_seconds: float = LONGEST) -> np.ndarray:
    """Samples of a clip that lies in a file: see `read_recording`."""
    return read_recording(clip.path, sample_rate, max_seconds=max_seconds)


def check_recordings(probing_set: ProbingSet, max_seconds: float = LONGEST) -> None:
    """Decode every recording of the set; raises InputError naming the first five that cannot be used, and how many.

    max_seconds: how much of each recording is decoded.
    """
    clips = [clip for clip in probing_set.clips if clip.path]
    _refuse(clips, (decode(clip.path, max_seconds)[2] for clip in clips))


def sources_in_several_folds(probing_set: ProbingSet) -> list[str]:
    """Source recordings with clips in more than one fold, sorted: a network tested on one fold has heard them.

    ESC-50 has four (131943, 134049, 209698, 234879), ESC-10 none.
    """
    fold: dict[str, int] = {}
    return sorted({c.source for c in probing_set.clips if fold.setdefault(c.source, c.fold) != c.fold})


# Layouts: each gives the set's name, the folder its recordings lie in, and one row a clip.


def _layout(folder: Path, subset: str) -> tuple[str, Path, list[_Row]]:
    tables = sorted((folder / "meta").glob("*.csv")) or [
        folder / name for name in ("metadata.csv", "metadata.jsonl") if (folder / name).is_file()
    ]
    if len(tables) > 1:
        names = ", ".join(str(table.relative_to(folder)) for table in tables)
        raise InputError(f"{str(folder)!r} holds {len(tables)} tables ({names}). Leave the one that describes the set.")
    is_esc = bool(tables) and tables[0].parent != folder
    if subset and not is_esc:
        raise InputError(f"subset {subset!r} is a column of ESC's table meta/*.csv, which {str(folder)!r} has not.")
    if is_esc:
        return subset or tables[0].stem, folder / "audio", _esc(tables[0], subset)
    if tables:
        return folder.name, folder, _audiofolder(tables[0])
    return folder.name, folder, _class_folders(folder)


def _esc(table: Path, subset: str) -> list[_Row]:
    columns = ["filename", "fold", "target", "category", "src_file", *([subset] if subset else [])]
    rows = []
    for where, cells in _read_table(table, columns):
        if not subset or _truth(where, subset, cells[subset]):
            target = _whole(where, "target", cells["target"], range(100_000))
            rows.append(_Row(where, cells["filename"], cells["category"], cells["fold"], cells["src_file"], target))
    return _not_empty(table, rows)


def _audiofolder(table: Path) -> list[_Row]:
    rows = [
        _Row(where, cells["file_name"], cells["label"], cells.get("fold"), cells.get("source"))
        for where, cells in _read_table(table, ["file_name", "label"])
    ]
    return _not_empty(table, rows)


def _class_folders(folder: Path) -> list[_Row]:
    files = sorted(
        path
        for path in folder.glob("*/*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and not path.parent.name.startswith(".")
    )
    if len({path.parent for path in files}) < 2:
        found = ", ".join(sorted(path.name for path in folder.iterdir())[:10]) or "nothing"
        inner = sorted(path.parent for path in (*folder.glob("*/meta"), *folder.glob("*/metadata.*")))
        hint = f" Did you mean {str(inner[0])!r}?" if inner else ""
        raise InputError(f"{str(folder)!r} is no set of recordings: it holds {found}. Expected {LAYOUTS}.{hint}")
    names = [path.relative_to(folder).as_posix() for path in files]
    return [_Row(repr(name), name, path.parent.name) for name, path in zip(names, files, strict=True)]


# Tables.


def _read_table(table: Path, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each row with its place, "esc50.csv, line 7"; a byte-order mark is skipped."""
    try:
        text = table.read_text(encoding="utf-8-sig")
        parsed = list(_json_lines(text) if table.suffix == ".jsonl" else csv_lines(text))
    except (UnicodeDecodeError, csv.Error, json.JSONDecodeError) as error:
        raise InputError(
            f"{str(table)!r} cannot be read ({error}). Save it as UTF-8 {table.suffix[1:].upper()}."
        ) from None
    for number, cells in parsed:
        where = f"{table.name}, line {number}"
        missing = [name for name in columns if name not in cells]
        if missing:
            raise InputError(
                f"{where}: no column {', '.join(map(repr, missing))}, only {', '.join(map(repr, cells))}. "
                f"Expected {', '.join(columns)}, separated by commas: rename or add what is missing."
            )
        yield where, cells


def csv_lines(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, column -> cell) of RFC 4180 text with a header; raises csv.Error where a row does not fit it."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = [name.strip() for name in next(reader, [])]
    if len(set(header)) < len(header):
        raise csv.Error(f"a column name stands twice in {', '.join(header)}")
    for cells in reader:
        if cells and len(cells) != len(header):
            raise csv.Error(
                f"line {reader.line_num} has {len(cells)} cells, the header {len(header)}; quote cells with commas"
            )
        if cells:
            yield reader.line_num, dict(zip(header, cells, strict=True))


def _json_lines(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        cells = json.loads(line) if line.strip() else {}
        if not isinstance(cells, dict):
            raise csv.Error(f"line {number} is no JSON object")
        if cells:
            yield number, {name: "" if value is None else str(value) for name, value in cells.items()}


def _not_empty(table: Path, rows: list[_Row]) -> list[_Row]:
    if not rows:
        raise InputError(f"{str(table)!r} names no clip. Give a table with one row a recording.")
    return rows


def _whole(where: str, column: str, value: str, allowed: range) -> int:
    digits = value.strip()
    if not (digits.isascii() and digits.isdigit() and int(digits) in allowed):
        raise InputError(
            f"{where}: {column} {value!r} is no whole number from {allowed[0]} to {allowed[-1]}. Correct it."
        )
    return int(digits)


def _truth(where: str, column: str, value: str) -> bool:
    word = value.strip().lower()
    if word not in ("true", "false", "1", "0"):
        raise InputError(f"{where}: {column} {value!r} is neither True nor False. Correct it.")
    return word in ("true", "1")


# Clips and classes.


def _clip(base: Path, row: _Row) -> Clip:
    """The clip of one row; its file must lie in the folder, also after links are followed."""
    label = _words(row.label)
    if not label or not label.isprintable():
        raise InputError(f"{row.where}: label {row.label!r} of {row.file!r} is no class name. Give a word or a few.")
    if not row.file or "\0" in row.file or not _is_unicode(row.file):
        raise InputError(f"{row.where}: {row.file!r} is no file name that can be kept in UTF-8. Rename the file.")
    path = base / row.file
    if not path.resolve().is_relative_to(base.resolve()):
        raise InputError(f"{row.where}: {row.file!r} lies outside {str(base)!r}. Copy the recording into that folder.")
    fold = 0 if row.fold is None else _whole(row.where, "fold", row.fold, range(1, 6))
    source = str(PurePosixPath(row.file).with_suffix("")) if row.source is None else row.source.strip()
    if not source:
        raise InputError(f"{row.where}: {row.file!r} has an empty source. Name the recording it was cut from.")
    return Clip(row.file, label, fold, source, path)


def _words(name: str) -> str:
    return " ".join(name.replace("_", " ").split())


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8 reach Python as lone surrogates
        return False
    return True


def _check_classes(rows: list[_Row]) -> tuple[str, ...]:
    """Class names in the order of their numbers, or of the alphabet; a class and its number must belong together."""
    number: dict[str, int | None] = {}
    owner: dict[int | None, str] = {}
    for row in rows:
        label = _words(row.label)
        same_number = number.setdefault(label, row.number) == row.number
        same_owner = row.number is None or owner.setdefault(row.number, label) == label
        if not (same_number and same_owner):
            clash = f"{label!r} has number {number[label]}" if not same_number else f"it is {owner[row.number]!r}'s"
            raise InputError(
                f"{row.where}: class {label!r} is given number {row.number}, but above {clash}. "
                "Give each class one number of its own."
            )
    return tuple(sorted(number, key=lambda label: (number[label] or 0, label)))


def _check_unique(rows: list[_Row], clips: Sequence[Clip]) -> None:
    seen: dict[Path, str] = {}
    for row, clip in zip(rows, clips, strict=True):
        first = seen.setdefault(clip.path.resolve(), row.where)
        if first != row.where:
            raise InputError(f"{row.where}: {clip.name!r} is the file of {first} again. Keep one of the two rows.")


def _refuse(clips: Sequence[Clip], faults: Iterable[str]) -> None:
    found = [f"{clip.name!r} {fault}" for clip, fault in zip(clips, faults, strict=True) if fault]
    if found:
        more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
        raise InputError(
            f"{len(found)} of {len(clips)} recordings cannot be used: {'; '.join(found[:5])}{more}. {REMEDY}."
        )


def _fingerprint(clips: Sequence[Clip], classes: Sequence[str]) -> str:
    digest = hashlib.sha256(json.dumps(classes).encode())
    for clip in clips:
        with clip.path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(json.dumps([clip.name, clip.label, clip.fold, clip.source, content]).encode())
    return digest.hexdigest()


def _licence(folder: Path) -> str:
    names = [name for name in ("LICENSE", "LICENCE", "ATTRIBUTION.md") if (folder / name).is_file()]
    return f"see {' and '.join(names)} beside the recordings" if names else ""
