"""What a dissection starts from: any network, any folder of sounds, and what is to be known of both."""

import importlib
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from andlib import paths
from andlib.errors import InputError, explained, first_line
from andlib.inputs.captions import find_captions
from andlib.inputs.probing import open_folder
from andlib.networks.checkpoints import load_target
from andlib.networks.wrapping import wrap
from andlib.profiles import LEARNT, PROFILES, TEST
from andlib.records import ProbingSet
from andlib.run import Run, open_run
from andlib.store import Store, digest
from andlib.targets import Target

CODE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")  # module:function
HEARD, SAMPLE, RATE = 10.0, 40, 16_000  # s of a clip that are heard at most; clips that tell how long all are; Hz


@dataclass(frozen=True)
class Asked:
    """What a dissection was asked to do.

    model: hub id, folder, checkpoint, or module:function. data: folder of recordings. out: folder of the report, for
    its atlas. store: where stages are kept. seconds: of each clip that are heard; 0: as long as clips and network are,
    10 at most. declared: arguments of `wrap` for a function that returns a network. captions: file; "" takes the one
    beside the recordings. head: whether an encoder gets a linear classifier where clips have labels. cards: neurons
    that are shown in full, beside the worst. full: whether units of every class are silenced."""

    model: str
    data: Path
    store: Store
    out: Path | None = None
    seconds: float = 0.0
    captions: str = ""
    k: int = 5
    declared: Mapping[str, Any] = field(default_factory=dict)
    head: bool = True
    cards: int = 3
    full: bool = False


def opened(asked: Asked, given: Run | None = None) -> tuple[Run, list[str]]:
    """The run of a dissection, with one network, and what is to be known of it, in sentences.

    given: a run whose recordings and settings are taken, in place of the folder's. Raises InputError where recordings,
    captions or network cannot be used."""
    if given:
        clips, seconds = given.probing_set, given.profile.seconds
    else:
        clips = open_folder(asked.data, unlabelled=True)
        some = clips.clips[:: -(-len(clips) // SAMPLE)]
        seconds = min(HEARD, round(max(len(clips.read(clip, RATE)) for clip in some) / RATE, 1))
    notes = [] if len(clips.classes) > 1 else ["The recordings have no labels, so nothing that needs classes is shown."]
    if not set(clips.folds) >= {*TEST, *LEARNT}:
        stays = "; fold 1 is the recordings' own" if set(TEST) < set(clips.folds) else ""
        clips, by_class = dealt(clips), ", class by class" * (len(clips.classes) > 1)
        notes.append(f"Source recordings were dealt to folds {2 if stays else 1} to 5{by_class}{stays}.")
    network = target_of(asked, asked.seconds or seconds)
    run = given or _own_run(asked, clips, network.seconds)
    run = run.using(profile=replace(run.profile, networks={}), probing_set=clips)  # none stands beside the user's own
    if not run.caption_parts[1:]:
        notes.append("There is no caption file: clips are described by what is measured of them alone.")
    if wants_head(network, clips, asked):
        notes.append("The network has no classifier: a linear one is trained on folds 2 to 5 of these recordings.")
    network = replace(run.target(network), live=False)  # nothing changes it until the report is written
    return run.using(models=[network]), notes


def _own_run(asked: Asked, clips: ProbingSet, seconds: float) -> Run:
    """The run on a folder of one's own. TAB hears by Whisper where that is in the cache."""
    title = f"{len(clips)} recordings of {asked.data.resolve().name}"
    profile = replace(PROFILES["gtzan"], name="own", title=title, seconds=seconds, models=(), beside=0)
    captions = str(asked.captions or find_captions(asked.data) or "")
    settings = {"data_dir": str(asked.data), "captions": captions, "k": asked.k, "store": asked.store}
    encoder = "whisper" if (paths.cache() / "whisper" / "base").is_dir() else "embedded"
    concepts = "classes" if len(clips.classes) > 1 else "esc50"
    return Run(profile, (), **settings, audio_encoder=encoder, concept_set=concepts, given={"probing_set": clips})


def on_page(parameters: Mapping[str, Any]) -> tuple[Run, list[str], Asked]:
    """`opened` for the page on one's own network, on its profile's folds or on `data_dir`, and what was asked."""
    run = open_run(parameters)
    given = None if run.data_dir and run.profile.probing == "synthesc" else run.using(weights="")
    if given and run.extra["folds"] < 5:
        given = given.using(probing_set=given.probing_set.in_folds(tuple(range(1, run.extra["folds"] + 1))))
    own = Asked(run.weights, paths.named(run.data_dir), run.store, captions=run.captions, k=run.k)
    own = replace(own, head=False, cards=1) if given else own  # less to make for a page of the book
    return *opened(own, given), own


def wants_head(network: Target, clips: ProbingSet, asked: Asked) -> bool:
    """Whether the network is to be given a linear classifier."""
    return asked.head and network.layers[-1].hidden and len(clips.classes) > 1


def dealt(clips: ProbingSet) -> ProbingSet:
    """The set with folds 1 to 5, dealt to source recordings class by class, in an order that their names decide.

    Where there is a fold 1 beside others it stays, and the rest are dealt to folds 2 to 5."""
    order = sorted({(clip.label, digest(clip.source), clip.source) for clip in clips.clips})
    fold = {clip.source: 1 for clip in clips.clips if clip.fold in TEST and set(TEST) < set(clips.folds)}
    free = LEARNT if fold else (*TEST, *LEARNT)
    for number, (_, _, source) in enumerate(order):
        fold.setdefault(source, free[number % len(free)])
    own = tuple(replace(clip, fold=fold[clip.source]) for clip in clips.clips)
    return replace(clips, clips=own, fingerprint=f"{clips.fingerprint}/dealt")


def target_of(asked: Asked, seconds: float, untrained_seed: int | None = None) -> Target:
    """The network that is asked for, on clips of so many seconds where it does not say; raises InputError where it
    cannot be had. untrained_seed: if given, with random weights.

    module:function runs the user's own code, and is given seconds and untrained_seed where it has such parameters."""
    if not CODE.fullmatch(asked.model) or Path(asked.model).exists():
        if asked.declared:
            raise InputError(f"{', '.join(asked.declared)} are for a network that module:function returns.")
        seconds = asked.seconds or min(seconds, load_target(asked.model).seconds)
        return load_target(asked.model, seconds=seconds, padding=False, untrained_seed=untrained_seed)
    module, _, function = asked.model.partition(":")
    with explained(lambda error: f"{asked.model} could not be called ({type(error).__name__}: {first_line(error)})."):
        made = getattr(importlib.import_module(module), function)
        given = {"seconds": seconds, "untrained_seed": untrained_seed}
        taken = {name: value for name, value in given.items() if name in inspect.signature(made).parameters}
        if untrained_seed is not None and "untrained_seed" not in taken:
            raise InputError(f"{asked.model} takes no untrained_seed, so no untrained twin can be had.")
        made = made(**taken)
    if isinstance(made, Target):
        if asked.declared:
            raise InputError(f"{asked.model} returned a Target, which declares itself: leave out the options for it.")
        return made
    if needed := {"layers", "axes", "sample_rate"} - set(asked.declared):
        options = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(needed))
        told = f"{asked.model} returned a {type(made).__name__}, of which nothing is declared"
        raise InputError(f"{told}: return what andlib.wrap makes of it, or give {options}.")
    return wrap(made, name=function, seconds=seconds, **asked.declared)
