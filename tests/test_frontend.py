"""The log-mel front ends against Kaldi's own output."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from andlib import frontend

GOLDEN = load_file(Path(__file__).parent / "golden" / "kaldi_fbank.safetensors")
SIGNALS = ("chirp", "clicks", "noise", "quiet", "silence")


@pytest.mark.parametrize("front_end", [frontend.AST, frontend.BEATS], ids=lambda f: f.name)
@pytest.mark.parametrize("signal", SIGNALS)
def test_log_mel_is_kaldis(front_end, signal):
    ours = frontend.log_mel(torch.from_numpy(GOLDEN[f"wave.{signal}"])[None], front_end)[0].numpy()
    theirs = GOLDEN[f"{front_end.name}_fbank.{signal}"]
    error = np.abs(ours - theirs)
    # 80 dB is a factor of 1e8 in power; below that float32 cancellation in the FFT dominates
    strong = theirs > theirs.max(1, keepdims=True) - 8 * np.log(10)
    assert error[strong].max() <= 2e-3
    assert error.max() <= 0.1


def test_a_clip_does_not_depend_on_its_batch():
    waves = torch.from_numpy(np.stack([GOLDEN[f"wave.{s}"] for s in SIGNALS]))
    batch = frontend.log_mel(waves, frontend.AST)
    alone = frontend.log_mel(waves[2:3], frontend.AST)
    torch.testing.assert_close(batch[2:3], alone, atol=1e-5, rtol=0)
    assert batch.shape == (5, frontend.frames(8_000), frontend.MELS)


def test_too_short_a_waveform_is_refused():
    with pytest.raises(ValueError, match="shorter than one frame"):
        frontend.log_mel(torch.zeros(1, 399), frontend.AST)


def test_log_mel_is_torchaudios():
    try:
        from torchaudio.compliance import kaldi
    except (ImportError, OSError) as error:  # a torchaudio made for another torch cannot be loaded
        pytest.skip(f"torchaudio is not to be had here: {error}")
    wave = torch.from_numpy(GOLDEN["wave.chirp"])[None]
    settings = {"window_type": "hanning", "num_mel_bins": 128, "htk_compat": True, "use_energy": False, "dither": 0.0}
    theirs = kaldi.fbank(wave, sample_frequency=16_000, **settings).numpy()
    ours = frontend.log_mel(wave, frontend.AST)[0].numpy()
    strong = theirs > theirs.max(1, keepdims=True) - 8 * np.log(10)
    assert np.abs(ours - theirs)[strong].max() <= 2e-3
