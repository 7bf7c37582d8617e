"""Sections 3.2 and 3.5: our rules and a language model side by side, as summarisers and as filters of adjectives."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from andlib import asking, descriptions, language, paths, stages
from andlib.errors import InputError
from andlib.llms import prompts
from andlib.pages.wording import by_model
from andlib.run import Run
from andlib.statistics import interval

DRAWS = 1000
SETS, SEED = 30, 0
SUMMARISERS = ("rules", "llm")
# of a point, by reading: at least half of the captions say so, fewer, none; or it says nothing of the sounds
LABELS = ("shared", "some", "none", "empty")


def asked(run: Run) -> pd.DataFrame:
    """Neurons of each network that the language model was asked about, by how many questions, and answers it gave."""
    texts, rows = descriptions.clip_descriptions(run), []
    for model in run.models:
        counts = asking.counted(run, asking.sampled(stages.neurons(run, model)), texts)
        answered = len(stages.neurons_by_language_model(run, model))
        rows.append((model, counts["asked"], counts["questions"], answered, counts["cut"]))
    return pd.DataFrame(rows, columns=["model", "asked about", "questions", "answered", "cut by length"])


def questions(run: Run) -> pd.DataFrame:
    """How many questions all neurons of each network would need, as `asking.questions_saved` counts them."""
    return pd.DataFrame({"model": m, **asking.questions_saved(stages.neurons(run, m))} for m in run.models)


def summaries(run: Run) -> pd.DataFrame:
    """The neurons that the language model has described, two rows each, by our rules and by the language model: columns
    of `stages.neurons`, model and summariser. Raises InputError without any answer."""
    tables = []
    for model in run.models:
        by_llm = stages.neurons_by_language_model(run, model)
        by_rules = stages.neurons(run, model).set_index("unit", drop=False).loc[by_llm["unit"]].reset_index(drop=True)
        pairs = zip(SUMMARISERS, (by_rules, by_llm), strict=True)
        table = pd.concat([rows.assign(model=model, summariser=name) for name, rows in pairs])
        tables.append(table.sort_index(kind="stable"))
    if not any(map(len, tables)):
        raise InputError(f"No answer of {run.answerer} is kept: `make answers PROFILE={run.profile.name}` asks.")
    return pd.concat(tables, ignore_index=True)


def points(run: Run) -> pd.DataFrame:
    """Every point of S_h that either summariser wrote for the sampled neurons, and how far the captions support it.

    One row a model, unit, summariser and point, of neurons that the language model answered for; columns those of
    `support`, which counts things said: sources, events, qualities."""
    texts, rows = descriptions.clip_descriptions(run), []
    for neuron in summaries(run).to_dict("records"):
        captions = [texts[i] for i in neuron["highest"]]
        keys = {name: neuron[name] for name in ("model", "unit", "summariser")}
        rows += [{**keys, "point": point, **support(point, captions)} for point in neuron["high"]]
    return pd.DataFrame(rows, columns=["model", "unit", "summariser", "point", "claims", "shared", "some"])


def support(point: str, captions: Sequence[str]) -> dict[str, int]:
    """How many claims a point makes, how many of them at least half of the captions make, and how many one makes."""
    from andlib.mini.consensus import claims

    makers = [sum(claim in claims(caption) for caption in captions) for claim in claims(point)]
    half = (len(captions) + 1) // 2
    return {"claims": len(makers), "shared": sum(n >= half for n in makers), "some": sum(n > 0 for n in makers)}


def supported(run: Run) -> pd.DataFrame:
    """`points`, counted: one row a model and summariser.

    Columns neurons (that the language model answered for), points (a neuron, on average), silent (share of points that
    make no claim), claims (a neuron, on average), shared (share of claims that at least half of the K captions make),
    some (share that one makes)."""
    rows = []
    for (model, summariser), group in points(run).groupby(["model", "summariser"], sort=False):
        neurons, claims = group["unit"].nunique(), group["claims"].sum()
        counts = {"neurons": neurons, "points": len(group) / neurons, "silent": float((group["claims"] == 0).mean())}
        shares = {"claims": claims / neurons, **(group[["shared", "some"]].sum() / claims)}
        rows.append({"model": model, "summariser": summariser, **counts, **shares})
    return pd.DataFrame(rows)


def real_captions(run: Run) -> pd.DataFrame:
    """Sets of K captions of a file (an audio LLM's, nothing measured), and what either summariser makes of them.

    The clips are the highest of SETS units drawn from AST's blocks. One row a set, summariser and point; columns set,
    clips (names), summariser, point, judged (which of LABELS our count of claims gives it). Empty for a profile whose
    descriptions hold no captions of a file."""
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
        by_llm = prompts.points(answer.text) if answer else ()
        for summariser, written in zip(SUMMARISERS, (by_rules, by_llm), strict=True):
            rows += [[number, ";".join(clips), summariser, point, _judged(point, texts)] for point in written]
    return pd.DataFrame(rows, columns=columns)


def _judged(point: str, captions: Sequence[str]) -> str:
    counts = support(point, captions)
    if not counts["claims"]:
        return "empty"
    return "shared" if counts["shared"] == counts["claims"] else "some" if counts["some"] else "none"


def by_hand(run: Run) -> pd.DataFrame:
    """`real_captions` with the label that reading gave each point, NaN for one that nobody has read yet."""
    path = paths.results() / run.profile.name / "summaries_by_hand.csv"
    captions = real_captions(run)
    if not path.is_file():
        return captions.assign(label=np.nan)
    keys = ["clips", "summariser", "point"]
    return captions.merge(pd.read_csv(path)[[*keys, "label"]].drop_duplicates(keys), on=keys, how="left")


def labelled(points_by_hand: pd.DataFrame) -> pd.DataFrame:
    """`by_hand`, counted: one row a summariser; columns points, the share of each of LABELS with its 95 % interval
    over sets (one: NaN) for the first (low, high), and agreement: share of points that our count labels the same."""
    rng, rows = np.random.default_rng(SEED), []
    for summariser, group in points_by_hand.dropna(subset="label").groupby("summariser", sort=False):
        by_set = group.assign(right=group["label"] == "shared").groupby("set")["right"].agg(["sum", "size"]).to_numpy()
        drawn = by_set[rng.integers(0, len(by_set), (DRAWS, len(by_set)))].sum(1)
        low, high = interval(drawn[:, 0] / drawn[:, 1] if len(by_set) > 1 else drawn[:0, 0])
        shares = {label: float((group["label"] == label).mean()) for label in LABELS}
        counts = {"summariser": summariser, "points": len(group), **shares, "low": low, "high": high}
        rows.append({**counts, "agreement": float((group["label"] == group["judged"]).mean())})
    return pd.DataFrame(rows)


def label_table(read: pd.DataFrame) -> pd.DataFrame:
    """`labelled`, or a row that says that there is nothing. read: `by_hand`."""
    nothing = {"summariser": "none: no point on captions of real recordings was read here", "points": 0}
    return labelled(read) if read["label"].notna().any() else pd.DataFrame([nothing])


def three_neurons(run: Run) -> pd.DataFrame:
    """S_h of one classifier neuron of each network, by either summariser: columns neuron, by, S_h."""
    table, rows = summaries(run), []
    for neuron in table[table["layer"] == "classifier"].groupby("model", sort=False).head(2).to_dict("records"):
        title = f"{neuron['unit']} ({run.target(neuron['model']).classes[neuron['index']]})"
        by, separator = ("rules", " ") if neuron["summariser"] == "rules" else ("language model", " / ")
        rows.append((title, by, separator.join(neuron["high"])))
    return pd.DataFrame(rows, columns=["neuron", "by", "S_h"])


def adjectives(run: Run) -> dict[str, Counter]:
    """Adjectives of the calibrated summaries by who wrote and filtered them, of the same neurons."""
    table, names = summaries(run), zip(SUMMARISERS, ("rules", "language model"), strict=True)
    by_writer = {title: table.loc[table["summariser"] == name, "adjectives"] for name, title in names}
    return {title: Counter(word for words in lists for word in words) for title, lists in by_writer.items()}


def adjective_filters(run: Run) -> pd.DataFrame:
    """How two filters of adjectives agree with a hand-labelled sample and with each other (Section 3.5).

    Filters: our list of words; the language model, asked once for each. One row a comparison; columns one, other,
    words, undecided (of the language model: neither yes nor no), agreement (share of those decided), yes_one,
    yes_other (shares they call acoustic)."""
    labels = asking.labelled_adjectives()
    described = {s for model in run.models for s in stages.neurons_by_language_model(run, model)["calibrated"]}
    written = {word for s in described for word in language.open_concepts(s, acoustic=bool).adjectives}
    by_list = {word: language.is_acoustic(word) for word in (*labels, *written)}
    rows = [_agreement("our list", by_list, "by hand", labels, labels)]
    rows += [_agreement("language model", asking.verdicts(run, labels), "by hand", labels, labels)]
    rows += [_agreement("language model", asking.verdicts(run, written), "our list", by_list, written)]
    return pd.DataFrame(rows)


def _agreement(one: str, first: Mapping, other: str, second: Mapping, words: Iterable[str]) -> dict:
    words = sorted(words)
    pairs = [(first[word], second[word]) for word in words if first[word] is not None]
    agreement, yes_one, yes_other = pd.DataFrame([(a == b, a, b) for a, b in pairs], columns=range(3)).mean()
    shares = {"agreement": agreement, "yes_one": yes_one, "yes_other": yes_other}
    return {"one": one, "other": other, "words": len(words), "undecided": len(words) - len(pairs), **shares}


def calibration_by_encoder(run: Run, *others: str) -> pd.DataFrame:
    """How much of S_h calibration removes at t = 0.7 when another encoder measures the cosines (Section 3.4).

    One row a model and encoder; columns removed (share of points), changed (share of neurons whose S_h^c differs from
    that of the profile's encoder). others: encoders beside it; "" is none."""
    rows = []
    for model in run.models:
        table = stages.neurons(run, model)
        usual = list(map(list, table["calibrated"]))
        for encoder in filter(None, (run.profile.encoder, *others)):
            kept = usual
            if encoder != run.profile.encoder:
                other = run.using(profile=replace(run.profile, encoder=encoder))
                kept = list(map(list, stages.concluded(other, table)["calibrated"]))
            removed = 1 - sum(map(len, kept)) / table["high"].map(len).sum()
            changed = np.mean([a != b for a, b in zip(kept, usual, strict=True)])
            rows.append({"model": model, "encoder": encoder, "removed": removed, "changed": float(changed)})
    return pd.DataFrame(rows)


def removals(run: Run) -> pd.DataFrame:
    """How many points calibration removes, and how many of those for a point that claims another thing (Section 3.4).

    One row a writer and way of comparing points: as corrected, and as sentences at t = 0.5 (`calibration_loop`).
    Columns neurons, points, removed (share of points), different (share of removals whose closest point of S_l makes
    other claims, see `consensus.different`)."""
    from andlib.mini.consensus import different

    released, rows = run.using(mode="calibration_loop"), []
    for summariser, table in summaries_of_all(run).items():
        writer = "rules" if summariser == "rules" else "llm"
        for compared, one in (("corrected", run.using(mode="corrected")), ("calibration_loop", released)):
            calibrated = stages.calibrate(one, table, writer)
            triples = calibrated[["high", "like", "calibrated"]].itertuples(index=False)
            gone = [(p, q) for high, like, kept in triples for p, q in zip(high, like, strict=True) if p not in kept]
            points = int(table["high"].map(len).sum())
            row = {"written by": summariser, "mode": compared, "neurons": len(table), "points": points}
            share = np.mean([different(p, q) for p, q in gone]) if gone else np.nan
            rows.append({**row, "removed": len(gone) / max(points, 1), "different": float(share)})
    return pd.DataFrame(rows)


def summaries_of_all(run: Run) -> dict[str, pd.DataFrame]:
    """All neurons of the run's networks by our rules, and those that the language model has described, by it."""
    by_llm = [stages.neurons_by_language_model(run, model) for model in run.models]
    by_rules = [stages.neurons(run, model) for model in run.models]
    return {name: pd.concat(t, ignore_index=True) for name, t in (("rules", by_rules), (run.answerer, by_llm))}


def removals_by_hand() -> pd.Series:
    """How often `consensus.different` agrees with the hand on 100 removals by whole sentences at t = 0.7, by writer.

    They were labelled "same" where the point of S_l states the chief property of that of S_h, else "different"."""
    from andlib.mini.consensus import different

    read = pd.read_csv(paths.PACKAGE / "removals.csv")
    said = [different(point, like) for point, like in zip(read["point"], read["like"], strict=True)]
    return (np.array(said) == (read["label"] == "different")).groupby(read["writer"], sort=False).mean()


def words(run: Run, counted: pd.DataFrame, read: pd.DataFrame, filters: pd.DataFrame) -> dict[str, object]:
    """The numbers of the page's sentences. counted: `supported`. read: `by_hand`. filters: `adjective_filters`."""
    unread, (by_list, by_llm) = "This profile has no such captions.", filters["agreement"][:2]
    shown = {"llm_shared": ".0%", "llm_some": ".0%", "llm_points": ".1f", "rules_points": ".1f"}
    means = counted.set_index(["summariser", "model"])
    spoken = {"answerer": run.answerer, "prompt": prompts.SUMMARY, "sampled": asking.SAMPLED}
    for name, spec in shown.items():
        writer, column = name.split("_")
        values = means.loc[writer][column] if writer in means.index else {}
        spoken[name] = by_model(values, spec) or "no answer is kept"
    spoken |= {"adjectives": len(asking.labelled_adjectives()), "sets": read["set"].nunique()}
    spoken |= {"read": f"{read['label'].notna().sum()} of {len(read)} points were read." if len(read) else unread}
    spoken |= {"list_agrees": f"{by_list:.0%}", "llm_agrees": f"{by_llm:.0%}"}
    spoken |= {"different_agrees": by_model(removals_by_hand(), ".0%")}
    return spoken | {"llm_by_list": f"{filters['yes_one'].iloc[1]:.0%}"}


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """What `make results` keeps of the page."""
    calibration = calibration_by_encoder(run, run.extra.get("compare_encoder", ""))
    read, filters = label_table(by_hand(run)), adjective_filters(run)
    counted = {"supported": supported(run), "questions": questions(run)}
    return {**counted, "by_hand": read, "filters": filters, "calibration": calibration, "removals": removals(run)}
