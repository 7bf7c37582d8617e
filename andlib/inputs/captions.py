"""Descriptions D_d: one text a clip, from files and from other origins, cleaned and joined.

Text that a model wrote is data: it is stripped of control characters, never interpreted."""

import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import eq
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from andlib import paths
from andlib.errors import InputError, check_choice
from andlib.inputs.probing import json_pairs, reading, table_rows

ORIGINS = ("file", "source", "measured")  # an audio LLM's text; the name of the sound; made from the waveform
LOOP = 8  # tokens: a stretch this long said again is an audio LLM going round in circles
# how models say that they describe nothing
REFUSAL = re.compile(r"(?i)\bI(?: am|['’]m) (?:sorry|unable|not able)|\bas an AI\b|\bI (?:cannot|can['’]t|could not)\b")
MARKS = re.compile(r"<s>|</s>.*", re.DOTALL)  # SALMONN decodes LLaMA's marks of beginning and end with its answers


@dataclass(frozen=True)
class CaptionReport:
    """What reading a caption file found: how many clips got a text, and what was ignored or repaired."""

    path: Path
    read: int
    extra: tuple[str, ...] = ()  # entries that name no clip of the set
    looping: tuple[str, ...] = ()  # clips whose text repeated itself and was cut before the repetition
    doubtful: tuple[str, ...] = ()  # clips whose text says that there is none, or is mostly in another script
    cleaned: tuple[str, ...] = ()  # clips whose text had control characters, untidy white space or a tokenizer's marks

    def __str__(self) -> str:
        repaired = f"{len(self.looping)} looping (cut), {len(self.cleaned)} tidied"
        if self.doubtful:
            first = ", ".join(self.doubtful[:3])
            repaired += f"; {len(self.doubtful)} that refuse or are in no Latin script (kept as they are: {first})"
        return f"{self.path.name}: {self.read} captions; {len(self.extra)} naming no clip (ignored), {repaired}"


def find_captions(data_dir: str | Path) -> Path | None:
    """The file `captions*.csv` or `captions*.json` in a folder, if there is one. Raises InputError for several."""
    folder = paths.named(data_dir)
    files = sorted(path for path in folder.glob("captions*") if path.suffix.lower() in (".csv", ".json"))
    if len(files) > 1:
        names = ", ".join(path.name for path in files)
        several = f"{str(folder)!r} holds {len(files)} caption files captions*.csv or captions*.json ({names})"
        raise InputError(f"{several}. Name the one to use with the parameter `captions`.")
    return files[0] if files else None


def read_captions(path: str | Path, names: Sequence[str]) -> tuple[dict[str, str], CaptionReport]:
    """The description d_i of every clip from a file, in the order of `names`, and a report of what was repaired.

    The file is CSV with the columns `filename,description`, or JSON: `{filename: text}`, which the released code reads
    as `salmon_esc50.json`, or what SALMONN's own decoding writes (`eval_test_epoch_best.json`). An entry may name its
    clip with folders before it, or with another extension or none, where only one clip fits.
    Raises InputError if the file cannot be read, has two texts for one clip, or leaves a clip without a text."""
    path = paths.named(path)
    matched, extra = _match(path, _entries(path), names)
    cleaned = {name: clean(MARKS.sub("", text)) for name, text in matched.items()}
    cut = {name: _cut_loop(text) for name, text in cleaned.items()}
    _check_texts(f"Captions {str(path)!r}", cut, names)
    looping = tuple(name for name in names if cut[name] != cleaned[name])
    tidied = tuple(name for name in names if cleaned[name] != matched[name])
    doubtful = tuple(name for name in names if REFUSAL.search(cut[name]) or _foreign(cut[name]))
    return {name: cut[name] for name in names}, CaptionReport(path, len(cut), tuple(extra), looping, doubtful, tidied)


def _foreign(text: str) -> bool:
    letters = [c for c in text if c.isalpha()]
    return 2 * sum("LATIN" in unicodedata.name(c, "") for c in letters) < len(letters)


def guarded(text: str) -> str:
    """A cell that a spreadsheet takes for no formula; `unguarded` gives the text back."""
    return re.sub(r"^(?='*[=+\-@])", "'", text)


def unguarded(cell: str) -> str:
    """The text of a `guarded` cell."""
    return re.sub(r"^'(?='*[=+\-@])", "", cell)


def clean(text: str) -> str:
    """The text on one line: control and invisible format characters removed, white space runs made one space."""
    return " ".join("".join(c if c.isprintable() else " " if c.isspace() else "" for c in text).split())


def compose(parts: Mapping[str, Mapping[str, str]], names: Sequence[str], order: Sequence[str]) -> pd.DataFrame:
    """Texts of every clip by origin, one row a clip and origin: columns clip, origin, text.
    parts: origin -> clip -> text. order: origins as a clip's texts are joined; those not in `parts` are left out.
    Raises InputError if an origin is unknown, or has no text for a clip."""
    for origin in (*parts, *order):
        check_choice("caption origin", origin, ORIGINS)
    used = [origin for origin in order if origin in parts]
    for origin in used:
        _check_texts(f"The captions of origin {origin!r}", parts[origin], names)
    rows = [(name, origin, clean(parts[origin][name])) for name in names for origin in used]
    return pd.DataFrame(rows, columns=["clip", "origin", "text"])


def descriptions(frame: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """The description d_i of every clip in the order of `names`: its texts joined with one space.
    frame: what `compose` gives for these clips; its order of rows is the order of joining."""
    return frame.groupby("clip")["text"].agg(" ".join).reindex(names, fill_value="").tolist()


def _entries(path: Path) -> list[tuple[str, str]]:
    expected = "a file `captions` of CSV with the columns filename,description, or of JSON {filename: text}"
    with reading(path, expected) as text:
        if path.suffix.lower() != ".json":
            rows = table_rows(text, ("filename", "description"))
            return [(unguarded(cells["filename"].strip()), unguarded(cells["description"])) for _, cells in rows]
        entries = _batches(text) if text.lstrip().startswith("[") else json_pairs(text)
        if wrong := [name for name, value in entries if not isinstance(value, str)]:
            raise ValueError(f"the value of {wrong[0]!r} is no text")
        return list(entries)


def _batches(text: str) -> list[tuple[str, Any]]:
    """(name, text) of SALMONN's own results: batches of test clips, each with lists of their paths and its answers."""
    entries = []
    for number, batch in enumerate(json.loads(text), start=1):
        paths, answers = (batch.get(key) if isinstance(batch, dict) else None for key in ("id", "text"))
        if not (isinstance(paths, list) and isinstance(answers, list) and len(paths) == len(answers)):
            raise ValueError(f"entry {number} of the list is no batch of SALMONN's with as many `id` as `text`")
        entries += zip(map(str, paths), answers, strict=True)
    return entries


def _match(path: Path, entries: list[tuple[str, str]], names: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    by_stem: dict[str, list[str]] = defaultdict(list)
    for name in names:
        by_stem[PurePosixPath(name).stem].append(name)
    known, matched, extra = set(names), {}, []
    for key, text in entries:
        name = key if key in known else _named(PurePosixPath(key.replace("\\", "/")), by_stem)
        if name is None:
            extra.append(key)
        elif matched.setdefault(name, text) != text:
            raise InputError(f"Captions {str(path)!r} hold two different texts for {name!r}. Keep one of them.")
    return matched, extra


def _named(key: PurePosixPath, by_stem: Mapping[str, Sequence[str]]) -> str | None:
    alike, folders = by_stem.get(key.stem) or by_stem.get(key.name, ()), key.parent.parts[::-1]
    # folders agree as far as both tell
    alike = [name for name in alike if all(map(eq, folders, PurePosixPath(name).parent.parts[::-1]))]
    return alike[0] if len(alike) == 1 else None


def _cut_loop(text: str) -> str:
    """The text up to where eight words in a row come a second time."""
    tokens = text.split()
    words = [re.sub(r"\W", "", token).casefold() for token in tokens]
    first: dict[tuple[str, ...], int] = {}
    for start in range(len(words) - LOOP + 1):
        earlier = first.setdefault(tuple(words[start : start + LOOP]), start)
        if earlier < start:
            return " ".join(tokens[: max(start, earlier + LOOP)])
    return text


def _check_texts(what: str, texts: Mapping[str, str], names: Sequence[str]) -> None:
    if wrong := [name for name in names if not clean(texts.get(name, ""))]:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        without = f"{what} leave {len(wrong)} of {len(names)} clips without a text"
        remedy = "Add a description for each, or take those clips out."
        raise InputError(f"{without}: {', '.join(map(repr, wrong[:5]))}{more}. {remedy}")
