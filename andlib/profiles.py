"""What a page runs on: profiles, written as differences from `mini`, and modes, switches of the released code."""

import tomllib
from dataclasses import dataclass, field, replace

from andlib import paths
from andlib.encoders import EMBEDDED
from andlib.errors import InputError, check_choice

MODELS = ("ast", "beats_finetuned", "beats_frozen")  # the paper's, in its order
STRATEGIES = {  # of one architecture, BEATs; model -> how its weights came about
    "beats_untrained": "random weights, a linear classifier trained on top",
    "beats_supervised": "trained from scratch on labels",
    "beats_frozen": "pre-trained without labels, a linear classifier on top",
    "beats_finetuned": "pre-trained without labels, then all of it trained on labels",
}
WHISPER = ("whisper_untrained", "whisper_frozen", "whisper_finetuned")  # on the encoder of Whisper base
# an untrained network's classifier is random, too
CALLED = {"beats_untrained": "random features, trained classifier"}
CALLED["whisper_untrained"] = f"{CALLED['beats_untrained']} (Whisper's size)"
MEASURES = {  # of the clean comparison; name -> its heading
    "accuracy": "accuracy, fold 1",
    "top1": "DB top-1, all clips",
    "top1_fold1": "DB top-1, fold 1",
    "db_gap": "DB gap",
    "db_excess": "DB gap beyond random units",
    "ocp_gap": "OCP gap",
    "ocp_excess": "OCP gap beyond random units",
    "adjectives": "different adjectives a unit",
    "nouns": "different nouns a unit",
}
LEARNT, TEST = (2, 3, 4, 5), (1,)  # folds: networks learn from the former and are tested on the latter


@dataclass(frozen=True)
class Profile:
    """Everything a page does not choose by its own parameters.

    title: what is probed, for captions of tables. probing: `synthesc`, or `folder` for recordings in `data_dir`.
    subset: rows of an ESC table that are used. seconds: length of the clips given to the networks.
    caption_parts: origins joined into each description, in this order.
    networks: model -> folder or hub id of its weights; for any other, the page must name them. models: those that `all`
    means. archive: whether `data_dir` may be fetched when online. beside: on how many clips of each
    other class Table 4's sets of units are tried, see `bench.Bench`. slow: models that are tried on fewer."""

    name: str
    title: str
    probing: str
    seconds: float
    caption_parts: tuple[str, ...]
    networks: dict[str, str] = field(hash=False)
    models: tuple[str, ...] = MODELS
    subset: str = ""
    archive: bool = False
    beside: int = 0
    slow: tuple[str, ...] = ()
    encoder: str = EMBEDDED
    audio_encoder: str = "embedded"
    tagger: str = "HanTa 1.2.1"


MINI = Profile(
    name="mini",
    title="SynthESC (sounds are synthesised)",
    probing="synthesc",
    seconds=2.0,
    caption_parts=("source", "measured"),
    networks={model: str(paths.WEIGHTS / "mini" / model) for model in ("ast", *STRATEGIES)},
)
ESC50 = replace(
    MINI,
    name="esc50",
    title="ESC-50 (real recordings)",
    probing="folder",
    seconds=5.0,
    caption_parts=("file", "measured"),
    archive=True,
    networks={model: str(paths.WEIGHTS / "esc50" / model) for model in (*MODELS, "beats_untrained", *WHISPER)},
    models=(*MODELS, "whisper_finetuned", "whisper_frozen"),
    beside=1,
    slow=WHISPER,
    audio_encoder="whisper",
)
ESC10 = replace(ESC50, name="esc10", title="ESC-10 (real recordings)", subset="esc10")
GTZAN = replace(
    ESC50,
    name="gtzan",
    title="GTZAN (real recordings of music)",
    seconds=10.0,  # of the 30: AST's usual input ends soon after
    networks={},  # the paper's are trained on GTZAN: another's results would pass for its Figure 14
    models=MODELS,
    archive=False,
    audio_encoder="embedded",
)
PROFILES = {profile.name: profile for profile in (MINI, ESC10, ESC50, GTZAN)}


# switches of the released code's departures from the paper: name -> what it does, and where
FAULTS = tomllib.loads((paths.PACKAGE / "faults.toml").read_text(encoding="utf-8"))


def switches(mode: str) -> frozenset[str]:
    """The switches that `mode` turns on: none for `corrected`, all for `released`, or those named, comma-separated.

    Raises InputError for an unknown name, one that is given twice, and for a list with `corrected` or `released`."""
    names = [name.strip() for name in mode.split(",")]
    whole = {"corrected": frozenset(), "released": frozenset(FAULTS)}
    if len(names) == 1 and names[0] in whole:
        return whole[names[0]]
    if alone := [name for name in names if name in whole]:
        raise InputError(f"Mode {mode!r} is a list with {alone[0]!r}, which stands alone. Name switches, or it.")
    for name in names:
        check_choice("Mode", name, FAULTS if len(names) > 1 else [*whole, *FAULTS])
    if len(set(names)) < len(names):
        raise InputError(f"Mode {mode!r} names a switch twice. Name each once.")
    return frozenset(names)
