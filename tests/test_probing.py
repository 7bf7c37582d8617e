"""Probing sets from folders: what is read, and that nothing damaged or ambiguous passes."""

import csv
import json
import os
import re
import shutil
import struct
import unicodedata

import numpy as np
import pytest
import soundfile

from andlib.errors import InputError
from andlib.inputs import probing, recordings

HEADER = ["filename", "fold", "target", "category", "esc10", "src_file", "take"]
REMEDY = "Replace it by an intact"


def tone(seconds=0.5, rate=16000, hertz=440.0, level=0.5):
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def write(path, samples=None, rate=16000, **keywords):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone() if samples is None else samples, rate, **keywords)
    return path


def esc_rows():
    return [
        ["1-100-A-0.wav", "1", "0", "dog", "True", "100", "A"],
        ["2-200-A-20.wav", "2", "20", "crying_baby", "True", "200", "A"],
        ["2-200-B-20.wav", "2", "20", "crying_baby", "True", "200", "B"],
        ["3-300-A-3.wav", "3", "3", "cow", "False", "300", "A"],
    ]


def esc(folder, rows=None, header=HEADER, encoding="utf-8", files=True):
    rows = esc_rows() if rows is None else rows
    (folder / "meta").mkdir(parents=True)
    (folder / "audio").mkdir()
    with (folder / "meta" / "esc50.csv").open("w", newline="", encoding=encoding) as table:
        csv.writer(table).writerows([header, *rows])
    for number, row in enumerate(esc_rows() if files else []):
        write(folder / "audio" / row[0], tone(hertz=200.0 + 100 * number))
    return folder


def refused(data_dir, *words, **keywords):
    """The message of the refusal, after checking that it has these words."""
    with pytest.raises(InputError) as caught:
        probing.open_folder(data_dir, **keywords)
    message = str(caught.value)
    for word in words:
        assert word in message, message
    assert message.endswith((".", "?"))
    return message


# What is read


def test_esc_layout(tmp_path):
    probing_set = probing.open_folder(esc(tmp_path))
    assert probing_set.name == "esc50"
    assert [clip.name for clip in probing_set.clips] == [row[0] for row in esc_rows()]
    assert probing_set.classes == ("dog", "cow", "crying baby")  # the order of target
    assert probing_set.labels.tolist() == [0, 2, 2, 1]
    assert probing_set.folds.tolist() == [1, 2, 2, 3]
    assert probing_set.sources.tolist() == ["100", "200", "200", "300"]


def test_esc10_is_a_subset_of_esc50(tmp_path):
    probing_set = probing.open_folder(esc(tmp_path), subset="esc10")
    assert probing_set.name == "esc10"
    assert probing_set.classes == ("dog", "crying baby")
    assert len(probing_set) == 3


def test_audiofolder_csv_and_json_lines_agree(tmp_path):
    rows = [("b/2.flac", "sea_waves", 1, "x"), ("b/1.flac", "dog", 2, "y")]
    for kind in ("csv", "jsonl"):
        for number, row in enumerate(rows):
            write(tmp_path / kind / row[0], tone(hertz=300.0 + number))
    lines = [",".join(map(str, row)) for row in [("file_name", "label", "fold", "source"), *rows]]
    (tmp_path / "csv" / "metadata.csv").write_text("\n".join(lines))
    records = [dict(zip(("file_name", "label", "fold", "source"), row, strict=True)) for row in rows]
    (tmp_path / "jsonl" / "metadata.jsonl").write_text("\n".join(map(json.dumps, records)) + "\n")
    a, b = (probing.open_folder(tmp_path / kind) for kind in ("csv", "jsonl"))
    assert a.fingerprint == b.fingerprint
    assert a.classes == ("dog", "sea waves")
    assert [(clip.name, clip.label, clip.fold, clip.source) for clip in b.clips] == [
        ("b/2.flac", "sea waves", 1, "x"),
        ("b/1.flac", "dog", 2, "y"),
    ]


def test_folds_and_sources_are_optional_outside_esc(tmp_path):
    write(tmp_path / "a.wav")
    (tmp_path / "metadata.csv").write_text("file_name,label\na.wav,dog\n")
    (clip,) = probing.open_folder(tmp_path).clips
    assert (clip.fold, clip.source) == (0, "a")


def test_class_folders_with_odd_file_names(tmp_path):
    names = ["-dash.wav", "a b.wav", "line\nbreak.wav", "été 日本.wav", 'quo"te,.wav']
    for number, name in enumerate(names):
        write(tmp_path / "crying_baby" / name, tone(hertz=200.0 + number))
    write(tmp_path / "dog" / "a b.wav", tone(hertz=100.0))
    (tmp_path / "dog" / "notes.txt").write_text("no recording")
    with pytest.warns(UserWarning, match="1 of 7 files are no sounds in the folder of a class and are skipped: dog"):
        probing_set = probing.open_folder(tmp_path)
    assert probing_set.classes == ("crying baby", "dog")
    assert {clip.name for clip in probing_set.clips} == {f"crying_baby/{name}" for name in names} | {"dog/a b.wav"}
    assert len(set(probing_set.sources)) == 6  # two clips called "a b" are two recordings
    assert np.isfinite(probing_set.waveforms(16000, 0.5)).all()


def test_sounds_deeper_in_the_folder_of_a_class_are_of_it(tmp_path):
    names = ["dog/1.wav", "dog/session 2/b/2.wav", "cat/1.wav", "cat/old/dog/1.wav"]
    for number, name in enumerate([*names, "top.wav", "birds/owl/1.wav", "dog/.trash/9.wav", ".hidden/cat/8.wav"]):
        write(tmp_path / name, tone(hertz=100.0 + 50 * number))
    told = "2 of 6 files are no sounds in the folder of a class and are skipped: birds/owl/1.wav, top.wav"
    with pytest.warns(UserWarning, match=told):
        clips = probing.open_folder(tmp_path).clips
    assert {clip.name: clip.label for clip in clips} == {name: name[:3] for name in names}
    with pytest.warns(UserWarning, match=told):
        assert probing.open_folder(tmp_path, unlabelled=True).clips == clips
    for name in ("3.wav", "4.wav", "5.wav"):  # now most sounds lie in no class's folder
        write(tmp_path / name)
    assert [clip.label for clip in probing.open_folder(tmp_path, unlabelled=True).clips] == ["sound"] * 9


def test_odd_file_names_in_a_table(tmp_path):
    rows = esc_rows()
    rows[0][0] = 'line\nbreak, "-é 日本.wav'
    folder = esc(tmp_path, rows)
    write(folder / "audio" / rows[0][0])
    probing_set = probing.open_folder(folder)
    assert probing_set.clips[0].name == rows[0][0]
    assert len(probing_set.read(probing_set.clips[0], 16000)) == 8000


def test_byte_order_mark_is_skipped(tmp_path):
    assert len(probing.open_folder(esc(tmp_path, encoding="utf-8-sig"))) == 4


def test_folder_reached_by_a_link_and_read_only(tmp_path):
    real = esc(tmp_path / "real")
    link = tmp_path / "link"
    link.symlink_to(real, target_is_directory=True)
    for path in (real / "audio", real / "meta", real):
        path.chmod(0o555)
    try:
        assert probing.open_folder(link).fingerprint == probing.open_folder(str(real)).fingerprint
    finally:
        for path in (real, real / "audio", real / "meta"):
            path.chmod(0o755)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: write(folder / "audio" / "1-100-A-0.wav", tone(hertz=999.0)),
        lambda folder: edit(folder, "dog", "hen"),
        lambda folder: edit(folder, "1-100-A-0.wav,1", "1-100-A-0.wav,4"),
        lambda folder: edit(folder, ",300,", ",301,"),
    ],
    ids=["samples", "label", "fold", "source"],
)
def test_fingerprint_changes_with_everything_that_decides_the_set(tmp_path, change):
    folder = esc(tmp_path)
    before = probing.open_folder(folder).fingerprint
    assert probing.open_folder(folder).fingerprint == before
    change(folder)
    assert probing.open_folder(folder).fingerprint != before


def edit(folder, old, new):
    table = folder / "meta" / "esc50.csv"
    text = table.read_text()
    assert old in text
    table.write_text(text.replace(old, new))


def test_sources_in_several_folds_are_found(tmp_path):
    rows = esc_rows()
    probing_set = probing.open_folder(esc(tmp_path / "a", rows))
    assert probing.sources_in_several_folds(probing_set) == []
    rows[2][1] = "4"
    probing_set = probing.open_folder(esc(tmp_path / "b", rows))
    assert probing.sources_in_several_folds(probing_set) == ["200"]


# Reading one recording


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_any_rate_and_format_gives_the_same_tone(tmp_path, rate, extension):
    path = write(tmp_path / f"a.{extension}", tone(1.0, rate), rate)
    samples = recordings.read_recording(path, 16000)
    assert samples.dtype == np.float32
    assert abs(len(samples) - 16000) <= 1
    spectrum = np.abs(np.fft.rfft(samples[:16000] * np.hanning(16000)))
    assert abs(spectrum.argmax() - 440) <= 1
    assert np.abs(samples[4000:12000]).max() == pytest.approx(0.5, abs=0.05)


def test_stereo_is_averaged(tmp_path):
    left, right = tone(level=0.4), tone(hertz=1000.0, level=0.2)
    path = write(tmp_path / "a.wav", np.stack([left, right], axis=1), subtype="FLOAT")
    np.testing.assert_allclose(recordings.read_recording(path, 16000), (left + right) / 2, atol=1e-7)


def test_zero_padding_is_kept(tmp_path):
    samples = np.concatenate([tone(), np.zeros(8000, np.float32)])
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    np.testing.assert_array_equal(recordings.read_recording(path, 16000), samples)


def test_only_the_beginning_of_a_long_recording_is_decoded(tmp_path, monkeypatch):
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 8000, 1) as file:
        for _ in range(10):
            file.write(tone(60, 8000))
    frames = []
    read = soundfile.SoundFile.read
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda self, n, **k: frames.append(n) or read(self, n, **k))
    assert len(recordings.read_recording(path, 16000)) == 60 * 16000
    assert frames == [round((60 + recordings.MARGIN) * 8000)]


def test_cutting_comes_after_resampling(tmp_path, monkeypatch):
    path = write(tmp_path / "a.wav", tone(2.0, 44100), 44100)
    whole = recordings.read_recording(path, 16000)
    monkeypatch.setattr(recordings, "LONGEST", 1.0)
    part = recordings.read_recording(path, 16000)
    np.testing.assert_allclose(part, whole[:16000], atol=1e-4)


# Bad recordings: found when the folder is opened


def wav_bytes(frames=8000):
    data = (tone(frames / 16000) * 32767).astype("<i2").tobytes()
    head = (
        b"RIFF"
        + struct.pack("<I", 36 + len(data))
        + b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16)
    )
    return head + b"data" + struct.pack("<I", len(data)) + data


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is empty (0 bytes)"),
        (wav_bytes()[:44], "has a header and no samples"),
        (wav_bytes(0), "has a header and no samples"),
        (wav_bytes()[:20], "is not audio that can be decoded"),
        (wav_bytes()[:-1000], "is truncated"),
        (bytes(range(256)) * 40, "is not audio that can be decoded"),
        (b"<!DOCTYPE html><html>not found</html>" * 9, "is not audio that can be decoded"),
        (wav_bytes(1), "is too short: 1 samples at 16000 Hz, less than 10 ms"),
    ],
    ids=[
        "zero bytes",
        "header of a longer file",
        "header only",
        "half a header",
        "truncated",
        "garbage",
        "html",
        "one",
    ],
)
def test_damaged_recording_is_refused_when_the_folder_is_opened(tmp_path, content, fault):
    folder = esc(tmp_path)
    (folder / "audio" / "2-200-A-20.wav").write_bytes(content)
    refused(folder, "1 of 4 recordings", "'2-200-A-20.wav' " + fault, REMEDY)


@pytest.mark.parametrize("extension", ["aiff", "au", "w64", "ogg", "flac", "mp3"])
@pytest.mark.parametrize("kept", [0.5, 0.97])
def test_truncated_files_of_every_format_are_refused(tmp_path, extension, kept, capfd):
    noise = np.random.default_rng(0).normal(scale=0.1, size=160000)
    path = write(tmp_path / f"a.{extension}", noise)
    assert recordings.decode(path)[2] == ""
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(
        InputError, match=re.escape(f"Recording {str(path)!r} ") + "(is truncated|cannot be decoded).*" + REMEDY
    ):
        recordings.read_recording(path, 16000)


def test_ogg_cut_between_pages_is_refused(tmp_path):
    path = write(tmp_path / "a.ogg", np.random.default_rng(0).normal(scale=0.1, size=160000))
    content = path.read_bytes()
    path.write_bytes(content[: content.rfind(b"OggS")])
    assert recordings.damage(path).startswith("is truncated")


def test_wav_written_to_a_pipe_has_no_known_length_and_is_read(tmp_path):
    content = bytearray(wav_bytes())
    content[4:8] = content[40:44] = b"\xff" * 4
    (tmp_path / "a.wav").write_bytes(content)
    assert len(recordings.read_recording(tmp_path / "a.wav", 16000)) == 8000


def test_all_bad_recordings_are_reported_at_once(tmp_path):
    for number in range(9):
        write(tmp_path / "dog" / f"{number}.wav")
        (tmp_path / "hen").mkdir(exist_ok=True)
        (tmp_path / "hen" / f"{number}.wav").write_bytes(b"")
    message = refused(tmp_path, "9 of 18 recordings", "and 4 more", REMEDY)
    assert [f"'hen/{number}.wav'" in message for number in range(9)] == [True] * 5 + [False] * 4


# Bad recordings: found when they are decoded


@pytest.mark.parametrize(
    ("samples", "fault"),
    [
        (np.where(np.arange(8000) == 77, np.nan, tone()), "NaN or infinite"),
        (np.where(np.arange(8000) == 77, np.inf, tone()), "NaN or infinite"),
        (np.zeros(8000), "is silent in its first 0.50 s"),
        (tone() * 20000, "has samples up to 10000, far outside -1 to 1"),
    ],
    ids=["nan", "inf", "silent", "unscaled"],
)
def test_bad_samples_are_refused_when_read(tmp_path, samples, fault):
    folder = esc(tmp_path)
    path = write(folder / "audio" / "3-300-A-3.wav", samples, subtype="FLOAT")
    probing_set = probing.open_folder(folder)
    with pytest.raises(InputError) as caught:
        probing_set.read(probing_set.clips[3], 16000)
    assert str(path) in str(caught.value) and fault in str(caught.value) and REMEDY in str(caught.value)
    with pytest.raises(InputError, match="1 of 4 recordings cannot be used: '3-300-A-3.wav' .*" + REMEDY):
        probing.check_recordings(probing_set)


def test_check_recordings_passes_a_good_set(tmp_path):
    probing.check_recordings(probing.open_folder(esc(tmp_path)))


# Bad tables


@pytest.mark.parametrize("column", ["filename", "fold", "target", "category", "src_file"])
def test_missing_column_names_it_and_those_found(tmp_path, column):
    at = HEADER.index(column)
    rows = [row[:at] + row[at + 1 :] for row in esc_rows()]
    folder = esc(tmp_path, rows, [name for name in HEADER if name != column])
    refused(folder, f"no column {column}, only", "take", "esc50.csv", "line 2", "Give CSV with the columns filename, ")


def test_subset_needs_its_column(tmp_path):
    folder = esc(tmp_path, [row[:4] + row[5:] for row in esc_rows()], HEADER[:4] + HEADER[5:])
    assert len(probing.open_folder(folder)) == 4
    refused(folder, "no column esc10, only", subset="esc10")


def test_semicolons_are_no_commas(tmp_path):
    folder = esc(tmp_path)
    edit(folder, ",", ";")
    refused(folder, "no column filename, category", "only filename;fold;target", "Give CSV")


@pytest.mark.parametrize(
    ("row", "at", "value", "words"),
    [
        (1, 0, "1-100-A-0.wav", ["line 3", "'1-100-A-0.wav'", "line 2", "Keep one"]),
        (1, 0, "./1-100-A-0.wav", ["line 3", "'./1-100-A-0.wav'", "line 2", "Keep one"]),
        (2, 0, "absent.wav", ["1 of 4 recordings", "'absent.wav' is absent", REMEDY]),
        (2, 0, "x" * 300, ["1 of 4 recordings", "' is absent", REMEDY]),
        (2, 0, "", ["1 of 4 recordings", "'' is absent", REMEDY]),
        (2, 0, "a\0.wav", ["line 4", "no file name", "Rename"]),
        (2, 0, "../../etc.wav", ["line 4", "'../../etc.wav' lies outside", "Copy the recording"]),
        (2, 0, "/etc/hostname", ["line 4", "'/etc/hostname' lies outside", "Copy the recording"]),
        (2, 1, "6", ["line 4", "fold '6'", "1, 2, 3, 4, 5"]),
        (2, 1, "0", ["line 4", "fold '0'", "1, 2, 3, 4, 5"]),
        (2, 1, "", ["line 4", "fold ''", "Valid"]),
        (2, 1, "one", ["line 4", "fold 'one'", "Valid"]),
        (2, 2, "-1", ["line 4", "target '-1'", "Correct"]),
        (2, 2, "", ["line 4", "target ''", "Correct"]),
        (2, 2, "21", ["'crying baby' has 20, 'crying baby' has 21", "Give each class"]),
        (3, 2, "0", ["'cow' has 0, 'dog' has 0", "Give each class"]),
        (0, 3, "", ["line 2", "label ''", "no class name", "Give a word"]),
        (0, 3, "d\x07g", ["line 2", "no class name", "Give a word"]),
        (0, 5, " ", ["line 2", "empty source", "Name the recording"]),
    ],
)
def test_bad_cell_is_named(tmp_path, row, at, value, words):
    rows = esc_rows()
    rows[row][at] = value
    refused(esc(tmp_path, rows), *words)


def test_bad_subset_cell_is_named(tmp_path):
    rows = esc_rows()
    rows[3][4] = "maybe"
    refused(esc(tmp_path, rows), "line 5", "esc10 'maybe'", "true, false", subset="esc10")


def test_row_with_a_cell_too_many(tmp_path):
    rows = esc_rows()
    rows[1].append("x")
    refused(esc(tmp_path, rows), "esc50.csv", "line 3 is not of the header's 7 cells", "quote those")
    with pytest.raises(ValueError, match="line 2"):
        list(probing.table_rows("file_name,label\na.wav\n", ()))
    with pytest.raises(ValueError, match="line 2"):
        list(probing.table_rows("label,label\ndog,cow\n", ()))


def test_table_without_rows(tmp_path):
    refused(esc(tmp_path, []), "esc50.csv", "names no clip", "one row a recording")


def test_table_in_another_encoding(tmp_path):
    rows = esc_rows()
    rows[0][3] = "bébé"
    refused(esc(tmp_path, rows, encoding="latin-1"), "esc50.csv", "Give CSV", "in UTF-8")


def test_broken_json_lines(tmp_path):
    write(tmp_path / "a.wav")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.wav", "label": "dog"}\n{"file_name": \n')
    refused(tmp_path, "metadata.jsonl", "Give JSONL")


def test_link_that_leaves_the_folder(tmp_path):
    secret = write(tmp_path / "elsewhere" / "secret.wav")
    folder = esc(tmp_path / "set")
    path = folder / "audio" / "1-100-A-0.wav"
    path.unlink()
    path.symlink_to(secret)
    refused(folder, "line 2", "'1-100-A-0.wav' lies outside", "Copy the recording")


def test_a_link_may_lead_to_the_set_or_to_the_hubs_blobs_and_nowhere_else(tmp_path):
    folder = esc(tmp_path / "set")
    (folder / "audio").rename(tmp_path / "elsewhere")
    (folder / "audio").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    refused(folder, "line 2", "'1-100-A-0.wav' lies outside", "Copy the recording")
    snapshot = tmp_path / "datasets--a--b" / "snapshots" / "1234"
    (snapshot / "audio").mkdir(parents=True)
    (snapshot / "meta").mkdir()
    (snapshot / "meta" / "esc50.csv").write_bytes((folder / "meta" / "esc50.csv").read_bytes())
    (tmp_path / "datasets--a--b" / "blobs").mkdir()
    for path in (tmp_path / "elsewhere").iterdir():
        path.rename(tmp_path / "datasets--a--b" / "blobs" / path.stem)
        (snapshot / "audio" / path.name).symlink_to(f"../../../blobs/{path.stem}")
    assert len(probing.open_folder(snapshot)) == 4
    (snapshot / "audio" / "1-100-A-0.wav").unlink()
    (snapshot / "audio" / "1-100-A-0.wav").symlink_to(write(tmp_path / "private.wav"))
    refused(snapshot, "line 2", "lies outside")


def urban(folder, folds=(1, 2, 6, 10)):
    rows = [
        f"{f}-{i}-0-0.wav,{f}{i},0,1,1,{f},{i},{name}" for f in folds for i, name in enumerate(("dog_bark", "siren"))
    ]
    for row in rows:
        write(folder / "audio" / f"fold{row.split(',')[5]}" / row.split(",")[0])
    (folder / "metadata").mkdir()
    head = "slice_file_name,fsID,start,end,salience,fold,classID,class"
    (folder / "metadata" / "UrbanSound8K.csv").write_text("\n".join([head, *rows]))
    return folder


def test_ten_folds_of_urbansound8k_become_five(tmp_path):
    probing_set = probing.open_folder(urban(tmp_path))
    assert probing_set.classes == ("dog bark", "siren") and probing_set.name == "UrbanSound8K"
    assert probing_set.folds.tolist() == [1, 1, 2, 2, 1, 1, 5, 5]
    assert probing_set.sources.tolist()[:2] == ["10", "11"] and probing_set.clips[0].name == "1-0-0-0.wav"
    assert np.isfinite(probing_set.waveforms(16000, 0.5)).all()
    refused(urban(tmp_path / "b", folds=(0, 1)), "line 2: fold '0'")
    refused(tmp_path / "b" / "audio", "is divided into fold0, fold1: 'fold0' is no class", "UrbanSound8K.csv")


@pytest.mark.parametrize("names", [("train", "test"), ("training", "validation"), ("train", "val", "test")])
def test_splits_of_the_hub_are_folds(tmp_path, names):
    for split in names:
        for i in range(8):
            write(tmp_path / "tables" / split / f"{i}.wav", tone(hertz=200.0 + i))
            write(tmp_path / "classes" / split / ("rain", "wind")[i % 2] / f"{i}.wav", tone(hertz=200.0 + i))
        rows = [f"{i}.wav,{('rain', 'wind')[i % 2]}" for i in range(8)]
        (tmp_path / "tables" / split / "metadata.csv").write_text("\n".join(["file_name,label", *rows]))
    shutil.copytree(tmp_path / "tables", tmp_path / "one", ignore=lambda *_: ["metadata.csv"])
    listed = [f"{split}/{i}.wav,{('rain', 'wind')[i % 2]}" for split in names for i in range(8)]
    (tmp_path / "one" / "metadata.csv").write_text("\n".join(["file_name,label", *listed]))
    for kind in ("tables", "classes", "one"):
        probing_set = probing.open_folder(tmp_path / kind)
        assert probing_set.classes == ("rain", "wind") and len(probing_set) == 8 * len(names)
        for split in names:
            folds = [clip.fold for clip in probing_set.clips if clip.name.startswith(f"{split}/")]
            assert set(folds) == ({1} if split == names[-1] else {2, 3, 4, 5}), (kind, split)
    for path in tmp_path.glob("tables/*/metadata.csv"):
        path.unlink()
    refused(tmp_path / "tables", "is divided into", "is no class")


@pytest.mark.parametrize("names", ["fold1 fold2", "16k 44.1kHz", "dev eval", "part_1 part_2", "Train TEST"])
def test_folders_that_are_no_classes_are_refused(tmp_path, names):
    for name in names.split():
        write(tmp_path / name / "1.wav")
    refused(tmp_path, f"is divided into {', '.join(sorted(names.split()))}", "is no class")


def test_a_train_among_other_sounds_is_a_class(tmp_path):
    for name in ("train", "airplane", "test_tone", "valve"):
        write(tmp_path / name / "1.wav")
    assert probing.open_folder(tmp_path).classes == ("airplane", "test tone", "train", "valve")


@pytest.mark.parametrize("label", ["7", "-1", "2.5", "nan", "None", "true", "[1, 2]", "{}"])
def test_a_label_is_a_name(tmp_path, label):
    write(tmp_path / "a.wav")
    (tmp_path / "metadata.csv").write_text(f'file_name,label\na.wav,"{label}"\n')
    refused(tmp_path, f"label {label!r} of 'a.wav' is no class name")
    (tmp_path / "metadata.csv").unlink()
    values = {"7": 7, "nan": float("nan"), "None": None, "true": True, "[1, 2]": [1, 2], "{}": {}, "-1": -1e300}
    row = {"file_name": "a.wav", "label": values.get(label, float("inf"))}
    (tmp_path / "metadata.jsonl").write_text(json.dumps(row))
    refused(tmp_path, "of 'a.wav' is no class name")


def test_one_name_in_two_forms_is_one_and_a_files_name_is_found_in_either(tmp_path):
    composed, apart = (unicodedata.normalize(form, "bébé") for form in ("NFC", "NFD"))
    write(tmp_path / f"{apart}.wav")
    write(tmp_path / "1.wav", tone(hertz=200.0))
    write(tmp_path / "2.wav", tone(hertz=300.0))
    (tmp_path / "metadata.csv").write_text(f"file_name,label\n{composed}.wav,{apart}\n1.wav,{composed}\n2.wav,rain\n")
    probing_set = probing.open_folder(tmp_path)
    assert probing_set.classes == (composed, "rain") and probing_set.clips[0].name == f"{composed}.wav"


def test_what_other_systems_leave_beside_files_is_passed_over(tmp_path):
    folder = esc(tmp_path)
    (folder / "meta" / "._esc50.csv").write_bytes(b"\0\5\x16\7Mac OS X")
    assert len(probing.open_folder(folder)) == 4
    for name in ("dog/1.wav", "cat/1.wav"):
        write(tmp_path / "b" / name)
    (tmp_path / "b" / "dog" / "._1.wav").write_bytes(b"\0\5\x16\7")
    (tmp_path / "b" / "__MACOSX").mkdir()
    assert len(probing.open_folder(tmp_path / "b")) == 2


def test_sounds_are_known_by_content_and_those_that_cannot_be_read_are_named(tmp_path):
    for name in ("dog/1.wav", "cat/1.wav"):
        write(tmp_path / name)
    for name, form in (("dog/2.aifc", "AIFF"), ("dog/3.snd", "AU"), ("cat/4", "FLAC"), ("cat/5.dat", "WAV")):
        soundfile.write(tmp_path / name, tone(), 16000, format=form)
    assert len(probing.open_folder(tmp_path)) == 6
    (tmp_path / "dog" / "6.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(64))
    refused(tmp_path, "1 of 7 recordings", "'dog/6.m4a' is not audio that can be decoded", REMEDY)


def test_a_clip_that_is_silent_as_long_as_it_is_heard_is_refused(tmp_path):
    write(tmp_path / "dog" / "1.wav", np.concatenate([np.zeros(8000, np.float32), tone()]))
    write(tmp_path / "cat" / "1.wav")
    probing_set = probing.open_folder(tmp_path)
    assert np.isfinite(probing_set.waveforms(16000, 0.6)).all()
    with pytest.raises(InputError, match="1 of 2 clips .*'dog/1.wav' is silent in the 0.5 s .*take it out"):
        probing_set.waveforms(16000, 0.5)


def test_file_name_that_is_no_utf8(tmp_path):
    write(tmp_path / "dog" / "1.wav")
    path = write(tmp_path / "hen" / "1.wav")
    os.rename(path, os.fsencode(path.parent) + b"/\xff.wav")
    refused(tmp_path, "'hen/\\udcff.wav'", "no file name", "Rename")


def test_named_pipe_is_no_recording(tmp_path):
    folder = esc(tmp_path)
    path = folder / "audio" / "1-100-A-0.wav"
    path.unlink()
    os.mkfifo(path)  # opening one would wait for ever
    refused(folder, "'1-100-A-0.wav' is absent", REMEDY)


# Bad folders


@pytest.mark.parametrize("data_dir", ["", "/no/such/folder"])
def test_missing_data_dir(data_dir):
    refused(data_dir, f"data_dir {data_dir!r} is not a folder", "meta/*.csv beside audio/", "metadata.csv", "dog/1.wav")


def test_unknown_layouts_say_what_is_known(tmp_path):
    refused(
        tmp_path, "no set of recordings", "it holds nothing", "meta/*.csv beside audio/", "metadata.csv", "dog/1.wav"
    )
    write(tmp_path / "audio" / "1.wav")  # one folder of recordings is no choice of classes
    refused(tmp_path, "it holds audio", "Expected")


def test_parent_of_a_set_is_told_where_the_set_is(tmp_path):
    inner = esc(tmp_path / "ESC-50")
    refused(tmp_path, f"Did you mean {str(inner)!r}?")


def test_two_tables(tmp_path):
    folder = esc(tmp_path)
    (folder / "meta" / "copy.csv").write_text("")
    refused(folder, "meta/copy.csv, meta/esc50.csv", "Leave the one")


def test_unknown_subset_suggests(tmp_path):
    refused(esc(tmp_path), "subset 'esc-10' is unknown", "Did you mean 'esc10'", subset="esc-10")


def test_subset_of_a_set_without_esc_columns(tmp_path):
    write(tmp_path / "dog" / "1.wav")
    write(tmp_path / "hen" / "1.wav")
    refused(tmp_path, "subset 'esc10'", "meta/*.csv", subset="esc10")


# The real recordings


def test_real_esc10(esc10):
    probing_set = probing.open_folder(esc10)
    assert len(probing_set) == 400
    assert len(probing_set.classes) == 10 and set(np.bincount(probing_set.labels)) == {40}
    assert set(probing_set.folds) == {1, 2, 3, 4, 5}
    assert len(set(probing_set.sources)) == 304
    assert probing.sources_in_several_folds(probing_set) == []
    assert probing_set.classes[:3] == ("dog", "rooster", "rain")
    seconds = [len(probing_set.read(clip, 16000)) / 16000 for clip in probing_set.clips[::7]]
    assert np.median(seconds) == pytest.approx(5.0, abs=0.01)  # the published Ogg files last 3.6 to 7.2 s
    assert min(seconds) > 3.5 and max(seconds) < 7.5
