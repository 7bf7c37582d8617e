"""The numbers in the sentences of the page on Section 4.5."""

import pandas as pd

from andlib.pages.section_4_5 import DRAWS, STARTS, TABLE_8, Clusters, chance_by_sizes, clips_of, trends
from andlib.pages.wording import by_model
from andlib.profiles import MODELS
from andlib.run import Run


def words(run: Run, groups: Clusters, bends: pd.DataFrame, rows: pd.DataFrame, ten: pd.DataFrame) -> dict[str, object]:
    """All of them. groups: `sentence_clusters`. bends: `elbow`. rows, ten: `interpretability` of all clips, and of the
    first ten classes'."""
    shown = rows[(rows["k"] == run.k) & (rows["tau"] == run.extra["tau"])]
    tested = trends(shown)
    every = trends(rows)
    spoken = {"title": run.profile.title, "encoder": run.profile.encoder, "draws": DRAWS, "starts": STARTS}
    spoken |= {"sentences": groups.times.sum(), "distinct": len(groups.sentences), "clusters": groups.counts.shape[1]}
    spoken |= {"bend": int(bends.loc[bends["elbow"], "clusters"].iloc[0]), "dead": int(shown["dead"].sum())}
    spoken |= {"printed": (shown["share_printed"] * shown["units"]).sum() / shown["units"].sum()}
    spoken |= {"printed_chance": shown["chance_printed"].iloc[0], "chance": shown["chance"].iloc[0]}
    spoken |= {"below": _beyond_chance(shown, "high", -1), "above": _beyond_chance(shown, "low", 1)}
    spoken |= {"means": by_model(shown.groupby("model", sort=False)["share"].mean(), ".1%")}
    spoken |= {"surviving": ", ".join(tested.loc[tested["holm"] < 0.05, "model"]) or "none"}
    spoken |= {"chance_least": rows["chance"].min(), "chance_most": rows["chance"].max()}
    spoken |= {"widest": 100 * (every["first"] - every["last"]).abs().max()}
    return spoken | _verdicts(run, shown, tested, every) | _table8() | _ten_classes(run, ten, rows)


def _beyond_chance(shown: pd.DataFrame, end: str, sign: int) -> str:
    """How many of the blocks lie clearly on one side of chance, by model."""
    beyond = sign * (shown[f"share_{end}"] - shown["chance"]) > 0
    blocks = beyond.groupby(shown["model"], sort=False)
    return by_model({name: f"{part.sum()} of {len(part)}" for name, part in blocks}, "")


def _verdicts(run: Run, shown: pd.DataFrame, tested: pd.DataFrame, every: pd.DataFrame) -> dict[str, str]:
    """Trends in words, and what they say of the paper's claims. every: the trends of all K and tau."""
    deeper = shown[shown["block"] > shown["block"].max() / 2]
    verdict, deep = (rows.set_index("model")["verdict"] for rows in (tested, trends(deeper)))
    counts = every[every["model"].isin(run.models)].groupby("model", sort=False)["verdict"].value_counts()
    counted = [f"{name} {', '.join(f'{word} in {n}' for word, n in counts[name].items())}" for name in run.models]
    missing = [name for name in MODELS if name not in run.models]
    claim, same = [f"cannot be tested without {', '.join(missing)}"] * 2
    if not missing:
        narrows = (verdict["ast"], verdict["beats_frozen"], deep["beats_finetuned"]) == ("falls", "flat", "falls")
        claim = "holds" if narrows else "fails"
        same = "holds" if counts.index.get_level_values("model").is_unique else "fails"
    verdicts = {"verdicts": by_model(verdict, ""), "deep": by_model(deep, "")}
    return {**verdicts, "counted": "; ".join(counted), "claim": claim, "same": same}


def _table8() -> dict[str, object]:
    """What chance makes of the paper's clusters."""
    shares = {f"table8_{tau}": chance_by_sizes(TABLE_8, 2000, 5, tau) for tau in (3, 4, 5)}
    return {"largest": max(TABLE_8), "largest_4": chance_by_sizes([max(TABLE_8)], 2000, 5, 4), **shares}


def _ten_classes(run: Run, ten: pd.DataFrame, rows: pd.DataFrame) -> dict[str, object]:
    classes = len(run.probing_set.classes)
    whole = f"This set has {classes} classes: as a whole it is that subset, and what follows repeats Figure 11."
    others = "The networks are those above, not trained on these ten alone as the paper's were."
    strict = trends(ten[(ten["k"] == 5) & (ten["tau"] == 5)])
    at_four = {name: part[(part["k"] == 5) & (part["tau"] == 4)] for name, part in (("few", ten), ("all", rows))}
    spoken = {"subset": f"Of {classes} classes, that is. {others}" if classes > 10 else whole, "few": min(10, classes)}
    spoken |= {"few_clips": len(clips_of(run, 10)), "all_clips": len(run.probing_set)}
    spoken |= {f"chance_{name}": part["chance"].iloc[0] for name, part in at_four.items()}
    spoken |= {f"most_{name}": part["share"].max() for name, part in at_four.items()}
    return spoken | {"strict": by_model(strict.set_index("model")["verdict"], "")}
