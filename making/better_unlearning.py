"""Compares ways to choose and to silence units, for the page better_unlearning: results/<profile>/ways_to_unlearn.json.

`python -m making.better_unlearning --profile mini` (`make unlearning`; half an hour). Killed, it goes on where it was.
"""

import time

import pandas as pd

from andlib import kept, stages
from andlib.pages.better_unlearning import NAME, effects, table
from making.command import asked


def main() -> None:
    """The command line; see the module's docstring."""
    run, given = asked("Compares ways to unlearn and keeps the result in results/<profile>/.")
    names = stages.embeddings(run, run.probing_set.classes, run.encoder)
    begun = time.monotonic()
    tables = [table(effects(run, model), names @ names.T).assign(model=model) for model in run.models]
    rows = pd.concat(tables).astype(object)
    kept_rows = rows.where(rows.notna(), None).to_dict("records")
    about = {"made_by": run.made_by(*run.caption_parts), "seconds": round(time.monotonic() - begun)}
    print(kept.write(given.profile, NAME, about | {"rows": kept_rows}))


if __name__ == "__main__":
    main()
