"""On a GPU: a full-size AST with random weights, in float32 and in bf16, and the processor's activations beside it.

    python -m benchmarks gpu      # some minutes on one card; where there is none, a sentence says so
Seconds of 200 clips and of 10 sets stand for those of ESC-50 and of Table 4: what they come to is in the note."""

import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from andlib import ablation, activations
from andlib.devices import PRECISIONS, device_named, placed
from andlib.store import Store
from andlib.targets import Target
from andlib.unlearning import RANDOM_SHARE
from benchmarks.full_size import random_network
from benchmarks.measuring import Row, both, seconds

CLIPS, IN_ALL = 200, 2000  # recorded here, in ESC-50
COMPARED = 100  # clips that the processor records, too: half a minute of 16 cores
TESTED = 400  # clips of fold 1
SETS, OF_TABLE_4 = 10, 150  # of units: three strategies, 50 classes
BATCH = 32  # clips, as `ProbingSet.batches` has them
MINUTES = {"float32": 10, "bf16": 4}  # that Table 4 may take


def rows() -> Iterator[Row]:
    """All of it, on this machine's GPU; none, and a sentence, where torch sees no GPU."""
    import torch

    device = device_named("auto")
    if device == "cpu":
        print(f"gpu: skipped, for torch {torch.__version__} sees no GPU on this machine.")
        return
    torch.set_num_threads(os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as folder:
        yield from rows_on(device, random_network("ast", Path(folder)))


def rows_on(device: str, target: Target, clips: int = CLIPS, sets: int = SETS, tested: int = TESTED) -> Iterator[Row]:
    """Rows of a network that is still on the processor, whose activations there are compared in the last."""
    inputs = ablation.features_of(target, sounds(target, clips))
    start = time.perf_counter()
    expected = recorded(target, inputs[:COMPARED])
    here, found, flops = time.perf_counter() - start, {}, counted(target, inputs[:1])
    for precision in PRECISIONS:
        network = placed(target, Store(Path(), device, precision))
        name, rate = card(device), arithmetic(device, precision)
        yield _recording(network, inputs, name, flops, rate)
        found[precision] = recorded(network, inputs[:COMPARED])
        yield _silencing(network, inputs, sets, tested, name, flops, rate)
    apart = "; ".join(f"{precision}: {difference(expected, values)}" for precision, values in found.items())
    yield Row(
        f"GPU: what it records, beside the processor's {min(clips, COMPARED)} clips", here, note=f"{name} in {apart}"
    )


def _recording(network: Target, inputs, name: str, flops: int, rate: float) -> Row:
    """Recording of every layer, and the plain forward pass of the same batches."""
    import torch

    def plain() -> None:
        with torch.inference_mode():
            given = [network.logits(batch) for batch in inputs.split(BATCH)]
            torch.cat(given).cpu()

    taken = both(lambda: recorded(network, inputs), plain, 3)
    return Row(
        f"GPU: recording {len(inputs)} clips, full-size AST, {network.precision}",
        **taken,
        against="the plain forward pass",
        asked=0.97,
        least=len(inputs) * flops / rate,
        device=name,
        note=f"{_share(taken['reference'], len(inputs) * flops, rate)} by the plain pass; "
        f"{taken['seconds'] / len(inputs) * IN_ALL:.0f} s for {IN_ALL} clips",
    )


def _silencing(network: Target, inputs, sets: int, tested: int, name: str, flops: int, rate: float) -> Row:
    """Sets of Table 4's random baseline, one after the other, as `Bench.logits` has them."""
    widths, rng = {layer.name: layer.units for layer in network.layers if layer.hidden}, np.random.default_rng(0)
    count = round(RANDOM_SHARE * sum(widths.values()))
    chosen = [ablation.random_units(count, widths, rng) for _ in range(sets)]
    inputs = inputs[np.arange(tested) % len(inputs)]
    ablation.logits_of(network, inputs[:BATCH], chosen[0])  # not counted
    start = time.perf_counter()
    for units in chosen:
        ablation.logits_of(network, inputs, units)
    taken, each = time.perf_counter() - start, sets * tested * flops
    whole = taken / sets * OF_TABLE_4
    return Row(
        f"GPU: silencing {sets} sets of {count:,} units, {tested} clips, {network.precision}",
        taken,
        least=each / rate,
        at_most=60 * MINUTES[network.precision] * sets / OF_TABLE_4,
        device=name,
        note=f"{_share(taken, each, rate)}; {whole / 60:.1f} minutes for {OF_TABLE_4} sets, "
        f"asked: at most {MINUTES[network.precision]}",
    )


def _share(taken: float, flops: int, rate: float) -> str:
    return f"{flops / taken / rate:.0%} of the {rate / 1e12:.3g} TFLOP/s that a matrix product reaches"


def recorded(network: Target, inputs) -> dict[str, np.ndarray]:
    """Activations by `activations.record`, of inputs that are made already; their making is the processor's."""
    prepared = replace(network, features=lambda batch: batch)
    return activations.record(prepared, (batch.numpy() for batch in inputs.split(BATCH)), len(inputs))


def difference(expected: dict[str, np.ndarray], values: dict[str, np.ndarray]) -> str:
    """How far two recordings lie apart, and how many units have another highest clip."""
    furthest = max(np.abs(values[layer] - u).max() / u.std() for layer, u in expected.items())
    others = sum((values[layer].argmax(0) != u.argmax(0)).sum() for layer, u in expected.items())
    units = sum(u.shape[1] for u in expected.values())
    return f"at most {furthest:.2g} of a layer's standard deviation apart, {others:,} of {units:,} highest clips differ"


def sounds(target: Target, clips: int) -> np.ndarray:
    """Tones in noise, of different heights and levels; float32 [clips, samples]."""
    rng, time = np.random.default_rng(0), np.arange(round(target.sample_rate * target.seconds)) / target.sample_rate
    heights, levels = rng.uniform(100, 6000, clips)[:, None], rng.uniform(0.001, 0.3, (2, clips, 1))
    tones, noise = np.sin(2 * np.pi * heights * time), rng.standard_normal((clips, len(time)), dtype=np.float32)
    return (levels[0] * tones + levels[1] * noise).astype(np.float32)


def counted(target: Target, one) -> int:
    """Multiplications and additions of a forward pass of one clip."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as flops:
        target.logits(one)
    return flops.get_total_flops()


def arithmetic(device: str, precision: str) -> float:
    """Multiplications and additions a second that a large matrix product reaches on the device; float32 without TF32,
    as `devices.placed` has it."""
    import torch

    size = 512 if device == "cpu" else 8192
    a = torch.ones(size, size, dtype=torch.float32 if precision == "float32" else torch.bfloat16, device=device)
    return 2 * size**3 / seconds(lambda: (a @ a)[0, 0].item(), 5)  # read, so that it is done


def card(device: str) -> str:
    """What the device is called."""
    import torch

    kind = torch.device(device).type
    return torch.cuda.get_device_name(device) if kind == "cuda" else kind
