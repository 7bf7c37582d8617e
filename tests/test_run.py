"""Opening a run: parameters are checked, strangers refused with a suggestion."""

import subprocess
import sys

import pytest

from andlib.errors import InputError
from andlib.profiles import FAULTS, switches
from andlib.run import open_run


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
        ({"model": "asst"}, r"Model 'asst' is unknown.*Did you mean 'ast'"),
        ({"profile": "minni"}, r"Profile 'minni' is unknown.*Did you mean 'mini'"),
        ({"k": 0}, r"k is 0; expected at least 1"),
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
    run = open_run({"target_class": "rain"}, target_class=str)
    assert run.extra["target_class"] == "rain"
    with pytest.raises(InputError, match="target_class is 3; expected text"):
        open_run({"target_class": 3}, target_class=str)


def test_what_a_notebook_holds_is_no_parameter():
    open_run({"In": [], "get_ipython": print, "al": sys, "keep": open_run, "_": 3, "__name__": "x"})


def test_the_cell_can_be_run_again_amid_its_results():
    run = open_run({})
    assert open_run({"run": run, "results": 3, "k": 7}).k == 7


def test_a_profile_with_recordings_asks_for_their_folder():
    with pytest.raises(InputError, match="needs recordings.*-p data_dir"):
        _ = open_run({"profile": "esc10"}).probing_set


def test_a_folder_that_does_not_exist_is_named():
    with pytest.raises(InputError, match="no/such/folder"):
        _ = open_run({"profile": "esc10", "data_dir": "no/such/folder"}).probing_set


def test_modes():
    assert switches("corrected") == frozenset()
    assert switches("released") == frozenset(FAULTS)
    assert switches("ocp_substring, calibration_loop") == {"ocp_substring", "calibration_loop"}


def test_a_result_names_what_made_it():
    line = open_run({"mode": "ocp_substring"}).made_by("source", "measured")
    for part in ("mini", "synthesised", "ocp_substring", "source + measured", "K = 5", "andlib", "torch"):
        assert part in line


def test_importing_andlib_loads_nothing_heavy():
    code = (
        "import sys, andlib as al\n"
        "al.open_run({}); al.neurons; al.last_layer; al.unlearning_table; al.tables; al.figures; al.cards\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_run_in_folds_probes_their_clips_alone_and_leaves_the_first_as_it_was(run):
    part = run.in_folds((1,))
    assert set(part.probing_set.folds) == {1} and len(run.probing_set) > len(part.probing_set)
    assert part.probing_set.fingerprint != run.probing_set.fingerprint and part.k == run.k
