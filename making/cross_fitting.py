"""Cross-fitting: what a network says of clips that it did not learn from, for every clip.

The paper probes with all clips networks that were trained on four fifths of them. Here five small ASTs of one recipe
and seed each leave another fold out, and each clip's classifier activations come from the one that did not learn from
it. Hidden units of different networks do not correspond, so only the last layer, whose units are the classes, can be
read in this way; and each clip is heard by a different network, so what is probed is the recipe, not one network.
`python -m making.cross_fitting --profile esc10 --data-dir FOLDER` trains what is missing, into
`cache/training/cross_fitting/`, and writes what the page reads. Killed, it goes on where it was."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from andlib import kept, paths, responses
from andlib.networks.checkpoints import load_target
from andlib.pages.cross_fitting import MODEL, NAME
from andlib.records import ProbingSet
from andlib.run import Run
from andlib.statistics import accuracy
from andlib.store import write_atomically
from making.command import THREADS, asked
from making.training import AST, Lesson, ast_inputs, train_ast

DECIMALS = 4


def cross_fit(folds: np.ndarray, by_fold: dict[int, np.ndarray]) -> np.ndarray:
    """Each clip's logits by the network that left its fold out, [clips, classes]. folds: of the clips. by_fold: the
    fold that a network left out -> its logits of all clips."""
    crossed = np.empty_like(next(iter(by_fold.values())))
    for fold, logits in by_fold.items():
        crossed[folds == fold] = logits[folds == fold]
    return crossed


def held_out_accuracy(probing_set: ProbingSet, crossed: np.ndarray) -> pd.DataFrame:
    """Share of clips whose largest cross-fitted logit is their class's, with 95 % over source recordings. One row a
    fold and one for all; columns clips, accuracy, low, high, n."""
    right = crossed.argmax(1) == probing_set.labels
    inside = {f"fold {fold}": probing_set.folds == fold for fold in sorted(set(probing_set.folds.tolist()))}
    inside["all"] = np.full(len(right), True)
    return pd.DataFrame({"clips": name, **accuracy(right, probing_set, clips)} for name, clips in inside.items())


def networks(run: Run) -> dict[int, Path]:
    """The fold left out -> folder of the network; the embedded one where it is of this recipe, others are trained."""
    name, recipe = run.profile.name, AST[run.profile.name]
    x = ast_inputs(run.probing_set, recipe)
    embedded, folders = Path(run.profile.networks[MODEL]), {}
    for fold in sorted(set(run.probing_set.folds.tolist())):
        lesson, out = Lesson(name, run.probing_set, x, fold), paths.cache() / "training/cross_fitting" / f"fold{fold}"
        folders[fold] = embedded if lesson.has(embedded, asdict(recipe)) else out / f"{MODEL}_{name}"
        if folders[fold] != embedded:
            train_ast(lesson, recipe, out)
    return folders


def measured(run: Run, folders: dict[int, Path]) -> dict:
    """What is committed: see there. folders: `networks`."""
    probing_set = run.probing_set
    targets = {fold: load_target(path, name=MODEL, seconds=run.profile.seconds) for fold, path in folders.items()}
    by_fold = {fold: responses.unit_activations(run, network)["classifier"] for fold, network in targets.items()}
    crossed = cross_fit(probing_set.folds, by_fold)
    logits_of_all = ([[round(float(x), DECIMALS) for x in row] for row in rows] for rows in (by_fold[1], crossed))
    records = {fold: json.loads((path / "record.json").read_text()) for fold, path in folders.items()}
    return {
        "recipe": records[1]["recipe"],
        "classes": targets[1].classes,
        "made_by": run.made_by(),
        "accuracy": held_out_accuracy(probing_set, crossed).round(DECIMALS).to_dict("records"),
        "networks": [{"held_out": fold, "seconds": r["seconds"], **r["versions"]} for fold, r in records.items()],
        "clips": [
            {"clip": clip.name, "label": clip.label, "fold": clip.fold, "plain": plain, "cross_fitted": logits}
            for clip, plain, logits in zip(probing_set.clips, *logits_of_all, strict=True)
        ],
    }


def _one_clip_a_line(results: dict) -> str:
    rows = ",\n".join(f"  {json.dumps(row)}" for row in results["clips"])
    head = json.dumps({name: value for name, value in results.items() if name != "clips"}, indent=1)
    return head.removesuffix("\n}") + f',\n "clips": [\n{rows}\n ]\n}}\n'


def main() -> None:
    run, given = asked("Cross-fits the small AST and writes results/<profile>/.", model=MODEL, threads=THREADS)
    torch.set_num_threads(given.threads)
    text = _one_clip_a_line(measured(run, networks(run)))
    write_atomically(kept.path_of(given.profile, NAME), lambda path: path.write_text(text))


if __name__ == "__main__":
    main()
