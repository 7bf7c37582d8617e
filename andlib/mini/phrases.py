"""Sentences on what stands out in a clip's measurements, varied from clip to clip: first the adjective that each
salient number earns, then its turn of phrase. Every threshold is a constant with its reason."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from andlib.mini.measurements import Measurements
from andlib.mini.naming import SENTENCES, pick

LOUD, QUIET = -16.0, -30.0  # dBFS while active: of ESC-10's recordings 29 % lie above and 13 % below
HIGH_PITCH, LOW_PITCH = 450.0, 180.0  # Hz: a crying baby lies above, a man's speaking voice below
TONAL = 0.88  # mean periodicity; an engine's buzz with its noise reaches 0.87
NOISY_PERIODICITY = 0.35  # mean periodicity; white noise has 0.15, a breathy voice 0.5
BRIGHT, MUFFLED = 3000.0, 700.0  # Hz, spectral centroid: sibilants lie above, a voice through a wall below
HISSING = 3500.0  # Hz; noise whose centre lies here is heard as s or sh, not as a roar
FAST, SLOW = 5.0, 2.5  # events a second: faster than syllables, slower than a brisk walk
STEADY, FLUCTUATING = 1.5, 5.0  # dB, deviation of the level over 100 ms: just noticeable is 1; speech has 6
SUDDEN, GRADUAL = 0.04, 0.25  # s, rise over 12 dB: at most two frames, and longer than any syllable's attack
ONE_EVENT = 1.5  # s; a longer sound without a dip is a state, not an event
BRIEF = 0.7  # s from first to last sound: one bark or sneeze with its decay
CONTINUOUS, PARTIAL = 0.95, 0.6  # share of the clip that is active

QUALITIES = ("level", "pitch", "brightness", "texture")
SYNONYMS, REPETITION, TURNS = (SENTENCES[part] for part in ("synonyms", "repetition", "turns"))


def salient_words(m: Measurements) -> dict[str, str]:
    """The word each aspect of the sound earns, aspect -> word; unremarkable aspects are left out."""
    if m.silent:
        return {}
    words = {
        "level": outside(m.level, QUIET, LOUD, "quiet", "loud"),
        "pitch": "" if m.pitch is None else outside(m.pitch, LOW_PITCH, HIGH_PITCH, "low-pitched", "high-pitched"),
        # a low tone lacks treble without being muffled
        "brightness": outside(m.centroid, 0.0 if m.periodicity >= TONAL else MUFFLED, BRIGHT, "muffled", "bright"),
        "texture": texture_word(m),
        "repetition": repetition_word(m),
        "steadiness": steadiness_word(m),
        "onset": "" if m.attack is None else outside(m.attack, SUDDEN, GRADUAL, "sudden", "gradual"),
        "duration": duration_word(m),
    }
    if words["steadiness"] == "steady":  # then the dips counted as events are too short to be heard as such
        words |= {"onset": "", "repetition": words["repetition"].replace("irregular", "")}
    return {aspect: word for aspect, word in words.items() if word}


def outside(value: float, low: float, high: float, below: str, above: str) -> str:
    """`below` or `above` where the value leaves the unremarkable middle, else an empty string."""
    return below if value <= low else above if value >= high else ""


def steadiness_word(m: Measurements) -> str:
    """Which of "steady" and "fluctuating" the level of an unbroken sound calls for; "" between them."""
    if m.gaps > 0.2 or m.span <= BRIEF:
        return ""
    return outside(m.variation, STEADY, FLUCTUATING if m.events >= 3 else np.inf, "steady", "fluctuating")


def texture_word(m: Measurements) -> str:
    """Which of "tonal", "noisy" and "hissing" the sound clearly is; "" if none."""
    if m.periodicity >= TONAL:
        return "tonal"
    if m.periodicity > NOISY_PERIODICITY or m.active_seconds < BRIEF:
        return ""
    return "hissing" if m.centroid >= HISSING else "noisy"


def repetition_word(m: Measurements) -> str:
    """How events recur: "slow", "fast" or "regular", "irregular", or "single"; "" if none stands out."""
    if m.rate is not None:
        return outside(m.rate, SLOW, FAST, "slow", "fast") or "regular"
    if m.events >= 3 and m.span > BRIEF:
        return "irregular"
    return "single" if m.events == 1 and m.span <= ONE_EVENT else ""


def duration_word(m: Measurements) -> str:
    """How much of the clip the sound fills: "brief", "partial" or "continuous"; "" if none stands out."""
    if m.span <= BRIEF:
        return "brief"
    if m.active_share >= CONTINUOUS:
        return "continuous"
    return "partial" if m.active_share <= PARTIAL and m.events <= 2 else ""


def measured_sentences(m: Measurements, rng_key: str) -> str:
    """Two or three short sentences on what stands out in the measurements; one if the clip is silent. Caption origin
    `measured`. rng_key: the clip's name; decides between synonyms and turns of phrase."""
    if m.silent:
        return pick(TURNS["silent"], rng_key, "silent")
    words = salient_words(m)
    spoken = {aspect: pick(SYNONYMS.get(word, (word,)), rng_key, word) for aspect, word in words.items()}
    # of one word alone no predicate is made: "the sound is muffled" is a passive verb to taggers
    several = sum(aspect in spoken for aspect in QUALITIES) > 1
    templates = TURNS["attributive"] + TURNS["predicative"] if several else TURNS["attributive"]
    sentences = clause(spoken, rng_key, templates, "quality", *QUALITIES) + time_sentences(spoken, words, rng_key)
    if len(sentences) < 2 and "level" not in words:
        sentences.append(pick(TURNS["moderate"], rng_key, "moderate"))
    if len(sentences) < 2:  # nothing was said of time, so the clip is not continuous
        sentences.append(as_sentence(pick(TURNS["partly"], rng_key, "partial")))
    return " ".join(sentences)


def time_sentences(spoken: dict[str, str], words: dict[str, str], rng_key: str) -> list[str]:
    """One or two sentences on repetition, course and onset, as many as stand out."""
    told, fills = partial(clause, spoken, rng_key), words.get("duration")
    partly = fills in ("brief", "partial")
    first = told(REPETITION.get(words.get("repetition"), ()), "repetition", "repetition")
    rest = told(TURNS["course"], "course", *(["steadiness"] if partly else ["duration", "steadiness"]))
    rest += told(TURNS["briefly"] if fills == "brief" else TURNS["partly"], "duration", "duration") if partly else []
    rest += told(TURNS["onset"], "onset", "onset")
    return [*first, as_sentence(" and ".join(rest))] if rest else first


def clause(spoken: dict[str, str], rng_key: str, templates: Sequence[str], name: str, *aspects: str) -> list[str]:
    """One of the templates, filled with the words of those aspects that stand out; none where none does."""
    words = [spoken[aspect] for aspect in aspects if aspect in spoken]
    if not words:
        return []
    listed = " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
    article = "an" if words[0][0] in "aeiou" else "a"
    return [pick(templates, rng_key, name).format(word=words[0], listed=listed, comma=", ".join(words), a=article)]


def as_sentence(clause: str) -> str:
    """The clause with a capital letter and a full stop."""
    return clause[0].upper() + clause[1:] + "."
