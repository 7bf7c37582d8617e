"""The flow: from a probing set and a target network to a table of described neurons, each stage stored.

    clips ─► activations ─► highest / lowest clips ─► summaries ─► calibrated ─► open concepts ─┐
      └────► captions ────► DB: similarity of activations and concepts ─► closed concepts ──────┴─► neurons
Every function takes the run and gives one stage's result; each reads only the stages before it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from andlib import concepts, encoders, language, summaries
from andlib.activations import BUDGET, dead_units, highest, record, record_extremes, size
from andlib.activations import VERSION as ACTIVATIONS_VERSION
from andlib.captions import CaptionReport, compose, descriptions, find_captions, read_captions
from andlib.errors import InputError
from andlib.networks.checkpoints import CHECKPOINT_FILES, load_target
from andlib.paths import WEIGHTS
from andlib.records import ProbingSet, Unit
from andlib.run import Run
from andlib.store import digest, file_digest
from andlib.targets import Layer, Target

NEURONS_VERSION = 2  # raise it when a summary, its calibration or its open concepts change
UNTRAINED_SEED = 0
SHUFFLE_SEED = 0
SHARD = 256  # clips whose activations are stored at a time
HEARING_RATE = 16_000  # Hz, at which the ear hears
FUNCTION = "cos_cubed"  # labels block units; the paper does not say which it used, and finds this best for AST
CONTROLS = ("shuffled captions", "class words struck")


def target(run: Run, model: str | Target, *, untrained: bool = False) -> Target:
    """The target network F of that name in the run's profile, or its untrained twin; a Target is returned as it is."""
    if isinstance(model, Target):
        if untrained:
            raise InputError(f"{model.name} is given as a Target; give its untrained twin as another.")
        return model
    location = run.weights or run.profile.networks.get(model)
    if not location:
        raise InputError(
            f"Profile {run.profile.name} has no network {model}. Name its checkpoint, a folder or a hub id: "
            f"-p model {model} -p weights path/to/checkpoint."
        )
    bare = Path(location).suffix in CHECKPOINT_FILES  # class names are those of the recordings it learnt from
    return load_target(
        location,
        name=model,
        seconds=run.profile.seconds,
        classes=run.probing_set.classes if bare else (),
        untrained_seed=UNTRAINED_SEED if untrained else None,
    )


def probed(run: Run, model: str | Target, *, untrained: bool = False) -> Target:
    """The target as it is played to and read: as `target`, but for the faults of the released code that are on."""
    network = target(run, model, untrained=untrained)
    if "first_token" in run.faults:
        network = network.read(layers=[la.name for la in network.layers if len(la.axes) == 3], pooling="first")
    if "beats_48k_as_16k" in run.faults and network.name.startswith("beats"):
        network = replace(network, sample_rate=48_000)  # its features take every sample for one at 16 kHz
    return network


def unit_activations(run: Run, model: str | Target, *, untrained: bool = False) -> dict[str, np.ndarray]:
    """u of every unit on every clip: layer -> float32 [clips, units].

    Raises InputError if these matrices exceed activations.BUDGET.
    """
    network = probed(run, model, untrained=untrained)
    if too_large(run, network):
        raise InputError(
            f"Activations of {len(run.probing_set)} clips take {size(network, len(run.probing_set)) / 2**30:.1f} GiB; "
            f"the budget is {BUDGET / 2**30:.1f} GiB. Probe with fewer clips, or raise andlib.activations.BUDGET."
        )
    stored = [
        run.store.get("activations", key, lambda clips=clips: recorded(network, clips), "arrays")
        for key, clips in shards(run, network)
    ]
    return {layer.name: np.concatenate([shard[layer.name] for shard in stored]) for layer in network.layers}


def shards(run: Run, network: Target) -> Iterator[tuple[dict, ProbingSet]]:
    """Key and clips of every SHARD clips, stored by themselves: a killed run resumes behind the last."""
    key = _recorded(run, network)
    for first in range(0, len(run.probing_set), SHARD):
        clips = replace(run.probing_set, clips=run.probing_set.clips[first : first + SHARD])
        yield {**key, "first": first, "clips_in_shard": len(clips)}, clips


def recorded(network: Target, clips: ProbingSet) -> dict[str, np.ndarray]:
    """u of every unit on these clips alone: layer -> float32 [clips, units]."""
    return record(network, clips.batches(network.sample_rate, network.seconds), len(clips))


def highest_and_lowest(
    run: Run, network: Target, where: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """For each layer, every unit's K highest and lowest clips among `where` (indices into it), int [k, units], and u.

    u, float32 [clips, units], is None where the full matrices exceed the memory budget: the extremes are then
    streamed, and what needs every clip's activation (DB) is left out.
    """
    if not too_large(run, network):
        full = {name: u[where] for name, u in unit_activations(run, network).items()}
        return {name: (highest(u, run.k), highest(-u, run.k), u) for name, u in full.items()}
    chosen = replace(run.probing_set, clips=tuple(run.probing_set.clips[i] for i in where))

    def make():
        kept = record_extremes(network, chosen.batches(network.sample_rate, network.seconds), len(chosen), run.k)
        return {f"{name}/{i}": clips for name, pair in kept.items() for i, clips in enumerate(pair)}

    stored = run.store.get("extremes", extremes_key(run, network, where), make, "arrays")
    return {layer.name: (stored[f"{layer.name}/0"], stored[f"{layer.name}/1"], None) for layer in network.layers}


def extremes_key(run: Run, network: Target, where: np.ndarray) -> dict:
    """Everything that decides the highest and lowest clips among `where`."""
    return {**_recorded(run, network), "k": run.k, "folds": sorted(set(run.probing_set.folds[where].tolist()))}


def too_large(run: Run, network: Target) -> bool:
    """Whether the full matrices exceed the memory budget."""
    return size(network, len(run.probing_set)) > BUDGET


def _recorded(run: Run, network: Target) -> dict:
    """Everything that decides activations."""
    return {
        "target": network.fingerprint,
        "reading": digest(network.reading),
        "clips": run.probing_set.fingerprint,
        "sample_rate": network.sample_rate,
        "seconds": network.seconds,
        "version": ACTIVATIONS_VERSION,
    }


def clip_captions(run: Run) -> pd.DataFrame:
    """D_d by origin, one row a clip and origin: columns clip, origin, text."""
    names = [clip.name for clip in run.probing_set.clips]
    parts = caption_parts(run)
    texts = {}
    if "file" in parts:
        texts["file"], _ = caption_file(run)
    heard = tuple(part for part in parts if part != "file")
    if heard:
        texts |= _heard(run, names, heard)
    return compose(texts, names, order=parts)


def caption_file(run: Run) -> tuple[dict[str, str], CaptionReport]:
    """Captions read from the page's file, or the one in `data_dir`, and what had to be ignored or repaired."""
    return read_captions(run.captions or find_captions(run.data_dir), [clip.name for clip in run.probing_set.clips])


def caption_notes(run: Run) -> str:
    """One sentence on where the descriptions come from and what had to be repaired in them."""
    if "file" in caption_parts(run):
        return f"Read from {caption_file(run)[1]}."
    return "No caption file was read: the ear heard every clip."


def caption_parts(run: Run) -> tuple[str, ...]:
    """Origins that make up each description: the profile's, or the file's own where the page names a caption file."""
    return ("file", "measured") if run.captions else run.profile.caption_parts


def _heard(run: Run, names: list[str], parts: tuple[str, ...]) -> dict[str, dict[str, str]]:
    from andlib.mini.ear import EAR_VERSION, hear

    key = {
        "clips": run.probing_set.fingerprint,
        "seconds": run.profile.seconds,
        "parts": parts,
        "ear": EAR_VERSION,
        "weights": file_digest(WEIGHTS / "ear.safetensors"),
    }

    def make():
        batches = run.probing_set.batches(HEARING_RATE, run.profile.seconds)
        return [hear((clip for batch in batches for clip in batch), HEARING_RATE, names, parts)]

    [texts] = run.store.get("captions", key, make, "lines")
    return {part: dict(zip(names, texts[part], strict=True)) for part in parts}


def clip_descriptions(run: Run, control: str = "") -> list[str]:
    """The description d_i of every clip; under a control, one that cannot or should not carry its class.

    control: "shuffled captions" gives every clip another's; "class words struck" removes every word that names one of
    the probing set's classes.
    """
    names = [clip.name for clip in run.probing_set.clips]
    texts = descriptions(clip_captions(run), names)
    if control == "shuffled captions":
        order = np.random.default_rng(SHUFFLE_SEED).permutation(len(texts))
        return [texts[i] for i in order]
    if control == "class words struck":
        return [language.strike_class_words(text, run.probing_set.classes) for text in texts]
    return texts


def embeddings(run: Run, texts: Sequence[str], encoder: str) -> np.ndarray:
    """Unit-length vectors of texts by a text encoder; float32 [texts, dimensions]."""
    texts = list(texts)
    key = {"encoder": encoders.fingerprint(encoder), "texts": digest(texts)}

    def make():
        return {"vectors": encoders.encode(texts, encoder)}

    return run.store.get("embeddings", key, make, "arrays")["vectors"]


def concept_similarity(run: Run, control: str = "") -> np.ndarray:
    """P for DB: similarity of each clip's description and each concept; float32 [clips, concepts]."""
    return concepts.clip_concept_similarity(
        embeddings(run, clip_descriptions(run, control), run.encoder),
        embeddings(run, run.concepts, run.encoder),
        softmax_over_concepts="db_double_softmax" in run.faults,
    )


def sound_vectors(run: Run) -> np.ndarray:
    """Unit-length vectors of the clips' sounds by TAB's audio encoder; float32 [clips, dimensions]."""
    pair, probing_set = encoders.audio_text(run.audio_encoder), run.probing_set
    key = {"encoder": pair.fingerprint, "clips": probing_set.fingerprint, "seconds": run.profile.seconds}

    def make():
        return {"vectors": pair.audio(probing_set.batches(pair.sample_rate, run.profile.seconds))}

    return run.store.get("sound_vectors", key, make, "arrays")["vectors"]


def sound_similarity(run: Run) -> np.ndarray:
    """P for TAB: similarity of each clip's sound and each concept; float32 [clips, concepts] (Section 3.3)."""
    pair = encoders.audio_text(run.audio_encoder)
    key = {
        "encoder": pair.fingerprint,
        "clips": run.probing_set.fingerprint,
        "seconds": run.profile.seconds,
        "texts": digest(run.concepts),
    }

    def make():
        return {"p": concepts.clip_concept_similarity(sound_vectors(run), pair.texts(run.concepts))}

    return run.store.get("sounds", key, make, "arrays")["p"]


def closed_scores(
    run: Run, method: str, function: str, u: np.ndarray, p: np.ndarray, *, hidden: bool = False
) -> np.ndarray:
    """DB's or TAB's scores of every concept for the units of one layer; float32 [units, concepts].

    hidden: whether they are any layer's but the classifier's.
    """
    options = {"single_argsort": True} if function == "rank_reorder" and "rank_single_argsort" in run.faults else {}
    if method == "TAB":  # released code: gives TAB a layer at once
        return concepts.score(function, u, p, **options)
    one_at_a_time = "db_one_unit_at_a_time" in run.faults
    top_k_only = run.k if hidden and "db_top_k_only" in run.faults else 0
    if one_at_a_time or top_k_only:
        return concepts.score_as_released(function, u, p, top_k_only=top_k_only, **options)
    return concepts.score(function, u, p, **options)


def neurons(
    run: Run,
    model: str | Target,
    folds: Sequence[int] = (1, 2, 3, 4, 5),
    layers: Sequence[str] = (),
    control: str = "",
) -> pd.DataFrame:
    """Every described neuron of a model, one row a unit, from the clips of `folds`.

    Columns: unit, layer, index, dead; highest and lowest (clip indices in the whole set); high, low, calibrated
    (points of S_h, S_l, S_h^c); kinds (of each point of S_h: source, quality or event); like, cosine (for each point
    of S_h, the closest point of S_l);
    adjectives, nouns, verbs, prepositions, raw_nouns (C_open), length; db, tab (the three best concepts).
    layers: some of the target's; all by default. control: as for `clip_descriptions`.
    """
    network = probed(run, model)
    described = [network.layer(name) for name in layers] or list(network.layers)
    where = run.probing_set.numbers_in(folds)
    if len(where) < run.k:
        raise InputError(f"{len(where)} clips cannot give K = {run.k} highest; lower k or probe with more clips.")
    texts = clip_descriptions(run, control)
    key = {
        "target": network.name,
        "activations": _recorded(run, network),
        "folds": sorted(folds),
        "texts": digest(texts),
        "sentences": encoders.fingerprint(run.profile.encoder),
        "encoder": encoders.fingerprint(run.encoder),
        "audio_encoder": encoders.audio_text(run.audio_encoder).fingerprint,
        "concepts": digest(run.concepts),
        "summariser": run.summariser,
        "llm": [run.answerer, getattr(run.language_model, "revision", run.completions.kept)]
        * (run.summariser == "llm"),
        "tagger": run.profile.tagger,
        "layers": [layer.name for layer in described],
        "k": run.k,
        "faults": sorted(run.faults),
        "function": FUNCTION,
        "version": NEURONS_VERSION,
    }

    def make():
        p = {"DB": concept_similarity(run, control)[where], "TAB": sound_similarity(run)[where]}
        return _describe(run, network, described, where, texts, p)

    return run.store.get("neurons", key, make, "frame")


def _describe(
    run: Run, network: Target, described: Sequence[Layer], where: np.ndarray, texts: list[str], p: dict[str, np.ndarray]
) -> pd.DataFrame:
    from tqdm import tqdm

    from andlib.mini.consensus import Consensus, told

    extremes = highest_and_lowest(run, network, where)
    summariser = Consensus([texts[i] for i in where])
    tables = []
    for layer in tqdm(described, desc="describing", unit="layer", leave=False):
        top, bottom, u = extremes[layer.name]
        shared = summariser.shared(top)
        table = pd.DataFrame(
            {
                "unit": [Unit(network.name, layer.name, i).id for i in range(layer.units)],
                "layer": layer.name,
                "index": range(layer.units),
                "dead": False if u is None else dead_units(u),
                "highest": list(where[top].T),
                "lowest": list(where[bottom].T),
                "high": [told(claims) for claims in shared],
                "kinds": [[claim.kind for claim, _, _ in claims] for claims in shared],
                "low": summariser.summaries(bottom),
                **{method.lower(): _closed_concepts(run, method, u, p[method], layer) for method in p},
            }
        )
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    if run.summariser == "llm":
        from andlib.asking import summarised

        table = summarised(run, table, texts)
        if not table.pop("answered").all():
            raise InputError(
                "The language model has not answered for every neuron: name one that can be asked (-p llm smollm2), "
                "or run the page again, which asks those that failed."
            )
    return concluded(run, table, language_model=run.summariser == "llm")


def concluded(run: Run, table: pd.DataFrame, *, language_model: bool = False) -> pd.DataFrame:
    """Neurons with summaries `high` and `low`, calibrated (module B) and read for open concepts (module C).

    language_model: judges the adjectives; else a list of ours does.
    """
    return _open_concepts(run, _calibrate(run, table), language_model)


def _closed_concepts(run: Run, method: str, u: np.ndarray | None, p: np.ndarray, layer: Layer) -> list[list[str]]:
    """The three best concepts of each unit of a layer; none where activations were streamed."""
    if u is None:
        return [[] for _ in range(layer.units)]
    best = concepts.ranked(closed_scores(run, method, FUNCTION, u, p, hidden=layer.hidden), 3)
    return [[run.concepts[j] for j in row] for row in best]


def _calibrate(run: Run, table: pd.DataFrame) -> pd.DataFrame:
    """Adds the calibrated summary, without greetings and junk; and for each point of S_h the closest one of S_l."""
    points = sorted({point for column in ("high", "low") for row in table[column] for point in row})
    vectors = embeddings(run, points, run.profile.encoder)
    row_of = {point: i for i, point in enumerate(points)}
    rule = summaries.calibrate_as_released if "calibration_loop" in run.faults else summaries.calibrate
    released = "word_lists_by_substring" in run.faults
    junk = {point for point in points if language.is_boilerplate(point, released=released)}
    kept, like, cosines = [], [], []
    for high, low in zip(table["high"], table["low"], strict=True):
        cosine = vectors[[row_of[p] for p in high]] @ vectors[[row_of[p] for p in low]].T
        h, lo = ([i for i, point in enumerate(side) if point not in junk] for side in (high, low))
        kept.append(rule([high[i] for i in h], [low[i] for i in lo], cosine[np.ix_(h, lo)]).kept)
        like.append([low[j] for j in cosine.argmax(1)] if len(low) else [""] * len(high))
        cosines.append(cosine.max(1, initial=-1))
    return table.assign(calibrated=kept, like=like, cosine=cosines)


def _open_concepts(run: Run, table: pd.DataFrame, language_model: bool) -> pd.DataFrame:
    """Adds C_open: words of the calibrated summary by part of speech, and its length in words."""
    released = "word_lists_by_substring" in run.faults
    acoustic = language.is_acoustic
    if language_model:
        from andlib.asking import acoustic_filter

        acoustic = acoustic_filter(run, table["calibrated"])
    found = {p: language.open_concepts(p, released=released, acoustic=acoustic) for p in set(table["calibrated"])}
    rows = [found[points] for points in table["calibrated"]]
    words = {
        part: [_repeated(getattr(row, part)) for row in rows]
        for part in ("adjectives", "nouns", "verbs", "prepositions", "raw_nouns")
    }
    return table.assign(**words, length=[row.length for row in rows])


def _repeated(counts: dict[str, int]) -> list[str]:
    return [word for word, count in counts.items() for _ in range(count)]
