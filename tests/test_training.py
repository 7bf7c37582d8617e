"""Training of the small networks: seeded, resumable, blind to fold 1; and the clean comparison's arithmetic."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import tiny_set
from safetensors.torch import load_file

from making import pretraining, training
from making.lesson import Lesson
from making.pretraining import Pretraining, Tokenizer, patches
from making.progress import Progress

PRETRAINING = Pretraining(steps=4, batch=2)
LABELLED = replace(training.LABELLED["mini"], epochs=2, batch=8)


@pytest.fixture(scope="module")
def lesson():
    """BEATs' inputs of the tiny set."""
    return Lesson("mini", tiny_set(), pretraining.inputs(tiny_set(), 2.0))


@pytest.fixture(autouse=True)
def small_corpus(lesson, monkeypatch):
    """Pre-training on the tiny set instead of thousands of fresh clips."""
    monkeypatch.setattr(training, "synthesised", lambda recipe: lesson.features.half())


def weights(out, strategy):
    return load_file(out / f"beats_{strategy}_mini" / "model.safetensors")


def train(lesson, out):
    training.train_frozen(lesson, PRETRAINING, out)
    training.train_labelled(lesson, LABELLED, out, pretrained=True)


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
@pytest.mark.parametrize("killed_in_step", [3, 9])  # of pre-training, and of fine-tuning
def test_a_killed_training_goes_on_and_gives_the_same_bytes(lesson, tmp_path, monkeypatch, killed_in_step):
    train(lesson, tmp_path / "whole")
    plain, count = Progress.step, iter(range(1, 100))

    def step(self, loss):
        if next(count) == killed_in_step:
            raise KeyboardInterrupt
        plain(self, loss)

    monkeypatch.setattr(Progress, "step", step)
    with pytest.raises(KeyboardInterrupt):
        train(lesson, tmp_path / "killed")
    monkeypatch.setattr(Progress, "step", plain)
    assert list(tmp_path.glob("killed/*/*.ckpt"))  # something to go on from
    train(lesson, tmp_path / "killed")
    for strategy in ("frozen", "finetuned"):
        assert equal(weights(tmp_path / "killed", strategy), weights(tmp_path / "whole", strategy))
    assert not list(tmp_path.glob("*/*/*.ckpt"))


def test_a_finished_network_is_not_trained_again_unless_its_recipe_changes(lesson, tmp_path, monkeypatch):
    training.train_labelled(lesson, LABELLED, tmp_path, pretrained=False)
    called = []
    monkeypatch.setattr(Lesson, "teach", lambda *arguments: called.append(1) or [0.0])
    training.train_labelled(lesson, LABELLED, tmp_path, pretrained=False)
    assert not called
    training.train_labelled(lesson, replace(LABELLED, epochs=3), tmp_path, pretrained=False)
    assert called


def test_fold_1_teaches_nothing(lesson, tmp_path):
    """With other sounds in fold 1 every weight is the same."""
    features = lesson.features.clone()
    features[~lesson.seen] = 7.0
    for out, given in ((tmp_path / "a", lesson), (tmp_path / "b", replace(lesson, features=features))):
        training.train_labelled(given, LABELLED, out, pretrained=False)
        training.train_untrained(given, 0, out)
    for strategy in ("supervised", "untrained"):
        assert equal(weights(tmp_path / "a", strategy), weights(tmp_path / "b", strategy))


def test_frozen_and_fine_tuned_start_from_one_encoder_and_only_one_moves(lesson, tmp_path):
    train(lesson, tmp_path)
    name = "beats.encoder.layers.3.fc1.weight"
    before = weights(tmp_path, "frozen")[name].float()
    moved = (weights(tmp_path, "finetuned")[name].float() - before).abs().max()
    training.train_untrained(lesson, 0, tmp_path)
    assert 0 < moved < (weights(tmp_path, "untrained")[name].float() - before).abs().max() + moved
    assert moved > 1e-4


def test_the_linear_classifier_is_the_logistic_regression_it_says(lesson):
    from sklearn.linear_model import LogisticRegression

    network = training.beats.make(training.BEATS, 0, seed=0).eval()
    weight, bias = training.linear_probe(network, lesson)
    with torch.no_grad():
        x = network(lesson.features).mean(1)
    learnt = x[lesson.seen]
    scaled = (x - learnt.mean(0)) / (learnt.std(0) + 1e-6)
    model = LogisticRegression(max_iter=5000).fit(scaled[lesson.seen].numpy(), lesson.labels[lesson.seen].numpy())
    np.testing.assert_allclose((x @ weight.T + bias).numpy(), model.decision_function(scaled.numpy()), atol=1e-2)


def test_patches_are_those_of_the_convolution():
    x = torch.randn(2, 50, 128, generator=torch.Generator().manual_seed(0))
    found = patches(x)
    assert found.shape == (2, 3, 8, 256)
    assert torch.equal(found[1, 2, 5].view(16, 16), x[1, 32:48, 80:96])


def test_tokens_depend_on_their_patch_alone_and_on_the_seed(lesson):
    def tokens(seed, x):
        return Tokenizer(PRETRAINING, lesson.features, torch.Generator().manual_seed(seed))(x)

    x = lesson.features[:2]
    first, other = tokens(0, x), tokens(1, x)
    assert first.shape == (2, 96, 4) and first.max() < 256
    assert torch.equal(first, tokens(0, x)) and not torch.equal(first, other)
    changed = x.clone()
    changed[0, :16, :16] += torch.linspace(-2, 2, 16)
    assert (tokens(0, changed) != first).any(-1).nonzero().tolist() == [[0, 0]]
    assert len(first.unique()) > 20


def test_only_masked_tokens_are_hidden_from_the_encoder(lesson):
    torch.manual_seed(0)
    network = pretraining.MaskedPrediction(training.beats.make(training.BEATS, 0, 0), PRETRAINING).eval()
    masked = np.arange(96) % 2 == 0
    x = lesson.features[:1]
    hidden, seen = x.clone(), x.clone()
    hidden[0, :16, :16] = 9.0  # token 0, masked
    seen[0, :16, 16:32] = 9.0  # token 1, visible
    with torch.no_grad():
        scores = network(x, masked)
        assert scores.shape == (1, 48, 4, 256)
        assert torch.equal(network(hidden, masked), scores)
        assert not torch.allclose(network(seen, masked), scores)
