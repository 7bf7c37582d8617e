"""The small text-audio encoder: what it knows, what it does not depend on, and how it is trained."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from andlib.concepts import ESC50
from andlib.encoders import encode
from andlib.mini.encoder import AudioEncoder, embedded, encode_audio, load
from andlib.mini.synthesis import CLASSES, synthesc
from andlib.paths import WEIGHTS
from making import audio_encoder
from making.audio_encoder import Contrast, accuracies, contrast, spoken, zero_shot

RATE = 16_000
TINY = Contrast(corpus=[301], sources_per_fold=1, epochs=2, batch=4)


@pytest.fixture(scope="module")
def unheard():
    """Four clips of each class, of a seed that is neither trained, probed nor judged on."""
    return synthesc(99, sources_per_fold=1, variants=1, folds=(1, 2, 3, 4))


@pytest.fixture(scope="module")
def waves(unheard):
    return unheard.waveforms(RATE, 2.0)


@pytest.fixture
def little(monkeypatch):
    """A corpus of eight clips of two classes."""

    def few(seed, sources, variants):
        return synthesc(seed, sources, variants, classes=("dog", "rain"), folds=(1, 2, 3, 4))

    monkeypatch.setattr(audio_encoder, "synthesc", few)


def record() -> dict:
    return json.loads((WEIGHTS / "encoder.json").read_text())


def test_the_weights_are_small_and_of_other_seeds_than_those_probed_and_judged_on():
    assert (WEIGHTS / "encoder.safetensors").stat().st_size < 3e6
    assert not {0, 1} & set(record()["recipe"]["corpus"])
    assert record()["parameters"] == sum(p.numel() for p in embedded().parameters())


def test_unheard_clips_are_told_by_their_class_names_alone(unheard, waves):
    audio, labels = encode_audio([waves], RATE), [clip.label for clip in unheard.clips]
    np.testing.assert_allclose(np.linalg.norm(audio, axis=1), 1, atol=1e-5)
    assert audio.shape == (112, 384)
    assert zero_shot(audio, labels, CLASSES) > 0.8
    assert zero_shot(audio, labels, ESC50) > 0.8
    shuffled = np.random.default_rng(0).permutation(labels)
    assert zero_shot(audio, shuffled, CLASSES) < 0.15


def test_the_record_tells_what_the_weights_do():
    fold_1 = replace(synthesc(), clips=tuple(clip for clip in synthesc().clips if clip.fold == 1))
    found, told = accuracies(embedded(), fold_1, 2.0), record()["zero_shot"]["synthesc-0"]
    assert told["fold 1, 28 names"] >= 0.6
    for names in ("28 names", "50 names"):
        assert found[f"fold 1, {names}"] == pytest.approx(
            told[f"fold 1, {names}"], abs=1.5 / 224
        )  # a clip may tip over


def test_the_record_tells_how_it_does_on_real_recordings(esc10):
    from andlib.inputs.probing import open_folder

    found = accuracies(embedded(), open_folder(esc10, subset="esc10"), 5.0)
    assert found == pytest.approx(record()["zero_shot"]["esc10"], abs=0.01)


def test_neither_level_nor_batch_nor_sampling_rate_decides_the_vector(waves):
    clips = waves[::16]
    whole = encode_audio([clips], RATE)
    np.testing.assert_allclose(encode_audio([0.1 * clips], RATE), whole, atol=1e-3)
    np.testing.assert_allclose(encode_audio([clips[:2], clips[2:]], RATE), whole, atol=1e-5)
    import soxr

    faster = encode_audio([soxr.resample(clips.T, RATE, 48_000).T], 48_000)
    assert (faster * whole).sum(1).min() > 0.95


def test_clips_of_any_length_are_taken_and_silence_is_no_trouble(waves):
    longer = np.pad(waves, [(0, 0), (0, 3 * RATE)])
    labels = [label for _ in range(4) for label in CLASSES]
    assert zero_shot(encode_audio([longer], RATE), labels, CLASSES) > 0.6
    assert encode_audio([waves[:2, : RATE // 2]], RATE).shape == (2, 384)
    assert np.isfinite(encode_audio([np.zeros((1, RATE), np.float32)], RATE)).all()


def test_the_loss_leaves_out_captions_of_the_same_class_or_meaning():
    rng = np.random.default_rng(0)
    audio, text = (torch.nn.functional.normalize(torch.from_numpy(rng.standard_normal((4, 32))), dim=1) for _ in "ab")
    text[3] = text[0]  # clips of two classes, told alike
    labels, scale = torch.tensor([0, 1, 1, 2]), torch.tensor(3.0)
    left_out = {(1, 2), (2, 1), (0, 3), (3, 0)}
    cosine, total = (audio @ text.T).numpy(), 0.0
    for matrix in (cosine, cosine.T):
        for i in range(4):
            others = [j for j in range(4) if (i, j) not in left_out]
            total -= 3 * matrix[i, i] - np.log(np.exp(3 * matrix[i, others]).sum())
    assert contrast(audio, text, labels, scale, 0.7).item() == pytest.approx(total / 8)


def test_captions_name_the_class_and_say_how_it_sounds(unheard, waves):
    captions = [spoken(clip.label, wave, clip.name) for clip, wave in zip(unheard.clips, waves, strict=True)]
    assert {caption[0] for caption in captions} == set(CLASSES)
    assert all(text.endswith(".") and text.count(".") == 2 for _, _, text in captions)
    assert len({caption[2] for caption in captions}) > 100
    assert captions[0] == spoken(unheard.clips[0].label, waves[0], unheard.clips[0].name)


def test_augmentation_leaves_the_corpus_as_it_is_and_is_seeded():
    x = torch.randn(6, 198, 128, generator=torch.Generator().manual_seed(0))
    before = x.clone()
    a, b = (audio_encoder.augmented(x, Contrast(), np.random.default_rng(1)) for _ in range(2))
    assert torch.equal(x, before) and torch.equal(a, b) and not torch.equal(a, x)
    assert torch.isfinite(a).all()


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_weights(little, tmp_path, monkeypatch):
    audio_encoder.train(TINY, tmp_path / "whole", {})
    saved = audio_encoder.Progress.save

    def killed(progress, done):
        saved(progress, done)
        raise KeyboardInterrupt

    monkeypatch.setattr(audio_encoder.Progress, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        audio_encoder.train(TINY, tmp_path / "killed", {})
    monkeypatch.setattr(audio_encoder.Progress, "save", saved)
    audio_encoder.train(TINY, tmp_path / "killed", {})
    whole, resumed = (tmp_path / name / "encoder.safetensors" for name in ("whole", "killed"))
    assert whole.read_bytes() == resumed.read_bytes()
    assert sorted(path.name for path in resumed.parent.iterdir()) == ["encoder.json", "encoder.safetensors"]


def test_what_is_saved_is_the_network_in_half_precision(tmp_path):
    from safetensors.torch import save_file

    torch.manual_seed(0)
    network = AudioEncoder().eval()
    state = {n: value.half().contiguous() for n, value in network.state_dict().items() if value.is_floating_point()}
    save_file(state, tmp_path / "x.safetensors")
    clip = [np.random.default_rng(0).standard_normal((1, RATE)).astype(np.float32)]
    own, loaded = (encode_audio(clip, RATE, which) for which in (network, load(tmp_path / "x.safetensors")))
    np.testing.assert_allclose(own, loaded, atol=2e-3)
    assert encode(["rain"]).shape[1] == own.shape[1]
