"""An LLM-free summariser: what the captions of a neuron's clips share, in the form the paper's LLM writes it.

It stands in for Llama-2's answer to "summarize these descriptions by identifying their commonalities" (Appendix A).
It reads text alone and says nothing that is not so: every point states in how many captions its claim was found."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

import numpy as np
import pandas as pd

from andlib import language
from andlib.errors import InputError
from andlib.tagging import ACOUSTIC, IGNORED, PROPERTIES, WORDS, Token, event_of, tag

KINDS = ("quality", "event", "source")  # in the order in which equally supported claims are told
MOST_POINTS = 8
QUALITY_SYNONYMS = {w: key for key, words in WORDS["synonyms"]["qualities"].items() for w in words.split()}
EVENT_SYNONYMS = {w: key for key, words in WORDS["synonyms"]["events"].items() for w in words.split()}
_NUMBER = re.compile(r"^\s*\d+[.)]\s*")
NOTHING_SHARED = "1. The clips have nothing in common."
_TELLING = WORDS["telling"]


@dataclass(frozen=True, order=True)
class Claim:
    """Something a caption says of its clip. kind: one of KINDS. key: lemma of the word that stands for it."""

    kind: str
    key: str


@lru_cache(maxsize=1 << 16)
def claims(description: str) -> frozenset[Claim]:
    """What a caption says: sources (what sounds), events (what happens), qualities (how it sounds, by adverbs, too:
    "loudly"). Synonyms are one claim ("rapid" and "fast", "puppy" and "dog"); what is negated ("not loud") is none."""
    tokens = [token for token in tag(description) if not token.negated]
    keys = {"quality": _qualities(tokens), "event": _events(tokens), "source": _sources(tokens)}
    return frozenset(Claim(kind, key) for kind in KINDS for key in keys[kind])


def _qualities(tokens: list[Token]) -> Iterator[str]:
    for word, _, noun in language.adjectives_of(tokens):
        other = word in ("high", "low") and noun and noun not in IGNORED["nouns"]  # a "high rate" is no pitch
        if language.is_acoustic(word) and not other:
            yield QUALITY_SYNONYMS.get(word, word)
    for token in tokens:
        if token.pos == "other" and (adjective := _adjective_of_adverb(token.word.lower())):
            yield QUALITY_SYNONYMS.get(adjective, adjective)


def _adjective_of_adverb(word: str) -> str:
    """The acoustic adjective an adverb is made of ("heavily" -> "heavy", "fast" -> "fast"), or ""."""
    stem = word.removesuffix("ly")
    forms = (stem, f"{stem[:-1]}y", f"{stem}le", f"{stem}e", stem.removesuffix("al")) if stem != word else (word,)
    return next((form for form in forms if language.is_acoustic(form)), "")


def _events(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        if token.pos in ("verb", "noun"):
            verb = EVENT_SYNONYMS.get(token.lemma) or event_of(token.word.lower(), token.lemma)
            if verb and (token.pos == "verb" or not _is_source(token.lemma)):
                yield EVENT_SYNONYMS.get(verb, verb)


def _is_source(noun: str) -> bool:
    """Whether a noun that is also a verb of sound is a thing: a fly or a saw, but no bark and no sneeze."""
    known = [name for name, nouns in language.CLASS_NOUNS.items() if noun in nouns]
    return any(noun not in language.CLASS_VERBS[name] and not noun.endswith("ing") for name in known)


def _sources(tokens: list[Token]) -> Iterator[str]:
    for noun in language.nouns_of(tokens):
        event = noun in EVENT_SYNONYMS or event_of(noun, noun)
        if noun not in IGNORED["nouns"] | PROPERTIES and (not event or _is_source(noun)):
            yield language.canonical(noun)


def claimed(point: str) -> str:
    """What a point claims, "loud barking dog", without its mould; the point less its number if nothing is known."""
    words = sorted((KINDS.index(claim.kind), _title(claim)) for claim in claims(point))
    return " ".join(word for _, word in words) or _NUMBER.sub("", point)


@lru_cache(maxsize=1 << 16)
def opposed(one: str, other: str) -> bool:
    """Whether two points put different values on one scale, as "gradual onset" and "sharp onset" do."""
    a, b = _values(one), _values(other)
    return any(not a[scale] & b[scale] for scale in a.keys() & b.keys())


def different(one: str, other: str) -> bool:
    """Whether two points claim different things: nothing in common, or opposed."""
    keys = [{claim.key for claim in claims(point)} or {claimed(point)} for point in (one, other)]
    return opposed(one, other) or not keys[0] & keys[1]


def _values(point: str) -> dict[str, set[str]]:
    """What a point says on each scale of ACOUSTIC: level, pitch, onset and so on."""
    said = [claim.key for claim in claims(point) if claim.kind == "quality"]
    return {ACOUSTIC[key]: {other for other in said if ACOUSTIC[other] == ACOUSTIC[key]} for key in said}


def _support(count: int, clips: int) -> str:
    """How many clips hold a claim, with numbers in words up to twelve, in digits above."""
    if clips == 1:
        return "the one clip"
    some, every = (dict(enumerate(_TELLING["numbers"])).get(number, number) for number in (count, clips))
    return f"all {every} clips" if count == clips else f"{some} of the {every} clips"


@lru_cache(maxsize=1 << 16)
def tell(claim: Claim, count: int, clips: int) -> str:
    """The point that says that `count` of so many clips hold a claim, without its number in the list."""
    title, aspect, wordings = _title(claim), ACOUSTIC.get(claim.key, ""), _TELLING[claim.kind]
    place = list(ACOUSTIC).index(claim.key) if claim.kind == "quality" else crc32(claim.key.encode())
    wording = wordings[place % len(wordings)]
    if claim.kind == "quality" and claim.key.endswith("ing"):  # elsewhere it would read as a verb
        wording = "{A} {aspect}: {n} are {a}."
    words = {"A": title[:1].upper() + title[1:], "a": _with_article(title) if claim.kind == "source" else title}
    return wording.format(**words, s=_third_person(claim.key), aspect=aspect, n=_support(count, clips))


def _title(claim: Claim) -> str:
    return _gerund(claim.key) if claim.kind == "event" else claim.key


def _with_article(noun: str) -> str:
    if noun.endswith("ing") or noun.split()[-1] in _TELLING["uncounted"]:
        return noun
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _gerund(verb: str) -> str:
    if verb.endswith("e") and not verb.endswith("ee"):
        return f"{verb[:-1]}ing"
    doubled = re.search("[^aeiou][aeiou][bdgmnprtv]$", verb) and verb not in _TELLING["unstressed"]
    return f"{verb}{verb[-1]}ing" if doubled and not verb.endswith("er") else f"{verb}ing"


def _third_person(verb: str) -> str:
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":  # "" is in any text: a verb of one letter
        return f"{verb[:-1]}ies"
    return f"{verb}es" if verb.endswith(("s", "sh", "ch", "x", "z", "cho")) else f"{verb}s"


class Consensus:
    """Summaries of any choice of clips, from their captions read once. claims: every claim of any caption, in the order
    in which equally supported ones are told. holds: bool [clips, claims]."""

    def __init__(self, descriptions: Sequence[str]):
        captions = [claims(description) for description in descriptions]
        self.claims = tuple(sorted(set().union(*captions), key=lambda claim: (KINDS.index(claim.kind), claim.key)))
        self.holds = np.array([[claim in caption for claim in self.claims] for caption in captions], bool)
        self.holds = self.holds.reshape(len(captions), len(self.claims))

    def summaries(self, clips_of: Iterable) -> list[tuple[str, ...]]:
        """S of every unit: the points shared by at least half of its clips, the most supported first. Section 3.2. At
        most a third of the points name sources, unless nothing else is shared. clips_of: the clips most (or least)
        activated by each unit. Raises InputError where an index lies outside the captions."""
        return [told(shared) for shared in self.shared(clips_of)]

    def table(self, units: pd.DataFrame) -> pd.DataFrame:
        """S_h and S_l of units with columns highest and lowest: columns high, kinds (of each point of S_h), low."""
        shared = self.shared(units["highest"])
        kinds = [[claim.kind for claim, _, _ in claims] for claims in shared]
        columns = {"high": list(map(told, shared)), "kinds": kinds, "low": self.summaries(units["lowest"])}
        return pd.DataFrame(columns, index=units.index)

    def shared(self, clips_of: Iterable) -> list[tuple[tuple[Claim, int, int], ...]]:
        """What `summaries` tells, untold: for every unit its claims, each with how many of how many clips hold it."""
        sets = [tuple(sorted(map(int, clips))) for clips in clips_of]
        if any(clips and not 0 <= clips[0] <= clips[-1] < len(self.holds) for clips in sets):
            raise InputError(f"A clip index lies outside the {len(self.holds)} captions; give indices from 0.")
        shared = {clips: self._balanced_claims(self.holds[list(clips)].sum(0), len(clips)) for clips in set(sets)}
        return [shared[clips] for clips in sets]

    def _balanced_claims(self, counts: np.ndarray, clips: int) -> tuple[tuple[Claim, int, int], ...]:
        """Claims to tell: one source to two others, or one. counts: of clips that hold each claim, int [claims]."""
        shared = np.flatnonzero(counts >= max(1, (clips + 1) // 2))  # of no clip, nothing is shared
        ranked = shared[np.argsort(-counts[shared], kind="stable")].tolist()
        others = [i for i in ranked if self.claims[i].kind != "source"]
        sources = [i for i in ranked if i not in others][: max(1, min(len(others) // 2, MOST_POINTS // 3))]
        kept = sources + others[: MOST_POINTS - len(sources)]
        return tuple((self.claims[i], int(counts[i]), clips) for i in ranked if i in kept)


def told(shared: Sequence[tuple[Claim, int, int]]) -> tuple[str, ...]:
    """The numbered points of a summary; one that carries no concept where nothing is shared."""
    return tuple(f"{i}. {tell(*claim)}" for i, claim in enumerate(shared, 1)) or (NOTHING_SHARED,)
