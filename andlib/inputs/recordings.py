"""One recording in a file: what is wrong with it, and its samples.

libsndfile reads a truncated file without an error, and NaN passes through: both are looked for here."""

import os
import re
from pathlib import Path

import numpy as np
import soundfile
import soxr

from andlib.errors import InputError
from andlib.store import unchanged

SHORTEST = 0.010  # s: less than one frame of a log-mel front end
LONGEST = 60.0  # s read of one recording, so that an hour costs no more; no target network hears more than 10
MARGIN = 0.1  # s read beyond that, so that cutting comes after resampling
SILENT = 0.5 / 2**15  # peak below half a step of 16-bit audio
LOUDEST = 8.0  # decoders and resamplers overshoot 1 a little, unscaled integers a thousandfold
REMEDY = "Replace it by an intact WAV, FLAC, OGG or MP3 copy, or take it out of the set"
SUFFIXES = {f".{name.lower()}" for name in soundfile.available_formats()} | {".aif", ".oga", ".opus"}
# How libsndfile's log tells of samples that its header announces and the file lacks. A size of ten digits is that of
# a file written to a pipe, whose length was never known.
CUT = re.compile(
    r"(?m)(data|SSND|Data Size|^riff)\s*: \d{1,9} \(should be|Last page lacks an end-of-stream|Junk after the last page"
)


def read_recording(path: Path, sample_rate: int, digest: str = "") -> np.ndarray:
    """The first minute of a recording as mono samples at the asked rate, float32 [samples], nominally in [-1, 1].

    Channels are averaged; the rate is changed once (soxr, high quality). sample_rate: Hz. digest: the file's sha256, if
    it is known. Raises InputError if the file is damaged, shorter than 10 ms, silent, or another one than it was, or
    holds samples that are not finite or far outside [-1, 1]."""
    samples, rate, fault = decode(path)
    if fault:
        raise InputError(f"Recording {str(path)!r} {fault}. {REMEDY}.")
    unchanged({path: digest} if digest else {})
    return soxr.resample(samples, rate, sample_rate).astype(np.float32)[: round(LONGEST * sample_rate)]


def decode(path: Path) -> tuple[np.ndarray, int, str]:
    """The first minute of a recording at its own rate, float32 [samples], that rate in Hz, and what is wrong, or ""."""
    if fault := damage(path):
        return np.empty(0, np.float32), 0, fault
    try:
        with soundfile.SoundFile(str(path)) as file, np.errstate(all="ignore"):  # odd samples are told below
            rate = file.samplerate
            wanted = min(file.frames, round((LONGEST + MARGIN) * rate))
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
    if not os.path.isfile(path):  # unlike Path.is_file, it takes a name that is too long for the disk
        return "is absent"
    if path.stat().st_size == 0:
        return "is empty (0 bytes)"
    try:
        info = soundfile.info(str(path), verbose=True)
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: a headerless format
        return f"is not audio that can be decoded ({getattr(error, 'error_string', error)})"
    if info.frames == 0:
        return "has a header and no samples"
    if CUT.search(info.extra_info):
        return "is truncated: it ends before the length in its header"
    if info.frames < SHORTEST * info.samplerate:
        return f"is too short: {info.frames} samples at {info.samplerate} Hz, less than {1000 * SHORTEST:.0f} ms"
    return ""
