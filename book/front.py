"""Neurons to begin with, chosen by measurement and not by hand: the first page shows one, the atlas links to all."""

import re
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

from andlib import firing, stages
from andlib.descriptions import clip_descriptions
from andlib.pages import scoring, section_4_5
from andlib.pages.wording import summary
from andlib.profiles import LEARNT
from andlib.report.shown import Card
from andlib.report.sounds import common_scale, heard, sound_figure
from andlib.run import Run
from andlib.store import write_atomically

SHARED, CLUSTERS = 4, 11  # the paper's tau for five clips, and its number of clusters


def held_out(run: Run) -> pd.Series:
    """How well each block unit is predicted on clips that no explanation was made from: unit -> r, the mean over
    methods and matchers; NaN where one has no score."""
    scores = pd.concat(scoring.score_neurons(run, model) for model in run.models)
    scores = scores[scores["layer"] != "classifier"]
    return scores.groupby("unit", sort=False)["pearson"].agg(lambda r: r.mean(skipna=False))


def best_described(run: Run) -> tuple[str, float]:
    """The block unit whose explanations predict it best, and how well, see `held_out`."""
    means = held_out(run)
    return means.idxmax(), float(means.max())


def scattered(run: Run, table: pd.DataFrame) -> pd.Series:
    """Whether each unit is polysemantic: no two of its highest clips are of one class and, by most partitions, no
    SHARED of them have a cluster of sentences in common (Section 4.5). table: rows of `stages.neurons`."""
    counts = section_4_5.sentence_clusters(run, CLUSTERS).counts
    labels, whole = run.probing_set.labels, table["highest"].map(len) == run.k
    clips = np.array(table.loc[whole, "highest"].tolist()).T
    apart = (section_4_5.most_in_a_cluster(counts, clips) < SHARED).mean(0) > 0.5
    apart &= [len(set(labels[own])) == run.k for own in clips.T]
    return pd.Series(apart, table.index[whole]).reindex(table.index, fill_value=False)


def to_begin_with(run: Run) -> pd.DataFrame:
    """Block units to begin with, as the atlas describes them, one row a kind that there is: kind, unit, r (`held_out`),
    heard (the classes of its highest clips), said (S_h^c)."""
    table = pd.concat([stages.neurons(run, model, LEARNT) for model in run.models]).set_index("unit")
    table = table[table["layer"] != "classifier"].assign(r=held_out(run))
    kinds = {"explained best": table["r"].idxmax(), "explained worst": table["r"].idxmin()}
    losing = table["calibrated"].map(len) < table["high"].map(len)
    for kind, ours in {"loses a point to calibration": losing, "polysemantic": scattered(run, table)}.items():
        r = table["r"][ours].drop(kinds.values(), errors="ignore").dropna()
        kinds |= {kind: r.idxmax()} if len(r) else {}
    silent = table.index[table["dead"] | table["hardly_fires"]]
    kinds |= {"hardly fires": silent[0]} if len(silent) else {}
    rows = []
    for kind, unit in kinds.items():
        classes = dict.fromkeys(run.probing_set.clips[i].label for i in table.at[unit, "highest"])
        said = {"heard": ", ".join(classes), "said": summary([*map(unnumbered, table.at[unit, "calibrated"])])}
        rows.append({"kind": kind, "unit": unit, "r": table.at[unit, "r"]} | said)
    return pd.DataFrame(rows)


def unnumbered(point: str) -> str:
    """A point of a summary without its number."""
    return re.sub("^[0-9]+[.] *", "", point)


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
    points = "".join(f"<li>{escape(unnumbered(point))}</li>" for point in row["calibrated"])
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


def links(rows: pd.DataFrame) -> str:
    """`to_begin_with` as a list; each unit opens in the atlas."""
    items = []
    for kind, unit, r, classes, said in rows.itertuples(index=False):
        score = "no score" if np.isnan(r) else f"r = {r:.2f}"
        link = f'<a href="#unit={escape(unit)}">{escape(unit)}</a>'
        items.append(f"<li><b>{kind}</b>: {link}, {score}; {escape(classes)}. {escape(said)}</li>")
    if "hardly fires" not in set(rows["kind"]):
        items.append("<li><b>hardly fires</b>, or never: no block unit of these networks.</li>")
    return f"<ul>{''.join(items)}</ul>"


def write(run: Run, book: Path) -> list[Path]:
    """Writes the first page's neuron and the atlas's list into a book; returns the files."""
    shown = {"neuron": neuron(run)._repr_html_(), "neurons": links(to_begin_with(run))}
    return [
        write_atomically(book / f"_static/{name}.html", lambda path, html=html: path.write_text(f"{html}\n", "utf-8"))
        for name, html in shown.items()
    ]
