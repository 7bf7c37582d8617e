"""One recording in a file: what is wrong with it, and its samples.

libsndfile reads a truncated file without an error, and NaN passes through: both are looked for here. It reads no
further than the length that a header states or that it estimates, and only the first of several streams. So files
written to a pipe, MP3s without a count of their frames, joined files and those whose form it does not know (M4A, WebM,
WMA, AMR, ...) go to FFmpeg."""

import os
import re
from contextlib import closing
from mmap import ACCESS_READ, mmap
from pathlib import Path

import numpy as np
import soundfile
import soxr

from andlib.errors import InputError
from andlib.records import SILENT
from andlib.store import unchanged

SHORTEST = 0.010  # s: less than one frame of a log-mel front end
LONGEST = 60.0  # s read of one recording, so that an hour costs no more; no target network hears more than 10
MARGIN = 0.1  # s read beyond that, so that cutting comes after resampling
CANCELLED = 1e-3  # a peak this far below that of the channels which were averaged
LOUDEST = 8.0  # decoders and resamplers overshoot 1 a little, unscaled integers a thousandfold
REMEDY = "Replace it by an intact copy, as WAV or FLAC for instance, or take it out of the set"
SUFFIXES = {f".{name.lower()}" for name in soundfile.available_formats()} | {".aif", ".oga", ".opus"}
SUFFIXES |= {".3gp", ".aac", ".amr", ".ape", ".m4a", ".mka", ".mov", ".mp4", ".webm", ".wma", ".wv"}  # by FFmpeg
# how libsndfile's log tells that a file lacks samples; a size of 0 or of ten digits is of a pipe, of unknown length
CUT = re.compile(
    r"(?m)(data|SSND|BODY|Data Size|^riff)\s*: [1-9]\d{,8} \(should be|Last page lacks an end-of-stream|"
    r"Junk after the last page|does not match value from 'ds64'|[Ss]eems to be (a )?truncated|Data length \d+ should be"
)
BEHIND = re.compile(r"Unknown chunk marker.* at position (0x[0-9A-F]+|\d+)")
TAGS = (b"ID3", b"TAG", b"APETAGEX", b"LYRICS")  # of what programs put behind the samples
COUNT = re.compile(rb"NIST_1A[\s\S]{,1000}?\nsample_count -i (\d+)")
UNKNOWN = 1  # libsndfile's number for a form that it does not know
UNSURE = ("AVR", "MAT5", "MPC2K", "XI")  # libsndfile does not compare their length with their headers

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


def read_recording(path: Path, sample_rate: int, digest: str = "") -> np.ndarray:
    """The first minute of a recording as mono samples at the asked rate, float32 [samples], nominally in [-1, 1].
    Channels are averaged; the rate is changed once (soxr). sample_rate: Hz. digest: the file's sha256, if known. Raises
    InputError if it is damaged, changed, shorter than 10 ms, silent, or holds NaN, infinity or more than LOUDEST."""
    samples, rate, fault = decode(path)
    if fault:
        raise InputError(f"Recording {str(path)!r} {fault}. {REMEDY}.")
    unchanged({path: digest} if digest else {})
    return soxr.resample(samples, rate, sample_rate).astype(np.float32)[: round(LONGEST * sample_rate)]


def decode(path: Path) -> tuple[np.ndarray, int, str]:
    """The first minute of a recording at its own rate, float32 [samples], that rate in Hz, and what is wrong, or ""."""
    by_ffmpeg, fault = _examined(path)
    if fault:
        return np.empty(0, np.float32), 0, fault
    channels, rate, fault = decoded(path, LONGEST + MARGIN) if by_ffmpeg else _as_stated(path)
    with np.errstate(all="ignore"):
        mono, loudest = channels.mean(axis=1), float(np.abs(channels).max(initial=0.0))
    return mono, rate, fault or _odd_samples(mono, rate, loudest)


def _as_stated(path: Path) -> tuple[np.ndarray, int, str]:
    """The same by libsndfile, as many samples as the header states; float32 [samples, channels]."""
    try:
        with soundfile.SoundFile(str(path)) as file:
            wanted = min(file.frames, round((LONGEST + MARGIN) * file.samplerate))
            channels = file.read(wanted, dtype="float32", always_2d=True)
            cut = f"is truncated: {len(channels)} of {wanted} samples could be decoded"
            return channels, file.samplerate, cut if len(channels) < wanted else ""
    except soundfile.LibsndfileError as error:
        return np.empty((0, 1), np.float32), 0, f"cannot be decoded ({error.error_string})"


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


def _odd_samples(samples: np.ndarray, rate: int, loudest: float) -> str:
    peak, length = float(np.abs(samples).max(initial=0.0)), len(samples) / rate
    if length < SHORTEST:
        return f"is too short: {len(samples)} samples at {rate} Hz, less than {1000 * SHORTEST:.0f} ms"
    if not np.isfinite(peak):
        return "holds samples that are NaN or infinite"
    if loudest >= SILENT and peak < max(SILENT, CANCELLED * loudest):
        return "falls silent when its channels are averaged, for they are each other's opposite"
    if peak < SILENT:
        return f"is silent in its first {length:.2f} s"
    if peak > LOUDEST:
        return f"has samples up to {peak:.0f}, far outside -1 to 1"
    return ""


def damage(path: Path) -> str:
    """What is wrong with a file by its header and its length on disk, as the rest of a sentence; "" if nothing is."""
    return _examined(path)[1]


def _examined(path: Path) -> tuple[bool, str]:
    """Whether FFmpeg is to decode a file, and `damage`."""
    if not os.path.isfile(path):  # unlike Path.is_file, it takes a name that is too long for the disk
        return False, "is absent"
    if path.stat().st_size == 0:
        return False, "is empty (0 bytes)"
    try:
        info = None if misread(path) else soundfile.info(str(path), verbose=True)
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: a headerless format
        info = None
        if getattr(error, "code", UNKNOWN) != UNKNOWN:
            return False, f"is not audio that can be decoded ({error.error_string})"
    if info is None:
        return True, decoded(path, 0.0)[2]
    if info.frames == 0:
        return False, "has a header and no samples"
    return False, _damage(path, info)


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


def _damage(path: Path, info: soundfile._SoundFileInfo) -> str:
    """The same by libsndfile's log."""
    with path.open("rb") as file:
        size, head = path.stat().st_size, file.read(1024)
        behind = BEHIND.search(info.extra_info)
        end = int(behind[1], 0) if behind else size
        file.seek(end)
        rest = file.read().lstrip(b"\0")
    whole = info.format == "WAV" and int.from_bytes(head[4:8], "little") == size - 8  # its other length is mistaken
    short = (count := COUNT.match(head)) and info.frames < int(count[1])
    if short or CUT.search(info.extra_info) and not whole:
        return "is truncated: it ends before the length in its header"
    second = (size - end) / max(1, end) * info.duration
    if len(rest) > 1 and not rest.startswith(TAGS) and second >= SHORTEST:
        return f"holds {size - end} bytes behind the end that its header states, which may be samples"
    if info.format in UNSURE:
        return f"is in a format ({info.format_info}) that does not show whether it is whole"
    if info.frames < SHORTEST * info.samplerate:
        return f"is too short: {info.frames} samples at {info.samplerate} Hz, less than {1000 * SHORTEST:.0f} ms"
    return ""
