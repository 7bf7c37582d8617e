"""The audit's matrix, read: which switch of the released code changes which exhibit, and why others do not."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from andlib import concepts, kept, paper, stages
from andlib.profiles import FAULTS, MODELS
from andlib.run import Run

Measures = dict[str, float | str | None]  # name -> value; None where no answer of a language model is kept
MODES = ("corrected", *FAULTS, "released")
EXHIBITS = ("Tables 2, 7", "Table 4", "Table 6", "Figs 3, 9", "Fig. 4", "Fig. 5", "Figs 6, 11–13")
NAME = "audit_matrix"  # of the kept file
CLOSE = 1e-5  # the cosine of equal names differs by less, added up in another order

_STATED = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))  # audit.toml explains each
HEADLINES = _STATED["headlines"]
TABLES = {what: (table["exhibit"], table["formats"]) for what, table in _STATED["tables"].items()}
NO_EFFECT = tuple(
    (row["switch"], tuple(row.get("exhibits", EXHIBITS)), tuple(row.get("networks", MODELS)), row["why"])
    for row in _STATED["no_effect"]
)


def reason(switch: str, exhibit: str, model: str) -> str:
    """Why a switch cannot change an exhibit of a network; "" where it can."""
    reasons = (why for name, *where, why in NO_EFFECT if name == switch and exhibit in where[0] and model in where[1])
    return next(reasons, "")


def switches() -> pd.DataFrame:
    """What the released code does where it differs from the paper; one row a switch."""
    return pd.DataFrame(FAULTS.items(), columns=["switch", "what the released code does, and where"])


def barred() -> pd.DataFrame:
    """`NO_EFFECT` in words; one row a reason."""
    rows = [(switch, _all_or(where, EXHIBITS), _all_or(of, MODELS), why) for switch, where, of, why in NO_EFFECT]
    return pd.DataFrame(rows, columns=["switch", "exhibits", "networks", "no effect here, because"])


def _all_or(names: Sequence[str], every: Sequence[str]) -> str:
    return "all" if names == every else "; ".join(names)


def committed(run: Run) -> dict:
    """What `python -m making.audit` wrote of the run's profile; raises InputError where it did not."""
    return kept.read(run.profile.name, NAME, f"make audit PROFILE={run.profile.name}")


def tidy(matrix: Mapping) -> pd.DataFrame:
    """The matrix, one row a mode, model, exhibit and measure: before (in mode corrected), value, changed (NaN where one
    of the two is not known). matrix: `committed`."""
    rows, usual = [], matrix["modes"]["corrected"]
    for mode, models in matrix["modes"].items():
        for model, exhibits in models.items():
            for exhibit, name in ((e, m) for e, measures in exhibits.items() for m in measures):
                before, value = usual[model][exhibit][name], exhibits[exhibit][name]
                rows.append((mode, model, exhibit, name, before, value, _differ(before, value)))
    return pd.DataFrame(rows, columns=["mode", "model", "exhibit", "measure", "before", "value", "changed"])


def _differ(before: float | str | None, value: float | str | None) -> float:
    if before is None or value is None:
        return np.nan
    return float(before != value if isinstance(value, str) else abs(value - before) > CLOSE)


def overview(rows: pd.DataFrame) -> pd.DataFrame:
    """What each switch does to each exhibit: one row a switch (column switch), a column an exhibit: "changes", "–"
    (cannot change any network's, see NO_EFFECT), "none seen" (could, but no number differs), "not asked" (what could
    needs an answer that is not kept). rows: `tidy`."""
    cells = {mode: {"switch": mode} | dict.fromkeys(EXHIBITS, "not measured") for mode in MODES[1:]}
    for (mode, exhibit), part in rows[rows["mode"] != "corrected"].groupby(["mode", "exhibit"], sort=False):
        barred = all(reason(mode, exhibit, model) for model in part["model"].unique())
        unknown = "not asked" if part["changed"].isna().any() else "none seen"
        cells[mode][exhibit] = "changes" if part["changed"].eq(1).any() else "–" if barred else unknown
    return pd.DataFrame(cells.values())


def under(rows: pd.DataFrame, what: str) -> tuple[pd.DataFrame, str]:
    """One of TABLES, an exhibit under each switch that changes it, and its caption. rows: `tidy`."""
    exhibit, formats = TABLES[what]
    known = set(rows.loc[rows["value"].notna(), "measure"])  # ICL's are not where no language model was asked
    formats = {name: spec for name, spec in formats.items() if name in known}
    table = effects(rows, exhibit, formats, ("ast",) if "AST" in what else MODELS)
    return table, f"{exhibit} under each switch: {what}"


def effects(rows: pd.DataFrame, exhibit: str, formats: Mapping[str, str], models: Sequence[str] = MODELS):
    """An exhibit's measures under each switch that changes one: columns switch, and measures as text.

    The row "corrected" holds the values before, the others those after; a cell holds one value a network in the order
    of `models`, or "=" where nothing changed. formats: measure -> format; a percentage drops its sign."""
    table = []
    shown = rows[(rows["exhibit"] == exhibit) & rows["model"].isin(models)]
    for mode, part in shown.groupby("mode", sort=False):
        table.append({"switch": mode})
        for name, spec in formats.items():
            ours = part[part["measure"] == name]
            same = mode != "corrected" and (ours["changed"] == 0).all()
            table[-1][name] = "=" if same else _listed(ours["value"], spec)
    frame = pd.DataFrame(table, columns=["switch", *formats])
    return frame[frame[list(formats)].ne("=").any(axis=1)]


def _listed(values: pd.Series, spec: str) -> str:
    """A measure's value of each network, as text; a percentage drops its sign."""
    told = (v if isinstance(v, str) else "–" if pd.isna(v) else format(v, spec).rstrip("%") for v in values)
    return " / ".join(told) or "not measured"


def strongest(rows: pd.DataFrame, headlines: Mapping[str, Mapping[str, str]] = HEADLINES) -> pd.DataFrame:
    """The one switch that moves each exhibit most, by mean absolute change over networks: columns exhibit, before,
    after (a value a network), switch, measure. headlines: exhibit -> measures, formats."""
    table = []
    alone = rows[rows["mode"].isin(FAULTS)].dropna(subset=["before", "value"])
    for exhibit, formats in headlines.items():
        ours = alone[(alone["exhibit"] == exhibit) & alone["measure"].isin(formats)]
        change = (ours["value"].astype(float) - ours["before"].astype(float)).abs()
        mode, measure = change.groupby([ours["mode"], ours["measure"]], sort=False).mean().idxmax()
        part = ours[(ours["mode"] == mode) & (ours["measure"] == measure)]
        before, after = (_listed(part[side], formats[measure]) for side in ("before", "value"))
        table.append((exhibit, before, after, mode, measure))
    return pd.DataFrame(table, columns=["exhibit", "before", "after", "switch", "measure"])


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """What `make results` keeps of this page."""
    return {"strongest": strongest(tidy(committed(run)))}


def words(run: Run, rows: pd.DataFrame) -> dict[str, object]:
    """The numbers of the prose. rows: `tidy`."""

    def told(exhibit: str, measure: str, spec: str, switch: str) -> list[str]:
        part = rows[(rows["mode"] == switch) & (rows["exhibit"] == exhibit) & (rows["measure"] == measure)]
        return [_listed(part[side], spec) for side in ("before", "value")]

    numbers = {}
    for name, row in _STATED["changes"].items():
        numbers |= zip((f"{name}_before", f"{name}_after"), told(*row), strict=True)
    changes = "goes from {} to {} % with one example, and from {} to {} % with two"
    changed = changes.format(*(text for row in _STATED["icl"].values() for text in told(*row)))
    numbers["icl"] = "is not known here: no language model was asked" if "–" in changed else changed
    numbers |= {name: told(*row)[1] for name, row in _STATED["values"].items()}
    numbers |= {f"constant_{name}": share for name, share in constant_answer(run).items()}
    numbers |= {"title": run.profile.title, "encoder": run.profile.encoder, "switches": len(FAULTS)}
    numbers["effective"] = rows.loc[rows["mode"].isin(FAULTS) & rows["changed"].eq(1), "mode"].nunique()
    soft = ((name, paper.table7(name).loc["soft_wpmi"]) for name in MODELS)
    spelt = (f"{name} {100 * row['top1']:.0f} / {100 * row['top5']:.0f} / {row['cos']:.2f}" for name, row in soft)
    gaps = (f"{paper.table4(name).loc['random', 'gap']:+z.2f}" for name in MODELS)
    return numbers | {"soft_printed": "; ".join(spelt), "random_printed": " / ".join(gaps)}


def constant_answer(run: Run) -> dict[str, float]:
    """Table 7's row if all scores are 0, so that every unit of ESC-50's 50 classes is called by the list's first name:
    top1, top5, cos (mean, of it and all 50); cos_least, cos_mean, cos_most: whichever of the 50 stood first."""
    names = stages.embeddings(run, concepts.ESC50, run.profile.encoder)
    cosine = names @ names.T
    identified = concepts.identification(concepts.ranked(np.zeros_like(cosine), 5), range(len(names)), cosine)
    by_first = cosine.mean(0)
    ends = {"cos_least": by_first.min(), "cos_mean": by_first.mean(), "cos_most": by_first.max()}
    return {name: float(np.mean(values)) for name, values in (identified | ends).items()}


def units_a_class() -> pd.DataFrame:
    """Table 4's mean units a class, a row a network: 3N/M for N block units and M concepts, and printed for TAB, DB."""
    neurons, m, rows = paper.numbers()["settings"]["neurons"], len(concepts.ESC50), []
    for model in MODELS:
        printed = paper.table4(model)["units"]
        blocks = neurons["ast" if model == "ast" else "beats"] - m
        rows.append((model, 3 * blocks / m, printed["TAB"], printed["DB"]))
    return pd.DataFrame(rows, columns=["model", "3N/M", "TAB, the paper", "DB, the paper"])
