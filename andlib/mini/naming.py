"""Sentences that name a sound: synonyms of every ESC-50 class, and the broader words for groups of them.

Every choice among phrases is decided by a hash of the clip's name, so a clip always gets the same words."""

import hashlib
import tomllib
from collections.abc import Sequence

from andlib import paths

BROADER_SHARE = 0.15  # of the clips are named by their group alone, as a listener does who is not sure
SENTENCES = tomllib.loads((paths.PACKAGE / "mini/sentences.toml").read_text(encoding="utf-8"))
NAMES = SENTENCES["names"]
GROUPS = {name: group["phrases"] for group in SENTENCES["groups"] for name in group["classes"].split(", ")}


def pick(options: Sequence, *key: str):
    """The option that the words of `key` decide; the same on every machine."""
    return options[int(share(*key) * len(options))]


def share(*key: str) -> float:
    """A number in [0, 1) that the words of `key` decide, uniform over keys."""
    digest = hashlib.sha256("\x1f".join(key).encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def naming_sentence(heard: str, rng_key: str) -> str:
    """A sentence that names the sound as class `heard`, by a synonym or, for about one clip in seven, by its group.
    Caption origin `source`. rng_key: the clip's name; decides among the phrases."""
    phrases = GROUPS[heard] if share(rng_key, "broader") < BROADER_SHARE else NAMES[heard]
    return pick(phrases, rng_key, "name") + "."
