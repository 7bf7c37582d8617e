"""Section 4.2, Tables 3 and 6: descriptions of sampled neurons, what people are asked of them, and its scores."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from andlib import encoders, paper, paths, stages
from andlib.errors import InputError, check_choice, optional
from andlib.inputs.probing import reading, table_rows
from andlib.records import Unit
from andlib.run import Run
from andlib.statistics import interval
from andlib.store import digest

QUESTION = "Does the given description accurately describe most of these audio clips?"  # the paper's, Section 4.2
METHODS = ("TAB", "DB", "SUM")
COLUMNS = ("rater", "neuron", "method", "rating", "text", "page")  # of the CSV
BERTSCORES = {"minilm": encoders.EMBEDDED, "roberta-large": "roberta-large"}  # name -> network whose tokens match
DRAWS, SEED = 1000, 0


def sampled_neurons(run: Run, per_block: int = 10, seed: int = SEED, units: str = "") -> pd.DataFrame:
    """Rows of `stages.neurons` for units drawn from each block, but no dead ones or those that hardly fire; Section 4.2
    draws 10 from each of AST's 12. units: more of them, by name and comma-separated, which come first. Raises
    InputError for a unit that a model has not, and if per_block is negative or no unit is asked for."""
    tables = []
    for model in run.models:
        table, network = stages.neurons(run, model).set_index("unit", drop=False), run.target(model)
        named = [network.check(Unit.parse(name, model)).id for name in units.split(",") if name.strip()]
        if per_block < 0 or (not per_block and not named):
            raise InputError(f"{per_block} neurons a block were asked for; expected 1 or more, or units by name.")
        drawable = table[(table["layer"] != "classifier") & ~table["dead"] & ~table["hardly_fires"]]
        rng, drawn = np.random.default_rng(seed), []
        for _, block in drawable["unit"].groupby(drawable["layer"].str.partition(".")[0], sort=False):
            drawn += list(block.iloc[np.sort(rng.permutation(len(block))[:per_block])])
        tables.append(table.loc[list(dict.fromkeys([*named, *drawn]))])
    return pd.concat(tables, ignore_index=True)


def neuron_descriptions(run: Run, neurons: pd.DataFrame) -> pd.DataFrame:
    """Table 6: a row a neuron; columns neuron, SUM (the calibrated summary, a point a line), DB and TAB (their first
    concept), empty where nothing describes it, and labels (classes of its highest clips)."""
    first = {method: [next(iter(best), "") for best in neurons[method.lower()]] for method in ("DB", "TAB")}
    shared = [", ".join(run.probing_set.clips[i].label for i in clips) for clips in neurons["highest"]]
    summary = neurons["calibrated"].map("\n".join)
    return pd.DataFrame({"neuron": neurons["unit"], "SUM": summary, **first, "labels": shared})


def questionnaire(run: Run, neurons: pd.DataFrame) -> dict:
    """What raters are asked: each neuron's clips and its descriptions in random order, and the name of this page."""
    rng, rows = np.random.default_rng(SEED), []
    for row, highest in zip(neuron_descriptions(run, neurons).to_dict("records"), neurons["highest"], strict=True):
        shown = [{"method": method, "text": row[method]} for method in METHODS if row[method]]
        order = [shown[i] for i in rng.permutation(len(shown))]
        rows.append({"neuron": row["neuron"], "clips": list(map(int, highest)), "descriptions": order})
    return {"question": QUESTION, "neurons": rows, "page": digest([rows, run.probing_set.fingerprint])[:16]}


def read_ratings(run: Run, neurons: pd.DataFrame, folder: str | Path) -> pd.DataFrame:
    """Every row of the CSV files in a folder: COLUMNS (rating from 1 to 5) and said, the description that was rated.

    neurons: the sample that the page was made of. Raises InputError, naming file and line, for a missing column, a
    rating that is none, another page, what nobody was asked about, and a rater's second rating of one description."""
    if not (files := sorted(paths.named(folder).glob("*.csv"))):
        raise InputError(f"{str(folder)!r} holds no ratings. Give a folder of CSV files that the rating page saved.")
    asked = questionnaire(run, neurons)
    texts = {(row["neuron"], d["method"]): d["text"] for row in asked["neurons"] for d in row["descriptions"]}
    rows, seen = [], {}
    for file in files:
        with reading(file, "the CSV that the rating page of this sample saved") as text:
            lines = table_rows(text, COLUMNS)
            given = [_rating(line, cells, asked["page"], texts, seen, file.name) for line, cells in lines]
            if not given:
                raise ValueError("line 2: no rating, the file ends")
        rows += given
    return pd.DataFrame(rows)


def _rating(line: int, cells: dict, page: str, texts: dict, seen: dict, file: str) -> dict:
    cells = {column: cells[column].strip() for column in COLUMNS}
    rater, neuron, method, rating, _, rated = cells.values()
    if not rater:
        raise ValueError(f"line {line}: no rater is named")
    if rating not in ("1", "2", "3", "4", "5"):
        raise ValueError(f"line {line}: rating {rating!r} is none of 1, 2, 3, 4, 5")
    if rated != page:
        raise ValueError(f"line {line}: rated on page {rated!r}, but these neurons and descriptions are page {page!r}")
    if (neuron, method) not in texts:
        raise ValueError(f"line {line}: nobody was asked to rate {method!r} of {neuron!r}")
    if first := seen.get((rater, neuron, method)):
        raise ValueError(f"line {line}: {rater!r} rated {method} of {neuron} before, in {first}")
    seen[rater, neuron, method] = f"line {line} of {file}"
    return cells | {"rating": int(rating), "said": texts[neuron, method]}


def score_ratings(run: Run, neurons: pd.DataFrame, folder: str | Path, bertscore: str = "minilm") -> pd.DataFrame:
    """Table 3: one row a method; columns raters, neurons, ratings (how many), alpha (Krippendorff's, of intervals), and
    `mean_over_neurons` with its bounds (NAME_low, NAME_high) of rating, and of cos and bertscore_NAME between the
    raters' texts and the description. neurons, folder: as for `read_ratings`; where folder is "", nobody has rated:
    counts are 0 and scores NaN. bertscore: one of BERTSCORES, whose tokens match."""
    column = f"bertscore_{check_choice('BERTScore', bertscore, BERTSCORES)}"
    rated = read_ratings(run, neurons, folder) if folder else pd.DataFrame(columns=[*COLUMNS, "said"])
    rated[["cos", column]] = np.nan
    if len(written := rated[rated["text"] != ""]):
        texts, said = written["text"].tolist(), written["said"].tolist()
        cosine = (encoders.encode(texts, run.profile.encoder) * encoders.encode(said, run.profile.encoder)).sum(1)
        alike = token_f1(texts, said) if bertscore == "minilm" else _bert_score(texts, said)
        rated.loc[written.index, ["cos", column]] = np.stack([cosine, alike], 1)
    return pd.DataFrame([_scored(method, rated[rated["method"] == method], column) for method in METHODS])


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """What the page keeps: Table 3."""
    neurons = sampled_neurons(run, run.extra["per_block"], run.extra["seed"])
    return {"human_evaluation": score_ratings(run, neurons, run.extra["ratings"], run.extra["bertscore"])}


def words(run: Run, neurons: pd.DataFrame, described: pd.DataFrame, scores: pd.DataFrame) -> dict[str, object]:
    """The numbers of the page's prose. described: `neuron_descriptions` of the neurons. scores: `score_ratings`."""
    printed, mean = paper.numbers()["table3_human_evaluation"], scores.set_index("method")["rating"]
    rated = ", ".join(f"{method} {mean[method]:.2f}" for method in METHODS)
    order = "the paper's" if mean["SUM"] > mean["DB"] > mean["TAB"] else "another"
    nobody = "Nobody has rated these descriptions yet, so whether the paper's claim holds here cannot be said."
    spoken = {f"paper_{method.lower()}": printed[method][0] for method in METHODS}
    spoken |= {"state": nobody if mean.isna().any() else f"People's mean ratings are {rated}: the order is {order}."}
    spoken |= {"paper_design": printed["design"], "question": QUESTION, "raters": int(scores["raters"].max())}
    spoken |= {"drawn": len(neurons), "per_block": run.extra["per_block"], "concepts": len(run.concepts)}
    spoken |= {f"distinct_{method.lower()}": described[method].nunique() for method in ("TAB", "DB")}
    spoken |= {"same": float((described["TAB"] == described["DB"]).mean()), "encoder": run.profile.encoder}
    spoken |= {"silent": int((described["SUM"] == "").sum()), "title": run.profile.title}
    return spoken | {"points": float(neurons["calibrated"].map(len).mean())}


def _scored(method: str, rated: pd.DataFrame, bertscore: str) -> dict:
    row = {"method": method, "raters": rated["rater"].nunique(), "neurons": rated["neuron"].nunique()}
    row |= {"ratings": len(rated), "alpha": agreement(rated)}
    for column in ("rating", "cos", bertscore):
        given = rated.pivot(index="rater", columns="neuron", values=column).to_numpy(float)
        row |= dict(zip((column, f"{column}_low", f"{column}_high"), mean_over_neurons(given), strict=True))
    return row


def agreement(rated: pd.DataFrame) -> float:
    """Krippendorff's alpha of ratings, differences squared; NaN where no two raters share a neuron or all are equal."""
    shared = rated[rated.duplicated("neuron", keep=False)]
    if shared["rating"].nunique() < 2:
        return float("nan")
    from nltk.metrics import interval_distance
    from nltk.metrics.agreement import AnnotationTask

    triples = zip(shared["rater"], shared["neuron"], map(int, shared["rating"]), strict=True)
    return AnnotationTask(list(triples), distance=interval_distance).alpha()


def mean_over_neurons(given: np.ndarray) -> tuple[float, float, float]:
    """Mean over neurons of the mean over raters, and its 95 % bounds when both are drawn anew; NaN if none is given.
    given: [raters, neurons], NaN where one is missing. With one rater, neurons alone vary; one value has no bounds."""
    if np.isnan(given).all():
        return (float("nan"),) * 3
    rng = np.random.default_rng(SEED)
    drawn = [rng.multinomial(n, np.full(n, 1 / n), DRAWS) for n in given.shape]
    raters, neurons = (np.vstack([np.ones_like(times[0]), times]) for times in drawn)
    counted = raters @ ~np.isnan(given)
    each = raters @ np.nan_to_num(given) / np.maximum(counted, 1)
    weight = neurons * (counted > 0)
    some = weight.any(1)  # a draw may hold neurons of absent raters alone
    means = (each * weight).sum(1)[some] / weight.sum(1)[some]
    return float(means[0]), *interval(means[1:] if (~np.isnan(given)).sum() > 1 else means[:0])


def token_f1(texts: Sequence[str], others: Sequence[str]) -> np.ndarray:
    """BERTScore (Zhang et al. 2020), F1 of each pair of texts, by token vectors of the embedded MiniLM; [pairs]. Every
    token weighs the same, nothing is rescaled. Of a text longer than the network takes, the beginning counts."""
    from sentence_transformers import SentenceTransformer

    network = SentenceTransformer(str(encoders.embedded_folder()), device="cpu")
    distinct = sorted({*texts, *others})
    tokens = network.encode(distinct, output_value="token_embeddings", show_progress_bar=False)
    inner = (vectors.numpy()[1:-1] for vectors in tokens)  # without the marks of beginning and end
    unit = {t: v / np.linalg.norm(v, axis=1, keepdims=True) for t, v in zip(distinct, inner, strict=True)}
    cosines = [unit[text] @ unit[other].T for text, other in zip(texts, others, strict=True)]
    halves = np.array([(cosine.max(0).mean(), cosine.max(1).mean()) for cosine in cosines])
    return 2 * halves.prod(1) / halves.sum(1)


def _bert_score(texts: Sequence[str], others: Sequence[str]) -> np.ndarray:
    with optional("bert-score", install="Install it: pip install -c constraints.txt -e '.[paper]'."):
        import bert_score
    # rescaled: as it comes, roberta-large gives unrelated texts about 0.8, and the paper prints 0.42 to 0.46
    name, rescaled = BERTSCORES["roberta-large"], {"lang": "en", "rescale_with_baseline": True}
    return bert_score.score(list(others), list(texts), model_type=name, **rescaled)[2].numpy()
