"""The neuron that the first page shows: chosen by a score, not by hand."""

import re
from html import escape
from pathlib import Path

import pandas as pd

from andlib import firing, stages
from andlib.descriptions import clip_descriptions
from andlib.pages import scoring
from andlib.report.shown import Card
from andlib.report.sounds import common_scale, heard, sound_figure
from andlib.run import Run
from andlib.store import write_atomically


def best_described(run: Run) -> tuple[str, float]:
    """The block unit whose explanations predict it best on clips that none was made from, and its mean r over methods
    and matchers."""
    scores = pd.concat(scoring.score_neurons(run, model) for model in run.models)
    scores = scores[scores["layer"] != "classifier"]
    means = scores.groupby("unit", sort=False)["pearson"].agg(lambda r: r.mean(skipna=False))
    return means.idxmax(), float(means.max())


def neuron(run: Run) -> Card:
    """That neuron at one look: what is said of it, and its highest clips, to hear."""
    name, r = best_described(run)
    network, unit = run.unit(name)
    row, texts = stages.neuron(run, network, unit), clip_descriptions(run)
    clips = [int(i) for i in row["highest"]]
    fired = firing.fired(run, network, unit, clips)
    scale, figures = common_scale(fired.values()), []
    for i in clips:
        clip = run.probing_set.clips[i]
        samples = heard(run.probing_set, clip, run.profile.seconds)
        title, text = f"<b>{escape(clip.label)}</b>", f"<br>{escape(texts[i])}"
        figures.append(sound_figure(samples, clip.name, title, text, fired[i], scale))
    points = "".join(f"<li>{escape(re.sub('^[0-9]+[.] *', '', point))}</li>" for point in row["calibrated"])
    said = (
        f"<p>Unit {unit.index} of <code>{escape(unit.layer)}</code> in <code>{escape(unit.model)}</code>. "
        f"DB calls it <b>{escape(row['db'][0])}</b>, TAB <b>{escape(row['tab'][0])}</b>. What its highest clips share, "
        f"and its lowest lack:</p><ul>{points}</ul>"
    )
    why = (
        f"<p><small>Of all block units it is predicted best: described from folds 2 to 5 alone, its activation on fold "
        f"1 follows the descriptions by r = {r:.2f}, the mean over methods. What is said here is from all clips. "
        f"{escape(run.made_by(*run.caption_parts))}</small></p>"
    )
    return Card(f'<section class="neuron first">{said}<div class="clips">{"".join(figures)}</div>{why}</section>')


def write(run: Run, book: Path) -> Path:
    """Writes that neuron into a book; returns the file."""
    html = neuron(run)._repr_html_() + "\n"
    return write_atomically(book / "_static/neuron.html", lambda path: path.write_text(html, encoding="utf-8"))
