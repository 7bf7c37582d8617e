"""Sections 3.2 and 3.5: our rules and a language model side by side, as summarisers and as filters of adjectives."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from andlib import asking, descriptions, language, paths, stages
from andlib.llms import prompts
from andlib.run import Run
from andlib.statistics import interval

DRAWS = 1000
SETS, SEED = 30, 0
SUMMARISERS = ("rules", "llm")
# of a point, by reading: at least half of the captions say so, fewer, none; or it says nothing of the sounds
LABELS = ("shared", "some", "none", "empty")


def points(run: Run) -> pd.DataFrame:
    """Every point of S_h that either summariser wrote for the sampled neurons, and how far the captions support it.

    One row a model, unit, summariser and point; columns point, claims (things it says: sources, events, qualities),
    shared (claims that at least half of the K captions make), some (that one of them makes, at least).
    Only neurons that the language model was asked about and answered.
    """
    texts = descriptions.clip_descriptions(run)
    rows = []
    for model in run.models:
        by_llm = stages.neurons_by_language_model(run, model)
        by_rules = stages.neurons(run, model).set_index("unit").loc[by_llm["unit"]]
        for unit, clips, ours, theirs in zip(
            by_llm["unit"], by_llm["highest"], by_rules["high"], by_llm["high"], strict=True
        ):
            captions = [texts[i] for i in clips]
            for summariser, said in (("rules", ours), ("llm", theirs)):
                rows += [
                    {"model": model, "unit": unit, "summariser": summariser, "point": point, **support(point, captions)}
                    for point in said
                ]
    columns = ["model", "unit", "summariser", "point", "claims", "shared", "some"]
    return pd.DataFrame(rows, columns=columns)


def support(point: str, captions: Sequence[str]) -> dict[str, int]:
    """How many claims a point makes, how many of them at least half of the captions make, and how many one makes."""
    from andlib.mini.consensus import claims

    said = claims(point)
    held = [sum(claim in claims(caption) for caption in captions) for claim in said]
    half = (len(captions) + 1) // 2
    return {"claims": len(said), "shared": sum(n >= half for n in held), "some": sum(n > 0 for n in held)}


def supported(run: Run) -> pd.DataFrame:
    """`points`, counted: one row a model and summariser.

    Columns neurons (that the language model answered for), points (a neuron, on average), silent (share of points that
    make no claim), claims (a neuron, on average), shared (share of claims that at least half of the K captions make),
    some (share that one makes).
    """
    rows = []
    for (model, summariser), group in points(run).groupby(["model", "summariser"], sort=False):
        neurons, claims = group["unit"].nunique(), group["claims"].sum()
        rows.append(
            {
                "model": model,
                "summariser": summariser,
                "neurons": neurons,
                "points": len(group) / neurons,
                "silent": float((group["claims"] == 0).mean()),
                "claims": claims / neurons,
                **(group[["shared", "some"]].sum() / claims),
            }
        )
    return pd.DataFrame(rows)


def real_captions(run: Run) -> pd.DataFrame:
    """Sets of K captions of a file (an audio LLM's, nothing measured), and what either summariser makes of them.

    The clips are the highest of SETS units drawn from AST's blocks. One row a set, summariser and point; columns set,
    clips (names), summariser, point, judged (which of LABELS our count of claims gives it). Empty for a profile whose
    descriptions hold no captions of a file.
    """
    from andlib.mini.consensus import summarise

    columns = ["set", "clips", "summariser", "point", "judged"]
    if "file" not in run.caption_parts:
        return pd.DataFrame(columns=columns)
    names = [clip.name for clip in run.probing_set.clips]
    captions, _ = descriptions.caption_file(run)
    table = asking.sampled(stages.neurons(run, "ast"))
    distinct = sorted({tuple(sorted(clips)) for clips in table.loc[table["layer"] != "classifier", "highest"]})
    order = np.random.default_rng(SEED).permutation(len(distinct))[:SETS]
    sets = [[names[i] for i in distinct[at]] for at in sorted(order)]
    read = [[captions[name] for name in clips] for clips in sets]
    given = asking.ask(run, [prompts.summary(texts) for texts in read], prompts.SUMMARY_SAMPLING, "summaries")
    rows = []
    for number, (clips, texts, answer) in enumerate(zip(sets, read, given, strict=True), 1):
        by_rules = [point.partition(" ")[2] for point in summarise(texts)]
        for summariser, said in (("rules", by_rules), ("llm", prompts.points(answer.text) if answer else ())):
            rows += [[number, ";".join(clips), summariser, point, _judged(point, texts)] for point in said]
    return pd.DataFrame(rows, columns=columns)


def _judged(point: str, captions: Sequence[str]) -> str:
    held = support(point, captions)
    if not held["claims"]:
        return "empty"
    return "shared" if held["shared"] == held["claims"] else "some" if held["some"] else "none"


def by_hand(run: Run) -> pd.DataFrame:
    """`real_captions` with the label that reading gave each point, NaN for one that nobody has read yet."""
    path = paths.results() / run.profile.name / "summaries_by_hand.csv"
    found = real_captions(run)
    if not path.is_file():
        return found.assign(label=np.nan)
    keys = ["clips", "summariser", "point"]
    return found.merge(pd.read_csv(path)[[*keys, "label"]].drop_duplicates(keys), on=keys, how="left")


def labelled(points_by_hand: pd.DataFrame) -> pd.DataFrame:
    """`by_hand`, counted: one row a summariser; columns points, the share of each of LABELS with its 95 % interval
    over sets for the first (low, high), and agreement: share of points that our count of claims labels the same."""
    rng = np.random.default_rng(SEED)
    rows = []
    for summariser, group in points_by_hand.dropna(subset="label").groupby("summariser", sort=False):
        by_set = group.assign(right=group["label"] == "shared").groupby("set")["right"].agg(["sum", "size"]).to_numpy()
        drawn = by_set[rng.integers(0, len(by_set), (DRAWS, len(by_set)))].sum(1)
        low, high = interval(drawn[:, 0] / drawn[:, 1])
        shares = {label: float((group["label"] == label).mean()) for label in LABELS}
        agreement = float((group["label"] == group["judged"]).mean())
        rows.append(
            {"summariser": summariser, "points": len(group), **shares, "low": low, "high": high, "agreement": agreement}
        )
    return pd.DataFrame(rows)


def adjective_filters(run: Run) -> pd.DataFrame:
    """How two filters of adjectives agree with a hand-labelled sample and with each other (Section 3.5).

    Filters: our list of words; the language model, asked once for each. One row a comparison; columns one, other,
    words, undecided (of the language model: neither yes nor no), agreement (share of those decided), yes_one,
    yes_other (shares they call acoustic).
    """
    by_hand_labels = asking.labelled_adjectives()
    said = asking.verdicts(run, by_hand_labels)
    told = {
        word
        for model in run.models
        for summary in set(stages.neurons_by_language_model(run, model)["calibrated"])
        for word in language.open_concepts(summary, acoustic=bool).adjectives
    }
    of_summaries = asking.verdicts(run, told)
    by_list = {word: language.is_acoustic(word) for word in (*by_hand_labels, *told)}
    cases = [
        ("our list", by_list, "by hand", by_hand_labels, by_hand_labels),
        ("language model", said, "by hand", by_hand_labels, by_hand_labels),
        ("language model", of_summaries, "our list", by_list, told),
    ]
    return pd.DataFrame([_agreement(*case) for case in cases])


def _agreement(one: str, first: Mapping, other: str, second: Mapping, words: Iterable[str]) -> dict:
    words = sorted(words)
    pairs = [(first[word], second[word]) for word in words if first[word] is not None]
    agreement, yes_one, yes_other = pd.DataFrame([(a == b, a, b) for a, b in pairs], columns=range(3)).mean()
    shares = {"agreement": agreement, "yes_one": yes_one, "yes_other": yes_other}
    return {"one": one, "other": other, "words": len(words), "undecided": len(words) - len(pairs), **shares}


def calibration_by_encoder(run: Run, others: Sequence[str]) -> pd.DataFrame:
    """How much of S_h calibration removes at t = 0.7 when another encoder measures the cosines (Section 3.4).

    One row a model and encoder; columns removed (share of points), changed (share of neurons whose S_h^c differs from
    that of the profile's encoder).
    """
    rows = []
    for model in run.models:
        table = stages.neurons(run, model)
        usual = list(map(list, table["calibrated"]))
        for encoder in (run.profile.encoder, *others):
            other = run.using(profile=replace(run.profile, encoder=encoder))
            kept = (
                usual
                if encoder == run.profile.encoder
                else list(map(list, stages.concluded(other, table)["calibrated"]))
            )
            removed = 1 - sum(map(len, kept)) / table["high"].map(len).sum()
            changed = np.mean([a != b for a, b in zip(kept, usual, strict=True)])
            rows.append({"model": model, "encoder": encoder, "removed": removed, "changed": float(changed)})
    return pd.DataFrame(rows)
