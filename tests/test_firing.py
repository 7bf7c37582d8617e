"""Where a unit fires: the order of tokens, edges in seconds and Hz, the peak, and what silencing a unit changes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import tiny_run
from torch import nn

import andlib as al
from andlib import ablation, firing, profiles
from andlib.activations import record
from andlib.errors import InputError, MissingExtra
from andlib.networks import aisfx
from andlib.records import Grid, Unit
from andlib.targets import Layer

RATE = 16_000


def burst(start: float, end: float, hertz: float, seconds: float = 2.0, rate: int = RATE) -> np.ndarray:
    """A tone between two moments in faint noise, float32 [samples]."""
    time = np.arange(round(seconds * rate)) / rate
    tone = 0.5 * np.sin(2 * np.pi * hertz * time) * ((time >= start) & (time < end))
    return (tone + 1e-3 * np.random.default_rng(0).standard_normal(len(time))).astype(np.float32)


def embedded(model: str) -> al.Target:
    profile = profiles.PROFILES["mini"]
    return al.load_target(profile.networks[model], name=model, seconds=profile.seconds)


@pytest.fixture(scope="module")
def targets():
    return {model: embedded(model) for model in ("ast", "beats_finetuned")}


def patches(target: al.Target) -> al.Target:
    """The target with one layer, what its patches become before tokens know of each other."""
    paths = {"ast": "audio_spectrogram_transformer.embeddings", "beats_finetuned": "beats.post_extract_proj"}
    layer = Layer("patches", paths[target.name], target.layers[-2].units, "mean")
    return replace(target, layers=(layer,), build=lambda: target.module)


@pytest.mark.parametrize("model", ["ast", "beats_finetuned"])
@pytest.mark.parametrize("start, hertz", [(0.4, 400.0), (1.2, 1500.0), (0.9, 6000.0)])
def test_a_tone_changes_the_tokens_at_its_place_alone(targets, model, start, hertz):
    target = patches(targets[model])
    layer, units = target.layers[0], range(target.layers[0].units)
    quiet = burst(0, 0, hertz)
    with_tone = burst(start, start + 0.2, hertz)
    if model == "ast":  # its front end removes each clip's mean, which a few periods leave alone
        assert abs(with_tone.mean()) < 1e-3
    _, cells, seconds, hertzes = firing.maps(target, layer, units, np.stack([quiet, with_tone]))
    changed = np.abs(cells[1] - cells[0]).sum(-1)
    t, b = np.unravel_index(changed.argmax(), changed.shape)
    assert seconds[t] - 0.16 < start + 0.1 < seconds[t + 1] + 0.16
    assert hertzes[b] * 0.9 < hertz < hertzes[b + 1] * 1.1
    far = (seconds[1:] < start - 0.05) | (seconds[:-1] > start + 0.25)
    assert changed[far].max() < 1e-3 * changed.max()  # no other moment is touched


@pytest.mark.parametrize("model", ["ast", "beats_finetuned"])
def test_the_mean_of_a_map_is_the_recorded_activation_where_tokens_are_averaged(targets, model):
    layer = targets[model].layer("block1.intermediate" if model == "ast" else "block1.fc1").read(pooling="mean")
    target = replace(targets[model], layers=(layer,), build=lambda: targets[model].module)
    clips = np.stack([burst(0.3, 0.5, 900.0), burst(1.0, 1.8, 3000.0)])
    u = record(target, [clips], 2)[layer.name]
    for index in (0, 7):
        found = al.where_it_fired(target, Unit(target.name, layer.name, index), list(clips))
        assert [f.activation for f in found] == pytest.approx(u[:, index].tolist(), abs=1e-5)
        if model != "ast":  # AST's mean holds two tokens without a place
            assert [f.map.mean() for f in found] == pytest.approx(u[:, index].tolist(), abs=1e-5)


def detector(low: float, high: float) -> al.Target:
    """A network of one unit, the level of a band in frames of 400 samples every 160, by a hand-made filter bank."""
    bins = torch.fft.rfftfreq(400, 1 / RATE)
    inside = ((bins >= low) & (bins < high)).float()

    class Level(nn.Module):
        def forward(self, frames):
            return (torch.fft.rfft(frames).abs() * inside).sum(-1)[:, None]

    network = nn.Sequential(Level()).eval()
    frames = lambda waves: waves.unfold(-1, 400, 160)  # noqa: E731
    axes = ("clips", "channels", "time")
    return al.wrap(network, layers="0", axes=axes, sample_rate=RATE, seconds=2.0, features=frames, name="detector")


@pytest.mark.parametrize("start", [0.2, 1.0, 1.6])
def test_a_detector_of_one_band_fires_where_the_band_sounds(start):
    target = detector(900, 1100)
    both = burst(start, start + 0.2, 1000) + burst(1.9 - start, 2.0 - start, 4000)  # the other tone is not its own
    [found] = al.where_it_fired(target, Unit("detector", "0", 0), [both])
    assert found.interval == pytest.approx((start, start + 0.2), abs=0.025)  # one frame
    assert found.band == (0.0, pytest.approx(8000.0))


def test_a_unit_of_a_convolution_over_the_spectrogram_has_its_place_in_time_and_band():
    conv = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    conv.weight.data.fill_(1.0)
    network = nn.Sequential(nn.Unflatten(1, (1, -1)), conv).eval()
    axes = ("clips", "channels", "frames", "mels")
    heard = dict(sample_rate=44_100, seconds=2.0, features=aisfx.log_mel)
    target = al.wrap(network, layers="1", axes=axes, pooling="max", name="level", **heard)
    for start, hertz in ((0.5, 700.0), (1.5, 5000.0)):
        [found] = al.where_it_fired(target, Unit("level", "1", 0), [burst(start, start + 0.2, hertz, rate=44_100)])
        assert found.interval == pytest.approx((start, start + 0.2), abs=0.06)
        assert found.band[0] < hertz < found.band[1] and found.activation == found.map.max()


def test_the_sound_effects_network_keeps_its_order_of_frames_and_bands():
    try:
        network = aisfx.network()
    except MissingExtra as absent:
        pytest.skip(str(absent))
    axes = ("clips", "channels", "frames", "mels")
    heard = dict(sample_rate=44_100, seconds=2.0, features=aisfx.log_mel)
    target = al.wrap(network, layers=["block1.relu1", "embedding"], axes=axes, pooling="max", name="aisfx", **heard)
    quiet, loud = burst(0, 0, 1, rate=44_100), burst(1.2, 1.4, 2000.0, rate=44_100)
    layer = target.layer("block1.relu1")
    _, cells, seconds, hertz = firing.maps(target, layer, range(layer.units), np.stack([quiet, loud]))
    changed = np.abs(cells[1] - cells[0]).sum(-1)
    t, b = np.unravel_index(changed.argmax(), changed.shape)
    assert 1.15 < seconds[t] < 1.45 and hertz[b - 2] < 2000 < hertz[b + 3]  # within the convolution's reach
    layer = target.layer("embedding")  # no bands are left
    u, cells, _, _ = firing.maps(target, layer, [3], loud[None])
    assert cells.shape[2] == 1 and cells.max() == u[0, 0]


def test_padding_is_not_where_a_unit_fires():
    target = detector(900, 1100)
    [found] = al.where_it_fired(target, Unit("detector", "0", 0), [burst(0.1, 0.3, 1000, 0.5)])
    assert found.map.shape[0] == 198 and found.heard == 0.5 and found.interval[1] <= 0.5
    [silent] = al.where_it_fired(target, Unit("detector", "0", 0), [np.zeros(8000, np.float32)])
    assert silent.interval == (0.0, 0.5)  # nowhere more than anywhere else


def test_tokens_without_a_place_are_refused_in_a_sentence(targets):
    network = nn.Sequential(nn.Linear(400, 4)).eval()
    tokens = ("clips", "tokens", "channels")
    heard = dict(sample_rate=RATE, seconds=0.5, features=lambda waves: waves.unfold(-1, 400, 160))
    target = al.wrap(network, layers="0", axes=tokens, **heard)
    with pytest.raises(InputError, match="cannot be told"):
        al.where_it_fired(target, Unit("model", "0", 1), [burst(0, 0, 1, 0.5)])
    declared = al.wrap(network, layers="0", axes=tokens, grid=Grid((0.0, 0.5), (0.0, 8000.0), bands=1), **heard)
    [found] = al.where_it_fired(declared, Unit("model", "0", 1), [burst(0, 0, 1, 0.5)])
    assert found.map.shape == (48, 1) and found.map.mean() == pytest.approx(found.activation, abs=1e-5)
    with pytest.raises(InputError, match="cannot be told"):
        al.where_it_fired(targets["ast"], Unit("ast", "classifier", 0), [burst(0, 0, 1)])


def test_overlapping_patches_divide_the_middle_between_them():
    from andlib import frontend

    grid = frontend.patches(1024, 16, (10, 10), prefix=2, time_first=True)  # the public AST
    assert grid.bands == 12
    assert grid.seconds == pytest.approx(((3 * 160 + 120) / RATE, (1013 * 160 + 120) / RATE))


def test_scaling_a_unit_by_one_changes_nothing_and_by_nothing_silences_it(tmp_path):
    run = tiny_run(tmp_path)
    network = run.target("ast")
    unit = Unit("ast", "block0.intermediate", 3)
    assert firing.effect(run, network, unit, 1.0)["change"].abs().max() < 1e-6
    silenced = firing.effect(run, network, unit).set_index("class")
    tested = run.probing_set.in_folds((1,))
    features = ablation.features_of(network, tested.waveforms(network.sample_rate, network.seconds))
    logits = ablation.logits_of(network, features, {unit.layer: np.array([3])})
    column = network.classes.index("rain")
    own = [row[column] for row, clip in zip(logits, tested.clips, strict=True) if clip.label == "rain"]
    assert silenced.loc["rain", "after"] == pytest.approx(np.mean(own), abs=1e-5)
    assert silenced["change"].abs().max() > 0


@pytest.mark.parametrize("change", [{"sample_rate": 8000}, {"seconds": 0.25}])
def test_an_effect_belongs_to_the_rate_and_length_it_was_measured_at(tmp_path, change):
    unit = Unit("ast", "block0.intermediate", 3)

    def changes(run, network):
        return firing.effect(run, network, unit)["change"].to_numpy()

    usual = tiny_run(tmp_path / "fresh").target("ast")
    other = replace(usual, **change)
    alone = {network: changes(tiny_run(tmp_path / str(n)), network) for n, network in enumerate((usual, other))}
    assert not np.allclose(alone[usual], alone[other], atol=1e-6)
    for order in ((usual, other), (other, usual)):
        run = tiny_run(tmp_path / order[0].fingerprint)  # one cache
        for network in order:
            np.testing.assert_array_equal(changes(run, network), alone[network])


def test_stored_maps_are_those_that_were_made(tmp_path):
    run = tiny_run(tmp_path)
    network, unit = run.target("ast"), Unit("ast", "block0.intermediate", 3)
    made, kept = (firing.fired(run, network, unit, [4, 0]) for _ in range(2))
    samples = [run.probing_set.read(run.probing_set.clips[i], RATE) for i in (4, 0)]
    fresh = al.where_it_fired(network, unit, samples)
    for i, direct in zip((4, 0), fresh, strict=True):
        assert np.array_equal(made[i].map, kept[i].map) and np.allclose(kept[i].map, direct.map, atol=1e-5)
        assert kept[i].interval == direct.interval and kept[i].band == direct.band
