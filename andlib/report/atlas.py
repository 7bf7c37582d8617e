"""The atlas: every described neuron as data for the static page that searches, opens and plays them (book/atlas.md)."""

import base64
import gzip
import hashlib
import io
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from andlib import stages
from andlib.descriptions import clip_descriptions
from andlib.frontend import BEATS, SAMPLE_RATE, log_mel
from andlib.pages.scoring import score_neurons
from andlib.profiles import LEARNT, TEST
from andlib.records import Clip, ProbingSet, Unit
from andlib.report.sounds import PLAYER_RATE, WITHHOLD_AUDIO, heard, mp3
from andlib.run import Run
from andlib.store import Stage, write_atomically

METHODS = ("summary", "open concepts", "DB", "TAB")  # in the order of a card's scores
MATCHER = "captions"  # of the scores shown
COLUMNS = ("adjectives", "nouns", "verbs", "db", "tab")  # of a neuron, that hold its concepts
MEASURES = ("pearson", "pearson_low", "pearson_high", "auprc")  # of each method, in hundredths
SOUNDS = Stage("atlas_sounds", "arrays")
SAMPLE = 60  # units of each layer that stand for those of a network with very many
ACROSS, TILE = 50, (50, 16)  # spectrograms in a row of the picture; steps and bands of each
NO_SOUND = "This copy of the book has no sounds in its atlas: make book writes them."
WITHHELD = "Recordings of others are not published; make book adds their sounds where the recordings are."


def write(run: Run, folder: Path, *, sounds: bool = True) -> Path:
    """Write the atlas of the run's models for book/atlas.md; returns the data file, `<folder>/<profile>.mjs`.

    Neurons are described from folds 2-5 and their descriptions scored on fold 1; from all clips, and not scored, where
    the probing set has no fold 1 beside others. sounds: writes `<folder>/<profile>/<clip>.mp3`, too, for every clip
    that a card names; not where ANDLIB_WITHHOLD_AUDIO is set. Recordings without sound have spectrograms, in
    `<folder>/<profile>.png`. Same bytes on reruns. Raises InputError where the folder cannot be written.

    >>> atlas.write(al.open_run({"model": "all"}), Path("book/_static/atlas"))"""
    held_out = set(run.probing_set.folds) >= {*TEST, *LEARNT}
    folds = LEARNT if held_out else sorted({*TEST, *LEARNT})
    tables = {model: _shown(run, stages.neurons(run, model, folds), model) for model in run.models}
    scores = pd.concat([score_neurons(run, model) for model in run.models], ignore_index=True) if held_out else None
    sounds = sounds and not os.environ.get(WITHHOLD_AUDIO)
    about = run.made_by(*run.caption_parts)
    if sampled := [model for model in run.models if model in run.profile.slow]:
        about += f" Of {' and '.join(sampled)}, {SAMPLE} units of each layer, drawn by a seed."
    silent = "" if sounds else NO_SOUND if run.profile.probing == "synthesc" else WITHHELD
    atlas = data(tables, run.probing_set.clips, clip_descriptions(run), scores, about=about, silent=silent)
    atlas["across"] = ACROSS * (silent == WITHHELD)
    if atlas["across"]:
        picture = spectrograms(run.probing_set, run.profile.seconds)
        write_atomically(folder / f"{run.profile.name}.png", lambda path: path.write_bytes(picture))
    for i, sound in _sounds(run, tables.values()).items() if sounds else ():
        write_atomically(folder / run.profile.name / f"{i}.mp3", lambda path, sound=sound: path.write_bytes(sound))
    text = script(run.profile.name, atlas)
    return write_atomically(folder / f"{run.profile.name}.mjs", lambda path: path.write_text(text, encoding="ascii"))


def _shown(run: Run, neurons: pd.DataFrame, model: str) -> pd.DataFrame:
    """The neurons of a model, or SAMPLE of each layer where there are very many."""
    if model not in run.profile.slow:
        return neurons
    drawn = [rows.sample(min(SAMPLE, len(rows)), random_state=0) for _, rows in neurons.groupby("layer", sort=False)]
    return pd.concat(drawn).sort_index()


def spectrograms(probing_set: ProbingSet, seconds: float) -> bytes:
    """Log-mel spectrograms of all clips, the loudest 60 dB of each, as one PNG: TILE points, 16 greys, ACROSS a row."""
    import torch
    from PIL import Image

    tiles = []
    for batch in probing_set.batches(SAMPLE_RATE, seconds):
        x = log_mel(torch.from_numpy(batch), BEATS)  # natural logarithm of power: 60 dB are 13.8
        x = torch.nn.functional.adaptive_avg_pool2d(x[:, None], TILE)[:, 0]
        tiles.append(((x - x.amax((1, 2), keepdim=True)) / 13.8 + 1).clamp(0, 1).mul(15).round().mul(17))
    tiles = torch.cat(tiles).flip(2).transpose(1, 2).byte().numpy()
    whole = np.zeros((-(-len(tiles) // ACROSS) * ACROSS, *tiles.shape[1:]), np.uint8)
    whole[: len(tiles)] = tiles
    rows = whole.reshape(-1, ACROSS, *tiles.shape[1:]).swapaxes(1, 2)
    buffer = io.BytesIO()
    Image.fromarray(rows.reshape(len(rows) * TILE[1], ACROSS * TILE[0])).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


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
    """The data, JSON under gzip in base64, as a script that pages may load from a file, headed by the rest's sha256."""
    text = json.dumps(atlas, separators=(",", ":"), allow_nan=False)
    packed = base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
    statement = f"(window.ATLAS ??= {{}})[{json.dumps(profile)}] = {json.dumps(packed)};\n"
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
