"""The published artefact: numpy alone, with pandas for the table, gets DB's labels and Table 4 out of it."""

import json
import os
import re
import shutil

import numpy as np
import oracles
import pandas as pd
import pytest
from conftest import tiny_run, tiny_set
from safetensors.numpy import load_file, save_file

from andlib import activations, stages, unlearning
from andlib.errors import InputError
from andlib.pages import section_4_1, section_4_3, section_4_5
from andlib.report import artefact
from andlib.store import digest, file_digest


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
    table, sets = {}, pd.read_parquet(folder / "sets.parquet")
    columns = {"own": ("dA", "dR", "gap"), "margin": ("margin_dA", "margin_dR", "margin_gap")}
    columns["correct"] = ("accuracy_forgotten", "accuracy_remaining", "")
    assert arrays[f"tried/{model}"].all()
    for kind, (one, other, gap) in columns.items():
        for strategy in ("random", "TAB", "DB", "OCP"):
            values = arrays[f"{kind}/{model}/{strategy}"].astype(float).mean(0)  # over draws
            matrix = np.stack([values[:, label == c].mean(1) for c in range(len(meta["classes"]))], 1)
            own = np.eye(len(matrix), dtype=bool)
            d_a, d_r = matrix[own].mean(), matrix[~own].mean()
            ours = sets[(sets["model"] == model) & (sets["strategy"] == strategy) & (sets["draw"] == 0)]
            units = ours["units"].map(len).sum() / len(meta["classes"])
            table.setdefault(strategy, {"units": units}).update(
                {one: d_a, other: d_r} | ({gap: d_r - d_a} if gap else {})
            )
            table[strategy]["accuracy_before"] = arrays[f"correct_before/{model}"].mean()
    return best, top1, table


def test_numpy_alone_recomputes_what_db_calls_each_unit(run, exported):
    best, top1, _ = recomputed(exported, "ast")
    neurons = pd.read_parquet(exported / "neurons.parquet")
    assert {layer: [row[0] for row in of["db"]] for layer, of in neurons.groupby("layer")} == best
    rows = section_4_1.last_layer(run).set_index(["method", "function", "condition"])
    assert top1 == rows.loc[("DB", "cos_cubed", "all clips"), "top1"]


def test_highest_and_lowest_clips_are_those_of_the_activations_beside_them(exported):
    meta, arrays = json.loads((exported / "meta.json").read_text()), read_arrays(exported / "activations.safetensors")
    learnt = np.flatnonzero([clip["fold"] != 1 for clip in meta["clips"]])
    for name, where in (("neurons", np.arange(len(meta["clips"]))), ("learnt", learnt)):
        for layer, rows in pd.read_parquet(exported / f"{name}.parquet").groupby("layer", sort=False):
            u = arrays[f"activation/ast/{layer}"][where]
            for side, values in (("highest", u), ("lowest", -u)):
                expected = [list(where[clips]) for clips in activations.choose(values, meta["k"]).clips]
                assert list(map(list, rows[side])) == expected


def identified(scores, meta, arrays, outputs):
    """Table 2's columns: top-1, top-5, and mean cosine of the first concept and the true one."""
    truth = [meta["concepts"].index(name) for name in outputs]
    order = np.argsort(-np.asarray(scores), axis=1, kind="stable")
    top5 = [true in row[:5] for row, true in zip(order, truth, strict=True)]
    return np.mean(order[:, 0] == truth), np.mean(top5), arrays["cosine/names"][order[:, 0], truth].mean()


def test_numpy_alone_recomputes_tables_2_and_7(run, exported):
    meta, arrays = json.loads((exported / "meta.json").read_text()), read_arrays(exported / "activations.safetensors")
    outputs, u = meta["models"]["ast"]["outputs"], arrays["activation/ast/classifier"].astype(float)
    ours = section_4_1.last_layer(run).set_index(["method", "function", "condition"]).xs("all clips", level="condition")
    counts = {"wpmi": {"k": max(1, round(28 * len(u) / 2000))}, "soft_wpmi": {"k": max(1, round(100 * len(u) / 2000))}}
    for function in ("cos", "cos_cubed", "wpmi", "soft_wpmi", "rank_reorder"):
        for method in ("DB", "TAB"):
            p = arrays[f"similarity/{method}"].astype(float)
            with np.errstate(invalid="ignore"):  # a twentieth of 30 clips is one, which is in order
                scores = np.nan_to_num(getattr(oracles, function)(u, p, **counts.get(function, {})))
            found = identified(scores, meta, arrays, outputs)
            row = ours.loc[(method, function)]
            np.testing.assert_allclose(found, row[["top1", "top5", "cos"]].astype(float), atol=1e-6)
    icl = pd.read_parquet(exported / "icl.parquet")
    assert len(icl) == 2 * len(outputs) and set(icl["answered"]) == {False}  # nothing is kept of the tiny network
    assert ours.loc["ICL"]["units"].eq(0).all()


def test_numpy_alone_recomputes_a_panel_of_figure_6(run, exported):
    meta, arrays = json.loads((exported / "meta.json").read_text()), read_arrays(exported / "activations.safetensors")
    within = arrays["clusters/sentences"] > 0
    rows = section_4_5.interpretability(run, tau=2)
    ours = rows[(rows["k"] == 5) & (rows["tau"] == 4)].set_index("block")["share"]
    assert list(ours.index) == [1, 2]
    for block in (0, 1):
        names = [name for name in meta["models"]["ast"]["layers"] if name.startswith(f"block{block}.")]
        u = np.concatenate([arrays[f"activation/ast/{name}"] for name in names], 1)
        top = np.argsort(-u, axis=0, kind="stable")[:5]
        most = within[:, top].sum(1).max(-1)  # of each unit's five clips, those in its best cluster [partitions, units]
        np.testing.assert_allclose((most < 4).mean(), ours[block + 1])
    assert 0 < ours.mean() < 1


def test_numpy_alone_recomputes_table_4(run, exported):
    _, _, table = recomputed(exported, "ast")
    units = section_4_3.labelled_units(run)
    ours = section_4_3.table4(section_4_3.silenced(run, units), section_4_3.controls(run, units))
    ours = ours[~ours["strategy"].str.contains(r"[ ,(]")].set_index("strategy")
    assert set(table) == set(ours.index) == {"random", "TAB", "DB", "OCP"}
    for strategy, numbers in table.items():
        np.testing.assert_allclose(list(numbers.values()), ours.loc[strategy, list(numbers)].astype(float), atol=1e-6)
    assert abs(ours["dA"]).max() > 1e-4  # or nothing would be compared


def test_numpy_alone_recomputes_the_sets_of_units_that_were_silenced(run, exported):
    meta, arrays = json.loads((exported / "meta.json").read_text()), read_arrays(exported / "activations.safetensors")
    learnt = [clip["fold"] != 1 for clip in meta["clips"]]
    sets, found = pd.read_parquet(exported / "sets.parquet"), 0
    for layer in (layer for layer in meta["models"]["ast"]["layers"] if layer != "classifier"):
        u, p = arrays[f"activation/ast/{layer}"][learnt], arrays["similarity/DB"][learnt]
        best = np.argsort(-cos_cubed(u, p), 1)[:, :3]
        for name in meta["classes"]:
            units = np.flatnonzero((best == meta["concepts"].index(name)).any(1))
            ours = sets[(sets["strategy"] == "DB") & (sets["sound_class"] == name) & (sets["layer"] == layer)]
            assert [list(row) for row in ours["units"]] == ([list(units)] if len(units) else [])
            found += len(units)
    assert found > 0
    chosen = unlearning.strategy_sets(run, "ast")
    expected = {(strategy, 0): of for strategy, of in chosen.items()}
    for draw in range(3):
        expected["random", draw] = unlearning.random_sets(run, "ast", chosen, draw)["random"]
    for (strategy, draw), of in expected.items():  # OCP's and the random sets, too
        ours = sets[(sets["strategy"] == strategy) & (sets["draw"] == draw)]
        sizes = [ours.loc[ours["sound_class"] == name, "units"].map(len).sum() for name in meta["classes"]]
        assert sizes == [sum(map(len, units.values())) for units in of]
    assert {*zip(sets["strategy"], sets["draw"], strict=True)} <= set(expected)


def test_an_export_is_whole_described_and_the_same_again(run, exported, tmp_path):
    assert artefact.check_export(exported) == []
    assert sorted(path.name for path in exported.iterdir()) == sorted([*artefact.FILES, "meta.json"])
    meta = json.loads((exported / "meta.json").read_text())
    assert set(meta) == set(meta["schema"]["fields"]) and meta["unlearning"] == {}
    again = artefact.export(run, tmp_path / "again")
    assert all((again / name).read_bytes() == (exported / name).read_bytes() for name in [*artefact.FILES, "meta.json"])
    assert artefact.export(run, again) == again and artefact.check_export(again) == []  # over itself
    for place in (tmp_path / "file", tmp_path / "pipe"):
        os.mkfifo(place) if place.name == "pipe" else place.write_text("mine")
        with pytest.raises(InputError, match=f"{place.name} is no folder; name one"):
            artefact.export(run, place)
    assert (tmp_path / "file").read_text() == "mine"


def test_check_names_what_is_missing_or_damaged(copy):
    (copy / "activations.safetensors").write_bytes(b"x" + (copy / "activations.safetensors").read_bytes()[1:])
    told = artefact.check_export(copy)
    assert told[0] == "activations.safetensors has not the bytes that meta.json was written for." and len(told) == 2
    (copy / "neurons.parquet").unlink()
    assert artefact.check_export(copy) == ["neurons.parquet is missing."]
    (copy / "meta.json").write_text("{")
    assert "cannot be read" in artefact.check_export(copy)[0]
    (copy / "meta.json").unlink()
    assert "meta.json" in artefact.check_export(copy)[0]


def rewritten(folder, change=None, **fields):
    """What is said of an export whose fields were changed, with digests that fit the change."""
    meta = json.loads((folder / "meta.json").read_text())
    meta = {k: v for k, v in (meta | fields).items() if v is not None}
    if change:
        change(meta)
    if isinstance(meta.get("sha256"), dict):
        sums = {name: file_digest(folder / name) for name in artefact.FILES if (folder / name).is_file()}
        meta["sha256"] = {**sums, "meta.json": digest(meta | {"sha256": sums})}
    (folder / "meta.json").write_text(json.dumps(meta))
    return artefact.check_export(folder)


FIELDS = {  # a change of meta.json -> what is said of it, its digest mended
    "a concept less": (
        lambda m: m["concepts"].pop(0),
        r"similarity/DB has shape \[30, 50\]; meta.json says \[30, 49\]",
    ),
    "a layer more": (lambda m: m["models"]["ast"]["layers"].update(block9=4), "lacks activation/ast/block9"),
    "clips less": (lambda m: m.update(clips=m["clips"][:3]), "has shape"),
    "models no mapping": (lambda m: m.update(models=["ast"]), "has not its form"),
    "layers in another order": (
        lambda m: m["models"]["ast"].update(layers=dict(zip(m["models"]["ast"]["layers"], (3, 8, 16), strict=False))),
        "has shape|lacks",
    ),
}


@pytest.mark.parametrize("what", FIELDS)
def test_check_names_a_changed_field(copy, what):
    change, said = FIELDS[what]
    meta = json.loads((copy / "meta.json").read_text())
    change(meta)
    (copy / "meta.json").write_text(json.dumps(meta))
    assert "meta.json has not the fields that it was written with." in artefact.check_export(copy)
    told = rewritten(copy)
    assert told and re.search(said, " ".join(told)), told


@pytest.mark.parametrize("field", ["label", "source", "name"])
def test_check_names_a_changed_word_of_a_clip_by_its_digest(copy, field):
    meta = json.loads((copy / "meta.json").read_text())
    meta["clips"][0][field] = meta["clips"][-1]["label"] if field == "label" else "another"
    (copy / "meta.json").write_text(json.dumps(meta))
    assert artefact.check_export(copy) == ["meta.json has not the fields that it was written with."]


def test_check_names_a_meta_json_of_another_schema(copy):
    meta = json.loads((copy / "meta.json").read_text())
    assert "has not its form" in rewritten(copy, sha256="text")[-1]
    assert rewritten(copy, clips=None) == ["meta.json lacks clips."]
    assert rewritten(copy, schema=99) == ["meta.json has not the schema that this version of andlib reads, 4."]
    assert meta["schema"]["version"] == 4


def arrays_changed(change):
    def damage(folder):
        arrays = load_file(folder / artefact.ARRAYS)
        change(arrays)
        save_file(arrays, folder / artefact.ARRAYS)

    return damage


def table_changed(name, change):
    def damage(folder):
        change(pd.read_parquet(folder / name)).to_parquet(folder / name)

    return damage


U = "activation/ast/block0.output"
VALUES = {  # a change of a file -> what is said of it, all digests mended
    "NaN": (arrays_changed(lambda a: a[U].__setitem__((0, 0), np.nan)), "holds values that are not finite"),
    "int8": (arrays_changed(lambda a: a.update({U: a[U].astype(np.int8)})), "holds int8; expected float32"),
    "float64": (arrays_changed(lambda a: a.update({U: a[U].astype(float)})), "holds float64; expected float32"),
    "an array less": (arrays_changed(lambda a: a.pop("margin/ast/DB")), "lacks margin/ast/DB"),
    "the draws less": (arrays_changed(lambda a: a.pop("own/ast/random")), "lacks own/ast/random"),
    "an array more": (arrays_changed(lambda a: a.update(other=a[U])), "nothing of it"),
    "a row less": (table_changed("learnt.parquet", lambda t: t[1:]), "has not a row for each unit"),
    "a column dropped": (table_changed("neurons.parquet", lambda t: t.drop(columns="low")), "has not the columns low"),
    "a column more": (table_changed("sets.parquet", lambda t: t.assign(own=1)), "has not the columns own"),
}


@pytest.mark.parametrize("what", VALUES)
def test_check_names_changed_values(copy, what):
    damage, said = VALUES[what]
    damage(copy)
    assert "has not the bytes" in artefact.check_export(copy)[0]
    told = rewritten(copy)
    assert told and re.search(said, " ".join(told)), told


@pytest.mark.parametrize("name", artefact.FILES)
@pytest.mark.parametrize("content", [b"", b"PAR1", b"\xff" * 100, b'\x10\0\0\0\0\0\0\0{"a": "not tensor"'])
def test_check_names_a_file_that_is_none_though_meta_json_was_written_for_it(copy, name, content):
    (copy / name).write_bytes(content)
    [told] = rewritten(copy)
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
    assert not [
        name for name in read_arrays(folder / "activations.safetensors") if name.startswith(("after", "random"))
    ]


def test_a_killed_export_leaves_no_meta_json(run, copy, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    def refused(*_):
        raise InputError("no logits")

    monkeypatch.setitem(artefact.KINDS, "arrays", (".safetensors", killed, killed))
    monkeypatch.setattr(artefact, "unit_activations", lambda *_: {})
    monkeypatch.setattr(stages, "concept_similarity", lambda *_: np.zeros((1, 1)))
    monkeypatch.setattr(stages, "sound_similarity", lambda *_: np.zeros((1, 1)))
    monkeypatch.setattr(section_4_1, "name_cosines", lambda *_: np.zeros((1, 1)))
    monkeypatch.setattr(artefact, "_unlearnt", refused)
    monkeypatch.setattr(artefact, "_icl", lambda _: pd.DataFrame())
    monkeypatch.setattr(section_4_5, "sentence_clusters", refused)
    with pytest.raises(KeyboardInterrupt):
        artefact.export(run, copy)
    assert "meta.json" in artefact.check_export(copy)[0]
