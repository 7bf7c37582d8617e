"""Whether a network gives what it gave: it may have changed since it was wrapped, or in what no key covers."""

import warnings
from dataclasses import replace
from itertools import count

import numpy as np

from andlib.activations import VERSION, record
from andlib.store import Arrays, Stage, Store
from andlib.targets import Target

BEHAVIOUR = Stage("behaviour", "arrays", VERSION)
SAME = 1e-5  # of a layer's largest activation: what another order of additions may change


def behaviour(target: Target) -> Arrays:
    """Activations of every unit on two fixed clips, noise and tones: layer -> float32 [2, units]."""
    time = np.arange(round(target.sample_rate * target.seconds)) / target.sample_rate
    noise = np.random.default_rng(1).standard_normal(len(time))
    tones = np.sin(2 * np.pi * np.geomspace(100, 0.4 * target.sample_rate, 16)[:, None] * time).sum(0)
    return record(target, [0.05 * np.stack([noise, tones]).astype(np.float32)], 2)


def differing(one: Arrays, other: Arrays) -> str:
    """The first layer in which two behaviours differ by more than SAME of its largest activation; "" if none does."""
    return next((name for name in one if np.abs(one[name] - other[name]).max() > SAME * np.abs(one[name]).max()), "")


def behaving(store: Store, target: Target) -> Target:
    """The target under a key of its own for each behaviour that was seen under its fingerprint; warns of a new one."""
    shown = behaviour(target)
    for number in count():
        known = store.holds(BEHAVIOUR, [target, number])
        if number and not known:
            warnings.warn(f"{target.name} no longer gives what it gave; its results are made again.", stacklevel=4)
        if not differing(store.get(BEHAVIOUR, [target, number], lambda: shown), shown):
            return replace(target, content=f"{target.content}/{number}") if number else target
