"""Opening a run: parameters are checked, strangers refused with a suggestion."""

import subprocess
import sys
from dataclasses import fields, replace

import pytest

from andlib.errors import InputError
from andlib.profiles import FAULTS, switches
from andlib.run import open_run
from andlib.store import digest


def test_defaults_are_the_page_s():
    run = open_run({})
    assert (run.profile.name, run.models, run.mode, run.k, run.faults) == (
        "mini",
        ("ast",),
        "corrected",
        5,
        frozenset(),
    )


@pytest.mark.parametrize(
    "parameters,message",
    [
        ({"modle": "ast"}, r"'modle' is unknown.*Did you mean .*'model'"),
        ({"model": "asst"}, r"profile mini, model 'asst' is unknown.*Did you mean 'ast'"),
        ({"profile": "minni"}, r"Profile 'minni' is unknown.*Did you mean 'mini'"),
        ({"k": 0}, r"k is 0; expected a whole number, at least 1"),
        ({"k": -1}, r"k is -1; expected a whole number, at least 1"),
        ({"k": "5"}, r"k is '5'; expected a whole number"),
        ({"k": 2.5}, r"k is 2.5; expected a whole number"),
        ({"k": True}, r"k is True; expected a whole number"),
        ({"mode": "relesed"}, r"Mode 'relesed' is unknown.*Did you mean 'released'"),
        ({"mode": "ocp_substring,typo"}, r"Mode 'typo' is unknown"),
        ({"data_dir": 3}, r"data_dir is 3; expected text"),
    ],
)
def test_bad_parameters_say_what_is_wrong(parameters, message):
    with pytest.raises(InputError, match=message):
        open_run(parameters)


def test_a_page_s_own_parameter_is_known_and_typed():
    page = {"__annotations__": {"model": str, "target_class": str, "t": float}, "model": "ast", "t": 1}
    run = open_run({**page, "target_class": "rain"})
    assert run.extra == {"target_class": "rain", "t": 1.0}
    with pytest.raises(InputError, match="target_class is 3; expected text"):
        open_run({**page, "target_class": 3})


@pytest.mark.parametrize("name", ["per_block", "clusters", "tau", "folds", "class_unit", "seed"])
def test_counts_of_a_page_are_whole_numbers_from_their_least(name):
    for value in (-1, True, 1.5, "3", float("nan")):
        with pytest.raises(InputError, match=f"Parameter {name} is .*; expected a whole number, at least [012]"):
            open_run({"__annotations__": {name: int}, name: value})
    assert open_run({"__annotations__": {name: int}, name: 3}).extra == {name: 3}
    for value in (float("nan"), float("inf"), "1", True, None):
        with pytest.raises(InputError, match="Parameter factor is .*; expected a number"):
            open_run({"__annotations__": {"factor": float}, "factor": value})


def test_a_parameter_that_has_no_effect_on_the_page_is_refused():
    page = {"__annotations__": {"model": str, "tau": int}, "model": "ast", "tau": 4}
    for name, value in {"weights": "a/network", "k": 7}.items():
        with pytest.raises(InputError, match=f"Parameter '{name}' is unknown to this page"):
            open_run({**page, name: value})
    with pytest.raises(InputError, match="Did you mean 'tau'"):
        open_run({**page, "tua": 4})


def test_a_page_without_parameters_refuses_any():
    page = {"get_ipython": None, "al": pytest}
    assert open_run(page).profile.name == "mini"
    with pytest.raises(InputError, match="'k' is unknown to this page"):
        open_run(page | {"k": 10})


def test_what_a_notebook_holds_is_no_parameter():
    open_run({"In": [], "get_ipython": print, "al": sys, "keep": open_run, "_": 3, "__name__": "x"})


def test_the_cell_can_be_run_again_amid_its_results():
    run = open_run({})
    assert open_run({"run": run, "results": 3, "k": 7}).k == 7


def test_a_profile_with_recordings_asks_for_their_folder():
    with pytest.raises(InputError, match="needs recordings.*-p data_dir"):
        _ = open_run({"profile": "gtzan"}).probing_set


def test_a_folder_that_does_not_exist_is_named():
    with pytest.raises(InputError, match="no/such/folder"):
        _ = open_run({"profile": "esc10", "data_dir": "no/such/folder"}).probing_set


def test_modes():
    assert switches("corrected") == frozenset()
    assert switches("released") == frozenset(FAULTS)
    assert switches("ocp_substring, calibration_loop") == {"ocp_substring", "calibration_loop"}
    run = open_run({"mode": " first_token ,ocp_substring"})
    assert run.mode == "first_token,ocp_substring" and run.faults == {"first_token", "ocp_substring"}
    assert open_run({"mode": "released "}).faults == frozenset(FAULTS)


@pytest.mark.parametrize(
    "mode", ["released,first_token", "first_token,corrected", "first_token,", "", ",", "first_token,first_token", "all"]
)
def test_a_list_of_modes_that_is_none_is_refused(mode):
    with pytest.raises(InputError, match=r"Mode .* (is unknown. .*Valid names|names a switch twice|stands alone)"):
        open_run({"mode": mode})


def test_a_result_names_what_made_it():
    line = open_run({"mode": "ocp_substring"}).made_by("source", "measured")
    for part in ("mini", "synthesised", "ocp_substring", "source + measured", "K = 5", "andlib", "torch"):
        assert part in line


def test_importing_andlib_loads_nothing_heavy():
    code = (
        "import sys, andlib as al\n"
        "al.open_run({}); al.neurons; al.tables; al.figures; al.cards\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_run_in_folds_probes_their_clips_alone_and_leaves_the_first_as_it_was(run):
    part = run.using(probing_set=run.probing_set.in_folds((1,)))
    assert set(part.probing_set.folds) == {1} and len(run.probing_set) > len(part.probing_set)
    assert part.probing_set.fingerprint != run.probing_set.fingerprint and part.k == run.k


def test_an_altered_copy_keeps_the_records_that_the_change_does_not_touch(run):
    other = run.using(k=2, mode="released")
    assert other.probing_set is run.probing_set and other.completions is run.completions
    assert (other.k, len(other.faults), run.k) == (2, len(FAULTS), 3)
    named = other.using(concepts=("dog", "rain"))
    assert named.concepts == ("dog", "rain") and named.using(k=4).concepts == named.concepts
    assert run.concepts != named.concepts


def test_nothing_writes_into_a_run(run):
    with pytest.raises(AttributeError):
        run.k = 7


def test_the_method_covers_every_setting_that_decides_a_description(run):
    """Each setting in turn, and the method's key changes; what it leaves out is part of the clips, texts or network."""
    changes = {
        "mode": "calibration_loop",
        "k": 2,
        "concept_set": "acoustic",
        "summariser": "llm",
        "encoder": "clip-vit-b-32",
        "audio_encoder": "laion_clap",
        "profile": replace(run.profile, encoder="clip-vit-b-32"),
        "tagger": "nltk",
    }
    elsewhere = {"models", "data_dir", "captions", "weights", "llm", "extra", "store", "given"}
    assert {field.name for field in fields(run)} == changes.keys() | elsewhere
    keys = [digest(run.using(**{name: value}).method) for name, value in changes.items()]
    assert len({digest(run.method), *keys}) == len(keys) + 1


def test_every_field_of_a_method_is_part_of_its_key(run):
    method = run.method
    for field in fields(method):
        value = getattr(method, field.name)
        other = (
            value + 1 if isinstance(value, int) else frozenset("x") if isinstance(value, frozenset) else value + value
        )
        changed = replace(method, **{field.name: other if other != value else ("x",)})
        assert digest(changed) != digest(method), field.name


def test_recordings_without_captions_are_described_by_what_is_measured_and_say_so(tmp_path, monkeypatch):
    monkeypatch.setenv("ANDLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("andlib.inputs.downloads.fetch_captions", unreachable)
    run = open_run({"profile": "esc50", "data_dir": str(tmp_path), "model": "whisper_frozen"})
    with pytest.warns(UserWarning, match="measured alone, for there are no captions: offline"):
        assert run.caption_parts == ("measured",)
    assert "descriptions from measured;" in run.made_by(*run.caption_parts)
    (tmp_path / "captions.csv").write_text("filename,description\n")
    again = open_run({"profile": "esc50", "data_dir": str(tmp_path), "model": "whisper_frozen"})
    assert again.caption_parts == ("file", "measured")


def unreachable(folder):
    raise InputError("offline")


def test_a_network_of_another_profile_is_refused():
    with pytest.raises(InputError, match="On profile mini, model 'whisper_frozen' is unknown"):
        open_run({"model": "whisper_frozen"})


def test_without_whisper_its_networks_name_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("ANDLIB_CACHE", str(tmp_path))
    run = open_run({"profile": "esc50", "data_dir": str(tmp_path), "model": "whisper_frozen"})
    with pytest.raises(InputError, match="`make whisper` fetches it"):
        run.target("whisper_frozen")
