"""Sweeps over sets of units: the same bits as whole passes, replayed where, and only where, a network allows it."""

import os

import numpy as np
import pytest
import torch
from conftest import CLASSES, tiny_target
from torch import nn

from andlib import ablation, replay
from andlib.errors import InputError
from andlib.networks import beats
from andlib.networks.beats_files import Config, save
from andlib.networks.checkpoints import load_target
from andlib.replay import sweep
from andlib.targets import Layer, Target

WIDTH, DEPTH = 8, 4


class Block(nn.Module):
    """A linear layer beside its input."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        return x + torch.tanh(self.fc(x))


class Plain(nn.Module):
    """A linear layer, blocks in a row, a linear layer."""

    block = Block

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.embed, self.head = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 3)
            self.blocks = nn.ModuleList(self.block() for _ in range(DEPTH))

    def forward(self, x):
        return self.head(self.through(self.embed(x)))

    def through(self, x):
        for block in self.blocks:
            x = block(x)
        return x


class Skipping(Plain):
    """The second block's output goes to the end, too."""

    def through(self, x):
        outputs = [x]
        for block in self.blocks:
            outputs.append(block(outputs[-1]))
        return outputs[-1] + outputs[2]


class Gated(Plain):
    """The first block's output goes to the end of some clips, none of which are tried."""

    def through(self, x):
        outputs = [x]
        for block in self.blocks:
            outputs.append(block(outputs[-1]))
        return outputs[-1] + outputs[1] * (outputs[-1].amax(1, keepdim=True) < 1)


class Parallel(Plain):
    """Every block reads the same."""

    def through(self, x):
        return sum(block(x) for block in self.blocks)


class Backwards(Plain):
    """The last block runs first."""

    def through(self, x):
        for block in reversed(self.blocks):
            x = block(x)
        return x


class Twice(Plain):
    """The row of blocks runs twice."""

    def through(self, x):
        return super().through(super().through(x))


class Again(Plain):
    """The row of blocks runs again where it gave little, which it does of no clip untouched."""

    def through(self, x):
        x = super().through(x)
        return super().through(x) if x.mean() < -0.5 else x


class Noting(Block):
    """The first block leaves a note that the last one reads."""

    def __init__(self):
        super().__init__()
        self.read, self.write = [], []

    def forward(self, x):
        self.write[:] = [x.mean()]
        return super().forward(x) + sum(self.read)


class OnTheSide(Plain):
    block = Noting

    def __init__(self):
        super().__init__()
        self.blocks[-1].read = self.blocks[0].write


class Overwriting(Block):
    """Writes into its input."""

    def forward(self, x):
        return x.add_(torch.tanh(self.fc(x)))


class InPlace(Plain):
    block = Overwriting


class Pair(Block):
    """Gives two outputs, one of them None, as blocks of transformers do."""

    def forward(self, x):
        return super().forward(x), None


class Pairs(Plain):
    block = Pair

    def through(self, x):
        for block in self.blocks:
            x, _ = block(x)
        return x


class Listing(Block):
    """Gives a list, which cannot be kept."""

    def forward(self, x):
        return [super().forward(x)]


class Stiff(Block):
    """Lets nobody replace its forward, as compiled modules do."""

    def __setattr__(self, name, value):
        if name == "forward":
            raise RuntimeError("no")
        super().__setattr__(name, value)


class Stiffs(Plain):
    block = Stiff


class Lists(Plain):
    block = Listing

    def through(self, x):
        for block in self.blocks:
            [x] = block(x)
        return x


class SharedLayer(Plain):
    """The last block's layer is the first's."""

    def __init__(self):
        super().__init__()
        self.blocks[-1].fc = self.blocks[0].fc


class SharedBlock(Plain):
    """One block stands at every place."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([self.blocks[0]] * DEPTH)


class Borrowing(Plain):
    """The last block's layer is used before the first block, too."""

    def through(self, x):
        return super().through(self.blocks[-1].fc(x))


class NoList(Plain):
    """The blocks are no members of a list."""

    def __init__(self):
        super().__init__()
        for i, block in enumerate(self.blocks):
            setattr(self, f"block{i}", block)
        del self.blocks

    def through(self, x):
        for i in range(DEPTH):
            x = getattr(self, f"block{i}")(x)
        return x


def target_of(network, inner="fc"):
    """The network with the layers embed, block0 to block3 (a part of each block, or all of it) and classifier."""
    prefix = "blocks." if hasattr(network, "blocks") else "block"
    paths = {"embed": "embed", "classifier": "head"}
    paths |= {f"block{i}": f"{prefix}{i}.{inner}".rstrip(".") for i in range(DEPTH)}
    layers = [
        Layer(name, path, 3 if name == "classifier" else WIDTH, "none", ("clips", "channels"))
        for name, path in paths.items()
    ]
    return Target("net", tuple(layers), CLASSES, 16_000, 0.5, lambda x: x, lambda: network, "")


def clips(count=12):
    return torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(1))


def sets_of(names=("block0", "block1", "block2", "block3"), each=4):
    """For each layer some sets of units that begin in it; every other one has units of the last block, too."""
    last = {"block3": np.array([0, 7])}
    return [{name: np.array([i])} | (last if i % 2 else {}) for name in names for i in range(each)]


def assert_same_bits(target, features, sets, instead=None):
    for units, logits in zip(sets, sweep(target, features, sets, instead), strict=True):
        assert logits.tobytes() == ablation.logits_of(target, features, units, instead).tobytes()


def assert_restored(target):
    for module in target.module.modules():
        assert "forward" not in vars(module) and not module._forward_hooks


REPLAYED = {  # how many first blocks can be replayed
    Plain: [1, 2, 3],
    InPlace: [1, 2, 3],
    Pairs: [1, 2, 3],
    Twice: [1, 2, 3],
    Again: [1, 2, 3],
    Skipping: [1, 2],
    Gated: [1],
    Parallel: [1],
    SharedLayer: [1, 2],  # but none for sets with the last block's units
    SharedBlock: [],
    Borrowing: [1, 2],  # the same
    Backwards: [],
    OnTheSide: [],
    Lists: [],
    Stiffs: [],
    NoList: [],
}


@pytest.mark.parametrize("kind", REPLAYED)
def test_a_sweep_gives_the_bits_of_whole_passes_and_replays_what_it_may(kind):
    target, sets = target_of(kind()), sets_of()
    assert sorted(replay.boundaries(target, clips(), sets)) == REPLAYED[kind]
    assert_same_bits(target, clips(), [{}, *sets, {}])
    assert_restored(target)


def test_blocks_before_the_first_silenced_unit_do_not_run_again():
    target, sets, heard = target_of(Plain()), sets_of(["block3"], 6), []
    target.module.blocks[2].fc.register_forward_hook(lambda module, inputs, output: heard.append(len(output)))
    list(sweep(target, clips(), sets))
    assert heard == [replay.PROBES, 2, 12]  # the trial, what is heard before it is repeated, and all clips once


def test_blocks_that_run_again_because_units_are_replaced_are_not_replayed_then():
    target, runs = target_of(Again()), []
    target.module.blocks[3].register_forward_hook(lambda module, inputs, output: runs.append(len(output)))
    sets = [{"block2": np.arange(8), "block3": np.arange(8)}] * 4
    assert_same_bits(target, clips(), sets, lambda layer, outputs: outputs - 100)
    assert runs[-2:] == [12, 12]


@pytest.mark.parametrize("outside", ["embed", "classifier"])
def test_layers_before_and_behind_all_blocks_and_blocks_that_are_layers(outside):
    target, sets = target_of(Plain(), inner=""), sets_of([outside, "block0", "block1", "block2"], 3)
    behind = [DEPTH] if outside == "classifier" else []
    # what a block itself gives is silenced behind it, so that it can be replayed
    assert sorted(replay.boundaries(target, clips(), sets)) == [1, 2, 3, *behind]
    assert_same_bits(target, clips(), sets)
    assert_same_bits(target, clips(), sets, lambda layer, outputs: 2 * outputs)
    assert_restored(target)


def test_batches_side_by_side_replay_their_own_clips(monkeypatch):
    target, sets = target_of(Plain()), sets_of()
    monkeypatch.setattr(ablation, "BATCH", 5)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert_same_bits(target, clips(64), [{}, *sets])


def test_what_is_kept_stays_within_the_budget(monkeypatch):
    """Room for one block's outputs, and then for less than one."""
    target, sets = target_of(Plain()), [*sets_of(["block1", "block3"]), *sets_of(["block2"], 8)]
    for size, kept in {2 * 12 * WIDTH * 4 - 1: [2], 12 * WIDTH * 4 - 1: []}.items():
        monkeypatch.setattr(replay, "BUDGET", size)
        assert replay.boundaries(target, clips(), sets) == kept
        assert_same_bits(target, clips(), sets)


def test_a_sweep_that_would_save_less_than_a_pass_keeps_nothing():
    target = target_of(Plain())
    for sets in ([], [{}], sets_of(["block0"]), sets_of(["block2"], 2), [{"classifier": np.array([0])}]):
        assert replay.boundaries(target, clips(), [units for units in sets if units]) == []
        assert_same_bits(target, clips(), sets)
    assert_same_bits(target, clips(1), sets_of())
    assert list(sweep(target, clips(), [])) == []


def test_the_network_is_restored_between_sets_and_after_errors():
    target, sets = target_of(Plain()), sets_of()
    own = target.module.blocks[1].forward = target.module.blocks[1].forward  # as some libraries do
    before = ablation.logits_of(target, clips())

    def stop(layer, outputs):
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        list(sweep(target, clips(), sets, stop))
    with pytest.raises(InputError, match="no layer 'block9'"):
        list(sweep(target, clips(), [*sets, {"block9": np.array([0])}]))
    swept = sweep(target, clips(), sets)
    next(swept)
    assert vars(target.module.blocks[1])["forward"] is own
    del target.module.blocks[1].forward
    assert_restored(target)
    assert before.tobytes() == ablation.logits_of(target, clips()).tobytes()


def tiny_beats(folder):
    """BEATs of two blocks, loaded from a folder."""
    config = Config(16, 8, 2, 12, 24, 2, 16, 4, 32, 80)
    save(folder, config, beats.make(config, len(CLASSES)).state_dict(), CLASSES)
    return load_target(folder, name="beats", seconds=0.5)


@pytest.mark.parametrize("name", ["ast", "beats"])
def test_networks_of_the_paper_are_replayed_bit_for_bit_from_every_block(name, waves, tmp_path, monkeypatch):
    target = tiny_target() if name == "ast" else tiny_beats(tmp_path)
    features = ablation.features_of(target, waves)
    sets = [{layer.name: np.array([i])} for layer in target.layers for i in range(2)]
    monkeypatch.setattr(ablation, "BATCH", 3)
    assert sorted(replay.boundaries(target, features, sets)) == [1, 2]
    assert_same_bits(target, features, [{}, *sets])
    assert_restored(target)
