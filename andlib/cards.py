"""Cards: clips with sound and picture, and everything known of one neuron. Text from models is escaped here."""

import base64
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

from andlib.figures import spectrogram_png
from andlib.records import Clip, ProbingSet

PLAYER_RATE = 16_000  # Hz
# set when pages with recordings of others are made for publication: a picture stands for the player
WITHHOLD_AUDIO = "ANDLIB_WITHHOLD_AUDIO"


@dataclass(frozen=True)
class Card:
    """A piece of HTML that notebooks show."""

    html: str

    def _repr_html_(self) -> str:
        return self.html


def player(samples: np.ndarray, sample_rate: int, label: str) -> str:
    """An audio element with the samples inside it (MP3, so that a page needs no other file)."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate, format="MP3")
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<audio controls preload="none" aria-label="{escape(label)}" src="data:audio/mpeg;base64,{data}"></audio>'


def clip_figure(probing_set: ProbingSet, clip: Clip, text: str, seconds: float) -> str:
    """One clip: spectrogram, player and a line of text."""
    samples = probing_set.read(clip, PLAYER_RATE)[: round(seconds * PLAYER_RATE)]
    picture = base64.b64encode(spectrogram_png(samples, PLAYER_RATE)).decode()
    sound = "" if os.environ.get(WITHHOLD_AUDIO) else player(samples, PLAYER_RATE, f"clip {clip.name}")
    return (
        f'<figure class="clip"><img alt="Spectrogram of {escape(clip.name)}, {len(samples) / PLAYER_RATE:.1f} s, '
        f'0 to 8 kHz" src="data:image/png;base64,{picture}">{sound}<figcaption>{text}</figcaption></figure>'
    )


def gallery(probing_set: ProbingSet, clips: Iterable[Clip], texts: Iterable[str], seconds: float) -> Card:
    """Clips side by side, each with its class and a text."""
    figures = [
        clip_figure(probing_set, clip, f"<b>{escape(clip.label)}</b><br>{escape(text)}", seconds)
        for clip, text in zip(clips, texts, strict=True)
    ]
    return Card(f'<div class="clips">{"".join(figures)}</div>')


def neuron_card(
    neuron: pd.Series, probing_set: ProbingSet, activations: np.ndarray, texts: Sequence[str], seconds: float
) -> Card:
    """One neuron: its highest and lowest clips, its summary before and after calibration, and its concepts.

    neuron: a row of `stages.neurons`. activations: u on every clip [clips]. texts: description of every clip.
    """
    parts = [f'<section class="neuron"><h3>{escape(neuron["unit"])}</h3>']
    if neuron["dead"]:
        parts.append("<p>This unit gives every clip the same activation: its highest clips mean nothing.</p>")
    for title, column in (("Highest activated clips", "highest"), ("Lowest activated clips", "lowest")):
        figures = []
        for i in neuron[column]:
            clip = probing_set.clips[i]
            heading = f"<b>{escape(clip.label)}</b>, u = {activations[i]:.2f}<br>{escape(texts[i])}"
            figures.append(clip_figure(probing_set, clip, heading, seconds))
        parts.append(f'<h4>{title}</h4><div class="clips">{"".join(figures)}</div>')
    parts.append(f"<h4>Summary of the highest clips (S<sub>h</sub>), calibrated</h4>{_calibration(neuron)}")
    parts.append(f"<h4>Summary of the lowest clips (S<sub>l</sub>)</h4>{_points(neuron['low'])}")
    parts.append(f"<h4>Concepts</h4>{_concepts(neuron)}</section>")
    return Card("".join(parts))


def _calibration(neuron: pd.Series) -> str:
    kept = set(neuron["calibrated"])
    rows = []
    for point, like, cosine in zip(neuron["high"], neuron["like"], neuron["cosine"], strict=True):
        if point in kept:
            rows.append(f"<li>{escape(point)}</li>")
        else:
            rows.append(f"<li><del>{escape(point)}</del> removed: cosine {cosine:.2f} with “{escape(like)}” below</li>")
    return f'<ul class="points">{"".join(rows)}</ul>'


def _points(points: Sequence[str]) -> str:
    return f'<ul class="points">{"".join(f"<li>{escape(point)}</li>" for point in points)}</ul>'


def _concepts(neuron: pd.Series) -> str:
    rows = [("closed, DB (module A)", ", ".join(neuron["db"]))]
    for part in ("adjectives", "nouns", "verbs"):
        words = list(dict.fromkeys(neuron[part]))
        rows.append((f"open, {part} (module C)", ", ".join(words) or "none"))
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(words)}</td></tr>" for name, words in rows)
    return f'<div class="andlib-table"><table><tbody>{cells}</tbody></table></div>'
