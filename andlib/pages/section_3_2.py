"""Sections 3.2 and 3.5: our rules and a language model side by side, as summarisers and as filters of adjectives."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from andlib import asking, descriptions, kept, language, paths, stages
from andlib.errors import InputError
from andlib.llms import prompts
from andlib.mini.consensus import claims, different
from andlib.pages.wording import by_model
from andlib.run import Run

SUMMARISERS = ("rules", "llm")


def asked(run: Run) -> pd.DataFrame:
    """Neurons of each network that a language model was asked about, questions and answers: of the run's and, where
    that reads kept answers alone, of every one whose answers are kept."""
    texts, rows = descriptions.clip_descriptions(run), []
    others = {row["model"] for row in run.completions.rows.values()} - {run.answerer} if not run.llm else ()
    for one in (run, *(run.using(llm=f"kept:{name}") for name in sorted(others))):
        for model in run.models:
            counts = asking.counted(one, asking.sampled(stages.neurons(run, model)), texts)
            rows.append({"asked": one.answerer, "model": model, **counts})
    return pd.DataFrame(rows)


def summaries(run: Run) -> pd.DataFrame:
    """`stages.neurons` that the language model described, a row for each of SUMMARISERS; InputError without answers."""
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
    """Every point of S_h of `summaries`: one row a model, unit, summariser and point, with the columns of `support`."""
    texts, rows = descriptions.clip_descriptions(run), []
    for neuron in summaries(run).to_dict("records"):
        captions = [texts[i] for i in neuron["highest"]]
        keys = {name: neuron[name] for name in ("model", "unit", "summariser")}
        rows += [{**keys, "point": point, **support(point, captions)} for point in neuron["high"]]
    return pd.DataFrame(rows, columns=["model", "unit", "summariser", "point", "claims", "shared", "some"])


def support(point: str, captions: Sequence[str]) -> dict[str, int]:
    """How many claims (sources, events, qualities) a point makes, and how many of them half of the captions, or one."""
    makers = [sum(claim in claims(caption) for caption in captions) for claim in claims(point)]
    half = (len(captions) + 1) // 2
    return {"claims": len(makers), "shared": sum(n >= half for n in makers), "some": sum(n > 0 for n in makers)}


def supported(run: Run) -> pd.DataFrame:
    """`points`, counted: one row a model and summariser. Columns shared and some (shares of claims, as `support` counts
    them), claims and points (a neuron, on average), neurons, silent (share of points without a claim)."""
    rows = []
    for (model, summariser), group in points(run).groupby(["model", "summariser"], sort=False):
        neurons, made = group["unit"].nunique(), group["claims"].sum()
        shares = {**(group[["shared", "some"]].sum() / made), "claims": made / neurons, "points": len(group) / neurons}
        counts = {"neurons": neurons, "silent": float((group["claims"] == 0).mean())}
        rows.append({"model": model, "summariser": summariser, **shares, **counts})
    return pd.DataFrame(rows)


def three_neurons(run: Run) -> pd.DataFrame:
    """S_h of one classifier neuron of each network, by either summariser: columns neuron, by, S_h."""
    table, rows = summaries(run), []
    for neuron in table[table["layer"] == "classifier"].groupby("model", sort=False).head(2).to_dict("records"):
        title = f"{neuron['unit']} ({run.target(neuron['model']).classes[neuron['index']]})"
        by, separator = ("rules", " ") if neuron["summariser"] == "rules" else ("language model", " / ")
        rows.append((title, by, separator.join(neuron["high"])))
    return pd.DataFrame(rows, columns=["neuron", "by", "S_h"])


def read_alike(run: Run) -> pd.DataFrame:
    """What module C reads in either writer's summaries of block units: one row a model and summariser. Columns names a
    class, with noun, with adjective (shares of neurons), commonest (adjectives that most of them have), neurons."""
    table, rows = summaries(run), []
    for keys, units in table[table["layer"] != "classifier"].groupby(["model", "summariser"], sort=False):
        having = {f"with {part}": (units[f"{part}s"].map(len) > 0).mean() for part in ("noun", "adjective")}
        named = [any(language.names_class(nouns, name) for name in run.probing_set.classes) for nouns in units["nouns"]]
        commonest = units["adjectives"].map(set).explode().value_counts().index[:5]
        about = {"model": keys[0], "summariser": keys[1], "names a class": np.mean(named), **having}
        rows.append(about | {"commonest": ", ".join(commonest) or "none", "neurons": len(units)})
    return pd.DataFrame(rows)


def ways_to_ask() -> tuple[pd.DataFrame, str]:
    """How often ICL, asked in several ways, names what thirty summaries were labelled by hand; and what measured it."""
    result = kept.read("mini", "ways_to_ask", "python -m benchmarks.choosing")
    return pd.DataFrame(result["rows"]), result["made_by"]


def adjective_filters(run: Run) -> pd.DataFrame:
    """How our list and the language model agree with a hand-labelled sample of adjectives and with each other (Section
    3.5). One row a comparison; columns one, other, agreement (share of words decided), yes_one, yes_other (shares they
    call acoustic), words, undecided (neither yes nor no)."""
    labels = asking.labelled_adjectives()
    described = {s for model in run.models for s in stages.neurons_by_language_model(run, model)["calibrated"]}
    read = [language.open_concepts(summary, acoustic=bool, tagger=run.tagger) for summary in described]
    written = {word for words in read for word in words.adjectives}
    by_list = {word: language.is_acoustic(word) for word in (*labels, *written)}
    rows = [("our list", by_list, "by hand", labels, labels)]
    rows += [("language model", asking.verdicts(run, labels), "by hand", labels, labels)]
    rows += [("language model", asking.verdicts(run, written), "our list", by_list, written)]
    return pd.DataFrame(_agreement(*row) for row in rows)


def _agreement(one: str, first: Mapping, other: str, second: Mapping, words: Iterable[str]) -> dict:
    words = sorted(words)
    rows = [(first[word] == second[word], first[word], second[word]) for word in words if first[word] is not None]
    shares = pd.DataFrame(rows, columns=["agreement", "yes_one", "yes_other"]).mean()
    return {"one": one, "other": other, **shares, "words": len(words), "undecided": len(words) - len(rows)}


def removals(run: Run) -> pd.DataFrame:
    """How many points calibration removes (Section 3.4): one row a writer and mode. Columns removed (share of
    points), different (share of these that fell to a point of another claim: `consensus.different`), and counts."""
    rows = []
    for summariser, table in summaries_of_all(run).items():
        points = int(table["high"].map(len).sum())
        for mode in ("corrected", "calibration_loop"):
            calibrated = stages.calibrate(run.using(mode=mode), table, "rules" if summariser == "rules" else "llm")
            triples = calibrated[["high", "like", "calibrated"]].itertuples(index=False)
            gone = [(p, q) for high, like, kept in triples for p, q in zip(high, like, strict=True) if p not in kept]
            share = float(np.mean([different(p, q) for p, q in gone]) if gone else np.nan)
            row = {"written by": summariser, "mode": mode, "removed": len(gone) / max(points, 1), "different": share}
            rows.append({**row, "neurons": len(table), "points": points})
    return pd.DataFrame(rows)


def summaries_of_all(run: Run) -> dict[str, pd.DataFrame]:
    """All neurons of the run's networks by our rules, and those that the language model has described, by it."""
    by_llm = [stages.neurons_by_language_model(run, model) for model in run.models]
    by_rules = [stages.neurons(run, model) for model in run.models]
    return {name: pd.concat(t, ignore_index=True) for name, t in (("rules", by_rules), (run.answerer, by_llm))}


def removals_by_hand() -> pd.Series:
    """How often `consensus.different` agrees with the hand on 100 removals by whole sentences at t = 0.7, by writer. By
    hand they are "same" where the point of S_l states the chief property of that of S_h."""
    read = pd.read_csv(paths.PACKAGE / "removals.csv")
    said = [different(point, like) for point, like in zip(read["point"], read["like"], strict=True)]
    return (np.array(said) == (read["label"] == "different")).groupby(read["writer"], sort=False).mean()


def words(run: Run, counted: pd.DataFrame, filters: pd.DataFrame) -> dict[str, object]:
    """The numbers of the page's sentences. counted: `supported`. filters: `adjective_filters`."""
    means = counted.loc[counted["summariser"] == "llm", ["shared", "some"]].mean()
    (by_list, by_llm), said_yes = filters["agreement"][:2], filters["yes_one"][1]
    spoken = {"answerer": run.answerer, "prompt": prompts.SUMMARY, "sampled": asking.SAMPLED, **means}
    spoken |= {"adjectives": len(asking.labelled_adjectives()), "different_agrees": by_model(removals_by_hand())}
    shares = {"list_agrees": by_list, "llm_agrees": by_llm, "llm_by_list": said_yes}
    return spoken | {name: f"{share:.0%}" for name, share in shares.items()}


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """What `make results` keeps of the page."""
    return {"supported": supported(run), "filters": adjective_filters(run), "removals": removals(run)}
