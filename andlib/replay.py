"""Many sets of units silenced in turn on the same clips: blocks before the first silenced unit run once for all."""

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from andlib import ablation
from andlib.ablation import Instead, UnitSet
from andlib.targets import Target

if TYPE_CHECKING:
    from torch import nn

BUDGET = 2**30  # bytes of blocks' outputs that a sweep holds
PROBES = 3  # clips on which a network shows that its blocks can be replayed


def sweep(
    target: Target, features, sets: Sequence[UnitSet], instead: Instead | None = None
) -> Iterator[Float[np.ndarray, "clips classes"]]:
    """`ablation.logits_of` for each set in turn: the same bits, sooner where sets spare the network's first blocks.

    The untouched network runs once, and what its blocks give is kept; then a set's pass begins behind the last block
    that ended before any silenced layer gave an output. Where that saves less than it costs, where the network is not
    the same when it is replayed (see `boundaries`), and beyond BUDGET, the whole network runs.
    features: the network's inputs, [clips, ...]. instead: as for `ablation.ablate`, which also says what it raises.

    >>> list(sweep(target, features, [{"block2.output": [3]}, {"block3.output": [5]}]))"""
    batches = features.split(ablation.BATCH)
    wanted = boundaries(target, features, [units for units in sets if ablation.size(units)])
    passes = [Pass(wanted) for _ in batches]
    if wanted or not all(map(ablation.size, sets)):
        untouched = _run(target, batches, passes)
    for units in sets:
        if ablation.size(units):
            with ablation.ablate(target, units, instead):
                logits = _run(target, batches, [kept.behind(units) for kept in passes])
            yield logits
        else:
            yield untouched


@dataclass
class Pass:
    """One forward pass of a batch: what is kept and what is replayed in it, and what ran.

    wanted: counts of first blocks; what the last of them gives is kept. replayed: how many of the first blocks do not
    run; given: what the last of them gives. ran: blocks, in the order in which they ended. first: for each layer, how
    many blocks had ended when it first gave an output."""

    wanted: Collection[int] = ()
    replayed: int = 0
    given: Any = None
    kept: dict[int, Any] = field(default_factory=dict)
    ran: list[int] = field(default_factory=list)
    first: dict[str, int] = field(default_factory=dict)

    def block(self, number: int, run: Callable[[], Any]) -> Any:
        """What a block gives in this pass; `run` runs it."""
        in_order, count = self.ran == list(range(number)), number + 1
        if in_order and count < self.replayed:  # nothing may read this
            output = _each(self.given, lambda x: x.new_full((), float("nan")).expand(x.shape))
        else:
            output = _each(self.given, _copy) if in_order and count == self.replayed else run()
        if in_order and count in self.wanted:
            self.kept[count] = _each(output, _copy)  # the next block may write into the output itself
        self.ran.append(number)
        return output

    def behind(self, units: UnitSet) -> "Pass":
        """A pass that replays as many blocks as were kept and had ended before any layer of `units` gave an output."""
        ended = min(self.first.get(name, 0) for name in units if len(units[name]))
        count = max((count for count in self.kept if count <= ended), default=0)
        return Pass(replayed=count, given=self.kept.get(count))


def blocks(target: Target) -> list["nn.Module"]:
    """The network's blocks: of all its lists of modules, the one with layers in most of its members; [] without one."""
    from torch import nn

    members = defaultdict(set)
    for layer in target.layers:
        path = layer.module.split(".")
        for depth, name in enumerate(path):
            members[".".join(path[:depth])].add(name)
    lists = [path for path in members if isinstance(target.module.get_submodule(path), (nn.ModuleList, nn.Sequential))]
    best = max(lists, key=lambda path: len(members[path]), default=None)
    return [] if best is None else list(target.module.get_submodule(best))


def boundaries(target: Target, features, sets: Sequence[UnitSet]) -> list[int]:
    """How many first blocks a sweep over sets that hold units may replay: the counts it keeps, most useful first.

    None where they save less than a pass. Each left the logits of a few clips as they are in a trial: there, blocks
    that do not run give NaN, so that a path around the last of them shows, and the network has just heard something
    else, so that what a block left behind for another shows."""
    import torch

    def same(count: int) -> bool:
        replayed = _run(target, [probe], [Pass(replayed=count, given=whole.kept[count])])
        return np.array_equal(replayed, expected)

    try:
        every = len(blocks(target))
        probe, whole = features[:: -(-len(features) // PROBES)], Pass(range(1, every + 1))
        expected = _run(target, [probe], [whole])
        starts = Counter(whole.behind(units).replayed for units in sets)
        if sum(starts.elements()) <= every:
            return []
        _run(target, [torch.zeros_like(probe[:2])], [Pass()])
        # the last one first: then the blocks before have heard nothing since
        fit = [count for count in sorted(starts, reverse=True) if count and same(count)]
    except Exception:  # whatever a user's module raises when its blocks do not run, or give no tensors
        return []
    found, room = [], BUDGET * len(probe) / len(features)
    for count in sorted(fit, key=lambda count: -count * starts[count]):
        if _bytes(whole.kept[count]) <= room:
            found.append(count)
            room -= _bytes(whole.kept[count])
    return found


def _run(target: Target, batches: Sequence, passes: Sequence[Pass]) -> Float[np.ndarray, "clips classes"]:
    """Class scores of batches, each in its Pass."""
    here = threading.local()  # batches run side by side

    def scores(batch, now: Pass):
        here.now = now
        return target.logits(batch)

    def instead_of(number: int, forward: Callable) -> Callable:
        return lambda *args, **named: here.now.block(number, lambda: forward(*args, **named))

    def noting(name: str) -> Callable:
        def hook(module, inputs, output):
            here.now.first.setdefault(name, len(here.now.ran))

        return hook

    replaced = blocks(target) if any(now.wanted or now.replayed for now in passes) else []
    with ExitStack() as stack:
        for number, block in enumerate(replaced):
            stack.callback(vars(block).update, {k: v for k, v in vars(block).items() if k == "forward"})
            stack.callback(vars(block).pop, "forward", None)
            block.forward = instead_of(number, block.forward)
        for layer in target.layers:
            module = target.module.get_submodule(layer.module)
            stack.enter_context(module.register_forward_hook(noting(layer.name)))
        return ablation.side_by_side(scores, batches, passes)


def _each(output: Any, change: Callable) -> Any:
    """A block's output, a tensor or a tuple of them, with each tensor changed."""
    if isinstance(output, tuple):
        return tuple(_each(part, change) for part in output)
    return output if output is None else change(output)


def _copy(tensor):
    """The same values in the same layout, without which sums may differ in the last bit."""
    import torch

    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=tensor.device).copy_(tensor)


def _bytes(output: Any) -> int:
    return sum(map(_bytes, output)) if isinstance(output, tuple) else getattr(output, "nbytes", 0)
