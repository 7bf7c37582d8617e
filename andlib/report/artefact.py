"""The published artefact: neurons, activations and the logits of Table 4, in files that any tool reads.

`neurons.parquet` is `stages.neurons` of every model, with a column model. `activations.safetensors` holds all arrays.
`meta.json` says what they are, in the fields of export_schema.toml; it is written last: a folder without it is no
export."""

import json
import tomllib
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from andlib import activations, concepts, descriptions, paths, stages, unlearning
from andlib.errors import InputError
from andlib.profiles import TEST
from andlib.responses import unit_activations
from andlib.run import Run
from andlib.store import KINDS, file_digest, read_object, write_atomically

FILES = {"neurons.parquet": "frame", "activations.safetensors": "arrays"}


def schema() -> dict:
    """The description of an export: version, fields of meta.json, and kinds of arrays with their axes."""
    return tomllib.loads((paths.PACKAGE / "export_schema.toml").read_text(encoding="utf-8"))


def export(run: Run, folder: str | Path) -> Path:
    """Writes what others need to recompute DB's labels and Table 4 for the run's models; returns the folder. Each file
    is written whole or not at all, and the same run gives the same bytes. Raises InputError if all activations together
    exceed activations.BUDGET: export fewer models."""
    folder = paths.named(folder)
    networks = [run.probed(model) for model in run.models]
    needed = sum(activations.size(network, len(run.probing_set)) for network in networks)
    if needed > activations.BUDGET:
        raise InputError(
            f"Activations of {', '.join(run.models)} take {needed / 2**30:.1f} GiB together; the budget is "
            f"{activations.BUDGET / 2**30:.1f} GiB. Export one model, or raise andlib.activations.BUDGET."
        )
    arrays = {
        "similarity/DB": stages.concept_similarity(run, descriptions.clip_descriptions(run)),
        "similarity/TAB": stages.sound_similarity(run),
    }
    silent = {}
    for model in run.models:
        arrays |= {f"activation/{model}/{layer}": u for layer, u in unit_activations(run, model).items()}
        try:
            arrays |= _unlearnt(run, model)
        except InputError as error:  # no fold to measure on, or other classes than the network's
            silent[model] = str(error)
    neurons = pd.concat([stages.neurons(run, model).assign(model=model) for model in run.models], ignore_index=True)
    (folder / "meta.json").unlink(missing_ok=True)
    for (name, kind), value in zip(FILES.items(), (neurons, arrays), strict=True):
        write_atomically(folder / name, lambda path, kind=kind, value=value: KINDS[kind][1](value, path))
    meta = _meta(run, networks) | {"unlearning": silent, "sha256": {name: file_digest(folder / name) for name in FILES}}
    text = json.dumps(meta, indent=1, ensure_ascii=False)
    write_atomically(folder / "meta.json", lambda path: path.write_text(text, encoding="utf-8"))
    return folder


def _unlearnt(run: Run, model: str) -> dict:
    arrays = {}
    for strategy, effects in unlearning.unlearning(run, model, unlearning.table4_sets(run, model)).items():
        arrays[f"before/{model}"] = effects.before
        arrays |= {f"after/{model}/{strategy}": effects.after, f"silenced/{model}/{strategy}": effects.sizes}
    return arrays


def _meta(run: Run, networks: list) -> dict:
    clips = run.probing_set.frame()[["name", "label", "fold", "source"]]
    return {
        "schema": schema(),
        "profile": run.profile.name,
        "mode": run.mode,
        "k": run.k,
        "function": concepts.FUNCTION,
        "rests_on": run.rests_on,
        "captions": list(run.caption_parts),
        "clips": clips.to_dict("records"),
        "concepts": list(run.concepts),
        "classes": list(run.probing_set.classes),
        "tested": [i for i, fold in enumerate(run.probing_set.folds) if fold in TEST],
        "models": {
            n.name: {"outputs": list(n.classes), "layers": {x.name: x.units for x in n.layers}} for n in networks
        },
        "versions": {name: version(name) for name in ("andlib", "torch", "transformers", "numpy")},
    }


def check_export(folder: str | Path) -> list[str]:
    """What is wrong with an exported folder, a sentence each; empty if it is whole and fits its own meta.json."""
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
    try:
        damaged = [name for name in FILES if file_digest(folder / name) != meta["sha256"].get(name)]
        if damaged:
            return [f"{name} has not the bytes that meta.json was written for." for name in damaged]
        return [*_wrong_arrays(meta, folder), *_wrong_neurons(meta, pd.read_parquet(folder / "neurons.parquet"))]
    except Exception as error:  # pyarrow, safetensors and what they hold raise whatever the damage provokes
        return [f"A field of meta.json or what another file holds has not its form ({error!r}); export again."]


def _wrong_arrays(meta: dict, folder: Path) -> list[str]:
    """Names and shapes of the arrays against the axes that meta.json declares."""
    from safetensors import safe_open

    sizes = {axis: len(meta[axis]) for axis in ("clips", "concepts", "classes", "tested")}
    units = {f"activation/{model}/{layer}": size for (model, layer), size in _layer_sizes(meta).items()}
    with safe_open(folder / "activations.safetensors", "numpy") as file:
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118  it is no dict
    needed = [*units, "similarity/DB", *(f"before/{model}" for model in meta["models"].keys() - meta["unlearning"])]
    wrong = [f"activations.safetensors lacks {name}." for name in sorted(needed) if name not in shapes]
    for name, shape in shapes.items():
        axes = meta["schema"]["arrays"].get(name.partition("/")[0], {}).get("axes", [])
        expected = [units.get(name) if axis == "units" else sizes[axis] for axis in axes]
        if shape != expected:
            wrong.append(f"{name} has shape {shape}; meta.json says {expected}, {' x '.join(axes) or 'nothing of it'}.")
    return wrong


def _wrong_neurons(meta: dict, neurons: pd.DataFrame) -> list[str]:
    if neurons.groupby(["model", "layer"]).size().to_dict() != _layer_sizes(meta):
        return ["neurons.parquet has not a row for each unit of each layer in meta.json."]
    clips = [i for column in ("highest", "lowest") for row in neurons[column] for i in row]
    inside = min(clips) >= 0 and max(clips) < len(meta["clips"])
    return [] if inside else [f"neurons.parquet names clips beyond the {len(meta['clips'])} in meta.json."]


def _layer_sizes(meta: dict) -> dict[tuple[str, str], int]:
    return {(name, layer): size for name, model in meta["models"].items() for layer, size in model["layers"].items()}
