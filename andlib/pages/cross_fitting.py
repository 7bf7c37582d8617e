"""Cross-fitting, read: what a network says of clips that it did not learn from (`making.cross_fitting` computes it)."""

import numpy as np

from andlib import kept
from andlib.run import Run

MODEL, NAME = "ast", "cross_fitting"


def committed(run: Run) -> dict:
    """What is kept for the run's profile, or an empty dict where nothing is committed.

    clips: a row a clip; its label, fold and logits, `plain` (of the network that left fold 1 out) and `cross_fitted`.
    accuracy: `held_out_accuracy`. networks: the fold that each left out, seconds of its training and versions.
    recipe (with the seed), classes (in the order of the logits), made_by."""
    return kept.read(run.profile.name, NAME)


def logits(run: Run, model: str) -> np.ndarray | None:
    """Cross-fitted activations of the classifier's units, float32 [clips, classes].

    None for other networks than the embedded AST, and where none are committed for the run's clips."""
    rows = committed(run).get("clips", ()) if model == MODEL and not run.weights else ()
    by_clip = {row["clip"]: row["cross_fitted"] for row in rows}
    names = [clip.name for clip in run.probing_set.clips]
    return np.array([by_clip[name] for name in names], np.float32) if by_clip.keys() >= set(names) else None
