"""A linear classifier on an encoder, for what needs class scores: accuracy, naming, silencing, unlearning."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from andlib.bars import tqdm
from andlib.devices import in_halves
from andlib.errors import InputError
from andlib.profiles import LEARNT
from andlib.records import ProbingSet
from andlib.run import Run
from andlib.store import Stage, digest
from andlib.targets import Layer, Target, first, pool

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor, nn

HEADS = Stage("heads", "arrays")
SIZE = 32  # clips heard at a time


def with_head(target: Target, run: Run) -> Target:
    """The network with a linear classifier of the probing set's classes behind it, as its layer `classifier`.

    Logistic regression (scikit-learn, L2 of strength 1) on the network's output for the clips of folds 2-5, each of its
    numbers standardised; positions are pooled as those of the target's last layer. Stored; the same every time.
    Raises InputError where the network has a classifier, or folds 2-5 lack a class.

    >>> headed = al.with_head(al.load_target("openai/whisper-base", seconds=5.0), run)"""
    if any(not layer.hidden for layer in target.layers):
        raise InputError(f"{target.name} has a classifier; a head is for encoders.")
    network, clips, classes = run.target(target), run.probing_set.in_folds(LEARNT), run.probing_set.classes
    lacking = sorted(set(classes) - {clip.label for clip in clips.clips})
    if lacking or len(classes) < 2:
        raise InputError(f"A head learns two classes or more from folds 2-5, which lack {', '.join(lacking) or 'any'}.")

    def make() -> dict[str, np.ndarray]:
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler()
        found = LogisticRegression(max_iter=5000).fit(scaler.fit_transform(_outputs(network, clips)), clips.labels)
        weight, bias = found.coef_, found.intercept_
        if len(classes) == 2:  # one row, of the second class against the first
            weight, bias = (np.concatenate([-half, half]) for half in (weight / 2, bias / 2))
        weight = weight / scaler.scale_
        return {"weight": weight.astype(np.float32), "bias": (bias - weight @ scaler.mean_).astype(np.float32)}

    head, rows = run.store.get(HEADS, [network, clips], make), _rows(target)
    layers = tuple(replace(layer, module=f"network.{layer.module}") for layer in target.layers)
    return replace(
        target,
        layers=(*layers, Layer("classifier", "head", len(classes), "none", ("clips", "channels"))),
        classes=classes,
        features=lambda waveforms: target.features(waveforms).unflatten(0, (-1, rows)),  # a row a clip
        build=lambda: _headed(target, head["weight"], head["bias"]),
        content=digest([target.content, head["weight"], head["bias"]]),
    )


def _outputs(target: Target, clips: ProbingSet) -> "Float[np.ndarray, 'clips channels']":
    """What the network gives for every clip, pooled."""
    import torch

    heard, batches, rows = [], clips.batches(target.sample_rate, target.seconds, SIZE), _rows(target)
    with torch.inference_mode():
        for batch in tqdm(batches, "hearing", total=-(-len(clips) // SIZE), leave=False):
            x = target.features(torch.from_numpy(batch))
            heard += [part.cpu() for part in in_halves(lambda x: _pooled(target, target.forward(x), len(x) // rows), x)]
    return torch.cat(heard).numpy()


def _rows(target: Target) -> int:
    """How many rows of the network's input a clip has: one, or its windows."""
    import torch

    return len(target.features(torch.zeros(1, round(target.sample_rate * target.seconds))))


def _pooled(target: Target, output: Any, clips: int) -> "Float[Tensor, 'clips channels']":
    """A network's output as one vector a clip, its positions pooled as the last layer's."""
    last = target.layers[-1]
    states = [getattr(output, name, None) for name in ("last_hidden_state", "pooler_output")]
    states = [state for state in states if state is not None] or [first(output)]
    for x in states:
        if getattr(x, "ndim", 0) == 2 and len(x) == clips:
            return x.float()
        axes, own = (("windows", "channels"), 0) if getattr(x, "ndim", 0) == 2 else (last.axes, last.own)
        if getattr(x, "ndim", 0) == len(axes):
            return pool(x, Layer("output", "", 0, last.pooling, axes, own=own, windows=last.windows))
    told = f"{target.name} gives a {type(states[0]).__name__} of shape {tuple(getattr(states[0], 'shape', ()))}"
    raise InputError(f"{told}; expected [clips, channels], or the axes {last.axes} of its last layer.")


def _headed(target: Target, weight: np.ndarray, bias: np.ndarray) -> "nn.Module":
    import torch

    class Headed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network, self.head = target.module, torch.nn.Linear(weight.shape[1], len(weight))
            self.head.load_state_dict({"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)})

        def forward(self, x: "Tensor") -> "Tensor":
            return self.head(_pooled(target, self.network(x.flatten(0, 1)), len(x)))

    return Headed()
