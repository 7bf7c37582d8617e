"""Networks on Whisper's encoder, here one of two small blocks: what is learnt, what is kept, and from which folds."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import test_whisper
import torch
from conftest import tiny_set
from safetensors.torch import load_file

from andlib.networks import whisper
from andlib.networks.checkpoints import load_target
from making import whisper as making
from making.lesson import Lesson, Recipe, Taught
from making.training import TEACHER

SMALL = {**test_whisper.SMALL, "max_source_positions": 250}
HEAD = making.Head(steps=60)
LOW_RANK = replace(making.FINETUNED, epochs=2, batch=8, rank=2, first_block=1)


@pytest.fixture(scope="module")
def lesson():
    """Whisper's inputs of the tiny set."""
    return Lesson("esc50", tiny_set(), making.inputs(tiny_set()))


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A folder for networks, and a small Whisper in the cache; its weights are random."""
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    monkeypatch.setenv("ANDLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(whisper, "SHORT", {**whisper.SHORT, **SMALL})
    monkeypatch.setattr(whisper, "SIZES", {name: SMALL[name] for name in whisper.SIZES if name in SMALL})
    torch.manual_seed(0)
    WhisperForConditionalGeneration(WhisperConfig(**SMALL)).half().save_pretrained(tmp_path / "cache/whisper/base")
    return tmp_path / "out"


@pytest.mark.slow
def test_a_frozen_network_gives_the_scores_that_its_head_learnt_and_teaches_what_it_did_not_see(lesson, small):
    making.frozen(lesson, HEAD, small)
    folder = small / "whisper_frozen_esc50"
    kept, record = load_file(folder / "changes.safetensors"), json.loads((folder / "record.json").read_text())
    assert not any(name.startswith("encoder.") for name in kept)
    module = load_target(folder, seconds=5.0).module
    base = load_file(whisper.base() / "model.safetensors")
    assert torch.equal(module.encoder.layers[1].fc1.weight, base["model.encoder.layers.1.fc1.weight"].float())
    states = making.states(module, lesson)
    with torch.no_grad():
        logits = module(lesson.features.float().transpose(1, 2)).logits
    torch.testing.assert_close(
        making.scored(states, {k: v.float() for k, v in kept.items()}), logits, atol=1e-3, rtol=0
    )
    assert record["decay"] == float(max(record["cross_validated"], key=record["cross_validated"].get))
    likely = load_file(small / TEACHER)["probabilities"]
    assert not likely[~lesson.seen].any()
    torch.testing.assert_close(likely[lesson.seen].sum(1), torch.ones(int(lesson.seen.sum())))


@pytest.mark.slow
def test_fold_1_decides_nothing(lesson, small):
    features = lesson.features.clone()
    features[~lesson.seen] = 0.5
    for out, given in ((small / "a", lesson), (small / "b", replace(lesson, features=features))):
        making.frozen(given, HEAD, out)
        making.finetuned(given, LOW_RANK, out)
    for name in ("whisper_frozen_esc50", "whisper_finetuned_esc50"):
        one, other = (load_file(small / out / name / "changes.safetensors") for out in "ab")
        assert all(torch.equal(one[key], other[key]) for key in one) and one.keys() == other.keys()


def test_fine_tuning_changes_the_last_blocks_linear_layers_at_low_rank(lesson, small):
    making.frozen(lesson, HEAD, small)
    making.finetuned(lesson, LOW_RANK, small)
    frozen, tuned = (load_target(small / f"whisper_{s}_esc50", seconds=5.0).module for s in ("frozen", "finetuned"))
    before, after = frozen.state_dict(), tuned.state_dict()
    for name in before:
        if ".layers.0." in name or "norm" in name or "conv" in name:
            assert torch.equal(before[name], after[name])
    for part in ("self_attn.q_proj", "self_attn.out_proj", "fc1", "fc2"):
        moved = (after[f"encoder.layers.1.{part}.weight"] - before[f"encoder.layers.1.{part}.weight"]).double()
        values = torch.linalg.svdvals(moved)
        assert values[0] > 1e-4 and values[2] < 0.1 * values[0]  # rank 2, but for half precision
    assert not torch.equal(before["classifier.weight"], after["classifier.weight"])


def test_a_random_encoder_has_no_weights_of_whisper(lesson, small):
    making.frozen(lesson, HEAD, small, random_encoder=3)
    module = load_target(small / "whisper_untrained_esc50", seconds=5.0).module
    base = load_file(whisper.base() / "model.safetensors")["model.encoder.layers.1.fc1.weight"].float()
    assert (module.encoder.layers[1].fc1.weight - base).abs().max() > 1e-3
    assert not (small / TEACHER).exists()


@pytest.mark.slow
def test_tab_hears_through_a_map_that_no_label_and_no_clip_of_fold_1_decides(lesson, small, monkeypatch):
    monkeypatch.setattr(whisper, "HEARD", (0, 1))  # not the last state, which is normed
    captions = [f"A sound of {clip.label}, number {i}." for i, clip in enumerate(lesson.probing_set.clips)]
    changed = [
        f"Nothing {i}" if clip.fold == 1 else text
        for i, (clip, text) in enumerate(zip(lesson.probing_set.clips, captions, strict=True))
    ]
    for name, given in (("a", captions), ("b", changed)):
        making.project(lesson, given, small / name)
    one, other = (load_file(small / name / "projection.safetensors") for name in "ab")
    assert torch.equal(one["weight"], other["weight"]) and torch.equal(one["bias"], other["bias"])
    monkeypatch.setattr(whisper, "PROJECTION", small / "a" / "projection.safetensors")
    whisper._projection.cache_clear()
    waves = tiny_set().waveforms(16_000, 5.0)
    vectors = whisper.encode_audio([waves[:2], waves[2:]])
    whisper._projection.cache_clear()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    x = making.states(whisper.classifier(whisper.SHORT), lesson)[:, (0, 1)].flatten(1)
    expected = (x @ one["weight"].float() + one["bias"].float()).numpy()
    cosines = (vectors * expected).sum(1) / np.linalg.norm(expected, axis=1)
    assert cosines.min() > 0.999


def test_a_teacher_has_its_share_of_what_is_learnt(lesson, monkeypatch):
    seen: list[torch.Tensor] = []

    def augmented(x, y, recipe, rng):
        seen.append(y)
        return x, y

    monkeypatch.setattr("making.lesson.augmented", augmented)
    monkeypatch.setattr("making.lesson.Progress.step", lambda self, losses: self.each.append(sum(losses).item()))
    monkeypatch.setattr("making.lesson.Progress.save", lambda self, done: None)
    count = len(lesson.probing_set.classes)
    taught = replace(lesson, taught=torch.full((len(lesson.labels), count), 1 / count))
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(lesson.features[0].numel(), count))
    for recipe in (Recipe(5.0, 500, 1, batch=4), Taught(5.0, 500, 1, batch=4, teacher=0.25)):
        seen.clear()
        taught.teach(network, recipe, Path("absent.ckpt"))
        expected = {1.0} if not recipe.teacher else {round(0.75 + 0.25 / count, 4)}
        assert {round(value, 4) for y in seen for value in y.max(1).values.tolist()} == expected
