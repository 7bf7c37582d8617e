"""What is replaced while it is in use is not stored as what it was."""

import shutil

import numpy as np
import pytest
import soundfile
from conftest import tiny_folder
from safetensors.torch import load_file, save_file
from test_clients import folder  # noqa: F401  a fixture: of a small language model
from test_encoders import clip_folder, forget  # noqa: F401  fixtures

from andlib import encoders, stages
from andlib.errors import InputError
from andlib.inputs.probing import open_folder
from andlib.llms.clients import TransformersLLM
from andlib.networks.beats_files import load_beats
from andlib.networks.checkpoints import load_target
from andlib.paths import WEIGHTS
from andlib.run import open_run
from andlib.store import Store

CHANGED = "was changed while it was in use"


def scaled(path, factor=2.0):
    """Other weights under the same names."""
    weights = {name: factor * value for name, value in load_file(path).items()}
    save_file(weights, path, {"format": "pt"})


def test_a_recording(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("dog/1.wav", "dog/2.wav", "cat/1.wav", "cat/2.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, 0.1 * rng.standard_normal(16_000), 16_000)
    probing_set = open_folder(tmp_path)
    first = probing_set.clips[0]
    assert len(probing_set.read(first, 16_000)) == 16_000
    soundfile.write(first.path, 0.1 * rng.standard_normal(16_000), 16_000)
    with pytest.raises(InputError, match=f"cat/1.wav {CHANGED}"):
        probing_set.read(first, 16_000)
    assert open_folder(tmp_path).fingerprint != probing_set.fingerprint


@pytest.mark.parametrize("changed", ["model.safetensors", "config.json"])
def test_a_network(tmp_path, changed):
    sources = {tiny_folder(): lambda at: load_target(at, seconds=0.5), WEIGHTS / "mini" / "beats_frozen": load_beats}
    for number, (source, load) in enumerate(sources.items()):
        copy = shutil.copytree(source, tmp_path / str(number))
        target = load(copy)
        if changed.endswith("json"):
            (copy / changed).write_text((copy / changed).read_text() + " ")
        else:
            scaled(copy / changed)
        with pytest.raises(InputError, match=f"{changed} {CHANGED}"):
            _ = target.module


def test_a_text_encoder(clip_folder, tmp_path):  # noqa: F811
    run = open_run({}).using(store=Store(tmp_path / "cache"))
    before, name = stages.embeddings(run, ["rain"], str(clip_folder)), str(clip_folder)
    known = encoders.fingerprint(name)
    scaled(clip_folder / "model.safetensors", -1.0)
    after = stages.embeddings(run, ["rain"], name)  # in the same session: other weights, other vectors
    assert not np.allclose(before, after)
    np.testing.assert_array_equal(encoders.encode(["rain"], name, known), before)  # those of the first are still here
    encoders._load.cache_clear()
    with pytest.raises(InputError, match=CHANGED):
        encoders.encode(["rain"], name, known)
    np.testing.assert_array_equal(stages.embeddings(run, ["rain"], name), after)


def test_a_language_model(folder, tmp_path):  # noqa: F811
    copy = shutil.copytree(folder, tmp_path / "copy")
    model = TransformersLLM(str(copy))
    scaled(copy / "model.safetensors")
    with pytest.raises(InputError, match=CHANGED):
        _ = model.loaded
