"""ESC-50 from its authors' repository, and captions of it: fetched, and checked to be the very files that are meant."""

import re
import tempfile
import tomllib
import urllib.error
import urllib.request
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO

from andlib import paths
from andlib.bars import tqdm
from andlib.errors import InputError
from andlib.inputs.captions import find_captions
from andlib.store import file_digest


@dataclass(frozen=True)
class Archive:
    """A file on the web, whose bytes are known. size: how many. begins: the first. by_hand: what to do instead."""

    url: str
    sha256: str
    size: int
    licence: str
    begins: str = "PK"  # a zip archive
    by_hand: str = "Or fetch it by hand"


_STATED = tomllib.loads(Path(__file__).with_name("archives.toml").read_text(encoding="utf-8"))
ESC50, CAPTIONS = (Archive(**_STATED[name]) for name in ("esc50", "captions"))
_BLOCK = 2**20
_WANTED = re.compile(r"[^/]+/(audio/[\w-]+\.wav|meta/[\w-]+\.csv|LICENSE)", re.ASCII)


def fetch_esc50(folder: str | Path, archive: Archive = ESC50) -> Path:
    """The folder `ESC-50` inside `folder`, ready for `open_folder`; fetches it (646 MB) where it is not there yet.
    A broken download goes on where it stopped if the server can; the folder appears only when it is whole. Prints the
    licence. Raises InputError if the machine is offline, the disk is full, or the archive is not the known one."""
    print(archive.licence)
    return _fetched(archive, paths.named(folder) / "ESC-50", _unpack)


def fetch_captions(folder: str | Path, archive: Archive = CAPTIONS) -> Path:
    """The file `captions_qwen2_audio.csv` in `folder`, for `read_captions`; fetched and refused as by `fetch_esc50`."""
    return _fetched(archive, paths.named(folder) / "captions_qwen2_audio.csv", Path.replace)


def captions_beside(recordings: Path, published: Path | None) -> Path | None:
    """The caption file in a folder of recordings, else the published one of ESC-50; None where neither can be had.
    published: the folder that keeps what is fetched; None where the recordings are not ESC-50's."""
    if (found := find_captions(recordings)) or not published:
        return found
    try:
        return fetch_captions(published)
    except InputError as error:
        alone = f"Clips are described by what is measured alone, for there are no captions: {error}"
        warnings.warn(alone, stacklevel=2)
        return None


def _fetched(archive: Archive, target: Path, put: Callable[[Path, Path], object]) -> Path:
    """`target`, where `put` brings what was fetched, whole and verified; what goes wrong until then is a sentence."""
    part = target.with_name(f"{archive.sha256[:12]}.part")
    try:
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            _download(archive, part)
            put(part, target)
        return target
    except urllib.error.HTTPError as error:
        with error:
            raise InputError(f"{archive.url} answers {error}. Try again later. {archive.by_hand}.") from None
    except (OSError, HTTPException, zipfile.BadZipFile) as error:
        failed = f"{archive.url} could not be fetched into {str(target.parent)!r} ({error or type(error).__name__})"
        remedy = f"Put that right and run again: what was fetched is kept. {archive.by_hand}."
        raise InputError(f"{failed}. {remedy}") from None


def _download(archive: Archive, part: Path) -> None:
    have = part.stat().st_size if part.is_file() else 0
    if have < archive.size:
        request = urllib.request.Request(archive.url, headers={"Range": f"bytes={have}-"} if have else {})
        with urllib.request.urlopen(request, timeout=60) as answer:
            resumed = answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            _receive(archive, answer, part, have if resumed else 0)
        have = part.stat().st_size
    if have < archive.size:
        raise InputError(f"{archive.url} stopped after {have:,} of {archive.size:,} bytes. Run again to go on.")
    if (digest := file_digest(part)) != archive.sha256:
        part.unlink()
        wrong = f"{archive.url} is not the known archive: its SHA-256 is {digest}, expected {archive.sha256}"
        raise InputError(f"{wrong}. Nothing was kept. Try again later. {archive.by_hand}.")


def _receive(archive: Archive, answer: BinaryIO, part: Path, position: int) -> None:
    """Write what is answered from `position` on; bytes already there are the same, so two runs at once do no harm."""
    block = answer.read(_BLOCK)
    if position == 0 and not block.startswith(archive.begins.encode()):
        raise InputError(f"{archive.url} answers with another kind of file: {block[:40]!r}. {archive.by_hand}.")
    part.touch()
    bar = tqdm(desc="fetching", total=archive.size, initial=position, unit="B", unit_scale=True)
    with part.open("r+b") as file, bar as progress:
        file.seek(position)
        while block:
            progress.update(file.write(block[: archive.size - file.tell()]))  # no more than is wanted
            block = answer.read(_BLOCK) if file.tell() < archive.size else b""


def _unpack(part: Path, target: Path) -> None:
    """Write recordings, tables and licence under a temporary name, then rename the folder: all or nothing."""
    with tempfile.TemporaryDirectory(prefix=".ESC-50-", dir=target.parent) as temporary:
        whole = Path(temporary, "ESC-50")
        with zipfile.ZipFile(part) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())  # zipfile unpacks no more than is said here
            if unpacked > 4 * part.stat().st_size:  # ESC-50's is 1.4 times its size; no archive is given the disk
                raise InputError(f"{part} would unpack to {unpacked:,} bytes, which no archive of recordings does.")
            for name in archive.namelist():
                if wanted := _WANTED.fullmatch(name):
                    (whole / wanted[1]).parent.mkdir(parents=True, exist_ok=True)
                    (whole / wanted[1]).write_bytes(archive.read(name))
        if not target.is_dir():  # another run may have been faster
            whole.rename(target)
    part.unlink(missing_ok=True)
