"""Executed pages beside the committed ones: whether this machine measures the numbers that the repository carries."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from andlib.errors import InputError
from committed import ACROSS, committed_page, glued, in_book
from executing import fresh

NUMBER = re.compile(r"[-+−]?\d+(?:[.,]\d+)*")
TOLERANCE = 2 / 28  # two of a network's classifier units: processors round differently, and a tie may turn a ranking
SHARE = 0.1  # of a page's values may be far, as where units change places; one may be on any page


class Difference(NamedTuple):
    """A value of a page that is not the committed one. far: by more than `near` allows."""

    page: str
    name: str
    committed: Any
    here: Any
    far: bool


def compare(profile: str) -> tuple[str, list[Difference], list[str]]:
    """How many values of a profile's executed pages are as committed, in words; those that are not; what is wrong.

    Wrong is a page without a committed one, one that glues other names than that, or one of whose values more than
    SHARE are far. The page of claims is not compared: it reads what is committed. Raises InputError where no page was
    executed."""
    pages = [page for _, page in in_book(profile) if page not in ACROSS and fresh(profile, page).is_file()]
    if not pages:
        raise InputError(f"No page of profile {profile} was executed: run make book PROFILE={profile}.")
    differences, wrong, count = [], [], 0
    for page in pages:
        if not committed_page(profile, page).is_file():
            wrong.append(f"{page} has no committed page to compare it with: make results PROFILE={profile} makes one.")
            continue
        here, there = (glued(made(profile, page).read_text(encoding="utf-8")) for made in (fresh, committed_page))
        if strange := sorted(here.keys() ^ there.keys()):
            wrong.append(f"{page} glues other names than the committed page: {', '.join(strange[:3])}.")
        found = list(_differences(page, here, there))
        far = sum(difference.far for difference in found)
        if far > max(1, SHARE * len(there)):
            wrong.append(f"{page}: {far} of its {len(there)} values are far from the committed ones.")
        differences, count = differences + found, count + len(there)
    told = f"{count - len(differences)} of {count} values on {len(pages)} page{'s' * (len(pages) > 1)}"
    return told, differences, wrong


def _differences(page: str, here: dict[str, Any], there: dict[str, Any]) -> Iterator[Difference]:
    for name in sorted(here.keys() & there.keys()):
        if here[name] != there[name]:
            yield Difference(page, name, there[name], here[name], not near(here[name], there[name]))


def near(here: Any, there: Any) -> bool:
    """Whether two values say the same but for numbers that differ by TOLERANCE at most: of 1, of 100 where the number
    is a percentage, or of the committed number where that is larger.

    >>> near("ast 93%, beats 64%", "ast 89%, beats 64%"), near("ast 93%", "beats 93%"), near(0.5, 0.6)
    (True, False, False)"""
    if type(here) is not type(there) or NUMBER.sub("#", str(here)) != NUMBER.sub("#", str(there)):
        return False
    pairs = zip(NUMBER.finditer(str(here)), NUMBER.finditer(str(there)), strict=True)
    return all(
        abs(_value(one) - _value(other)) <= TOLERANCE * max(100 if _is_percentage(other) else 1, abs(_value(other)))
        for one, other in pairs
    )


def _value(number: re.Match) -> float:
    return float(number[0].replace(",", "").replace("−", "-"))


def _is_percentage(number: re.Match) -> bool:
    return number.string[number.end() :].lstrip().startswith("%")


def report(profile: str) -> int:
    """Prints what `compare` found; returns the exit status, 1 if anything is wrong."""
    told, differences, wrong = compare(profile)
    print(f"{told} of {profile} are as committed{', all but these:' if differences else '.'}")
    for page, name, committed, here, far in differences:
        print(f"  {page}, {name}: {committed!r} is committed, {here!r} was measured here{' (far)' * far}")
    print("".join(f"{sentence}\n" for sentence in wrong), end="")
    return int(bool(wrong))
