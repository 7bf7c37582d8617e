"""The published artefact: numpy alone, with pandas for the table, gets DB's labels and Table 4 out of it."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import tiny_run, tiny_set

from andlib import activations, stages
from andlib.errors import InputError
from andlib.pages import section_4_1, section_4_3
from andlib.report import artefact
from andlib.store import file_digest


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    return artefact.export(run, tmp_path_factory.mktemp("export") / "of mini")


@pytest.fixture
def copy(exported, tmp_path):
    """An export to do damage to."""
    return shutil.copytree(exported, tmp_path / "copy")


# What a reader without andlib would write, from meta.json's words


def read_arrays(path):
    raw = path.read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:start])
    kinds = {"F32": np.float32, "F64": np.float64, "I64": np.int64}
    return {
        name: np.frombuffer(raw[start:][slice(*of["data_offsets"])], kinds[of["dtype"]]).reshape(of["shape"])
        for name, of in header.items()
        if name != "__metadata__"
    }


def cos_cubed(u, p):
    u, p = ((x - x.mean(0)) ** 3 for x in (u.astype(float), p.astype(float)))
    return (u / np.linalg.norm(u, axis=0).clip(1e-3)).T @ (p / np.linalg.norm(p, axis=0).clip(1e-3))


def recomputed(folder, model):
    """DB's first concept of every unit by layer, its top-1 on classes, and dA, dR, gap by strategy."""
    meta, arrays = json.loads((folder / "meta.json").read_text()), read_arrays(folder / "activations.safetensors")
    assert meta["function"] == "cos_cubed"
    layers = meta["models"][model]["layers"]
    scores = {x: cos_cubed(arrays[f"activation/{model}/{x}"], arrays["similarity/DB"]) for x in layers}
    best = {layer: [meta["concepts"][i] for i in of.argmax(1)] for layer, of in scores.items()}
    top1 = np.mean([a == b for a, b in zip(best["classifier"], meta["models"][model]["outputs"], strict=True)])
    label = np.array([meta["classes"].index(meta["clips"][i]["label"]) for i in meta["tested"]])
    table, clip = {}, np.arange(len(label))
    for name in arrays:
        if name.startswith(f"after/{model}/"):
            change = (arrays[name] - arrays[f"before/{model}"])[:, clip, label].astype(float)
            matrix = np.stack([change[:, label == c].mean(1) for c in range(len(meta["classes"]))], 1)
            own = np.eye(len(matrix), dtype=bool)
            d_a, d_r = matrix[own].mean(), matrix[~own].mean()
            table[name.split("/", 2)[2]] = (d_a, d_r, d_r - d_a, arrays[name.replace("after", "silenced")].mean())
    return best, top1, table


def test_numpy_alone_recomputes_what_db_calls_each_unit(run, exported):
    best, top1, _ = recomputed(exported, "ast")
    neurons = pd.read_parquet(exported / "neurons.parquet")
    assert {layer: [row[0] for row in of["db"]] for layer, of in neurons.groupby("layer")} == best
    rows = section_4_1.last_layer(run).set_index(["method", "function", "condition"])
    assert top1 == rows.loc[("DB", "cos_cubed", "all clips"), "top1"]


def test_numpy_alone_recomputes_table_4(run, exported):
    _, _, table = recomputed(exported, "ast")
    ours = section_4_3.table4(section_4_3.silenced(run, section_4_3.labelled_units(run))).set_index("strategy")
    assert set(table) == set(ours.index) == {"random", "TAB", "DB", "OCP"}
    for strategy, numbers in table.items():
        np.testing.assert_allclose(numbers, ours.loc[strategy, ["dA", "dR", "gap", "units"]].astype(float), atol=1e-6)
    assert abs(ours["dA"]).max() > 1e-4  # or nothing would be compared


def test_an_export_is_whole_described_and_the_same_again(run, exported, tmp_path):
    assert artefact.check_export(exported) == []
    assert sorted(path.name for path in exported.iterdir()) == sorted([*artefact.FILES, "meta.json"])
    meta = json.loads((exported / "meta.json").read_text())
    assert set(meta) == set(meta["schema"]["fields"]) and meta["unlearning"] == {}
    again = artefact.export(run, tmp_path / "again")
    assert all((again / name).read_bytes() == (exported / name).read_bytes() for name in [*artefact.FILES, "meta.json"])
    assert artefact.export(run, again) == again and artefact.check_export(again) == []  # over itself


def test_check_names_what_is_missing_or_damaged(copy):
    (copy / "activations.safetensors").write_bytes(b"x" + (copy / "activations.safetensors").read_bytes()[1:])
    assert artefact.check_export(copy) == ["activations.safetensors has not the bytes that meta.json was written for."]
    (copy / "neurons.parquet").unlink()
    assert artefact.check_export(copy) == ["neurons.parquet is missing."]
    (copy / "meta.json").write_text("{")
    assert "cannot be read" in artefact.check_export(copy)[0]
    (copy / "meta.json").unlink()
    assert "meta.json" in artefact.check_export(copy)[0]


def changed(folder, **fields):
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps({k: v for k, v in (meta | fields).items() if v is not None}))
    return artefact.check_export(folder)


def test_check_names_a_meta_json_of_another_schema_or_content(copy):
    meta = json.loads((copy / "meta.json").read_text())
    [told, *_] = changed(copy, concepts=meta["concepts"][1:])
    assert "similarity/DB has shape [30, 50]; meta.json says [30, 49], clips x concepts." in told
    layers = meta["models"]["ast"]["layers"]
    told = changed(copy, concepts=meta["concepts"], models={"ast": {"outputs": [], "layers": layers | {"block9": 4}}})
    assert told[0] == "activations.safetensors lacks activation/ast/block9." and "row for each unit" in told[-1]
    told = changed(copy, models=meta["models"], clips=meta["clips"][:3])
    assert "neurons.parquet names clips beyond the 3 in meta.json." in told
    [told] = changed(copy, clips=meta["clips"], models=["ast"])
    assert "has not its form" in told
    assert "has not its form" in changed(copy, models=meta["models"], sha256=[])[0]
    changed(copy, sha256=meta["sha256"])
    assert changed(copy, clips=None) == ["meta.json lacks clips."]
    assert changed(copy, schema=99) == ["meta.json has not the schema that this version of andlib reads, 1."]


@pytest.mark.parametrize("name", artefact.FILES)
@pytest.mark.parametrize("content", [b"", b"PAR1", b"\xff" * 100, b'\x10\0\0\0\0\0\0\0{"a": "not tensor"'])
def test_check_names_a_file_that_is_none_though_meta_json_was_written_for_it(copy, name, content):
    (copy / name).write_bytes(content)
    sums = json.loads((copy / "meta.json").read_text())["sha256"]
    [told] = changed(copy, sha256=sums | {name: file_digest(copy / name)})
    assert "what another file holds has not its form" in told


def test_check_names_a_meta_json_that_nests_too_deep(copy):
    (copy / "meta.json").write_text("[" * 100_000)
    [told] = artefact.check_export(copy)
    assert "meta.json cannot be read" in told


def test_what_exceeds_the_budget_is_refused_and_nothing_is_written(run, tmp_path, monkeypatch):
    monkeypatch.setattr(activations, "BUDGET", 1000)
    with pytest.raises(InputError, match="ast take .* GiB together; the budget .* Export one model"):
        artefact.export(run, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_set_without_fold_1_has_no_logits_and_says_why(cache, tmp_path):
    run = tiny_run(cache, given={"probing_set": tiny_set().in_folds((2, 3, 4, 5))})
    folder = artefact.export(run, tmp_path / "part")
    meta = json.loads((folder / "meta.json").read_text())
    assert "no fold 1" in meta["unlearning"]["ast"] and meta["tested"] == []
    assert artefact.check_export(folder) == []
    assert not [name for name in read_arrays(folder / "activations.safetensors") if name.startswith("after")]


def test_a_killed_export_leaves_no_meta_json(run, copy, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setitem(artefact.KINDS, "arrays", (".safetensors", killed, killed))
    monkeypatch.setattr(artefact, "unit_activations", lambda *_: {})
    monkeypatch.setattr(stages, "concept_similarity", lambda *_: np.zeros((1, 1)))
    monkeypatch.setattr(stages, "sound_similarity", lambda *_: np.zeros((1, 1)))
    monkeypatch.setattr(artefact, "_unlearnt", lambda *_: {})
    with pytest.raises(KeyboardInterrupt):
        artefact.export(run, copy)
    assert "meta.json" in artefact.check_export(copy)[0]
