"""Cards of clips and neurons, and the page on which people rate neurons (Section 4.2). Text from models is escaped."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

from andlib import asking, descriptions, firing, paths, responses, stages
from andlib.errors import InputError
from andlib.firing import Firing
from andlib.inputs.probing import UNLABELLED
from andlib.llms import prompts
from andlib.pages.probe_one_neuron import played
from andlib.pages.section_4_2 import questionnaire
from andlib.records import Clip, ProbingSet, Unit
from andlib.report.look import MUTED, OURS, PAPER
from andlib.report.shown import Card
from andlib.report.sounds import PLAYER_RATE, common_scale, heard, player, sound_figure
from andlib.run import Run
from andlib.store import write_atomically
from andlib.targets import OVER_TOKENS, Target

OTHERS, CLASSES, PARTS = 3, 3, 6  # clips at random on a card; classes that gain and that lose most; parts of a sound
COLOURS = {"highest": OURS, "lowest": PAPER, "at random": MUTED}
HEADS = dict(zip(COLOURS, ("Highest activated clips", "Lowest activated clips", "Clips drawn at random"), strict=True))
FRAMES = (
    "A white frame is where the unit's values over the spectrogram peak, down to half of their height over the clip's "
    "median; the curve below is their maximum over bands, on one scale for all clips. "
)
NO_PLACE = "The activation u itself is read from the class token, which has no place: the frames show its other tokens."
DEAD = "This unit gives every clip the same activation: no clip describes it."
FEW = "This unit hardly fires: {used} of the clips lie above its commonest activation, and they alone describe it."
TIED = "{tied} more clips activate it as much as the last of its highest; those shown come first in the probing set."


def show(run: Run, unit: Unit | str, *, network: Target | None = None) -> Card:
    """The neuron card: all that is known of one neuron at one look.

    Its highest, lowest and three other clips with sound and the place where it fires; its activation on all clips; its
    summary before and after calibration; its concepts by every method; what silencing it does to each class.
    unit: its id; `block0.output/17` is one of the run's first model; InputError if there is none. network: its target.

    >>> al.show(run, "ast/block0.output/17")"""
    network, unit = run.unit(unit, network)
    neuron = stages.neuron(run, network, unit)
    chosen = [*neuron["highest"], *neuron["lowest"]]
    rest = np.setdiff1d(np.arange(len(run.probing_set)), chosen)
    others = np.random.default_rng(unit.index).choice(rest, min(OTHERS, len(rest)), replace=False)
    told = {clip.name: {} for clip in run.probing_set.clips}
    for clip, origin, text in descriptions.clip_captions(run).itertuples(index=False):
        told[clip][origin] = text
    fired = _or_reason(firing.fired, run, network, unit, [*dict.fromkeys([*chosen, *others])])
    placeless = network.layer(unit.layer).pooling in OVER_TOKENS and not isinstance(fired, str)
    return neuron_card(
        neuron,
        run.probing_set,
        responses.unit_activations(run, network)[unit.layer][:, unit.index],
        [told[clip.name] for clip in run.probing_set.clips],
        run.profile.seconds,
        others=others,
        fired=fired,
        note=FRAMES * (not isinstance(fired, str)) + NO_PLACE * placeless,
        icl=_named_by_language_model(run, neuron),
        effect="" if [*run.probing_set.classes] == [UNLABELLED] else _or_reason(firing.effect, run, network, unit),
    )


def _or_reason(function, *arguments):
    """What a function gives, or in one sentence why it cannot."""
    try:
        return function(*arguments)
    except InputError as error:
        return str(error)


def _named_by_language_model(run: Run, neuron: pd.Series) -> tuple[str, ...]:
    """ICL's concepts (Section 3.3), best first; empty where the language model was not asked of this neuron."""
    described = stages.rewritten(run, neuron.to_frame().T, descriptions.clip_descriptions(run))
    if described.empty:
        return ()
    chat = prompts.choice(run.concepts, described["calibrated"].iloc[0], asking.SHOTS[0])
    [given] = asking.ask(run, [chat], prompts.CHOICE_SAMPLING, "choices")
    return prompts.ranked(given.text, run.concepts) if given else ()


def neuron_card(
    neuron: pd.Series,
    probing_set: ProbingSet,
    activations: np.ndarray,
    texts: Sequence[str | Mapping[str, str]],
    seconds: float,
    *,
    others: Sequence[int] = (),
    fired: Mapping[int, Firing] | str = "",
    note: str = "",
    icl: Sequence[str] = (),
    effect: pd.DataFrame | str = "",
) -> Card:
    """One neuron, drawn from what is given; see `show`. neuron: a row of `stages.neurons`. activations: u on every clip
    [clips]. texts: description of every clip, whole or by origin. others: clips for comparison. fired: where in each
    clip, or why that is unknown; note: what to know of it. icl: ICL's concepts. effect: `firing.effect`, or why not."""
    groups = {"highest": neuron["highest"], "lowest": neuron["lowest"], "at random": others}
    places = fired if isinstance(fired, Mapping) else {}
    scale = common_scale(places.values())

    def drawn(i: int) -> str:
        clip = probing_set.clips[i]
        called = escape(clip.name if clip.label == UNLABELLED else clip.label)
        samples, title = heard(probing_set, clip, seconds), f"<b>{called}</b>, u = {activations[i]:.2f}"
        return sound_figure(samples, clip.name, title, _description(texts[i]), places.get(i), scale)

    unit, dead = escape(neuron["unit"]), _note(_weakness(neuron))
    glance = {
        "Summary of the highest clips (S<sub>h</sub>), calibrated": _calibration(neuron),
        "Concepts": _concepts(neuron, icl),
        "Activation on every clip": _histogram(activations, groups),
        "What silencing it changes": _effect(effect) if isinstance(effect, pd.DataFrame) else _note(effect),
        "Summary of the lowest clips (S<sub>l</sub>)": _points(map(escape, neuron["low"])),
    }
    columns = "".join(f"<div><h4>{title}</h4>{html}</div>" for title, html in glance.items() if html)
    shown = {name: _side_by_side(map(drawn, i)) for name, i in groups.items() if len(i)}
    clips = [f"<details open><summary><h4>{HEADS[k]}</h4></summary>{html}</details>" for k, html in shown.items()]
    clips[2:] = [html.replace(" open", "", 1) for html in clips[2:]]  # for comparison, on demand
    head = f'<h3>{unit}</h3>{dead}<div class="glance">{columns}</div>'
    below = _note(fired if isinstance(fired, str) else note) + "".join(clips)
    return Card(f'<section class="neuron" id="{unit}">{head}{below}</section>')


def _weakness(neuron: pd.Series) -> str:
    """What to know of a unit whose highest clips are few or not the only ones."""
    note = DEAD if neuron["dead"] else FEW if neuron["hardly_fires"] else TIED if neuron["tied"] else ""
    return note.format(used=neuron["used"], tied=neuron["tied"])


def gallery(probing_set: ProbingSet, clips: Iterable[Clip], texts: Iterable[str], seconds: float) -> Card:
    """Clips side by side, each with its class and a text."""
    figures = [
        sound_figure(heard(probing_set, clip, seconds), clip.name, f"<b>{escape(clip.label)}</b>", _description(text))
        for clip, text in zip(clips, texts, strict=True)
    ]
    return Card(_side_by_side(figures))


def own_sound(run: Run, unit: Unit | str, wav: str = "", *, network: Target | None = None) -> Card:
    """Where a sound of one's own excites the unit: its parts of the length that the target takes, highest first.
    wav: a sound file; without one a rising tone. unit, network: as for `show`."""
    import soxr

    target, unit = run.unit(unit, network)
    samples = played(target, wav)
    activations = responses.unit_activations(run, target)[unit.layer][:, unit.index]
    length = round(target.sample_rate * target.seconds)
    starts = range(0, max(1, len(samples) - target.sample_rate // 10), length)  # no rest below 0.1 s
    parts = [samples[start : start + length] for start in starts]
    places = firing.where_it_fired(target, unit, parts)
    ranked, scale = np.argsort([-fired.activation for fired in places], kind="stable"), common_scale(places)
    figures = []
    for i in ranked[:PARTS]:
        begin, fired = starts[i] / target.sample_rate, places[i]
        title = f"<b>{begin:.1f}–{begin + fired.heard:.1f} s</b>, u = {fired.activation:.2f}"
        text = f"<br>higher than on {(activations < fired.activation).mean():.0%} of the probing set's clips"
        samples = soxr.resample(parts[i], target.sample_rate, PLAYER_RATE)
        figures.append(sound_figure(samples, f"your sound from {begin:.1f} s", title, text, fired, scale))
    return Card(_side_by_side(figures))


def _side_by_side(figures: Iterable[str]) -> str:
    return f'<div class="clips">{"".join(figures)}</div>'


def _description(text: str | Mapping[str, str]) -> str:
    """A description, sentence by sentence with its origin where that is known."""
    if isinstance(text, str):
        return f"<br>{escape(text)}"
    return "".join(f"<br>{escape(part)} <small>({escape(origin)})</small>" for origin, part in text.items())


def _histogram(activations: np.ndarray, groups: Mapping[str, Sequence[int]]) -> str:
    """u over all clips, with ticks below it at the clips of each group."""
    counts, edges = np.histogram(activations, bins=40)
    span = (edges[-1] - edges[0]) or 1
    at = lambda u: 200 * (u - edges[0]) / span  # noqa: E731
    heights = zip(edges, 60 - 60 * counts / counts.max(), strict=False)
    bars = "".join(f"M{at(x):.0f} 60V{height:.1f}h5V60Z" for x, height in heights if height < 60)
    rows = [(name, clips) for name, clips in groups.items() if len(clips)]
    ticks = ""
    for row, (name, clips) in enumerate(rows):
        marks = "".join(f"M{at(activations[i]):.1f} {62 + 9 * row}v8" for i in clips)
        ticks += f'<path stroke="{COLOURS[name]}" stroke-width="2" d="{marks}"/>'
    legend = ", ".join(f'<span style="color:{COLOURS[name]}">▮</span> {name}' for name, _ in rows)
    ends = f"{edges[0]:.2f} to {edges[-1]:.2f}"
    alt = f"Histogram of u on {len(activations)} clips, {ends}, with ticks at the clips shown"
    size = f'viewBox="-1 0 202 {62 + 9 * len(rows)}" style="width:100%;max-width:24rem"'
    drawn = f'<svg role="img" aria-label="{alt}" {size}><path fill="{MUTED}" d="{bars}"/>{ticks}</svg>'
    return f"{drawn}<br><small>u from {ends}; ticks: {legend}</small>"


def _calibration(neuron: pd.Series) -> str:
    kept, items = set(neuron["calibrated"]), []
    for point, like, cosine in zip(neuron["high"], neuron["like"], neuron["cosine"], strict=True):
        why = f"removed: cosine {cosine:.2f} with “{escape(like)}” of the lowest clips"
        items.append(escape(point) if point in kept else f"<del>{escape(point)}</del> <small>{why}</small>")
    return _points(items)


def _points(items: Iterable[str]) -> str:
    return f'<ul class="points">{"".join(f"<li>{item}</li>" for item in items)}</ul>'


def _concepts(neuron: pd.Series, icl: Sequence[str]) -> str:
    rows = [(f"closed, {m}", neuron[m.lower()]) for m in ("DB", "TAB") if m.lower() in neuron]
    rows += [("closed, ICL", icl or ["not asked"])]
    for part in ("adjectives", "nouns", "verbs"):
        rows += [(f"open, {part}", [f"{word} ({n})" for word, n in Counter(neuron[part]).items()] or ["none"])]
    return _table([(name, ", ".join(words)) for name, words in rows])


def _effect(effect: pd.DataFrame) -> str:
    """Classes whose own logit falls and rises most, and all of them on demand."""
    ranked = effect.sort_values("change", kind="stable")
    rows = [(row["class"], f"{row['change']:+.2g}") for _, row in ranked.iterrows()]
    shown = rows if len(rows) <= 2 * CLASSES else [*rows[:CLASSES], ("…", ""), *rows[-CLASSES:]]
    every = "" if shown is rows else f"<details><summary>all {len(rows)} classes</summary>{_table(rows)}</details>"
    return f"{_table(shown)}<small>change of a class's mean logit on its own clips of fold 1</small>{every}"


def _table(rows: Iterable[tuple[str, str]]) -> str:
    body = "".join(f"<tr><th>{escape(name)}</th><td>{escape(cell)}</td></tr>" for name, cell in rows)
    return f'<div class="andlib-table"><table><tbody>{body}</tbody></table></div>'


def _note(text: str) -> str:
    return f"<p>{escape(text)}</p>" if text else ""


def rating_page(run: Run, neurons: pd.DataFrame, path: str | Path) -> Path:
    """Writes one HTML file on which people hear each neuron's highest clips, write what they share, and then rate its
    descriptions from 1 to 5, in random order and without their methods' names; returns its path. It needs no other file
    and no connection, and saves a CSV for `section_4_2.score_ratings`. neurons: of `section_4_2.sampled_neurons`."""
    asked = questionnaire(run, neurons)
    clips = sorted({i for row in asked["neurons"] for i in row["clips"]})
    for row in asked["neurons"]:
        row["clips"] = [clips.index(i) for i in row["clips"]]  # each clip is in the file once
    sounds = (heard(run.probing_set, run.probing_set.clips[i], run.profile.seconds) for i in clips)
    html = (paths.PACKAGE / "rating_page.html").read_text(encoding="utf-8")
    html = html.replace("{{players}}", "".join(player(sound, "clip") for sound in sounds))
    # last, so that no placeholder is sought in text of models; < could end the script that holds it
    html = html.replace("{{data}}", json.dumps(asked, ensure_ascii=False).replace("<", "\\u003c"))
    return write_atomically(Path(path), lambda temporary: temporary.write_text(html, encoding="utf-8"))
