"""Target networks F: what a target declares, and how a layer's output becomes one number a clip and unit."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from andlib.contents import content_digest
from andlib.errors import InputError, check_choice, suggest
from andlib.records import Grid, Unit
from andlib.store import digest

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor, nn

POOLINGS = {
    "cls": "the first token",
    "first": "the first token",
    "cls+distillation": "the mean of the first two tokens",
    "mean": "the mean over tokens",
    "max": "the largest token",
    "none": "the layer gives one vector a clip",
}
OVER_TOKENS = ("cls", "first", "cls+distillation")  # poolings that need an order of positions: one axis of them
NONLINEARITIES = {"none": "the output", "relu": "its positive part", "gelu": "its GELU", "sigmoid": "its sigmoid"}


@dataclass(frozen=True)
class Layer:
    """One layer whose outputs are units, and how they are read.

    At every position the readout makes units of channels, then the nonlinearity is applied, then positions are pooled.

    name: `block0.intermediate`. module: its dotted path in the network. units: how many; 0: not counted yet. pooling:
    over all position axes together, a key of POOLINGS; "none" where the layer has none. axes: of the module's output,
    "channels" and "clips" among them; all others are positions. A network that cuts clips into windows and gives those
    for a batch, clip by clip, has "windows" in place of "clips", which are a position then. nonlinearity: a key of
    NONLINEARITIES, taken in float32 at least; "sigmoid" suits multi-label scores. readout: None, where each channel is
    a unit; directions, an array or tensor [channels] or [channels, units]; or a module whose forward maps [...,
    channels] to [..., units] (an SAE's encoder). own: how many leading positions are the clip's own, those behind them
    being padding; 0: all. channels: of the module's output; 0: as many as units. windows: how many a clip has, where
    they stand for clips. Raises InputError where these do not fit each other."""

    name: str
    module: str
    units: int
    pooling: str
    axes: tuple[str, ...] = ("clips", "tokens", "channels")
    nonlinearity: str = "none"
    readout: Any = field(default=None, compare=False)
    own: int = 0
    channels: int = 0
    windows: int = 0

    def __post_init__(self):
        check_choice("Pooling", self.pooling, POOLINGS)
        check_choice("Nonlinearity", self.nonlinearity, NONLINEARITIES)
        if len(set(self.axes)) < len(self.axes) or not {self.along, "channels"} <= set(self.axes):
            raise InputError(
                f"Layer {self.name} declares axes {self.axes}; expected different names, 'clips' and 'channels' among "
                "them, such as ('clips', 'channels', 'time'), or 'windows' in place of 'clips'."
            )
        positions = len(self.positions)
        if (positions == 0) != (self.pooling == "none") or (self.pooling in OVER_TOKENS and positions > 1):
            raise InputError(f"Pooling {self.pooling!r} does not fit layer {self.name} with axes {self.axes}.")

    @property
    def positions(self) -> tuple[str, ...]:
        """Its axes beside clips and channels; windows that stand in the place of clips come first."""
        others = tuple(axis for axis in self.axes if axis not in ("clips", "channels"))
        return tuple(sorted(others, key=lambda axis: axis != "windows")) if self.along == "windows" else others

    @property
    def along(self) -> str:
        """The axis along which the clips of a batch lie: "clips", or "windows" where those stand in their place."""
        return "clips" if "clips" in self.axes else "windows"

    @property
    def hidden(self) -> bool:
        """Whether its units are candidates for ablation (Section 4.3): all are but the classifier's."""
        return self.name != "classifier"

    @property
    def fingerprint(self) -> str:
        """What tells this layer and its reading from others in keys of the store: all its fields."""
        values = [getattr(self, field.name) for field in fields(self) if field.name not in ("readout", "windows")]
        return digest([*values, content_digest(self.readout), *[self.windows] * bool(self.windows)])

    def read(self, **changes: Any) -> "Layer":
        """The layer with other pooling, nonlinearity or readout; a layer without positions stays unpooled.

        Raises InputError where a readout does not fit the layer's channels."""
        channels, positions = self.channels or self.units, len(self.positions)
        if not positions:
            changes["pooling"] = "none"
        layer = replace(self, **changes)
        if "readout" in changes:
            layer = replace(layer, units=_width(layer, (2, *[1] * positions, channels)), channels=channels)
        return layer


@dataclass(frozen=True)
class Target:
    """A target network F and everything about it that decides a result.

    name: part of every unit's id. classes: names of the outputs of the layer `classifier`, where there is one.
    sample_rate (Hz) and seconds: the waveforms it takes; shorter ones are zero-padded at the end, longer cropped.
    features: waveforms [clips, samples] -> the network's input. build: makes the network, in evaluation mode.
    content: sha256 of configuration and weights, and of what makes its input. grid: gives the places of its positions;
    None: they have none. live: whether the network is the caller's own module, which may change behind it. device,
    precision: see `devices.placed`; they stand in every key of the store by themselves."""

    name: str
    layers: tuple[Layer, ...]
    classes: tuple[str, ...]
    sample_rate: int
    seconds: float
    features: "Callable[[Tensor], Tensor]"
    build: "Callable[[], nn.Module]"
    content: str
    grid: Callable[[], Grid] | None = None
    live: bool = False
    device: str = "cpu"
    precision: str = "float32"

    def __post_init__(self):
        if not 0 < len(self.name) <= 200 or "/" in self.name or not self.name.isprintable():
            known = f"Target name {self.name[:40]!r} cannot be part of a unit's id"
            raise InputError(f"{known}; expected up to 200 letters, without '/'.")

    def __repr__(self) -> str:
        return f"Target {self.name}: {sum(layer.units for layer in self.layers):,} units in {len(self.layers)} layers"

    @cached_property
    def module(self) -> "nn.Module":
        """The network, loaded when first asked for."""
        return self.build().eval()

    @property
    def fingerprint(self) -> str:
        """What tells this target from any other in keys of the store: all that decides its activations and scores."""
        return digest([self.name, self.content, self.classes, self.sample_rate, self.seconds, self.layers])

    def layer(self, name: str) -> Layer:
        """The layer of that name; raises InputError with the nearest names."""
        layers = {layer.name: layer for layer in self.layers}
        if name not in layers:
            raise InputError(f"{self.name} has no layer {name!r}. {suggest(name, layers)}")
        return layers[name]

    def only(self, layers: Sequence[str]) -> "Target":
        """The same network with some of its layers, by name, in that order; with all of them where none is named."""
        return replace(self, layers=tuple(map(self.layer, layers))) if layers else self

    def check(self, unit: Unit) -> Unit:
        """`unit` if the target has it; raises InputError otherwise."""
        check_choice("Model", unit.model, [self.name])
        layer = self.layer(unit.layer)
        if unit.index >= layer.units:
            raise InputError(f"Unit {unit.id} does not exist: {layer.name} has units 0 to {layer.units - 1}.")
        return unit

    def read(self, *, layers: Sequence[str] = (), **changes: Any) -> "Target":
        """The same network, loaded once, with other pooling, nonlinearity or readout of some layers.

        layers: names; all by default. changes: fields of `Layer`. Pooling leaves layers without positions alone.

        >>> target.read(pooling="max", nonlinearity="relu")"""
        chosen = {self.layer(name).name for name in layers} or {layer.name for layer in self.layers}
        changed = tuple(layer.read(**changes) if layer.name in chosen else layer for layer in self.layers)
        return replace(self, layers=changed, build=lambda: self.module)

    def forward(self, features: "Tensor") -> Any:
        """What the network gives for inputs made by `features`; raises InputError if it is in training mode."""
        if self.module.training:
            raise InputError(f"{self.name} is in training mode, so its outputs are random; call .eval() on the module.")
        if self.live or (self.device, self.precision) == ("cpu", "float32"):
            return self.module(features)
        import torch

        with torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.precision == "bf16"):
            return self.module(features.to(self.device))

    def logits(self, features: "Tensor") -> "Float[Tensor, 'clips classes']":
        """The network's class scores for inputs made by `features`; raises InputError if it has no classifier."""
        if "classifier" not in [layer.name for layer in self.layers]:
            raise InputError(f"{self.name} has no layer 'classifier', so it gives no class scores.")
        output = self.forward(features)
        return first(getattr(output, "logits", output))


def chosen_unit(target: Target, text: str) -> Unit:
    """The unit that a page's parameter names; empty takes unit 17 of the first block's last layer, as good as any.

    Raises InputError, naming what there is, if the target has no such unit."""
    layer = ([layer for layer in target.layers if layer.name.startswith("block0.")] or target.layers[:1])[-1]
    return target.check(Unit.parse(text or f"{layer.name}/{min(17, layer.units - 1)}", target.name))


@contextmanager
def hooked(target: Target, layers: Iterable[Layer], hook: Callable[[Layer, Any], Any]) -> Iterator[None]:
    """While open, `hook` gets these layers and what their modules give in every forward pass; what it returns, if
    anything, stands in its place. Restores the network on exit, also after an error."""
    with ExitStack() as handles:
        for layer in layers:
            module = target.module.get_submodule(layer.module)
            handles.enter_context(module.register_forward_hook(lambda *given, layer=layer: hook(layer, given[-1])))
        yield


def first(output: Any) -> "Tensor":
    """A module's output; of several (recurrent layers, blocks of transformers), the first."""
    return output[0] if isinstance(output, tuple) else output


def check_axes(layer: Layer, output: Any) -> None:
    """Raises InputError unless a layer's output has the declared axes and as many channels as there are units."""
    shape = tuple(getattr(output, "shape", ()))
    counted = layer.units and layer.readout is None
    if len(shape) != len(layer.axes) or (counted and shape[layer.axes.index("channels")] != layer.units):
        raise InputError(
            f"Layer {layer.name} gave a {type(output).__name__} of shape {shape}; expected axes {layer.axes}"
            f"{f' and {layer.units} channels' if counted else ''}. Declare those it has, the same for every batch."
        )


def at_positions(output: Any, layer: Layer) -> "Float[Tensor, 'clips *positions units']":
    """Every unit's value at every position of a layer's output, by readout and nonlinearity; in float32 or better,
    whatever the network's precision: pooled in bfloat16, a unit's highest clips are others.

    output: of the layer's module. Raises InputError where its axes, width or readout do not fit."""
    import torch

    output = first(output)
    check_axes(layer, output)
    x = output.movedim((layer.axes.index(layer.along), layer.axes.index("channels")), (0, -1))
    x = x.unflatten(0, (-1, layer.windows)) if layer.windows else x
    x = x if layer.readout is None else _read_out(x, layer)
    x = x if x.dtype == torch.float64 or x.is_complex() else x.float()
    if layer.nonlinearity != "none":
        x = getattr(torch.nn.functional, layer.nonlinearity)(x)
    return x[:, : layer.own] if layer.own else x


def pool(output: Any, layer: Layer) -> "Float[Tensor, 'clips units']":
    """One number a clip and unit: `at_positions`, pooled as the layer declares."""
    x = at_positions(output, layer)
    positions = tuple(range(1, x.dim() - 1))
    match layer.pooling:
        case "cls" | "first":
            return x[:, 0]
        case "cls+distillation":
            return x[:, :2].mean(1)
        case "mean":
            return x.mean(positions)
        case "max":
            return x.amax(positions)
    return x


def _read_out(x: "Float[Tensor, '... channels']", layer: Layer) -> "Float[Tensor, '... units']":
    import torch

    module = isinstance(layer.readout, torch.nn.Module)
    if module and layer.readout.training:
        raise InputError(f"The readout of layer {layer.name} is in training mode; call .eval() on it.")
    try:
        if module:
            values = layer.readout(x)
        else:
            directions = torch.as_tensor(layer.readout, dtype=x.dtype, device=x.device)
            values = x @ (directions[:, None] if directions.dim() == 1 else directions)
        if values.shape[:-1] == x.shape[:-1]:
            return values
        reason = f"it gave {tuple(values.shape)} for {tuple(x.shape)}"
    except Exception as error:  # whatever a user's module raises
        reason = error
    raise InputError(
        f"The readout of layer {layer.name} does not fit ({reason}). Expected directions [{x.shape[-1]}] or "
        f"[{x.shape[-1]}, units], or a module that maps [..., {x.shape[-1]}] to [..., units]."
    )


def _width(layer: Layer, shape: tuple[int, ...]) -> int:
    """How many units the layer's readout makes of an output of that shape [clips, *positions, channels]."""
    import torch

    weights = layer.readout.parameters() if isinstance(layer.readout, torch.nn.Module) else ()
    with torch.no_grad():
        silence = next(iter(weights), torch.zeros(())).new_zeros(shape)
        return shape[-1] if layer.readout is None else _read_out(silence, layer).shape[-1]
