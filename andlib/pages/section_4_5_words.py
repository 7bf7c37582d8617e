"""The numbers in the sentences of the page on Section 4.5."""

import pandas as pd

from andlib.pages import rules
from andlib.pages.section_4_5 import DRAWS, TABLE_8, Clusters, chance_by_sizes, clips_of, trends
from andlib.pages.wording import by_model
from andlib.run import Run


def words(
    run: Run, groups: Clusters, bends: pd.DataFrame, rows: pd.DataFrame, every: pd.DataFrame, ten: pd.DataFrame
) -> dict[str, object]:
    """Every word. groups: `sentence_clusters`. bends: `elbow`. rows, ten: `interpretability`. every: `trends`."""
    shown = rows[(rows["k"] == run.k) & (rows["tau"] == run.extra["tau"])]
    spoken = {"title": run.profile.title, "encoder": run.profile.encoder, "draws": DRAWS}
    spoken |= {"sentences": groups.times.sum(), "distinct": len(groups.sentences), "clusters": groups.counts.shape[-1]}
    spoken |= {"partitions": len(groups.label), "printed_chance": shown["chance_printed"].iloc[0]}
    spoken |= {"bend": int(bends.loc[bends["elbow"], "clusters"].iloc[0]), "dead": int(shown["dead"].sum())}
    spoken |= {"printed": (shown["share_printed"] * shown["units"]).sum() / shown["units"].sum()}
    spoken |= shown[["chance", "chance_low", "chance_high"]].iloc[0].to_dict()
    spoken |= {"below": _blocks(shown, shown["beyond_high"] < 0), "above": _blocks(shown, shown["beyond_low"] > 0)}
    spoken |= {"means": by_model(shown.groupby("model", sort=False)["share"].mean(), ".1%")}
    spoken |= {f"table8_{tau}": chance_by_sizes(TABLE_8, 2000, 5, tau) for tau in (3, 4, 5)}
    spoken |= {"largest": max(TABLE_8), "largest_4": chance_by_sizes([max(TABLE_8)], 2000, 5, 4)}
    return spoken | _verdicts(run, every) | _ten_classes(run, ten)


def _blocks(shown: pd.DataFrame, those: pd.Series) -> str:
    """How many of the blocks are of those, by model."""
    parts = those.groupby(shown["model"], sort=False)
    return by_model({name: f"{part.sum()} of {len(part)}" for name, part in parts}, "")


def _verdicts(run: Run, every: pd.DataFrame) -> dict[str, str]:
    """Trends in words, and what the rules of the paper's claims say of them."""
    tested = every[(every["k"] == run.k) & (every["tau"] == run.extra["tau"])].set_index("model")
    whole, deep = (rules.rows(tested, part=part) for part in ("all", "deeper half"))
    spoken = {"verdicts": by_model(whole["verdict"], ""), "deep": by_model(deep["verdict"], "")}
    for name, claim in (("claim", "f6_ast_concentrates"), ("same", "f11_13_same")):
        spoken[name], spoken[f"{name}_numbers"] = rules.judge(claim, {"4_5_polysemanticity": {"trends": every}})
    return spoken


def _ten_classes(run: Run, ten: pd.DataFrame) -> dict[str, object]:
    classes = len(run.probing_set.classes)
    whole = f"This set has {classes} classes: as a whole it is that subset, and what follows repeats Figure 11."
    others = "The networks are those above, not trained on these ten alone as the paper's were."
    strict = rules.rows(trends(rules.rows(ten, k=5, tau=5)), part="all").set_index("model")["verdict"]
    few, at_four = len(clips_of(run, 10)), rules.rows(ten, k=5, tau=4)
    spoken = {"subset": f"They are ten of {classes} classes. {others}" if classes > 10 else whole, "few_clips": few}
    spoken |= {"most_few": at_four["share"].max(), "chance_few": at_four["chance"].iloc[0]}
    return spoken | {"strict": by_model(strict, "")}
