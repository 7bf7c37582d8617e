"""ESC-50 from its authors' repository: fetched, checked to be the very archive that is meant, unpacked."""

import hashlib
import re
import tempfile
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO

from tqdm import tqdm

from andlib import paths
from andlib.errors import InputError


@dataclass(frozen=True)
class Archive:
    """A zip archive on the web, of which every byte is known. size: its bytes."""

    url: str
    sha256: str
    size: int
    licence: str


# The newest commit of ESC-50's repository, by its full name: archives of `master` circulate with four checksums. The
# authors publish none; this one, with this size, is recorded alike for this commit by several unrelated public
# projects (found by searching public code). GitHub may one day pack the same files differently: then it is refused.
ESC50 = Archive(
    url="https://github.com/karolpiczak/ESC-50/archive/33c8ce9eb2cf0b1c2f8bcf322eb349b6be34dbb6.zip",
    sha256="661183a6f53ef04f12c9bd618fed0ddc1713280d6c94a5a5431e844ba6f6a21f",
    size=645_832_161,
    licence=(
        "ESC-50 by K. J. Piczak: Creative Commons Attribution-NonCommercial 3.0 "
        "(https://creativecommons.org/licenses/by-nc/3.0/); each recording's author is named in its LICENSE file."
    ),
)
BY_HAND = "Or fetch it by hand, unpack it, and give the folder that holds meta/ and audio/ as data_dir"
_BLOCK = 2**20
_WANTED = re.compile(r"[^/]+/(audio/[\w-]+\.wav|meta/[\w-]+\.csv|LICENSE)", re.ASCII)


def fetch_esc50(folder: str | Path, archive: Archive = ESC50) -> Path:
    """The folder `ESC-50` inside `folder`, ready for `open_folder`; fetches it (646 MB) where it is not there yet.

    A broken download goes on where it stopped if the server can; the folder appears only when it is whole. Prints the
    licence. Raises InputError if the machine is offline, the disk is full, or the archive is not the known one."""
    target = paths.named(folder) / "ESC-50"
    print(archive.licence)
    if target.is_dir():
        return target
    part = target.parent / f"ESC-50-{archive.sha256[:12]}.zip.part"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _download(archive, part)
        _unpack(part, target)
    except urllib.error.HTTPError as error:
        with error:
            raise InputError(f"{archive.url} answers {error}. Try again later. {BY_HAND}.") from None
    except (OSError, HTTPException, zipfile.BadZipFile) as error:
        failed = f"{archive.url} could not be fetched into {str(target.parent)!r} ({error or type(error).__name__})"
        remedy = f"Put that right and run again: what was fetched is kept. {BY_HAND}."
        raise InputError(f"{failed}. {remedy}") from None
    return target


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
    with part.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != archive.sha256:
        part.unlink()
        wrong = f"{archive.url} is not the known archive: its SHA-256 is {digest}, expected {archive.sha256}"
        raise InputError(f"{wrong}. Nothing was kept. Try again later. {BY_HAND}.")


def _receive(archive: Archive, answer: BinaryIO, part: Path, position: int) -> None:
    """Write what is answered from `position` on; bytes already there are the same, so two runs at once do no harm."""
    block = answer.read(_BLOCK)
    if position == 0 and not block.startswith(b"PK"):
        raise InputError(f"{archive.url} answers with something that is no zip archive: {block[:40]!r}. {BY_HAND}.")
    part.touch()
    bar = tqdm(desc="ESC-50", total=archive.size, initial=position, unit="B", unit_scale=True)
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
