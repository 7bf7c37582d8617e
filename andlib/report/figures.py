"""Figures of the report, one look for all. They draw what they are given and return the axes they drew on."""

from collections.abc import Mapping
from itertools import product

import numpy as np
import pandas as pd

from andlib import paper
from andlib.concepts import chance
from andlib.profiles import CALLED, MEASURES
from andlib.report import look
from andlib.report.look import GREEN, MUTED, OURS, PAPER, PINK, SERIES, SKY


def accuracies(accuracy: pd.DataFrame, floors: pd.DataFrame):
    """Table 1: accuracy on fold 1, beside the paper's and what needs no network. Frames: as for `tables.table1`."""
    ours = 100 * accuracy[accuracy["clips"] == "fold 1"].set_index("model")[["accuracy", "low", "high"]][::-1]
    ax = look.panels(1, 1, 7.5, 1 + 0.3 * len(ours))[0, 0]
    printed = 100 * paper.table1()["accuracy"].reindex(ours.index)
    look.dots(ax, ours.rename(CALLED), ["low", "accuracy", "high"], printed)
    others = floors[~floors["method"].isin(ours.index)]
    for name, value, line in zip(others["method"], others["accuracy"], ("--", ":"), strict=True):
        ax.axvline(100 * value, color="black", linestyle=line, linewidth=1, label=name)
    ax.set(xlabel="right on fold 1 (%)", xlim=(0, 103))
    look.legend_of_all(ax, 4)
    return ax


def named_classes(results: pd.DataFrame, sure: pd.DataFrame, concepts: int):
    """Tables 2 and 7: top-1 of ICL, of TAB by its best similarity function and of DB by each, a panel a model, and the
    paper's; dotted: chance with so many concepts. results, sure: `section_4_1.last_layer`, `.intervals`."""
    axes = look.panels(1, len(models := list(results["model"].unique())), 9, 3.4, sharex=True, sharey=True)
    functions = list(results.loc[results["method"] == "DB", "function"].unique())[::-1]
    names = {name: f"DB, {name}" for name in functions} | {"TAB": "TAB, best", "ICL": "ICL"}
    for ax, model in zip(axes.flat, models, strict=True):
        ours = results[(results["model"] == model) & (results["method"] == "DB")]
        for condition, mark, colour in (("shuffled captions", "|", MUTED), ("fold 1", "o", SKY)):
            share = 100 * ours[ours["condition"] == condition].set_index("function")["top1"].reindex(functions)
            ax.scatter(share, [names[name] for name in functions], 70, colour, marker=mark, label=f"ours, {condition}")
        shares = sure[sure["model"] == model].set_index("compared").filter(like="top1")
        printed = pd.concat([paper.table7(model), paper.table2(model)])["top1"].reindex(names)
        look.dots(ax, 100 * shares.reindex(names).rename(names), ["top1_low", "top1", "top1_high"], 100 * printed)
        ax.axvline(100 * chance(concepts, 1), color="black", linestyle=":", linewidth=1, label="chance")
        ax.set(xlim=(-6, 106), xticks=(0, 50, 100))
        ax.set_title(CALLED.get(model, model), fontsize="medium" if len(models) < 5 else "small")
    look.label(axes, "top-1 (%)")
    look.legend_of_all(axes[0, 0], 5)
    return axes


def said_and_named(units: pd.DataFrame):
    """How often captions name each class, and at which rank DB has it. units: `section_4_1.named_units`."""
    ax = look.panels(1, 1, 7, 4)[0, 0]
    for (model, ours), (colour, marker) in zip(units.groupby("model", sort=False), SERIES, strict=False):
        ax.scatter(100 * ours["said"], ours["rank"], color=colour, marker=marker, label=model, alpha=0.7)
    missed = units[units["rank"] > 1].sort_values("rank", ascending=False).drop_duplicates("class")
    for row in missed.to_dict("records"):
        ax.annotate(row["class"], (100 * row["said"] + 1, 1.05 * row["rank"]), rotation=-40, va="top", fontsize="small")
    ax.set(xlabel="clips of the class whose captions name it (%)", ylabel="rank of the class by DB", xlim=(-3, 103))
    ax.set(yscale="log", ylim=(1.2 * max(units["rank"].max(), 10), 0.8))
    ax.set_yticks(ticks := [1, 2, 5, 10, 20, 50], ticks, minor=False)
    look.legend_of_all(ax, 3)
    return ax


def gaps(results: pd.DataFrame):
    """Table 4's gaps beside those of as many random units in the same layers. results: `section_4_3.table4`."""
    models, names = list(results["model"].unique()), ["OCP", "DB", "TAB", "random"]
    axes = look.panels(len(models), 1, 7, 0.9 + 1.3 * len(models), sharex=True)
    for ax, model in zip(axes.flat, models, strict=True):
        ours = results[results["model"] == model].set_index("strategy").reindex(names)
        look.dots(ax, ours, ["gap_low", "gap", "gap_high"], paper.table4(model)["gap"].reindex(names))
        drawn = (ours["gap"] - ours["excess_all"]).dropna()  # of networks that take long, none
        mark = {"marker": "|", "linewidth": 2, "zorder": 1, "label": "random units, same layers"}
        ax.scatter(drawn, drawn.index, 260, MUTED, **mark)
        ax.axvline(0, color="black", linewidth=1)
        ax.set_title(CALLED.get(model, model))
    look.label(axes, "gap ΔR − ΔA (logits)")
    look.legend_of_all(axes[0, 0], 3)
    return axes


def class_changes(changes: pd.DataFrame, target_class: str, model: str, strategy: str):
    """Figure 10: what silencing a class's units does to own logits, most affected first. changes: `class_changes`."""
    changes = changes.sort_values("change", kind="stable")
    across = -(-len(changes) // 30)
    down = -(-len(changes) // across)
    axes = look.panels(1, across, 7.5, 1.2 + 0.17 * down, sharex=True)
    for ax, first in zip(axes.flat, range(0, len(changes), down), strict=True):
        ours = changes[first : first + down]
        ax.barh(ours["class"], ours["change"], color=np.where(ours["class"] == target_class, PAPER, OURS))
        ax.axvline(0, color="black", linewidth=1)
        ax.set_ylim(down - 0.4, -0.6)
    axes[0, 0].set_title(f"{model}: units of “{target_class}” silenced ({strategy}: {changes['units'].iloc[0]:.0f})")
    axes[0, 0].figure.supxlabel("change of the class's mean logit on its own test clips", size="medium")
    return axes


def wider_gaps(rows: pd.DataFrame):
    """How much wider rules' gaps are than OCP's; a panel a model, a mark a way. rows: `better_unlearning.compared`."""
    rows = rows[rows["rule"] != "OCP"]
    models, rules, ways = (list(rows[name].unique()) for name in ("model", "rule", "way"))
    axes = look.panels(len(models), 1, 5.5, 0.8 + 1.7 * len(models), sharex=True)
    looks = zip(ways, (OURS, PAPER, MUTED), "osD", (-1, 0, 1), strict=True)
    for (way, colour, mark, shift), (ax, model) in product(looks, zip(axes.flat, models, strict=True)):
        ours = rows[(rows["model"] == model) & (rows["way"] == way)].set_index("rule").loc[rules]
        place = np.arange(len(rules))[::-1] - 0.22 * shift
        ax.hlines(place, ours["wider_low"], ours["wider_high"], color=colour, linewidth=1.2)
        ax.scatter(ours["wider"], place, color=colour, marker=mark, s=22, label=way, zorder=3)
    for ax, model in zip(axes.flat, models, strict=True):
        ax.axvline(0, color="black", linewidth=1)
        ax.set(yticks=range(len(rules)), yticklabels=rules[::-1], title=model)
    look.label(axes, "gap less OCP's, logits")
    look.legend_of_all(axes[0, 0], 3)
    return axes


def strategies(rows: pd.DataFrame, summary: pd.DataFrame):
    """The clean comparison, a panel a measure. rows, summary: `training_strategies.clean_comparison`, `.over_seeds`."""
    names, measures = list(rows["strategy"].unique()), summary["measure"].unique()
    place = np.arange(len(names))[::-1]
    axes = look.panels(-(-len(measures) // 2), 2, 7, 9, sharey=True)
    look.hide(axes.flat[len(measures) :])
    for ax, measure in zip(axes.flat, measures, strict=False):
        ours = summary[summary["measure"] == measure].set_index("strategy").loc[names]
        error = look.error(ours, "low", "mean", "high")
        ax.errorbar(ours["mean"], place, xerr=error, fmt="|", color="black", markersize=14, capsize=3)
        for name, height in zip(names, place, strict=True):
            values = rows.loc[rows["strategy"] == name, measure]
            ax.scatter(values, np.full(len(values), height), color=OURS, alpha=0.7, zorder=3)
        ax.set(yticks=place, xlabel=MEASURES[measure], ylim=(-0.6, len(names) - 0.4))
        ax.set_yticklabels([CALLED.get(name, name.removeprefix("beats_")).replace(", ", ",\n") for name in names])
    return axes


def word_clouds(counts: Mapping[str, Mapping[str, int]]):
    """Words sized by how often they occur, a panel for each of the named counts; a panel without a word says so."""
    from wordcloud import WordCloud

    down = -(-len(counts) // 3)
    axes = look.panels(down, min(len(counts), 3), 7.5, 2.6 if down == 1 else 1.9 * down)
    settings = {"background_color": "white", "colormap": "cividis", "random_state": 0, "max_words": 60}
    look.hide(axes.flat)
    for ax, (title, words) in zip(axes.flat, counts.items(), strict=False):
        ax.set_title(f"{title}: {len(words)} words")
        if words:
            cloud = WordCloud(width=760, height=460, **settings)
            ax.imshow(cloud.generate_from_frequencies(dict(sorted(words.items()))), interpolation="bilinear")
        else:
            ax.text(0.5, 0.5, "none", ha="center", transform=ax.transAxes)
    return axes


def uninterpretable(rows: pd.DataFrame):
    """Figures 6, 11-14: share of uninterpretable units by block; a row of panels a K, a panel a tau, a line a model.
    Bars are intervals over units and partitions; the dotted line is chance. rows: `section_4_5.interpretability`."""
    taus = rows.groupby("k")["tau"].unique()
    down, across = len(taus), taus.map(len).max()
    width, height = (3 * across, 0.6 + 1.9 * down) if across > 1 else (7, 3.6)
    axes = look.panels(down, across, width, height, sharex=True, sharey=True)
    for ax in axes.flat:
        ax.set_visible(False)
    for row, (k, values) in zip(axes, taus.items(), strict=True):
        for ax, tau in zip(row, values, strict=False):
            _blocks(ax, rows[(rows["k"] == k) & (rows["tau"] == tau)])
            ax.set(title=f"K = {k}, τ = {tau}", visible=True)
    axes[0, 0].set_ylim(bottom=0)
    look.label(axes, "block", "uninterpretable (%)")
    look.legend_of_all(axes[0, 0], 3) if across > 1 else look.name_lines(axes[0, 0])
    return axes


def _blocks(ax, rows: pd.DataFrame) -> None:
    for i, (model, ours) in enumerate(rows.groupby("model", sort=False)):
        colour, marker = look.NETWORKS.get(model, SERIES[i])
        error = 100 * look.error(ours, "share_low", "share", "share_high")
        mark = {"color": colour, "marker": marker, "markersize": 5, "label": CALLED.get(model, model)}
        ax.errorbar(ours["block"] + 0.07 * i, 100 * ours["share"], yerr=error, **mark)
    low, high, chance = 100 * rows[["chance_low", "chance_high", "chance"]].iloc[0]
    ax.axhspan(low, high, color="black", alpha=0.12, linewidth=0)
    ax.axhline(chance, color="black", linestyle=":", label="clips at random")
    ax.set_xticks(sorted(rows["block"].unique()))


def activation_histogram(activations: np.ndarray, highest: np.ndarray, lowest: np.ndarray, title: str):
    """A unit's activation over all clips [clips], with the clips that describe it (indices) marked."""
    ax = look.panels(1, 1, 7, 2.4)[0, 0]
    ax.hist(activations, bins=40, color=MUTED)
    for clips, colour, label in ((highest, OURS, "highest clips"), (lowest, PAPER, "lowest clips")):
        values = activations[np.asarray(clips)]
        ax.plot(values, 0 * values, "|", color=colour, markersize=26, markeredgewidth=2, label=label)
    ax.set(xlabel="activation u", ylabel="clips", title=f"{title}: activation on every clip")
    ax.legend(markerscale=0.4)
    return ax


def feature_importance(curves: pd.DataFrame, panels: Mapping[str, tuple[str, ...]], model: str):
    """Figure 4: accuracy on fold 1 against the percentage of block units silenced, a panel a group of attributes.
    Shaded: range over seeds. Open markers: as many random units in the same layers. curves: `section_4_4.curves`."""
    colours = ("black", OURS, PAPER, GREEN, PINK, SKY)
    axes = look.panels(1, len(panels), 3.6 * len(panels), 5, sharey=True)
    for ax, (panel, attributes) in zip(axes.flat, panels.items(), strict=True):
        for shift, (attribute, colour) in enumerate(zip(attributes, colours, strict=False)):
            rows = curves[curves["attribute"] == attribute]
            ours, drawn = rows[rows["set"] == "chosen"], rows[rows["set"] == "matched"]
            line = "--" if attribute == "random" else "-"
            ax.plot(ours["percent"], 100 * ours["accuracy"], line, marker="o", color=colour, label=attribute)
            ax.fill_between(ours["percent"], 100 * ours["lowest"], 100 * ours["highest"], color=colour, alpha=0.12)
            ax.plot(drawn["percent"] + 0.15 * shift, 100 * drawn["accuracy"], "D", mfc="white", color=colour, zorder=3)
        before = 100 * curves.loc[curves["attribute"] == "none", "accuracy"].iloc[0]
        ax.axhline(before, color=MUTED, linestyle=":", linewidth=1)
        ax.set_title(f"{model}, ({panel[-1]})")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2, **look.SMALL)
    look.label(axes, "block units silenced (%)", "accuracy on fold 1 (%)")
    return axes


def adjectives_by_block(by_block: pd.DataFrame):
    """Figure 5: different adjectives a block unit, mean and 95 %. by_block: `section_4_4.adjectives_by_block`."""
    ax = look.panels(1, 1, 7, 4)[0, 0]
    for i, (model, ours) in enumerate(by_block.groupby("model", sort=False)):
        colour, marker = look.NETWORKS.get(model, SERIES[i])
        blocks = ours.groupby("block")["adjectives"]
        mean, error = blocks.mean(), 1.96 * blocks.sem()
        ax.errorbar(mean.index, mean, error, color=colour, marker=marker, capsize=3, label=CALLED.get(model, model))
    ax.set(xlabel="block", ylabel="different adjectives a unit", xticks=sorted(by_block["block"].unique()))
    ax.set_title("Adjectives of block units by depth")
    look.name_lines(ax)
    return ax


def common_adjectives(counts: Mapping[str, pd.Series], most: int):
    """Figures 3 and 9: the commonest adjectives of neurons. counts: network -> neurons by adjective, most first."""
    axes = look.panels(1, len(counts), max(4, 2.6 * len(counts)), 1 + 0.27 * most)
    for ax, (model, neurons) in zip(axes.flat, counts.items(), strict=True):
        shown = neurons.head(most)[::-1]
        ax.barh(shown.index, shown, color=OURS)
        ax.set(xlabel="neurons", title=model)
        ax.grid(False, axis="y")
    return axes


def acoustics(tables: Mapping[str, pd.DataFrame], units: Mapping[str, str]):
    """Figure 8: what the K highest clips of neurons with and without an adjective measure, a panel an adjective.
    tables: adjective -> `appendix_c.unit_acoustics`. units: adjective -> name and unit of the axis."""
    axes = look.panels(1, len(tables), 3.6 * len(tables), 3.8)
    for ax, (word, table) in zip(axes.flat, tables.items(), strict=True):
        sides = {name: table.loc[table["has"] == has, "value"] for name, has in (("without", False), ("with", True))}
        labels = [f"{name}\n{len(side)} neurons" for name, side in sides.items()]
        median, fliers = {"color": PAPER, "linewidth": 2}, {"marker": ".", "markersize": 2, "markeredgecolor": MUTED}
        ax.boxplot(list(map(np.asarray, sides.values())), tick_labels=labels, medianprops=median, flierprops=fliers)
        ax.set(ylabel=units[word], title=f"“{word}”")
    return axes


def planted(curves: pd.DataFrame):
    """Share of planted truths found against the noise they are planted in, a panel a kind, a line a method. curves:
    kind, method, noise, found, as means of `planted_neurons.judged`. Infinite noise is the chance level."""
    kinds, noises = list(curves["kind"].unique()), sorted(curves["noise"].unique())
    axes = look.panels(-(-len(kinds) // 3), 3, 7.5, 7, sharex=True, sharey=True)
    look.hide(axes.flat[len(kinds) :])
    for kind, ax in zip(kinds, axes.flat, strict=False):
        methods = curves[curves["kind"] == kind].groupby("method", sort=False)
        for shift, ((method, ours), (colour, marker)) in enumerate(zip(methods, SERIES, strict=False)):
            place = np.arange(len(noises)) + 0.08 * shift  # beside each other where they are equal
            share = 100 * ours.set_index("noise")["found"].reindex(noises)
            ax.plot(place, share, marker=marker, markersize=4, color=colour, label=method)
        ax.set(ylim=(-4, 104), title=kind)
        ax.set_xticks(range(len(noises)), ["∞" if np.isinf(noise) else f"{noise:g}" for noise in noises])
    look.label(axes, "noise", "found (%)")
    look.legend_of_all(axes[0, 0], 4)
    return axes


def scores_over_units(scores: pd.DataFrame):
    """How r spreads over units, below it other units' explanations'. scores: `scoring.score_neurons` of each model."""
    import seaborn as sns

    models, matchers = scores["model"].unique(), scores["matcher"].unique()
    axes = look.panels(len(models), len(matchers), 8.5, 0.9 + 1.9 * len(models), sharex=True, sharey=True)
    halves, body = {"pearson": OURS, "shuffled": MUTED}, {"split": True, "inner": None, "cut": 0, "linewidth": 0}
    for ax, (model, matcher) in zip(axes.flat, product(models, matchers), strict=True):
        ours = scores[(scores["model"] == model) & (scores["matcher"] == matcher)]
        long = ours.melt("method", list(halves), var_name="whose", value_name="r")
        sns.violinplot(
            long, x="r", y="method", hue="whose", palette=halves, ax=ax, legend=False, density_norm="width", **body
        )
        mean = ours.groupby("method", sort=False)["pearson"].mean()
        ax.scatter(mean, mean.index, 60, PAPER, marker="|", zorder=3)
        ax.axvline(0, color="black", linewidth=1)
        ax.set(xlabel="", ylabel="", title=f"{CALLED.get(model, model)}, by {matcher}")
    look.label(axes, "r")
    return axes
