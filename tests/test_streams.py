"""Files whose headers tell no length, or a wrong one, and files that hold several streams: whole, or refused."""

import io
import re
import struct

import av
import numpy as np
import pytest
import soundfile

from andlib.inputs import recordings
from andlib.inputs.recordings import COUNTED, FRAME, misread


def noise(seconds=2.0, rate=16_000, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * rate)).astype(np.float32)


def content(form, subtype=None, samples=None, rate=16_000, **options):
    """A file of that form, as bytes; libsndfile writes MPEG 2 to a named file alone."""
    buffer = io.BytesIO()
    soundfile.write(buffer, noise() if samples is None else samples, rate, format=form, subtype=subtype, **options)
    return buffer.getvalue()


def decoded(tmp_path, data, name="a.wav"):
    (tmp_path / name).write_bytes(data)
    return recordings.decode(tmp_path / name)


def wav(data_size=None, riff_size=None, tail=b"", written=None):
    data = bytearray(written or content("WAV", "PCM_16"))
    for place, size in ((40, data_size), (4, riff_size)):
        data[place : place + 4] = data[place : place + 4] if size is None else struct.pack("<I", size)
    return bytes(data) + tail


@pytest.mark.parametrize(
    "data",
    [
        wav(0, 0),
        wav(0),
        wav(0xFFFFFFFF, 0xFFFFFFFF),
        wav(0x7FFFFFFF, 0x7FFFFFFF),
        wav(riff_size=0),
        wav(riff_size=10**6),
        wav(64_016),
        wav(tail=b"TAG" + b"x" * 125),
        wav(tail=b"ID3\4\0\0\0\0\x0f\0" + b"x" * 1910),
        wav(tail=bytes(5000)),
        wav(tail=b"LIST" + struct.pack("<I", 12) + b"INFOINAM\0\0\0\0"),
        wav(0, written=content("WAV", "FLOAT")),
    ],
    ids=[
        "0",
        "data 0",
        "2^32 - 1",
        "2^31 - 1",
        "RIFF 0",
        "RIFF long",
        "16 long",
        "ID3v1",
        "ID3v2",
        "zeros",
        "LIST",
        "float",
    ],
)
def test_a_wav_with_an_odd_length_in_its_header_and_all_its_samples_is_whole(tmp_path, data):
    if data[20:22] == b"\3\0":  # float: its data chunk lies further on
        place = data.index(b"data") + 4
        data = data[:40] + content("WAV", "FLOAT")[40:place] + bytes(4) + data[place + 4 :]
    samples, rate, fault = decoded(tmp_path, data)
    assert (len(samples), rate, fault) == (32_000, 16_000, "")
    assert np.abs(samples - noise()).max() < 1e-4


def test_other_files_from_a_pipe_are_whole(tmp_path):
    au = bytearray(content("AU", "PCM_16"))
    au[8:12] = b"\xff" * 4
    assert len(decoded(tmp_path, bytes(au), "a.au")[0]) == 32_000
    au[8:12] = bytes(4)  # no form of unknown
    assert decoded(tmp_path, bytes(au), "a.au")[2] == "has a header and no samples"
    aiff = bytearray(content("AIFF", "PCM_16"))
    for place in (4, aiff.index(b"SSND") + 4, aiff.index(b"COMM") + 10):
        aiff[place : place + 4] = bytes(4)
    assert len(decoded(tmp_path, bytes(aiff), "a.aiff")[0]) == 32_000
    flac = bytearray(content("FLAC"))
    flac[21] &= 0xF0
    flac[22:26] = bytes(4)  # the number of samples is unknown
    samples, rate, fault = decoded(tmp_path, bytes(flac), "a.flac")
    assert (len(samples), rate, fault) == (32_000, 16_000, "") and np.abs(samples - noise()).max() < 1e-4


@pytest.mark.parametrize(
    ("form", "subtype"),
    [("RF64", "PCM_16"), ("VOC", "PCM_16"), ("NIST", "PCM_16"), ("W64", "FLOAT"), ("SVX", "PCM_16"), ("WVE", "ALAW")]
    + [
        ("MAT4", "FLOAT"),
        ("MAT5", "FLOAT"),
        ("AVR", "PCM_16"),
        ("XI", "DPCM_16"),
        ("CAF", "PCM_24"),
        ("WAV", "GSM610"),
    ],
)
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_rarer_formats_cut_short_are_refused(tmp_path, form, subtype, kept):
    data = content(form, subtype)
    _, _, fault = decoded(tmp_path, data[: int(len(data) * kept)], "a." + form.lower())
    assert re.match(r"is truncated|is in a format .* does not show|is not audio|cannot be decoded", fault), fault
    if form in ("RF64", "VOC", "NIST", "W64", "CAF"):
        assert len(decoded(tmp_path, data, "a." + form.lower())[0]) == 32_000


@pytest.mark.parametrize("form", ["WAV", "RF64", "W64", "AIFF"])
def test_samples_behind_the_stated_end_are_told(tmp_path, form):
    data = bytearray(content(form, "PCM_16"))
    place, width, order, head = {"WAV": (4, 4, "little", 0), "RF64": (16, 8, "little", 0)}.get(form, (0, 0, "big", 0))
    if form == "W64":
        place, width, order, head = 16, 8, "little", 24
    if form == "AIFF":
        place, width, order, head = 4, 4, "big", 8
    start = data.index({"AIFF": b"SSND", "RF64": b"ds64"}.get(form, b"data")) + place
    data[start : start + width] = (32_000 + head).to_bytes(width, order)
    if form == "RF64":
        data[start + 8 : start + 16] = (16_000).to_bytes(8, "little")
    _, _, fault = decoded(tmp_path, bytes(data), "a." + form.lower())
    assert "behind the end that its header states" in fault or "truncated" in fault, fault


# MP3: libsndfile estimates how long those are that do not count their frames


@pytest.fixture(params=[(44_100, 1), (16_000, 1), (44_100, 2), (48_000, 2)], ids=str)
def mp3(request, tmp_path):
    """Ten seconds, half of them quiet, at a varied bit rate: path, bytes, samples, rate."""
    rate, channels = request.param
    samples = np.concatenate([0.001 * noise(5, rate), noise(5, rate, 1)])
    path = tmp_path / "whole.mp3"
    samples = np.repeat(samples[:, None], channels, 1)
    soundfile.write(path, samples, rate, bitrate_mode="VARIABLE", compression_level=0.5)
    return path, path.read_bytes(), len(samples), rate


def uncounted(data):
    """An MP3 without its first frame, which counts the others."""
    second = [found.start() for found in FRAME.finditer(data) if data[found.start() : found.start() + 2] == data[:2]]
    return data[next(place for place in second if place > 100) :]


def test_an_mp3_is_decoded_to_its_end_whatever_its_length_was_thought_to_be(tmp_path, mp3):
    path, data, length, rate = mp3
    whole, _, fault = recordings.decode(path)
    assert fault == "" and len(whole) == length and not misread(path)
    samples, found, fault = decoded(tmp_path, uncounted(data), "a.mp3")
    assert (found, fault) == (rate, "") and length <= len(samples) < length + 3 * 1152
    part = whole[6 * rate + 2000 : 7 * rate - 2000]
    shift = 6 * rate + int(np.argmax(np.correlate(samples[6 * rate : 7 * rate], part)))
    assert np.corrcoef(samples[shift : shift + len(part)], part)[0, 1] > 0.99


def test_joined_mp3s_give_all_they_hold(tmp_path, mp3):
    path, data, length, rate = mp3
    tag = b"ID3\4\0\0\0\0\1\0" + b"x" * 128
    tagged = tag + data + b"TAG" + b"x" * 125 + tag + data
    for joined in (data + data, tagged, data + uncounted(data), uncounted(data) + data):
        assert 0 <= len(decoded(tmp_path, joined, "a.mp3")[0]) - 2 * length < 5 * 1152  # of silence where they meet
    assert decoded(tmp_path, tag + data, "d.mp3")[0].shape == (length,)
    assert decoded(tmp_path, data[: len(data) // 2], "e.mp3")[2].startswith("is truncated")
    assert COUNTED.match(data) and decoded(tmp_path, tag, "f.mp3")[2].startswith("is not audio")


@pytest.mark.parametrize(("form", "ending"), [("OGG", "ogg"), ("FLAC", "flac")])
def test_joined_streams_of_other_kinds_give_all_they_hold(tmp_path, form, ending):
    data, other = content(form), content(form, samples=noise(1, 44_100), rate=44_100)
    assert 0 <= len(decoded(tmp_path, data + data, f"a.{ending}")[0]) - 64_000 <= 256
    fault = decoded(tmp_path, data + other, f"b.{ending}")[2]
    assert fault.startswith(
        {"FLAC": "joins sounds at 16000 Hz in 1 channels and at 44100 Hz", "OGG": "cannot be decoded"}[form]
    )


def test_a_minute_is_read_of_what_is_longer(tmp_path, monkeypatch):
    monkeypatch.setattr(recordings, "LONGEST", 3.0)
    data = content("FLAC")
    assert len(decoded(tmp_path, data * 4, "a.flac")[0]) == 3.1 * 16_000


def test_opposite_channels_are_not_called_silent(tmp_path):
    two = np.stack([noise(), -noise()], 1)
    assert "each other's opposite" in decoded(tmp_path, content("WAV", "PCM_16", two))[2]
    assert "each other's opposite" in decoded(tmp_path, content("WAV", "FLOAT", two * [1, 1.0001]))[2]
    assert decoded(tmp_path, content("WAV", "PCM_16", two * [1, 0.9]))[2] == ""
    assert decoded(tmp_path, content("WAV", "PCM_16", 0 * two))[2].startswith("is silent")


def test_many_channels_are_read(tmp_path):
    many = np.repeat(noise()[:, None], 57, 1)
    data = bytearray(content("WAV", "PCM_16", many))
    place = data.index(b"data") + 4
    data[place : place + 4] = bytes(4)  # from a pipe: FFmpeg decodes it
    samples, _, fault = decoded(tmp_path, bytes(data))
    assert fault == "" and np.abs(samples - noise()).max() < 1e-4


# Forms that libsndfile does not know


def encoded(path, codec, seconds=2.0, rate=16_000, **options):
    """A tone that rises, as FFmpeg writes it: the file and its samples."""
    t = np.arange(round(seconds * rate)) / rate
    samples = (0.3 * np.sin(2 * np.pi * (300 + 200 * t) * t)).astype(np.float32)
    with av.open(path, "w", options=options) as file:
        stream = file.add_stream(codec, rate=rate, layout="mono", bit_rate=64_000)
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate = rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            file.mux(packet)
    return path, samples


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [("a.m4a", "aac", 44_100), ("a.mp4", "aac", 16_000), ("a.webm", "libopus", 48_000), ("a.mka", "libopus", 48_000)]
    + [("a.wma", "wmav2", 44_100), ("a.aac", "aac", 22_050), ("a.tta", "tta", 16_000)],
)
def test_other_forms_are_read(tmp_path, name, codec, rate):
    path, samples = encoded(tmp_path / name, codec, rate=rate)
    heard, found, fault = recordings.decode(path)
    assert (found, fault, recordings.damage(path)) == (rate, "", "")
    assert abs(len(heard) - len(samples)) < 4096  # of an encoder's delay and its last frame
    part = samples[rate // 2 : rate]
    shift = int(np.argmax(np.correlate(heard[: 3 * rate // 2], part)))
    assert np.corrcoef(heard[shift : shift + len(part)], part)[0, 1] > 0.99


@pytest.mark.parametrize(("name", "codec"), [("a.m4a", "aac"), ("a.webm", "libopus"), ("a.wma", "wmav2")])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.9])
def test_other_forms_cut_short_are_refused(tmp_path, name, codec, kept):
    path, _ = encoded(tmp_path / name, codec, seconds=10.0, rate=48_000, movflags="faststart")
    data = path.read_bytes()
    fault = decoded(tmp_path, data[: int(len(data) * kept)], name)[2]
    assert re.match("is truncated|is not audio|cannot be decoded|has a header and no samples", fault), fault


def test_what_names_other_files_or_holds_no_sound_is_not_opened(tmp_path):
    whole = encoded(tmp_path / "a.m4a", "aac")[0]
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{whole}\n#EXT-X-ENDLIST\n".encode()
    for data in (playlist, f"ffconcat version 1.0\nfile '{whole}'\n".encode(), b"\x89PNG\r\n\x1a\n" + bytes(2000)):
        assert decoded(tmp_path, data, "b.m4a")[2].startswith("is not audio that can be decoded")
    with av.open(tmp_path / "c.mp4", "w") as file:
        stream = file.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))
        for packet in (*stream.encode(picture), *stream.encode(None)):
            file.mux(packet)
    assert recordings.damage(tmp_path / "c.mp4").endswith("(it holds no sound)")
