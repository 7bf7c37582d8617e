"""Probing sets D_p from folders of recordings: ESC's layout, Hugging Face audiofolder, one folder a class.

Opening a folder hashes every recording and checks what its header and its length on disk say; reading one decodes it
and checks its samples. Nothing is stored, and no recording outside the folder is read.
"""

import csv
import hashlib
import io
import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

import numpy as np
import soundfile
import soxr

from andlib.errors import InputError, check_choice
from andlib.records import Clip, ProbingSet

SHORTEST = 0.010  # s: less than one frame of a log-mel front end
LONGEST = 60.0  # s read of one recording unless more is asked for; no target network hears more than 10
SILENT = 0.5 / 2**15  # peak below half a step of 16-bit audio
MARGIN = 0.1  # s read beyond what is asked, so that cutting comes after resampling
LOUDEST = 8.0  # decoders and resamplers overshoot 1 a little, unscaled integers a thousandfold
LAYOUTS = (
    "meta/*.csv beside audio/ (ESC-50, ESC-10), metadata.csv or metadata.jsonl with file_name and label "
    "(Hugging Face audiofolder), or one folder of recordings a class (dog/1.wav)"
)
REMEDY = "Replace it by an intact WAV, FLAC, OGG or MP3 copy, or take it out of the set"
_SUFFIXES = {f".{name.lower()}" for name in soundfile.available_formats()} | {".aif", ".oga", ".opus"}


class _Row(NamedTuple):
    """What a layout says of one clip; `where` is the place a message points to, `order` sorts classes."""

    where: str
    file: str
    label: str
    fold: str
    source: str
    order: int = 0


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
    _check_sources(clips)
    _refuse(clips, (_damage(clip.path) for clip in clips))
    return ProbingSet(name, clips, classes, read_clip, _fingerprint(clips, classes), _licence(folder))


def read_clip(clip: Clip, sample_rate: int, max_seconds: float = LONGEST) -> np.ndarray:
    """Samples of a clip that lies in a file: see `read_recording`."""
    return read_recording(clip.path, sample_rate, max_seconds=max_seconds)


def read_recording(path: Path, sample_rate: int, *, max_seconds: float = LONGEST) -> np.ndarray:
    """The beginning of a recording as mono samples at the asked rate, float32 [samples], nominally in [-1, 1].

    Channels are averaged; the rate is changed once (soxr, high quality).

    sample_rate: Hz. max_seconds: the most that is read, so that an hour-long file costs no more than a short one.
    Raises InputError if the file is damaged, not audio, shorter than 10 ms, silent in what is read, or holds samples
    that are not finite or far outside [-1, 1].
    """
    fault = _damage(path)
    samples, rate, fault = (np.empty(0), 0, fault) if fault else _decode(path, max_seconds)
    if fault:
        raise InputError(f"Recording {str(path)!r} {fault}. {REMEDY}.")
    return soxr.resample(samples, rate, sample_rate).astype(np.float32)[: round(max_seconds * sample_rate)]


def check_recordings(probing_set: ProbingSet, max_seconds: float = LONGEST) -> None:
    """Decode every recording of the set; raises InputError naming the first five that cannot be used, and how many.

    max_seconds: how much of each recording is decoded.
    """
    clips = [clip for clip in probing_set.clips if clip.path]
    _refuse(clips, (_damage(clip.path) or _decode(clip.path, max_seconds)[2] for clip in clips))


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
        _Row(where, cells["file_name"], cells["label"], cells.get("fold", "0"), cells.get("source", ""))
        for where, cells in _read_table(table, ["file_name", "label"])
    ]
    return _not_empty(table, rows)


def _class_folders(folder: Path) -> list[_Row]:
    files = sorted(
        path
        for path in folder.glob("*/*")
        if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".") and not path.parent.name.startswith(".")
    )
    if not files:
        found = ", ".join(sorted(path.name for path in folder.iterdir())[:10]) or "nothing"
        raise InputError(f"{str(folder)!r} is no set of recordings: it holds {found}. Expected {LAYOUTS}.")
    names = [path.relative_to(folder).as_posix() for path in files]
    return [_Row(repr(name), name, path.parent.name, "0", "") for name, path in zip(names, files, strict=True)]


# Tables.


def _read_table(table: Path, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each row with its place, "esc50.csv, line 7"; a byte-order mark is skipped, cells are stripped."""
    try:
        text = table.read_text(encoding="utf-8-sig")
        parsed = list(_json_lines(text) if table.suffix == ".jsonl" else _csv_lines(text))
    except (UnicodeDecodeError, csv.Error, json.JSONDecodeError) as error:
        raise InputError(
            f"{str(table)!r} cannot be read ({error}). Save it as UTF-8 {table.suffix[1:].upper()}."
        ) from None
    for number, cells in parsed:
        where = f"{table.name}, line {number}"
        missing = [name for name in columns if name not in cells]
        if missing:
            raise InputError(
                f"{where} has no column {', '.join(missing)}; found: {', '.join(cells) or 'none'}. "
                f"Expected {', '.join(columns)} (commas between columns): rename or add what is missing."
            )
        yield where, cells


def _csv_lines(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = [name.strip() for name in next(reader, [])]
    if len(set(header)) < len(header):
        raise csv.Error(f"a column name stands twice in {', '.join(header)}")
    for cells in reader:
        if cells and len(cells) != len(header):
            raise csv.Error(f"line {reader.line_num} has {len(cells)} cells, the header {len(header)}")
        if cells:
            yield reader.line_num, dict(zip(header, map(str.strip, cells), strict=True))


def _json_lines(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(text.splitlines(), start=1):
        cells = json.loads(line) if line.strip() else {}
        if not isinstance(cells, dict):
            raise csv.Error(f"line {number} is no JSON object")
        if cells:
            yield number, {name: "" if value is None else str(value).strip() for name, value in cells.items()}


def _not_empty(table: Path, rows: list[_Row]) -> list[_Row]:
    if not rows:
        raise InputError(f"{str(table)!r} names no clip. Give a table with one row a recording.")
    return rows


def _whole(where: str, column: str, value: str, allowed: range) -> int:
    if not (value.isascii() and value.isdigit() and int(value) in allowed):
        raise InputError(
            f"{where}: {column} {value!r} is no whole number from {allowed[0]} to {allowed[-1]}. Correct it."
        )
    return int(value)


def _truth(where: str, column: str, value: str) -> bool:
    if value.lower() not in ("true", "false", "1", "0"):
        raise InputError(f"{where}: {column} {value!r} is neither True nor False. Correct it.")
    return value.lower() in ("true", "1")


# Clips and classes.


def _clip(base: Path, row: _Row) -> Clip:
    """The clip of one row; its file must lie in the folder, also after links are followed."""
    label = _words(row.label)
    if not label or not label.isprintable():
        raise InputError(f"{row.where}: label {row.label!r} of {row.file!r} is no class name. Give a word or a few.")
    if not row.file or "\0" in row.file or "\\" in row.file or not _is_unicode(row.file):
        raise InputError(f"{row.where}: {row.file!r} is no file name that can be kept in UTF-8. Rename the file.")
    path = base / row.file
    if not path.resolve().is_relative_to(base.resolve()):
        raise InputError(f"{row.where}: {row.file!r} lies outside {str(base)!r}. Copy the recording into that folder.")
    fold = 0 if row.fold == "0" else _whole(row.where, "fold", row.fold, range(1, 6))
    return Clip(row.file, label, fold, row.source or str(PurePosixPath(row.file).with_suffix("")), path)


def _words(name: str) -> str:
    return " ".join(name.replace("_", " ").split())


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8 reach Python as lone surrogates
        return False
    return True


def _check_classes(rows: list[_Row]) -> tuple[str, ...]:
    """Class names in the order of their numbers; each must have one number of its own where numbers are given."""
    number: dict[str, int] = {}
    owner: dict[int, str] = {}
    for row in rows:
        label = _words(row.label)
        if number.setdefault(label, row.order) != row.order or (
            row.order and owner.setdefault(row.order, label) != label
        ):
            other = number[label] if number[label] != row.order else repr(owner[row.order])
            raise InputError(
                f"{row.where}: class {label!r} has number {row.order}, which clashes with {other} in the rows above. "
                "Give each class one number of its own."
            )
    return tuple(sorted(number, key=lambda label: (number[label], label)))


def _check_unique(rows: list[_Row], clips: Sequence[Clip]) -> None:
    seen: dict[Path, str] = {}
    for row, clip in zip(rows, clips, strict=True):
        first = seen.setdefault(clip.path.resolve(), row.where)
        if first != row.where:
            raise InputError(f"{row.where}: {clip.name!r} is listed already in {first}. Keep one of the two rows.")


def _check_sources(clips: Iterable[Clip]) -> None:
    """A source recording in two folds would let a network be tested on what it learned from."""
    fold: dict[str, int] = {}
    split = sorted({clip.source for clip in clips if fold.setdefault(clip.source, clip.fold) != clip.fold})
    if split:
        raise InputError(
            f"{len(split)} source recordings lie in several folds ({', '.join(map(repr, split[:5]))}). "
            "Put all clips of a source into one fold, or correct the column that names sources."
        )


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


# One recording: what is wrong with it, as the rest of a sentence that begins with its name; "" if nothing is.


def _damage(path: Path) -> str:
    """What the header and the length on disk show, without decoding."""
    if not path.is_file():
        return "is absent"
    try:
        if path.stat().st_size == 0:
            return "is empty (0 bytes)"
        info = soundfile.info(str(path))
        with path.open("rb") as file:
            cut = _ends_early(file, path.stat().st_size)
    except OSError as error:
        return f"cannot be opened ({error.strerror})"
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: a headerless format
        return f"is not audio that can be decoded ({error})".replace(str(path), path.name)
    if info.frames == 0:
        return "has a header and no samples"
    if cut:
        return "is truncated: it ends before the length in its header"
    if info.frames < SHORTEST * info.samplerate:
        return f"is too short: {info.frames} samples at {info.samplerate} Hz, less than {1000 * SHORTEST:.0f} ms"
    return ""


def _ends_early(file: BinaryIO, size: int) -> bool:
    """Whether a RIFF, AIFF or Ogg file stops before its own end: libsndfile reads such a file without an error."""
    magic = file.read(12)
    if magic[:4] in (b"RIFF", b"FORM"):
        return _chunk_ends_early(file, size, "<4sI" if magic[:4] == b"RIFF" else ">4sI")
    if magic[:4] == b"OggS":
        return not _ogg_has_end(file, size)
    return False


def _chunk_ends_early(file: BinaryIO, size: int, layout: str) -> bool:
    while len(head := file.read(8)) == 8:
        name, length = struct.unpack(layout, head)
        if name in (b"data", b"SSND"):
            streamed = length == 0 or length >= 0x7FFF0000  # written to a pipe: the length was never known
            return not streamed and file.tell() + length > size
        file.seek(length + length % 2, 1)
    return True


def _ogg_has_end(file: BinaryIO, size: int) -> bool:
    """Whether the last page is whole and flagged as the stream's last (RFC 3533, section 6)."""
    file.seek(max(0, size - 2**17))  # a page has at most 65,307 bytes
    tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27 or not page[5] & 4:
        return False
    segments = page[27 : 27 + page[26]]
    return len(segments) == page[26] and len(page) >= 27 + page[26] + sum(segments)


def _decode(path: Path, max_seconds: float) -> tuple[np.ndarray, int, str]:
    """Mono samples at the file's own rate, that rate, and what is wrong with the samples."""
    try:
        with soundfile.SoundFile(str(path)) as file:
            wanted = min(file.frames, round((max_seconds + MARGIN) * file.samplerate))
            channels = file.read(wanted, dtype="float32", always_2d=True)
            rate = file.samplerate
    except soundfile.LibsndfileError as error:
        return np.empty(0), 0, f"cannot be decoded ({error})".replace(str(path), path.name)
    samples = channels.mean(axis=1, dtype=np.float32)
    peak = float(np.abs(samples).max(initial=0.0))
    fault = ""
    if len(samples) < wanted:
        fault = f"is truncated: {len(samples)} of {wanted} samples could be decoded"
    elif not np.isfinite(peak):
        fault = "holds samples that are NaN or infinite"
    elif peak < SILENT:
        fault = f"is silent in its first {len(samples) / rate:.2f} s"
    elif peak > LOUDEST:
        fault = f"has samples up to {peak:.0f}, far outside -1 to 1"
    return samples, rate, fault
