"""Section 2, the probing set: what is probed, how often captions name the class, and how hard the classes are."""

from functools import partial

import numpy as np
import pandas as pd

from andlib import descriptions, language
from andlib.inputs.probing import sources_in_several_folds
from andlib.mini.synthesis import synthesc
from andlib.profiles import TEST
from andlib.records import ProbingSet
from andlib.responses import classifier_outputs
from andlib.run import Run
from andlib.store import Stage
from andlib.targets import Target

DIFFICULTY = Stage("difficulty", "lines", 2)
FLOOR = "log-mel statistics + linear"
SECOND_SEED = 1  # of SynthESC: never looked at while its recipes were tuned


def by_fold(probing_set: ProbingSet) -> pd.DataFrame:
    """How many clips, classes and source recordings each fold has."""
    counts = {"clips": ("name", "size"), "classes": ("label", "nunique"), "sources": ("source", "nunique")}
    return probing_set.frame().groupby("fold").agg(**counts).reset_index()


def first_of_each_class(probing_set: ProbingSet) -> list[int]:
    """The number of each class's first clip."""
    labels = [clip.label for clip in probing_set.clips]
    return [labels.index(name) for name in probing_set.classes]


def captioner_accuracy(run: Run) -> pd.DataFrame:
    """How often descriptions name the clip's class: a row an origin and class; columns clips, named (share)."""
    label = {clip.name: clip.label for clip in run.probing_set.clips}
    frame = descriptions.clip_captions(run).assign(label=lambda rows: rows["clip"].map(label))
    frame["named"] = list(map(language.mentions, frame["text"], frame["label"]))
    return frame.groupby(["origin", "label"])["named"].agg(clips="size", named="mean").reset_index()


def difficulty(run: Run) -> pd.DataFrame:
    """Accuracy on fold 1 of `band_statistics_accuracy` learnt on folds 2-5, of each target network and of chance; for a
    synthesised set by a second seed, too. A row a set and method; NaN without clips to judge by or classes to learn."""
    targets, rows = [run.target(model) for model in run.models], []
    second = [synthesc(seed=SECOND_SEED)] if run.profile.probing == "synthesc" else []
    for each in (run.probing_set, *second):
        judged = [each, run.profile.seconds, targets]
        [values] = run.store.get(DIFFICULTY, judged, partial(_accuracies, run, each, targets))
        values["chance"] = 1 / len(each.classes)
        rows += [{"set": each.name, "method": method, "accuracy": share} for method, share in values.items()]
    return pd.DataFrame(rows)


def _accuracies(run: Run, probing_set: ProbingSet, targets: list[Target]) -> list[dict[str, float]]:
    waveforms, test = probing_set.waveforms(16_000, run.profile.seconds), np.isin(probing_set.folds, TEST)
    values = {FLOOR: band_statistics_accuracy(waveforms, probing_set.labels, test)}
    own = probing_set is run.probing_set  # whose activations other pages need, too
    heard = run if own else run.using(probing_set=probing_set.in_folds(TEST))
    tested = heard.probing_set.numbers_in(TEST)
    for target in targets:
        right = classified_right(target, classifier_outputs(heard, target), heard.probing_set)
        values[target.name] = float(right[tested].mean()) if len(tested) else np.nan
    return [values]


def band_statistics_accuracy(waveforms: np.ndarray, labels: np.ndarray, test: np.ndarray) -> float:
    """Accuracy on `test` clips of a linear classifier on log-mel bands' means and deviations over time, learnt from the
    others; NaN if either is empty. waveforms: float32 [clips, samples] at 16 kHz. labels: int, test: bool [clips]."""
    if not test.any() or len(set(labels[~test])) < 2:
        return np.nan
    import torch
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from andlib import frontend

    bands = [frontend.log_mel(batch, frontend.AST) for batch in torch.from_numpy(waveforms).split(64)]
    x = torch.cat([torch.cat([b.mean(1), b.std(1)], 1) for b in bands]).numpy()
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return float(classifier.fit(x[~test], labels[~test]).score(x[test], labels[test]))


def classified_right(network: Target, logits: np.ndarray, probing_set: ProbingSet) -> np.ndarray:
    """Whether each clip's largest logit is its own class's, by name: a network may know other classes, too."""
    return np.array(network.classes)[logits.argmax(1)] == np.array([clip.label for clip in probing_set.clips])


def words(run: Run, named: pd.DataFrame) -> dict[str, object]:
    """The numbers of the page's sentences. named: `captioner_accuracy`."""
    clips, shares = run.probing_set.frame(), named.groupby("origin")["named"].mean()
    spoken = {"title": run.profile.title, "clips": len(clips), "sources": clips["source"].nunique()}
    spoken |= {"classes": len(run.probing_set.classes), "straddling": len(sources_in_several_folds(run.probing_set))}
    spoken |= {"namer": shares.idxmax(), "named": float(shares.max()), "origins": " + ".join(shares.index)}
    return spoken | {"notes": descriptions.caption_notes(run)}
