"""The published artefact: neurons, activations, ICL's answers and the effects of Table 4, in files that any tool reads.

`neurons.parquet` is `stages.neurons` of every model, `learnt.parquet` the same from clips of folds 2-5, by which the
sets of units in `sets.parquet` were chosen. `activations.safetensors` holds all arrays. `meta.json` says what they are,
in the words of export_schema.toml; it is written last: a folder without it is no export."""

import json
import tomllib
from contextlib import suppress
from importlib.metadata import version
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from andlib import activations, asking, concepts, paths, stages, unlearning
from andlib.bench import bench
from andlib.errors import InputError
from andlib.pages import section_4_1, section_4_3, section_4_5
from andlib.profiles import LEARNT, TEST
from andlib.responses import unit_activations
from andlib.run import Run
from andlib.store import KINDS, Arrays, digest, file_digest, read_object, write_atomically

ARRAYS = "activations.safetensors"
MEASURED = ("own", "margin", "correct")  # of `Effects`
TABLES = ("neurons", "learnt", "sets", "icl")
FILES = dict.fromkeys((f"{name}.parquet" for name in TABLES), "frame") | {ARRAYS: "arrays"}


def schema() -> dict:
    """The description of an export: version, fields of meta.json, and kinds of arrays with their axes."""
    described = tomllib.loads((paths.PACKAGE / "export_schema.toml").read_text(encoding="utf-8"))
    return described | {"tables": {**described["tables"], "learnt": described["tables"]["neurons"]}}


def export(run: Run, folder: str | Path) -> Path:
    """Writes what others need to recompute Tables 2, 4, 7 and Figure 6 for the run's models; returns the folder. The
    same run gives the same bytes. Raises InputError if all activations together exceed activations.BUDGET."""
    folder = paths.named(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is no folder; name one, new or old, for the files of the export.")
    networks = [run.probed(model) for model in run.models]
    needed = sum(activations.size(network, len(run.probing_set)) for network in networks)
    if needed > activations.BUDGET:
        taken = f"Activations of {', '.join(run.models)} take {needed / 2**30:.1f} GiB together"
        budget = f"the budget is {activations.BUDGET / 2**30:.1f} GiB"
        raise InputError(f"{taken}; {budget}. Export one model, or raise andlib.activations.BUDGET.")
    arrays = {f"similarity/{method}": p for method, p in section_4_1.similarities(run).items()}
    arrays["cosine/names"] = section_4_1.name_cosines(run)
    silent, neurons = {}, pd.concat([stages.neurons(run, model).assign(model=model) for model in run.models])
    sets = pd.DataFrame(columns=list(schema()["tables"]["sets"]))
    tables = {"neurons": [neurons], "learnt": [neurons[:0]], "sets": [sets], "icl": [_icl(run)]}
    with suppress(InputError):  # fewer sentences than clusters
        arrays["clusters/sentences"] = section_4_5.sentence_clusters(run).counts.astype(np.float32)
    for model in run.models:
        arrays |= {f"activation/{model}/{layer}": u for layer, u in unit_activations(run, model).items()}
        try:
            logits, *described = _unlearnt(run, model)
        except InputError as error:  # no fold to measure on, or other classes than the network's
            silent[model] = str(error)
            continue
        arrays |= logits
        for name, table in zip(("learnt", "sets"), described, strict=True):
            tables[name].append(table)
    (folder / "meta.json").unlink(missing_ok=True)
    values = {f"{name}.parquet": pd.concat(parts, ignore_index=True) for name, parts in tables.items()}
    for name, value in {**values, ARRAYS: arrays}.items():
        write_atomically(folder / name, lambda path, name=name, value=value: KINDS[FILES[name]][1](value, path))
    meta = _meta(run, networks) | {"unlearning": silent, "sha256": {name: file_digest(folder / name) for name in FILES}}
    meta["sha256"]["meta.json"] = digest(meta)
    text = json.dumps(meta, indent=1, ensure_ascii=False)
    write_atomically(folder / "meta.json", lambda path: path.write_text(text, encoding="utf-8"))
    return folder


def _icl(run: Run) -> pd.DataFrame:
    rows = []
    for model, shots in product(run.models, asking.SHOTS):
        named = enumerate(section_4_1.icl(run, model, shots))
        rows += [(model, shots, unit, found is not None, list(found or ())) for unit, found in named]
    return pd.DataFrame(rows, columns=list(schema()["tables"]["icl"]))


def _unlearnt(run: Run, model: str) -> tuple[dict, pd.DataFrame, pd.DataFrame]:
    """What Table 4 rests on, with all draws of random sets; the descriptions that chose the sets; and the sets."""
    chosen, measured = unlearning.strategy_sets(run, model), bench(run, model)
    silenced = [(name, 0, sets) for name, sets in chosen.items()]
    tries = {name: [effects] for name, effects in unlearning.unlearning(run, model, chosen).items()} | {"random": []}
    for draw in range(section_4_3.draws_of(run, model, page=not section_4_3.committed(run, model))[1]):
        silenced.append(("random", draw, unlearning.random_sets(run, model, chosen, draw)["random"]))
        tries["random"].append(measured.effects(silenced[-1][-1]))
    arrays = {
        f"{kind}/{model}/{strategy}": np.stack([getattr(effects, kind) for effects in several]).astype(np.float32)
        for strategy, several in tries.items()
        for kind in MEASURED
    }
    ours = tries["OCP"][0]
    tried = np.ones_like(ours.own) if ours.tried is None else ours.tried
    arrays |= {f"correct_before/{model}": ours.correct_before.astype(np.float32), f"tried/{model}": tried.astype("f4")}
    rows = [
        (model, strategy, draw, name, layer, indices)
        for strategy, draw, sets in silenced
        for name, units in zip(run.probing_set.classes, sets, strict=True)
        for layer, indices in units.items()
        if len(indices)
    ]
    learnt = stages.neurons(run, model, LEARNT).assign(model=model)
    return arrays, learnt, pd.DataFrame(rows, columns=list(schema()["tables"]["sets"]))


def _meta(run: Run, networks: list) -> dict:
    return {
        "schema": schema(),
        "profile": run.profile.name,
        "mode": run.mode,
        "k": run.k,
        "function": concepts.FUNCTION,
        "rests_on": run.rests_on,
        "captions": list(run.caption_parts),
        "clips": run.probing_set.frame()[["name", "label", "fold", "source"]].to_dict("records"),
        "concepts": list(run.concepts),
        "classes": list(run.probing_set.classes),
        "tested": [i for i, fold in enumerate(run.probing_set.folds) if fold in TEST],
        "models": {
            n.name: {"outputs": list(n.classes), "layers": {x.name: x.units for x in n.layers}} for n in networks
        },
        "versions": {name: version(name) for name in ("andlib", "torch", "transformers", "numpy")},
    }


def check_export(folder: str | Path) -> list[str]:
    """What is wrong with an exported folder, a sentence each; empty if it is whole.
    Files are compared with the digests in meta.json, and names, types, shapes and columns with what it declares."""
    folder = paths.named(folder)
    try:
        meta = read_object(folder / "meta.json", str(folder / "meta.json"), "Export again.")
    except InputError as error:
        return [str(error)]
    if meta.get("schema") != schema():
        return [f"meta.json has not the schema that this version of andlib reads, {schema()['version']}."]
    if missing := [field for field in schema()["fields"] if field not in meta]:
        return [f"meta.json lacks {', '.join(missing)}."]
    if absent := [name for name in FILES if not (folder / name).is_file()]:
        return [f"{name} is missing." for name in absent]
    wrong = []
    try:
        known = dict(meta["sha256"])
        own = known.pop("meta.json", "")
        other = [name for name in FILES if file_digest(folder / name) != known.get(name)]
        wrong = [f"{name} has not the bytes that meta.json was written for." for name in other]
        if digest(meta | {"sha256": known}) != own:
            wrong.append("meta.json has not the fields that it was written with.")
        tables = {name: pd.read_parquet(folder / f"{name}.parquet") for name in schema()["tables"]}
        arrays = KINDS["arrays"][2](folder / ARRAYS)
        wrong += _wrong_arrays(meta, arrays) or _wrong_tables(meta, tables)
    except Exception as error:  # pyarrow, safetensors and what they hold raise whatever the damage provokes
        wrong.append(f"A field of meta.json or what another file holds has not its form ({error!r}); export again.")
    return wrong


def _wrong_arrays(meta: dict, arrays: Arrays) -> list[str]:
    """Names, types, shapes and values of the arrays against what meta.json declares."""
    sizes = {axis: len(meta[axis]) for axis in ("clips", "concepts", "classes", "tested")}
    units = {f"activation/{model}/{layer}": size for (model, layer), size in _layer_sizes(meta).items()}
    needed = [*units, "similarity/DB", "similarity/TAB", "cosine/names"]
    for model in meta["models"].keys() - meta["unlearning"].keys():
        needed += [f"{kind}/{model}/{name}" for kind in MEASURED for name in ("random", *unlearning.STRATEGIES)]
        needed += [f"correct_before/{model}", f"tried/{model}"]
    wrong = [f"{ARRAYS} lacks {name}." for name in sorted(needed) if name not in arrays]
    for name, array in arrays.items():
        axes = meta["schema"]["arrays"].get(name.partition("/")[0], {}).get("axes", [])
        sizes |= {"units": units.get(name), **dict(zip(("partitions", "", "clusters"), array.shape, strict=False))}
        sizes["draws"] = len(array)
        expected = [sizes[axis] for axis in axes]
        said = f"meta.json says {expected}, {' x '.join(axes) or 'nothing of it'}"
        if list(array.shape) != expected:
            wrong.append(f"{name} has shape {list(array.shape)}; {said}.")
        elif array.dtype != np.float32:
            wrong.append(f"{name} holds {array.dtype}; expected float32.")
        elif not np.isfinite(array).all():
            wrong.append(f"{name} holds values that are not finite.")
    return wrong


def _wrong_tables(meta: dict, tables: dict[str, pd.DataFrame]) -> list[str]:
    """Columns of the tables, and rows of those of units, against meta.json."""
    for name, columns in meta["schema"]["tables"].items():
        if odd := sorted(set(columns) ^ set(tables[name])):
            return [f"{name}.parquet has not the columns {', '.join(odd)} as declared."]
    wrong, logits = [], set(meta["models"]) - set(meta["unlearning"])
    for name, models in (("neurons", set(meta["models"])), ("learnt", logits)):
        sizes = {key: size for key, size in _layer_sizes(meta).items() if key[0] in models}
        if tables[name].groupby(["model", "layer"]).size().to_dict() != sizes:
            wrong.append(f"{name}.parquet has not a row for each unit of each layer in meta.json.")
    return wrong


def _layer_sizes(meta: dict) -> dict[tuple[str, str], int]:
    return {(name, layer): size for name, model in meta["models"].items() for layer, size in model["layers"].items()}
