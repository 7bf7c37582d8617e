"""A small audio encoder in the space of the embedded sentence encoder: what LAION-CLAP is to TAB, in `mini`.

It was trained by contrast on synthesised clips and their captions (`making.audio_encoder`)."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
import soxr
import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import normalize

from andlib.frontend import BEATS, SAMPLE_RATE, log_mel
from andlib.paths import WEIGHTS

FLOOR = 14.0  # natural logarithm, 61 dB: what lies lower under the clip's maximum is the recording, not the sound
DIMENSIONS = 384  # of the sentence encoder


class AudioEncoder(nn.Module):
    """Log-mel spectra [clips, frames, mels] -> unit vectors [clips, DIMENSIONS]; any number of frames."""

    def __init__(self):
        super().__init__()
        self.stages = nn.Sequential(
            convolution(1, 32, 4, (2, 4)),  # 20 ms, 32 bands
            convolution(32, 64, 3, 2),  # 40 ms, 16 bands
            convolution(64, 112, 3, 2),  # 80 ms, 8 bands
            convolution(112, 176, 3, 2),  # 160 ms, 4 bands
            convolution(176, 320, (1, 4), 1, padding=0),  # all bands at once
        ).to(memory_format=torch.channels_last)
        self.out = nn.Linear(2 * 320, DIMENSIONS)
        self.log_scale = nn.Parameter(torch.zeros(()))  # of cosines, learnt: the inverse of CLIP's temperature

    def forward(self, x: Tensor) -> Tensor:
        """x: natural logarithm of mel-band power; a constant added to all of a clip changes nothing."""
        x = (x - x.amax((1, 2), keepdim=True)).clamp_min(-FLOOR) * (2 / FLOOR) + 1
        x = self.stages(x[:, None]).squeeze(3)  # [clips, channels, steps]
        return normalize(self.out(torch.cat([x.mean(2), x.amax(2)], 1)).float(), dim=1)


def convolution(width: int, wider: int, kernel, stride, padding: int = 1) -> nn.Sequential:
    """A convolution over time and frequency, standardised by channel, with what is negative set to 0."""
    return nn.Sequential(nn.Conv2d(width, wider, kernel, stride, padding, bias=False), nn.BatchNorm2d(wider), nn.ReLU())


@lru_cache
def embedded(device: str = "cpu") -> AudioEncoder:
    """The trained encoder, on a device."""
    return load(WEIGHTS / "encoder.safetensors").to(device)


def load(path: Path) -> AudioEncoder:
    """The encoder whose weights a file holds, in half precision."""
    encoder = AudioEncoder()
    encoder.load_state_dict(load_file(path), strict=False)  # batch norm's counts are not kept
    return encoder.eval()


def encode_audio(
    batches: Iterable[Float[np.ndarray, "_ samples"]], sample_rate: int, encoder: AudioEncoder | None = None
) -> Float[np.ndarray, "clips dimensions"]:
    """The vector of each clip, of length 1, in the space of the embedded sentence encoder. batches: mono samples, one
    clip a row, of any level; at least 0.2 s. sample_rate: Hz; others than 16 kHz are resampled."""
    encoder, vectors = encoder or embedded(), []
    for batch in batches:
        at_rate = batch if sample_rate == SAMPLE_RATE else soxr.resample(batch.T, sample_rate, SAMPLE_RATE).T
        with torch.inference_mode():
            x = log_mel(torch.from_numpy(np.ascontiguousarray(at_rate, np.float32)), BEATS)
            vectors.append(encoder(x.to(encoder.out.weight.device)).cpu().numpy())
    return np.concatenate(vectors)
