"""Sentences on what stands out in a clip's measurements, varied from clip to clip."""

from collections.abc import Sequence

from andlib.mini.measurements import Measurements
from andlib.mini.naming import pick
from andlib.mini.words import salient_words

SYNONYMS = {  # the first is the word of the measurement; it stands twice where the others are rarer in speech
    "loud": ("loud", "loud", "strong"),
    "quiet": ("quiet", "soft", "faint"),
    "high-pitched": ("high-pitched", "high-pitched", "high"),
    "low-pitched": ("low-pitched", "low-pitched", "deep"),
    "bright": ("bright", "bright", "crisp"),
    "muffled": ("muffled", "dull", "dark"),
    "noisy": ("noisy", "noisy", "rough"),
    "hissing": ("hissing", "noisy"),
    "tonal": ("tonal", "clear", "clear"),
    "slow": ("slow", "slow", "unhurried"),
    "fast": ("fast", "rapid", "quick"),
    "regular": ("regular", "rhythmic"),
    "irregular": ("irregular", "irregular", "uneven"),
    "single": ("single",),
    "steady": ("steady", "steady", "constant"),
    "fluctuating": ("fluctuating", "variable"),
    "sudden": ("sudden", "sharp", "abrupt"),
    "gradual": ("gradual", "gradual", "smooth"),
    "brief": ("brief", "short"),
    "continuous": ("continuous", "continuous", "uninterrupted"),
}
ATTRIBUTIVE = ("This is {a} {comma} sound.", "One hears {a} {comma} sound.", "It is {a} {comma} sound.")
PREDICATIVE = ("The sound is {listed}.", "The recording is {listed}.")
PACE = (
    "It repeats at {a} {word}, regular rate.",
    "The repetition is {word} and regular.",
    "It has {a} {word} and rhythmic pulse.",
)
REPETITION = {
    "slow": PACE,
    "fast": PACE,
    "regular": ("It repeats at {a} {word} rate.", "The repetition is {word}.", "It has {a} {word} pulse."),
    "irregular": ("The events are {word}.", "Several {word} events are heard.", "It comes in {word} bursts."),
    "single": ("It is a {word} event.", "A {word} event is heard."),
}
COURSE = ("it is {listed}", "it stays {listed}", "the sound remains {listed}")
BRIEF = ("it is {listed}", "it lasts {a} {listed} moment", "the sound is {listed}")
PARTIAL = ("it fills a part of the clip", "it is heard for a part of the clip")
ONSET = ("the onset is {listed}", "it begins with {a} {listed} onset", "its attack is {listed}")
SILENT = ("The clip is silent.", "The recording is silent.", "Nothing is heard in the silent clip.")
MODERATE = ("The level is moderate.", "The sound has a moderate level.")


def measured_sentences(m: Measurements, rng_key: str) -> str:
    """Two or three short sentences on what stands out in the measurements; one if the clip is silent. Caption origin
    `measured`. rng_key: the clip's name; decides between synonyms and turns of phrase."""
    if m.silent:
        return pick(SILENT, rng_key, "silent")
    words = salient_words(m)
    spoken = {aspect: pick(SYNONYMS.get(word, (word,)), rng_key, word) for aspect, word in words.items()}
    sentences = quality_sentence(spoken, rng_key) + time_sentences(spoken, words, rng_key)
    if len(sentences) < 2 and "level" not in words:
        sentences.append(pick(MODERATE, rng_key, "moderate"))
    if len(sentences) < 2:  # nothing was said of time, so the clip is not continuous
        sentences.append(as_sentence(pick(PARTIAL, rng_key, "partial")))
    return " ".join(sentences)


def quality_sentence(spoken: dict[str, str], rng_key: str) -> list[str]:
    """The sentence on level, pitch, brightness and texture, where one of them stands out."""
    words = [spoken[aspect] for aspect in ("level", "pitch", "brightness", "texture") if aspect in spoken]
    # "the sound is muffled" alone is a passive verb to taggers
    templates = ATTRIBUTIVE + PREDICATIVE if len(words) > 1 else ATTRIBUTIVE
    return [fill(pick(templates, rng_key, "quality"), words)] if words else []


def time_sentences(spoken: dict[str, str], words: dict[str, str], rng_key: str) -> list[str]:
    """One or two sentences on repetition, course and onset, as many as stand out."""

    def clause(templates: Sequence[str], name: str, *aspects: str) -> list[str]:
        chosen = [spoken[aspect] for aspect in aspects if aspect in spoken]
        return [fill(pick(templates, rng_key, name), chosen)] if chosen else []

    fills = words.get("duration")
    partly = fills in ("brief", "partial")
    first = clause(REPETITION.get(words.get("repetition"), ()), "repetition", "repetition")
    rest = clause(COURSE, "course", *(["steadiness"] if partly else ["duration", "steadiness"]))
    rest += clause(BRIEF if fills == "brief" else PARTIAL, "duration", "duration") if partly else []
    rest += clause(ONSET, "onset", "onset")
    return first + [as_sentence(" and ".join(clauses)) for clauses in [rest] if clauses]


def fill(template: str, words: list[str]) -> str:
    """The template with the words as {word}, {listed} ("a, b and c") or {comma} ("a, b, c"), after {a} or an."""
    listed = " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
    article = "an" if words[0][0] in "aeiou" else "a"
    return template.format(word=words[0], listed=listed, comma=", ".join(words), a=article)


def as_sentence(clause: str) -> str:
    """The clause with a capital letter and a full stop."""
    return clause[0].upper() + clause[1:] + "."
