"""Cards: clips with sound and picture, and everything known of one neuron. Text from models is escaped here."""

import base64
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

from andlib import asking, descriptions, firing, responses, stages
from andlib.errors import InputError
from andlib.firing import Firing
from andlib.llms import prompts
from andlib.records import Clip, ProbingSet, Unit
from andlib.report.figures import MUTED, OURS, PAPER, spectrogram_image
from andlib.run import Run
from andlib.targets import OVER_TOKENS, Target

PLAYER_RATE = 16_000  # Hz
# set when pages with recordings of others are made for publication: a picture stands for the player
WITHHOLD_AUDIO = "ANDLIB_WITHHOLD_AUDIO"
OTHERS, CLASSES, PARTS = 3, 3, 6  # clips at random on a card; classes that gain and that lose most; parts of a sound
COLOURS = {"highest": OURS, "lowest": PAPER, "at random": MUTED}
FRAMES = (
    "A white frame is where the unit's values over the spectrogram peak, down to half of their height over the clip's "
    "median; the curve below is their maximum over bands, on one scale for all clips. "
)
PLACELESS = (
    "The activation u itself is read from the class token, which has no place: the frames show its other tokens."
)
STYLE = """<style>
.clips { display: grid; gap: 1rem .8rem; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); }
.glance { columns: 19rem 2; column-gap: 2rem; }
.glance > div { break-inside: avoid; overflow-x: auto; }
.clip { margin: 0; min-width: 0; }
.sound { position: relative; }
.sound img { display: block; width: 100%; height: 5rem; }
.sound svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.course { display: block; width: 100%; height: 1.4rem; }
.clip audio { width: 100%; height: 2rem; margin-top: .3rem; }
.clip button { font: inherit; font-size: .8rem; cursor: pointer; }
.clip figcaption { margin-top: .3rem; font-size: .8rem; line-height: 1.35; text-align: left; }
.neuron h3 { margin: .5rem 0; overflow-wrap: anywhere; }
.neuron h4 { margin: 0 0 .3rem; padding-top: .9rem; }
.neuron th, .neuron td { text-align: left; vertical-align: top; padding: .1rem .6rem .1rem 0; }
.points { margin: 0; padding-left: 0; list-style: none; }
.points del, .neuron small { opacity: .75; }
</style>"""


@dataclass(frozen=True)
class Card:
    """A piece of HTML that notebooks show."""

    html: str

    def _repr_html_(self) -> str:
        return STYLE + self.html


def show(
    run: Run,
    unit: Unit | str,
    *,
    network: Target | None = None,
    scores: pd.DataFrame | None = None,
    spectrograms: bool = True,
) -> Card:
    """The neuron card: all that is known of one neuron at one look.

    Its highest, lowest and three other clips with sound and the place where it fires; its activation on all clips; its
    summary before and after calibration; its concepts by every method; what silencing it does to each class.

    unit: its id; `block0.output/17` is one of the run's first model. network: its target, where not the profile's.
    scores: rows with `method` and numbers, each beside its `_low` and `_high` where it has an interval; shown as given.
    spectrograms: False leaves out pictures and players, for many cards on a page.
    Raises InputError if there is no such unit.

    >>> al.show(run, "ast/block0.output/17")
    """
    unit = unit if isinstance(unit, Unit) else Unit.parse(unit, network.name if network else run.models[0])
    network = run.probed(network or unit.model)
    network.check(unit)
    neuron = stages.neurons(run, network, layers=(unit.layer,)).iloc[unit.index]
    chosen = [*neuron["highest"], *neuron["lowest"]]
    rest = np.setdiff1d(np.arange(len(run.probing_set)), chosen)
    others = np.random.default_rng(unit.index).choice(rest, min(OTHERS, len(rest)), replace=False)
    captions = descriptions.clip_captions(run).groupby("clip")
    told = {name: dict(zip(rows["origin"], rows["text"], strict=True)) for name, rows in captions}
    fired = _or_reason(firing.fired, run, network, unit, [*dict.fromkeys([*chosen, *others])])
    placeless = network.layer(unit.layer).pooling in OVER_TOKENS and not isinstance(fired, str)
    return neuron_card(
        neuron,
        run.probing_set,
        responses.unit_activations(run, network)[unit.layer][:, unit.index],
        [told.get(clip.name, {}) for clip in run.probing_set.clips],
        run.profile.seconds,
        others=others,
        fired=fired,
        note=FRAMES * (spectrograms and not isinstance(fired, str)) + PLACELESS * placeless,
        icl=_named_by_language_model(run, neuron),
        scores=scores,
        effect=_or_reason(firing.effect, run, network, unit),
        spectrograms=spectrograms,
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
    read = described["calibrated"].iloc[0]
    chat = prompts.choice(run.concepts, read, asking.SHOTS[0])
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
    scores: pd.DataFrame | None = None,
    effect: pd.DataFrame | str = "",
    spectrograms: bool = True,
) -> Card:
    """One neuron, drawn from what is given; see `show`.

    neuron: a row of `stages.neurons`. activations: u on every clip [clips]. texts: description of every clip, whole or
    by origin. others: clips for comparison. fired: where in each clip, or why that cannot be told; note: what to know
    of it. icl: ICL's concepts. effect: `firing.effect`, or why there is none.
    """
    groups = {"highest": neuron["highest"], "lowest": neuron["lowest"], "at random": others}
    places = fired if isinstance(fired, Mapping) else {}
    glance = {
        "Summary of the highest clips (S<sub>h</sub>), calibrated": _calibration(neuron),
        "Concepts": _concepts(neuron, icl),
        "Activation on every clip": _histogram(activations, groups),
        "Scores of its descriptions": "" if scores is None else _scores(scores),
        "What silencing it changes": _effect(effect) if isinstance(effect, pd.DataFrame) else _note(effect),
        "Summary of the lowest clips (S<sub>l</sub>)": _points(neuron["low"]),
    }
    parts = [
        f'<section class="neuron" id="{escape(neuron["unit"])}"><h3>{escape(neuron["unit"])}</h3>',
        _note("This unit gives every clip the same activation: its highest clips mean nothing." * bool(neuron["dead"])),
        '<div class="glance">',
        *(f"<div><h4>{title}</h4>{html}</div>" for title, html in glance.items() if html),
        "</div>",
        _note(fired if isinstance(fired, str) else note),
    ]
    scale = _scale(places.values())

    def drawn(i: int) -> str:
        clip, place = probing_set.clips[i], places.get(i)
        text = f"<b>{escape(clip.label)}</b>, u = {activations[i]:.2f}{_place(place)}{_told(texts[i])}"
        samples = _samples(probing_set, clip, seconds) if spectrograms else None
        return sound_figure(samples, clip.name, text, place, scale)

    for title, clips in groups.items():
        heading = "Clips drawn at random" if title == "at random" else f"{title.capitalize()} activated clips"
        if len(clips):
            parts.append(f'<h4>{heading}</h4><div class="clips">{"".join(map(drawn, clips))}</div>')
    return Card("".join([*parts, "</section>"]))


def gallery(probing_set: ProbingSet, clips: Iterable[Clip], texts: Iterable[str], seconds: float) -> Card:
    """Clips side by side, each with its class and a text."""
    figures = [
        sound_figure(_samples(probing_set, clip, seconds), clip.name, f"<b>{escape(clip.label)}</b><br>{escape(text)}")
        for clip, text in zip(clips, texts, strict=True)
    ]
    return Card(f'<div class="clips">{"".join(figures)}</div>')


def own_sound(target: Target, unit: Unit, samples: np.ndarray, activations: np.ndarray) -> Card:
    """Where a sound of one's own excites the unit: its parts of the length that the target takes, highest first.

    samples: mono at the target's sampling rate. activations: u on every clip of a probing set, for comparison.
    """
    import soxr

    length = round(target.sample_rate * target.seconds)
    starts = range(0, max(1, len(samples) - target.sample_rate // 10), length)  # no rest below 0.1 s
    parts = [samples[start : start + length] for start in starts]
    found = firing.where_it_fired(target, unit, parts)
    ranked, scale = np.argsort([-fired.activation for fired in found], kind="stable"), _scale(found)
    figures = []
    for start, part, fired in [(starts[i], parts[i], found[i]) for i in ranked[:PARTS]]:
        begin, beaten = start / target.sample_rate, (activations < fired.activation).mean()
        title = f"<b>{begin:.1f}–{begin + fired.heard:.1f} s</b>, u = {fired.activation:.2f}"
        text = f"{title}{_place(fired)}<br>higher than on {beaten:.0%} of the probing set's clips"
        heard = soxr.resample(part, target.sample_rate, PLAYER_RATE)
        figures.append(sound_figure(heard, f"your sound from {begin:.1f} s", text, fired, scale))
    return Card(f'<div class="clips">{"".join(figures)}</div>')


def sound_figure(
    samples: np.ndarray | None,
    name: str,
    html: str,
    fired: Firing | None = None,
    scale: tuple[float, float] = (0.0, 1.0),
) -> str:
    """One sound: spectrogram with the place where a unit fires, its course below, player and a text of HTML.

    samples: at PLAYER_RATE; None leaves picture and player out. scale: of the course, lowest and highest value.
    """
    if samples is None:
        return f'<figure class="clip"><figcaption>{html}</figcaption></figure>'
    length = len(samples) / PLAYER_RATE
    picture = base64.b64encode(spectrogram_image(samples, PLAYER_RATE)).decode()
    alt = f"Spectrogram of {escape(name)}, {length:.1f} s, 0 to 8 kHz"
    frame, course, button = "", "", ""
    if fired:
        (start, end), band = fired.interval, np.log1p(np.divide(fired.band, 700)) / np.log1p(PLAYER_RATE / 1400)
        low, high = np.clip(100 * band, 0, 100)
        alt += f"; the unit fires from {start:.2f} to {end:.2f} s, {fired.band[0]:.0f} to {fired.band[1]:.0f} Hz"
        box = f'x="{100 * start / length:.1f}" y="{100 - high:.1f}" width="{100 * (end - start) / length:.1f}"'
        look = 'fill="none" stroke="#fff" stroke-width="2" vector-effect="non-scaling-stroke"'
        rectangle = f'<rect {box} height="{high - low:.1f}" {look}/>'
        frame = f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">{rectangle}</svg>'
        course = _course(fired, length, scale)
        play = f"let a=this.previousElementSibling;a.currentTime={start:.3f};a.play();clearTimeout(a.t);"
        stop = f"a.t=setTimeout(function(){{a.pause()}},{1000 * (end - start):.0f})"
        button = f'<button type="button" onclick="{play}{stop}">Play where it fires</button>'
    sound = "" if os.environ.get(WITHHOLD_AUDIO) else player(samples, PLAYER_RATE, f"clip {name}") + button
    image = f'<img alt="{alt}" src="data:image/jpeg;base64,{picture}">'
    parts = f'<div class="sound">{image}{frame}</div>{course}{sound}<figcaption>{html}</figcaption>'
    return f'<figure class="clip">{parts}</figure>'


def player(samples: np.ndarray, sample_rate: int, label: str) -> str:
    """An audio element with the samples inside it (MP3, so that a page needs no other file)."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate, format="MP3")
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<audio controls preload="none" aria-label="{escape(label)}" src="data:audio/mpeg;base64,{data}"></audio>'


def _samples(probing_set: ProbingSet, clip: Clip, seconds: float) -> np.ndarray:
    return probing_set.read(clip, PLAYER_RATE)[: round(seconds * PLAYER_RATE)]


def _scale(found: Iterable[Firing]) -> tuple[float, float]:
    """Lowest and highest value of all courses, so that they can be compared."""
    courses = [fired.map.max(1) for fired in found] or [np.array([0.0, 1.0])]
    return min(map(np.min, courses)), max(map(np.max, courses))


def _course(fired: Firing, length: float, scale: tuple[float, float]) -> str:
    """The highest value over bands, moment by moment, as a filled curve."""
    low, high = scale
    heights = 20 * (fired.map.max(1) - low) / ((high - low) or 1)
    times = np.clip(100 * fired.seconds / length, 0, 100)
    steps = "".join(f"L{a:.1f} {20 - h:.1f}H{b:.1f}" for a, b, h in zip(times, times[1:], heights, strict=False))
    path = f'<path d="M{times[0]:.1f} 20{steps}V20Z" fill="{OURS}"/>'
    return f'<svg class="course" viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true">{path}</svg>'


def _place(fired: Firing | None) -> str:
    if not fired:
        return ""
    (start, end), (low, high) = fired.interval, np.divide(fired.band, 1000)
    return f"<br><small>fires {start:.2f}–{end:.2f} s, {low:.1f}–{high:.1f} kHz</small>"


def _told(text: str | Mapping[str, str]) -> str:
    """A description, sentence by sentence with its origin where that is known."""
    if isinstance(text, str):
        return f"<br>{escape(text)}"
    return "".join(f"<br>{escape(said)} <small>({escape(origin)})</small>" for origin, said in text.items())


def _histogram(activations: np.ndarray, groups: Mapping[str, Sequence[int]]) -> str:
    """u over all clips, with ticks below it at the clips of each group."""
    counts, edges = np.histogram(activations, bins=40)
    span = (edges[-1] - edges[0]) or 1
    at = lambda u: 200 * (u - edges[0]) / span  # noqa: E731
    bars = "".join(
        f"M{at(x):.0f} 60V{60 - 60 * n / counts.max():.1f}h5V60Z" for x, n in zip(edges, counts, strict=False) if n
    )
    rows = [(name, clips) for name, clips in groups.items() if len(clips)]
    ticks = ""
    for row, (name, clips) in enumerate(rows):
        marks = "".join(f"M{at(activations[i]):.1f} {62 + 9 * row}v8" for i in clips)
        ticks += f'<path stroke="{COLOURS[name]}" stroke-width="2" d="{marks}"/>'
    legend = ", ".join(f'<span style="color:{COLOURS[name]}">▮</span> {name}' for name, _ in rows)
    alt = (
        f"Histogram of u on {len(activations)} clips, {edges[0]:.2f} to {edges[-1]:.2f}, with ticks at the clips shown"
    )
    drawn = f'<path fill="{MUTED}" d="{bars}"/>{ticks}'
    size = f'viewBox="-1 0 202 {62 + 9 * len(rows)}" style="width:100%;max-width:24rem"'
    return (
        f'<svg role="img" aria-label="{alt}" {size}>{drawn}</svg>'
        f"<br><small>u from {edges[0]:.2f} to {edges[-1]:.2f}; ticks: {legend}</small>"
    )


def _calibration(neuron: pd.Series) -> str:
    kept = set(neuron["calibrated"])
    rows = []
    for point, like, cosine in zip(neuron["high"], neuron["like"], neuron["cosine"], strict=True):
        if point in kept:
            rows.append(f"<li>{escape(point)}</li>")
        else:
            rows.append(
                f"<li><del>{escape(point)}</del> <small>removed: cosine {cosine:.2f} with “{escape(like)}” of the "
                "lowest clips</small></li>"
            )
    return f'<ul class="points">{"".join(rows)}</ul>'


def _points(points: Sequence[str]) -> str:
    return f'<ul class="points">{"".join(f"<li>{escape(point)}</li>" for point in points)}</ul>'


def _concepts(neuron: pd.Series, icl: Sequence[str]) -> str:
    rows = [(f"closed, {m}", neuron[m.lower()]) for m in ("DB", "TAB") if m.lower() in neuron]
    rows += [("closed, ICL", icl or ["not asked"])]
    rows += [
        (f"open, {part}", list(dict.fromkeys(neuron[part])) or ["none"]) for part in ("adjectives", "nouns", "verbs")
    ]
    return _table([(name, ", ".join(words)) for name, words in rows])


def _scores(scores: pd.DataFrame) -> str:
    """A row a method; each number with its interval where the frame holds one."""
    names = [c for c in scores.select_dtypes("number") if not c.endswith(("_low", "_high"))]
    rows = [("method", *names)]
    for _, score in scores.iterrows():
        rows.append((score["method"], *(_with_interval(score, name) for name in names)))
    return _table(rows)


def _with_interval(score: pd.Series, name: str) -> str:
    if pd.isna(score[name]):
        return "–"
    known = f"{name}_low" in score and not pd.isna(score[f"{name}_low"])
    return f"{score[name]:.2f}" + (f" [{score[f'{name}_low']:.2f}, {score[f'{name}_high']:.2f}]" if known else "")


def _effect(effect: pd.DataFrame) -> str:
    """Classes whose own logit falls and rises most, and all of them on demand."""
    ranked = effect.sort_values("change", kind="stable")
    rows = [(row["class"], f"{row['change']:+.2g}") for _, row in ranked.iterrows()]
    shown = rows if len(rows) <= 2 * CLASSES else [*rows[:CLASSES], ("…", ""), *rows[-CLASSES:]]
    every = "" if shown is rows else f"<details><summary>all {len(rows)} classes</summary>{_table(rows)}</details>"
    return f"{_table(shown)}<small>change of a class's mean logit on its own clips of fold 1</small>{every}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = ["".join(f"<td>{escape(str(cell))}</td>" for cell in cells) for _, *cells in rows]
    heads = [f"<th>{escape(str(head))}</th>" for head, *_ in rows]
    body = "".join(f"<tr>{head}{line}</tr>" for head, line in zip(heads, lines, strict=True))
    return f'<div class="andlib-table"><table><tbody>{body}</tbody></table></div>'


def _note(text: str) -> str:
    return f"<p>{escape(text)}</p>" if text else ""
