"""ESC-50's download against a real server on this machine: whole, broken off, and forged."""

import errno
import hashlib
import http.server
import io
import stat
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from andlib.errors import InputError
from andlib.inputs import captions, downloads, probing

TOP = "ESC-50-33c8ce9/"


class Server(http.server.ThreadingHTTPServer):
    """Serves `content` at every path; `drop_after`: bytes after which it hangs up, once; `ranges`: honours Range."""

    content: bytes = b""
    drop_after: int | None = None
    ranges: bool = True
    kind: str = "application/zip"
    status: int = 200

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/esc50.zip"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        asked = self.headers.get("Range", "")
        server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and server.ranges else 0
        self.send_response(206 if asked and server.ranges else server.status)
        if asked and server.ranges:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        body = server.content[start:]
        self.send_header("Content-Type", server.kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if server.drop_after is None else body[: server.drop_after])
        server.drop_after = None

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def recording(hertz):
    file = io.BytesIO()
    soundfile.write(file, 0.5 * np.sin(2 * np.pi * hertz * np.arange(4410) / 44100), 44100, format="WAV")
    return file.getvalue()


def members():
    header = "filename,fold,target,category,esc10,src_file,take"
    rows = "\n".join([header, "1-1-A-0.wav,1,0,dog,True,1,A", "2-2-A-1.wav,2,1,hen,False,2,A"])
    return {
        TOP + "audio/1-1-A-0.wav": recording(440),
        TOP + "audio/2-2-A-1.wav": recording(880),
        TOP + "meta/esc50.csv": rows.encode(),
        TOP + "LICENSE": b"CC BY-NC",
        TOP + "README.md": b"read me",
        TOP + "utils/run.py": b"print()",
    }


def packed(files):
    """A zip archive; a value that is a str is the target of a symbolic link."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            if isinstance(content, str):
                entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def served(server, contents=None, **changes):
    """The archive that the server offers, as it would be declared."""
    server.content = packed(members() if contents is None else contents)
    archive = downloads.Archive(
        server.url, hashlib.sha256(server.content).hexdigest(), len(server.content), "CC BY-NC 3.0"
    )
    return replace(archive, **changes)


def refused(folder, archive, *words):
    with pytest.raises(InputError) as caught:
        downloads.fetch_esc50(folder, archive)
    for word in words:
        assert word in str(caught.value), str(caught.value)


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_whole_download_opens_as_a_probing_set(server, tmp_path, capsys):
    archive = served(server)
    target = downloads.fetch_esc50(tmp_path / "new folder", archive)
    assert "CC BY-NC 3.0" in capsys.readouterr().out
    assert left_in(target.parent) == ["ESC-50"]
    assert sorted(path.relative_to(target).as_posix() for path in target.rglob("*.*")) == [
        "audio/1-1-A-0.wav",
        "audio/2-2-A-1.wav",
        "meta/esc50.csv",
    ]
    assert (target / "LICENSE").is_file()
    probing_set = probing.open_folder(target)
    assert (len(probing_set), probing_set.classes) == (2, ("dog", "hen"))


def test_second_call_fetches_nothing(server, tmp_path):
    archive = served(server)
    assert downloads.fetch_esc50(tmp_path, archive) == downloads.fetch_esc50(tmp_path, archive)
    assert server.asked == [""]


@pytest.mark.parametrize("ranges", [True, False], ids=["server resumes", "server starts again"])
def test_dropped_connection_goes_on_where_it_stopped(server, tmp_path, ranges):
    archive = served(server)
    server.drop_after, server.ranges = 5000, ranges
    refused(tmp_path, archive, server.url, "5,000 of", "Run again to go on")
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [5000]
    target = downloads.fetch_esc50(tmp_path, archive)
    assert server.asked == ["", "bytes=5000-"]
    assert (target / "audio" / "2-2-A-1.wav").read_bytes() == recording(880)
    assert left_in(tmp_path) == ["ESC-50"]


def test_killed_after_the_last_byte(server, tmp_path):
    archive = served(server)
    (tmp_path / f"{archive.sha256[:12]}.part").write_bytes(server.content)
    downloads.fetch_esc50(tmp_path, archive)
    assert server.asked == []


@pytest.mark.parametrize("have", [b"PK wrong beginning", b"x" * 100_000], ids=["wrong bytes", "too many bytes"])
def test_damaged_part_is_not_believed(server, tmp_path, have):
    archive = served(server)
    part = tmp_path / f"{archive.sha256[:12]}.part"
    part.write_bytes(have)
    refused(tmp_path, archive, "SHA-256", archive.sha256, "Nothing was kept")
    assert downloads.fetch_esc50(tmp_path, archive).is_dir()


def test_wrong_checksum_leaves_nothing(server, tmp_path):
    archive = served(server, sha256="0" * 64)
    found = hashlib.sha256(server.content).hexdigest()
    refused(tmp_path, archive, server.url, found, "0" * 64, "by hand")
    assert left_in(tmp_path) == []


def test_web_page_instead_of_an_archive(server, tmp_path):
    archive = served(server)
    server.content, server.kind = b"<!DOCTYPE html><p>log in first</p>", "text/html"
    refused(tmp_path, archive, "another kind of file", "<!DOCTYPE html>", "by hand")
    assert left_in(tmp_path) == []


def test_no_more_is_fetched_than_the_archive_has(server, tmp_path):
    archive = served(server)
    content = server.content
    server.content += bytes(3_000_000)
    downloads._download(archive, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == content


@pytest.mark.parametrize("status", [403, 404, 503])
def test_server_error_is_named(server, tmp_path, status):
    archive = served(server)
    server.status = status
    refused(tmp_path, archive, server.url, f"answers HTTP Error {status}", "by hand")
    assert left_in(tmp_path) == []


def test_offline(server, tmp_path):
    archive = served(server)
    server.shutdown()
    server.server_close()
    refused(tmp_path, archive, server.url, "could not be fetched", "refused", "run again", "by hand")
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("../evil.wav", b"x"),
        (TOP + "audio/../../../evil.wav", b"x"),
        ("/tmp/evil.wav", b"x"),
        (TOP + "audio/3-3-A-2.wav", "/etc/passwd"),
    ],
    ids=["parent", "inner parent", "absolute", "link"],
)
def test_members_are_written_inside_the_folder_alone_and_as_files(server, tmp_path, name, content):
    target = downloads.fetch_esc50(tmp_path / "inside", served(server, {**members(), name: content}))
    assert left_in(tmp_path) == ["inside"] and left_in(target.parent) == ["ESC-50"]
    assert not [path for path in target.rglob("*") if path.is_symlink() or "evil" in path.name]
    assert not Path("/tmp/evil.wav").exists()


def test_full_disk_is_told_and_leaves_what_can_be_gone_on_with(server, tmp_path, monkeypatch):
    archive = served(server)

    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        refused(tmp_path, archive, str(tmp_path), "No space left", "what was fetched is kept")
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    assert downloads.fetch_esc50(tmp_path, archive).is_dir() and server.asked == [""]


def test_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file" / "deep", served(server), "could not be fetched into", "Put that right")


def test_esc50_is_named_by_commit_checksum_and_https():
    assert downloads.ESC50.url.startswith("https://github.com/karolpiczak/ESC-50/archive/33c8ce9")
    assert len(bytes.fromhex(downloads.ESC50.sha256)) == 32
    assert "NonCommercial" in downloads.ESC50.licence


CAPTIONS = b'Filename,Description\n1-1-A-0.wav,A dog barks.\n2-2-A-1.wav,"A hen, clucking."\n'


def captions_at(server, content=CAPTIONS):
    server.content = content
    known = hashlib.sha256(CAPTIONS).hexdigest()
    return replace(downloads.CAPTIONS, url=server.url, sha256=known, size=len(CAPTIONS))


def test_captions_are_fetched_once_and_read_for_clips_of_any_ending(tmp_path, server):
    file = downloads.fetch_captions(tmp_path, captions_at(server))
    texts, report = captions.read_captions(file, ["1-1-A-0.flac", "2-2-A-1.flac"])
    assert list(texts.values()) == ["A dog barks.", "A hen, clucking."] and report.extra == ()
    assert downloads.fetch_captions(tmp_path, captions_at(server)) == file and len(server.asked) == 1


@pytest.mark.parametrize(
    "content,words", [(CAPTIONS.replace(b"hen", b"cat"), "not the known archive"), (b"<html>", "another kind of file")]
)
def test_other_captions_are_refused_and_nothing_is_kept(tmp_path, server, content, words):
    with pytest.raises(InputError, match=words):
        downloads.fetch_captions(tmp_path, captions_at(server, content.ljust(len(CAPTIONS))))
    assert not list(tmp_path.glob("*.csv"))


def test_a_file_beside_the_recordings_comes_first_and_without_any_there_is_a_warning(tmp_path, server, monkeypatch):
    kept = tmp_path / "kept"
    assert downloads.captions_beside(tmp_path, None) is None and not server.asked
    server.status = 404
    monkeypatch.setattr(downloads.fetch_captions, "__defaults__", (captions_at(server),))
    with pytest.warns(UserWarning, match="described by what is measured alone.*404.*-p captions"):
        assert downloads.captions_beside(tmp_path, kept) is None
    server.status = 200
    assert downloads.captions_beside(tmp_path, kept) == kept / "captions_qwen2_audio.csv"
    own = tmp_path / "captions.csv"
    own.write_text("filename,description\n")
    assert downloads.captions_beside(tmp_path, kept) == own
