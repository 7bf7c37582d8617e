"""How units are read: the released code's faults of reading, and Table 2 under other readings, for a tiny BEATs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import CLASSES, tiny_run, tiny_set

from andlib import responses, stages
from andlib.errors import InputError
from andlib.networks import beats, families
from andlib.networks.beats_files import Config, save
from andlib.pages import reading_units, section_4_1
from andlib.run import open_run

SMALL = Config(16, 8, 2, 12, 24, 2, 16, 4, 32, 80)


@pytest.fixture(scope="module")
def beats_folder(tmp_path_factory):
    """A BEATs of two blocks with random weights, and class names."""
    folder = tmp_path_factory.mktemp("beats")
    save(folder, SMALL, beats.make(SMALL, len(CLASSES)).state_dict(), CLASSES)
    return folder


@pytest.fixture
def beats_run(beats_folder, tmp_path):
    """A run of the tiny BEATs; `mode` and others as for `tiny_run`."""

    def make(**changes):
        run = tiny_run(tmp_path, **changes)
        profile = replace(run.profile, networks={"beats_frozen": str(beats_folder)})
        return run.using(profile=profile, models=("beats_frozen",), probing_set=tiny_set())

    return make


def outputs(run, layer, sample_rate):
    """A layer's outputs [clips, tokens, units] for clips at a sampling rate, which the network takes for 16 kHz."""
    target, found = run.target("beats_frozen"), []
    module = target.module.get_submodule(target.layer(layer).module)
    handle = module.register_forward_hook(lambda m, i, out: found.append(out))
    with torch.no_grad():
        target.module(families.beats_features(torch.from_numpy(tiny_set().waveforms(sample_rate, 0.5))))
    handle.remove()
    return found[0].numpy()


@pytest.mark.parametrize("layer", ["block0.fc1", "block1.fc2", "classifier"])
def test_first_token_reads_token_0_where_the_paper_s_networks_are_read_otherwise(beats_run, layer):
    expected = outputs(beats_run(), layer, 16_000)
    corrected = responses.unit_activations(beats_run(), "beats_frozen")[layer]
    released = responses.unit_activations(beats_run(mode="first_token"), "beats_frozen")[layer]
    np.testing.assert_allclose(corrected, expected.mean(1), atol=1e-5)
    np.testing.assert_allclose(released, expected[:, 0], atol=1e-5)
    assert np.abs(released - corrected).max() > 1e-3


def test_48k_as_16k_gives_three_times_the_samples_and_ablates_on_16k(beats_run):
    run = beats_run(mode="beats_48k_as_16k")
    released = responses.unit_activations(run, "beats_frozen")["block0.fc1"]
    expected = outputs(run, "block0.fc1", 48_000)
    assert expected.shape[1] == 9 * 8  # 148 frames where 16 kHz gives 48 and three steps
    np.testing.assert_allclose(released, expected.mean(1), atol=1e-5)
    assert run.target("beats_frozen").sample_rate == 16_000  # what ablation uses


def test_the_faults_of_beats_leave_ast_alone(run, tmp_path):
    released = tiny_run(tmp_path, mode="first_token,beats_48k_as_16k")
    for layer, u in responses.unit_activations(released, "ast").items():
        np.testing.assert_array_equal(u, responses.unit_activations(run, "ast")[layer])


def test_neurons_of_the_faults_are_not_those_of_the_corrected_run(beats_run):
    corrected = stages.neurons(beats_run(), "beats_frozen")
    released = stages.neurons(beats_run(mode="first_token"), "beats_frozen")
    assert [list(row) for row in corrected["highest"]] != [list(row) for row in released["highest"]]


@pytest.mark.slow
def test_readings_start_from_the_logits_and_change_one_choice_each(beats_run):
    run = beats_run()
    frame = reading_units.frames(run)["readings"]
    assert list(frame["axis"]) == [
        "default",
        "pooling",
        "pooling",
        "nonlinearity",
        "nonlinearity",
        "readout",
        "readout",
    ]
    usual = section_4_1.last_layer(run)
    usual = usual[(usual["condition"] == "all clips") & (usual["method"] == "DB")]
    assert frame.loc[0, "top1"] == usual["top1"].max() and frame.loc[0, "moved"] == 0
    assert frame["moved"].between(0, 1).all() and frame["top1"].le(frame["top5"]).all()
    words, change = reading_units.words(run, frame), 100 * (frame["top1"] - frame.loc[0, "top1"])
    assert (words["pooling_least"], words["pooling_most"]) == (change[1:3].min(), change[1:3].max())
    assert words["first"] == f"beats_frozen {frame.loc[2, 'top1']:.0%} instead of {frame.loc[0, 'top1']:.0%}"


def test_readouts_are_the_directions_they_say(beats_run):
    run = beats_run()
    target = run.target("beats_frozen")
    layers = {axis + "/" + reading: layer for (axis, reading), layer in reading_units.readings_of(run, target).items()}
    u = responses.unit_activations(run, replace(target, layers=tuple(layers.values())))
    fc2 = responses.unit_activations(run, "beats_frozen")["block1.fc2"]
    weights = target.module.fc.weight.detach().numpy()
    np.testing.assert_allclose(u["readout: block1.fc2, classifier's weights"], fc2 @ weights.T, atol=1e-5)
    learnt, labels = tiny_set().folds != 1, tiny_set().labels
    dogs, others = fc2[learnt & (labels == 0)].mean(0), fc2[learnt & (labels != 0)].mean(0)
    means = u["readout: block1.fc2, class means"]
    np.testing.assert_allclose(means[:, 0], fc2 @ (dogs - others), atol=1e-4)


def test_a_model_that_the_profile_lacks_is_asked_for(beats_run):
    with pytest.raises(InputError, match="no network beats_supervised.*-p weights"):
        beats_run().target("beats_supervised")


def test_weights_belong_to_one_model():
    with pytest.raises(InputError, match="weights names one network"):
        open_run({"model": "all", "weights": "somewhere"})
    with pytest.raises(InputError, match="Did you mean 'beats_frozen'"):
        open_run({"model": "beats_forzen"})
