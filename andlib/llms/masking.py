"""Secrets in what a server says: it may echo the key that it was sent, in an answer as in an error."""

import base64
import html
import re
from collections.abc import Callable, Iterable
from functools import lru_cache

SHORTEST = 8  # characters; a shorter key, like EMPTY, is a word and keeps nothing secret
GAP = "[\\s\u00ad\u200b-\u200d\u2060\ufeff]*"  # blanks, and characters that print nothing


@lru_cache
def masking(secrets: Iterable[str]) -> Callable[[str], str]:
    """A function that writes *** for each secret of at least SHORTEST characters in a text.

    Secrets are found in any case, backwards, with blanks in between, as hexadecimal digits, in base64 (also as a part
    of what was encoded) and with any of their characters escaped as in addresses, JSON or HTML."""
    forms = [
        form for secret in sorted(set(secrets), key=len)[::-1] if len(secret) >= SHORTEST for form in _forms(secret)
    ]
    pattern = re.compile("|".join(forms) or "(?!)")
    return lambda text: pattern.sub("***", text)


def _forms(secret: str) -> list[str]:
    """Patterns of the forms that a secret takes."""
    hexadecimal = r"(?:[\s:,-]|0x|\\x)*".join(f"{byte:02x}" for byte in secret.encode())
    spelt = (GAP.join(map(_escaped, letters)) for letters in (secret, secret[::-1]))
    return [f"(?i:{form})" for form in (*spelt, hexadecimal)] + [
        _base64(secret.encode(), before) for before in range(3)
    ]


def _escaped(letter: str) -> str:
    """A pattern of a character: itself, or its number in an escape of an address, JSON, a string or HTML."""
    code, ways = ord(letter), {re.escape(letter), re.escape(html.escape(letter))}  # no two alike: backtracking doubles
    ways |= {rf"%(?:25)?{code:02x}", rf"\\{{1,4}}(?:u00|x){code:02x}", rf"&(?:amp;)?#(?:0*{code}|x0*{code:x});"}
    return f"(?:{'|'.join(sorted(ways))})"


def _base64(secret: bytes, before: int) -> str:
    """A pattern of a secret in base64, behind so many other bytes of its group of three: the characters that it alone
    decides, and up to four around them."""
    first, last = -(-8 * before // 6), 8 * (before + len(secret)) // 6
    text = base64.b64encode(bytes(before) + secret).decode()
    letters = ({"+": "(?:[+-]|%2[Bb])", "/": "(?:[/_]|%2[Ff])"}.get(letter, letter) for letter in text[first:last])
    return r"[\w+/-]{0,4}" + r"\s*".join(letters) + r"[\w+/-]{0,4}(?:=|%3[Dd]){0,2}"
