"""Better unlearning: other ways to choose units and to silence them, against OCP with as many units in every layer."""

from collections.abc import Sequence
from functools import cache
from itertools import product

import numpy as np
import pandas as pd

from andlib import ablation, concepts, descriptions, kept, stages
from andlib.ablation import Effects, UnitSet
from andlib.bench import Bench, bench
from andlib.profiles import LEARNT
from andlib.responses import unit_activations
from andlib.run import Run
from andlib.statistics import holm, two_sided_p
from andlib.store import Stage
from andlib.targets import Layer, Target
from andlib.unlearning import drawn_changes, unit_sets, with_interval

RULES = {  # who chooses -> by what, on clips of folds 2-5
    "OCP": "the nouns of the unit's open concepts name the class (the paper)",
    "captions": "highest cos_cubed of activation and the class name's match with each description (DB's score)",
    "sounds": "the same match with each sound (TAB's score)",
    "labels": "highest d' of activation between the class's clips and all others: needs labels, so it is no dissection",
    "random": "drawn at random",
}
WAYS = ("zero", "mean", "resample")
DRAWS, SEED, NEAREST = 10_000, 0, 3  # as many draws, or no p could be small enough for all rows together
NAME = "ways_to_unlearn"  # of the kept file
REPLACED = Stage("replaced", "arrays", ablation.VERSION)


def choices(run: Run, model: str) -> dict[str, list[UnitSet]]:
    """For each of RULES, a set of units a class, as many in every layer as OCP takes for that class."""
    budget = unit_sets(run, model, LEARNT, "OCP")
    where = np.isin(run.probing_set.folds, LEARNT)
    u = {name: values[where] for name, values in unit_activations(run, model).items()}
    named = [run.concepts.index(name) for name in run.probing_set.classes]  # columns of P
    member = run.probing_set.labels[where][:, None] == np.arange(len(named))
    p = {"captions": stages.concept_similarity(run, descriptions.clip_descriptions(run))}
    p["sounds"] = stages.sound_similarity(run)
    scores = {rule: {la: concepts.score("cos_cubed", u[la], p[rule][where])[:, named] for la in u} for rule in p}
    scores["labels"] = {la: selectivity(u[la], member) for la in u}

    def best(scores: dict[str, np.ndarray], label: int, units: UnitSet) -> UnitSet:
        return {la: np.sort(np.argsort(-scores[la][:, label], kind="stable")[: len(i)]) for la, i in units.items()}

    sets = {rule: [best(s, *each) for each in enumerate(budget)] for rule, s in scores.items()}
    rng, widths = np.random.default_rng(SEED), {name: values.shape[1] for name, values in u.items()}
    return {"OCP": budget, **sets, "random": [ablation.matched_random(units, widths, rng) for units in budget]}


def selectivity(activations: np.ndarray, member: np.ndarray) -> np.ndarray:
    """d' of each unit for each class: difference of its means on the class's clips and on others, over the root of the
    variances' mean; [units, classes]. activations: [clips, units]. member: bool [clips, classes], never all alike."""

    def moments(clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean, square = ((clips.T @ values) / clips.sum(0)[:, None] for values in (activations, activations**2))
        return mean, np.maximum(square - mean**2, 0)

    (one, spread), (other, rest) = moments(member), moments(~member)
    return ((one - other) / np.sqrt(np.maximum((spread + rest) / 2, 1e-12))).T


def effects(run: Run, model: str) -> dict[tuple[str, str], Effects]:
    """What silencing did on fold 1, by rule and way: zero, mean, or resample (another class's clip), of folds 2-5."""
    measured, changed = bench(run, model), {}
    for way, (rule, sets) in product(WAYS, choices(run, model).items()):
        changed[rule, way] = measured.effects(sets) if way == "zero" else _replaced(measured, way, sets)
    return changed


def _replaced(measured: Bench, way: str, sets: Sequence[UnitSet]) -> Effects:
    """What replacing the outputs of each set in turn did to fold 1's clips."""
    run, network = measured.run, measured.network

    @cache
    def instead() -> tuple:  # values of the units, or for each clip the input of another class's, from folds 2-5
        if way == "mean":
            return means(run, network), None
        rng, learnt = np.random.default_rng(SEED), run.probing_set.in_folds(LEARNT)
        drawn = [rng.choice(np.flatnonzero(learnt.labels != label)) for label in measured.tested.labels]
        return None, ablation.features_of(network, learnt.waveforms(network.sample_rate, network.seconds)[drawn])

    def scores(units: UnitSet, clips: np.ndarray) -> np.ndarray:
        given, donors = instead()
        return _with(network, measured.features[clips], units, given, donors if donors is None else donors[clips])

    logits = measured.on_tried(sets, REPLACED, (run.probing_set, way), scores)
    return measured.effects_of(measured.changed(logits), sets)


def _with(network: Target, inputs, units: UnitSet, given: dict[str, np.ndarray] | None, donors=None) -> np.ndarray:
    """Logits with outputs replaced by given values [units of the layer], or by what donors, an input a clip, give."""
    import torch

    def to_values(layer: Layer, outputs: "torch.Tensor") -> "torch.Tensor":
        shape = [-1 if axis == "channels" else 1 for axis in layer.axes]
        return torch.from_numpy(given[layer.name][units[layer.name]]).to(outputs).reshape(shape).expand_as(outputs)

    def to_donors(layer: Layer, outputs: "torch.Tensor") -> "torch.Tensor":
        axis = layer.axes.index("clips")
        theirs = outputs.chunk(2, axis)[1]
        return torch.cat([theirs, theirs], axis)

    if donors is None:
        return ablation.logits_of(network, inputs, units, to_values)
    batches = map(torch.cat, zip(inputs.split(32), donors.split(32), strict=True))
    with ablation.ablate(network, units, to_donors), torch.inference_mode():
        return torch.cat([network.logits(batch)[: len(batch) // 2].float().cpu() for batch in batches]).numpy()


def means(run: Run, network: Target) -> dict[str, np.ndarray]:
    """Mean output of every unit over all positions and the clips of folds 2-5; layer -> float32 [units]."""
    spread = network.read(layers=[layer.name for layer in network.layers if len(layer.axes) > 2], pooling="mean")
    where = np.isin(run.probing_set.folds, LEARNT)
    return {name: u[where].mean(0) for name, u in unit_activations(run, spread).items()}


def table(changed: dict[tuple[str, str], Effects], nearness: np.ndarray) -> pd.DataFrame:
    """One row a rule and way: units, gap, margin_gap, forgotten and remaining (accuracies); wider, by how much the gap
    exceeds OCP's of the same way, and p (two-sided); spill. Intervals (gap_low, gap_high, wider_low, wider_high) and p
    draw source recordings, the same for both. changed: `effects`. nearness: as for `spill`."""
    rows = []
    for (rule, way), effect in changed.items():
        ocp, (gap, drawn) = changed["OCP", way], (_gap(effect, effect.own), _gaps(effect))
        wider, wider_drawn = gap - _gap(ocp, ocp.own), drawn - _gaps(ocp)
        forgotten, remaining = ablation.ablated_and_remaining(effect.by_class(effect.correct))
        row = {"rule": rule, "way": way, "units": effect.sizes.mean(), **with_interval("gap", gap, drawn)}
        row |= {"margin_gap": _gap(effect, effect.margin), "forgotten": forgotten, "remaining": remaining}
        row |= with_interval("wider", wider, wider_drawn) | {"p": np.nan if rule == "OCP" else two_sided_p(wider_drawn)}
        rows.append(row | {"spill": spill(effect.by_class(effect.own), nearness)})
    return pd.DataFrame(rows)


def _gap(effect: Effects, values: np.ndarray) -> float:
    """Table 4's gap dR - dA of values [ablated, clips]."""
    ablated, remaining = ablation.ablated_and_remaining(effect.by_class(values))
    return remaining - ablated


def _gaps(effect: Effects) -> np.ndarray:
    """Table 4's gap in each draw of source recordings; float [draws]."""
    return np.diff(drawn_changes(effect, [effect.own], DRAWS, np.random.default_rng(SEED))[:, :2])[:, 0]


def spill(changes: np.ndarray, nearness: np.ndarray) -> float:
    """Mean change of own logit of the NEAREST classes to each silenced one, less that of the classes further away; NaN
    without any. changes: [ablated, classes]. nearness: how alike two classes' names are, [classes, classes]."""
    if len(nearness) < NEAREST + 2:
        return float("nan")
    near = np.argsort(-(nearness - 2 * np.eye(len(nearness))), 1, kind="stable")
    values = np.take_along_axis(changes, near, 1)
    return float(values[:, :NEAREST].mean() - values[:, NEAREST:-1].mean())


def compared(run: Run) -> pd.DataFrame:
    """Kept rows of the run's models, see `table`, with p_holm (over a profile) and made_by; InputError without any."""
    result = kept.read(run.profile.name, NAME, f"make unlearning PROFILE={run.profile.name}")
    rows = pd.DataFrame(result["rows"]).assign(made_by=result["made_by"])
    return rows.assign(p_holm=holm(rows["p"].astype(float)))[rows["model"].isin(run.models)]


def words(run: Run, rows: pd.DataFrame) -> dict[str, object]:
    """The numbers of the page's sentences. rows: `compared`."""
    dissecting = rows[~rows["rule"].isin(["OCP", "labels"])]
    best = dissecting.loc[dissecting.groupby("model", sort=False)["wider"].idxmax()].itertuples()
    spoken = {"best": "; ".join(f"{row.model}: {row.rule}, {row.way} ({row.wider:+.2f})" for row in best)}
    for rule, ours in rows[rows["rule"] != "OCP"].groupby("rule"):
        clear = ours.loc[ours["p_holm"] < 0.05, "wider"]  # over networks and ways
        spoken[f"{rule}_rule"] = f"wider in {(clear > 0).sum()}, narrower in {(clear < 0).sum()} of {len(ours)}"
    return spoken | {"title": run.profile.title, "nearest": NEAREST}


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """What is kept of this page."""
    return {"better_unlearning": compared(run).drop(columns="made_by")}
