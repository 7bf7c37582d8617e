"""What a page runs on: profiles, and modes, which are switches of the released code."""

import tomllib
from dataclasses import dataclass, field

from andlib import paths
from andlib.encoders import EMBEDDED
from andlib.errors import InputError, check_choice

_STATED = tomllib.loads((paths.PACKAGE / "profiles.toml").read_text(encoding="utf-8"))  # explains each
MODELS, WHISPER = tuple(_STATED["models"]), tuple(_STATED["whisper"])
STRATEGIES, CALLED, MEASURES = _STATED["strategies"], _STATED["called"], _STATED["measures"]
LEARNT, TEST = (2, 3, 4, 5), (1,)  # folds: networks learn from the former and are tested on the latter


@dataclass(frozen=True)
class Profile:
    """Everything a page does not choose by its own parameters.

    title: what is probed, for captions of tables. probing: `synthesc`, or `folder` for recordings in `data_dir`.
    subset: rows of an ESC table that are used. seconds: length of the clips given to the networks. caption_parts:
    origins joined into each description, in this order. networks: model -> folder or hub id of its weights; for any
    other, the page must name them. models: those that `all` means. archive: whether `data_dir` may be fetched when
    online. beside: on how many clips sets of units are tried, see `bench.Bench`. slow: models that are on fewer."""

    name: str
    title: str
    probing: str
    seconds: float
    caption_parts: tuple[str, ...]
    networks: dict[str, str] = field(hash=False)
    models: tuple[str, ...]
    subset: str = ""
    archive: bool = False
    beside: int = 0
    slow: tuple[str, ...] = ()
    encoder: str = EMBEDDED
    audio_encoder: str = "embedded"


def _profile(name: str) -> Profile:
    """The profile of that name in profiles.toml."""
    stated = {"like": name}
    while "like" in stated:
        stated = {**_STATED["profiles"][stated.pop("like")], **stated}
    settings = {key: tuple(value) if isinstance(value, list) else value for key, value in stated.items()}
    networks = {place.rpartition("/")[2]: str(paths.WEIGHTS / place) for place in stated["networks"]}
    return Profile(**{**settings, "name": name, "networks": networks})


PROFILES = {name: _profile(name) for name in _STATED["profiles"]}


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
