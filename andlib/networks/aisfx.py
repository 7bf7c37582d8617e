"""A network trained by others: the sound-effects CNN of the PyPI package `aisfx` (Ma and Lerch 2022; CC BY 4.0).

Only the package's checkpoint is read, its Python is not run: the network is written from names and settings there."""

from collections import OrderedDict
from functools import lru_cache
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from andlib.errors import InputError, explained, optional
from andlib.frontend import mel, triangles
from andlib.store import file_digest

SHA256 = "499ea75909c932a2f94c35fa722fa4fabc5bcb7e84917209cc5f7402627b7eb5"  # aisfx 0.1.2
SAMPLE_RATE = 44_100  # Hz
FRAME, SHIFT, MELS = 2048, 1024, 96
LARGEST = 9.457798957824707  # of all log-mel values in the network's training data: inputs are divided by it
WIDTHS = (64, 128, 256, 512)  # channels of the four blocks


def network(untrained_seed: int | None = None) -> nn.Module:
    """The network from log-mel [clips, frames, mels] to its embedding [clips, 512], in evaluation mode.

    Four blocks of two 3 x 3 convolutions, each batch-normalised and rectified (`block1.relu1` ... `block4.relu2`,
    [clips, channels, frames, mels]), with a 2 x 2 maximum between blocks. `embedding` averages the last over mel bands
    ([clips, 512, frames, 1]); its maximum over time is the output. The package cuts sounds into blocks of 100 frames
    (2.3 s), whose maxima correlate with what clips as a whole give by 0.93 (median of units, 20 recordings of 5 s). Its
    nine classifiers, whose classes have no names, are left out. untrained_seed: if given, random weights (a control).
    Raises MissingExtra without the package, InputError if its checkpoint is not the one of version 0.1.2."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(untrained_seed or 0)
        parts: list[tuple[str, nn.Module]] = [("one_channel", nn.Unflatten(1, (1, -1)))]
        for number, (before, width) in enumerate(zip((1, *WIDTHS), WIDTHS, strict=False), 1):
            block = OrderedDict()
            for i, inputs in enumerate((before, width), 1):
                block[f"conv{i}"] = nn.Conv2d(inputs, width, 3, padding=1, bias=False)
                block[f"bn{i}"] = nn.BatchNorm2d(width)
                block[f"relu{i}"] = nn.ReLU()  # not in place: a hook on bn would see its output already rectified
            parts += [(f"block{number}", nn.Sequential(block)), (f"pool{number}", nn.MaxPool2d(2))]
    parts[-1] = ("embedding", nn.AdaptiveAvgPool2d((None, 1)))
    parts.append(("maximum", nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten())))
    module = nn.Sequential(OrderedDict(parts))
    if untrained_seed is None:
        path, prefix = checkpoint(), "embedding_net.conv_"
        if (digest := file_digest(path)) != SHA256:
            other = f"{path} is not the checkpoint of aisfx 0.1.2 (its sha256 begins {digest[:12]}, not {SHA256[:12]})"
            raise InputError(f"{other}. Install it again: pip install --no-deps --force-reinstall aisfx==0.1.2")
        held = {name.removeprefix(prefix): w for name, w in read_checkpoint(path).items() if name.startswith(prefix)}
        module.load_state_dict(held)
    return module.eval().to(memory_format=torch.channels_last)  # a fifth faster on a CPU


def checkpoint() -> Path:
    """The installed package's checkpoint file; raises MissingExtra if there is none."""
    install = "Install it without its requirements, which are out of date and not needed: pip install --no-deps "
    with optional("aisfx", install=f"{install}aisfx==0.1.2 (make install does)."):
        return Path(str(distribution("aisfx").locate_file("aisfx/models/checkpoint.pth")))


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Tensors by name from the package's kind of checkpoint, without running its pickle.
    NumPy's whole numbers, which it holds beside tensors, are allowed too; raises InputError for anything else."""
    one = np.int64(0)
    allowed = [(one.__reduce__()[0], "numpy.core.multiarray.scalar"), np.dtype, type(one.dtype)]
    unread = f"{path} is no checkpoint of weights alone, so it was not read. Install aisfx again."  # torch says: run it
    with explained(lambda _: unread), torch.serialization.safe_globals(allowed):
        tensors, _ = torch.load(path, map_location="cpu", weights_only=True)
    return tensors


def log_mel(waveforms: Float[Tensor, "_ samples"]) -> Float[Tensor, "_ frames mels"]:
    """The network's input: log10(1 + 10,000 x power) in 96 mel bands, divided by the training data's largest value.
    waveforms: mono samples at 44.1 kHz in [-1, 1]; frames are centred from the first sample to the last or behind it,
    with zeros outside. Equals Essentia, with which the network was trained, within 1e-4 (float32)."""
    frames = -(-waveforms.shape[-1] // SHIFT) + 1
    behind = (frames - 1) * SHIFT + FRAME // 2 - waveforms.shape[-1]
    x = nn.functional.pad(waveforms, (FRAME // 2, behind)).unfold(-1, FRAME, SHIFT)
    spectrum = torch.fft.rfft(x * torch.from_numpy(np.hanning(FRAME).astype(np.float32)))
    bands = (spectrum.real.square() + spectrum.imag.square()) @ torch.from_numpy(_filter_bank())
    return (1 + 10_000 * bands).log10() / LARGEST


@lru_cache
def _filter_bank() -> np.ndarray:
    """Triangles on HTK's mel scale up to half the sampling rate, each with weights that sum to 1; float32."""
    points = mel(np.linspace(0, SAMPLE_RATE / 2, FRAME // 2 + 1))
    bank = triangles(points, np.linspace(0, mel(SAMPLE_RATE / 2), MELS + 2))
    return (bank / bank.sum(0)).astype(np.float32)
