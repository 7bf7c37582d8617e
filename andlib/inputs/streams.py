"""The streams of samples that a file of audio holds, each as libsndfile takes it.

libsndfile believes headers: it reads no further than the length that one states or that it estimates, and only the
first of several streams in a row. So files that were written to a pipe, whose header could not be completed, and MP3s
without a count of their frames get a header that states more than there is, and joined files are taken apart."""

import io
import re
import tempfile
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import soundfile

MOST = 2**28  # bytes of a file that is taken apart; an hour of MP3 at 320 kbit/s is half of it
# an MPEG frame of silence that tells, as its first part, how many frames follow, and from bit 1 of its flags, bytes
COUNTED = re.compile(rb"\xff[\xe2-\xff][\s\S]{2}(?:[\s\S]{2})?\0{9,32}(?:Xing|Info)([\s\S]{12})")
PAGE = re.compile(rb"OggS\0([\0-\7])")
FLAC = re.compile(rb"fLaC[\0\x80]\0\0\x22")
# the head of a frame of layer III: 1, 2 or 2.5, its bit rate and its sampling rate
RATES = re.escape(bytes(value for value in range(0x10, 0xF0) if value >> 2 & 3 < 3))
FRAME = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][" + RATES + rb"][\s\S]")


class Stream(NamedTuple):
    """content: None for the file as it is. known: whether its header states how many samples it has."""

    path: Path
    content: bytes | None = None
    known: bool = True

    @contextmanager
    def opened(self) -> Iterator[Path]:
        """A file of the stream alone."""
        if self.content is None:
            yield self.path
            return
        with tempfile.TemporaryDirectory() as folder:  # libsndfile knows some MP3s by their ending alone
            alone = Path(folder, "stream").with_suffix(self.path.suffix)
            alone.write_bytes(self.content)
            yield alone


def streams(path: Path) -> list[Stream]:
    """The streams of a file, in order; of one that is no MP3, Ogg, FLAC, WAV or AU, the file itself."""
    with path.open("rb") as file:
        head = file.read(2**16)
        start = head[:4]
        if start in (b"RIFF", b".snd"):  # of length 0 where that was not known when the header was written
            place = 8 if start == b".snd" else head.find(b"data", 12) + 4
            known = place < 8 or any(head[place : place + 4])
            unknown = head[:place] + b"\xff" * 4 + head[place + 4 :]
            return [Stream(path)] if known else [Stream(path, unknown + file.read(MOST))]
        apart = {b"OggS": _ogg, b"fLaC": _flac}.get(start)
        if start[:3] == b"ID3" or start[:1] == b"\xff" and start[1:2] >= b"\xe2":
            apart = _mp3
        return apart(path, head + file.read(MOST)) if apart else [Stream(path)]


def _ogg(path: Path, data: bytes) -> list[Stream]:
    """One Ogg stream after another (a first page after a last one)."""
    starts, ended = [0], False
    for page in PAGE.finditer(data):
        flags = page[1][0]
        starts += [page.start()] if ended and flags & 2 else []
        ended = bool(flags & 4)
    return _apart(path, data, starts)


def _flac(path: Path, data: bytes) -> list[Stream]:
    """Streams whose number of samples, 36 bits of their header, is 0, state the largest that can be decoded."""
    parts = _apart(path, data, [found.start() for found in FLAC.finditer(data)] or [0])

    def counted(part: Stream) -> Stream:
        own = part.content or data
        if len(own) < 26 or own[21] & 15 or any(own[22:26]):
            return part

        def stating(count: int) -> bytes:
            return own[:21] + bytes([own[21] | count >> 32]) + (count % 2**32).to_bytes(4, "big") + own[26:]

        def fails(count: int) -> bool:
            try:
                return len(soundfile.read(io.BytesIO(stating(count)), count)[0]) < count
            except soundfile.LibsndfileError:
                return True

        longest = 64 * (int.from_bytes(own[18:21], "big") >> 4)  # more than is ever read
        return Stream(path, stating(bisect_left(range(1, longest + 1), True, key=fails)))

    return [counted(part) for part in parts]


def _apart(path: Path, data: bytes, starts: list[int]) -> list[Stream]:
    ends = [*starts[1:], len(data)]
    return [Stream(path, data[a:b]) for a, b in zip(starts, ends, strict=True)] if starts[1:] else [Stream(path)]


def _mp3(path: Path, data: bytes) -> list[Stream]:
    """MP3s one after another: those that begin with a count of their frames, and any others between them."""
    counted = {found.start(): found[1] for found in COUNTED.finditer(data)}
    lengths = {a: int.from_bytes(about[8:12], "big") for a, about in counted.items() if about[3] & 2}
    cuts = sorted({0, *counted, *(min(a + length, len(data)) for a, length in lengths.items()), len(data)})
    parts = []
    for a, b in pairwise(cuts):
        part = data[a:b] if a in counted else _after_tag(data[a:b])
        if a in counted:
            parts.append(Stream(path, part))
        elif FRAME.match(part) or not (a or counted):
            parts.append(Stream(path, _counted(part), known=False))
    return [Stream(path)] if len(parts) == 1 and parts[0].known else parts


def _after_tag(data: bytes) -> bytes:
    """What follows an ID3 tag at the beginning, whose length is in four bytes of seven bits."""
    while data[:3] == b"ID3" and len(data) > 10:
        data = data[10 + sum(value << 7 * (3 - i) for i, value in enumerate(data[6:10])) :]
    return data


def _counted(data: bytes) -> bytes:
    """MPEG frames behind one that tells of more frames than they can be: it has the form of the first, at 128 kbit/s
    or, at the lower rates of MPEG 2, at 80."""
    first = FRAME.search(data)
    if not first:
        return data
    head = int.from_bytes(first[0], "big")
    one, mono, version = head >> 19 & 1, head >> 6 & 3 == 3, head >> 19 & 3
    rate = (44_100, 48_000, 32_000)[head >> 10 & 3] >> {3: 0, 2: 1, 0: 2}[version]
    size = (144 * 128_000 if one else 72 * 80_000) // rate
    head = head & ~0xF200 | 0x19000  # no checksum, no padding, the ninth bit rate
    side = (17 if mono else 32) if one else (9 if mono else 17)
    frame = (
        head.to_bytes(4, "big") + bytes(side) + b"Xing" + (1).to_bytes(4, "big") + (len(data) // 24).to_bytes(4, "big")
    )
    return frame.ljust(size, b"\0") + data[first.start() :]
