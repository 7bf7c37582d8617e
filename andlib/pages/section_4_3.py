"""Section 4.3, Table 4, Figure 10: unlearning a class by silencing the units that are labelled with it.

labelled_units ─► silenced ─► table4 (with controls), class_changes"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from andlib import ablation, kept, paper, unlearning
from andlib.ablation import Effects, UnitSet
from andlib.bars import tqdm
from andlib.bench import Bench, bench
from andlib.errors import check_choice
from andlib.pages import rules
from andlib.pages.wording import by_model
from andlib.run import Run
from andlib.statistics import holm
from andlib.store import Stage, digest

# of random sets, and of them on all clips: kept; where none kept fit a page; the same of networks that take long
DRAWS, PAGE_DRAWS, SLOW, SLOW_PAGE = (99, 19), (20, 3), (19, 1), (3, 1)
_ENDS = [f"{name}{end}" for name in ("excess", "excess_all", "ocp_beyond") for end in ("", "_low", "_high")]
BEYOND = [*_ENDS, "p_excess", "draws", "draws_all"]  # see `table4`
MATCHED = Stage("matched", "arrays", 3)
PAGE = "4_3_unlearning"
Units = dict[str, dict[str, Sequence[UnitSet]]]  # model -> strategy -> a set of units a class


def labelled_units(run: Run) -> Units:
    """The block units that each strategy (TAB, DB, OCP) gives to each class, by clips of folds 2-5."""
    return {model: unlearning.strategy_sets(run, model) for model in run.models}


def silenced(run: Run, units: Units) -> dict[str, dict[str, Effects]]:
    """What silencing each class's units did to every class on fold 1: model -> strategy -> effects."""
    return {model: unlearning.unlearning(run, model, sets) for model, sets in units.items()}


def controls(run: Run, units: Units) -> dict[str, dict[str, Any]]:
    """What stands beside the strategies, see `compute`: kept, or of fewer draws; of networks that take hours none."""
    controls = {}
    for model, chosen in units.items():
        held = digest(chosen) == digest(unlearning.strategy_sets(run, model)) and committed(run, model)
        if not held and model in run.profile.slow:
            held = {"rows": [], "beyond": dict.fromkeys(chosen, dict.fromkeys(BEYOND, np.nan))}
        controls[model] = held or compute(run, model, chosen, *draws_of(run, model, page=True))
    return controls


def draws_of(run: Run, model: str, *, page: bool = False) -> tuple[int, int]:
    """How many draws of random sets, and of them on all clips, are kept for a model, or fit a page."""
    kept, fitting = (SLOW, SLOW_PAGE) if model in run.profile.slow else (DRAWS, PAGE_DRAWS)
    return fitting if page else kept


def table4(effects: Mapping[str, Mapping[str, Effects]], controls: Mapping[str, dict[str, Any]]) -> pd.DataFrame:
    """Table 4, one row a model and strategy, with what the paper's logits hide. effects: `silenced`.

    units (mean a class), empty (classes without one, which count 0 in averages as in the paper); dA, dR, gap = dR - dA
    of own logits, _low and _high (95 % over source recordings, and draws of random), p (permutations of sets among
    classes), p_holm (over strategies and models); gap_filled, over classes with a unit; margin_dA to margin_p, on own
    logit less the largest other; accuracies before and after, and accuracy_drop of the forgotten. Beyond random sets of
    as many units in every layer: excess, p_excess, draws, of a gap whose dR is of one class alone, the next by name;
    excess_all, draws_all, of the whole gap; ocp_beyond, by how much OCP's excess is larger."""
    rows = []
    for model, strategies in effects.items():
        beyond, others = controls[model]["beyond"], controls[model]["rows"]
        ours = [{"strategy": s, **unlearning.unlearnt(effect), **beyond[s]} for s, effect in strategies.items()]
        rows += [{"model": model, **row} for row in (*others[:1], *ours, *others[1:])]
    table = pd.DataFrame(rows)
    main = table["strategy"].isin(["random", *unlearning.STRATEGIES])
    return table.assign(p_holm=holm(table["p"].where(main)))


def class_changes(run: Run, effects: Effects, target_class: str) -> pd.DataFrame:
    """Figure 10: each class's mean own logit before and after `target_class`'s units are silenced, one row a class."""
    classes = run.probing_set.classes
    row = classes.index(check_choice("Parameter target_class", target_class, classes))
    before = effects.by_class(effects.own_before[None])[0]
    change = effects.by_class(effects.own)[row]
    columns = {"before": before, "after": before + change, "change": change, "units": int(effects.sizes[row])}
    return pd.DataFrame({"class": classes, **columns})


def words(run: Run, results: pd.DataFrame) -> dict[str, object]:
    """The numbers of the page's sentences. results: `table4` with controls."""
    printed = paper.table4("ast")["gap"]
    rows = {name: ours.set_index("model") for name, ours in results.groupby("strategy", sort=False)}
    beyond = pd.DataFrame({name: rows[name]["excess"] for name in unlearning.STRATEGIES})
    largest, ocp = beyond.dropna().idxmax(axis=1), rows["OCP"]
    counts = ocp[["draws", "draws_all"]].replace(0, np.nan).agg(["min", "max"]).fillna(0)
    spared = ", ".join(ocp.index[ocp["draws"].isna()]) or "none"
    claim, robust = (rules.judge(name, {PAGE: {"unlearning": results}}) for name in ("t4_ocp_gap", "t4_frozen_robust"))
    spoken = {"title": run.profile.title, "paper_ocp": printed["OCP"], "paper_random": printed["random"]}
    spoken |= {"largest": ", ".join(f"{strategy} for {model}" for model, strategy in largest.items()) or "none"}
    spoken |= {"claim": claim[0], "claim_numbers": claim[1], "robust": robust[0], "spared": spared}
    spoken |= {"drops": by_model(ocp["accuracy_drop"], "+.1%"), "before": by_model(ocp["accuracy_before"], ".1%")}
    for name in ("OCP", "DB"):
        shuffled = rows.get(f"{name}, shuffled captions", rows["OCP"].iloc[:0])
        spoken[f"{name.lower()}_shuffled"] = by_model(shuffled["gap"], "+.2f") or "not measured"
    return spoken | {name: " to ".join(f"{n:.0f}" for n in ends.unique()) for name, ends in counts.items()}


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """What claims and exhibits read of this page."""
    units, classes = labelled_units(run), run.probing_set.classes
    effects, there = silenced(run, units), "water drops" in classes
    shown = effects.get("beats_finetuned", effects[run.models[0]])["OCP"]
    changes = class_changes(run, shown, "water drops" if there else classes[0])[: None if there else 0]
    results = table4(effects, controls(run, units))
    return {"unlearning": results, "water_drops": changes}


# Controls that take longer than a page may: matched random sets, shuffled captions, all clips


def committed(run: Run, model: str) -> dict[str, Any] | None:
    """What `make controls` kept of a model, if it belongs to the sets that this run chooses."""
    controls = kept.read(run.profile.name, "controls").get("models", {}).get(model, {})
    return controls if controls.get("key") == key(run, model) else None


def compute(run: Run, model: str, chosen: Mapping[str, Sequence[UnitSet]], draws: int, entire: int) -> dict[str, Any]:
    """Controls beside Table 4's strategies: key (what they belong to); rows, as `unlearnt`, for random (all clips) and
    `control_sets`; beyond, see the function. draws: of random sets; entire: those of them that are on all clips, which
    those like a strategy's are of no network that takes hours."""
    measured = bench(run, model)
    sets = [unlearning.random_sets(run, model, chosen, seed) for seed in range(entire)]
    anywhere = (measured.effects(drawn["random"]) for drawn in sets)
    rows = [{"strategy": "random", **unlearning.unlearnt(*anywhere), "draws": entire}]
    effects = unlearning.unlearning(run, model, unlearning.control_sets(run, model))
    rows += [{"strategy": strategy, **unlearning.unlearnt(effect)} for strategy, effect in effects.items()]
    whole, random = 0 if model in run.profile.slow else entire, {}
    seeds = tqdm(range(whole, draws), f"random sets as {model}'s", unit="draw", leave=False)
    pairs = [_drawn(measured, chosen, seed) for seed in seeds]
    for name in chosen:
        first = [measured.effects(drawn[f"random as {name}"]).own for drawn in sets[:whole]]
        random[name] = np.stack([*first, *(changes[name] for changes in pairs)])
    surplus = beyond(unlearning.unlearning(run, model, chosen), random, whole)
    return {"key": key(run, model), "rows": rows, "beyond": surplus}


def beyond(effects: Mapping[str, Effects], random: Mapping[str, np.ndarray], entire: int) -> dict[str, Any]:
    """What each strategy does beyond random sets, see `table4`. effects: what its own sets did. random: what as many
    random units in every layer did to own logits, [draws, classes, clips]; the first `entire`, if any, on all clips."""
    rows, drawn = {}, {}
    for name, values in random.items():
        each, drawn[name] = unlearning.beyond_random(effects[name], values)
        p = (1 + (each <= 1e-12).sum()) / (len(each) + 1)  # the strategy's own sets are one more draw
        rows[name] = dict.fromkeys(BEYOND, np.nan) | {"draws": len(each), "draws_all": entire}
        rows[name] |= {"p_excess": np.nan if np.isnan(each).any() else float(p)}
        rows[name] |= unlearning.with_interval("excess", each.mean(), drawn[name])
        if entire:
            every, drawn_all = unlearning.beyond_random(effects[name], values[:entire], 1)
            rows[name] |= unlearning.with_interval("excess_all", every.mean(), drawn_all)
    for name in rows.keys() - {"OCP"}:
        less = rows["OCP"]["excess"] - rows[name]["excess"]
        rows[name] |= unlearning.with_interval("ocp_beyond", less, drawn["OCP"] - drawn[name])
    return rows


def _drawn(measured: Bench, chosen: Mapping[str, Sequence[UnitSet]], seed: int) -> dict[str, np.ndarray]:
    """Change of own logit by the random sets of a seed: strategy -> float32 [classes, clips]. A set is tried on the
    clips of its class and of the next alone, the others are 0: on all, it would take hours."""
    network, labels, classes = measured.network, measured.tested.labels, len(measured.position)
    drawn = unlearning.random_sets(measured.run, network, chosen, seed)

    def make():
        before = measured.logits([{}])[0]
        changes = {name: np.zeros((classes, len(labels)), np.float32) for name in chosen}
        for name, label in product(chosen, range(classes)):
            units, clips = drawn[f"random as {name}"][label], np.isin(labels, (label, (label + 1) % classes))
            if ablation.size(units) and clips.any():
                after = ablation.logits_of(network, measured.features[clips], units)[:, list(measured.position)]
                changes[name][label, clips] = (after - before[clips])[np.arange(clips.sum()), labels[clips]]
        return changes

    return measured.run.store.get(MATCHED, [network, measured.tested, drawn], make)


def key(run: Run, model: str) -> str:
    """What decides the controls, see `unlearning.decided`."""
    return digest([MATCHED, draws_of(run, model), *unlearning.decided(run, model)])
