"""The ear says what is true of sounds whose truth is known, and nothing it could only have read."""

import json
import re

import numpy as np
import pytest
import soxr

from andlib.concepts import ESC50
from andlib.errors import InputError
from andlib.mini import ear
from andlib.mini.measurements import Measurements, measure
from andlib.mini.naming import BROADER_SHARE, GROUPS, NAMES, naming_sentence, share
from andlib.mini.phrases import SYNONYMS, measured_sentences, salient_words
from andlib.mini.synthesis import synthesc
from andlib.paths import WEIGHTS

RATE = 16_000
TIME = np.arange(2 * RATE) / RATE


def tone(hertz: float, amplitude: float = 0.3) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hertz * TIME)


def noise(amplitude: float = 0.1) -> np.ndarray:
    return amplitude * np.random.default_rng(0).standard_normal(2 * RATE)


def clicks(per_second: float) -> np.ndarray:
    """Decaying bursts of 25 ms, evenly spaced over two seconds, the first a little after the start."""
    burst = np.random.default_rng(1).standard_normal(400) * np.exp(-np.arange(400) / 60)
    train = np.zeros(2 * RATE)
    train[((np.arange(int(2 * per_second)) + 0.3) / per_second * RATE).astype(int)] = 0.2
    return np.convolve(train, burst)[: 2 * RATE]


SOUNDS = {
    "low tone": tone(100),
    "tone": tone(440),
    "high tone": tone(4000),
    "white noise": noise(),
    "slow clicks": clicks(2),
    "fast clicks": clicks(8),
    "click": clicks(0.5),
    "fade-in": TIME / 2 * noise(0.3),
    "rotor": (1 + 0.6 * np.sin(2 * np.pi * 12 * TIME)) * noise(),
    "siren": 0.2 * np.sin(2 * np.pi * np.cumsum(900 + 200 * np.sin(np.pi * TIME)) / RATE),
}


def words(samples: np.ndarray, rate: int = RATE, without: str = "") -> dict[str, str]:
    return {aspect: word for aspect, word in salient_words(measure(samples, rate)).items() if aspect != without}


@pytest.mark.parametrize(
    "sound, expected",
    [
        ("low tone", {"pitch": "low-pitched", "texture": "tonal", "steadiness": "steady", "duration": "continuous"}),
        ("tone", {"texture": "tonal", "steadiness": "steady", "duration": "continuous"}),
        ("high tone", {"pitch": "high-pitched", "brightness": "bright", "texture": "tonal", "duration": "continuous"}),
        ("white noise", {"brightness": "bright", "texture": "hissing", "steadiness": "steady"}),
        ("slow clicks", {"repetition": "slow", "onset": "sudden"}),
        ("fast clicks", {"repetition": "fast", "onset": "sudden"}),
        ("click", {"repetition": "single", "onset": "sudden", "duration": "brief"}),
        ("fade-in", {"onset": "gradual", "texture": "hissing"}),
        ("rotor", {"repetition": "fast", "duration": "continuous"}),
        ("siren", {"pitch": "high-pitched", "texture": "tonal"}),
    ],
)
def test_known_sounds_get_the_right_words(sound, expected):
    assert words(SOUNDS[sound]).items() >= expected.items()


def test_what_is_not_there_is_not_said():
    assert "pitch" not in words(SOUNDS["tone"]), "440 Hz is neither high nor low"
    assert not words(SOUNDS["white noise"]).keys() & {"pitch", "repetition", "onset"}
    assert not words(SOUNDS["tone"]).keys() & {"repetition", "onset", "brightness"}


@pytest.mark.parametrize("hertz", [80, 100, 220, 440, 1000, 2500, 4000])
def test_pitch_is_measured_within_half_a_tone_for_tones_and_for_harmonics(hertz):
    rich = sum(tone(k * hertz, 0.2 / k) for k in range(1, 6) if k * hertz < 7000)
    for samples in (tone(hertz), rich):
        assert abs(12 * np.log2(measure(samples, RATE).pitch / hertz)) < 1


def test_a_chord_has_no_pitch_at_its_common_divisor():
    assert measure(tone(400) + tone(500) + tone(600), RATE).pitch is None


def test_level_is_that_of_the_sound_not_of_the_silence_beside_it():
    half = np.where(TIME < 1, tone(440, 0.5), 0)
    assert measure(half, RATE).level == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.2)
    assert words(tone(440, 0.5))["level"] == "loud" and words(tone(440, 0.01))["level"] == "quiet"


@pytest.mark.parametrize("rate, expected", [(2, 2.0), (3, 3.0), (8, 8.0), (12, 12.0)])
def test_repetition_rate_in_hertz(rate, expected):
    assert measure(clicks(rate), RATE).rate == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize("sound", SOUNDS)
def test_only_the_level_depends_on_gain(sound):
    for gain in (0.1, 0.5, 2.0):
        assert words(gain * SOUNDS[sound], without="level") == words(SOUNDS[sound], without="level")


@pytest.mark.parametrize("sound", sorted(set(SOUNDS) - {"click"}))
def test_only_the_duration_depends_on_padding(sound):
    padded = np.pad(SOUNDS[sound], (0, 3 * RATE))
    assert words(padded, without="duration") == words(SOUNDS[sound], without="duration")


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000])
def test_words_do_not_depend_on_the_sampling_rate(rate):
    for samples in SOUNDS.values():
        assert words(soxr.resample(samples, RATE, rate), rate) == words(samples)


@pytest.mark.parametrize("samples", [np.zeros(RATE), np.zeros(0), np.array([0.5]), np.full(RATE, 0.3)])
def test_nothing_to_hear_is_silent(samples):
    for name in ("a.wav", "b.wav", "c.wav"):
        texts = ear.caption(samples, RATE, name)
        assert re.search("silent", texts["measured"]) and texts["source"] == "Nothing is heard."


@pytest.mark.parametrize("samples", [np.array([0.0, np.nan] * RATE), np.full(RATE, np.inf), np.zeros((2, RATE))])
def test_what_is_no_mono_signal_is_refused(samples):
    with pytest.raises(InputError):
        ear.caption(samples, RATE, "a.wav")


def test_unknown_origin_and_missing_names_are_refused():
    with pytest.raises(InputError, match="measured"):
        ear.caption(tone(440), RATE, "a.wav", parts=("mesured",))
    with pytest.raises(InputError, match="another number of waveforms than the 1 names"):
        ear.hear([tone(440), tone(100)], RATE, ["a.wav"])


def test_captions_are_two_to_four_sentences_the_same_on_every_call_and_varied_over_names():
    texts = set()
    for samples in SOUNDS.values():
        for name in ("a.wav", "b.wav", "c.wav", "d.wav"):
            text = " ".join(ear.caption(samples, RATE, name).values())
            assert 2 <= len(re.findall(r"[A-Z][^.]*\.", text)) <= 4 and text.count(".") <= 4, text
            assert "nan" not in text.lower() and text == " ".join(ear.caption(samples, RATE, name).values())
            texts.add(text)
    assert len(texts) > 3 * len(SOUNDS)


def test_every_word_the_ear_can_say_is_tagged_as_an_adjective():
    from HanTa.HanoverTagger import HanoverTagger

    tagger = HanoverTagger("morphmodel_en.pgz")
    adjectives = {word for options in SYNONYMS.values() for word in options}
    spoken = set()
    texts = {f"This is a {word} sound." for word in adjectives}
    texts |= {measured_sentences(measure(samples, RATE), str(i)) for samples in SOUNDS.values() for i in range(12)}
    for sentence in {sentence for text in texts for sentence in re.split(r"(?<=[.]) ", text)}:
        for token, _, tag in tagger.tag_sent(re.findall(r"[\w-]+|[.,]", sentence)):
            assert token not in adjectives or tag.startswith("AJ"), (token, tag, sentence)
            spoken |= {token} & adjectives
    assert spoken == adjectives


def test_words_reach_the_sentences():
    m = measure(SOUNDS["high tone"], RATE)
    for name in ("a", "b", "c"):
        text = measured_sentences(m, name)
        for word in salient_words(m).values():
            assert any(option in text for option in SYNONYMS[word]), (word, text)


@pytest.mark.parametrize("level", [-10.0, -22.0])
def test_a_clip_with_hardly_a_salient_word_still_gets_two_true_sentences(level):
    m = Measurements(
        level, variation=3.0, active_seconds=4.0, active_share=0.8, centroid=1500.0, periodicity=0.6, events=2
    )
    text = measured_sentences(m, "a.wav")
    assert text.count(".") == 2 and ("moderate" in text) == (level == -22) and "part of the clip" in text


def test_every_class_has_names_and_a_broader_word_used_for_about_one_clip_in_seven():
    assert set(NAMES) == set(GROUPS) == set(ESC50)
    assert all(3 <= len(phrases) <= 4 for phrases in NAMES.values())
    names = [f"clip{i}.wav" for i in range(2000)]
    broader = np.mean([naming_sentence("dog", name).rstrip(".") in GROUPS["dog"] for name in names])
    assert broader == pytest.approx(BROADER_SHARE, abs=0.03)
    assert {naming_sentence("dog", name) for name in names} == {f"{p}." for p in NAMES["dog"] + GROUPS["dog"]}


def test_choices_are_the_same_on_every_machine():
    assert share("1-100032-A-0.ogg", "name") == pytest.approx(0.397855148, abs=1e-8)


def test_the_ear_is_right_far_above_chance_on_a_seed_it_never_heard_and_not_always():
    probed = synthesc(seed=5, sources_per_fold=1, variants=1, folds=(1, 2))
    right = np.mean([ear.guess(probed.read(clip, RATE), RATE) == clip.label for clip in probed.clips])
    assert 0.5 <= right < 1, "chance is 1 / 28"


def test_a_clip_named_after_another_class_is_heard_the_same():
    probed = synthesc(seed=5, sources_per_fold=1, variants=1, classes=("dog", "rain"), folds=(1,))
    for clip in probed.clips:
        samples = probed.read(clip, RATE)
        heard = ear.guess(samples, RATE)
        for name in ("dog.wav", "church_bells.wav", "rain.wav"):
            assert ear.caption(samples, RATE, name, ("source",))["source"].rstrip(".") in NAMES[heard] + GROUPS[heard]


def test_record_beside_the_weights_tells_how_well_the_ear_hears():
    record = json.loads((WEIGHTS / "ear.json").read_text())
    assert 0.65 <= record["accuracy_probed"]["all"] <= 0.85
    assert record["seeds"]["probed"] not in (record["seeds"]["training"], record["seeds"]["check"])
    assert len(record["classes"]) == len(ear.classifier()[0]["weight"])
    assert (WEIGHTS / "ear.safetensors").stat().st_size < 100_000
