"""How far a training has come: saved now and then, so that a killed one goes on where it was."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from andlib.store import write_atomically


class Progress:
    """One training's state. done: units of work (epochs, steps) behind it. rng: its generator, in the same place."""

    def __init__(self, path: Path, network: nn.Module, optimiser, schedule, rng: np.random.Generator):
        self.path, self.network, self.optimiser, self.schedule, self.rng = path, network, optimiser, schedule, rng
        self.done, self.each = 0, []
        if path.is_file():
            self._resume(torch.load(path, weights_only=True))

    def step(self, loss: Tensor) -> None:
        """One step of the optimiser, with gradients clipped at norm 1."""
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.schedule.step()
        self.each.append(loss.item())

    def losses(self, count: int) -> list[float]:
        """Mean loss of every `count` steps in turn."""
        return [float(np.mean(self.each[i : i + count])) for i in range(0, len(self.each), count)]

    def save(self, done: int) -> None:
        """Writes the state after `done` units of work."""
        state = {name: getattr(self, name).state_dict() for name in ("network", "optimiser", "schedule")}
        state |= {"done": done, "each": self.each, "rng": self.rng.bit_generator.state, "torch": torch.get_rng_state()}
        write_atomically(self.path, lambda path: torch.save(state, path))

    def _resume(self, state: dict) -> None:
        for name in ("network", "optimiser", "schedule"):
            getattr(self, name).load_state_dict(state[name])
        self.done, self.each = state["done"], state["each"]
        self.rng.bit_generator.state = state["rng"]
        torch.set_rng_state(state["torch"])
