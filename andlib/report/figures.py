"""Figures of the report, one look for all. They draw what they are given and return the axes they drew on."""

import io
from collections.abc import Mapping
from contextlib import suppress
from itertools import product

import numpy as np
import pandas as pd

from andlib import paper
from andlib.profiles import MEASURES, STRATEGIES

OURS, PAPER, MUTED = "#0072B2", "#E69F00", "#8A8A8A"  # Okabe and Ito's palette, told apart in every colour vision


def style() -> None:
    """One look for the whole book; pages call it once."""
    import matplotlib as mpl
    import seaborn as sns

    sns.set_theme(style="whitegrid", context="notebook", font="DejaVu Sans")
    mpl.rcParams.update({"figure.dpi": 110, "svg.hashsalt": "andlib", "axes.titlelocation": "left"})
    with suppress(NameError, ImportError):
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        get_ipython()  # noqa: F821  only in a notebook
        set_matplotlib_formats("png", metadata={"Software": None})


def _axes(ax, width: float, height: float):
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    return ax


def function_accuracy(results: pd.DataFrame):
    """Top-1 of TAB and DB by similarity function, a row of panels a model: ours on all clips and on fold 1, and the
    paper's.

    results: `section_4_1.last_layer`.
    """
    import matplotlib.pyplot as plt

    models = list(results["model"].unique())
    size = (7.5, 0.9 + 2.3 * len(models))
    _, axes = plt.subplots(len(models), 2, figsize=size, layout="constrained", squeeze=False, sharey=True)
    bars = [("all clips", OURS), ("fold 1", "#56B4E9"), ("shuffled captions", MUTED)]
    for model, row in zip(models, axes, strict=True):
        for method, ax in zip(("TAB", "DB"), row, strict=True):
            ours = results[(results["model"] == model) & (results["method"] == method)]
            functions = list(ours["function"].unique())
            place = np.arange(len(functions))
            for shift, (condition, colour) in enumerate(bars):
                values = ours[ours["condition"] == condition].set_index("function")["top1"].reindex(functions)
                ax.bar(place + 0.24 * (shift - 1), 100 * values, 0.22, label=f"ours, {condition}", color=colour)
            if model in paper.numbers()["models"]:
                printed = 100 * paper.table7(model, method).set_index("function")["top1"].reindex(functions)
                ax.scatter(
                    place, printed, marker="D", color=PAPER, edgecolor="black", zorder=3, label="the paper (ESC-50)"
                )
            ax.axhline(2, color="black", linestyle=":", linewidth=1, label="chance")
            ax.set_xticks(place, [name.replace("_", "\n") for name in functions], fontsize="small")
            ax.set(ylim=(0, 105), title=f"{model}: {method}")
        row[0].set_ylabel("top-1 (%)")
    handles, labels = axes[0, 1].get_legend_handles_labels()
    axes.flat[0].figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize="small", frameon=False)
    return axes


def class_changes(changes: pd.DataFrame, target_class: str, model: str, strategy: str, ax=None):
    """Figure 10: each class's own logit before and after the target class's units are silenced.

    changes: `section_4_3.class_changes`.
    """
    changes = changes.sort_values("change", kind="stable").reset_index(drop=True)
    ax = _axes(ax, 7, 1.2 + 0.24 * len(changes))
    place = np.arange(len(changes))[::-1]
    for colour, column in ((MUTED, "before"), (OURS, "after")):
        ax.scatter(changes[column], place, color=colour, label=column, zorder=3)
    ax.hlines(place, changes["before"], changes["after"], color=MUTED, linewidth=1)
    ax.set(yticks=place, xlabel="mean logit of the class on its own test clips")
    ax.set_yticklabels(changes["class"])
    for label in ax.get_yticklabels():
        label.set_fontweight("bold" if label.get_text() == target_class else "normal")
    units = int(changes["units"].iloc[0])
    ax.set_title(f"{model}: {units} units of “{target_class}” silenced ({strategy})")
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
    return ax


def wider_gaps(rows: pd.DataFrame):
    """By how much the gap of each rule of better unlearning is wider than OCP's; a panel a model, a mark a way.

    rows: `better_unlearning.compared`.
    """
    import matplotlib.pyplot as plt

    rows = rows[rows["rule"] != "OCP"]
    models, rules, ways = (list(rows[name].unique()) for name in ("model", "rule", "way"))
    width, height = 5.5, 0.8 + 1.7 * len(models)
    _, axes = plt.subplots(len(models), figsize=(width, height), layout="constrained", sharex=True, squeeze=False)
    for ax, model in zip(axes.flat, models, strict=True):
        for i, (way, colour, mark) in enumerate(zip(ways, (OURS, PAPER, MUTED), "osD", strict=True)):
            of = rows[(rows["model"] == model) & (rows["way"] == way)].set_index("rule").loc[rules]
            place = np.arange(len(rules))[::-1] - 0.22 * (i - 1)
            ax.hlines(place, of["wider_low"], of["wider_high"], color=colour, linewidth=1.2)
            ax.scatter(of["wider"], place, color=colour, marker=mark, s=22, label=way, zorder=3)
        ax.axvline(0, color="black", linewidth=1)
        ax.set(yticks=range(len(rules)), yticklabels=rules[::-1], title=model)
    axes[-1, 0].set_xlabel("gap less OCP's, logits")
    axes[0, 0].legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
    return axes


def change_matrix(matrix: np.ndarray, classes: tuple[str, ...], title: str, ax=None):
    """C x C changes of own logits: row a is what silencing a's units did to each class (column)."""
    size = 2.5 + 0.24 * len(classes)
    ax = _axes(ax, size, size)
    limit = max(np.abs(matrix).max(), 1e-6)
    image = ax.imshow(matrix, cmap="RdBu", vmin=-limit, vmax=limit)
    ax.set(
        xticks=range(len(classes)),
        yticks=range(len(classes)),
        xlabel="class measured",
        ylabel="class whose units are silenced",
    )
    ax.set_xticklabels(classes, rotation=90)
    ax.set_yticklabels(classes)
    ax.grid(False)
    ax.set_title(title)
    ax.figure.colorbar(image, ax=ax, shrink=0.7, label="change of own logit")
    return ax


def strategies(rows: pd.DataFrame, summary: pd.DataFrame):
    """The clean comparison: a panel a measure, every network a dot, mean and interval of each strategy.

    rows: `strategies.clean_comparison`. summary: `strategies.over_seeds`.
    """
    import matplotlib.pyplot as plt

    names = list(rows["strategy"].unique())
    _, axes = plt.subplots(-(-len(MEASURES) // 2), 2, figsize=(7, 9), layout="constrained", sharey=True)
    for ax in axes.flat[len(MEASURES) :]:
        ax.axis("off")
    for ax, (measure, title) in zip(axes.flat, MEASURES.items(), strict=False):
        ours = summary[summary["measure"] == measure].set_index("strategy").loc[names]
        place = np.arange(len(names))[::-1]
        error = np.abs(ours[["low", "high"]].to_numpy().T - ours["mean"].to_numpy())
        ax.errorbar(ours["mean"], place, xerr=error, fmt="|", color="black", markersize=14, capsize=3)
        for name, height in zip(names, place, strict=True):
            values = rows.loc[rows["strategy"] == name, measure]
            ax.scatter(values, np.full(len(values), height), color=OURS, alpha=0.7, zorder=3)
        ax.set(yticks=place, xlabel=title, ylim=(-0.6, len(names) - 0.4))
        ax.set_yticklabels([name.removeprefix("beats_") for name in names])
    return axes


def word_clouds(counts: Mapping[str, Mapping[str, int]]):
    """Words sized by how often they occur, a panel for each of the named counts; a panel without a word says so."""
    import matplotlib.pyplot as plt
    from wordcloud import WordCloud

    across, down = min(len(counts), 3), -(-len(counts) // 3)
    size = (7.5, 2.6 if down == 1 else 1.9 * down)
    _, axes = plt.subplots(down, across, figsize=size, layout="constrained", squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, (title, words) in zip(axes.flat, counts.items(), strict=False):
        ax.set_title(f"{title}: {len(words)} words")
        if words:
            cloud = WordCloud(
                width=760, height=460, background_color="white", colormap="cividis", random_state=0, max_words=60
            )
            ax.imshow(cloud.generate_from_frequencies(dict(sorted(words.items()))), interpolation="bilinear")
        else:
            ax.text(0.5, 0.5, "none", ha="center", transform=ax.transAxes)
    return axes


def uninterpretable(rows: pd.DataFrame):
    """Figures 6, 11-14: share of uninterpretable units by block; a row of panels a K, a panel a tau, a line a model.

    rows: `polysemanticity.interpretability`. Bars are intervals over units; the dotted line is chance.
    """
    import matplotlib.pyplot as plt

    taus = rows.groupby("k")["tau"].unique()
    down, across = len(taus), taus.map(len).max()
    size = (3 * across, 0.6 + 2.6 * down) if across > 1 else (7, 3.6)
    _, axes = plt.subplots(down, across, figsize=size, layout="constrained", squeeze=False, sharex=True, sharey=True)
    for ax in axes.flat:
        ax.set_visible(False)
    for of_k, (k, values) in zip(axes, taus.items(), strict=True):
        of_k[0].set_ylabel("uninterpretable (%)")
        for ax, tau in zip(of_k, values, strict=False):
            _blocks(ax, rows[(rows["k"] == k) & (rows["tau"] == tau)])
            ax.set(title=f"K = {k}, τ = {tau}", ylim=(-3, 103), visible=True)
    for ax in axes[-1]:
        ax.set_xlabel("block")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    place = "outside lower center" if across > 1 else "outside right center"
    axes[0, 0].figure.legend(handles, labels, loc=place, ncols=3 if across > 1 else 1, fontsize="small", frameon=False)
    return axes


def _blocks(ax, rows: pd.DataFrame) -> None:
    looks = zip(("ast", *STRATEGIES), (OURS, MUTED, "#CC79A7", "#009E73", "#D55E00"), "oXv^s", strict=True)
    look = {model: (colour, marker) for model, colour, marker in looks}  # the same beside other networks
    for model, ours in rows.groupby("model", sort=False):
        colour, marker = look[model]
        error = 100 * np.abs(ours[["share_low", "share_high"]].to_numpy().T - ours["share"].to_numpy())
        ax.errorbar(
            ours["block"], 100 * ours["share"], yerr=error, color=colour, marker=marker, markersize=5, label=model
        )
    low, high = 100 * rows[["chance_low", "chance_high"]].iloc[0]
    ax.axhspan(low, high, color="black", alpha=0.3, linewidth=0)
    ax.axhline(100 * rows["chance"].iloc[0], color="black", linestyle=":", label="clips at random")
    ax.set_xticks(sorted(rows["block"].unique()))


def elbow(inertia: pd.DataFrame, chosen: int, ax=None):
    """Inertia by number of clusters, with its elbow and the number chosen.

    inertia: `polysemanticity.elbow`.
    """
    ax = _axes(ax, 7, 2.8)
    ax.plot(inertia["clusters"], inertia["inertia"], color=MUTED, marker="o")
    bend = inertia[inertia["elbow"]]
    ax.plot(bend["clusters"], bend["inertia"], "D", color=OURS, markersize=9, label=f"elbow: {bend.iloc[0, 0]}")
    ax.axvline(chosen, color=PAPER, linestyle="--", label=f"used: {chosen}")
    ax.set(xlabel="number of clusters", ylabel="inertia", ylim=(0, None), xticks=inertia["clusters"][::2])
    ax.set_title("Distance of sentences to the centre of their cluster, squared and summed")
    ax.legend()
    return ax


def activation_histogram(activations: np.ndarray, highest: np.ndarray, lowest: np.ndarray, title: str, ax=None):
    """A unit's activation over all clips [clips], with the clips that describe it (indices) marked."""
    ax = _axes(ax, 7, 2.4)
    ax.hist(activations, bins=40, color=MUTED)
    for clips, colour, label in ((highest, OURS, "highest"), (lowest, PAPER, "lowest")):
        values = activations[np.asarray(clips)]
        ax.plot(
            values, np.zeros(len(values)), "|", color=colour, markersize=26, markeredgewidth=2, label=f"{label} clips"
        )
    ax.set(xlabel="activation u", ylabel="clips")
    ax.set_title(f"{title}: activation on every clip")
    ax.legend(markerscale=0.4)
    return ax


def spectrogram_image(samples: np.ndarray, sample_rate: int) -> bytes:
    """A clip's log-mel spectrogram as a JPEG of 200 x 80 points, time to the right and frequency upwards.

    Frequencies run from 0 to half the sampling rate on the mel scale; the colour range is the clip's loudest 80 dB.
    """
    import matplotlib
    from PIL import Image
    from scipy.signal import stft

    window = round(0.025 * sample_rate)
    frequencies, _, spectrum = stft(samples, sample_rate, nperseg=window, noverlap=window - round(0.010 * sample_rate))
    mel = 1127 * np.log1p(frequencies / 700)
    grid = np.linspace(0, mel[-1], 80)
    level = 20 * np.log10(np.maximum(np.abs(spectrum), 1e-10))
    rows = np.stack([np.interp(grid, mel, column) for column in level.T], 1)[::-1]
    loudest = max(rows.max(), -100.0)  # silence stays dark
    pixels = matplotlib.colormaps["magma"](np.clip((rows - loudest) / 80 + 1, 0, 1), bytes=True)[..., :3]
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((200, 80), Image.Resampling.BOX).save(buffer, "JPEG", quality=70)
    return buffer.getvalue()


def feature_importance(curves: pd.DataFrame, panels: Mapping[str, tuple[str, ...]], model: str):
    """Figure 4: accuracy on fold 1 against the percentage of block units silenced, a panel a group of attributes.

    curves: `section_4_4.curves`. Shaded: range over seeds. Open markers: as many random units in the same layers.
    """
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(1, len(panels), figsize=(3.6 * len(panels), 5), layout="constrained", sharey=True)
    colours = ("black", OURS, PAPER, "#009E73", "#CC79A7", "#56B4E9")
    for ax, (panel, attributes) in zip(np.atleast_1d(axes), panels.items(), strict=True):
        for shift, (attribute, colour) in enumerate(zip(attributes, colours, strict=False)):
            of = curves[curves["attribute"] == attribute]
            ours, drawn = of[of["set"] == "chosen"], of[of["set"] == "matched"]
            style = "--" if attribute == "random" else "-"
            ax.plot(ours["percent"], 100 * ours["accuracy"], style, marker="o", color=colour, label=attribute)
            ax.fill_between(ours["percent"], 100 * ours["lowest"], 100 * ours["highest"], color=colour, alpha=0.12)
            place = drawn["percent"] + 0.15 * shift
            ax.plot(place, 100 * drawn["accuracy"], "D", mfc="white", color=colour, zorder=3)
        before = 100 * curves.loc[curves["attribute"] == "none", "accuracy"].iloc[0]
        ax.axhline(before, color=MUTED, linestyle=":", linewidth=1)
        ax.set(xlabel="block units silenced (%)", title=f"{model}, ({panel[-1]})")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2, fontsize="small", frameon=False)
    np.atleast_1d(axes)[0].set_ylabel("accuracy on fold 1 (%)")
    return axes


def adjectives_by_block(by_block: pd.DataFrame, ax=None):
    """Figure 5: mean number of adjectives a block unit, a line a network, with 95 % of the mean over units.

    by_block: `section_4_4.adjectives_by_block`.
    """
    ax = _axes(ax, 7, 4)
    colours = (OURS, PAPER, "#009E73", "#CC79A7", "black", MUTED)
    for (model, table), colour, marker in zip(by_block.groupby("model", sort=False), colours, "osD^vx", strict=False):
        blocks = table.groupby("block")["adjectives"]
        mean, error = blocks.mean(), 1.96 * blocks.sem()
        ax.errorbar(mean.index, mean, yerr=error, marker=marker, color=colour, capsize=3, label=model)
    ax.set(xlabel="block", ylabel="adjectives a unit", xticks=sorted(by_block["block"].unique()))
    ax.set_title("Adjectives of block units by depth")
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
    return ax


def common_adjectives(counts: Mapping[str, pd.Series], most: int):
    """Figures 3 and 9: the commonest adjectives of all linear-layer neurons, a panel a network.

    counts: network -> number of neurons that have each adjective, the commonest first.
    """
    import matplotlib.pyplot as plt

    size = (max(4, 2.6 * len(counts)), 1 + 0.27 * most)
    _, axes = plt.subplots(1, len(counts), figsize=size, layout="constrained", squeeze=False)
    for ax, (model, held) in zip(axes.flat, counts.items(), strict=True):
        shown = held.head(most)[::-1]
        ax.barh(shown.index, shown, color=OURS)
        ax.set(xlabel="neurons", title=model)
        ax.grid(False, axis="y")
    return axes


def acoustics(tables: Mapping[str, pd.DataFrame], units: Mapping[str, str]):
    """Figure 8: what the K highest clips of neurons with and without an adjective measure, a panel an adjective.

    tables: adjective -> `appendix_c.unit_acoustics`. units: adjective -> name and unit of the axis.
    """
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(1, len(tables), figsize=(3.6 * len(tables), 3.8), layout="constrained", squeeze=False)
    for ax, (word, table) in zip(axes.flat, tables.items(), strict=True):
        sides = [table.loc[~table["has"], "value"], table.loc[table["has"], "value"]]
        ax.boxplot(
            [side.to_numpy() for side in sides],
            tick_labels=[f"{name}\n{len(side)} neurons" for name, side in zip(("without", "with"), sides, strict=True)],
            medianprops={"color": PAPER, "linewidth": 2},
            flierprops={"marker": ".", "markersize": 2, "markeredgecolor": MUTED},
        )
        ax.set(ylabel=units[word], title=f"“{word}”")
    return axes


def planted(curves: pd.DataFrame):
    """Share of planted truths found against the noise they are planted in, a panel a kind, a line a method.

    curves: kind, method, noise, found, as means of `planted.judged`. Infinite noise is the chance level.
    """
    import matplotlib.pyplot as plt

    kinds, noises = list(curves["kind"].unique()), sorted(curves["noise"].unique())
    colours = (PAPER, OURS, "#009E73", "#CC79A7", "black", MUTED)
    _, axes = plt.subplots(-(-len(kinds) // 3), 3, figsize=(7.5, 7), layout="constrained", sharex=True, sharey=True)
    for ax in axes.flat[len(kinds) :]:
        ax.axis("off")
    for kind, ax in zip(kinds, axes.flat, strict=False):
        of = curves[curves["kind"] == kind].groupby("method", sort=False)
        for shift, ((method, ours), colour, marker) in enumerate(zip(of, colours, "osD^vx", strict=False)):
            found = 100 * ours.set_index("noise")["found"].reindex(noises)
            place = np.arange(len(noises)) + 0.08 * shift  # beside each other where they are equal
            ax.plot(place, found, marker=marker, markersize=4, color=colour, label=method)
        ax.set(ylim=(-4, 104), title=kind)
        ax.set_xticks(range(len(noises)), ["∞" if np.isinf(noise) else f"{noise:g}" for noise in noises])
    for ax in axes[:, 0]:
        ax.set_ylabel("found (%)")
    for ax in axes[-1]:
        ax.set_xlabel("noise")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    axes[0, 0].figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize="small", frameon=False)
    return axes


def scores_by_layer(card: pd.DataFrame):
    """Mean r by layer with its interval, a line a method; a row a network, a panel a matcher; shuffled ones dotted.

    card: `scoring.scorecard` with a column model.
    """
    import matplotlib.pyplot as plt

    card = card[card["layer"] != "all"]
    models, matchers = card["model"].unique(), card["matcher"].unique()
    size = (4.2 * len(matchers), 3.6 * len(models))
    _, axes = plt.subplots(len(models), len(matchers), figsize=size, layout="constrained", squeeze=False, sharey=True)
    for ax, (model, matcher) in zip(axes.flat, product(models, matchers), strict=True):
        shown = card[(card["model"] == model) & (card["matcher"] == matcher)]
        methods = shown[shown["null"] == ""].groupby("method", sort=False)
        for (method, rows), colour, mark in zip(methods, (OURS, PAPER, "#009E73", "#CC79A7"), "osD^", strict=True):
            error = np.abs(rows[["pearson_low", "pearson_high"]].to_numpy() - rows[["pearson"]].to_numpy()).T
            ax.errorbar(rows["layer"], rows["pearson"], error, color=colour, marker=mark, markersize=4, label=method)
        null = shown[shown["null"] == "shuffled"].groupby("layer", sort=False)["pearson"].mean()
        ax.plot(null.index, null, color="black", linestyle=":", label="shuffled")
        ax.set_xticks(range(len(null)), [name.replace("block", "") for name in null.index], rotation=90, fontsize=7)
        ax.set(title=f"{model}, by {matcher}")
    for ax in axes[:, 0]:
        ax.set_ylabel("mean r")
    axes[0, -1].legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
    return axes
