"""Words of a text: tags, lemmas, open concepts (module C), and whether words name a class."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from andlib import paths


@dataclass(frozen=True)
class Token:
    """One word of a text.

    word: as written. lemma: its dictionary form, lower case. negated: "no", "not" or "without" comes within the
    four words before it. pos: "adjective", "noun", "verb", "preposition" or "other".
    """

    word: str
    lemma: str
    pos: str
    negated: bool = False


@dataclass(frozen=True)
class OpenConcepts:
    """Output of module C for one neuron: words of its calibrated summary, each with its number of occurrences.

    A mapping's keys are the set the paper speaks of, in order of appearance; its sum is what Fig. 4 counts.
    raw_nouns: nouns as written and unfiltered, which the released code matches with class names.
    length: words in the summary.
    """

    adjectives: dict[str, int]
    nouns: dict[str, int]
    verbs: dict[str, int]
    prepositions: dict[str, int]
    raw_nouns: dict[str, int]
    length: int


_TABLE = tomllib.loads((paths.PACKAGE / "words.toml").read_text(encoding="utf-8"))


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(phrase for phrase in (" ".join(part.split()) for part in text.split(",")) if phrase)


IGNORED = {pos: frozenset(words.split()) for pos, words in _TABLE["ignored"].items()}
ACOUSTIC = {word: kind for kind, words in reversed(_TABLE["acoustic"].items()) for word in words.split()}
PROPERTIES = frozenset(_TABLE["properties"]["nouns"].split())
QUALITY_SYNONYMS = {w: key for key, words in _TABLE["synonyms"]["qualities"].items() for w in words.split()}
EVENT_SYNONYMS = {w: key for key, words in _TABLE["synonyms"]["events"].items() for w in words.split()}
EVENTS = frozenset(_TABLE["events"]["verbs"].split())
CLASS_NOUNS = {name: _phrases(entry["nouns"]) for name, entry in _TABLE["classes"].items()}
CLASS_VERBS = {name: _phrases(entry["verbs"]) for name, entry in _TABLE["classes"].items()}
_OTHER_PHRASES = _phrases(_TABLE["phrases"]["other"])
_KNOWN_PHRASES = frozenset(p for p in (*sum(CLASS_NOUNS.values(), ()), *_OTHER_PHRASES, *CLASS_NOUNS) if " " in p)
_LONGEST_PHRASE = max(len(phrase.split()) for phrase in _KNOWN_PHRASES)

_NEGATIONS = {"no", "not", "n't", "without"}
_NEGATION_REACH = 4
_LONGEST_WORD = 40  # longer ones are no words, and cost the tagger time that grows with the square of their length


@lru_cache(maxsize=1)
def _tagger():
    """HanTa's English model: a pickle, but the installed package's own data, no file from elsewhere."""
    from HanTa.HanoverTagger import HanoverTagger

    return HanoverTagger("morphmodel_en.pgz")


@lru_cache(maxsize=1)
def _tokenizer():
    from nltk.tokenize import NLTKWordTokenizer

    return NLTKWordTokenizer()


@lru_cache(maxsize=1 << 16)
def tag(text: str) -> tuple[Token, ...]:
    """Words of a text with lemma, part of speech and negation; punctuation is left out.

    Tagged by HanTa 1.2.1, whose AJ* and attributive VVN are adjectives, NN* and NP0 nouns, V* verbs, PR* prepositions
    (Section 3.4 tags with NLTK, whose tagger needs a download). Hyphenated words stay whole.

    >>> [(t.lemma, t.pos) for t in tag("A high-pitched dog barks.")][1:]
    [('high-pitched', 'adjective'), ('dog', 'noun'), ('bark', 'verb')]
    """
    return tuple(token for sentence in _sentences(text) for token in _tag_sentence(sentence))


def _sentences(text: str) -> list[str]:
    """Sentences, numbered points and lines; dashes become commas and "high pitched" becomes one word."""
    text = re.sub(r"[^\S\n]|[\x00-\x09\x0b-\x1f\x7f-\x9f]", " ", text).replace("\u2019", "'")
    text = re.sub(r"\s*[\u2013\u2014/]+\s*|\s-+\s", " , ", text)
    text = re.sub(r"\b(high|low|mid)\s+(pitched|quality)\b", r"\1-\2", text, flags=re.IGNORECASE)
    return [part for part in re.split(r"(?<=[.!?;:])\s+|\n+", text) if part.strip()]


@lru_cache(maxsize=1 << 16)
def _tag_sentence(sentence: str) -> tuple[Token, ...]:
    words = [word for word in _tokenizer().tokenize(sentence) if len(word) <= _LONGEST_WORD]
    tagged = [
        (word, *rest) for word, (_, *rest) in zip(words, _tagger().tag_sent([w.lower() for w in words]), strict=True)
    ]
    tokens: list[tuple[str, str, str]] = []
    for i, (word, lemma, code) in enumerate(tagged):
        following = tagged[i + 1][2] if i + 1 < len(tagged) else ""
        tokens.append(_corrected(word.strip("'`\""), lemma.lower().strip("'`\""), code, tokens, following))
    spoken = [(word, lemma, _part_of_speech(code)) for word, lemma, code in tokens if re.search(r"[^\W_]", word)]
    return tuple(
        Token(
            *token, negated=any(before[0].lower() in _NEGATIONS for before in spoken[max(0, i - _NEGATION_REACH) : i])
        )
        for i, token in enumerate(spoken)
    )


def _part_of_speech(code: str) -> str:
    heads = {"AJ": "adjective", "NN": "noun", "NP": "noun", "PR": "preposition"}
    return heads.get(code[:2], "verb" if code[:1] == "V" else "other")


def _corrected(
    word: str, lemma: str, code: str, before: list[tuple[str, str, str]], following: str
) -> tuple[str, str, str]:
    """Word, lemma and code after the slips HanTa makes on captions, mended in the order of the examples below.

    before: words already corrected. following: the code of the next word.
    """
    form, head = word.lower(), code[:2]
    verb, previous = event_of(form, lemma), before[-1][2][:2] if before else ""
    alone = not before and not following[:2].strip("PU")
    if form in ("a", "an", "being"):
        return word, form if form != "being" else "be", "VBG" if form == "being" else "AT0"
    if previous == "VB" or (before and before[-1][1] in _LINKING):  # "is clear", "is fluctuating"; "a dog is barking"
        if form in ACOUSTIC and (not form.endswith("ing") or _speaks_of_sound(before)):
            return word, form, "AJ0"
        return (word, verb, "VVG") if verb and form.endswith("ing") else (word, lemma, code)
    if alone and (verb or form in ACOUSTIC):  # "Loud: ...", "Ticking: ..."
        return (
            (word, verb, "VVG") if verb and form.endswith("ing") else (word, form, "AJ0" if form in ACOUSTIC else code)
        )
    begins = form in ACOUSTIC and not before and head != "AJ"
    if begins and (following[:2] == "NN" or (following[:2] in ("VB", "PR") and not form.endswith("ing"))):
        return word, form, "AJ0"  # "Sudden onset", "constant in all clips"
    acts = previous in ("NN", "NP", "PN") or (before and before[-1][2] == "DTQ") or _joins(before, "VV")
    if acts and verb and head in ("NN", "AJ") and form.endswith(("s", "ing")) and following[:2] not in ("VB", "VH"):
        return word, verb, "VVZ"  # "a dog barks and growls", "a clock ticking", "what beeps"
    if head == "VV" and code != "VVG" and previous in ("AT", "AJ", "DP") and verb:  # "a sneeze"
        return word, verb, "NN1"
    if (
        form in ACOUSTIC
        and head in ("VV", "AV")
        and code != "VVG"
        and (previous in ("AJ", "AV", "") or _joins(before, "AJ"))
    ):
        return word, form, "AJ0"  # "loud and clear"
    if code == "VVN" and following[:2] in ("NN", "AJ") and previous != "VH":  # "a modulated tone"
        return word, form, "AJ0"
    if head == "VV" and verb:  # whose lemma HanTa may miss: "scraping"
        return word, verb, code
    return word, lemma, code


_LINKING = {"remain", "stay", "sound", "seem", "become"}


def _joins(before: list[tuple[str, str, str]], head: str) -> bool:
    """Whether the last word is an "and" or comma after a word of that tag."""
    return len(before) > 1 and before[-1][2][:2] in ("CJ", "PU") and before[-2][2][:2] == head


def _speaks_of_sound(before: list[tuple[str, str, str]]) -> bool:
    """Whether the last noun or pronoun is the sound itself, of which "hissing" is a quality and no deed."""
    subject = next((lemma for _, lemma, code in reversed(before) if code[:2] in ("NN", "NP", "PN")), "it")
    return subject == "it" or subject in IGNORED["nouns"] | PROPERTIES


def event_of(word: str, lemma: str) -> str:
    """The verb of sound that a word is a form of ("crowing" and "crows" -> "crow"), or "" if it is of none."""
    stem = word.removesuffix("ing") if word.endswith("ing") else word.removesuffix("s")
    candidates = (lemma, stem, f"{stem}e", stem[:-1]) if stem != word else (lemma,)
    return next((candidate for candidate in candidates if candidate in EVENTS), "")


def is_acoustic(adjective: str) -> bool:
    """Whether an adjective can describe tone, emotion or acoustic features of a sound (Section 3.4).

    A list of ours stands in for the verdict that the paper asks of its LLM once per distinct adjective.
    """
    return adjective.lower() in ACOUSTIC


def is_boilerplate(point: str, *, released: bool = False) -> bool:
    """Whether a point of a summary is a greeting or other talk, no finding.

    released: words count wherever their letters occur, as released (switch `word_lists_by_substring`), so that
    "sure" drops every point on pressure.
    """
    text, openings = point.lower(), _TABLE["boilerplate"]["openings"].split()
    if any(phrase in text for phrase in _TABLE["boilerplate"]["phrases"]):
        return True
    words = re.findall(r"[a-z]+", text)
    return any(word in text for word in openings) if released else bool(words) and words[0] in openings


def open_concepts(points: Sequence[str], *, released: bool = False) -> OpenConcepts:
    """C_open: adjectives of a calibrated summary after rule-based and acoustic filtering, and its other words.

    Section 3.4. Nouns, verbs and prepositions (Section 4.4) are lemmas without words that carry no concept; two words
    that name one thing ("church bells") are one noun.

    points: the points of S_h^c, with or without their numbers.
    released: words are dropped where the letters of a stop word occur in them, negation is missed in the first four
    words of a point, and every "high" becomes "high-quality" (switch `word_lists_by_substring`).
    """
    parts = [_concepts_of(re.sub(r"^\s*\d+[.)]\s*", "", point), released) for point in points]
    counters = [dict(sum((Counter(part[kind]) for part in parts), Counter())) for kind in range(5)]
    return OpenConcepts(*counters, length=sum(part[5] for part in parts))


@lru_cache(maxsize=1 << 16)
def _concepts_of(point: str, released: bool) -> tuple[tuple[str, ...], ...]:
    tokens = tag(point)
    found = {pos: tuple(t.lemma for t in tokens if t.pos == pos) for pos in ("verb", "preposition")}
    adjectives = (
        _released_adjectives(tokens)
        if released
        else (word for word, token in adjectives_of(tokens) if not token.negated)
    )
    return (
        tuple(word for word in adjectives if is_acoustic(word)),
        tuple(noun for noun in nouns_of([t for t in tokens if not t.negated]) if noun not in IGNORED["nouns"]),
        tuple(verb for verb in found["verb"] if verb not in IGNORED["verbs"]),
        found["preposition"],
        tuple(t.word.lower() for t in tokens if t.pos == "noun"),
        len(tokens),
    )


def adjectives_of(tokens: Sequence[Token]) -> Iterator[tuple[str, Token]]:
    """Adjectives that are no stop words, each with its token; a "high frequency" or "high pitch" is high-pitched."""
    for token, following in zip(tokens, (*tokens[1:], None), strict=True):
        word = token.word.lower() if token.word.lower() in ACOUSTIC else token.lemma
        if token.pos != "adjective" or word in IGNORED["adjectives"]:
            continue
        pitch = following is not None and following.lemma in ("pitch", "frequency") and word in ("high", "low")
        yield f"{word}-pitched" if pitch else word.replace("-frequency", "-pitched"), token


def _released_adjectives(tokens: Sequence[Token]) -> Iterator[str]:
    for i, token in enumerate(tokens):
        # released code: the window starts at i - 4, a negative index for the first four words, and so is empty
        negated = token.negated and i >= _NEGATION_REACH
        if token.pos == "adjective" and not negated and not any(stop in token.lemma for stop in IGNORED["adjectives"]):
            yield "high-quality" if "high" in token.lemma else token.lemma


def nouns_of(tokens: Sequence[Token]) -> Iterator[str]:
    """Lemmas of nouns in order; known phrases ("fire engine", "water pouring") are one noun."""
    i = 0
    while i < len(tokens):
        phrase = _phrase_at(tokens, i)
        if phrase:
            yield phrase
        elif tokens[i].pos == "noun":
            yield tokens[i].lemma
        i += len(phrase.split()) or 1


def _phrase_at(tokens: Sequence[Token], start: int) -> str:
    """The longest known phrase that begins at a token, with a noun in it, or ""."""
    for length in range(_LONGEST_PHRASE, 1, -1):
        part = tokens[start : start + length]
        forms = (" ".join(t.word.lower() for t in part), " ".join(t.lemma for t in part))
        known = next((form for form in forms if form in _KNOWN_PHRASES), "")
        if known and len(part) == length and any(t.pos == "noun" for t in part):
            return known
    return ""


def _singulars(noun: str) -> Iterator[str]:
    """A noun and what it may be the plural of, also where it is a phrase."""
    yield noun
    for plural, singular in (("ies", "y"), ("ves", "f"), ("es", ""), ("s", "")):
        if noun.endswith(plural) and len(noun) > len(plural) + 1:
            yield noun.removesuffix(plural) + singular


def _plain(name: str) -> str:
    return " ".join(re.findall(r"[\w'-]+", name.lower().replace("_", " ")))


def names_class(nouns: Iterable[str], class_name: str, *, released: bool = False) -> bool:
    """Whether nouns name a class, by lemma and synonym: "puppies" is a dog, "train" no rain, "chainsaw" no hand saw.

    The rule of OCP in Section 4.3. Classes of ESC-50 have a table of synonyms (`words.toml`); another class is named
    by its own name, or by all words of it.

    nouns: lemmas or plurals, also phrases of two words. class_name: in words, like "sea waves".
    released: any noun that is a substring of the class name (switch `ocp_substring`).
    """
    if released:
        return any(noun in class_name for noun in nouns if noun)
    said = {form for noun in nouns for form in _singulars(_plain(noun))}
    return bool(said & _naming_nouns(_plain(class_name))) or _says_all(said, _plain(class_name))


@lru_cache(maxsize=1024)
def _naming_nouns(class_name: str) -> frozenset[str]:
    return frozenset((*CLASS_NOUNS.get(class_name, ()), class_name))


def _says_all(said: set[str], class_name: str) -> bool:
    words = class_name.split()
    return class_name not in CLASS_NOUNS and bool(words) and all(said & set(_singulars(word)) for word in words)


def canonical(noun: str) -> str:
    """The word by which the one class of ESC-50 that a noun names is known ("puppy" -> "dog"), or the noun itself."""
    return _CANONICAL.get(noun, noun)


_NAMED = Counter(noun for nouns in CLASS_NOUNS.values() for noun in nouns)
_CANONICAL = {noun: nouns[0] for nouns in CLASS_NOUNS.values() for noun in nouns if _NAMED[noun] == 1}


def mentions(text: str, class_name: str) -> bool:
    """Whether a caption names a class, by noun or by a verb that is that class's own ("crows"): plain string match."""
    tokens, verbs = tag(text), CLASS_VERBS.get(_plain(class_name), ())
    return names_class(nouns_of(tokens), class_name) or any(t.pos == "verb" and t.lemma in verbs for t in tokens)


def strike_class_words(text: str, classes: Iterable[str]) -> str:
    """The text without every word that names one of the classes, for the control without class words.

    Words are struck by lemma and synonym, also as a part of a hyphenated word; the others stay as they are.
    """
    tokens, struck = tag(text), set()
    for name in classes:
        verbs = CLASS_VERBS.get(_plain(name), ())
        for i, token in enumerate(tokens):
            phrase = _phrase_at(tokens, i)
            if phrase and names_class([phrase], name):
                struck.update(t.word for t in tokens[i : i + len(phrase.split())])
            parts = {token.lemma, *re.split("-", token.word.lower())}
            if names_class(parts, name) or token.lemma in verbs:
                struck.add(token.word)
    kept = re.sub(r"[^\W_](?:[\w'-]*\w)?", lambda m: "" if m[0] in struck else m[0], text)
    return re.sub(r"\s+([.,;:!?])", r"\1", re.sub(r"[ \t]+", " ", kept)).strip()
