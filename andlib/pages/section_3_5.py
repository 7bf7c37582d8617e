"""Section 3.5, Figures 3 and 9: which adjectives neurons have, and what each filter of adjectives removes."""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import product

import pandas as pd

from andlib import asking, language, stages, tagging
from andlib.descriptions import alone, clip_descriptions
from andlib.run import Run

FILTERS = ("stop word", "negated", "not acoustic", "kept")
MOST = 20  # commonest adjectives of a network that Figure 9 draws
ANSWERS = {True: "yes", False: "no", None: "no answer is kept"}


def common_adjectives(run: Run, model: str, control: str = "") -> pd.Series:
    """Figures 3 and 9: neurons with each adjective in C_open, the commonest first. control: of `clip_descriptions`."""
    neurons = stages.neurons(run, model, control=control)
    counts = Counter(word for words in neurons["adjectives"] for word in sorted(set(words)))
    return pd.Series(dict(counts.most_common()), name="neurons", dtype=int)


def by_origin(run: Run) -> pd.DataFrame:
    """The commonest adjectives when captions of one origin alone describe the clips, a row a model and origin: columns
    model, captions, different (adjectives), commonest (with how many neurons have each)."""
    rows = []
    for model, control in product(run.models, ("", *alone(run))):
        counts = common_adjectives(run, model, control)
        heads = ", ".join(f"{word} ({times})" for word, times in counts.head(6).items())
        rows.append((model, control or " + ".join(run.caption_parts), len(counts), heads or "none"))
    return pd.DataFrame(rows, columns=["model", "captions", "different", "commonest"])


def common(run: Run, counts: Mapping[str, pd.Series]) -> pd.DataFrame:
    """How many neurons have each of the networks' MOST common adjectives: columns adjective, one a model, our list (its
    kind of word), and what the language model answers, under its name. counts: model -> `common_adjectives`."""
    shown = list(dict.fromkeys(word for neurons in counts.values() for word in neurons.index[:MOST]))
    answers = asking.verdicts(run, shown)
    columns = {model: neurons.reindex(shown, fill_value=0) for model, neurons in counts.items()}
    columns |= {"our list": [tagging.ACOUSTIC.get(word, "no") for word in shown]}
    columns |= {run.answerer: [ANSWERS[answers[word]] for word in shown]}
    return pd.DataFrame(columns, index=shown).rename_axis("adjective").reset_index()


def texts(run: Run) -> dict[str, list[str]]:
    """What the filters read, by name: summaries of all neurons, the language model's of some, descriptions of clips."""
    read = {f"summaries by {'rules' if run.summariser == 'rules' else run.answerer}": stages.neurons}
    read |= {f"summaries by {run.answerer}, sampled neurons": stages.neurons_by_language_model}
    written = {name: pd.concat(table(run, model)["calibrated"] for model in run.models) for name, table in read.items()}
    points = {name: [point for summary in some for point in summary] for name, some in written.items()}
    return {**points, "descriptions of clips": clip_descriptions(run)}


def adjective_fates(texts: Iterable[str], tagger: str = "hanta") -> pd.DataFrame:
    """What each of FILTERS (Section 3.5) does with every adjective of some texts; columns filter, adjective, times."""
    fates: Counter = Counter()
    for text, times in Counter(texts).items():
        tokens = tagging.tag(text, tagger)
        passed = {id(token): word for word, token, _ in language.adjectives_of(tokens)}
        for token in tokens:
            if word := passed.get(id(token)):
                acoustic = "kept" if language.is_acoustic(word) else "not acoustic"
                fates["negated" if token.negated else acoustic, word] += times
            elif token.pos == "adjective":
                fates["stop word", token.lemma] += times
    rows = [(kind, word, times) for (kind, word), times in fates.items()]
    rows.sort(key=lambda row: (FILTERS.index(row[0]), -row[2], row[1]))
    return pd.DataFrame(rows, columns=["filter", "adjective", "times"])


def filtered(fates: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """What each filter does to each kind of text. fates: name of `texts` -> `adjective_fates`."""
    rows = []
    for (name, table), kind in product(fates.items(), FILTERS):
        words = table[table["filter"] == kind]
        rows.append((name, kind, len(words), words["times"].sum(), ", ".join(words["adjective"][:6]) or "none"))
    return pd.DataFrame(rows, columns=["text", "filter", "adjectives", "times", "commonest"])


def words(run: Run, counts: Mapping[str, pd.Series], removal: pd.DataFrame) -> dict[str, object]:
    """The numbers of the page's sentences. counts: as for `common`. removal: `filtered`."""
    heads = {model: list(neurons.index[:MOST]) for model, neurons in counts.items()}
    loud, high = ([name for name in run.models if word in heads[name]] for word in ("loud", "high-pitched"))
    times = removal.pivot(index="text", columns="filter", values="times").loc[removal["text"].unique()]
    gone = 1 - times["kept"] / times.sum(axis=1)
    gone = gone.map("{:.0%}".format).where(gone.notna(), "none: there is no such text")
    shares = zip(("rules_removed", "llm_removed", "captions_removed"), gone, strict=True)
    described = sum(len(stages.neurons_by_language_model(run, name)) for name in run.models)
    spoken = {"title": run.profile.title, "network": run.models[0], "answerer": run.answerer, "described": described}
    spoken |= {"first": ", ".join(heads[run.models[0]][:3]), "shared": len(set.intersection(*map(set, heads.values())))}
    spoken |= {"claim": "holds" if loud == high == list(run.models) else "does not hold for both words"}
    return spoken | {"loud": ", ".join(loud) or "none", "high": ", ".join(high) or "none", **dict(shares)}


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """What `make results` keeps of the page."""
    counts = {name: common_adjectives(run, name) for name in run.models}
    fates = {name: adjective_fates(read, run.tagger) for name, read in texts(run).items()}
    return {"common": common(run, counts), "filtered": filtered(fates), "by_origin": by_origin(run)}
