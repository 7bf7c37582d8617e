"""The network of the package aisfx: its input, its checkpoint read without running it, and its units' values."""

import re
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from andlib import paths
from andlib.errors import InputError, MissingExtra
from andlib.networks import aisfx

GOLDEN = load_file(Path(__file__).parent / "golden" / "aisfx.safetensors")


@pytest.fixture(scope="module")
def network():
    """The trained network; skips where its package is not installed."""
    try:
        return aisfx.network()
    except MissingExtra as absent:
        pytest.skip(str(absent))


@pytest.fixture(scope="module")
def golden_input():
    """The network's input for the golden signal: a noise burst, a rising tone, a click and silence at 44.1 kHz."""
    samples = GOLDEN["input.samples"].astype(np.float32) / 32_768
    return aisfx.log_mel(torch.from_numpy(samples)[None])


def slow_log_mel(samples):
    """log10(1 + 10,000 x band power), band by band and frame by frame; [frames, mels]."""
    rate, length, shift, mels = 44_100, 2048, 1024, 96
    edges = [700 * (np.exp(m) - 1) for m in np.linspace(0, np.log(1 + rate / 2 / 700), mels + 2)]
    window = [0.5 - 0.5 * np.cos(2 * np.pi * i / (length - 1)) for i in range(length)]
    padded = np.concatenate([np.zeros(length // 2), samples, np.zeros(length)])
    rows = []
    for centre in range(0, len(samples) + shift, shift):  # up to the first centre at or behind the end
        power = np.abs(np.fft.fft(padded[centre : centre + length] * window)[: length // 2 + 1]) ** 2
        row = []
        for low, middle, high in zip(edges, edges[1:], edges[2:], strict=False):
            bins = [i for i in range(length // 2 + 1) if low < i * rate / length < high]
            mel = [np.log(1 + i * rate / length / 700) for i in bins]
            a, b, c = (np.log(1 + f / 700) for f in (low, middle, high))
            weights = [min((m - a) / (b - a), (c - m) / (c - b)) for m in mel]
            row.append(sum(w * power[i] for w, i in zip(weights, bins, strict=True)) / sum(weights))
        rows.append(np.log10(1 + 10_000 * np.array(row)))
    return np.array(rows)


@pytest.mark.parametrize("length", [3000, 3072, 3073])
def test_log_mel_equals_a_slow_reference_at_every_length(length):
    samples = np.random.default_rng(length).standard_normal(length) * 0.2
    ours = aisfx.log_mel(torch.from_numpy(samples.astype(np.float32))[None])[0].numpy() * aisfx.LARGEST
    slow = slow_log_mel(samples)
    assert ours.shape == slow.shape
    assert ours == pytest.approx(slow, abs=1e-4)


def test_log_mel_equals_what_essentia_gave(golden_input):
    assert golden_input[0].numpy() * aisfx.LARGEST == pytest.approx(GOLDEN["expect.log_mel"], abs=1e-4)


def test_the_network_gives_what_the_package_s_own_code_gave(network, golden_input):
    with torch.no_grad():
        assert network(golden_input)[0].numpy() == pytest.approx(GOLDEN["expect.embedding"], abs=1e-4)


def test_layers_have_the_widths_of_the_paper_and_values_seen_by_a_hook_are_rectified(network, golden_input):
    seen = {}
    layers = [f"block{b}.{part}{i}" for b in (1, 2, 3, 4) for i in (1, 2) for part in ("bn", "relu")]
    handles = [
        network.get_submodule(name).register_forward_hook(lambda m, i, output, name=name: seen.update({name: output}))
        for name in [*layers, "embedding"]
    ]
    with torch.no_grad():
        output = network(golden_input)
    for handle in handles:
        handle.remove()
    assert [seen[f"block{b}.relu{i}"].shape[1] for b in (1, 2, 3, 4) for i in (1, 2)] == [
        *(64, 64, 128, 128),
        *(256, 256, 512, 512),
    ]
    for name in layers[1::2]:
        before = seen[name.replace("relu", "bn")]
        assert before.min() < 0  # not overwritten in place
        assert torch.equal(seen[name], before.clamp_min(0))
    assert torch.equal(seen["embedding"].amax((2, 3)), output)


def test_an_untrained_network_needs_no_package_and_is_the_same_for_the_same_seed(monkeypatch):
    monkeypatch.setattr(aisfx, "distribution", absent)
    state = torch.random.get_rng_state()
    one, again, other = (aisfx.network(seed).state_dict()["block1.conv1.weight"] for seed in (0, 0, 1))
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_without_the_package_the_way_to_install_it_is_named(monkeypatch):
    monkeypatch.setattr(aisfx, "distribution", absent)
    with pytest.raises(MissingExtra, match="pip install --no-deps aisfx==0.1.2"):
        aisfx.network()


def test_a_tampered_checkpoint_is_refused(network, monkeypatch, tmp_path):
    content = bytearray(aisfx.checkpoint().read_bytes())
    content[len(content) // 2] ^= 1
    tampered = tmp_path / "checkpoint.pth"
    tampered.write_bytes(content)
    monkeypatch.setattr(aisfx, "checkpoint", lambda: tampered)
    with pytest.raises(InputError, match="not the checkpoint of aisfx 0.1.2"):
        aisfx.network()


class Creates:
    """Unpickling it creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_that_would_create_a_file_is_refused_and_creates_none(monkeypatch, tmp_path):
    created, hostile = tmp_path / "created", tmp_path / "checkpoint.pth"
    torch.save(({}, Creates(created)), hostile)
    monkeypatch.setattr(aisfx, "checkpoint", lambda: hostile)
    with pytest.raises(InputError, match="not the checkpoint"):
        aisfx.network()
    with pytest.raises(InputError, match="no checkpoint of weights alone"):
        aisfx.read_checkpoint(hostile)
    assert not created.exists()
    torch.load(hostile, weights_only=False)  # what the reader must never do
    assert created.exists()


@pytest.mark.parametrize("content", [b"", b"text", torch.zeros(3).numpy().tobytes()])
def test_a_file_that_is_no_checkpoint_is_refused(content, tmp_path):
    path = tmp_path / "checkpoint.pth"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no checkpoint of weights alone"):
        aisfx.read_checkpoint(path)


def absent(name):
    raise PackageNotFoundError(name)


@pytest.fixture(scope="module")
def targets():
    """The targets that the book's section "Networks of every kind" makes, by its own code."""
    text = (paths.root() / "book/your_own.md").read_text(encoding="utf-8")
    [code] = re.findall("```python\n(.*?)```", text.partition("### Networks of every kind")[2], re.DOTALL)
    names = {}
    exec(code, names)
    return {kind: names[kind] for kind in KINDS}


KINDS = {
    "recurrent": {"0": 24},
    "transformer": {"layers.0.linear1": 192, "layers.1.linear1": 192},
    "sparse": {"layers.1": 400},
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.* hears 2 s, and clips last 0.5 s:UserWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_the_book_s_own_code_wraps_networks_of_every_kind_and_their_units_are_described(targets, kind, run):
    from andlib import stages

    target = targets[kind]
    assert {layer.name: layer.units for layer in target.layers} == KINDS[kind]
    neurons = stages.neurons(run, target)
    assert len(neurons) == sum(KINDS[kind].values())
    assert not neurons["dead"].all()
    assert neurons["high"].map(len).max() > 0
    assert set(neurons.loc[~neurons["dead"], "db"].map(len)) == {3}
