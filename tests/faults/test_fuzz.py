"""Whatever stands in a file that is read: a sentence or a right value; no traceback, no hang, nothing left behind.

A few hundred inputs in `make test`, 20,000 in `make faults` (ANDLIB_FAULTS=1), which prints what of the readers'
code they reach."""

import io
import json
import os
import shutil
import signal
import tempfile
import warnings
from collections import Counter
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from conftest import CLASSES, tiny_folder, tiny_run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reached import reached
from safetensors.numpy import save
from safetensors.torch import load_file
from test_checkpoints import saved  # noqa: F401  a fixture

from andlib import concepts, kept, paths, store
from andlib.activations import record
from andlib.errors import InputError
from andlib.inputs import captions, probing, recordings
from andlib.llms import batches, llm, prompts, servers
from andlib.networks import beats_files, checkpoints, families
from andlib.pages import claims, section_4_2
from andlib.report import artefact
from andlib.store import KINDS, Stage, Store

FULL = bool(os.environ.get("ANDLIB_FAULTS"))
PROMISED, TESTS, LONGEST = 20_000, 15, 30  # inputs in all; tests below; seconds an input may take, on a busy machine
TRIED = Counter()  # how many, by test
fuzzed = settings(
    max_examples=PROMISED // (TESTS - 1) if FULL else 25,  # a test that an optional package is missing for is skipped
    deadline=None,  # see LONGEST
    derandomize=not FULL,
    database=None,
    suppress_health_check=list(HealthCheck),
)
JUNK = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just([]), st.just({}))


READERS = {  # module -> those of its functions that read what others wrote; all of them where none is named
    recordings: (),
    probing: (),
    captions: ("read_captions", "clean", "_entries", "_batches", "_match", "_named", "_cut_loop", "_check_texts"),
    concepts: ("concept_set", "_concepts_in"),
    servers: ("completion", "quoted"),
    batches: ("replies",),
    prompts: ("points", "acoustic", "ranked"),
    llm: ("Completions.__post_init__", "Completions._take", "Completions.ask", "Completions._answer"),
    store: ("Store", "_load_lines", "file_digest", "read_object"),
    checkpoints: (
        "load_target",
        "_target",
        "_layers",
        "_classes",
        "_weights",
        "_names",
        "_classifies",
        "_json",
        "_usual",
    )
    + ("_features", "_build"),
    families: ("_blocks", "_clap_blocks", "_clap_settings", "_whisper_settings"),
    beats_files: ("layers", "load_beats", "config_from", "_unlike", "_sizes", "read_checkpoint", "read_header")
    + ("_folder_settings", "_class_names", "_read_file", "_read_safetensors", "opened", "_named", "_renamed", "_check"),
    artefact: ("check_export", "_wrong_arrays", "_wrong_tables"),
    section_4_2: ("read_ratings", "_rating"),
    kept: ("read",),
}


@pytest.fixture(scope="module", autouse=True)
def coverage():
    """Prints what share of the readers' lines all inputs together reach, where there are enough of them to say so."""
    with reached(READERS) if FULL else nullcontext() as report:
        yield
    if FULL:
        given = "\n".join(f"{test:32} {number:6,}" for test, number in TRIED.items())
        print(f"\n{TRIED.total():,} inputs:\n{given}\nLines of readers reached, and those left:\n{report()}")


@st.composite
def edited(draw, contents):
    """One of some contents, with bytes overwritten, cut out or put in, or only its beginning; or any bytes."""
    content = bytearray(draw(st.sampled_from(contents)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(content) - 1, 0)))
        piece = draw(
            st.binary(min_size=1, max_size=8) | st.sampled_from([b"\0", b'"', b"\n", b",", b"\xff", b"[" * 999])
        )
        what = draw(st.sampled_from(["flip", "overwrite", "insert", "delete", "truncate", "replace"]))
        if what == "flip" and content:
            content[at] ^= 1 << draw(st.integers(0, 7))
        elif what == "overwrite":
            content[at : at + len(piece)] = piece
        elif what == "insert":
            content[at:at] = piece
        elif what == "delete":
            del content[at : at + draw(st.integers(1, 64))]
        elif what == "truncate":
            del content[at:]
        else:
            content = bytearray(draw(st.binary(max_size=64)))
    return bytes(content)


@st.composite
def nested(draw, value):
    """JSON of a value with junk somewhere inside."""

    def changed(part):
        inner = list(part) if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else []
        if not inner or not draw(st.integers(0, 3)):
            return draw(JUNK)
        at, part = draw(st.sampled_from(inner)), part.copy()
        part[at] = changed(part[at])
        return part

    return json.dumps(changed(value)).encode()


def odd(objects):
    """JSON of one of some objects: with bytes edited, a value that is junk, or one name left out."""
    texts = [json.dumps(value) for value in objects]
    names = st.sampled_from([(value, name) for value in objects for name in value])
    junk = st.tuples(names, JUNK).map(lambda drawn: json.dumps({**drawn[0][0], drawn[0][1]: drawn[1]}))
    fewer = names.map(lambda of: json.dumps({name: value for name, value in of[0].items() if name != of[1]}))
    texts, drawn = [text.encode() for text in texts], junk | fewer | JUNK.map(json.dumps)
    return st.sampled_from(texts) | edited(texts) | drawn.map(str.encode)


@contextmanager
def refused_or_right(folder: Path):
    """InputError may end what is done here, in time, and it leaves the folder with the files that it had."""

    def late(*_):
        raise AssertionError(f"more than {LONGEST} s")

    TRIED[os.environ["PYTEST_CURRENT_TEST"].split("::")[1].split()[0]] += 1
    before, handler = sorted(folder.rglob("*")), signal.signal(signal.SIGALRM, late)
    signal.alarm(LONGEST)
    try:
        yield
    except InputError as error:
        assert str(error).endswith((".", "?")) and len(str(error)) < 5000
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
    assert sorted(folder.rglob("*")) == before


WAVE = 0.5 * np.sin(np.arange(400) * 0.3) + 0.1 * np.random.default_rng(0).standard_normal(400)


def sound(kind: str, subtype: str | None = None, wave: np.ndarray = WAVE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, wave, 16_000, format=kind, subtype=subtype)
    return file.getvalue()


def mp3() -> bytes:
    with tempfile.TemporaryDirectory() as folder:  # libsndfile knows it by its ending
        soundfile.write(Path(folder, "a.mp3"), np.tile(WAVE, 40), 44_100)
        return Path(folder, "a.mp3").read_bytes()


def by_ffmpeg(kind: str, codec: str) -> bytes:
    """A form that libsndfile does not know."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=kind) as file:
        stream = file.add_stream(codec, rate=48_000, layout="mono", bit_rate=64_000)
        frame = av.AudioFrame.from_ndarray(np.tile(WAVE, 20).astype(np.float32)[None], format="fltp", layout="mono")
        frame.sample_rate = 48_000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            file.mux(packet)
    return buffer.getvalue()


def uncounted(content: bytes) -> bytes:
    """An MP3 without its first frame, which counts the others."""
    return content[content.index(content[:2], 100) :]


SOUNDS = [sound("WAV"), sound("WAV", "FLOAT"), sound("FLAC"), sound("OGG"), sound("AIFF")]
SOUNDS += [sound(kind) for kind in ("AU", "RF64", "W64", "VOC", "NIST", "CAF", "SVX")]
SOUNDS += [sound("OGG", "OPUS"), sound("WAV", wave=np.stack([WAVE, -WAVE], 1)), sound("FLAC") * 2, sound("OGG") * 2]
SOUNDS += [mp3(), uncounted(mp3()), mp3() * 2, mp3() + uncounted(mp3()), b"ID3\4\0\0\0\0\0\4abcd" + mp3()]
SOUNDS += [SOUNDS[0][:40] + bytes(4) + SOUNDS[0][44:], SOUNDS[0][:40] + b"\xff" * 4 + SOUNDS[0][44:]]
SOUNDS += [SOUNDS[2][:21] + bytes([SOUNDS[2][21] & 0xF0]) + bytes(4) + SOUNDS[2][26:]]  # of unknown length
SOUNDS += [sound("AVR"), SOUNDS[0][:40] + (400).to_bytes(4, "little") + SOUNDS[0][44:], uncounted(mp3())[:300]]
SOUNDS += [by_ffmpeg("mp4", "aac"), by_ffmpeg("webm", "libopus"), by_ffmpeg("asf", "wmav2"), by_ffmpeg("adts", "aac")]
SOUNDS += [sound("FLAC") + sound("FLAC")[:18] + b"\0" + sound("FLAC")[19:]]
SOUNDS += [sound("WAV", wave=0 * WAVE), sound("WAV", wave=WAVE[:9]), sound("WAV", wave=WAVE[:0])]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzzed folder")


@fuzzed
@given(
    st.sampled_from(SOUNDS) | edited(SOUNDS), st.sampled_from([".wav", ".flac", ".ogg", ".aiff", ".mp3", ".snd", ""])
)
def test_recordings(folder, content, suffix):
    path = folder / f"recording{suffix}"
    path.write_bytes(content)
    with refused_or_right(folder):
        samples = recordings.read_recording(path, 16_000)
        assert samples.dtype == np.float32 and samples.ndim == 1
        assert 0 < len(samples) <= recordings.LONGEST * 16_000
        assert np.isfinite(samples).all() and np.abs(samples).max() < 2 * recordings.LOUDEST
    path.unlink()


ESC = b"filename,fold,target,category,esc10,src_file,take\n1.wav,1,0,dog,True,1,A\n2.wav,2,1,crying_baby,False,2,A\n"
LISTED = b"file_name,label,fold,source\n1.wav,dog,1,a\n2.wav,sea_waves,2,b\n"
LINES = b'{"file_name": "1.wav", "label": "dog"}\n{"file_name": "2.wav", "label": "rain", "fold": "2"}\n'
TABLES = {  # layout -> tables as they should be, and with a fault that bytes at random would hardly make
    "esc": [ESC, ESC.replace(b"1,crying", b"0,crying"), ESC.replace(b"2.wav,2", b"./1.wav,2")],
    "csv": [LISTED, LISTED.replace(b"2.wav", b"../csv/2.wav"), LISTED.replace(b"2.wav", b"/etc/hostname")],
    "jsonl": [LINES],
}


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """A folder for each layout that has a table, and that table's place in it."""
    made = {}
    for layout, place in {"esc": "meta/esc.csv", "csv": "metadata.csv", "jsonl": "metadata.jsonl"}.items():
        folder = tmp_path_factory.mktemp(layout)
        base = folder / "audio" if layout == "esc" else folder
        (folder / "meta").mkdir()
        base.mkdir(exist_ok=True)
        for name in ("1.wav", "2.wav"):
            (base / name).write_bytes(SOUNDS[0])
        made[layout] = folder, folder / place
    return made


@fuzzed
@given(st.one_of(st.tuples(st.just(of), edited(texts), st.sampled_from(["", "esc10"])) for of, texts in TABLES.items()))
def test_metadata(sets, given):
    layout, content, subset = given
    folder, table = sets[layout]
    table.write_bytes(content)
    with refused_or_right(folder):
        found = probing.open_folder(folder, subset=subset)
        assert len(found) >= 1 and len({clip.path for clip in found.clips}) == len(found)
        assert set(found.labels) == set(range(len(found.classes))) and all(map(str.isprintable, found.classes))
        assert all(clip.path.resolve().is_relative_to(folder) and clip.source for clip in found.clips)
        assert set(found.folds) <= {0, 1, 2, 3, 4, 5}


URBAN = (
    b"slice_file_name,fsID,start,end,salience,fold,classID,class\n1.wav,7,0,1,1,2,0,dog_bark\n2.wav,8,0,1,1,9,1,siren\n"
)
PLACES = ["", "audio", "meta", "metadata", "train", "test", "val", "fold2", "fold9", "dog", "cat", "16k", "train/dog"]
PLACES += ["test/cat", "test/dog", "audio/fold2", "audio/fold9", ".hidden", "be\u0301be\u0301", "7"]
FILES = {
    "1.wav": SOUNDS[0],
    "2.wav": SOUNDS[2],
    "3": SOUNDS[2],
    "4.m4a": b"\0\0\0\x20ftypM4A ",
    "5.txt": b"words",
    "._6.wav": b"\0",
}
FILES |= {
    "metadata.csv": LISTED,
    "metadata.jsonl": LINES,
    "esc.csv": ESC,
    "UrbanSound8K.csv": URBAN,
    "7.wav": SOUNDS[0][:99],
}
FILES |= {"8.wav": None, "metadata.csv ": LISTED.replace(b"1.wav", b"train/1.wav").replace(b"2.wav", b"test/2.wav")}


@fuzzed
@given(
    st.sampled_from(
        [PLACES, ["train/dog", "test/cat", "test/dog"], ["train", "test", "val"], ["dog", "cat"], ["audio", "meta"]]
    )
    .map(lambda places: st.tuples(st.sampled_from(places), st.sampled_from(list(FILES))))
    .flatmap(lambda files: st.sets(files, min_size=1, max_size=8))
)
def test_layouts(tmp_path_factory, laid):
    """Files here and there in a folder; one is a link that leads out of it."""
    folder = tmp_path_factory.mktemp("laid")
    for place, name in laid:
        path = folder / place / name.strip()
        path.parent.mkdir(parents=True, exist_ok=True)
        if FILES[name] is None:
            path.symlink_to("/etc/hostname")
        else:
            path.write_bytes(FILES[name])
    with refused_or_right(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is no sound is skipped, and named in a warning
        found = probing.open_folder(folder)
        probing.check_recordings(found)
        assert len(probing.sources_in_several_folds(found)) <= len(set(found.sources))
        assert all(clip.path.resolve().is_relative_to(folder) for clip in found.clips)
        assert set(found.labels) == set(range(len(found.classes))) and set(found.folds) <= {0, 1, 2, 3, 4, 5}
        assert "7" not in found.classes and not set(found.classes) <= {"train", "test", "val", "fold2", "fold9", "16k"}
        assert np.isfinite(found.waveforms(16_000, 0.1)).all()
    shutil.rmtree(folder)


CAPTIONS = [
    'filename,description\n1.wav,A dog barks.\n2.wav,"Rain, läuten"\n'.encode(),
    b'{"1.wav": "A dog barks.", "audio/2.flac": "Rain."}',
    b'[{"id": ["a/1.wav", "a/2.wav"], "text": ["A dog barks.</s>", "Rain."]}]',
    b'{"1.wav": "one two three four five six seven eight. One two three four five six seven eight.", "2.wav": "Rain."}',
    b"filename,description\n1.wav,A dog.\na/1.wav,A cat.\n2.wav,Rain.\n",
]
ENTRIES = [{"id": ["1.wav", "2.wav"], "text": ["A dog barks.", "Rain."]}]


@fuzzed
@given(
    edited(CAPTIONS) | nested({"1.wav": "A dog.", "2.wav": "Rain"}) | nested(ENTRIES),
    st.sampled_from([".csv", ".json"]),
)
def test_captions(folder, content, suffix):
    path = folder / f"captions{suffix}"
    path.write_bytes(content)
    with refused_or_right(folder):
        texts, report = captions.read_captions(path, ["1.wav", "2.wav"])
        assert list(texts) == ["1.wav", "2.wav"] and report.read == 2
        assert all(text.strip() and text.isprintable() for text in texts.values())
    path.unlink()


@fuzzed
@given(edited([b"# sounds\ndog\nheavy rain\nch\xc5\x93ur\n", b"dog\nrain\nDog\n"]))
def test_concepts(folder, content):
    path = folder / "concepts.txt"
    path.write_bytes(content)
    with refused_or_right(folder):
        found = concepts.concept_set(str(path), CLASSES)
        assert len({c.casefold() for c in found}) == len(found) >= 2 and all(map(str.isprintable, found))
    path.unlink()


REPLY = {"model": "small", "choices": [{"message": {"content": "1. A dog.\n2. Rain"}, "finish_reason": "stop"}]}
REPLIES = [json.dumps(REPLY).encode(), b"<html>sign in</html>"]
VERDICTS = ["Yes.", "The answer is no.", "It can't describe a sound.", "It is used of sounds.", "Answer: dog, rain"]


@fuzzed
@given(
    edited(REPLIES) | JUNK.map(lambda junk: json.dumps({**REPLY, "choices": [junk]}).encode()) | nested(REPLY),
    st.text() | st.sampled_from(VERDICTS),
)
def test_answers_of_a_server(folder, body, said):
    with refused_or_right(folder):
        answer, revision = servers.completion(body, "small")
        assert bool(answer.text) != bool(answer.error) and len(answer.text) <= llm.LONGEST
        answer.text.encode(), revision.encode()  # no halves of characters
        for text in (answer.text, said):
            assert all(point.strip() for point in prompts.points(text))
            assert prompts.acoustic(text) in (True, False, None)
            assert set(prompts.ranked(text, CLASSES)) <= set(CLASSES)


ROW = {"custom_id": "a", "response": {"status_code": 200, "body": {**REPLY, "model": "small"}}, "error": None}


@fuzzed
@given(
    edited([f"{json.dumps(ROW)}\n{json.dumps({**ROW, 'custom_id': 'b'})}\n".encode()])
    | st.tuples(st.sampled_from(list(ROW)), JUNK).map(lambda odd: json.dumps({**ROW, odd[0]: odd[1]}).encode())
    | nested(ROW)
)
def test_answers_of_a_batch(folder, content):
    path = folder / "answers.jsonl"
    path.write_bytes(content)
    with refused_or_right(folder):
        for answer, revision in batches.replies(path, "small").values():
            assert bool(answer.text) != bool(answer.error)
            answer.text.encode(), revision.encode()


SAMPLING = llm.Sampling(7)
KEPT = {"model": "m", "revision": "r", "prompt": store.digest([]), "sampling": asdict(SAMPLING), "date": "2000-01-01"}
KEPT |= {"text": "Rain.", "finish": "stop", "error": ""}


@fuzzed
@given(
    edited([f"{json.dumps(KEPT)}\n{json.dumps(KEPT)}\n".encode()])
    | st.tuples(st.sampled_from(list(KEPT)), JUNK).map(lambda odd: json.dumps({**KEPT, odd[0]: odd[1]}).encode())
)
def test_answers_that_are_kept(folder, content):
    path = folder / "completions.jsonl"
    path.write_bytes(content)
    with refused_or_right(folder):
        [answer] = llm.Completions(path).ask([[]], SAMPLING, "m")
        assert answer is None or (isinstance(answer.text, str) and isinstance(answer.finish, str))
    path.unlink()


VALUES = {
    "arrays": {"a": np.arange(6, dtype=np.float32).reshape(2, 3)},
    "frame": pd.DataFrame({"words": [["a", "b"], []], "n": [1, 2]}),
    "lines": [{"text": "line\nbreak"}, 3],
}


def stored(folder, kind):
    return Store(folder).get(Stage("stage", kind), [kind], lambda: VALUES[kind])


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A folder of stored values, and by kind the two files of each with their bytes."""
    folder, files = tmp_path_factory.mktemp("store"), {}
    for kind, (ending, *_) in KINDS.items():
        stored(folder, kind)
        value = next(path for path in folder.glob(f"stage/*{ending}"))
        files[kind] = {path: path.read_bytes() for path in (value, value.with_suffix(".json"))}
    return folder, files


@fuzzed
@given(st.sampled_from(list(KINDS)), st.sampled_from([(0,), (1,), (0, 1)]), st.data())
def test_values_in_the_cache(cache, kind, damaged, data):
    folder, files = cache
    contents = list(files[kind].items())
    for number, (path, content) in enumerate(contents):
        path.write_bytes(data.draw(edited([content])) if number in damaged else content)
    with refused_or_right(folder), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is damaged.*it is made again")
        value = stored(folder, kind)
        if kind == "lines":
            assert value == VALUES[kind]
        elif kind == "arrays":
            np.testing.assert_array_equal(value["a"], VALUES[kind]["a"])
        else:
            assert [list(words) for words in value["words"]] == [["a", "b"], []] and list(value["n"]) == [1, 2]
        assert contents[0][0].read_bytes() == contents[0][1]  # whole again; of a manifest the sha256 alone counts


BLOCKS = {"num_hidden_layers": 2, "hidden_size": 8, "intermediate_size": 16}
PATCHES = {"patch_size": 16, "time_stride": 16, "frequency_stride": 16, "max_length": 48, "num_mel_bins": 128}
NETWORKS = [
    {
        "model_type": "audio-spectrogram-transformer",
        "architectures": ["ASTForAudioClassification"],
        **BLOCKS,
        **PATCHES,
    },
    {"model_type": "hubert", "architectures": ["HubertModel"], **BLOCKS},
    {"model_type": "whisper", "encoder_layers": 2, "d_model": 8, "encoder_ffn_dim": 16, "num_mel_bins": 80}
    | {"max_source_positions": 50},
    {"model_type": "clap_audio_model", "patch_embeds_hidden_size": 8, "depths": [1, 1], "mlp_ratio": 4.0}
    | {"num_mel_bins": 64},
    {"model_type": "beats", "architectures": []},
]
NETWORKS[0]["id2label"] = {"0": "dog", "1": "rain"}
INPUTS = {"sampling_rate": 16_000, "feature_size": 80, "chunk_length": 1, "mean": 0.0, "std": 0.5}
MADE = ("fused ClapModel", "ClapAudioModel", "WhisperForAudioClassification", "HubertModel")  # of test_checkpoints
TENSORS = save({"weight": np.ones((2, 2), np.float32)})
_pickled = io.BytesIO()
torch.save(load_file(tiny_folder() / "model.safetensors"), _pickled)
PICKLE = _pickled.getvalue()


@fuzzed
@given(odd(NETWORKS), odd([INPUTS]), st.just(TENSORS) | edited([TENSORS]), st.data())
def test_networks(folder, config, inputs, weights, data):
    """Weights that fit no configuration are refused when the network is built: tests/test_checkpoints.py."""
    network = folder / "network"
    shutil.rmtree(network, ignore_errors=True)  # of an example that was given up
    network.mkdir()
    files = {"config.json": config, "preprocessor_config.json": inputs, "model.safetensors": weights}
    shards = {"weight_map": {"weight": "model-1-of-1.safetensors"}}
    more = {"model-1-of-1.safetensors": weights, "model.safetensors.index.json": json.dumps(shards).encode()}
    more |= {"model.bin": b"", "changes.safetensors": weights, "a.onnx": b""}
    for name, content in {**files, **more}.items():
        if data.draw(st.integers(0, 9)) > (0 if name in files else 8):
            (network / name).write_bytes(content)
    options = {"seconds": data.draw(st.sampled_from([0.5, None, 30, -1, "2"]))}
    options |= {"classes": data.draw(st.sampled_from([(), ("dog", "rain"), ("dog",)]))}
    options |= {
        "untrained_seed": data.draw(st.sampled_from([None, 0])),
        "pooling": data.draw(st.sampled_from([None, "max"])),
    }
    place = data.draw(st.sampled_from([network] * 9 + ["nobody/nothing", "a.onnx", "a" * 5000, ""]))
    with refused_or_right(folder), pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        target = checkpoints.load_target(place, **options)
        assert target.layers and all(layer.units > 0 for layer in target.layers)
        assert target.sample_rate > 0 and (target.grid is None or target.grid().seconds[1] > 0)
    shutil.rmtree(network)


@fuzzed
@given(st.sampled_from(["AST", *MADE]), st.data())
def test_networks_that_are_built(folder, saved, kind, data):  # noqa: F811
    """Real weights beside a configuration that may fit them or not: what is heard is finite, or there is a sentence."""
    network, whole = folder / "built", tiny_folder() if kind == "AST" else saved(kind)[0]
    network.mkdir(exist_ok=True)
    config = data.draw(odd([json.loads((whole / "config.json").read_text())]))
    own = [json.loads(path.read_text()) for path in whole.glob("preprocessor_config.json")]
    pickled, untrained = kind == "AST" and data.draw(st.booleans()), data.draw(st.sampled_from([None, None, 0]))
    held = {"pytorch_model.bin": PICKLE} if pickled else {}
    held = held or {"model.safetensors": (whole / "model.safetensors").read_bytes()}
    held |= {"config.json": config, "preprocessor_config.json": data.draw(odd(own or [INPUTS]))}
    for name, content in held.items():
        (network / name).write_bytes(content)
    with refused_or_right(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of transformers, at settings that it takes
        target = checkpoints.load_target(network, seconds=0.5, untrained_seed=untrained)
        assert target.sample_rate * target.seconds < 1e7  # else the test, not the package, would fill the memory
        heard = 0.1 * np.random.default_rng(0).standard_normal((1, round(target.sample_rate * 0.5)))
        values = record(target, [heard.astype(np.float32)], 1)
        assert set(values) == {layer.name for layer in target.layers}
    shutil.rmtree(network)


BEATS = beats_files.Config(16, 8, 1, 8, 8, 2, 4, 2, 8, 20)


@pytest.fixture(scope="module")
def beats():
    """Weights of the smallest BEATs, and the bytes of a safetensors file and of a torch file with them."""
    from andlib.networks.beats import make

    weights, file = make(BEATS, len(CLASSES)).state_dict(), io.BytesIO()
    torch.save({"cfg": asdict(BEATS), "model": weights}, file)
    return weights, save({name: value.numpy() for name, value in weights.items()}), file.getvalue()


TABLE = f"beats.{beats_files.SHARED.replace('layers.0', 'layers.1')}"
SETTINGS = {"model_type": "beats", **asdict(BEATS), **beats_files.FIXED, "classes": list(CLASSES)}


@fuzzed
@given(st.sampled_from(["folder", "safetensors", "torch", "torch, odd"]), st.booleans(), st.data())
def test_checkpoints_of_beats(folder, beats, form, untrained, data):
    weights, held, torch_file = beats
    place = folder / {"folder": "beats", "safetensors": "beats.safetensors"}.get(form, "beats.pt")
    if form == "folder":
        place.mkdir(exist_ok=True)
        (place / "config.json").write_bytes(data.draw(odd([SETTINGS])))
        (place / "model.safetensors").write_bytes(data.draw(st.just(held) | edited([held])))
    elif form == "torch, odd":
        one = st.tuples(st.sampled_from(list(SETTINGS)), JUNK).map(lambda odd: {**SETTINGS, odd[0]: odd[1]})
        odd_settings = data.draw(st.just(SETTINGS) | one | JUNK)
        if data.draw(st.booleans()):  # as Microsoft publishes them
            weights = {n.removeprefix("beats.").replace("fc.", "predictor."): value for n, value in weights.items()}
        tensors = JUNK.map(tensor) | st.sampled_from(list(weights)).map(weights.get)
        some = st.dictionaries(st.sampled_from([*weights, TABLE, 3]), tensors, min_size=1, max_size=1)
        odd_weights = data.draw(st.just({}) | some)
        model, labels = {**weights, **odd_weights}, dict(enumerate(CLASSES))
        wrapped = data.draw(st.sampled_from(["", "module.", "model._orig_mod."]))
        model = {f"{wrapped}{name}" if wrapped else name: value for name, value in model.items()}
        model = data.draw(st.sampled_from([model, {"state_dict": model}]))
        held = {"cfg": odd_settings, "model": model} | data.draw(
            st.sampled_from([{}, {"label_dict": labels}, {"label_dict": {0: 3}}])
        )
        torch.save(held, place)
    else:
        place.write_bytes(data.draw(edited([held if form == "safetensors" else torch_file])))
    place = data.draw(st.sampled_from([place] * 9 + [folder / "none.pt", folder]))
    with refused_or_right(folder):
        target = beats_files.load_beats(place, classes=CLASSES, untrained_seed=0 if untrained else None)
        modules = dict(target.module.named_modules())
        assert all(modules[layer.module].out_features == layer.units > 0 for layer in target.layers)
        assert all(value.isfinite().all() for value in target.module.state_dict().values())


def tensor(junk):
    """A tensor that no weight is, or the junk itself."""
    return torch.full((2, 3), junk, dtype=torch.float64) if isinstance(junk, float) else junk


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A folder with a small export, and the bytes of its files."""
    folder = tmp_path_factory.mktemp("export")
    artefact.export(tiny_run(tmp_path_factory.mktemp("cache")), folder)
    assert artefact.check_export(folder) == []
    return folder, {name: (folder / name).read_bytes() for name in [*artefact.FILES, "meta.json"]}


@fuzzed
@given(st.sampled_from([*artefact.FILES, "meta.json"]), st.booleans(), st.data())
def test_exports(exported, name, resigned, data):
    """resigned: whether meta.json is written for the damaged file, as by somebody who means harm."""
    folder, files = exported
    for each, content in files.items():
        (folder / each).write_bytes(content)
    meta = json.loads(files["meta.json"])
    if name == "meta.json":
        (folder / name).write_bytes(data.draw(odd([meta]) | nested(meta)))
    else:
        (folder / name).write_bytes(data.draw(edited([files[name]])))
        if data.draw(st.integers(0, 20)) == 0:
            (folder / name).unlink()
        elif resigned:
            del meta["sha256"]["meta.json"]
            meta["sha256"][name] = store.file_digest(folder / name)
            meta["sha256"]["meta.json"] = store.digest(meta)
            (folder / "meta.json").write_text(json.dumps(meta))
    with refused_or_right(folder):
        told = artefact.check_export(folder)
        assert all(sentence.endswith(".") and len(sentence) < 5000 for sentence in told)
        same = (folder / name).is_file() and (folder / name).read_bytes() == files[name]
        assert same <= (told == []) and (name == "meta.json" or resigned or same or told)


@pytest.fixture(scope="module")
def asked():
    """Two neurons that raters were asked about, instead of a run's."""
    shown = [{"method": method, "text": f"what {method} says"} for method in section_4_2.METHODS]
    neurons = [{"neuron": f"ast/block0.output/{i}", "descriptions": shown} for i in range(2)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            section_4_2, "questionnaire", lambda run, rows: {"neurons": neurons, "page": "0123456789abcdef"}
        )
        yield {(row["neuron"], method) for row in neurons for method in section_4_2.METHODS}


RATED = b"""rater,neuron,method,rating,text,page
A. B.,ast/block0.output/0,DB,4,"a dog, barking",0123456789abcdef
A. B.,ast/block0.output/0,SUM,5,"a ""loud"" dog\nfar away",0123456789abcdef
A. B.,ast/block0.output/1,TAB,1,,0123456789abcdef
"""


@fuzzed
@given(
    st.lists(
        edited([RATED]) | st.sampled_from([RATED.replace(b"A. B.", rater) for rater in (b"C", b" ")]),
        min_size=1,
        max_size=2,
    )
)
def test_ratings(tmp_path_factory, asked, contents):
    folder = tmp_path_factory.getbasetemp() / "ratings"
    folder.mkdir(exist_ok=True)
    for number, content in enumerate(contents):
        (folder / f"{number}.csv").write_bytes(content)
    with refused_or_right(folder):
        rated = section_4_2.read_ratings(None, None, folder)
        assert len(rated) >= len(contents) and rated["rating"].isin(range(1, 6)).all() and rated["rater"].all()
        assert not rated.duplicated(["rater", "neuron", "method"]).any()
        assert set(zip(rated["neuron"], rated["method"], strict=True)) <= asked
    for path in folder.iterdir():
        path.unlink()


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project") / "results"
    (folder / "mini").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(paths, "results", lambda: folder)
        yield folder


HELD = {"made_by": "mini, corrected", "rows": [{"model": "ast", "dA": -0.5, "units": None}], "best": "cos"}


@fuzzed
@given(odd([HELD]), st.sampled_from(["one", "one", "one", "none"]), st.sampled_from(["", "make results"]))
def test_results_that_are_kept(results, content, name, command):
    (results / "mini/one.json").write_bytes(content)
    with refused_or_right(results):
        assert isinstance(kept.read("mini", name, command), dict)


FRAME = pd.DataFrame({"model": ["ast", "beats_frozen"], "dA": [-0.5, np.nan], "units": [3, 4], "best": ["cos", "a, b"]})


@fuzzed
@given(edited([FRAME.to_csv(index=False, lineterminator="\n").encode()]))
def test_frames_that_are_kept(results, content):
    (results / "mini/page").mkdir(exist_ok=True)
    (results / "mini/page/one.csv").write_bytes(content)
    with refused_or_right(results):
        assert isinstance(claims.committed("mini")["page"]["one"], pd.DataFrame)


def test_as_many_inputs_as_promised_were_given():
    if not FULL:
        pytest.skip("counts what all tests above were given: make faults")
    assert TRIED.total() >= PROMISED
