"""SynthESC: what is true of its clips, and that a clip is the same wherever it is rendered."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from andlib.concepts import ESC50
from andlib.errors import InputError
from andlib.mini.synthesis import CLASSES, CONFUSABLE, synthesc

SMALL = synthesc(sources_per_fold=2, folds=(1, 2))


def test_the_default_set_is_what_the_profile_promises():
    probing_set = synthesc()
    assert len(CLASSES) == 28 and set(CLASSES) <= set(ESC50)
    assert len(probing_set) == 28 * 5 * 4 * 2 == len({clip.name for clip in probing_set.clips})
    assert set(probing_set.folds) == {1, 2, 3, 4, 5}
    folds_of = {}
    for clip in probing_set.clips:
        folds_of.setdefault(clip.source, set()).add(clip.fold)
    assert len(folds_of) == 28 * 5 * 4 and all(len(folds) == 1 for folds in folds_of.values())


def test_clips_are_two_seconds_of_finite_unclipped_sound():
    for clip in SMALL.clips:
        samples = SMALL.read(clip, 16_000)
        assert samples.shape == (32_000,) and samples.dtype == np.float32
        assert 1e-3 < np.abs(samples).max() < 1
        np.testing.assert_array_equal(samples * 32768, np.round(samples * 32768))  # on the 16-bit grid


def test_a_clip_is_the_same_alone_in_a_larger_set_and_in_another_process():
    clip = SMALL.clips[-1]
    alone = SMALL.read(clip, 16_000)
    [same] = [c for c in synthesc().clips if c.name == clip.name]
    np.testing.assert_array_equal(synthesc().read(same, 16_000), alone)
    code = (
        "import hashlib; from andlib.mini.synthesis import synthesc; s = synthesc(sources_per_fold=2, folds=(1, 2));"
        "print(hashlib.sha256(s.read(s.clips[-1], 16_000).tobytes()).hexdigest())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert other == hashlib.sha256(alone.tobytes()).hexdigest()


def test_other_seeds_sources_and_variants_differ():
    other = synthesc(seed=1, sources_per_fold=2, folds=(1, 2))
    assert other.fingerprint != SMALL.fingerprint
    assert not set(SMALL.frame()["name"]) & set(other.frame()["name"])
    sounds = {SMALL.read(clip, 16_000).tobytes() for clip in SMALL.clips}
    sounds |= {other.read(clip, 16_000).tobytes() for clip in other.clips}
    assert len(sounds) == 2 * len(SMALL)


@pytest.mark.parametrize("attribute", ["level_db", "brightness_hz", "noisiness", "reverb_seconds"])
def test_attributes_vary_within_every_class(attribute):
    spread = SMALL.frame().groupby("label")[attribute].agg(lambda values: values.max() - values.min())
    assert len(spread) == 28 and (spread > 0).all()


def test_recorded_level_and_activity_agree_with_the_samples():
    for clip in SMALL.clips[::7]:
        samples = SMALL.read(clip, 16_000).astype(float)
        assert clip.attributes["level_db"] == pytest.approx(20 * np.log10(np.sqrt((samples**2).mean())))
        assert 0 < clip.attributes["active_seconds"] <= 2 and 0 <= clip.attributes["noisiness"] <= 1


@pytest.mark.parametrize("label", ["clock alarm", "car horn", "siren", "crickets"])
def test_recorded_pitch_is_in_the_spectrum(label):
    clips = [clip for clip in SMALL.clips if clip.label == label]
    found = 0
    for clip in clips:
        power = np.abs(np.fft.rfft(SMALL.read(clip, 16_000) * np.hanning(32_000))) ** 2
        frequency = np.fft.rfftfreq(32_000, 1 / 16_000)
        pitch = clip.attributes["pitch_hz"]
        near = power[(frequency > 0.75 * pitch) & (frequency < 1.35 * pitch)].max()
        found += near > 30 * np.median(power)
    assert found >= 0.9 * len(clips)


def test_other_rates_are_resampled():
    clip = SMALL.clips[0]
    assert len(SMALL.read(clip, 8_000)) == 16_000 and len(SMALL.read(clip, 48_000)) == 96_000


def test_confusable_pairs_are_classes():
    assert len(CONFUSABLE) >= 3
    assert all(a in CLASSES and b in CLASSES and a != b for a, b in CONFUSABLE)


def test_an_unknown_class_is_refused_with_a_suggestion():
    with pytest.raises(InputError, match="Did you mean 'rooster'"):
        synthesc(classes=("roster",))


def test_band_statistics_do_better_than_chance_but_do_not_settle_the_classes():
    from andlib.experiments import band_statistics_accuracy

    reduced = synthesc(sources_per_fold=3, variants=1, folds=(1, 2, 3))
    accuracy = band_statistics_accuracy(reduced.waveforms(16_000, 2.0), reduced.labels, reduced.folds == 1)
    assert 5 / 28 < accuracy <= 0.75
