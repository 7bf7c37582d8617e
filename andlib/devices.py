"""Where networks run, and in which precision: on the processor, or on a GPU where torch has one."""

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from andlib.errors import InputError, check_choice, first_line
from andlib.store import Store
from andlib.targets import Target

PRECISIONS = ("float32", "bf16")


def device_named(name: str, part: int = 0) -> str:
    """The device that a page's parameter names: cpu, cuda, cuda:1, mps; auto is the best that this machine has.

    part: number of this process among several at once, to which auto gives the machine's CUDA GPUs in turn. Raises
    InputError where torch has no such device here."""
    driven = any(any(Path("/dev").glob(kind)) for kind in ("nvidia[0-9]*", "dxg", "kfd"))
    if name == "cpu" or (name == "auto" and sys.platform == "linux" and not driven):
        return "cpu"  # without torch, which takes seconds to import
    import torch

    there = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if name == "auto":
        number = f":{part % there['cuda']}" if part and there["cuda"] else ""
        return f"cuda{number}" if there["cuda"] else "mps" if there["mps"] else "cpu"
    kind, _, number = name.partition(":")
    check_choice("Device", kind, ("auto", *there))
    if not re.fullmatch(r"(cpu|mps|cuda(:\d{1,3})?)", name) or int(number or 0) >= there[kind]:
        had = ", ".join(f"{count} {kind}" for kind, count in there.items() if count)
        raise InputError(f"Device {name!r} is not on this machine: torch {torch.__version__} sees {had}. Take another.")
    return name


def placed(target: Target, store: Store) -> Target:
    """The target on the store's device and in its precision; on a CPU in float32 as it is. TF32 is off on GPUs."""
    if (store.device, store.precision) == ("cpu", "float32"):
        return target
    import torch

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    return replace(target, device=store.device, precision=store.precision, build=lambda: target.module.to(store.device))


def in_halves(call: Callable[[Any], Any], batch: Any) -> list[Any]:
    """What `call` gives for a batch, by halves where memory is too small; InputError if it is for one clip."""
    import torch

    try:
        return [call(batch)]
    except torch.OutOfMemoryError as error:
        if len(batch) == 1:
            told = f"The device lacks the memory for one clip ({first_line(error)})."
            raise InputError(f"{told} Free it, or take -p device cpu.") from None
    torch.cuda.empty_cache()
    half = (len(batch) + 1) // 2
    return in_halves(call, batch[:half]) + in_halves(call, batch[half:])
