"""One recording in a file: what is wrong with it, and its samples.

libsndfile reads a truncated WAV or Ogg file without an error, and NaN passes through: both are looked for here.
"""

import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from andlib.errors import InputError

SHORTEST = 0.010  # s: less than one frame of a log-mel front end
LONGEST = 60.0  # s read of one recording unless more is asked for; no target network hears more than 10
MARGIN = 0.1  # s read beyond what is asked, so that cutting comes after resampling
SILENT = 0.5 / 2**15  # peak below half a step of 16-bit audio
LOUDEST = 8.0  # decoders and resamplers overshoot 1 a little, unscaled integers a thousandfold
REMEDY = "Replace it by an intact WAV, FLAC, OGG or MP3 copy, or take it out of the set"
SUFFIXES = {f".{name.lower()}" for name in soundfile.available_formats()} | {".aif", ".oga", ".opus"}


def read_recording(path: Path, sample_rate: int, *, max_seconds: float = LONGEST) -> np.ndarray:
    """The beginning of a recording as mono samples at the asked rate, float32 [samples], nominally in [-1, 1].

    Channels are averaged; the rate is changed once (soxr, high quality).

    sample_rate: Hz. max_seconds: the most that is read, so that an hour-long file costs no more than a short one.
    Raises InputError if the file is damaged, not audio, shorter than 10 ms, silent in what is read, or holds samples
    that are not finite or far outside [-1, 1].
    """
    samples, rate, fault = decode(path, max_seconds)
    if fault:
        raise InputError(f"Recording {str(path)!r} {fault}. {REMEDY}.")
    return soxr.resample(samples, rate, sample_rate).astype(np.float32)[: round(max_seconds * sample_rate)]


def decode(path: Path, max_seconds: float = LONGEST) -> tuple[np.ndarray, int, str]:
    """The beginning of a recording at its own rate, float32 [samples], that rate in Hz, and what is wrong, or ""."""
    fault = damage(path)
    if fault:
        return np.empty(0, np.float32), 0, fault
    try:
        with soundfile.SoundFile(str(path)) as file:
            rate = file.samplerate
            wanted = min(file.frames, round((max_seconds + MARGIN) * rate))
            samples = file.read(wanted, dtype="float32", always_2d=True).mean(axis=1)
    except soundfile.LibsndfileError as error:
        return np.empty(0, np.float32), 0, f"cannot be decoded ({error.error_string})"
    return samples, rate, _odd_samples(samples, rate, wanted)


def _odd_samples(samples: np.ndarray, rate: int, wanted: int) -> str:
    peak = float(np.abs(samples).max(initial=0.0))
    if len(samples) < wanted:
        return f"is truncated: {len(samples)} of {wanted} samples could be decoded"
    if not np.isfinite(peak):
        return "holds samples that are NaN or infinite"
    if peak < SILENT:
        return f"is silent in its first {len(samples) / rate:.2f} s"
    if peak > LOUDEST:
        return f"has samples up to {peak:.0f}, far outside -1 to 1"
    return ""


def damage(path: Path) -> str:
    """What is wrong with a file by its header and its length on disk, as the rest of a sentence; "" if nothing is."""
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
        return f"is not audio that can be decoded ({str(error).removeprefix(f'Error opening {str(path)!r}: ')})"
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
