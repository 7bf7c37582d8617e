"""Frames to tables of the report. They draw what they are given: nothing here loads, computes or saves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import zip_longest

import pandas as pd

from andlib import paper
from andlib.llms import prompts
from andlib.llms.llm import Chat
from andlib.pages.section_4_1 import best_function
from andlib.profiles import MEASURES

Format = Mapping[str, str]  # column -> format specification


@dataclass(frozen=True)
class Table:
    """A captioned table with the line that says what made it. Every cell is escaped: text from models is data."""

    frame: pd.DataFrame
    caption: str
    made_by: str
    formats: Format

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in self.frame.columns)
        rows = "".join(
            "<tr>"
            + "".join(self._cell(name, value) for name, value in zip(self.frame.columns, row, strict=True))
            + "</tr>"
            for row in self.frame.itertuples(index=False)
        )
        return (
            f'<div class="andlib-table"><table><caption>{escape(self.caption)}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
            f'<p class="made-by">{escape(self.made_by)}</p></div>'
        )

    def _cell(self, name: str, value: object) -> str:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and pd.isna(value):
            return '<td class="number">–</td>'
        text = format(value, self.formats.get(name, "")) if number else str(value)
        return f'<td class="number">{escape(text)}</td>' if number else f"<td>{escape(text)}</td>"


def keep(**values: object) -> None:
    """Glues values by name: into the page's prose, and into the results that are committed beside the page.

    A frame is kept as its rows.
    """
    from myst_nb import glue

    for name, value in values.items():
        if isinstance(value, pd.DataFrame):
            value = value.astype(object).where(value.notna(), None).to_dict("records")
        glue(name, getattr(value, "item", lambda v=value: v)(), display=False)


def plain(frame: pd.DataFrame, caption: str, made_by: str, formats: Format | None = None) -> Table:
    """Any frame as a table. A model that is the same in every row moves from its column into the caption."""
    if "model" in frame and frame["model"].nunique() == 1:
        caption = f"{caption} ({frame['model'].iloc[0]})"
        frame = frame.drop(columns="model")
    return Table(frame, caption, made_by, formats or {})


def table1(accuracy: pd.DataFrame, floors: pd.DataFrame, made_by: str) -> Table:
    """Table 1: accuracy of the target networks on fold 1 with its interval, and on folds 2-5, beside the paper's.

    accuracy: `baselines.target_accuracy`. floors: `baselines.difficulty` of the same set.
    """
    reference = paper.table1().set_index("model")["accuracy"]
    rows = []
    for model, ours in accuracy.groupby("model", sort=False):
        test, learnt = (ours.set_index("clips").loc[name] for name in ("fold 1", "folds 2-5"))
        interval = f"{test['low']:.1%} … {test['high']:.1%}"
        rows.append(
            {"network": model, "the paper (ESC-50)": reference.get(model, float("nan")), "fold 1": test["accuracy"]}
            | {"95 %": interval, "folds 2–5": learnt["accuracy"]}
        )
    for method, value in floors.set_index("method")["accuracy"].items():
        if method not in set(accuracy["model"]):
            rows.append({"network": method, "fold 1": value, "95 %": "–"})
    formats = dict.fromkeys(["the paper (ESC-50)", "fold 1", "folds 2–5"], ".1%")
    return plain(pd.DataFrame(rows), "Table 1. Accuracy of the target networks", made_by, formats)


def table2(results: pd.DataFrame, made_by: str, rests_on: Mapping[str, str]) -> Table:
    """Table 2 as the paper lays it out: ICL, TAB and DB, the latter two by their best functions, beside the paper's.

    results: `section_4_1.last_layer`. rests_on: `Run.rests_on`, whose names stand in the header.
    """
    heads = {method: f"{method} ({rests_on[method]})" for method in ("ICL", "TAB", "DB")}
    rows = []
    for model, ours in results.groupby("model", sort=False):
        if model in paper.numbers()["models"]:
            printed = paper.table2(model).set_index("method")
            cells = {head: _cell(printed.loc[method], ".0f") for method, head in heads.items()}
            rows.append({"model": model, "clips": "the paper", **cells})
        best = {method: best_function(ours, method) for method in ("TAB", "DB")}
        ours = ours[(ours["method"] == "ICL") | (ours["function"] == ours["method"].map(best))]
        for condition in ("all clips", "fold 1"):
            shown = ours[ours["condition"] == condition]
            of = {
                method: [f"{r['function']} {_cell(r, '.0f')}" for _, r in m.iterrows()]
                for method, m in shown.groupby("method")
            }
            for cells in zip_longest(*of.values(), fillvalue="–"):  # ICL has two: with one and with two examples
                rows.append(
                    {"model": model, "clips": f"ours, {condition}"}
                    | {heads[m]: c for m, c in zip(of, cells, strict=True)}
                )
    chance = f"{100 * paper.CHANCE['top1']:.0f} / {100 * paper.CHANCE['top5']:.0f}"
    rows.append({"model": "chance", "clips": "50 concepts", **dict.fromkeys(heads.values(), chance)})
    measured = f"top-1 % / top-5 % / cosine by {rests_on['cosine']}"
    caption = f"Table 2. Naming the classes of classifier units: {measured} (the paper: on ESC-50)"
    return plain(pd.DataFrame(rows).fillna("–"), caption, made_by)


def intervals(frame: pd.DataFrame, made_by: str, cosine: str) -> Table:
    """How sure Table 2 is: values and differences in points, with 95 % intervals. frame: `section_4_1.intervals`."""
    rows = []
    for row in frame.to_dict("records"):
        heads = {"top1": "top-1 %", "top5": "top-5 %", "cos": f"cosine by {cosine}"}
        sign, cells = "+" if "−" in row["compared"] else "", {}
        for name, head in heads.items():
            scale, spec = (1, f"{sign}.2f") if name == "cos" else (100, f"{sign}.0f")
            value, low, high = (scale * row[f"{name}{end}"] for end in ("", "_low", "_high"))
            cells[head] = "–" if pd.isna(value) else f"{value:{spec}} ({_interval(low, high, spec)})"
        rows.append({"model": row["model"], "method or pair": row["compared"], **cells})
    caption = "Table 2 and differences between methods, with 95 % intervals over units"
    return plain(pd.DataFrame(rows), caption, made_by)


def cross_fitted(results: pd.DataFrame, made_by: str, cosine: str) -> Table:
    """TAB and DB for AST from activations of networks that did not learn from the clip, beside the plain reading.

    results: `section_4_1.last_layer`.
    """
    conditions = ["all clips", "fold 1", "cross-fitted"]
    ours = results[results["method"].isin(["TAB", "DB"]) & results["condition"].isin(conditions)]
    ours = ours[ours["model"] == "ast"]
    wide = ours.assign(cell=[_cell(row, ".0f") for _, row in ours.iterrows()])
    wide = wide.pivot(index=["method", "function"], columns="condition", values="cell")
    order = list(dict.fromkeys(zip(ours["method"], ours["function"], strict=True)))
    wide = wide.loc[order, [name for name in conditions if name in wide]].reset_index()
    caption = f"AST by similarity function and by who hears each clip: top-1 % / top-5 % / cosine by {cosine}"
    return plain(wide, caption, made_by)


def controls(results: pd.DataFrame, made_by: str) -> Table:
    """Top-1 under every condition: TAB's and DB's best functions, and the string match."""
    rows = []
    for model, ours in results.groupby("model", sort=False):
        for method in ("TAB", "DB"):
            shown = ours[(ours["method"] == method) & (ours["function"] == best_function(ours, method))]
            rows.append({"model": model, "method": method, **shown.set_index("condition")["top1"]})
        string = ours.loc[ours["method"] == "string match", "top1"].iloc[0]
        rows.append({"model": model, "method": "string match", "all clips": string})
    frame = pd.DataFrame(rows)
    return plain(frame, "Top-1 under every condition", made_by, dict.fromkeys(frame.columns[2:], ".1%"))


def named(units: pd.DataFrame, made_by: str) -> Table:
    """What DB calls each classifier unit: a row a class, a column a model. units: `section_4_1.named_units`."""
    cells = units["first"].where(units["right"] == "no", "✓")
    wide = units.assign(cell=cells).pivot(index="class", columns="model", values="cell")
    wide = wide[list(units["model"].unique())].reset_index()
    return Table(wide, "Classifier units that DB names rightly (✓), or what it calls them", made_by, {})


def table7(results: pd.DataFrame, made_by: str, rests_on: Mapping[str, str]) -> Table:
    """Table 7: TAB and DB with every similarity function, ours (all clips, fold 1 alone) and the paper's.

    A cell holds top-1 in %, top-5 in % and the cosine, as the paper lays it out.
    """
    rows = []
    for (method, model), ours in results[results["method"].isin(["TAB", "DB"])].groupby(
        ["method", "model"], sort=False
    ):
        in_paper = model in paper.numbers()["models"]
        reference = paper.table7(model, method).set_index("function") if in_paper else None
        cells = ours.set_index(["condition", "function"])
        for function in ours["function"].unique():
            row = {"model": model, "method": method, "function": function}
            for condition in ("all clips", "fold 1"):
                if (condition, function) in cells.index:
                    row[f"ours, {condition}"] = _cell(cells.loc[(condition, function)])
            rows.append(row | {"the paper (ESC-50)": _cell(reference.loc[function]) if in_paper else "–"})
    encoders = f"TAB ({rests_on['TAB']}) and DB ({rests_on['DB']})"
    caption = f"Table 7. {encoders} by similarity function: top-1 % / top-5 % / cosine by {rests_on['cosine']}"
    return plain(pd.DataFrame(rows), caption, made_by)


def _cell(row: pd.Series, spec: str = ".1f") -> str:
    return f"{format(100 * row['top1'], spec)} / {format(100 * row['top5'], spec)} / {row['cos']:.2f}"


def table3(scores: pd.DataFrame, made_by: str, encoder: str) -> Table:
    """Table 3: what people said of each method's descriptions, with 95 % intervals, beside the paper's; dashes where
    nobody has rated.

    scores: `human_evaluation.score_ratings`. encoder: what its cosines are measured with.
    """
    printed = paper.numbers()["table3_human_evaluation"]
    bertscore = next(name for name in scores if name.startswith("bertscore_"))
    measured = {"rating": "rating", "cos": f"cosine ({encoder})", bertscore: f"BERTScore ({bertscore.split('_')[1]})"}
    of_paper = ("rating, the paper", "cosine, the paper", "BERTScore, the paper")
    rows = []
    for row in scores.to_dict("records"):
        ours = {
            head: "–"
            if pd.isna(row[name])
            else f"{row[name]:.2f} ({_interval(row[f'{name}_low'], row[f'{name}_high'], '.2f')})"
            for name, head in measured.items()
        }
        alpha = {"raters": row["raters"], "ratings": row["ratings"], "Krippendorff's α": row["alpha"]}
        rows.append(
            {"method": row["method"], **dict(zip(of_paper, printed[row["method"]], strict=True)), **ours, **alpha}
        )
    formats = dict.fromkeys([*of_paper, "Krippendorff's α"], ".2f")
    return plain(pd.DataFrame(rows), "Table 3. What people say of descriptions", made_by, formats)


TABLE4_COLUMNS = {
    "model": "model",
    "strategy": "strategy",
    "units": "units",
    "empty": "empty",
    "dA": "ΔA",
    "dR": "ΔR",
    "gap": "ΔR − ΔA",
    "interval": "95 %",
    "p": "p",
    "p_holm": "p, Holm",
}


def table4(results: pd.DataFrame, made_by: str) -> Table:
    """Table 4: change of a class's own logit when its units are silenced, ours and the paper's rows.

    results: `section_4_3.unlearning_table`.
    """
    rows = []
    for model, ours in results.groupby("model", sort=False):
        if model in paper.numbers()["models"]:
            reference = paper.table4(model).set_index("strategy")
            for strategy in ("random", "TAB", "DB", "OCP"):
                rows.append({"model": model, "strategy": f"{strategy}, the paper (ESC-50)", **reference.loc[strategy]})
        rows += ours.to_dict("records")
    frame = pd.DataFrame(rows)
    frame["interval"] = [_interval(low, high) for low, high in zip(frame["gap_low"], frame["gap_high"], strict=True)]
    frame = frame[list(TABLE4_COLUMNS)].rename(columns=TABLE4_COLUMNS)
    formats = dict.fromkeys(["ΔA", "ΔR", "ΔR − ΔA"], "+.2f") | {"units": ".0f", "empty": ".0f"}
    formats |= dict.fromkeys(["p", "p, Holm"], ".4f")
    caption = "Table 4. Change of the class's own logit after silencing its units"
    return plain(frame, caption, made_by, formats)


def beyond_random(results: pd.DataFrame, made_by: str) -> Table:
    """What each strategy of Table 4 does beyond random sets with as many units in every layer.

    results: `section_4_3.unlearning_table` with controls.
    """
    frame = results[results["draws"].notna()]
    frame = frame.assign(interval=[_interval(*ends) for ends in frame[["excess_low", "excess_high"]].to_numpy()])
    columns = {"excess": "excess", "interval": "95 %", "p_excess": "p", "p_excess_holm": "p, Holm", "draws": "draws"}
    frame = frame[["model", "strategy", "units", *columns]].rename(columns=columns)
    formats = {"units": ".0f", "draws": ".0f", "excess": "+.2f", "p": ".3f", "p, Holm": ".3f"}
    return plain(frame, "Beyond as many random units in every layer", made_by, formats)


def beyond_logits(results: pd.DataFrame, made_by: str) -> Table:
    """What Table 4's logits hide: margins, accuracies, and averages over the classes that have a unit at all."""
    columns = {
        "model": "model",
        "strategy": "strategy",
        "gap_filled": "logit gap",
        "margin_dA": "ΔA",
        "margin_dR": "ΔR",
        "margin_gap": "ΔR − ΔA",
        "margin_p": "p",
        "accuracy_forgotten": "forgotten",
        "accuracy_remaining": "others",
    }
    formats = {name: "+.2f" for name in columns.values() if "gap" in name or "Δ" in name}
    formats |= dict.fromkeys(["forgotten", "others"], ".1%") | {"p": ".4f"}
    caption = "Beyond logits: change of the margin (own logit less the largest other), and accuracy"
    return plain(results[list(columns)].rename(columns=columns), caption, made_by, formats)


def wider_gaps(rows: pd.DataFrame, made_by: str) -> Table:
    """How much wider than OCP's the gap of each rule is. rows: `better_unlearning.compared`."""
    ends = {
        name: [_interval(*pair) for pair in rows[[f"{name}_low", f"{name}_high"]].to_numpy()]
        for name in ("gap", "wider")
    }
    frame = rows[["model", "way", "rule", "units", "gap"]].assign(**{"95 %": ends["gap"], "wider": rows["wider"]})
    frame = frame.assign(**{"wider, 95 %": ends["wider"], "p, Holm": rows["p_holm"]})
    frame.loc[rows["rule"] == "OCP", ["wider, 95 %"]] = "–"
    formats = {"units": ".0f", "gap": "+.2f", "wider": "+.2f", "p, Holm": ".3f"}
    return plain(frame, "Gap of each rule, and by how much it is wider than OCP's of the same way", made_by, formats)


def side_effects(rows: pd.DataFrame, made_by: str) -> Table:
    """What else each rule of better unlearning does. rows: `better_unlearning.compared`."""
    heads = {"margin_gap": "gap of margins", "forgotten": "forgotten", "remaining": "others", "spill": "spill"}
    frame = rows[["model", "way", "rule", *heads]].rename(columns=heads)
    formats = {"gap of margins": "+.2f", "forgotten": ".1%", "others": ".1%", "spill": "+.2f"}
    return plain(frame, "Accuracy after silencing, margins and spill-over", made_by, formats)


def strategies(summary: pd.DataFrame, made_by: str) -> Table:
    """The clean comparison: mean over seeds and 95 % interval of every measure (rows) under every strategy.

    summary: `strategies.over_seeds`.
    """
    return _measures(
        summary, ["strategy"], "One architecture, four training strategies: mean over seeds, and 95 %", made_by
    )


def paired(differences: pd.DataFrame, made_by: str) -> Table:
    """The clean comparison pair by pair. differences: `strategies.paired_over_seeds`."""
    return _measures(
        differences, ["one", "other"], "Differences between strategies of the same seed: mean, and 95 %", made_by
    )


def _measures(frame: pd.DataFrame, columns: list[str], caption: str, made_by: str) -> Table:
    half = (frame["high"] - frame["low"]) / 2
    cells = [f"{mean:.2f} ± {width:.2f}" for mean, width in zip(frame["mean"], half, strict=True)]
    heads = [" − ".join(name.removeprefix("beats_") for name in row) for row in frame[columns].itertuples(index=False)]
    wide = frame.assign(cell=cells, head=heads).pivot(index="measure", columns="head", values="cell")
    wide = wide.loc[list(MEASURES), list(dict.fromkeys(heads))].rename(index=MEASURES)
    return plain(wide.rename_axis("measure").reset_index(), caption, made_by)


def feature_importance(curves: pd.DataFrame, made_by: str) -> Table:
    """Figure 4 in numbers: accuracy after silencing r % of the block units, and the same for random units in the same
    layers.

    curves: `section_4_4.curves` with a column model.
    """
    rows = []
    for (model, attribute), of in curves[curves["attribute"] != "none"].groupby(["model", "attribute"], sort=False):
        ours, drawn = (of[of["set"] == kind].set_index("percent") for kind in ("chosen", "matched"))
        row = {"model": model, "attribute": attribute} | {f"{r} %": value for r, value in ours["accuracy"].items()}
        for r, values in drawn.iterrows():
            row |= {f"units at {r} %": ours["units"][r], f"same layers, {r} %": values["accuracy"]}
        rows.append(row)
    frame = pd.DataFrame(rows)
    formats = {name: ".0f" if name.startswith("units") else ".1%" for name in frame.columns[2:]}
    return plain(frame, "Figure 4. Accuracy on fold 1 after silencing r % of the block units", made_by, formats)


def table5(chat: Chat, made_by: str) -> Table:
    """Table 5: ICL's question turn by turn, a row a line; which lines are quoted from the paper and which are ours.

    chat: `prompts.choice`.
    """
    quoted = {*prompts.INSTRUCTION, *(text for *texts, _ in prompts.EXAMPLES for text in texts)}
    rows = []
    for number, turn in enumerate(chat, 1):
        for line in turn["content"].split("\n"):
            source = "the paper" if line.partition(": ")[2] in quoted or line in quoted else "ours"
            rows.append({"turn": f"{number}. {turn['role']}", "from": source, "text": line})
    rows[1]["from"], rows[-1]["from"] = "the concept set", "the neuron's summary"
    return plain(pd.DataFrame(rows), "Table 5. What ICL asks the language model", made_by)


def listing(rows: Sequence[Mapping[str, object]], caption: str, made_by: str) -> Table:
    """Rows of mixed text and numbers."""
    return plain(pd.DataFrame(rows), caption, made_by)


def _interval(low: float, high: float, spec: str = "+.2f") -> str:
    return "–" if pd.isna(low) else f"{low:{spec}} … {high:{spec}}"


def scorecard(card: pd.DataFrame, made_by: str) -> Table:
    """How well explanations predict units, beside nulls. card: rows of `scoring.scorecard` with a column model."""
    by_null = {null: rows.reset_index(drop=True) for null, rows in card.groupby("null", sort=False)}
    own, shuffled = by_null[""], by_null["shuffled"]
    frame = own[["model", "method", "matcher", "explained"]].rename(columns={"matcher": "matched by"})
    interval = [_interval(*ends, ".2f") for ends in own[["pearson_low", "pearson_high"]].to_numpy()]
    frame = frame.assign(r=own["pearson"], **{"95 %": interval, "r, shuffled": shuffled["pearson"]})
    frame["r, commonest"], frame["p, Holm"] = by_null["most common"]["pearson"], own["p_holm"]
    frame["AUPRC"], frame["lift"], frame["lift, shuffled"] = own["auprc"], own["lift"], shuffled["lift"]
    frame["F1"], frame["IoU"], frame["AUROC"] = own["f1"], own["iou"], own["auroc"]
    frame["detection"], frame["hard"] = own["balanced_accuracy"], own["hard_balanced_accuracy"]
    frame["hard, shuffled"] = shuffled["hard_balanced_accuracy"]
    formats = dict.fromkeys(frame.columns[4:], ".2f") | {"p, Holm": ".3f", "lift": ".1f", "lift, shuffled": ".1f"}
    formats |= dict.fromkeys(["explained", "detection", "hard", "hard, shuffled"], ".0%")
    return plain(frame, "Scores on fold 1 of explanations from folds 2–5, mean over units", made_by, formats)
