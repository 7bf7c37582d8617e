"""The atlas: every described neuron as data for the static page that searches, opens and plays them (book/atlas.md)."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from andlib import stages
from andlib.descriptions import clip_descriptions
from andlib.pages.scoring import score_neurons
from andlib.profiles import LEARNT, TEST
from andlib.records import Clip, Unit
from andlib.report.sounds import PLAYER_RATE, WITHHOLD_AUDIO, heard, mp3
from andlib.run import Run
from andlib.store import Stage, write_atomically

METHODS = ("summary", "open concepts", "DB", "TAB")  # in the order of a card's scores
MATCHER = "captions"  # of the scores shown
COLUMNS = ("adjectives", "nouns", "verbs", "db", "tab")  # of a neuron, that hold its concepts
MEASURES = ("pearson", "pearson_low", "pearson_high", "auprc")  # of each method, in hundredths
SOUNDS = Stage("atlas_sounds", "arrays")
NO_SOUND = "This copy of the book has no sounds in its atlas: make book writes them."
WITHHELD = "Recordings of others are not published; make book adds their sounds where the recordings are."


def write(run: Run, folder: Path, *, sounds: bool = True) -> Path:
    """Write the atlas of the run's models for book/atlas.md; returns the data file, `<folder>/<profile>.mjs`.

    Neurons are described from folds 2-5 and their descriptions scored on fold 1; from all clips, and not scored, where
    the probing set has no fold 1 beside others.
    sounds: writes `<folder>/<profile>/<clip>.mp3`, too, for every clip that a card names; not where
    ANDLIB_WITHHOLD_AUDIO is set. Same bytes on reruns. Raises InputError where the folder cannot be written.

    >>> atlas.write(al.open_run({"model": "all"}), Path("book/_static/atlas"))"""
    held_out = set(run.probing_set.folds) >= {*TEST, *LEARNT}
    folds = LEARNT if held_out else sorted({*TEST, *LEARNT})
    tables = {model: stages.neurons(run, model, folds) for model in run.models}
    scores = pd.concat([score_neurons(run, model) for model in run.models], ignore_index=True) if held_out else None
    sounds = sounds and not os.environ.get(WITHHOLD_AUDIO)
    about = run.made_by(*run.caption_parts)
    silent = "" if sounds else NO_SOUND if run.profile.probing == "synthesc" else WITHHELD
    atlas = data(tables, run.probing_set.clips, clip_descriptions(run), scores, about=about, silent=silent)
    for i, sound in _sounds(run, tables.values()).items() if sounds else ():
        write_atomically(folder / run.profile.name / f"{i}.mp3", lambda path, sound=sound: path.write_bytes(sound))
    path = folder / f"{run.profile.name}.mjs"
    write_atomically(path, lambda temporary: temporary.write_text(script(run.profile.name, atlas), encoding="ascii"))
    return path


def data(
    tables: Mapping[str, pd.DataFrame],
    clips: Iterable[Clip],
    texts: Iterable[str],
    scores: pd.DataFrame | None = None,
    *,
    about: str = "",
    silent: str = "",
) -> dict[str, Any]:
    """What the page reads: each distinct text once, and a row of numbers a unit.

    tables: model -> its neurons (`stages.neurons`). texts: description of each clip. scores: `scoring.score_neurons`
    of all models. about: what made them. silent: why there is no sound, or "".
    A clip is [name, class, description]. A unit is [model, layer, index, highest, lowest, high, removed, low,
    adjectives, nouns, verbs, db, tab, scores]: places in `models`, `layers`, `clips` and `texts`; `removed` gives for
    each point of S_h 0, or the point of S_l it is like and their cosine; `scores` has MEASURES of each of METHODS, or
    is empty. Cosines and scores are in hundredths, null where undefined."""
    strings: dict[str, int] = {}
    number = lambda text: strings.setdefault(str(text), len(strings))  # noqa: E731
    models, layers = list(tables), list(dict.fromkeys(layer for table in tables.values() for layer in table["layer"]))
    known = {} if scores is None else _by_unit(scores)
    units = []
    for neuron in (row for table in tables.values() for row in table.to_dict("records")):
        unit, kept = Unit.parse(neuron["unit"]), set(neuron["calibrated"])
        points = zip(neuron["high"], neuron["like"], neuron["cosine"], strict=True)
        removed = [0 if point in kept else [number(like), _hundredths(cosine)] for point, like, cosine in points]
        words = [list(map(number, dict.fromkeys(neuron[name]))) for name in COLUMNS]
        high, low = (list(map(number, neuron[side])) for side in ("high", "low"))
        exemplars = [list(map(int, neuron[side])) for side in ("highest", "lowest")]
        address = [models.index(unit.model), layers.index(unit.layer), unit.index]
        units.append([*address, *exemplars, high, removed, low, *words, known.get(unit.id, [])])
    described = [[number(c.name), number(c.label), number(text)] for c, text in zip(clips, texts, strict=True)]
    head = {"about": about, "silent": silent, "methods": METHODS, "models": models, "layers": layers}
    return {**head, "clips": described, "units": units, "texts": list(strings)}


def script(profile: str, atlas: dict[str, Any]) -> str:
    """The data as a script that a page may load from a file, under a line with the sha256 of the rest. It is ASCII, and
    nothing in it ends a script element."""
    text = json.dumps(atlas, separators=(",", ":"), allow_nan=False).replace("<", r"\u003c")
    statement = f"(window.ATLAS ??= {{}})[{json.dumps(profile)}] = {text};\n"
    return f"// {hashlib.sha256(statement.encode()).hexdigest()}\n{statement}"


def _by_unit(scores: pd.DataFrame) -> dict[str, list[int | None]]:
    """MEASURES of each of METHODS, one after the other, for each unit."""
    chosen = scores[scores["matcher"] == MATCHER].pivot(index="unit", columns="method", values=list(MEASURES))
    ordered = chosen.reindex(columns=[(measure, method) for method in METHODS for measure in MEASURES])
    return {unit: list(map(_hundredths, row)) for unit, row in zip(ordered.index, ordered.to_numpy(), strict=True)}


def _hundredths(value: float) -> int | None:
    return round(100 * float(value)) if np.isfinite(value) else None


def _sounds(run: Run, tables: Iterable[pd.DataFrame]) -> dict[int, bytes]:
    """MP3 of every clip among the highest or lowest of a unit, stored: synthesising and encoding take a minute."""
    shown = sorted({int(i) for table in tables for side in ("highest", "lowest") for row in table[side] for i in row})
    seconds, clips = run.profile.seconds, run.probing_set.clips

    def make():
        return {str(i): np.frombuffer(mp3(heard(run.probing_set, clips[i], seconds)), np.uint8) for i in shown}

    made_from = [run.probing_set, shown, PLAYER_RATE, round(seconds * PLAYER_RATE)]
    return {int(i): sound.tobytes() for i, sound in run.store.get(SOUNDS, made_from, make).items()}
