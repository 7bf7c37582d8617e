"""The paper's claims: the verdict of each rule on every profile, from the frames that `make results` keeps."""

from collections.abc import Mapping
from itertools import product

import pandas as pd

from andlib import kept, paper, paths
from andlib.errors import InputError
from andlib.pages import exhibits
from andlib.pages.rules import RULES, Frames, judge
from andlib.profiles import PROFILES
from andlib.run import Run
from andlib.statistics import FLAT, SUPPORTED, VERDICTS


def committed(profile: str) -> Frames:
    """Every frame that a profile's pages keep, as committed in results/<profile>/<page>/<name>.csv."""
    pages = sorted(path.name for path in (paths.results() / profile).glob("*/"))
    names = {page: kept.frame_names(profile, page) for page in pages}
    return {page: {name: kept.frame(profile, page, name) for name in names[page]} for page in pages if names[page]}


def everywhere() -> dict[str, Frames]:
    """`committed` frames of every profile that has any."""
    return {profile: frames for profile in PROFILES if (frames := committed(profile))}


def ledger(results: Mapping[str, Frames]) -> pd.DataFrame:
    """Every claim of the paper on every profile; columns id, where, claim, profile, verdict, numbers, rule.

    results: profile -> its frames."""
    rows = [
        (claim["id"], claim["where"], claim["text"], profile, *judge(claim["id"], frames), RULES[claim["id"]].text)
        for claim, (profile, frames) in product(paper.numbers()["claims"], results.items())
    ]
    return pd.DataFrame(rows, columns=["id", "where", "claim", "profile", "verdict", "numbers", "rule"])


def side_by_side(ledger: pd.DataFrame) -> pd.DataFrame:
    """The verdicts alone, one row a claim; columns id, one a profile, claim (with its place in the paper)."""
    cells = ledger.assign(claim=ledger["where"] + ": " + ledger["claim"])
    profiles = list(ledger["profile"].unique())
    wide = cells.pivot(index=["id", "claim"], columns="profile", values="verdict").loc[ledger["id"].unique(), profiles]
    return wide.reset_index()[["id", *profiles, "claim"]]


def words(run: Run, ledger: pd.DataFrame, glance: pd.DataFrame) -> dict[str, object]:
    """What the prose of this page and of the book's first says of them. Raises InputError for a profile not in them."""
    if (name := run.profile.name) not in set(ledger["profile"]):
        raise InputError(f"Profile {name} has no results: `make results PROFILE={name}` writes them.")
    kinds = list(reversed(VERDICTS))
    by_profile = ledger.groupby(["profile", "verdict"], sort=False).size().unstack(fill_value=0)
    counts = by_profile.reindex(columns=kinds, fill_value=0)
    supported = ledger["verdict"].eq(SUPPORTED).groupby(ledger["id"], sort=False).all()
    return {
        "claims": ledger["id"].nunique(),
        "title": run.profile.title,
        "flat": FLAT,
        "ours": _counted(counts.loc[name]),
        "counts": "; ".join(f"{name}: {_counted(row)}" for name, row in counts.iterrows()),
        "everywhere": ", ".join(supported.index[supported]) or "none",
        **exhibits.texts(side_by_side(ledger), "id"),
        **exhibits.texts(glance, "exhibit"),
    }


def _counted(row: pd.Series) -> str:
    return ", ".join(f"{count} {verdict}" for verdict, count in row.items())


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """What `make results` keeps of this page."""
    results = everywhere()
    return {"ledger": ledger(results), "exhibits": exhibits.at_a_glance(results)}
