"""ESC-50 from its authors' repository: fetched over https, verified, unpacked without trust."""

import hashlib
import re
import shutil
import stat
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NoReturn

from andlib.errors import InputError


@dataclass(frozen=True)
class Archive:
    """A zip archive on the web. size: its bytes; files: recordings in it; unpacked: the most bytes these may take."""

    url: str
    sha256: str
    size: int
    files: int
    unpacked: int
    licence: str


# The newest commit of ESC-50's repository, by its full name: archives of `master` circulate with four checksums. The
# authors publish none; this one, with this size, is recorded alike for this commit by several unrelated public
# projects (found by searching public code). GitHub may one day pack the same files differently: then it is refused.
ESC50 = Archive(
    url="https://github.com/karolpiczak/ESC-50/archive/33c8ce9eb2cf0b1c2f8bcf322eb349b6be34dbb6.zip",
    sha256="661183a6f53ef04f12c9bd618fed0ddc1713280d6c94a5a5431e844ba6f6a21f",
    size=645_832_161,
    files=2000,
    unpacked=1_000_000_000,  # 2000 clips of 441,044 bytes and a table
    licence=(
        "ESC-50 by K. J. Piczak: Creative Commons Attribution-NonCommercial 3.0 "
        "(https://creativecommons.org/licenses/by-nc/3.0/); each recording's author is named in its LICENSE file."
    ),
)
BY_HAND = "Or fetch it by hand, unpack it, and give the folder that holds meta/ and audio/ as data_dir"
_BLOCK = 2**20
_WANTED = re.compile(r"(audio/[\w-]+\.wav|meta/[\w-]+\.csv|LICENSE)", re.ASCII)


def fetch_esc50(folder: str | Path, archive: Archive = ESC50) -> Path:
    """The folder `ESC-50` inside `folder`, ready for `open_folder`; fetches it (646 MB) where it is not there yet.

    A broken download goes on where it stopped if the server can. Nothing is unpacked before the checksum is right, and
    the folder appears only when it is whole. Prints the licence.

    Raises InputError if the machine is offline, the disk is full, the server answers with something else, or the
    archive is not the known one.
    """
    target = Path(folder).expanduser() / "ESC-50"
    print(archive.licence)
    if target.is_dir():
        return target
    _check_space(archive, target.parent)
    part = target.parent / f"ESC-50-{archive.sha256[:12]}.zip.part"
    _download(archive, part)
    _verify(archive, part)
    _unpack(archive, part, target)
    part.unlink(missing_ok=True)
    return target


def _check_space(archive: Archive, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{str(folder)!r} cannot be made ({error.strerror}). Name a folder you may write to."
        ) from None
    need, free = archive.size + archive.unpacked, shutil.disk_usage(folder).free
    if free < need:
        raise InputError(
            f"{str(folder)!r} has {free:,} bytes free, {need:,} are needed. Name a folder on another disk."
        )


# Fetching.


class _SameScheme(urllib.request.HTTPRedirectHandler):
    """Follows a redirection only to the scheme it began with: https stays https."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        if not newurl.startswith(f"{req.type}://"):
            fp.close()
            raise InputError(f"{req.full_url} sends on to {newurl}, which is not {req.type}: not followed. {BY_HAND}.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _download(archive: Archive, part: Path) -> None:
    """Bring `part` to the archive's size, going on from what is there if the server can."""
    have = part.stat().st_size if part.is_file() else 0
    if have == archive.size:
        return
    if have > archive.size:
        part.unlink()
        have = 0
    request = urllib.request.Request(archive.url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.build_opener(_SameScheme).open(request, timeout=60) as answer:
            resumed = answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            _receive(archive, answer, part, have if resumed else 0)
    except urllib.error.HTTPError as error:
        error.close()
        raise InputError(f"{archive.url} answers {error.code} {error.reason}. Try again later. {BY_HAND}.") from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error or type(error).__name__
        raise InputError(f"{archive.url} cannot be fetched ({reason}). Go online and run again. {BY_HAND}.") from None
    have = part.stat().st_size
    if have < archive.size:
        raise InputError(f"{archive.url} stopped after {have:,} of {archive.size:,} bytes. Run again to go on.")


def _receive(archive: Archive, answer: BinaryIO, part: Path, position: int) -> None:
    """Write what is answered from `position` on; bytes already there are the same, so two runs at once do no harm."""
    from tqdm import tqdm

    with (
        part.open("r+b" if part.is_file() else "xb") as file,
        tqdm(desc="ESC-50", total=archive.size, initial=position, unit="B", unit_scale=True) as progress,
    ):
        file.seek(position)
        while block := answer.read(_BLOCK):
            if file.tell() == 0 and not block.startswith(b"PK"):
                _refuse(part, f"{archive.url} answers with something that is no zip archive: {block[:40]!r}")
            if file.tell() + len(block) > archive.size:
                _refuse(part, f"{archive.url} sends more than the {archive.size:,} bytes of the known archive")
            file.write(block)
            progress.update(len(block))


def _refuse(part: Path, why: str) -> NoReturn:
    part.unlink(missing_ok=True)
    raise InputError(f"{why}. Nothing was kept. Try again later. {BY_HAND}.") from None


def _verify(archive: Archive, part: Path) -> None:
    with part.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != archive.sha256:
        _refuse(part, f"{archive.url} is not the known archive: its SHA-256 is {found}, expected {archive.sha256}")


# Unpacking.


def _unpack(archive: Archive, part: Path, target: Path) -> None:
    """Write recordings, tables and licence under a temporary name, then rename the folder: all or nothing."""
    temporary = Path(tempfile.mkdtemp(prefix=".ESC-50-", dir=target.parent))
    try:
        with zipfile.ZipFile(part) as opened:
            for name, member in _members(archive, opened).items():
                (temporary / name).parent.mkdir(exist_ok=True)
                with opened.open(member) as source, (temporary / name).open("xb") as copy:
                    shutil.copyfileobj(source, copy, _BLOCK)
        temporary.chmod(0o755)
        if not target.is_dir():  # another run may have been faster
            temporary.rename(target)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        _refuse(part, f"{archive.url} cannot be unpacked ({error})")
    except InputError as error:
        _refuse(part, str(error))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _members(archive: Archive, opened: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The members to unpack, by their place below the archive's one top folder."""
    members: dict[str, zipfile.ZipInfo] = {}
    for member in opened.infolist():
        path = PurePosixPath(member.filename)
        if path.is_absolute() or ".." in path.parts:
            raise InputError(f"{archive.url} holds {member.filename!r}, which would leave the folder")
        name = "/".join(path.parts[1:])
        if not _WANTED.fullmatch(name):
            continue
        if stat.S_ISLNK(member.external_attr >> 16) or name in members:
            raise InputError(f"{archive.url} holds {member.filename!r} as a link or twice")
        members[name] = member
    recordings = sum(name.endswith(".wav") for name in members)
    unpacked = sum(member.file_size for member in members.values())  # zipfile reads no more than a member declares
    if recordings != archive.files or unpacked > archive.unpacked:
        raise InputError(
            f"{archive.url} holds {recordings} recordings in {unpacked:,} bytes, expected {archive.files} in at most "
            f"{archive.unpacked:,}"
        )
    return members
