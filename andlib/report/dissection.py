"""A report on any network and any folder of sounds: what was probed, what units respond to, and what supports it."""

import re
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup

from andlib import concepts, stages, unlearning
from andlib.bars import tqdm
from andlib.errors import InputError
from andlib.heads import with_head
from andlib.inputs.probing import check_recordings
from andlib.pages import scoring, section_4_1, section_4_5, your_own_network
from andlib.profiles import TEST
from andlib.report import atlas, cards, figures, tables
from andlib.report.opening import Asked, target_of, wants_head
from andlib.report.shown import STYLE, Card, Figure
from andlib.run import CHECKED, Run
from andlib.store import digest, write_atomically

HERE = Path(__file__).parent
SILENCED = 5  # classes, unless all are asked for
ABOUT = (
    "What single units of this network respond to, by audio network dissection (AND, Wu et al., ICML 2024), as andlib "
    "{} does it. A unit is described from the recordings that activate it most and least. Every table says what made "
    "it, and what could not be measured says why."
)


@dataclass(frozen=True)
class Section:
    """A part of the report: its result in one sentence, and the tables, figures and cards that show it."""

    lead: str
    parts: Sequence[Any] = ()

    def _repr_html_(self) -> str:
        below = "".join(part._repr_html_() for part in self.parts)
        folded = f"<details><summary>What this rests on</summary>{below}</details>" if below else ""
        return f"<p>{escape(self.lead)}</p>{folded}"


def write(asked: Asked, run: Run, notes: Sequence[str]) -> Path:
    """Makes every part of the report and writes it into `asked.out`; returns its index.html.

    What takes long is stored by the run, so that a run that was killed goes on where it stopped.
    run, notes: of `opening.opened`. Raises InputError where the folder cannot be written."""
    parts = []
    for title, make in tqdm(sections(run, notes, asked).items(), "report", unit="part"):
        section = make()
        pieces = [Markup(part.html if isinstance(part, Card) else part._repr_html_()) for part in section.parts]
        parts.append({"title": title, "lead": section.lead, "pieces": pieces})
    template, look = ((HERE / name).read_text(encoding="utf-8") for name in ("report.html", "atlas.css"))
    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(template)
    styles = Markup(STYLE.removeprefix("<style>").removesuffix("</style>") + look)
    title, about = f"{run.models[0]} on {run.profile.title}", ABOUT.format(version("andlib"))
    html = page.render(title=title, about=about, parts=parts, styles=styles)
    return write_atomically(asked.out / "index.html", lambda path: path.write_text(html, encoding="utf-8"))


def sections(run: Run, notes: Sequence[str], asked: Asked) -> dict[str, Callable[[], Section]]:
    """The parts of the report by title, each made when it is called; one that cannot be measured says why."""
    [model], full = run.models, asked.full
    if wants_head(run.target(model), run.probing_set, asked):
        run = run.using(models=[with_head(run.target(model), run)])
    parts = {"All units": lambda: whole(run, asked.out / "atlas")} if asked.out else {}
    parts |= {
        "How well descriptions predict units": lambda: predicted(run, model),
        "Neurons that are explained best and worst": lambda: extremes(run, model, asked.cards),
        "Units that respond to many things": lambda: polysemanticity(run, model),
        "Trained against untrained": lambda: beside_untrained(run, asked),
        "Naming the classifier's units": lambda: naming(run, model),
        "Silencing units": lambda: silencing(run, model, full),
    }
    first = {"What was probed": lambda: probed(run, model, notes)}  # without which there is nothing to report
    return first | {title: partial(_or_why, make) for title, make in parts.items()}


def _or_why(make: Callable[[], Section]) -> Section:
    try:
        return make()
    except InputError as error:
        return Section(str(error))


def probed(run: Run, model: str, notes: Sequence[str]) -> Section:
    """The recordings and the network, and how many of each layer's units can be described."""
    network, clips = run.target(model), run.probing_set
    run.store.get(CHECKED, [clips], lambda: check_recordings(clips) or [len(clips)])
    neurons = stages.neurons(run, model)
    layers = neurons.groupby("layer", sort=False).agg(units=("unit", "size"), dead=("dead", "sum"))
    layers["hardly fire"] = neurons.groupby("layer", sort=False)["hardly_fires"].sum()
    layers["one number a clip"] = [layer.pooling for layer in network.layers]
    origins = {"file": "captions", "source": "a small captioner", "measured": "sentences on what is measured of them"}
    said = " and ".join(origins[part] for part in run.caption_parts)
    lead = (
        f"{len(neurons):,} units of {model} heard the first {network.seconds:g} s of {len(clips)} recordings"
        f"{f' of {len(clips.classes)} classes' if len(clips.classes) > 1 else ''}, described by {said}."
    )
    if dead := int(neurons["dead"].sum()):
        lead += f" {dead:,} of them are dead: every recording activates them alike."
    shown = layers.reset_index()
    return Section(" ".join([lead, *notes]), [tables.plain(shown, "Layers and units", made_by(run))])


def _between(low: float, high: float) -> str:
    """A 95 % interval in brackets; nothing where there is none, as where each class has one source recording."""
    return "" if np.isnan(low) else f" (95 %: {low:.2f} to {high:.2f})"


def made_by(run: Run) -> str:
    """The line below tables and figures."""
    return run.made_by(*run.caption_parts)


def whole(run: Run, folder: Path) -> Section:
    """The atlas of all units, written into a folder beside the report, with every sound that a card of it names."""
    atlas.write(run, folder)
    shutil.copy(HERE / "atlas.mjs", folder)
    html = (HERE / "atlas.html").read_text(encoding="utf-8").replace("_static/atlas/", f"{folder.name}/")
    html = re.sub("<option.*(?=</select></label>\n<label>Network)", f'<option value="{run.profile.name}">these', html)
    lead = "Every unit with its description, the recordings that it was made from, and how well it predicts the unit."
    return Section(lead, [Card(html)])


def predicted(run: Run, model: str) -> Section:
    """Scores of descriptions on clips that they were not made from, beside those of other units' descriptions."""
    card = scoring.scorecard(run, model).assign(model=model)
    card = card[card["layer"] == "all"]
    own = card[card["null"] == ""].set_index(["method", "matcher"])
    method, matcher = best = own["pearson"].idxmax()
    null = card[card["null"] == "shuffled"].set_index(["method", "matcher"])["pearson"][best]
    low, high = own.loc[best, ["pearson_low", "pearson_high"]]
    lead = (
        f"On fold 1, which no description was made from, {method} by {matcher} predicts activations best: "
        f"r = {own.loc[best, 'pearson']:.2f}{_between(low, high)} on average over units. With descriptions of "
        f"other units it is {null:.2f}."
    )
    scores = scoring.score_neurons(run, model).assign(model=model)
    spread = Figure(figures.scores_over_units, scores, "How r spreads over units, by method, beside other units' words")
    return Section(lead, [spread, tables.scorecard(card, made_by(run))])


def extremes(run: Run, model: str, shown: int) -> Section:
    """Neurons whose description predicts them best and worst, so many of the best and the worst with sound."""
    scores = scoring.score_neurons(run, model)
    means = scores.groupby("unit", sort=False)["pearson"].mean().dropna().sort_values(ascending=False, kind="stable")
    if means.empty:
        raise InputError("No unit's description could be scored.")
    lead = (
        f"Over all methods, {means.index[0]} is predicted best (mean r = {means.iloc[0]:.2f}) and {means.index[-1]} "
        f"worst ({means.iloc[-1]:.2f}). These are shown in full."
    )
    heads = dict(zip([scoring.ENDS[1], *scoring.ENDS[4:]], ("r", "95 % from", "to", "AUPRC", "detection"), strict=True))
    formats, caption = dict.fromkeys(heads.values(), ".2f"), "Highest and lowest r of each method, by sound"
    table = tables.plain(scoring.best_and_worst(scores), caption, made_by(run), formats, heads)
    return Section(lead, [table, *(cards.show(run, unit) for unit in (*means.index[:shown], *means.index[-1:]))])


def polysemanticity(run: Run, model: str) -> Section:
    """Section 4.5 on this network: uninterpretable units by block, beside clips at random."""
    tau = max(1, round(0.8 * run.k))
    rows = section_4_5.interpretability(run, tau=tau)
    shown = rows[(rows["k"] == run.k) & (rows["tau"] == tau)]
    share = np.average(shown["share"], weights=shown["units"])
    lead = (
        f"{share:.0%} of the units are uninterpretable: fewer than {tau} of their {run.k} highest clips share a "
        f"cluster of sentences. Of units whose clips are drawn at random, {shown['chance'].mean():.0%} are."
    )
    heads = {"share": "uninterpretable", "chance": "chance", "beyond": "beyond chance", "beyond_low": "95 % from"}
    heads |= {"beyond_high": "to", "share_low": "share from", "share_high": "up to"}
    formats = dict.fromkeys(heads.values(), ".1%")
    drawn = Figure(figures.uninterpretable, shown, "Share of uninterpretable units by block, beside chance")
    frame, caption = shown[["block", *heads, "units"]], "Uninterpretable units by block, beside clips at random"
    return Section(lead, [drawn, tables.plain(frame, caption, made_by(run), formats, heads)])


def borne_out(run: Run, asked: Asked) -> pd.DataFrame:
    """`your_own_network.borne_out` beside an untrained twin, where one can be had."""
    [model], twin = run.models, None
    with suppress(InputError):
        twin = replace(target_of(asked, run.target(model).seconds, untrained_seed=0), name="untrained")
    return your_own_network.borne_out(run, model, twin)


def beside_untrained(run: Run, asked: Asked) -> Section:
    """How far names are borne out, beside those of an untrained twin of the network."""
    units = borne_out(run, asked)
    mean = units[your_own_network.SHARES].mean()
    twin = mean["untrained network"]
    beside = "" if np.isnan(twin) else f"; of an untrained twin's units, of {twin:.0%}"
    lead = (
        f"The first name that DB gives a unit is the class of {mean['borne out']:.0%} of its highest recordings on "
        f"average; with captions shuffled, of {mean['shuffled captions']:.0%}{beside}. No names could have reached "
        f"more than {mean['any name']:.0%}. A share of units with words says nothing by itself: a random network "
        f"is fond of loud, high or steady sounds, too, and sounds of one class are alike in that."
    )
    formats = dict.fromkeys(your_own_network.SHARES, ".0%")
    caption = "How far names are borne out, means by layer"
    return Section(lead, [tables.plain(your_own_network.by_layer(units), caption, made_by(run), formats)])


def naming(run: Run, model: str) -> Section:
    """Section 4.1 on this network: how often closed concepts name the class of a classifier unit."""
    network = run.target(model)
    if network.layers[-1].hidden:
        raise InputError(f"{model} has no classifier whose units have a true name.")
    named = run.using(concepts=network.classes)
    closed = section_4_1.last_layer(named).query("method in ('DB', 'TAB')")
    best = section_4_1.best_function(closed)
    top1 = closed[(closed["method"] == "DB") & (closed["function"] == best) & (closed["condition"] == "all clips")]
    lead = (
        f"By {best}, the best of five functions in hindsight, DB names {top1['top1'].iloc[0]:.0%} of the classifier's "
        f"{int(top1['units'].iloc[0])} units; chance is {concepts.chance(len(named.concepts), 1):.0%}."
    )
    wide = closed.pivot(index=["method", "condition"], columns="function", values="top1").reset_index()
    wide.insert(2, best, wide.pop(best))
    formats = dict.fromkeys(wide.columns[2:], ".0%")
    table = tables.plain(wide, "Top-1 by method, condition and similarity function", made_by(run), formats)
    return Section(lead, [table])


def silencing(run: Run, model: str, full: bool = False) -> Section:
    """Section 4.3 on this network: what silencing a class's units does to it and to others, on fold 1."""
    network, clips = run.target(model), run.probing_set
    counts = Counter(clip.label for clip in clips.in_folds(TEST).clips if clip.label in network.classes)
    if network.layers[-1].hidden or len(counts) < 2:
        raise InputError(f"{model} has no class scores of these recordings' classes: nothing can be unlearnt.")
    most = counts.most_common(None if full else SILENCED)
    chosen = sorted((name for name, _ in most), key=clips.classes.index)
    own = tuple(clip for clip in clips.clips if clip.label in chosen)
    part = replace(clips, clips=own, classes=tuple(chosen), fingerprint=digest([clips.fingerprint, chosen]))
    sets = unlearning.table4_sets(run, model)
    few = {name: [own[clips.classes.index(c)] for c in chosen] for name, own in sets.items()}
    effects = unlearning.unlearning(run.using(probing_set=part), model, few)
    rows = pd.DataFrame([{"strategy": name, **unlearning.unlearnt(effect)} for name, effect in effects.items()])
    widest = rows.loc[rows["gap"].idxmax()]
    name = widest["strategy"]
    units = "units drawn at random" if name == "random" else f"the units that {name} gives to that class"
    lead = (
        f"Between a class and the other {len(chosen) - 1}, the gap is widest when {units} are silenced: "
        f"{widest['gap']:+.2f} in logits{_between(widest['gap_low'], widest['gap_high'])}."
    )
    heads = {"gap": "ΔR − ΔA", "gap_low": "95 % from", "gap_high": "to", "dA": "ΔA", "dR": "ΔR"}
    shares = {"accuracy_before": "accuracy", "accuracy_forgotten": "forgotten", "accuracy_remaining": "others"}
    formats = dict.fromkeys(heads.values(), "+.2f") | dict.fromkeys(shares.values(), ".0%") | {"units": ".1f"}
    frame = rows[["strategy", *heads, *shares, "units", "empty"]]
    caption = f"Silencing the units of {', '.join(chosen)}"
    return Section(lead, [tables.plain(frame, caption, made_by(run), formats, heads | shares)])
