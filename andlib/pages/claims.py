"""The paper's claims, judged on every profile; and its tables and figures, each by a number of the paper and ours."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import product
from typing import Any

import pandas as pd

from andlib import kept, paper, paths
from andlib.errors import InputError
from andlib.pages.rules import TEXTS, WATER, Frames, judge, rows
from andlib.pages.section_4_1 import best_function
from andlib.pages.wording import spelt
from andlib.profiles import MODELS, PROFILES
from andlib.run import Run
from andlib.statistics import FLAT, SUPPORTED, VERDICTS

Page = Mapping[str, pd.DataFrame]  # name -> a frame that the page keeps
ABSENT, WHISPER = "–", "whisper"
_AS_BEATS = {f"{WHISPER}_({'|'.join(name.removeprefix('beats_') for name in MODELS[1:])})": r"beats_\1"}


def committed(profile: str) -> Frames:
    """Every frame that a profile's pages keep, as committed in results/<profile>/<page>/<name>.csv."""
    pages = sorted(path.name for path in (paths.results() / profile).glob("*/"))
    names = {page: kept.frame_names(profile, page) for page in pages}
    return {page: {name: kept.frame(profile, page, name) for name in names[page]} for page in pages if names[page]}


def everywhere() -> dict[str, Frames]:
    """`committed` frames of every profile that has any, and the same `on_whisper` where its networks are among them."""
    results = {profile: frames for profile in PROFILES if (frames := committed(profile))}
    whisper = {f"{name} {WHISPER}": swapped for name, frames in results.items() if (swapped := on_whisper(frames))}
    return results | whisper


def on_whisper(frames: Frames) -> Frames:
    """The frames that have Whisper's networks, with these, fine-tuned and frozen, in the place of BEATs'."""
    swapped: dict[str, dict[str, pd.DataFrame]] = {}
    for page, (name, table) in ((page, item) for page, tables in frames.items() for item in tables.items()):
        if "model" in table and table["model"].str.contains(WHISPER).any():
            ours = table[~table["model"].str.contains("|".join(MODELS[1:]))]
            swapped.setdefault(page, {})[name] = ours.assign(model=ours["model"].replace(_AS_BEATS, regex=True))
    return swapped


def ledger(results: Mapping[str, Frames]) -> pd.DataFrame:
    """Every claim on every profile; id, where, claim, profile, verdict, numbers, rule. results: profile -> frames."""
    judged = []
    for claim, (profile, frames) in product(paper.numbers()["claims"], results.items()):
        verdict, numbers = judge(claim["id"], frames)
        numbers = numbers.replace("beats_", "whisper_") if profile.endswith(WHISPER) else numbers  # what they are
        judged.append((claim["id"], claim["where"], claim["text"], profile, verdict, numbers, TEXTS[claim["id"]]))
    return pd.DataFrame(judged, columns=["id", "where", "claim", "profile", "verdict", "numbers", "rule"])


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
    counts = pd.crosstab(ledger["profile"], ledger["verdict"]).reindex(columns=VERDICTS[::-1], fill_value=0)
    told = counts.apply(lambda row: ", ".join(f"{count} {verdict}" for verdict, count in row.items()), axis=1)
    supported = ledger["verdict"].eq(SUPPORTED).groupby(ledger["id"], sort=False).all()
    return {
        "claims": ledger["id"].nunique(),
        "title": run.profile.title,
        "flat": FLAT,
        "ours": told[name],
        "counts": "; ".join(f"{profile}: {told[profile]}" for profile in ledger["profile"].unique()),
        "everywhere": ", ".join(supported.index[supported]) or "none",
        **texts(side_by_side(ledger), "id"),
        **texts(glance, "exhibit"),
    }


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """What `make results` keeps of this page."""
    results = everywhere()
    return {"ledger": ledger(results), "exhibits": at_a_glance(results)}


# Tables and figures at a glance


def at_a_glance(results: Mapping[str, Frames]) -> pd.DataFrame:
    """Every table and figure of the paper; columns exhibit, page, what, paper, and one a profile, all of them text.
    Three values side by side are those of MODELS; a dash: there is no such number. results: profile -> its frames."""
    printed, table = _printed(), []
    for exhibit, page, what, ours in EXHIBITS:
        row = {"exhibit": exhibit, "page": page, "what": what, "paper": printed.get(exhibit, ABSENT)}
        table.append(row | dict.fromkeys(results, ABSENT))
        for profile, frames in results.items():
            with suppress(KeyError):  # the page's frames lack it
                table[-1][profile] = ours(frames.get(page, {}))
    return pd.DataFrame(table)


def texts(frame: pd.DataFrame, name: str) -> dict[str, str]:
    """Every cell of a frame by its row, called after the column `name`, and its column: `table_1_paper`."""
    cells = frame.set_index(name).stack().items()
    return {f"{row}_{column}".lower().replace(" ", "_"): text for (row, column), text in cells}


def _printed() -> dict[str, str]:
    """What the paper prints; nothing for what it draws without a number."""
    settings, figures, table_3 = (paper.numbers()[name] for name in ("settings", "figures", "table3_human_evaluation"))
    shares = [paper.table2(model).loc["DB", "top1"] for model in MODELS]
    gaps = [paper.table4(model).loc["OCP", "gap"] for model in MODELS]
    functions = [
        paper.table7(model).reset_index(names="function").assign(method="DB", condition="all clips") for model in MODELS
    ]
    return {
        "Table 1": _listed(paper.table1()["accuracy"].loc[list(MODELS)], ".1%"),
        "Table 2": _listed(shares, ".0%"),
        "Table 3": f"{table_3['SUM'][0]:.2f} of 5",
        "Table 4": _listed(gaps, "+.2f"),
        "Table 7": _listed(map(best_function, functions)),
        "Table 8": str(settings["clusters"]),
        "Figure 1": f"{settings['clips']:,}",
        "Figure 3": ", ".join(figures["4_feature_importance"]["basic_adjectives"]),
        "Figure 4": f"over {figures['4_feature_importance']['basic_beyond_high_level_at_10_percent']} points",
        "Figure 8": f"{figures['8_acoustic_properties']['loud_neurons'] / settings['neurons']['ast']:.1%}",
        "Figure 14": f"at most {figures['14_gtzan']['highest_share_at_tau_4']}%",
    }


def _listed(values: Any, spec: str = "") -> str:
    return " / ".join(ABSENT if pd.isna(value) else format(value, spec) for value in values)


def _by_model(name: str, column: str, spec: str, **wanted: Any) -> Callable[[Page], str]:
    """A column of a frame that has one row a network."""
    return lambda page: _listed(rows(page[name], **wanted).set_index("model")[column].reindex(MODELS), spec)


def _top1(page: Page) -> str:
    ours = rows(page["last_layer"], method="DB", condition="all clips")
    return _listed(ours.groupby("model")["top1"].max().reindex(MODELS), ".0%")


def _best_functions(page: Page) -> str:
    return _listed(best_function(rows(page["last_layer"], model=model)) for model in MODELS)


def _rating(page: Page) -> str:
    row = rows(page["human_evaluation"], method="SUM").iloc[0]
    return f"{row['rating']:.2f} of 5" if row["ratings"] else "nobody has rated"


def _commonest(page: Page, most: int, *models: str) -> str:
    """The commonest adjectives of each of these networks."""
    ranked = (page["common"].sort_values(model, ascending=False, kind="stable") for model in models)
    return " / ".join(", ".join(ours["adjective"].head(most)) for ours in ranked)


def _basic(page: Page) -> str:
    ours = rows(page["comparisons"], claim="f4b_basic", model="ast", percents="10")
    return f"{spelt(*100 * ours[['difference', 'low', 'high']].iloc[0], '+.1f')} points"


def _uninterpretable(page: Page) -> str:
    ours = rows(page["shares"], k=5, tau=4)
    shares = _listed(ours.groupby("model")["share"].mean().reindex(MODELS), ".0%")
    return f"{shares}; chance {spelt(*ours[['chance', 'chance_low', 'chance_high']].iloc[0], '.0%')}"


def _calibrated(page: Page) -> str:
    points = rows(page["calibration"], **{"written by": "rules"})["module B"]
    return f"{(points == 'removed').sum()} of {len(points)}"


def _alike(page: Page) -> str:
    return f"{(page['qualitative']['TAB'] == page['qualitative']['DB']).sum()} of {len(page['qualitative'])}"


def _nouns(page: Page) -> str:
    return rows(page["words"], **{"written by": "rules", "part of speech": "nouns"})["after rules"].iloc[0]


def _loud(page: Page) -> str:
    ours = rows(page["acoustics"], model="ast", word="loud")
    shares = ours["with"] / (ours["with"] + ours["without"])
    measured = ours["descriptions"].str.contains("measured")
    return f"{shares[measured].iloc[0]:.1%}; {shares[~measured].iloc[0]:.1%} if nothing is measured"


def _water(page: Page) -> str:
    if page["water_drops"].empty:
        return "no class water drops"
    changes = page["water_drops"].set_index("class")["change"].drop("water drops")
    water = changes.index.isin(WATER)
    return f"{changes[water].mean():+.2f}; {changes[~water].mean():+.2f}"


def _numbers(text: str) -> Callable[[Page], str]:
    """Single numbers, by their columns in the one row of the page's frame `numbers`."""
    return lambda page: text.format(**page["numbers"].to_dict("records")[0])


def _depth(k: int, tau: int) -> tuple[str, str, Callable[[Page], str]]:
    what = f"uninterpretability by depth, ρ, K={k}, τ={tau}"
    return "4_5_polysemanticity", what, _by_model("trends", "rho", "+.2f", k=k, tau=tau, part="all")


_ten = _numbers("{most_few:.0%}, of {few} classes, not music")
# exhibit, the page that has it, what stands for it, and that from the page's frames
EXHIBITS: tuple[tuple[str, str, str, Callable[[Page], str]], ...] = (
    ("Table 1", "4_0_target_networks", "accuracy on fold 1", _by_model("accuracy", "accuracy", ".1%", clips="fold 1")),
    ("Table 2", "4_1_last_layer", "classes named rightly by DB with its best function", _top1),
    ("Table 3", "4_2_human_evaluation", "people's mean rating of summaries", _rating),
    ("Table 4", "4_3_unlearning", "OCP's gap ΔR − ΔA", _by_model("unlearning", "gap", "+.2f", strategy="OCP")),
    ("Table 5", "3_pipeline", "ICL's prompt", _numbers("{concepts} concepts, turn by turn")),
    ("Table 6", "appendix_b_qualitative", "neurons that TAB and DB name alike", _alike),
    ("Table 7", "4_1_last_layer", "DB's best function", _best_functions),
    ("Table 8", "4_5_polysemanticity", "clusters of sentences, by the elbow", _numbers("{bend}")),
    ("Figure 1", "3_pipeline", "the framework; clips that it probes with", _numbers("{clips:,}")),
    ("Figure 2", "3_pipeline", "the modules; nouns of the neuron that they are shown on", _nouns),
    ("Figure 3", "3_5_adjectives", "common adjectives of AST's neurons", lambda page: _commonest(page, 3, "ast")),
    ("Figure 4", "4_4_feature_importance", "accuracy lost by basic beyond high-level adjectives, 10%", _basic),
    ("Figure 5", "4_4_feature_importance", "adjectives by depth, ρ", _by_model("trends", "rho", "+.2f")),
    ("Figure 6", "4_5_polysemanticity", "uninterpretable units, K=5, τ=4", _uninterpretable),
    ("Figure 7", "3_pipeline", "points of one summary that calibration removes", _calibrated),
    ("Figure 8", "appendix_c_acoustics", "AST's neurons with “loud”", _loud),
    ("Figure 9", "3_5_adjectives", "the commonest adjective", lambda page: _commonest(page, 1, *MODELS)),
    ("Figure 10", "4_3_unlearning", "silencing water drops: mean change of classes with water; of others", _water),
    ("Figure 11", *_depth(5, 4)),
    ("Figure 12", *_depth(10, 8)),
    ("Figure 13", *_depth(20, 16)),
    ("Figure 14", "4_5_polysemanticity", "uninterpretable units, most in a block, K=5, τ=4", _ten),
)
