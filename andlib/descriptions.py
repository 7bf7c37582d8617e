"""Descriptions D_d of a run's clips: captions of every origin, joined, and the same under a control."""

from pathlib import PurePath

import numpy as np
import pandas as pd

from andlib import language
from andlib.inputs.captions import CaptionReport, compose, descriptions, read_captions
from andlib.paths import WEIGHTS
from andlib.run import Run
from andlib.store import Stage, file_digest

HEARING_RATE = 16_000  # Hz, at which the ear hears
CAPTIONS = Stage("captions", "lines", 3)
EAR_VERSION = 1  # of `andlib.mini.ear`: raise it when any sentence changes
SHUFFLED, STRUCK = CONTROLS = "shuffled captions", "class words struck"
SHUFFLE_SEED, ALONE = 0, " alone"


def alone(run: Run) -> tuple[str, ...]:
    """Controls under which one origin describes every clip by itself; none where there is but one."""
    return tuple(part + ALONE for part in run.caption_parts) if len(run.caption_parts) > 1 else ()


def clip_captions(run: Run) -> pd.DataFrame:
    """D_d by origin, one row a clip and origin: columns clip, origin, text."""
    names = [clip.name for clip in run.probing_set.clips]
    texts = {"file": caption_file(run)[0]} if "file" in run.caption_parts else {}
    if heard := tuple(part for part in run.caption_parts if part != "file"):
        texts |= _heard(run, names, heard)
    return compose(texts, names, order=run.caption_parts)


def caption_file(run: Run) -> tuple[dict[str, str], CaptionReport]:
    """Captions read from the run's file, and what had to be ignored or repaired."""
    return read_captions(run.caption_file, [clip.name for clip in run.probing_set.clips])


def caption_notes(run: Run) -> str:
    """One sentence on where the descriptions come from and what had to be repaired in them."""
    if "file" in run.caption_parts:
        return f"Read from {caption_file(run)[1]}."
    return "No caption file was read: the clips were heard and measured."


def _heard(run: Run, names: list[str], parts: tuple[str, ...]) -> dict[str, dict[str, str]]:
    def make():
        from andlib.mini.ear import hear

        batches = run.probing_set.batches(HEARING_RATE, run.profile.seconds)
        spoken_of = [str(PurePath(name).with_suffix(".wav")) for name in names]  # in the same words, WAV or FLAC
        return [hear((clip for batch in batches for clip in batch), HEARING_RATE, spoken_of, parts)]

    ear = (EAR_VERSION, file_digest(WEIGHTS / "ear.safetensors"))
    [texts] = run.store.get(CAPTIONS, [run.probing_set, run.profile.seconds, parts, ear], make)
    return {part: dict(zip(names, texts[part], strict=True)) for part in parts}


def decided_by(run: Run) -> list:
    """What decides a run's descriptions, for keys of results that are kept: the clips but for their samples, and their
    texts; of recordings the texts that were read, so that another copy of them, at another rate, has the same key."""
    frame = clip_captions(run)
    recorded = run.profile.probing == "folder"
    return [run.probing_set.layout, run.caption_parts, list(frame["text"][~recorded | (frame["origin"] == "file")])]


def clip_descriptions(run: Run, control: str = "") -> list[str]:
    """The description d_i of every clip; under a control, one that cannot or should not carry its class.

    control: "shuffled captions" gives every clip another's; "class words struck" removes every word that names one of
    the probing set's classes; `alone` has those that leave one origin."""
    frame = clip_captions(run)
    if control in alone(run):
        frame = frame[frame["origin"] == control.removesuffix(ALONE)]
    texts = descriptions(frame, [clip.name for clip in run.probing_set.clips])
    if control == SHUFFLED:
        order = np.random.default_rng(SHUFFLE_SEED).permutation(len(texts))
        return [texts[i] for i in order]
    if control == STRUCK:
        return [language.strike_class_words(text, run.probing_set.classes) for text in texts]
    return texts
