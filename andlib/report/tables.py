"""Frames to tables of the report. They draw what they are given: nothing here loads, computes or saves."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest

import pandas as pd

from andlib import paper
from andlib.concepts import chance
from andlib.profiles import CALLED, MEASURES
from andlib.report.shown import Table


def keep(**values: object) -> None:
    """Glues values by name into the page's prose and into the results committed beside it; a frame as its rows."""
    from myst_nb import glue

    for name, value in values.items():
        if isinstance(value, pd.DataFrame):
            value = value.astype(object).where(value.notna(), None).to_dict("records")
        glue(name, getattr(value, "item", lambda v=value: v)(), display=False)


def plain(
    data: pd.DataFrame | Sequence[Mapping[str, object]],
    caption: str,
    made_by: str,
    formats: Mapping[str, str] | None = None,
    heads: Mapping[str, str] | None = None,
) -> Table:
    """Any frame, or rows of mixed text and numbers, as a table. A model or profile of all rows moves into the caption.
    heads: column -> what stands above it, where that differs. formats: head -> how its numbers are written."""
    frame = pd.DataFrame(data).rename(columns=heads or {})
    for same in (name for name in ("model", "profile") if name in frame and frame[name].nunique() == 1):
        caption = f"{caption} ({frame.pop(same).iloc[0]})"
    return Table(frame, caption, made_by, formats or {})


def _interval(low: float, high: float, spec: str = "+.2f") -> str:
    return "–" if pd.isna(low) else f"{low:{spec}}\N{NO-BREAK SPACE}…\N{NO-BREAK SPACE}{high:{spec}}"


def _intervals(frame: pd.DataFrame, name: str, spec: str = "+.2f") -> list[str]:
    """Intervals of a column, from the columns that hold their ends."""
    return [_interval(*ends, spec) for ends in frame[[f"{name}_low", f"{name}_high"]].to_numpy()]


def _identified(row: Mapping[str, float], spec: str = ".1f") -> str:
    """Top-1 in %, top-5 in % and the cosine, as the paper lays them out; a dash where there is no value."""
    known = f"{100 * row['top1']:{spec}} / {100 * row['top5']:{spec}} / {row['cos']:.2f}"
    return "–" if pd.isna(row["top1"]) else known


def table1(accuracy: pd.DataFrame, floors: pd.DataFrame, made_by: str) -> Table:
    """Table 1: accuracy of the target networks on fold 1 with its interval, and on folds 2-5, beside the paper's.
    accuracy: `section_4_0.target_accuracy`. floors: `section_2.difficulty` of the same set."""
    printed = paper.table1()["accuracy"]
    rows = []
    for model, ours in accuracy.groupby("model", sort=False):
        test, learnt = (ours.set_index("clips").loc[name] for name in ("fold 1", "folds 2-5"))
        sure = _interval(test["low"], test["high"], ".1%").replace("–", "one source: no interval" if test["n"] else "–")
        row = {"network": CALLED.get(model, model), "fold 1": test["accuracy"], "95 %": sure}
        rows.append(row | {"the paper (ESC-50)": printed.get(model, float("nan")), "folds 2–5": learnt["accuracy"]})
    for method, value in zip(floors["method"], floors["accuracy"], strict=True):
        if method not in set(accuracy["model"]):
            rows.append({"network": method, "fold 1": value, "95 %": "–"})
    formats = dict.fromkeys(["the paper (ESC-50)", "fold 1", "folds 2–5"], ".1%")
    return plain(rows, "Table 1. Accuracy of the target networks", made_by, formats)


def table2(results: pd.DataFrame, made_by: str, rests_on: Mapping[str, str], concepts: int) -> Table:
    """Table 2: DB and TAB by their best functions, and ICL, beside the paper's; what decides comes first.
    results: `section_4_1.at_best`. rests_on: `Run.rests_on`, whose names stand in the header. concepts: how many."""
    heads = {method: f"{method} ({rests_on[method]})" for method in ("DB", "TAB", "ICL")}
    rows = []
    for model, ours in results.groupby("model", sort=False):
        if len(printed := paper.table2(model)):
            cells = {head: _identified(printed.loc[method], ".0f") for method, head in heads.items()}
            rows.append({"model": model, "clips": "the paper", **cells})
        for condition in dict.fromkeys(c for c in ours["condition"] if c.startswith(("all", "fold 1"))):
            shown = ours[(ours["condition"] == condition) & (ours["units"] > 0)].to_dict("records")  # with an answer
            ways = [
                [(r["function"] + r["method"].removeprefix(m), r) for r in shown if m in r["method"]] for m in heads
            ]
            cells = [[f"{way} {_identified(row, '.0f')}" for way, row in each] for each in ways]
            start = {"model": model, "clips": f"ours, {condition}"}
            for row in zip_longest(*cells, fillvalue="–"):  # ICL has several: with one example and with two
                rows.append(start | dict(zip(heads.values(), row, strict=True)))
    by_chance = " / ".join(f"{100 * chance(concepts, first):.0f}" for first in (1, 5))
    rows.append({"model": "chance", "clips": f"{concepts} concepts", **dict.fromkeys(heads.values(), by_chance)})
    measured = f"top-1 % / top-5 % / cosine by {rests_on['cosine']}"
    return plain(rows, f"Table 2. Naming the classes of classifier units: {measured} (the paper: on ESC-50)", made_by)


def intervals(frame: pd.DataFrame, made_by: str, cosine: str, what: str) -> Table:
    """How sure Tables 2 and 7 are, with 95 % intervals. frame: rows of `section_4_1.intervals`. what: they say."""
    rows = []
    for row in frame.to_dict("records"):
        heads = {"top1": "top-1 %", "top5": "top-5 %", "cos": f"cosine by {cosine}"}
        sign, cells = "+" if "−" in row["model"] + row["compared"] else "", {}
        for name, head in heads.items():
            scale, spec = (1, f"{sign}.2f") if name == "cos" else (100, f"{sign}.0f")
            value, low, high = (scale * row[f"{name}{end}"] for end in ("", "_low", "_high"))
            cells[head] = "–" if pd.isna(value) else f"{value:{spec}} ({_interval(low, high, spec)})"
        rows.append({"model": row["model"], "method or pair": row["compared"], **cells})
    return plain(rows, f"{what}, with 95 % intervals over units", made_by)


def controls(results: pd.DataFrame, made_by: str) -> Table:
    """Top-1 under every condition: TAB, DB, and the string match. results: `section_4_1.at_best`."""
    rows = [
        {"model": model, "method": method, **ours.loc[ours["method"] == method].set_index("condition")["top1"]}
        for model, ours in results.groupby("model", sort=False)
        for method in ("TAB", "DB", "string match")
    ]
    return plain(rows, "Top-1 under every condition", made_by, dict.fromkeys(results["condition"], ".1%"))


def named(units: pd.DataFrame, made_by: str) -> Table:
    """What DB calls each classifier unit: a row a class, a column a model. units: `section_4_1.named_units`."""
    wide = units.assign(cell=units["first"].where(units["right"] == "no", "✓"))
    wide = wide.pivot(index="class", columns="model", values="cell")
    wide = wide[list(units["model"].unique())].reset_index()
    return Table(wide, "Classifier units that DB names rightly (✓), or what it calls them", made_by, {})


def table7(results: pd.DataFrame, made_by: str, rests_on: Mapping[str, str]) -> Table:
    """Table 7: TAB and DB by similarity function. results: `section_4_1.last_layer`. rests_on: as for `table2`."""
    rows = []
    closed = results[results["method"].isin(["TAB", "DB"])]
    for (method, model), ours in closed.groupby(["method", "model"], sort=False):
        printed = paper.table7(model, method)
        cells = ours.set_index(["condition", "function"])
        for function in ours["function"].unique():
            row = {"model": model, "method": method, "function": function}
            for condition in ("all clips", "fold 1"):
                if (condition, function) in cells.index:
                    row[f"ours, {condition}"] = _identified(cells.loc[(condition, function)])
            rows.append(row | {"the paper (ESC-50)": _identified(printed.loc[function]) if len(printed) else "–"})
    encoders = f"TAB ({rests_on['TAB']}) and DB ({rests_on['DB']})"
    caption = f"Table 7. {encoders} by similarity function: top-1 % / top-5 % / cosine by {rests_on['cosine']}"
    return plain(rows, caption, made_by)


def table3(scores: pd.DataFrame, made_by: str, encoder: str) -> Table:
    """Table 3: what people said of each method's descriptions, with 95 % intervals, beside the paper's; dashes where
    nobody has rated. scores: `section_4_2.score_ratings`. encoder: what its cosines are measured with."""
    printed = paper.numbers()["table3_human_evaluation"]
    bertscore = next(name for name in scores if name.startswith("bertscore_"))
    heads = {"rating": "rating", "cos": f"cosine ({encoder})", bertscore: f"BERTScore ({bertscore.split('_')[1]})"}
    of_paper = ("rating, the paper", "cosine, the paper", "BERTScore, the paper")
    rows = []
    for row in scores.to_dict("records"):
        cells, theirs = {}, zip(of_paper, printed[row["method"]], strict=True)
        for name, head in heads.items():
            interval = _interval(row[f"{name}_low"], row[f"{name}_high"], ".2f")
            cells[head] = "–" if pd.isna(row[name]) else f"{row[name]:.2f} ({interval})"
        counts = {"raters": row["raters"], "ratings": row["ratings"], "Krippendorff's α": row["alpha"]}
        rows.append({"method": row["method"], **cells, **dict(theirs), **counts})
    formats = dict.fromkeys([*of_paper, "Krippendorff's α"], ".2f")
    return plain(rows, "Table 3. What people say of descriptions", made_by, formats)


def _folding_controls(table: Table) -> Table:
    """The table with the strategies that the paper has; the controls are shown on demand."""
    main = table.frame["strategy"].str.fullmatch("(random|TAB|DB|OCP)(, [0-9]+ draws)?")
    return replace(table, frame=table.frame[main], more=("Controls", table.frame[~main]))


def table4(results: pd.DataFrame, made_by: str) -> Table:
    """Table 4: what silencing its units does to a class's own logit, and the paper's. results: `section_4_3.table4`."""
    theirs, frame = {}, results.assign(**{"95 %": _intervals(results, "gap")})
    for model in results["model"].unique():
        for row in paper.table4(model).itertuples():
            theirs[model, row.Index] = f"{row.dA:+.2f} / {row.dR:+.2f} / {row.gap:+.2f}"
    printed = [theirs.get(key, "–") for key in zip(frame["model"], frame["strategy"], strict=True)]
    frame["the paper: ΔA / ΔR / ΔR − ΔA"], drawn = printed, frame["strategy"] == "random"
    frame.loc[drawn, "strategy"] += frame.loc[drawn, "draws"].map(", {:.0f} draws".format).astype(str)
    heads = {"dA": "ΔA", "dR": "ΔR", "gap": "ΔR − ΔA", "p_holm": "p, Holm"}
    formats = dict.fromkeys(["ΔA", "ΔR", "ΔR − ΔA"], "+.2f") | dict.fromkeys(["p", "p, Holm"], ".4f")
    frame = frame[["model", "strategy", "gap", "95 %", "dA", "dR", frame.columns[-1], "units", "empty", "p", "p_holm"]]
    caption = "Table 4. Change of the class's own logit after silencing its units (the paper: on ESC-50)"
    return _folding_controls(plain(frame, caption, made_by, formats | {"units": ".0f", "empty": ".0f"}, heads))


def beyond_random(results: pd.DataFrame, made_by: str) -> Table:
    """What strategies do beyond as many random units in every layer. results: `section_4_3.table4`."""
    frame = results[results["excess"].notna()]
    names = {"95 %": "excess", "all, 95 %": "excess_all", "OCP − it, 95 %": "ocp_beyond"}
    frame = frame.assign(**{head: _intervals(frame, name) for head, name in names.items()})
    heads = {"model": "model", "strategy": "strategy", "units": "units", "excess": "by the next", "95 %": "95 %"}
    heads |= {"p_excess": "p", "draws": "sets", "excess_all": "by all", "all, 95 %": "all, 95 %"}
    heads |= {"ocp_beyond": "OCP − it", "OCP − it, 95 %": "OCP − it, 95 %"}
    formats = dict.fromkeys(["by the next", "by all", "OCP − it"], "+.2f") | {"p": ".3f", "units": ".0f", "sets": ".0f"}
    return plain(frame[list(heads)], "Beyond as many random units in every layer", made_by, formats, heads)


def beyond_logits(results: pd.DataFrame, made_by: str) -> Table:
    """What Table 4's logits hide: margins, accuracies, and averages over the classes that have a unit at all."""
    heads = {"gap_filled": "logit gap", "margin_dA": "ΔA", "margin_dR": "ΔR", "margin_gap": "ΔR − ΔA", "margin_p": "p"}
    heads |= {"accuracy_forgotten": "forgotten", "accuracy_remaining": "others", "accuracy_drop": "drop"}
    formats = dict.fromkeys(["logit gap", "ΔA", "ΔR", "ΔR − ΔA"], "+.2f") | {"p": ".4f", "drop": "+.1%"}
    formats |= dict.fromkeys(["forgotten", "others"], ".1%")
    frame = results.assign(**{"95 %": _intervals(results, "accuracy_drop", "+.1%")})
    caption = "Beyond logits: change of the margin (own logit less the largest other), and accuracy"
    return _folding_controls(plain(frame[["model", "strategy", *heads, "95 %"]], caption, made_by, formats, heads))


def wider_gaps(rows: pd.DataFrame, made_by: str) -> Table:
    """How much wider than OCP's the gap of each rule is. rows: `better_unlearning.compared`."""
    frame = rows.assign(**{"95 %": _intervals(rows, "gap"), "wider, 95 %": _intervals(rows, "wider")})
    frame.loc[rows["rule"] == "OCP", "wider, 95 %"] = "–"
    frame = frame[["model", "way", "rule", "gap", "wider", "wider, 95 %", "p_holm", "95 %", "units"]]
    formats = {"units": ".0f", "gap": "+.2f", "wider": "+.2f", "p, Holm": ".3f"}
    caption = "Gap of each rule, and by how much it is wider than OCP's of the same way"
    return plain(frame, caption, made_by, formats, {"p_holm": "p, Holm"})


def strategies(frame: pd.DataFrame, caption: str, made_by: str) -> Table:
    """The clean comparison: of every strategy, or difference of two (rows), mean over seeds and 95 % interval of every
    measure. frame: `training_strategies.over_seeds` or `paired_over_seeds`."""
    columns = [name for name in ("strategy", "one", "other") if name in frame]
    half = (frame["high"] - frame["low"]) / 2
    cells = frame["mean"].map("{:.2f}".format) + half.map(" ± {:.2f}".format).where(half.notna(), "")  # one seed: none
    heads = frame[columns].replace(CALLED).replace("^beats_", "", regex=True).agg(" − ".join, axis=1).to_list()
    wide = frame.assign(cell=cells, head=heads).pivot(index="head", columns="measure", values="cell")
    wide = wide.loc[list(dict.fromkeys(heads)), frame["measure"].unique()].rename(columns=MEASURES)
    return plain(wide.rename_axis("strategy").reset_index(), caption, made_by)


def feature_importance(curves: pd.DataFrame, made_by: str) -> Table:
    """Figure 4 in numbers, beside random units in the same layers. curves: `section_4_4.curves` with a column model."""
    rows = []
    for (model, attribute), ours in curves[curves["attribute"] != "none"].groupby(["model", "attribute"], sort=False):
        chosen, drawn = (ours[ours["set"] == kind].set_index("percent") for kind in ("chosen", "matched"))
        row = {"model": model, "attribute": attribute} | {f"{r} %": value for r, value in chosen["accuracy"].items()}
        for r, accuracy in drawn["accuracy"].items():
            row |= {f"units at {r} %": chosen["units"][r], f"same layers, {r} %": accuracy}
        rows.append(row)
    formats = {name: ".0f" if name.startswith("units") else ".1%" for row in rows for name in row}
    return plain(rows, "Figure 4. Accuracy on fold 1 after silencing r % of the block units", made_by, formats)


def scorecard(card: pd.DataFrame, made_by: str) -> Table:
    """How well explanations predict units, beside nulls. card: rows of `scoring.scorecard` with a column model."""
    by_null = {null: rows.reset_index(drop=True) for null, rows in card.groupby("null", sort=False)}
    own, shuffled = by_null[""], by_null["shuffled"]
    frame = own[["model", "method", "matcher"]].assign(r=own["pearson"])
    frame["95 %"], frame["r, shuffled"] = _intervals(own, "pearson", ".2f"), shuffled["pearson"]
    frame["r, commonest"], frame["p, Holm"] = by_null["most common"]["pearson"], own["p_holm"]
    frame["explained"] = own["explained"]
    frame["AUPRC"], frame["lift"], frame["lift, shuffled"] = own["auprc"], own["lift"], shuffled["lift"]
    frame["F1"], frame["IoU"], frame["AUROC"] = own["f1"], own["iou"], own["auroc"]
    frame["detection"], frame["hard"] = own["balanced_accuracy"], own["hard_balanced_accuracy"]
    frame["hard, shuffled"] = shuffled["hard_balanced_accuracy"]
    formats = dict.fromkeys(frame.columns[3:], ".2f") | {"p, Holm": ".3f", "lift": ".1f", "lift, shuffled": ".1f"}
    formats |= dict.fromkeys(["explained", "detection", "hard", "hard, shuffled"], ".0%")
    caption = "Scores on fold 1 of explanations from folds 2–5, mean over units"
    heads, other = {"matcher": "matched by"}, frame.drop(columns=frame.columns[3:9])
    shown = plain(frame.iloc[:, :9], caption, made_by, formats, heads)
    return replace(shown, more=("Other measures", plain(other, "", "", heads=heads).frame))
