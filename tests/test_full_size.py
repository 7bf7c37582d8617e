"""Fine-tuning of networks in the published formats, by small random stand-ins: seeded, resumable, refused in words."""

import sys
from dataclasses import asdict, dataclass, replace

import pytest
import torch
from conftest import tiny_folder, tiny_run
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy

from andlib.errors import InputError
from andlib.networks import beats
from andlib.networks.beats_files import Config
from andlib.networks.checkpoints import load_target
from making import full_size, lesson, training
from making.full_size import FullSize
from making.progress import Progress


@dataclass(frozen=True)
class Quick(FullSize):
    """Two epochs of small batches, and masks that half a second has room for."""

    epochs: int = 2
    batch: int = 8
    at_once: int = 3
    mask_frames: int = 20


RECIPE = Quick(2.0, 198)
SIZE = {"embed_dim": 16, "encoder_embed_dim": 16, "encoder_ffn_embed_dim": 32}
BEATS = Config(encoder_layers=2, encoder_attention_heads=2, conv_pos=16, conv_pos_groups=4, **SIZE)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder with an AST as the hub has it, of 1024 frames, overlapping patches and other classes."""
    from transformers import ASTConfig, ASTForAudioClassification

    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("published") / "ast"
    ASTForAudioClassification(ASTConfig(**sizes, num_labels=5)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A BEATs as its authors publish it: a torch checkpoint without a classifier."""
    path = tmp_path_factory.mktemp("published") / "BEATs.pt"
    torch.save({"cfg": asdict(BEATS), "model": beats.make(BEATS, 0, 1).state_dict()}, path)
    return path


def command(monkeypatch, run, *arguments):
    """Runs the command on the tiny run's clips in place of a profile's."""
    monkeypatch.setattr("making.command.open_run", lambda settings: run)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # which the command puts its own in place of
    monkeypatch.setattr(sys, "argv", ["full_size", *map(str, arguments)])
    full_size.main()


def test_a_fine_tuned_ast_is_what_a_page_takes(published, tmp_path, monkeypatch, capsys):
    run = tiny_run(tmp_path / "store")
    monkeypatch.setattr(full_size, "FullSize", Quick)
    command(monkeypatch, run, "--init", published, "--at-once", 3, "--out", tmp_path / "out")
    folder = capsys.readouterr().out.strip()
    target = run.using(weights=folder).target("ast")
    assert target.classes == run.probing_set.classes
    assert target.module.config.time_stride == 10
    assert len(lesson.json.loads((tmp_path / "out/full_ast_mini/record.json").read_text())["losses"]) == 2


def test_places_of_a_shorter_clip_are_those_in_the_middle(published):
    start = load_target(published).module
    network = training.make_ast(start.config.to_dict(), RECIPE, ("a", "b"), start)
    name = "audio_spectrogram_transformer.embeddings.position_embeddings"
    whole, part = (values.state_dict()[name] for values in (start, network))
    assert torch.equal(whole[:, :2], part[:, :2])
    bands, long, short = 12, (1024 - 16) // 10 + 1, (198 - 16) // 10 + 1
    middle = whole[:, 2:].reshape(1, bands, long, 16)[:, :, (long - short) // 2 :][:, :, :short]
    assert torch.equal(middle, part[:, 2:].reshape(1, bands, short, 16))


def test_passes_add_up_to_the_batch():
    torch.manual_seed(0)
    network, x, y = torch.nn.Linear(5, 3), torch.randn(8, 5), torch.rand(8, 3)
    plain = replace(RECIPE, precision="float32")
    cross_entropy(network(x), y, label_smoothing=plain.smoothing).backward()
    whole = network.weight.grad.clone()
    network.zero_grad()
    for loss in lesson.losses(network, x, y, plain):
        loss.backward()
    torch.testing.assert_close(network.weight.grad, whole)


def test_frozen_weights_stay_and_fine_tuned_ones_move(checkpoint, tmp_path):
    start = load_target(checkpoint).module
    name, run = "beats.encoder.layers.1.fc1.weight", tiny_run(tmp_path / "store")
    moved = {}
    for strategy in ("frozen", "finetuned"):
        folder = full_size.fine_tuned_beats(run, start, strategy, RECIPE, tmp_path)
        learnt = load_file(folder / "model.safetensors")[name].float()
        moved[strategy] = (learnt - start.encoder.layers[1].fc1.weight.half().float()).abs().max().item()
        assert run.using(weights=str(folder)).target("ast").classes == run.probing_set.classes
    assert moved["frozen"] == 0 < moved["finetuned"]


@pytest.mark.slow
def test_a_killed_fine_tuning_goes_on_and_gives_the_same_bytes(published, tmp_path, monkeypatch):
    run, start = tiny_run(tmp_path / "store"), load_target(published).module
    whole = full_size.fine_tuned_ast(run, start, RECIPE, tmp_path / "whole")
    plain, count = Progress.step, iter(range(100))

    def step(self, parts):
        if next(count) == 4:  # in the second epoch
            raise KeyboardInterrupt
        plain(self, parts)

    monkeypatch.setattr(Progress, "step", step)
    with pytest.raises(KeyboardInterrupt):
        full_size.fine_tuned_ast(run, start, RECIPE, tmp_path / "killed")
    monkeypatch.setattr(Progress, "step", plain)
    killed = full_size.fine_tuned_ast(run, start, RECIPE, tmp_path / "killed")
    assert (whole / "model.safetensors").read_bytes() == (killed / "model.safetensors").read_bytes()


def test_too_little_memory_is_said(published, tmp_path, monkeypatch):
    def step(self, parts):
        raise torch.OutOfMemoryError("40 GiB were asked for")

    monkeypatch.setattr(Progress, "step", step)
    with pytest.raises(InputError, match=r"cpu lacks the memory for 3 clips \(40 GiB .*--at-once"):
        full_size.fine_tuned_ast(tiny_run(tmp_path), load_target(published).module, RECIPE, tmp_path)


def test_what_cannot_be_fine_tuned_is_refused(published, tmp_path, monkeypatch, capsys):
    run = tiny_run(tmp_path / "store")
    with pytest.raises(InputError, match="ASTForAudioClassification; expected a BEATs, whose weights may stay"):
        command(monkeypatch, run, "--init", published, "--strategy", "frozen")
    with pytest.raises(SystemExit):
        command(monkeypatch, run, "--init", published, "--at-once", "0")
    assert "'0' is no whole number of at least 1" in capsys.readouterr().err
    with pytest.raises(InputError, match="neither a local folder nor a model"):
        command(monkeypatch, run, "--init", tmp_path / "nowhere")
    assert not list(tmp_path.glob("**/*.safetensors")) and tiny_folder().is_dir()
