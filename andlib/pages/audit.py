"""The audit's matrix, read: which switch of the released code changes which exhibit, why others do not, and what a
fault alone explains of the numbers that the paper prints."""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd

from andlib import concepts, kept, paper, stages
from andlib.pages.section_4_5 import chance_by_sizes
from andlib.profiles import FAULTS, MODELS, PROFILES
from andlib.run import Run

Measures = dict[str, float | str | None]  # name -> value; None where no answer of a language model is kept
MODES = ("corrected", *FAULTS, "released")
EXHIBITS = ("Tables 2, 7", "Table 4", "Table 6", "Figs 3, 9", "Fig. 4", "Fig. 5", "Figs 6, 11–13")
NAME = "audit_matrix"  # of the kept file
CLOSE = 1e-5  # the cosine of equal names differs by less, added up in another order

_WORDS = ("Figs 3, 9", "Fig. 4", "Fig. 5")  # what is read off summaries
_CLIPS = ("Figs 6, 11–13",)  # what is read off the highest clips' captions
_NO_CONCEPT = "no closed concept enters"
_CUBED = f"block units are labelled by {concepts.FUNCTION}"
# switch, exhibits, networks, why it changes nothing there: facts about the code's path, tested against the numbers
NO_EFFECT = (
    ("db_one_unit_at_a_time", ("Table 4", "Table 6"), MODELS, f"{_CUBED}, which compares a unit with no other"),
    ("db_one_unit_at_a_time", (*_WORDS, *_CLIPS), MODELS, _NO_CONCEPT),
    ("ablate_leading_rows", ("Tables 2, 7", "Table 6", "Figs 3, 9", "Fig. 5", *_CLIPS), MODELS, "no unit is silenced"),
    ("db_top_k_only", ("Tables 2, 7",), MODELS, "the classifier's units are compared on every clip"),
    ("db_top_k_only", (*_WORDS, *_CLIPS), MODELS, _NO_CONCEPT),
    ("calibration_loop", _CLIPS, MODELS, "captions are clustered, not summaries"),
    ("ocp_substring", ("Tables 2, 7", "Table 6", *_WORDS, *_CLIPS), MODELS, "only OCP matches nouns with classes"),
    ("db_double_softmax", (*_WORDS, *_CLIPS), MODELS, _NO_CONCEPT),
    ("word_lists_by_substring", _CLIPS, MODELS, "captions are clustered, not words"),
    ("first_token", EXHIBITS, ("ast",), "AST is read at its class token, which is token 0"),
    ("beats_48k_as_16k", EXHIBITS, ("ast",), "AST is played 16 kHz"),
    ("icl_uncalibrated", EXHIBITS[1:], MODELS, "ICL names classifier units alone"),
    ("rank_single_argsort", ("Table 4", "Table 6"), MODELS, _CUBED),
    ("rank_single_argsort", (*_WORDS, *_CLIPS), MODELS, _NO_CONCEPT),
)


def reason(switch: str, exhibit: str, model: str) -> str:
    """Why a switch cannot change an exhibit of a network; "" where it can."""
    found = (
        why
        for name, exhibits, models, why in NO_EFFECT
        if (name, exhibit in exhibits, model in models) == (switch, True, True)
    )
    return next(found, "")


def committed() -> dict[str, dict]:
    """What `python -m making.audit` wrote, profile -> its file; profiles without one are left out."""
    matrices = {profile: kept.read(profile, NAME) for profile in PROFILES}
    return {profile: matrix for profile, matrix in matrices.items() if matrix}


def tidy(matrices: Mapping[str, Mapping]) -> pd.DataFrame:
    """The matrices, one row a profile, mode, model, exhibit and measure: before (in mode corrected), value, changed
    (NaN where one of the two is not known).

    matrices: profile -> `committed` file.
    """
    rows = []
    for profile, matrix in matrices.items():
        usual = matrix["modes"]["corrected"]
        for mode, models in matrix["modes"].items():
            for model, exhibits in models.items():
                for exhibit, name in ((e, m) for e, measures in exhibits.items() for m in measures):
                    before, value = usual[model][exhibit][name], exhibits[exhibit][name]
                    rows.append((profile, mode, model, exhibit, name, before, value, _differ(before, value)))
    columns = ["profile", "mode", "model", "exhibit", "measure", "before", "value", "changed"]
    return pd.DataFrame(rows, columns=columns)


def _differ(before: float | str | None, value: float | str | None) -> float:
    if before is None or value is None:
        return np.nan
    return float(before != value if isinstance(value, str) else abs(value - before) > CLOSE)


def overview(rows: pd.DataFrame) -> pd.DataFrame:
    """What each switch does to each exhibit: one row a switch (column switch), a column an exhibit.

    "changes" (on all profiles, or only those named), "–" (cannot change any network's, see NO_EFFECT), "none seen"
    (could, but no number differs), "not asked" (what could change was not measured: no answer of a language model).
    rows: `tidy`.
    """
    cells = {mode: {"switch": mode} | dict.fromkeys(EXHIBITS, "not measured") for mode in MODES[1:]}
    for (mode, exhibit), part in rows[rows["mode"] != "corrected"].groupby(["mode", "exhibit"], sort=False):
        moved = part.loc[part["changed"] == 1, "profile"].unique()
        if len(moved):
            cell = "changes" if len(moved) == part["profile"].nunique() else f"changes on {', '.join(moved)}"
        elif all(reason(mode, exhibit, model) for model in part["model"].unique()):
            cell = "–"
        else:
            cell = "not asked" if part["changed"].isna().any() else "none seen"
        cells[mode][exhibit] = cell
    return pd.DataFrame(cells.values())


def effects(rows: pd.DataFrame, exhibit: str, formats: Mapping[str, str], models: Sequence[str] = MODELS):
    """An exhibit's measures under each switch that changes one: columns switch, profile, and measures as text.

    The rows "corrected" hold the values before, the others those after; a cell holds one value a network in the order
    of `models`, or "=" where nothing changed. formats: measure -> format; a percentage drops its sign.
    """
    told = []
    shown = rows[(rows["exhibit"] == exhibit) & rows["model"].isin(models)]
    for (profile, mode), part in shown.groupby(["profile", "mode"], sort=False):
        cells = {name: _cell(part[part["measure"] == name], spec) for name, spec in formats.items()}
        told.append({"switch": mode, "profile": profile, **cells})
    frame = pd.DataFrame(told, columns=["switch", "profile", *formats])
    kept = frame[frame[list(formats)].ne("=").any(axis=1)]
    return kept.sort_values("switch", key=lambda switches: switches.map(MODES.index), kind="stable")


def _cell(part: pd.DataFrame, spec: str) -> str:
    if (part["mode"] != "corrected").all() and (part["changed"] == 0).all():
        return "="
    words = (v if isinstance(v, str) else "–" if pd.isna(v) else format(v, spec).rstrip("%") for v in part["value"])
    return " / ".join(words)


def strongest(rows: pd.DataFrame, headlines: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """The one switch that moves each exhibit most, by mean absolute change over the networks of a profile.

    headlines: exhibit -> measures of one unit, with formats. Columns exhibit, profile, switch, measure, before and
    after (one value a network).
    """
    told = []
    for (exhibit, formats), profile in product(headlines.items(), rows["profile"].unique()):
        of = rows[(rows["exhibit"] == exhibit) & rows["measure"].isin(formats) & (rows["profile"] == profile)]
        of = of[of["mode"].isin(FAULTS)].dropna(subset=["before", "value"])
        moved = (of["value"].astype(float) - of["before"].astype(float)).abs()
        by_switch = moved.groupby([of["mode"], of["measure"]], sort=False).mean()
        mode, measure = by_switch.idxmax()
        part = of[(of["mode"] == mode) & (of["measure"] == measure)]
        ends = [" / ".join(format(v, formats[measure]).rstrip("%") for v in part[side]) for side in ("before", "value")]
        told.append((exhibit, profile, mode, measure, *ends))
    return pd.DataFrame(told, columns=["exhibit", "profile", "switch", "measure", "before", "after"])


# What a fault alone explains of the published numbers


def constant_answer(run: Run) -> dict[str, float]:
    """Table 7's row if all scores are 0, so that every unit of ESC-50's 50 classes is called by the list's first.

    top1, top5, cos (mean cosine of the first name and all 50, by the profile's sentence encoder); cos_least, cos_mean,
    cos_most: the same, whichever of the 50 names stood first.
    """
    names = stages.embeddings(run, concepts.ESC50, run.profile.encoder)
    cosine = names @ names.T
    found = concepts.identification(concepts.ranked(np.zeros_like(cosine), 5), range(len(names)), cosine)
    by_first = cosine.mean(0)
    ends = {"cos_least": by_first.min(), "cos_mean": by_first.mean(), "cos_most": by_first.max()}
    return {name: float(np.mean(values)) for name, values in (found | ends).items()}


def labels_a_class(model: str) -> float:
    """Table 4's mean number of units a class, 3N/M, if each of N block units gets three of M concepts."""
    setup = paper.numbers()["settings"]["neurons"]
    return 3 * (setup["ast" if model == "ast" else "beats"] - len(concepts.ESC50)) / len(concepts.ESC50)


def chance_of_figure6() -> dict[int, float]:
    """tau -> share of units that Figure 6 (K = 5) calls interpretable if their clips are drawn at random, by the sizes
    of Table 8's clusters."""
    sizes = [captions for captions, _ in paper.numbers()["table8_clusters"]["captions_and_sentences"]]
    clips = 40 * len(concepts.ESC50)
    return {tau: chance_by_sizes(sizes, clips, 5, tau) for tau in (3, 4, 5)}
