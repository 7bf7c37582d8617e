"""What words mean for the method: open concepts (module C), and which words name a class."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest

from andlib.tagging import ACOUSTIC, IGNORED, NEGATION_REACH, WORDS, Token, tag


@dataclass(frozen=True)
class OpenConcepts:
    """Output of module C for one neuron: words of its calibrated summary, each with its number of occurrences.
    A mapping's keys are the set the paper speaks of, in order of appearance; its sum is what Fig. 4 counts."""

    adjectives: dict[str, int]
    nouns: dict[str, int]
    verbs: dict[str, int]
    prepositions: dict[str, int]
    raw_nouns: dict[str, int]  # as written and unfiltered, which the released code matches with class names
    length: int  # words in the summary


Judge = Callable[[str], bool]


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(phrase for phrase in (" ".join(part.split()) for part in text.split(",")) if phrase)


CLASS_NOUNS = {name: _phrases(entry["nouns"]) for name, entry in WORDS["classes"].items()}
CLASS_VERBS = {name: _phrases(entry["verbs"]) for name, entry in WORDS["classes"].items()}
_OTHER_PHRASES = _phrases(WORDS["phrases"]["other"])
_KNOWN_PHRASES = frozenset(p for p in (*sum(CLASS_NOUNS.values(), ()), *_OTHER_PHRASES, *CLASS_NOUNS) if " " in p)
_NAMED = Counter(noun for nouns in CLASS_NOUNS.values() for noun in nouns)
_CANONICAL = {noun: nouns[0] for name, nouns in CLASS_NOUNS.items() for noun in (*nouns, name) if _NAMED[noun] < 2}
_NO_CONCEPT = IGNORED["nouns"] | WORDS["acoustic"].keys()  # "onset" in "sharp onset" names what is sharp, no sound
_LONGEST_PHRASE = max(len(phrase.split()) for phrase in _KNOWN_PHRASES)


def is_acoustic(adjective: str) -> bool:
    """Whether an adjective can describe tone, emotion or acoustic features of a sound (Section 3.5).
    A list of ours stands in for the verdict that the paper asks of its LLM once per distinct adjective."""
    return adjective.lower() in ACOUSTIC


def is_boilerplate(point: str, *, released: bool = False) -> bool:
    """Whether a point of a summary is a greeting or other talk, no finding.
    released: words count wherever their letters occur (switch `word_lists_by_substring`): "sure" drops "pressure"."""
    text, openings = point.lower(), WORDS["boilerplate"]["openings"].split()
    if any(phrase in text for phrase in WORDS["boilerplate"]["phrases"]):
        return True
    words = re.findall(r"[a-z]+", text)
    if released:  # "hi" is ours: with it, nothing high-pitched would be left
        return any(word in text for word in openings if word != "hi")
    return bool(words) and words[0] in openings


def open_concepts(
    points: Sequence[str], *, released: bool = False, acoustic: Judge = is_acoustic, tagger: str = "hanta"
) -> OpenConcepts:
    """C_open: adjectives of a calibrated summary after rule-based and acoustic filtering, and its other words.

    Section 3.5. Nouns, verbs and prepositions (Section 4.4) are lemmas without words that carry no concept; two words
    that name one thing ("church bells") are one noun.
    points: the points of S_h^c, with or without their numbers. acoustic: which adjectives stay. tagger: see `tag`.
    released: as `_released_adjectives` (switch `word_lists_by_substring`)."""
    parts = [_concepts_of(re.sub(r"^\s*\d+[.)]\s*", "", point), released, tagger) for point in points]
    counters = [dict(Counter(word for part in parts for word in part[kind])) for kind in range(5)]
    counters[0] = {word: count for word, count in counters[0].items() if acoustic(word)}
    return OpenConcepts(*counters, length=sum(part[5] for part in parts))


@lru_cache(maxsize=1 << 16)
def _concepts_of(point: str, released: bool, tagger: str) -> tuple[tuple[str, ...], ...]:
    tokens = tag(point, tagger)
    adjectives = (word for word, token, _ in adjectives_of(tokens) if not token.negated)
    return (
        tuple(_released_adjectives(tokens) if released else adjectives),
        tuple(noun for noun in nouns_of([t for t in tokens if not t.negated]) if noun not in _NO_CONCEPT),
        tuple(t.lemma for t in tokens if t.pos == "verb" and t.lemma not in IGNORED["verbs"]),
        tuple(t.lemma for t in tokens if t.pos == "preposition"),
        tuple(t.word.lower() for t in tokens if t.pos == "noun"),
        len(tokens),
    )


def adjectives_of(tokens: Sequence[Token]) -> Iterator[tuple[str, Token, str]]:
    """Adjectives that are no stop words, each with its token and the noun it stands before, or ""."""
    for token, following in zip_longest(tokens, tokens[1:]):
        word = token.word.lower() if token.word.lower() in ACOUSTIC else token.lemma
        if token.pos == "adjective" and word not in IGNORED["adjectives"]:
            noun = following.lemma if following and following.pos == "noun" else ""
            pitch = noun in ("pitch", "frequency") and word in ("high", "low")
            yield f"{word}-pitched" if pitch else word.replace("-frequency", "-pitched"), token, noun


def _released_adjectives(tokens: Sequence[Token]) -> Iterator[str]:
    """Dropped where a stop word's letters occur; every "high" becomes "high-quality"."""
    for i, token in enumerate(tokens):
        # released code: the window starts at i - 4, a negative index for the first four words, and so is empty
        negated = token.negated and i >= NEGATION_REACH
        if token.pos == "adjective" and not negated and not any(stop in token.lemma for stop in IGNORED["adjectives"]):
            yield "high-quality" if "high" in token.lemma else token.lemma


def nouns_of(tokens: Sequence[Token]) -> Iterator[str]:
    """Lemmas of nouns in order; known phrases ("fire engine", "water pouring") are one noun."""
    for name, part in _things(tokens):
        if len(part) > 1 or part[0].pos == "noun":
            yield name


def _things(tokens: Sequence[Token]) -> Iterator[tuple[str, Sequence[Token]]]:
    """Every known phrase, and the lemma of every word outside them, with its tokens."""
    i = 0
    while i < len(tokens):
        phrase = _phrase_at(tokens, i)
        length = len(phrase.split()) or 1
        yield phrase or tokens[i].lemma, tokens[i : i + length]
        i += length


def _phrase_at(tokens: Sequence[Token], start: int) -> str:
    """The longest known phrase that begins at a token, with a noun in it, or ""."""
    for length in range(_LONGEST_PHRASE, 1, -1):
        part = tokens[start : start + length]
        forms = (" ".join(t.word.lower() for t in part), " ".join(t.lemma for t in part))
        known = next((form for form in forms if form in _KNOWN_PHRASES), "")
        if known and len(part) == length and any(t.pos == "noun" for t in part):
            return known
    return ""


def _forms(noun: str) -> Iterator[str]:
    """A noun in lower case, and what it may be the plural of; also where it is a phrase."""
    noun = _plain(noun)
    yield noun
    for plural, singular in (("ies", "y"), ("ves", "f"), ("es", ""), ("s", "")):
        if noun.endswith(plural) and len(noun) > len(plural) + 1:
            yield noun.removesuffix(plural) + singular


@lru_cache(maxsize=1024)
def _plain(name: str) -> str:
    return " ".join(re.findall(r"[\w'-]+", name.lower().replace("_", " ")))


def names_class(nouns: Iterable[str], class_name: str, *, released: bool = False) -> bool:
    """Whether nouns name a class, by lemma and synonym: "puppies" is a dog, "train" no rain, "chainsaw" no hand saw.

    The rule of OCP in Section 4.3. Classes of ESC-50 have synonyms (`words.toml`); another class is named by all words
    of its name. released: any noun that is a substring of the class name (switch `ocp_substring`).
    nouns: lemmas or plurals, also phrases of two words. class_name: in words, like "sea waves"."""
    if released:
        return any(noun in class_name for noun in nouns if noun)
    nouns, name = tuple(nouns), _plain(class_name)
    named = any(_names(noun, name) for noun in nouns)
    if named or name in CLASS_NOUNS:
        return named
    words, forms = name.split(), {form for noun in nouns for form in _forms(noun)}
    return bool(words) and all(forms.intersection(_forms(word)) for word in words)


@lru_cache(maxsize=1 << 16)
def _names(noun: str, class_name: str) -> bool:
    return any(form and (form in CLASS_NOUNS.get(class_name, ()) or form == class_name) for form in _forms(noun))


def canonical(noun: str) -> str:
    """The word by which the one class of ESC-50 that a noun names is known ("puppy" -> "dog"), or the noun itself."""
    return _CANONICAL.get(noun, noun)


def mentions(text: str, class_name: str) -> bool:
    """Whether a caption names a class, by noun or by a verb that is that class's own ("crows"): plain string match."""
    tokens, verbs = tag(text), CLASS_VERBS.get(_plain(class_name), ())
    return names_class(nouns_of(tokens), class_name) or any(t.pos == "verb" and t.lemma in verbs for t in tokens)


def strike_class_words(text: str, classes: Iterable[str]) -> str:
    """The text without every word, or part of a hyphenated word, that names a class: for the control without them."""
    names, struck = tuple(classes), set()
    for thing, part in _things(tag(text)):
        forms = {thing, *part[0].word.lower().split("-")} if len(part) == 1 else {thing}
        if any(names_class(forms, name) or thing in CLASS_VERBS.get(_plain(name), ()) for name in names):
            struck.update(token.word for token in part)
    kept = re.sub(r"[^\W_](?:[\w'-]*\w)?", lambda m: "" if m[0] in struck else m[0], text)
    return re.sub(r"\s+([.,;:!?])", r"\1", re.sub(r"[ \t]+", " ", kept)).strip()
