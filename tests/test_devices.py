"""The device and the precision of networks: what is refused, what enters keys, and batches that do not fit."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import tiny_run, tiny_target

from andlib import ablation, devices, responses
from andlib.activations import record
from andlib.errors import InputError
from andlib.run import open_run
from andlib.store import Stage, Store, digest
from andlib.unlearning import decided

GPU = torch.cuda.is_available()


def test_the_processor_is_taken_where_there_is_no_gpu():
    assert devices.device_named("cpu") == "cpu"
    assert devices.device_named("auto") == ("cuda" if GPU else "mps" if torch.backends.mps.is_available() else "cpu")
    assert open_run({"device": "cpu"}).store == Store(open_run({}).store.folder)


@pytest.mark.parametrize(
    "name,sentence",
    [
        ("gpu", "Device 'gpu' is unknown. (Did you mean|Valid names: auto, cpu, cuda, mps)"),
        ("cuda:99", "Device 'cuda:99' is not on this machine: torch .* sees 1 cpu"),
        ("cuda:x", "Device 'cuda:x' is not on this machine"),
        ("cpu:1", "Device 'cpu:1' is not on this machine"),
        ("", "Device '' is unknown"),
    ],
)
def test_a_device_that_is_not_here_is_refused_in_a_sentence(name, sentence):
    with pytest.raises(InputError, match=sentence):
        open_run({"device": name})


@pytest.mark.skipif(GPU, reason="this machine has a CUDA GPU")
def test_cuda_is_refused_where_there_is_none():
    with pytest.raises(InputError, match="Device 'cuda' is not on this machine: torch .* sees 1 cpu"):
        open_run({"device": "cuda"})


def test_parts_at_once_take_the_machine_s_gpus_in_turn(monkeypatch):
    monkeypatch.setattr(devices.Path, "glob", lambda folder, kind: iter([folder / kind]))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert [devices.device_named("auto", part) for part in range(5)] == ["cuda", "cuda:1", "cuda:2", "cuda:0", "cuda:1"]
    assert [devices.device_named(name, 1) for name in ("cuda:2", "cuda", "cpu")] == ["cuda:2", "cuda", "cpu"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert devices.device_named("auto", 1) == ("mps" if torch.backends.mps.is_available() else "cpu")


def test_an_unknown_precision_is_refused():
    with pytest.raises(InputError, match="Precision 'fp8' is unknown"):
        open_run({"precision": "fp8"})


def test_device_and_precision_are_in_keys_and_under_tables(tmp_path):
    stage, usual = Stage("tried", "lines"), Store(tmp_path)
    usual.get(stage, ["x"], lambda: [1])
    for other in (replace(usual, device="cuda"), replace(usual, precision="bf16")):
        assert usual.holds(stage, ["x"]) and not other.holds(stage, ["x"])
    first, second = (replace(usual, device=name) for name in ("cuda:0", "cuda:1"))
    first.get(stage, ["y"], lambda: [2])
    assert second.holds(stage, ["y"])  # which of several GPUs of a kind it was does not matter
    run = open_run({"device": "cpu", "precision": "bf16"})
    assert "networks on cpu in bf16;" in run.made_by() and "networks" not in open_run({"device": "cpu"}).made_by()


def test_bf16_is_near_and_another_result(cache, run):
    half = run.using(store=Store(cache, precision="bf16"))
    u, near = responses.unit_activations(run, "ast"), responses.unit_activations(half, "ast")
    for layer, values in u.items():
        assert near[layer].dtype == np.float32 and not np.array_equal(near[layer], values)
        assert np.abs(near[layer] - values).max() < 0.05 * np.abs(values).max()
    assert digest(decided(half, "ast")) != digest(decided(run, "ast"))  # of results that are kept, too
    x = half.target("ast").features(torch.from_numpy(np.zeros((2, 8000), np.float32)))
    assert ablation.logits_of(half.target("ast"), x).dtype == np.float32


class Small(torch.nn.Module):
    """A network on a device that holds only so many clips at a time."""

    def __init__(self, network, most):
        super().__init__()
        self.network, self.most, self.sizes = network, most, []

    def forward(self, x):
        self.sizes.append(len(x))
        outputs = self.network(x)  # memory runs out behind the layers that were heard
        if len(x) > self.most:
            raise torch.OutOfMemoryError("out of memory. Tried to allocate 20 GiB")
        return outputs


def small(most):
    """The tiny network, at most so many clips at a time; and the module that counts them."""
    target = tiny_target()
    module = Small(target.module, most).eval()
    layers = tuple(replace(layer, module=f"network.{layer.module}") for layer in target.layers)
    return replace(target, layers=layers, build=lambda: module), module


def test_a_batch_that_does_not_fit_is_halved(waves):
    expected, (target, module) = record(tiny_target(), [waves[:5], waves[5:]], 8), small(2)
    found = record(target, [waves[:5], waves[5:]], 8)
    for layer, values in expected.items():
        assert found[layer] == pytest.approx(values, abs=1e-6)
    assert module.sizes == [5, 3, 2, 1, 2, 3, 2, 1]
    x = target.features(torch.from_numpy(waves))
    units = {"block0.output": np.array([0, 3])}
    assert ablation.logits_of(target, x, units) == pytest.approx(ablation.logits_of(tiny_target(), x, units), abs=1e-6)


def test_where_one_clip_does_not_fit_it_is_said(waves):
    target, _ = small(0)
    sentence = "The device lacks the memory for one clip .*out of memory.*-p device cpu"
    with pytest.raises(InputError, match=sentence):
        record(target, [waves], 8)
    with pytest.raises(InputError, match=sentence):
        ablation.logits_of(target, target.features(torch.from_numpy(waves)))


@pytest.mark.skipif(not GPU, reason="needs a CUDA GPU")
def test_a_gpu_gives_what_the_processor_gives(cache, run):
    there = tiny_run(cache).using(store=Store(cache, device="cuda"))
    u, found = responses.unit_activations(run, "ast"), responses.unit_activations(there, "ast")
    for layer, values in u.items():
        assert np.abs(found[layer] - values).max() < 1e-3 * values.std()
    assert next(there.target("ast").module.parameters()).device.type == "cuda"
