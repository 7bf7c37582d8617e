"""Any network as a target: which of its modules hold units, and what was declared of their outputs, checked once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from numbers import Real
from typing import TYPE_CHECKING, Any

from andlib.activations import counted
from andlib.behaviour import behaviour, differing
from andlib.contents import content_digest
from andlib.errors import InputError, explained, first_line
from andlib.records import Grid
from andlib.store import digest
from andlib.targets import Layer, Target

if TYPE_CHECKING:
    from torch import Tensor, nn

SCORES = ("clips", "channels")
WHOLE = {  # classes of networks that are run as a whole -> what to give in their place
    "ScriptModule": "Give the network that TorchScript was made from.",
    "OptimizedModule": "Give the network that was compiled: model._orig_mod.",
    **dict.fromkeys(("DataParallel", "DistributedDataParallel"), "Give the network that it distributes: model.module."),
}


def wrap(
    model: "nn.Module",
    *,
    layers: Sequence[str] | Mapping[str, Sequence[str]],
    sample_rate: int | None = None,
    seconds: float | None = None,
    axes: Sequence[str] | None = None,
    pooling: str = "mean",
    nonlinearity: str = "none",
    readout: Any = None,
    own: int = 0,
    features: "Callable[[Tensor], Tensor] | None" = None,
    classes: Sequence[str] = (),
    classifier: str = "",
    name: str = "model",
    version: str = "",
    grid: Grid | None = None,
) -> Target:
    """Any torch module as a target network F, be it convolutional, recurrent or a transformer.

    One forward pass over two clips, silence and noise, counts the units and checks what is declared; two more show that
    it gives the same twice. Keys cover the network, with its code, hooks and attributes, and `features`: see
    `content_digest`. What a key cannot cover is named and asks for `version`, a name of your own that changes with it.

    model: in evaluation mode, on one device. layers: names of its modules, or patterns of them, in which * stands for
    anything between two dots ("conv*", "encoder.layers.*.fc1"); or a mapping from these to axes. sample_rate (Hz),
    seconds: of the waveforms it takes. axes: of the layers' outputs in order, like ("clips", "channels", "time");
    "clips" (or "windows", see `Layer`) and "channels" are needed, all others are positions. pooling, nonlinearity,
    readout, own: as for `Layer`, of all layers but `classifier`; `Target.read` changes those of some. features:
    waveforms [clips, samples] -> the model's input; by default themselves. classifier: the module whose output is class
    scores [clips, classes], which becomes the layer `classifier`. classes: their names. grid: where positions lie; by
    default "time" or "frames" divide the clip and "mels" 0 Hz to half the sampling rate, evenly. Raises InputError,
    naming the layer, where that is not so.

    >>> target = wrap(net, layers="conv*", axes=("clips", "channels", "time"), sample_rate=16_000, seconds=2.0)
    >>> neurons = al.neurons(run, target)"""
    _check(model, name, sample_rate, seconds)
    declared = _declared(model, layers or ([] if classifier else [None]), axes, name)
    _declared(model, [classifier] if classifier else [], SCORES, name)  # refuses one that does not exist

    def inputs(waveforms: "Tensor") -> "Tensor":
        place = device(model, name)
        return (features(waveforms.to(place)) if features else waveforms).to(place)

    mine = {module: axes for module, axes in declared.items() if module != classifier}
    pooled = lambda axes: "none" if {*axes} == {*SCORES} else pooling  # noqa: E731
    units = [Layer(m, m, 0, pooled(axes), axes, nonlinearity, own=own) for m, axes in mine.items()]
    target = Target(
        name=name,
        layers=(*units, *([Layer("classifier", classifier, 0, "none", SCORES)] if classifier else ())),
        classes=tuple(classes),
        sample_rate=int(sample_rate),
        seconds=float(seconds),
        features=inputs,
        build=lambda: model,
        content="",
        live=True,
        grid=lambda: grid or Grid((0.0, float(seconds)), (0.0, sample_rate / 2)),
    )
    target = _heard(target)  # which makes the weights of lazy modules
    held = content_digest(model, name, version), content_digest(features, f"`features` of {name}", version)
    target = replace(target, content=digest(held))
    return target.read(layers=list(mine), readout=readout) if mine and readout is not None else target


def _heard(target: Target) -> Target:
    """The target with its units counted; raises InputError where it fails on clips, or gives not the same twice."""
    failed = f"{target.name} could not be heard at {target.sample_rate} Hz for {target.seconds} s"
    both = callable(getattr(target.module, "get_encoder", None)) and hasattr(target.module, "get_decoder")
    remedy = "It has a decoder, too: give its encoder alone, model.get_encoder()." if both else "Check these."
    with explained(lambda error: f"{failed} ({first_line(error)}). {remedy}"):  # or a length that memory cannot hold
        target = counted(target)
    if layer := differing(behaviour(target), behaviour(target)):
        again = "when it hears a clip again: is dropout or noise on?"
        raise InputError(f"{target.name} gives other outputs of {layer} {again}")
    scores = 0 if target.layers[-1].hidden else target.layers[-1].units
    if len(target.classes) != scores:
        raise InputError(f"{target.name} has {scores} class scores, but `classes` names {len(target.classes)}.")
    return target


def _check(model: "nn.Module", name: str, sample_rate: Any, seconds: Any) -> None:
    kind = type(model).__name__
    if not callable(getattr(model, "modules", None)):
        raise InputError(f"{name} is a {kind}; expected a torch module.")
    if remedy := next((told for base in type(model).__mro__ if (told := WHOLE.get(base.__name__))), ""):
        raise InputError(f"{name} is a {kind}, whose modules cannot be looked into one by one. {remedy}")
    for what, value in {"sample_rate": sample_rate, "seconds": seconds}.items():
        number = isinstance(value, Real) and not isinstance(value, bool) and 0 < value < float("inf")
        if not number or what == "sample_rate" and value % 1:
            raise InputError(f"{what} of {name} is {value!r}; expected that of its waveforms, a positive number.")
    if any(module.training for module in model.modules()):
        raise InputError(f"{name} is in training mode, so its outputs are random; call .eval() on it and wrap it then.")
    device(model, name)


def device(model: "nn.Module", name: str) -> str:
    """Where the network is; raises InputError if that is several devices, or the one that holds no values."""
    places = {str(tensor.device) for tensor in (*model.parameters(), *model.buffers())} or {"cpu"}
    if len(places) > 1 or "meta" in places:
        lies = f"{name} lies on {', '.join(sorted(places))}"
        raise InputError(f"{lies}; expected weights with values on one device; move it with .to().")
    return places.pop()


def _declared(model: "nn.Module", layers: Any, axes: Sequence[str] | None, name: str) -> dict[str, tuple[str, ...]]:
    """Axes of every module that a pattern names, in the network's order; the first pattern that names it decides."""
    if not isinstance(layers, Mapping):
        if axes is None:
            raise InputError(f"No axes are declared for {name}; give them, as in axes=('clips', 'channels', 'time').")
        layers = dict.fromkeys(layers if isinstance(layers, list | tuple) else [layers], axes)
    if odd := [pattern for pattern in layers if not isinstance(pattern, str)]:
        raise InputError(f"{name} has no module {odd[0]!r}; name one or more of its modules, as in layers=['conv*'].")
    names = [module for module, _ in model.named_modules() if module]
    for pattern in layers:
        if not any(_matches(module, pattern) for module in names):
            nearest = ", ".join(get_close_matches(pattern, names, 5, 0.0)) or "none, it has no submodules"
            raise InputError(f"{name} has no module {pattern!r}. The nearest of its {len(names)} are: {nearest}.")
    chosen = {module: next((layers[p] for p in layers if _matches(module, p)), None) for module in names}
    return {module: tuple(own) for module, own in chosen.items() if own is not None}


def _matches(module: str, pattern: str) -> bool:
    parts, wanted = module.split("."), pattern.split(".")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))
