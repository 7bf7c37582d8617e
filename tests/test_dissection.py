"""Reports on networks of others' making: what is in them, what is refused, and that a killed run goes on."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import architectures
import numpy as np
import pytest
import soundfile
from conftest import tiny_folder, tiny_set

import andlib as al
from andlib import command, heads
from andlib.errors import InputError
from andlib.inputs.probing import open_folder
from andlib.report import dissection, opening
from andlib.responses import unit_activations

DECLARED = ["--layers", "1", "--axes", "clips,channels,time", "--sample-rate", "16000"]
pytestmark = pytest.mark.filterwarnings("ignore:(DB|TAB) by:UserWarning")


@pytest.fixture(scope="module", autouse=True)
def here():
    """`architectures` is found from the working directory, as a user's own module is."""
    sys.path.insert(0, str(Path(__file__).parent))
    yield
    sys.path.remove(str(Path(__file__).parent))


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Thirty sounds in a folder for each of three classes."""
    folder = tmp_path_factory.mktemp("sounds")
    for i, clip in enumerate(tiny_set().clips):
        (folder / clip.label).mkdir(exist_ok=True)
        soundfile.write(folder / clip.label / f"{i}.wav", tiny_set().read(clip, 16_000), 16_000)
    return folder


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """A folder of the report that its runs share, so that captions and vectors of texts are made once."""
    return tmp_path_factory.mktemp("report")


def report(model, sounds, out, *options):
    assert (
        command.main(["report", str(model), "--data", str(sounds), "--out", str(out), "--seconds", "0.5", *options])
        == 0
    )
    return (out / "index.html").read_text()


def titles(html):
    return re.findall("<h2>(.*?)</h2>", html)


def lead(html, title):
    return re.search(f"<h2>{title}</h2>\n<p>(.*?)</p>", html, re.DOTALL)[1]


EVERY = ["What was probed", "All units", "How well descriptions predict units"]
EVERY += ["Neurons that are explained best and worst", "Units that respond to many things"]
EVERY += ["Trained against untrained", "Naming the classifier&#39;s units", "Silencing units"]
MADE = ["conv2d", "recurrent", "conformer", "windowed", "multilabel", "encoder", "autoencoder", "sae"]


@pytest.mark.slow
@pytest.mark.parametrize("name", MADE)
def test_networks_of_many_kinds_get_a_report(name, sounds, out, capsys):
    html = report(f"architectures:{name}", sounds, out, "-k", "3", "--no-head")
    assert titles(html) == EVERY and "30 recordings" in lead(html, "What was probed")
    assert "predicts activations best" in lead(html, EVERY[2]) and 'class="neuron"' in html
    assert "nothing can be unlearnt" in lead(html, "Silencing units")
    assert (out / "atlas/own.mjs").is_file() and any((out / "atlas/own").glob("*.mp3"))
    assert "The report is" in capsys.readouterr().out


@pytest.mark.slow
def test_a_classifier_of_the_folders_classes_is_named_and_silenced(sounds, out):
    html = report("architectures:patches", sounds, out, "-k", "3")
    assert "DB names" in lead(html, EVERY[6]) and "chance is 33%" in lead(html, EVERY[6])
    assert "the gap is widest when" in lead(html, "Silencing units")
    assert "has no classifier" not in html


@pytest.mark.slow
def test_tags_that_are_no_classes_of_the_folder_are_named_among_themselves(sounds, out):
    html = report("architectures:multilabel", sounds, out, "-k", "3")
    assert "4 units; chance is 25%" in lead(html, EVERY[6])


@pytest.mark.slow
def test_an_encoder_gets_a_head_for_what_needs_one(sounds, out):
    html = report(tiny_folder_of_encoder(out), sounds, out, "-k", "3")
    assert "a linear one is trained on folds 2 to 5" in lead(html, "What was probed")
    assert "the gap is widest when" in lead(html, "Silencing units") and "DB names" in lead(html, EVERY[6])


@pytest.mark.slow
def test_a_network_that_hears_windows_gets_a_head_of_clips(sounds, out):
    html = report("architectures:windowed", sounds, out, "-k", "3")
    assert "a linear one is trained on folds 2 to 5" in lead(html, "What was probed")
    assert "the gap is widest when" in lead(html, "Silencing units")


def tiny_folder_of_encoder(out):
    from transformers import ASTModel

    folder = out.parent / "tiny_encoder"
    ASTModel.from_pretrained(tiny_folder()).save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_a_bare_network_needs_declarations(sounds, out, capsys):
    html = report("architectures:conv1d", sounds, out, "-k", "3", "--no-head", *DECLARED)
    assert "8 units of conv1d" in lead(html, "What was probed")
    assert command.main(["check", "architectures:conv1d", "--data", str(sounds)]) == 2
    assert "give --axes, --layers, --sample-rate" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.filterwarnings("default:1 of 31 files are no sounds:UserWarning")
def test_sounds_without_labels_get_what_labels_do_not_need(sounds, out, tmp_path, capsys):
    for i, path in enumerate(sorted(sounds.rglob("*.wav"))):
        place = tmp_path / ("deep/er" if i % 2 else "")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{i}.flac").write_bytes(b"")
        soundfile.write(place / f"{i}.flac", *soundfile.read(path))
    (tmp_path / "notes.txt").write_text("hello")
    html = report("architectures:conv2d", tmp_path, out, "-k", "3")
    assert "have no labels" in html and "predicts activations best" in html
    assert "no class scores" in lead(html, "Silencing units") and "What silencing it changes" not in html
    assert "dealt to folds 1 to 5. " in html and ".flac</b>, u = " in html  # a sound is called by its name
    assert capsys.readouterr().err.count("1 of 31 files are no sounds") == 1


def test_folds_are_dealt_to_sources_within_classes(sounds):
    clips = open_folder(sounds)
    dealt = opening.dealt(clips)
    counts = {label: np.bincount([c.fold for c in dealt.clips if c.label == label])[1:] for label in dealt.classes}
    assert all(list(count) == [2] * 5 for count in counts.values()) and dealt.fingerprint != clips.fingerprint
    shared = replace(clips, clips=tuple(replace(clip, source="one") for clip in clips.clips))
    assert len(set(opening.dealt(shared).folds)) == 1


@pytest.mark.slow
def test_a_report_that_stopped_goes_on_where_it_was(sounds, tmp_path, monkeypatch, capsys):
    asked = [
        "report",
        "architectures:conv2d",
        "--data",
        str(sounds),
        "--out",
        str(tmp_path),
        "--seconds",
        "0.5",
        "-k",
        "3",
    ]

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(dissection, "extremes", stop)
        assert command.main(asked) == 130
    assert "goes on where this one was" in capsys.readouterr().err and not (tmp_path / "index.html").exists()
    made = []
    monkeypatch.setattr("andlib.responses.recorded", lambda *_: made.append(1))
    assert command.main(asked) == 0 and not made  # what was recorded is not recorded again
    whole = {path.name: path.read_bytes() for path in (tmp_path / "index.html", tmp_path / "atlas/own.mjs")}
    assert command.main(asked) == 0
    assert whole == {path.name: path.read_bytes() for path in (tmp_path / "index.html", tmp_path / "atlas/own.mjs")}


REFUSED = {
    "architectures:scripted": "TorchScript",
    "architectures:absent": "could not be called",
    "nowhere:function": "No module named",
    "no/such/folder/here": "neither a local folder",
}


@pytest.mark.filterwarnings("default::DeprecationWarning")
@pytest.mark.parametrize(("model", "why"), REFUSED.items())
def test_what_cannot_be_dissected_is_refused_in_a_sentence(model, why, sounds, capsys):
    assert command.main(["check", model, "--data", str(sounds), *(DECLARED if "scripted" in model else [])]) == 2
    told = capsys.readouterr().err
    assert why in told and "Traceback" not in told


def test_check_says_what_a_report_would_be(sounds, capsys):
    assert command.main(["check", str(tiny_folder()), "--data", str(sounds)]) == 0
    told = capsys.readouterr().out
    assert "30 of 3 classes; the first 0.48 s" in told and "minutes here" in told


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--data", "nowhere"], "is not a folder"),
        (["-k", "0"], "expected at least 1"),
        (["--seconds", "1e9"], "expected the length of clips"),
        (["--sample-rate", "8000"], "are for a network that module:function returns"),
        (["--device", "cuda:7"], "not on this machine"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, why, sounds, capsys):
    assert command.main(["check", str(tiny_folder()), "--data", str(sounds), *options]) == 2
    assert why in capsys.readouterr().err


def test_a_head_is_the_logistic_regression_of_the_networks_output(run):
    target = architectures.conv2d()
    pooled = al.with_head(target.read(pooling="mean"), run)
    clips = run.probing_set.waveforms(16_000, 0.5)
    import torch

    x = target.features(torch.from_numpy(clips))
    with torch.inference_mode():
        outputs = target.module(x).mean((2, 3)).numpy()
        scores = pooled.logits(pooled.features(torch.from_numpy(clips))).numpy()
    assert pooled.classes == run.probing_set.classes and pooled.layers[-1].units == 3
    learnt = np.isin(run.probing_set.folds, (2, 3, 4, 5))
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    model.fit(outputs[learnt], run.probing_set.labels[learnt])
    assert np.allclose(scores, model.decision_function(outputs), atol=1e-3)
    with al.ablate(pooled, {"2": np.arange(6)}), torch.inference_mode():
        silenced = pooled.logits(pooled.features(torch.from_numpy(clips)))
    assert torch.allclose(silenced, silenced[:1].expand_as(silenced))  # nothing is left to tell clips by


def test_what_a_head_cannot_be_put_on_is_refused(run):
    with pytest.raises(InputError, match="has a classifier"):
        al.with_head(architectures.patches(), run)
    one = replace(run.probing_set, clips=tuple(c for c in run.probing_set.clips if c.label == "siren"))
    with pytest.raises(InputError, match="which lack dog, rain"):
        heads.with_head(architectures.conv2d(), run.using(probing_set=one))


def test_tables_take_targets(run):
    from andlib import unlearning
    from andlib.pages import section_4_0, section_4_1

    mine = run.using(models=[al.with_head(architectures.conv2d(), run)], concepts=run.probing_set.classes)
    assert mine.models == ("conv2d",)
    results = section_4_1.last_layer(mine)
    assert set(results["model"]) == {"conv2d"} and "untrained network" not in set(results["condition"])
    assert len(section_4_1.named_units(mine, results[results["method"] == "DB"])) == 3
    assert set(section_4_0.target_accuracy(mine)["model"]) == {"conv2d"}
    effects = unlearning.unlearning(mine, "conv2d", unlearning.strategy_sets(mine, "conv2d"))
    assert effects["DB"].own.shape == (3, 6)


def test_a_network_that_hears_mostly_silence_is_said_aloud(run):
    long = al.wrap(
        architectures.conv1d(), layers="1", axes=("clips", "channels", "time"), sample_rate=16_000, seconds=2.0
    )
    with pytest.warns(UserWarning, match="hears 2 s, and clips last 0.5 s: .* Give it seconds=0.5"):
        unit_activations(run, long)
