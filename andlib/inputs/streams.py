"""What libsndfile would not read, or not to its end: FFmpeg decodes it.

libsndfile reads no further than the length that a header states or that it estimates, and only the first of several
streams. So files written to a pipe, MP3s without a count of their frames, joined files and those whose form it does not
know (M4A, WebM, WMA, AMR, ...) go to FFmpeg."""

import re
from contextlib import closing
from mmap import ACCESS_READ, mmap
from pathlib import Path

import numpy as np

# an MPEG frame of silence that tells, as its first part, how many frames follow, and from bit 1 of its flags, bytes
COUNTED = re.compile(rb"\xff[\xe2-\xff][\s\S]{2}(?:[\s\S]{2})?\0{9,32}(?:Xing|Info)([\s\S]{12})")
PAGE = re.compile(rb"OggS\0([\0-\7])")
FLAC = re.compile(rb"fLaC[\0\x80]\0\0\x22[\s\S]{13}([\s\S]{5})")
# the head of a frame of layer III: 1, 2 or 2.5, its bit rate and its sampling rate
RATES = re.escape(bytes(value for value in range(0x10, 0xF0) if value >> 2 & 3 < 3))
FRAME = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][" + RATES + rb"][\s\S]")
# what FFmpeg may take a file for: forms of sound in one file, none that names others or places on the web
FORMS = "aac,ac3,amr,ape,asf,eac3,flac,matroska,mov,mp3,mpegts,ogg,tta,wav,wv"
ESTIMATED = {"aac", "ac3", "amr", "eac3", "mp3", "mpegts"}  # their length is a guess by their first bytes
LATE = 0.1  # s that an encoder's delay may take of a stated length


def misread(path: Path) -> bool:
    """Whether libsndfile would leave samples of a file unread, whose form it knows."""
    with path.open("rb") as file, closing(mmap(file.fileno(), 0, access=ACCESS_READ)) as data:
        start = data[:4]
        if start == b"RIFF":  # of length 0 where that was not known when the header was written
            place = data.find(b"data", 12, 2**16)
            return place >= 0 and not any(data[place + 4 : place + 8])
        if start == b"fLaC":
            counts = [found[-5] & 15 or any(found[-4:]) for found in FLAC.findall(data)]
            return counts[1:] != [] or counts == [False]
        if start == b"OggS":  # a first page after a last one
            flags = [page[0] for page in PAGE.findall(data)]
            last = next((i for i, flag in enumerate(flags) if flag & 4), len(flags))
            return any(flag & 2 for flag in flags[last:])
        if start[:3] != b"ID3" and not (start[:1] == b"\xff" and start[1:2] >= b"\xe2"):
            return False
        tag = 10 + sum(value << 7 * (3 - i) for i, value in enumerate(data[6:10])) if start[:3] == b"ID3" else 0
        counted = [(found.start(), found[1]) for found in COUNTED.finditer(data)]
        if len(counted) != 1:
            return bool(counted or FRAME.search(data))
        (first, about), *_ = counted
        end = first + int.from_bytes(about[8:12], "big") if about[3] & 2 else len(data)
        return bool(FRAME.match(data, end) or first > tag and FRAME.match(data, tag))


def decoded(path: Path, seconds: float) -> tuple[np.ndarray, int, str]:
    """The first seconds of a file by FFmpeg, float32 [samples, channels]; their rate in Hz; what is wrong, or ""."""
    import av

    av.logging.set_level(av.logging.PANIC)  # what is wrong is said here
    parts, first, rate, have, stated, fault = [], "", 0, 0, 0.0, ""
    plain, options = av.AudioResampler(format="flt"), {"format_whitelist": FORMS, "protocol_whitelist": "file"}
    try:
        with av.open(f"file:{path}", options=options) as container:
            if not container.streams.audio:
                raise ValueError("it holds no sound")
            for frame in container.decode(container.streams.audio[0]):
                kind = f"{frame.sample_rate} Hz in {frame.layout.nb_channels} channels"
                if kind != (first := first or kind):
                    fault = f"joins sounds at {first} and at {kind}"
                    break
                rate, have = frame.sample_rate, have + frame.samples
                parts += [part.to_ndarray().reshape(-1, part.layout.nb_channels) for part in plain.resample(frame)]
                if have >= seconds * rate:
                    break
            if container.format.name not in ESTIMATED:
                stated = min(seconds, (container.duration or 0) / av.time_base)
    except (av.FFmpegError, ValueError) as error:
        fault = f"cannot be decoded ({getattr(error, 'strerror', error)})"
    if not rate:
        fault = fault.replace("cannot", "is not audio that can") or "has a header and no samples"
    elif not fault and have / rate < stated - LATE:
        fault = f"is truncated: {have / rate:.2f} of {stated:.2f} s could be decoded"
    return np.concatenate(parts or [np.empty((0, 1), np.float32)])[: round(seconds * rate)], rate, fault
