"""Networks of one's own: any module, to described units; what is declared, read out and refused."""

import numpy as np
import pytest
import torch
from torch import nn

import andlib as al
from andlib import frontend
from andlib.ablation import ablate, logits_of
from andlib.activations import record
from andlib.errors import InputError
from andlib.pages.section_4_1 import closed_concepts
from andlib.targets import chosen_unit, content_digest

IMAGE, SEQUENCE = ("clips", "channels", "time", "mels"), ("clips", "time", "channels")
DECLARED = {"sample_rate": 16_000, "seconds": 0.5}


def seeded(make):
    """What `make` gives, in evaluation mode, from the same random weights every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make().eval()


def log_mel(waveforms):
    return frontend.log_mel(waveforms, frontend.AST)


class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, stride=4)
        self.conv2 = nn.Conv2d(4, 6, 3, stride=2)
        self.head = nn.Linear(6, 3)

    def forward(self, bands):
        x = self.conv2(self.conv1(bands[:, None] / 10).relu())
        return self.head(x.relu().mean((2, 3)))


class Recurrent(nn.Module):
    def __init__(self, kind=nn.LSTM, batch_first=True):
        super().__init__()
        self.batch_first = batch_first
        self.rnn = kind(128, 5, batch_first=batch_first)

    def forward(self, bands):
        return self.rnn(bands if self.batch_first else bands.transpose(0, 1))[0]


def convolutional(**changes):
    options = {"layers": "conv*", "axes": IMAGE, "features": log_mel, "classifier": "head", "classes": "abc"}
    return al.wrap(seeded(Convolutional), **DECLARED, **{**options, **changes})


def test_a_convolutional_network_is_dissected_to_described_units(run):
    target = convolutional(name="cnn")
    assert [(la.name, la.units, la.pooling) for la in target.layers] == [
        ("conv1", 4, "mean"),
        ("conv2", 6, "mean"),
        ("classifier", 3, "none"),
    ]
    neurons = al.neurons(run, target)
    assert list(neurons["unit"])[:2] == ["cnn/conv1/0", "cnn/conv1/1"] and len(neurons) == 13
    assert neurons["high"].map(len).all() and neurons["db"].map(len).eq(3).all()
    assert chosen_unit(target, "").id == "cnn/conv1/3"
    assert len(closed_concepts(run, chosen_unit(target, "conv2/5"), target)) == 2 * 5
    u = al.unit_activations(run, target)
    waves = torch.from_numpy(run.probing_set.waveforms(16_000, 0.5))
    with torch.no_grad():
        expected = target.module.conv1(log_mel(waves)[:, None] / 10)
        np.testing.assert_allclose(u["classifier"], target.module(log_mel(waves)), atol=1e-5)
    np.testing.assert_allclose(u["conv1"], expected.mean((2, 3)), atol=1e-4)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_a_recurrent_network_is_dissected_to_described_units(run, kind):
    target = al.wrap(
        seeded(lambda: Recurrent(kind)), layers=["rnn"], axes=SEQUENCE, features=log_mel, name=kind.__name__, **DECLARED
    )
    neurons = al.neurons(run, target)
    assert list(neurons["unit"]) == [f"{kind.__name__}/rnn/{i}" for i in range(5)]
    with torch.no_grad():
        output, _ = target.module.rnn(log_mel(torch.from_numpy(run.probing_set.waveforms(16_000, 0.5))))
    np.testing.assert_allclose(al.unit_activations(run, target)["rnn"], output.mean(1), atol=1e-5)


def test_clips_need_not_be_the_first_axis(waves):
    network = seeded(lambda: Recurrent(batch_first=False))
    target = al.wrap(network, layers={"rnn": ("time", "clips", "channels")}, features=log_mel, **DECLARED)
    u = record(target, [waves], 8)["rnn"]
    with torch.no_grad():
        np.testing.assert_allclose(u, network(log_mel(torch.from_numpy(waves))).mean(0), atol=1e-6)
    with pytest.raises(InputError, match="rnn gave 48 clips for 2; declare where its clips' axis is"):
        al.wrap(network, layers="rnn", axes=SEQUENCE, features=log_mel, **DECLARED)


def test_a_transformers_wav2vec2_is_dissected_to_described_units(run):
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    config = Wav2Vec2Config(
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=12,
        conv_dim=(8, 8),
        conv_stride=(10, 8),
        conv_kernel=(20, 16),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
    )
    target = al.wrap(
        seeded(lambda: Wav2Vec2Model(config)),
        layers={"encoder.layers.*.feed_forward.intermediate_dense": SEQUENCE, "encoder.layers.1": SEQUENCE},
        name="wav2vec2",
        **DECLARED,
    )
    assert [(la.name, la.units) for la in target.layers] == [
        ("encoder.layers.0.feed_forward.intermediate_dense", 12),
        ("encoder.layers.1", 8),
        ("encoder.layers.1.feed_forward.intermediate_dense", 12),
    ]
    neurons = al.neurons(run, target, layers=["encoder.layers.1"])
    assert neurons["unit"][7] == "wav2vec2/encoder.layers.1/7" and neurons["calibrated"].map(len).any()


def test_a_whisper_encoder_is_dissected_to_described_units(run):
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

    config = WhisperConfig(
        d_model=8,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=12,
        decoder_ffn_dim=8,
        max_source_positions=50,
        vocab_size=9,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    extractor = WhisperFeatureExtractor(chunk_length=1)

    def features(waveforms):
        return extractor(list(waveforms.numpy()), sampling_rate=16_000, return_tensors="pt").input_features

    target = al.wrap(
        seeded(lambda: WhisperModel(config)).encoder,
        layers="layers.*.fc*",
        axes=SEQUENCE,
        features=features,
        name="whisper",
        **DECLARED,
    )
    assert [(la.name, la.units) for la in target.layers] == [("layers.0.fc1", 12), ("layers.0.fc2", 8)]
    assert al.neurons(run, target)["unit"].iloc[-1] == "whisper/layers.0.fc2/7"


def test_nonlinearity_comes_before_pooling_and_readout_before_both(waves):
    plain = convolutional()
    with torch.no_grad():
        x = plain.module.conv1(log_mel(torch.from_numpy(waves))[:, None] / 10)  # [clips, channels, time, mels]
    direction = np.array([1.0, -2.0, 0.5, 0.0], np.float32)
    along = torch.einsum("bctm,c->btm", x, torch.from_numpy(direction))
    cases = [
        (plain.read(nonlinearity="relu"), x.relu().mean((2, 3))),
        (plain.read(nonlinearity="gelu", pooling="max"), nn.functional.gelu(x).amax((2, 3))),
        (plain.read(nonlinearity="sigmoid"), x.sigmoid().mean((2, 3))),
        (plain.read(layers=["conv1"], readout=direction), along.mean((1, 2))[:, None]),
        (
            plain.read(layers=["conv1"], readout=torch.from_numpy(direction), nonlinearity="relu", pooling="max"),
            along.relu().amax((1, 2))[:, None],
        ),
        (
            plain.read(layers=["conv1"], readout=np.stack([direction, -direction], 1)),
            torch.stack([along.mean((1, 2)), -along.mean((1, 2))], 1),
        ),
    ]
    for target, expected in cases:
        assert target.module is plain.module
        np.testing.assert_allclose(record(target, [waves], 8)["conv1"], expected, atol=1e-5)
    assert len({target.fingerprint for target, _ in cases}) == len(cases)


def test_units_of_another_readout_are_counted_without_running_the_network():
    plain = convolutional()
    plain.module.register_forward_pre_hook(lambda *_: pytest.fail("the network ran"))
    two = plain.read(layers=["conv1"], readout=np.ones((4, 2), np.float32))
    assert two.layer("conv1").units == 2 and two.read(layers=["conv1"], readout=None).layer("conv1").units == 4
    with pytest.raises(InputError, match="readout of layer conv1 does not fit"):
        plain.read(layers=["conv1"], readout=np.ones(9))


def test_latents_of_an_sae_are_units_too(run, waves):
    sae = seeded(lambda: nn.Sequential(nn.Linear(5, 7), nn.ReLU()))
    target = al.wrap(
        seeded(Recurrent), layers="rnn", axes=SEQUENCE, readout=sae, features=log_mel, name="sae", **DECLARED
    )
    with torch.no_grad():
        output, _ = target.module.rnn(log_mel(torch.from_numpy(waves)))
        expected = sae(output).mean(1)
    np.testing.assert_allclose(record(target, [waves], 8)["rnn"], expected, atol=1e-6)
    assert len(al.neurons(run, target)) == 7
    before = target.fingerprint
    with torch.no_grad():
        sae[0].bias += 1
    assert target.fingerprint != before
    units = {"rnn": np.array([0])}
    with pytest.raises(InputError, match="read out of its channels and cannot be silenced"), ablate(target, units):
        pass


def test_silencing_follows_the_declared_axes(waves):
    target = convolutional()
    features = target.features(torch.from_numpy(waves))
    twin = convolutional()
    with torch.no_grad():
        for name, unit in {"conv1": 2, "conv2": 0}.items():
            getattr(twin.module, name).weight[unit] = 0
            getattr(twin.module, name).bias[unit] = 0
    silenced = logits_of(target, features, {"conv1": np.array([2]), "conv2": np.array([0])})
    np.testing.assert_allclose(silenced, logits_of(twin, features), atol=1e-5)


def test_the_first_of_several_outputs_is_silenced(waves):
    target = al.wrap(seeded(Recurrent), layers="rnn", axes=SEQUENCE, features=log_mel, **DECLARED)
    features = target.features(torch.from_numpy(waves))
    with torch.no_grad():
        plain = target.forward(features)
        with ablate(target, {"rnn": np.array([1, 3])}):
            silenced = target.forward(features)
    assert not silenced[..., [1, 3]].any() and torch.equal(silenced[..., [0, 2, 4]], plain[..., [0, 2, 4]])
    with pytest.raises(InputError, match="no layer 'classifier', so it gives no class scores"):
        target.logits(features)


def test_pooling_first_takes_the_first_position_wherever_there_is_one(waves):
    target = al.wrap(seeded(Recurrent), layers={"rnn": SEQUENCE}, pooling="max", features=log_mel, **DECLARED)
    with torch.no_grad():
        output = target.forward(target.features(torch.from_numpy(waves)))
    np.testing.assert_array_equal(record(target.read(pooling="first"), [waves], 8)["rnn"], output[:, 0])
    assert convolutional().read(pooling="max").layer("classifier").pooling == "none"
    with pytest.raises(InputError, match="Pooling 'first' does not fit layer conv1"):
        convolutional().read(pooling="first")


@pytest.mark.parametrize(
    "change,message",
    [
        ({"layers": ["conv9"]}, r"no module 'conv9'\. The nearest of its 3 are: conv\d, conv\d"),
        ({"classifier": "haed"}, r"no module 'haed'\. The nearest of its 3 are: head"),
        ({"axes": None}, "No axes are declared for model"),
        ({"axes": ("clips", "time", "channels")}, r"conv1 gave a Tensor of shape \(2, 4, 12, 32\); expected axes"),
        ({"axes": ("channels", "clips", "time", "mels")}, "conv1 gave 4 clips for 2; declare where"),
        ({"axes": ("clips", "time", "mels", "mels")}, "expected different names, 'clips' and 'channels' among"),
        ({"pooling": "average"}, "Pooling 'average' is unknown"),
        ({"nonlinearity": "tanh"}, "Nonlinearity 'tanh' is unknown"),
        ({"readout": np.ones(9)}, r"readout of layer conv1 does not fit .*Expected directions \[4\]"),
        ({"readout": nn.Linear(4, 2), "layers": "conv1"}, "readout of layer conv1 is in training mode"),
        ({"classes": "ab"}, "3 class scores, but `classes` names 2"),
        ({"name": "a/b"}, "'a/b' cannot be part of a unit's id"),
        ({"name": "a\0"}, "cannot be part of a unit's id"),
        ({"name": "a" * 5000}, "'a{40}' cannot be part of a unit's id"),
        ({"layers": [], "classifier": "", "classes": ()}, "no module None; name one or more"),
        ({"layers": 3}, "no module 3; name one or more"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change, message):
    with pytest.raises(InputError, match=message):
        convolutional(**change)


@pytest.mark.parametrize("seconds", [None, 0, -1, "2", True, float("inf")])
def test_the_length_of_clips_must_be_given_and_positive(seconds):
    with pytest.raises(InputError, match="seconds of model is .*expected that of its waveforms, a positive"):
        al.wrap(seeded(Convolutional), layers="conv*", axes=IMAGE, seconds=seconds, sample_rate=16_000)
    with pytest.raises(InputError, match="model is a str; expected a torch module"):
        al.wrap("network.pt", layers="conv*", axes=IMAGE, **DECLARED)
    with pytest.raises(InputError, match="could not be heard at 16000 Hz for 1000000000000.0 s .*Unable to allocate"):
        al.wrap(seeded(Convolutional), layers="conv*", axes=IMAGE, seconds=1e12, sample_rate=16_000)


@pytest.mark.parametrize("rate", [None, 0, -16_000, float("nan"), "16000", 44_100.5])
def test_a_sampling_rate_must_be_given_and_positive(rate):
    with pytest.raises(InputError, match="sample_rate of model is .*expected that of its waveforms, a positive"):
        al.wrap(seeded(Convolutional), layers="conv*", axes=IMAGE, seconds=0.5, sample_rate=rate)


def test_a_module_in_training_mode_is_refused_now_and_later(waves):
    with pytest.raises(InputError, match=r"in training mode.*call \.eval\(\)"):
        al.wrap(Convolutional(), layers="conv*", axes=IMAGE, features=log_mel, **DECLARED)
    target = convolutional()
    target.module.train()
    with pytest.raises(InputError, match="in training mode"):
        record(target, [waves], 8)


def test_a_module_without_values_or_on_several_devices_is_refused():
    with pytest.raises(InputError, match="lies on meta"):
        al.wrap(seeded(Convolutional).to("meta"), layers="conv*", axes=IMAGE, features=log_mel, **DECLARED)
    split = seeded(Convolutional)
    split.head.to("meta")
    with pytest.raises(InputError, match="lies on cpu, meta"):
        al.wrap(split, layers="conv*", axes=IMAGE, features=log_mel, **DECLARED)


def test_a_network_that_cannot_take_the_features_says_which():
    with pytest.raises(InputError, match="model failed on clips 0 to 1 of 0.5 s at 16000 Hz .*Expected 128, got 8000"):
        al.wrap(seeded(Recurrent), layers="rnn", axes=SEQUENCE, **DECLARED)


class Changing(nn.Module):
    """Gives another width, or another length, after the first batches."""

    def __init__(self, shapes):
        super().__init__()
        self.shapes, self.part = iter(shapes), nn.Identity()

    def forward(self, waves):
        tokens, channels = next(self.shapes)
        return self.part(torch.ones(len(waves), tokens, channels))


@pytest.mark.parametrize(
    "last,message",
    [((4, 5), r"part gave a Tensor of shape \(4, 4, 5\).* and 3 channels"), ((6, 3), r"part gave \[6, 3\] numbers a")],
)
def test_outputs_that_change_shape_between_batches_are_refused(waves, last, message):
    network = Changing([*[(4, 3)] * 4, last]).eval()  # it is heard three times when it is wrapped
    target = al.wrap(network, layers="part", axes=SEQUENCE, **DECLARED)
    with pytest.raises(InputError, match=message):
        record(target, [waves[:4], waves[4:]], 8)


class Oft(nn.Module):
    """Runs one part twice and another never."""

    def __init__(self):
        super().__init__()
        self.twice, self.never = nn.Identity(), nn.Identity()

    def forward(self, waves):
        return self.twice(self.twice(waves[:, :4]))


@pytest.mark.parametrize("part,times", [("twice", 2), ("never", 0)])
def test_a_module_that_does_not_run_once_is_refused(part, times):
    with pytest.raises(InputError, match=f"{part} ran {times} times in a forward pass"):
        al.wrap(Oft().eval(), layers=part, axes=("clips", "channels"), **DECLARED)


class Particular(nn.Module):
    """Fails where a clip is alone; gives what it is told of the others."""

    def __init__(self, gives=lambda x: x):
        super().__init__()
        self.part, self.gives = nn.Identity(), gives

    def forward(self, waves):
        if len(waves) == 1:
            raise RuntimeError("one alone\nis not enough")
        return self.part(self.gives(waves[:, :4]))


def test_a_module_that_fails_on_a_clip_names_it(waves):
    target = al.wrap(Particular().eval(), layers="part", axes=("clips", "channels"), **DECLARED)
    with pytest.raises(InputError, match=r"failed on clips 7 to 7 of 0.5 s at 16000 Hz \(one alone\)\. Check these"):
        record(target, [waves[:7], waves[7:]], 8)


@pytest.mark.parametrize(
    "gives, message",
    [
        (torch.fft.rfft, "gave complex numbers"),
        (lambda x: "words", "gave a str of shape"),
        (lambda x: {"a": x}, "gave a dict of shape"),
        (lambda x: None, "gave a NoneType of shape"),
    ],
)
def test_outputs_that_are_no_real_numbers_are_refused(gives, message):
    with pytest.raises(InputError, match=message):
        al.wrap(Particular(gives).eval(), layers="part", axes=("clips", "channels"), version="1", **DECLARED)


def test_whole_numbers_and_lazy_modules_are_read(waves):
    counts = al.wrap(Particular(torch.sign).eval(), layers="part", axes=("clips", "channels"), **DECLARED)
    np.testing.assert_array_equal(record(counts, [waves], 8)["part"], np.sign(waves[:, :4]))
    lazy = nn.Sequential(nn.Unflatten(1, (1, -1)), nn.LazyConv1d(4, 16, 8)).eval()
    target = al.wrap(lazy, layers="1", axes=("clips", "channels", "time"), **DECLARED)
    assert target.layers[0].units == 4 and record(target, [waves], 8)["1"].shape == (8, 4)


def test_outputs_that_are_not_finite_name_the_layer():
    broken = seeded(Convolutional)
    with torch.no_grad():
        broken.conv2.bias[0] = float("inf")
    with pytest.raises(InputError, match="Layer conv2 gave activations that are not finite"):
        al.wrap(broken, layers="conv*", axes=IMAGE, features=log_mel, **DECLARED)


def test_the_fingerprint_covers_weights_structure_rate_and_features():
    def other(waveforms):
        return log_mel(waveforms) + 1

    changed = seeded(Convolutional)
    with torch.no_grad():
        changed.conv1.bias[0] += 1
    dilated = seeded(Convolutional)
    dilated.conv2.dilation = (2, 2)
    bare = {"layers": "conv*", "axes": IMAGE, "seconds": 0.5, "sample_rate": 16_000, "features": log_mel}
    targets = [
        al.wrap(network, **{**bare, **changes})
        for network, changes in [
            (seeded(Convolutional), {}),
            (changed, {}),
            (dilated, {}),
            (seeded(Convolutional), {"sample_rate": 8_000, "seconds": 1.0}),
            (seeded(Convolutional), {"features": other}),
            (seeded(Convolutional), {"version": "2"}),
        ]
    ]
    assert len({target.fingerprint for target in targets}) == len(targets)
    assert al.wrap(seeded(Convolutional), **bare).fingerprint == targets[0].fingerprint


def test_content_digests_cover_types_shapes_and_unsaved_buffers():
    network = nn.Linear(2, 2)
    before = content_digest(network)
    network.register_buffer("window", torch.ones(3), persistent=False)
    assert content_digest(network) != before
    arrays = [np.zeros(4, np.float32), np.zeros((2, 2), np.float32), np.zeros(4, np.float64), np.ones(4, np.float32)]
    assert len({content_digest(array) for array in arrays}) == 4


def test_names_of_targets_keep_their_neurons_apart(run):
    units = [al.neurons(run, convolutional(name=name), layers=["conv1"])["unit"][0] for name in ("one", "two")]
    assert units == ["one/conv1/0", "two/conv1/0"]


def test_a_target_has_no_untrained_twin(run):
    with pytest.raises(InputError, match="give its untrained twin"):
        run.target(convolutional(), untrained=True)
