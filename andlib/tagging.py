"""Words of a text with lemma, part of speech and negation."""

import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache

from andlib import paths
from andlib.errors import explained


@dataclass(frozen=True)
class Token:
    """One word of a text, as written; its lemma is lower case."""

    word: str
    lemma: str
    pos: str  # "adjective", "noun", "verb", "preposition" or "other"
    negated: bool = False  # "no", "not" or "without" comes within the four words before it


WORDS = tomllib.loads((paths.PACKAGE / "words.toml").read_text(encoding="utf-8"))
IGNORED = {pos: frozenset(words.split()) for pos, words in WORDS["ignored"].items()}
ACOUSTIC = {word: kind for kind, words in reversed(WORDS["acoustic"].items()) for word in words.split()}
PROPERTIES = frozenset(WORDS["properties"]["nouns"].split())
EVENTS = frozenset(WORDS["events"]["verbs"].split())

TAGGERS = {"hanta": "HanTa 1.2.1", "nltk": "NLTK's averaged perceptron"}
PENN = {"JJ": "AJ0", "NN": "NN1", "VB": "VVB", "IN": "PRP"}  # NLTK's codes, by their first letters, as HanTa's
Tagged = tuple[str, str, str]  # word, lemma, HanTa's code
_NEGATIONS = {"no", "not", "n't", "without"}
NEGATION_REACH = 4


@lru_cache(maxsize=1)
def _tagger():
    """HanTa's English model: a pickle, but the installed package's own data, no file from elsewhere."""
    from HanTa.HanoverTagger import HanoverTagger

    return HanoverTagger("morphmodel_en.pgz")


@lru_cache(maxsize=1)
def _perceptron():
    """NLTK's tagger; raises InputError where its data are not there, which no package brings."""
    from nltk.tag import PerceptronTagger

    remedy = "Get them once: python -m nltk.downloader averaged_perceptron_tagger_eng"
    with explained(lambda _: f"NLTK's tagger has no data here. {remedy}.", LookupError):
        return PerceptronTagger()


@lru_cache(maxsize=1 << 16)
def tag(text: str, tagger: str = "hanta") -> tuple[Token, ...]:
    """Words of a text with lemma, part of speech and negation; punctuation is left out. Hyphenated words stay whole.

    tagger: "hanta", of whose codes AJ* and attributive VVN are adjectives, NN* and NP0 nouns, V* verbs, PR*
    prepositions; or Section 3.5's "nltk", of whose JJ*, NN*, VB* and IN are. Lemmas are HanTa's in either case.
    Raises InputError where NLTK's data are missing.

    >>> [(t.lemma, t.pos) for t in tag("A high-pitched dog barks.")][1:]
    [('high-pitched', 'adjective'), ('dog', 'noun'), ('bark', 'verb')]"""
    return tuple(token for sentence in _sentences(text) for token in _tag_sentence(sentence, tagger))


def _sentences(text: str) -> list[str]:
    """Sentences, numbered points and lines; dashes become commas and "high pitched" becomes one word."""
    text = re.sub(r"(?:[^\S\n]|[\x00-\x09\x0b-\x1f\x7f-\x9f])+", " ", text).replace("\u2019", "'")
    text = re.sub(r"(?: ?\n)+ ?", "\n", text)
    text = re.sub(r"\s?[\u2013\u2014/]+\s?|\s-+\s", " , ", text)
    text = re.sub(r"\b(high|low|mid)\s+(pitched|quality)\b", r"\1-\2", text, flags=re.IGNORECASE)
    return [part for part in re.split(r"(?<=[.!?;:])\s+|\n+", text) if part.strip()]


@lru_cache(maxsize=1 << 16)
def _tag_sentence(sentence: str, tagger: str) -> tuple[Token, ...]:
    from nltk.tokenize import NLTKWordTokenizer

    # longer ones are no words, and cost the tagger time that grows with the square of their length
    words = [word for word in NLTKWordTokenizer().tokenize(sentence) if len(word) <= 40]
    codes = _tagger().tag_sent([word.lower() for word in words])
    tagged = [(word, lemma, code) for word, (_, lemma, code) in zip(words, codes, strict=True)]
    if tagger == "nltk":
        by_nltk = zip(tagged, _perceptron().tag(words), strict=True)
        tagged = [(*pair[:2], PENN.get(code[:2], "")) for pair, (_, code) in by_nltk]
    tokens: list[Tagged] = []
    for i, (word, lemma, code) in enumerate(tagged):
        following = tagged[i + 1][2][:2] if i + 1 < len(tagged) else ""
        token = word.strip("'`\""), lemma.lower().strip("'`\""), code
        tokens.append(token if tagger == "nltk" else _corrected(*token, tokens, following))
    spoken = [(word, lemma, _part_of_speech(code)) for word, lemma, code in tokens if re.search(r"[^\W_]", word)]
    return tuple(
        Token(*token, negated=any(before[0].lower() in _NEGATIONS for before in spoken[max(0, i - NEGATION_REACH) : i]))
        for i, token in enumerate(spoken)
    )


def _part_of_speech(code: str) -> str:
    heads = {"AJ": "adjective", "NN": "noun", "NP": "noun", "PR": "preposition"}
    return heads.get(code[:2], "verb" if code[:1] == "V" else "other")


def _corrected(word: str, lemma: str, code: str, before: list[Tagged], following: str) -> Tagged:
    """Without the slips HanTa makes on captions, which lack articles. following: code of the next word, two letters."""
    form = word.lower()
    verb, is_gerund = event_of(form, lemma), form.endswith("ing")
    if form in ("a", "an"):
        return word, form, "AT0"
    if form == "being":
        return word, "be", "VBG"
    if verb and is_gerund and ((not before and following in ("", "PU")) or _head(before) == "VH"):
        return word, form, "NN1"  # "Ticking: ...", "the clips have ticking"
    if verb and _is_deed(form, code[:2], before, following):
        return word, verb, "VVG" if is_gerund else "VVZ"
    if form in ACOUSTIC and ("-" in form or _is_quality(is_gerund, code, before, following)):
        return word, form, "AJ0"
    if code == "VVN" and following in ("NN", "AJ") and _head(before) != "VH":  # attributive: "a modulated tone"
        return word, form, "AJ0"
    if verb and code[:2] == "VV":  # a noun in "a sneeze"; a lemma that HanTa misses in "scraping"
        return word, verb, "NN1" if code != "VVG" and _head(before) in ("AT", "AJ", "DP") else code
    return word, lemma, code


def _is_deed(form: str, head: str, before: list[Tagged], following: str) -> bool:
    """Whether a form of a verb of sound that HanTa may take for a noun or adjective tells what something does."""
    is_gerund = form.endswith("ing")
    if _after_copula(before):  # "a dog is barking", but "the sound is hissing"
        return is_gerund and not (form in ACOUSTIC and _speaks_of_sound(before))
    agent = _head(before) in ("NN", "NP", "PN") or (before and before[-1][2] in ("DTQ", "CJT")) or _joins(before, "VV")
    # "a dog barks and growls", "a clock ticking", "what beeps"; but "the dog barks are loud"
    return bool(agent) and head in ("NN", "AJ") and form.endswith(("s", "ing")) and following not in ("VB", "VH")


def _is_quality(is_gerund: bool, code: str, before: list[Tagged], following: str) -> bool:
    """Whether an acoustic adjective that HanTa may take for another part of speech is one here."""
    if _after_copula(before):  # "is clear", "remains fast", "the sound is hissing"
        return not is_gerund or _speaks_of_sound(before)
    if not before and following in ("", "PU"):  # "Loud: ..."
        return True
    if not before and code[:2] != "AJ":  # "Sudden onset", "constant in all clips"
        return following == "NN" or (following in ("VB", "PR") and not is_gerund)
    chained = _head(before) in ("AJ", "AV", "XX") or _joins(before, "AJ")  # "loud and clear", "not loud"
    return code[:2] in ("VV", "AV") and code != "VVG" and chained


def _head(before: list[Tagged]) -> str:
    return before[-1][2][:2] if before else ""


def _after_copula(before: list[Tagged]) -> bool:
    linking = ("remain", "stay", "sound", "seem", "become")
    return bool(before) and (_head(before) == "VB" or before[-1][1] in linking)


def _joins(before: list[Tagged], head: str) -> bool:
    return len(before) > 1 and _head(before) in ("CJ", "PU") and before[-2][2][:2] == head


def _speaks_of_sound(before: list[Tagged]) -> bool:
    """Whether the last noun or pronoun is the sound itself, of which "hissing" is a quality and no deed."""
    subject = next((lemma for _, lemma, code in reversed(before) if code[:2] in ("NN", "NP", "PN")), "it")
    return subject == "it" or subject in IGNORED["nouns"] | PROPERTIES


def event_of(word: str, lemma: str) -> str:
    """The verb of sound that a word is a form of ("crowing" and "crows" -> "crow"), or "" if it is of none."""
    stem = word.removesuffix("ing") if word.endswith("ing") else word.removesuffix("s")
    candidates = (lemma, stem, f"{stem}e", stem[:-1]) if stem != word else (lemma,)
    return next((candidate for candidate in candidates if candidate in EVENTS), "")
