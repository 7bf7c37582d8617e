"""Computes what takes longer than a page may about unlearning, and keeps it in results/<profile>/.

`python -m making.unlearning controls --profile mini` (`make controls`; an hour and a half): Table 4's controls, 99
random sets a strategy, where none kept fit, in controls.json. `python -m making.unlearning ways --profile mini` (`make
unlearning`; half an hour): ways to choose and to silence units, in ways_to_unlearn.json. Killed, each goes on."""

from typing import Any

import pandas as pd

from andlib import kept, stages
from andlib.pages import better_unlearning, section_4_3
from andlib.run import Run
from andlib.unlearning import strategy_sets
from making.command import asked


def ways(run: Run) -> dict[str, Any]:
    """Every way to choose and to silence units, compared: see `better_unlearning.table`."""
    names = stages.embeddings(run, run.probing_set.classes, run.encoder)
    quick = [model for model in run.models if model not in run.profile.slow]
    effects = ((model, better_unlearning.effects(run, model)) for model in quick)
    tables = [better_unlearning.table(changed, names @ names.T).assign(model=model) for model, changed in effects]
    rows = pd.concat(tables).astype(object)
    rows = rows.where(rows.notna(), None).to_dict("records")
    return {"made_by": run.made_by(*run.caption_parts), "rows": rows}


def main() -> None:
    run, given = asked("Computes what unlearning does and keeps it.", which=("controls", "ways"))
    if given.which == "ways":
        print(kept.write(given.profile, better_unlearning.NAME, ways(run)))
    else:
        for model in run.models:  # each is kept as soon as it is there
            if not (controls := section_4_3.committed(run, model)):  # none that are what is asked for
                sets, draws = strategy_sets(run, model), section_4_3.draws_of(run, model)
                controls = section_4_3.compute(run, model, sets, *draws)
            models = kept.read(given.profile, "controls").get("models", {}) | {model: controls}
            print(kept.write(given.profile, "controls", {"made_by": run.made_by(), "models": models}))


if __name__ == "__main__":
    main()
