"""Computes Table 4's controls, 199 random sets a strategy, where none kept fit: results/<profile>/controls.json.

`python -m making.controls --profile mini` (`make controls`; an hour). Killed, it goes on where it was.
"""

import time
from typing import Any

from andlib import kept
from andlib.pages.section_4_3 import DRAWS, committed, compute
from andlib.run import Run
from andlib.unlearning import strategy_sets
from making.command import asked


def main() -> None:
    """The command line; see the module's docstring."""
    draws = {"type": int, "default": DRAWS, "help": "random sets for each strategy and class"}
    run, given = asked("Computes the controls of Table 4 and keeps them in results/<profile>/.", draws=draws)
    models = {model: controls(run, model, given.draws) for model in run.models}
    print(kept.write(given.profile, "controls", {"made_by": run.made_by(), "models": models}))


def controls(run: Run, model: str, draws: int) -> dict[str, Any]:
    """A model's controls: those that are committed, if they are what is asked for, else computed."""
    fitting = committed(run, model)
    if fitting and {len(drawn) for drawn in fitting["drawn"].values()} == {draws}:
        return fitting
    begun = time.monotonic()
    return compute(run, model, strategy_sets(run, model), draws) | {"seconds": round(time.monotonic() - begun)}


if __name__ == "__main__":
    main()
