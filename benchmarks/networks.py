"""The front end, recording and importing."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.full_size import SECONDS, random_network
from benchmarks.measuring import Row, arithmetic, both

CLIPS, LARGE_CLIPS = 64, 2


def rows() -> Iterator[Row]:
    """Everything here, on one thread."""
    import torch

    from andlib import paths
    from andlib.networks.checkpoints import load_target

    torch.set_num_threads(1)
    yield _front_end()
    small = load_target(paths.WEIGHTS / "mini" / "ast", seconds=2.0)
    yield _recording("the small AST", small, CLIPS, 9)
    with tempfile.TemporaryDirectory() as folder:
        for name, shown in (("ast", "AST"), ("beats", "BEATs")):
            network = random_network(name, Path(folder) / name)
            yield _recording(f"a full-size {shown}, {SECONDS:.0f}-s clips", network, LARGE_CLIPS, 3)
    yield _importing()


def _front_end() -> Row:
    """Our batched log-mel, and transformers' extractor, which is given one clip at a time as its users do."""
    import torch
    from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

    from andlib import frontend

    clips = np.random.default_rng(0).standard_normal((16, 80_000)).astype(np.float32) * 0.1
    bank = mel_filter_bank(257, 128, 20, 8000, 16_000, norm=None, mel_scale="kaldi", triangularize_in_mel_space=True)
    window = window_function(400, "hann", periodic=False)

    def reference() -> None:
        for clip in clips:
            spectrogram(
                clip, window, 400, 160, fft_length=512, power=2.0, center=False, preemphasis=0.97,
                mel_filters=bank, log_mel="log", mel_floor=1.192092955078125e-07, remove_dc_offset=True,
            )  # fmt: skip

    taken = both(lambda: frontend.log_mel(torch.from_numpy(clips), frontend.AST), reference)
    return Row("log-mel of 16 five-second clips", **taken, against="transformers' spectrogram, clip by clip")


def _recording(shown: str, target, clips: int, repeats: int) -> Row:
    """A pass that records all layers, and the plain forward pass."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from andlib import activations

    samples = round(target.sample_rate * target.seconds)
    waves = np.random.default_rng(0).standard_normal((clips, samples)).astype(np.float32) * 0.1
    features = target.features(torch.from_numpy(waves))

    def plain() -> None:
        with torch.no_grad():
            target.logits(features)

    def recorded() -> None:
        with torch.no_grad(), activations.recording(target, lambda layer, values: values.numpy().copy()):
            target.logits(features)

    with FlopCounterMode(display=False) as counted:
        plain()
    needed = counted.get_total_flops()
    return Row(
        f"recording every layer of {shown}",
        **both(recorded, plain, repeats),
        against="the plain forward pass",
        asked=0.9,
        least=needed / arithmetic(),
        note=f"{clips} clips, {needed / clips / 1e9:.1f} GFLOP each",
    )


def _importing() -> Row:
    def imported(code: str) -> None:
        subprocess.run([sys.executable, "-c", code], check=True)

    taken = both(lambda: imported("import andlib"), lambda: imported("import torch"), 3)
    return Row("import andlib", **taken, against="import torch")
