"""Sets of units silenced in turn, with what they have in common computed once, against a whole pass for each."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from andlib import ablation, replay, unlearning
from andlib.ablation import UnitSet
from andlib.bench import bench
from andlib.run import open_run
from andlib.targets import Target
from benchmarks import measuring
from benchmarks.full_size import random_network
from benchmarks.measuring import Row

CLIPS, FEW, UNITS = 64, 4, 3  # of mini; for the full-size network; in a set
AGAINST = "a whole pass for each set"


def rows() -> Iterator[Row]:
    """Sweeps over the depth of a network, and Table 4's own sets, which mostly begin in the first block."""
    run = open_run({"profile": "mini", "model": "all"})
    networks = {model: bench(run, model) for model in run.models}
    inputs = {model: features()[:CLIPS] for model, (*_, features) in networks.items()}
    small = networks["ast"][0]
    sets = _in_each_layer(small)
    yield _row(f"AST of mini, a set of {UNITS} units in each layer", small, inputs["ast"], sets, 5)
    for model, (network, *_) in networks.items():
        sets = [units for units in unlearning.table4_sets(run, model)["OCP"] if ablation.size(units)]
        yield _row(f"Table 4, OCP's sets on mini, {model}", network, inputs[model], sets)
    with tempfile.TemporaryDirectory() as folder:
        full = random_network("ast", Path(folder), max_length=512)
        noise = np.random.default_rng(0).standard_normal((FEW, round(full.sample_rate * full.seconds)))
        features = ablation.features_of(full, noise.astype(np.float32))
        sets = _in_each_layer(full, last=3)
        yield _row(f"full-size AST, a set of {UNITS} units in each layer of the last 3 blocks", full, features, sets, 1)


def _in_each_layer(network: Target, last: int = 0) -> list[UnitSet]:
    """Random sets, one a layer, in the last blocks (0: all)."""
    rng, widths = np.random.default_rng(0), {layer.name: layer.units for layer in network.layers if layer.hidden}
    first = len(replay.blocks(network)) - last if last else 0
    return [{name: rng.choice(width, UNITS, replace=False)} for name, width in widths.items() if _block(name) >= first]


def _block(layer: str) -> int:
    return int(layer.split(".")[0].removeprefix("block"))


def _row(what: str, network: Target, features, sets: Sequence[UnitSet], repeats: int = 3) -> Row:
    kept, blocks = [0, *replay.boundaries(network, features, sets)], len(replay.blocks(network))
    begin = [min(_block(name) for name in units if len(units[name])) for units in sets]
    replayed = np.mean([max(count for count in kept if count <= block) / blocks for block in begin])
    timed = measuring.both(
        lambda: list(replay.sweep(network, features, sets)),
        lambda: [ablation.logits_of(network, features, units) for units in sets],
        repeats,
    )
    note = f"{len(sets)} sets x {len(features)} clips; {replayed:.0%} of the blocks' runs replayed"
    return Row(what, against=AGAINST, note=note, **timed)
