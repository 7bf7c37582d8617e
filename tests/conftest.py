"""What tests share: a tiny AST, short waveforms, and the folder of real recordings where there is one."""

import os
import tempfile
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import install_import_hook

SHAPED = ("ablation", "activations", "concepts", "encoders", "frontend", "similarity", "stages", "summaries", "targets")
# shapes in signatures are checked under pytest alone
install_import_hook([f"andlib.{module}" for module in SHAPED], "typecheck.check")

CLASSES = ("dog", "rain", "siren")


@lru_cache
def tiny_folder() -> Path:
    """An AST of two blocks and eight channels, saved as `save_pretrained` does."""
    import torch
    from transformers import ASTConfig, ASTForAudioClassification

    torch.manual_seed(0)
    config = ASTConfig(
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_length=48,
        num_mel_bins=128,
        frequency_stride=16,
        time_stride=16,
        id2label=dict(enumerate(CLASSES)),
    )
    folder = Path(tempfile.mkdtemp()) / "tiny"
    ASTForAudioClassification(config).save_pretrained(folder)
    return folder


def tiny_target():
    """The tiny AST as a target for half-second clips, loaded anew."""
    from andlib.networks.checkpoints import load_target

    return load_target(tiny_folder(), name="ast", seconds=0.5)


@pytest.fixture
def waves() -> np.ndarray:
    """Eight half-second clips of noise of different levels, float32 [8, 8000]."""
    rng = np.random.default_rng(0)
    return (rng.standard_normal((8, 8000)) * np.linspace(0.01, 0.3, 8)[:, None]).astype(np.float32)


@pytest.fixture
def esc10() -> Path:
    """The folder of ESC-10's recordings, named by the environment variable ANDLIB_ESC10."""
    folder = os.environ.get("ANDLIB_ESC10")
    if not folder:
        pytest.skip("needs ESC-10's recordings: set ANDLIB_ESC10 to their folder")
    return Path(folder)


@lru_cache
def tiny_set():
    """Thirty clips of three classes of SynthESC in five folds."""
    from andlib.mini.synthesis import synthesc

    return synthesc(sources_per_fold=2, variants=1, classes=CLASSES)


def tiny_run(folder, **changes):
    """A run of the tiny AST on the tiny set, with its stages stored in `folder`; K = 3."""
    from andlib.profiles import PROFILES
    from andlib.run import Run
    from andlib.store import Store

    profile = replace(PROFILES["mini"], seconds=0.5, networks={"ast": str(tiny_folder())})
    settings = {"k": 3, "given": {"probing_set": tiny_set()}, **changes}  # three classes instead of 28
    return Run(profile, ("ast",), store=Store(folder), **settings)


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """A folder of stages that tests of the flow share, also those of other workers."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def run(cache):
    """`tiny_run` in the shared folder."""
    return tiny_run(cache)


def effects_of(before, after, labels, sources, sizes):
    """What silencing did, from logits before, [clips, classes], and after, [ablated, clips, classes]."""
    from andlib import ablation

    made = ablation.changed(before, after, labels)
    return ablation.Effects(**made, labels=labels, sources=sources, sizes=sizes)
