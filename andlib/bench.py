"""What ablation is measured on (Section 4.3)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress
from typing import TYPE_CHECKING

import numpy as np

from andlib import ablation, kept
from andlib.ablation import Effects, UnitSet
from andlib.bars import tqdm
from andlib.errors import InputError
from andlib.profiles import TEST
from andlib.records import ProbingSet
from andlib.run import Run
from andlib.store import Arrays, Stage, digest
from andlib.targets import Target

if TYPE_CHECKING:
    from torch import Tensor

LOGITS, EFFECTS = Stage("silenced", "arrays", ablation.VERSION), Stage("effects", "arrays", ablation.VERSION + 1)

INPUTS: dict[tuple[str, str], "Tensor"] = {}  # of one network: a reader tries one unit of it after the other


@dataclass(frozen=True)
class Bench:
    """What ablation is measured on: a network and the clips of fold 1, which no unit was chosen by.

    position: the network's output of each class. beside: clips of each other class that a set is tried on; 0: all."""

    run: Run
    network: Target
    tested: ProbingSet
    position: tuple[int, ...]
    beside: int = 0

    @cached_property
    def features(self) -> "Tensor":
        """The network's inputs for the tested clips, made when they are first needed; the last are remembered."""
        key = self.network.fingerprint, self.tested.fingerprint
        if key not in INPUTS:
            waveforms = self.tested.waveforms(self.network.sample_rate, self.network.seconds)
            INPUTS.clear()
            INPUTS[key] = ablation.features_of(self.network, waveforms)
        return INPUTS[key]

    def logits(self, sets: Sequence[UnitSet], factor: float = 0.0) -> np.ndarray:
        """Class scores of the tested clips with each set of units times `factor`; float32 [sets, clips, classes].

        Equal sets are silenced once. All of them are stored together, so that a killed run loses one call at most."""
        keys = [digest(units) for units in sets]
        distinct = dict(zip(keys, sets, strict=True))
        instead = (lambda layer, outputs: factor * outputs) if factor else None

        def make():
            bar = tqdm(distinct.values(), "silencing", unit="set", leave=False)
            return {"logits": np.stack([ablation.logits_of(self.network, self.features, u, instead) for u in bar])}

        made_from = [self.network, self.tested, list(distinct.values()), factor]
        stored = self.run.store.get(LOGITS, made_from, make)["logits"]
        place = {key: row for row, key in enumerate(distinct)}
        return stored[[place[key] for key in keys]][:, :, list(self.position)]

    def effects(self, sets: Sequence[UnitSet], lasting: Sequence = ()) -> Effects:
        """What silencing each class's set of units did to every class: on all clips, or on the class's own and as many
        of every other as `beside` says, always the same ones. lasting: as for `kept.stage`."""
        tried = self.tried(sets)

        def make():
            made = self.changed(self.on_tried(sets) if self.beside else self.logits(sets))
            return {name: v[tried] if v.ndim > 1 else v for name, v in made.items()} if self.beside else made

        made = kept.stage(self.run, EFFECTS, [self.network, self.tested, sets, self.beside], lasting, make)
        for name in ("own", "margin", "correct") if self.beside else ():
            values, made[name] = made[name], np.zeros(tried.shape, made[name].dtype)
            made[name][tried] = values
        return self.effects_of(made, sets)

    def tried(self, sets: Sequence[UnitSet]) -> np.ndarray:
        """The clips that each class's set is tried on; bool [sets, clips]."""
        own = self.tested.labels == np.arange(len(sets))[:, None]
        return self.shared | own if self.beside else np.ones_like(own)

    @property
    def shared(self) -> np.ndarray:
        """The clips that every set is tried on where not all are; bool [clips]."""
        labels = self.tested.labels
        return np.array([np.sum(labels[:i] == label) < self.beside for i, label in enumerate(labels)])

    @property
    def few(self) -> "Bench":
        """For sets that belong to no class, of a network that takes long, the bench of these clips alone."""
        if self.network.name not in self.run.profile.slow:
            return self
        clips = tuple(compress(self.tested.clips, self.shared))
        fingerprint = f"{self.tested.fingerprint}/{self.beside} a class"
        return replace(self, tested=replace(self.tested, clips=clips, fingerprint=fingerprint), beside=0)

    def changed(self, after: np.ndarray) -> Arrays:
        """What logits that silencing or replacing outputs gave, [ablated, clips, classes], say: `ablation.changed`."""
        return ablation.changed(self.logits([{}])[0], after, self.tested.labels)

    def effects_of(self, made: Arrays, sets: Sequence[UnitSet]) -> Effects:
        """The same as a record. made: `changed`."""
        sizes, tried = np.array([ablation.size(units) for units in sets]), self.tried(sets) if self.beside else None
        return Effects(**made, labels=self.tested.labels, sources=self.tested.sources, sizes=sizes, tried=tried)

    def on_tried(
        self, sets: Sequence[UnitSet], stage: Stage = LOGITS, about: Sequence = (), scores: Callable | None = None
    ) -> np.ndarray:
        """Class scores of each set on the clips that it is tried on, silenced or as `scores(units, clips)` gives them;
        elsewhere 0; float32 [sets, clips, classes]. about: what decides them beside the sets."""
        tried = self.tried(sets)
        silenced = scores or (lambda units, clips: ablation.logits_of(self.network, self.features[clips], units))

        def make():
            logits = np.zeros((*tried.shape, len(self.network.classes)), np.float32)
            bar = tqdm(sets, stage.name, unit="set", leave=False)
            for units, clips, row in zip(bar, tried, logits, strict=True):
                if ablation.size(units):
                    row[clips] = silenced(units, clips)
            return {"logits": logits}

        logits = self.run.store.get(stage, [self.network, self.tested, *about, sets, self.beside], make)["logits"]
        empty = np.array([not ablation.size(units) for units in sets])[:, None, None]
        return np.where(empty, self.logits([{}]), logits[:, :, list(self.position)])


def bench(run: Run, model: str | Target) -> Bench:
    """The bench of a model; raises InputError where the set has no fold 1, or the network lacks one of its classes."""
    if not set(TEST) <= set(run.probing_set.folds):
        raise InputError(f"{run.profile.title} has no fold 1 to measure on; silencing units needs folds.")
    network, tested = run.target(model), run.probing_set.in_folds(TEST)
    if strangers := sorted(set(tested.classes) - set(network.classes)):
        lacking = f"{network.name} has no output for {', '.join(strangers[:3])}"
        raise InputError(f"{lacking}: nothing to unlearn. Use another network.")
    return Bench(run, network, tested, tuple(map(network.classes.index, tested.classes)), run.profile.beside)
