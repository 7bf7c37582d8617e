"""Log-mel front ends: Kaldi's filter bank with the settings of AST and of BEATs, batched; and the mel scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from andlib.records import Grid

if TYPE_CHECKING:
    from torch import Tensor

SAMPLE_RATE = 16_000  # Hz; both networks
FRAME, SHIFT, FFT = 400, 160, 512  # samples: 25 ms, 10 ms, next power of two
MELS = 128
LOW, HIGH = 20.0, 8000.0  # Hz
PRE_EMPHASIS = 0.97


@dataclass(frozen=True)
class FrontEnd:
    """Settings in which the two networks differ, and the normalisation (x - mean) / (2 deviation).
    scale: factor on samples in [-1, 1]. window_power: 1 is Hann's window, 0.85 Povey's."""

    name: str
    scale: float
    window_power: float
    remove_clip_mean: bool
    mean: float
    deviation: float


# AST: Gong et al. 2021 and the feature extractor of its public checkpoints. BEATs: Chen et al. 2023.
AST = FrontEnd("ast", 1.0, 1.0, True, -4.2677393, 4.5689974)
BEATS = FrontEnd("beats", 2.0**15, 0.85, False, 15.41663, 6.55582)


def frames(samples: int) -> int:
    """Number of frames that fit wholly into so many samples (Kaldi's `snip_edges`)."""
    return max(0, 1 + (samples - FRAME) // SHIFT)


def patches(
    frames: int, size: int, strides: tuple[int, int] | None = None, *, prefix: int = 0, time_first: bool = False
) -> Grid:
    """Where patches of the log-mel lie, each of `size` frames and bands; one that overlaps others has its middle.
    frames: of the clip. strides: in frames and bands; by default patches touch. prefix, time_first: as for `Grid`."""
    strides = strides or (size, size)
    begin = [(size - stride) / 2 for stride in strides]
    count = [(length - size) // stride + 1 for length, stride in zip((frames, MELS), strides, strict=True)]
    ends = np.stack([begin, np.add(begin, np.multiply(count, strides))], 1)  # [frames, bands] x [first, last]
    seconds = (ends[0] * SHIFT + (FRAME - SHIFT) / 2) / SAMPLE_RATE
    step = (mel(HIGH) - mel(LOW)) / (MELS + 1)  # band i is a triangle whose peak is i + 1 steps above LOW
    edges = hertz(mel(LOW) + (ends[1] + 0.5) * step)
    return Grid(tuple(seconds.tolist()), tuple(edges.tolist()), count[1], prefix, time_first)


def log_mel(waveforms: "Float[Tensor, 'clips samples']", front_end: FrontEnd) -> "Float[Tensor, 'clips frames mels']":
    """Natural logarithm of mel-band power, before normalisation: frames of 25 ms, 10 ms apart; 128 bands, 20-8000 Hz.
    Agrees with Kaldi within 2e-3 in bands less than 80 dB below the frame's strongest, 0.1 elsewhere (float32).
    waveforms: mono samples at 16 kHz in [-1, 1]. Raises ValueError for waveforms shorter than one frame."""
    import torch

    if waveforms.shape[-1] < FRAME:
        raise ValueError(f"A waveform of {waveforms.shape[-1]} samples is shorter than one frame ({FRAME} samples).")
    x = waveforms * front_end.scale
    if front_end.remove_clip_mean:
        x = x - x.mean(-1, keepdim=True)
    x = x.unfold(-1, FRAME, SHIFT)  # [clips, frames, 400]
    x = x - x.mean(-1, keepdim=True)
    previous = torch.cat([x[..., :1], x[..., :-1]], -1)
    window = (np.hanning(FRAME) ** front_end.window_power).astype(np.float32)
    x = (x - PRE_EMPHASIS * previous) * torch.from_numpy(window).to(x.device)
    spectrum = torch.fft.rfft(x, FFT)
    bands = (spectrum.real.square() + spectrum.imag.square()) @ torch.from_numpy(_filter_bank()).to(x.device)
    return bands.clamp_min(torch.finfo(torch.float32).eps).log()


@lru_cache
def _filter_bank() -> np.ndarray:
    """Triangles equally spaced on the mel scale; float32 [257, 128]."""
    bank = triangles(mel(np.arange(FFT // 2 + 1) * SAMPLE_RATE / FFT), np.linspace(mel(LOW), mel(HIGH), MELS + 2))
    bank[-1] = 0  # Kaldi leaves out the Nyquist bin
    return bank.astype(np.float32)


def triangles(points: Float[np.ndarray, "points"], edges: Float[np.ndarray, "edges"]) -> np.ndarray:
    """Weights of points in bands that rise from an edge to the next and fall to the one behind; [points, edges - 2]."""
    rising = (points[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - points[:, None]) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling))


def mel(hertz: float | Sequence[float] | np.ndarray) -> float | np.ndarray:
    """Frequencies on the mel scale of HTK and Kaldi, on which equal steps are heard as equal: 1127 ln(1 + f / 700)."""
    return 1127.0 * np.log1p(np.divide(hertz, 700.0))


def hertz(mel: float | Sequence[float] | np.ndarray) -> float | np.ndarray:
    """Frequencies from the mel scale: the inverse of `mel`."""
    return 700.0 * np.expm1(np.divide(mel, 1127.0))
