"""The loop of a training, and how far it has come: saved now and then, so that a killed one goes on where it was."""

import json
import platform
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from andlib.bars import tqdm
from andlib.store import digest, write_atomically


class Progress:
    """One training's state: a network, its optimiser (AdamW, whose rate rises and falls once) and its generator.
    recipe: its rate, decay, seed and, for `batches`, batch and epochs. steps: of the optimiser, in all. done: units of
    work (epochs, steps) behind it. rng: the generator, in the same place."""

    def __init__(self, path: Path, network: nn.Module, recipe: Any, steps: int, **adam: Any):
        self.path, self.network, self.recipe, self.done, self.each = path, network, recipe, 0, []
        self.rng = np.random.default_rng(recipe.seed)
        learnt = [values for values in network.parameters() if values.requires_grad]
        self.optimiser = torch.optim.AdamW(learnt, recipe.rate, weight_decay=recipe.decay, **adam)
        one_cycle = torch.optim.lr_scheduler.OneCycleLR
        self.schedule = one_cycle(self.optimiser, recipe.rate, total_steps=steps, pct_start=0.1)
        if path.is_file():
            state = torch.load(path, "cpu", weights_only=True)
            for name in ("network", "optimiser", "schedule"):
                getattr(self, name).load_state_dict(state[name])
            self.done, self.each, self.rng.bit_generator.state = state["done"], state["each"], state["rng"]
            torch.set_rng_state(state["torch"])

    def left(self, total: int, unit: str, every: int = 1) -> Iterator[int]:
        """Numbers of the units of work that are left, while the network is in training mode; saves every so many."""
        self.network.train()
        for number in tqdm(range(self.done, total), desc="training", unit=unit):
            yield number
            if (number + 1) % every == 0:
                self.save(number + 1)
        self.network.eval()

    def batches(self, clips: int) -> Iterator[Tensor]:
        """Numbers of the clips of every batch that is left, in another order each epoch; a rest is left out."""
        for _ in self.left(self.recipe.epochs, "epoch"):
            order = torch.from_numpy(self.rng.permutation(clips))
            yield from order[: clips // self.recipe.batch * self.recipe.batch].split(self.recipe.batch)

    def step(self, losses: Iterable[Tensor]) -> None:
        """One step of the optimiser on a sum of losses, each gone back through before the next is made."""
        self.optimiser.zero_grad()
        total = 0.0
        for loss in losses:
            loss.backward()
            total += loss.item()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.schedule.step()
        self.each.append(total)

    def losses(self, count: int) -> list[float]:
        """Mean loss of every `count` steps in turn."""
        return [round(float(np.mean(self.each[i : i + count])), 4) for i in range(0, len(self.each), count)]

    def save(self, done: int) -> None:
        """Writes the state after `done` units of work."""
        state = {name: getattr(self, name).state_dict() for name in ("network", "optimiser", "schedule")}
        state |= {"done": done, "each": self.each, "rng": self.rng.bit_generator.state, "torch": torch.get_rng_state()}
        write_atomically(self.path, lambda path: torch.save(state, path))


def state_of(folder: Path, settings: dict) -> Path:
    """Where a training under these settings keeps its state; one under others is not mistaken for it."""
    return folder / f"{digest(settings)[:16]}.ckpt"


def finish(file: Path, network: nn.Module, begun: float, **about: Any) -> None:
    """Writes a training's record and removes the states beside it, also those under recipes since changed. begun:
    `time.perf_counter()` at its start. about: what the record says beside parameters, time and versions."""
    parameters = sum(p.numel() for p in network.parameters())
    record = {**about, "parameters": parameters, "seconds": round(time.perf_counter() - begun)}
    record["versions"] = {"python": platform.python_version(), "torch": torch.__version__}
    write_atomically(file, lambda path: path.write_text(json.dumps(record, indent=1) + "\n"))
    for state in file.parent.glob("*.ckpt"):
        state.unlink()
