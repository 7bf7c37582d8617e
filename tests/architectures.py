"""Small random networks of others' making, as `andlib report` calls them: module:function."""

import torch
from torch import nn

import andlib as al

RATE, SECONDS = 16_000, 0.5
HEARD = {"sample_rate": RATE, "seconds": SECONDS}


def frames(waveforms):
    """Log-mel of 128 bands, [clips, frames, mels]."""
    from andlib.frontend import AST, log_mel

    return log_mel(waveforms, AST) / 10


def seeded(make):
    torch.manual_seed(0)
    return make().eval()


def conv1d():
    return seeded(lambda: nn.Sequential(nn.Unflatten(1, (1, -1)), nn.Conv1d(1, 8, 400, 160), nn.ReLU()))


def conv2d():
    network = seeded(lambda: nn.Sequential(nn.Unflatten(1, (1, -1)), nn.Conv2d(1, 6, 5, 3), nn.ReLU()))
    axes = ("clips", "channels", "time", "mels")
    return al.wrap(network, layers="2", axes=axes, pooling="max", features=frames, name="conv2d", **HEARD)


def recurrent():
    network = seeded(lambda: nn.Sequential(nn.GRU(128, 10, batch_first=True)))
    return al.wrap(network, layers="0", axes=("clips", "time", "channels"), features=frames, name="gru", **HEARD)


class Conformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.take, self.attend = nn.Linear(128, 8), nn.MultiheadAttention(8, 2, batch_first=True)
        self.mix, self.out = nn.Conv1d(8, 8, 7, padding=3, groups=8), nn.Linear(8, 8)

    def forward(self, x):
        x = self.take(x)
        x = x + self.attend(x, x, x)[0]
        return x + self.out(self.mix(x.transpose(1, 2)).transpose(1, 2))


def conformer():
    layers = {"out": ("clips", "time", "channels"), "mix": ("clips", "channels", "time")}
    return al.wrap(seeded(Conformer), layers=layers, features=frames, name="conformer", **HEARD)


class Patches(nn.Module):
    def __init__(self):
        super().__init__()
        block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.cut, self.blocks = nn.Conv2d(1, 8, 16, 16), nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.blocks(self.cut(x[:, None]).flatten(2).transpose(1, 2)).mean(1))


def patches():
    """A patch transformer that classifies the folder's classes."""
    tokens, classes = ("clips", "tokens", "channels"), ("dog", "rain", "siren")
    layers = ["blocks.layers.*.linear1", "blocks.layers.*.linear2"]
    settings = {"axes": tokens, "features": frames, "classifier": "head", "classes": classes, **HEARD}
    return al.wrap(seeded(Patches), layers=layers, name="patches", **settings)


class Windowed(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.out = nn.Conv1d(1, 8, 64, 32), nn.Linear(8, 4)

    def forward(self, x):
        clips = len(x)
        return self.out(self.conv(x.reshape(-1, 1, 2000)).relu().mean(-1)).reshape(clips, -1, 4).mean(1)


def windowed():
    axes = ("windows", "channels", "time")
    return al.wrap(seeded(Windowed), layers="conv", axes=axes, pooling="max", name="windowed", **HEARD)


def multilabel():
    """Tags of its own, none of them a class of the folder."""
    network = seeded(
        lambda: nn.Sequential(nn.Conv1d(128, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(8, 4))
    )
    settings = {"classifier": "4", "classes": ("music", "speech", "wind", "engine"), "name": "tags", **HEARD}
    return al.wrap(network, layers="0", axes=("clips", "channels", "time"), features=bands_first, **settings)


def bands_first(waveforms):
    return frames(waveforms).transpose(1, 2)


def whisper():
    from transformers import WhisperConfig, WhisperModel

    sizes = {"encoder_layers": 2, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    sizes |= {"d_model": 8, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "vocab_size": 20, "num_mel_bins": 128}
    config = WhisperConfig(max_source_positions=24, pad_token_id=1, decoder_start_token_id=1, bos_token_id=1, **sizes)
    return seeded(lambda: WhisperModel(config))


def whisper_input(waveforms):
    return bands_first(waveforms)[:, :, :48]


def encoder():
    """An encoder-decoder's encoder."""
    layers, axes = ["layers.*.fc1", "layers.*.fc2"], ("clips", "time", "channels")
    return al.wrap(whisper().get_encoder(), layers=layers, axes=axes, features=whisper_input, name="encoder", **HEARD)


def autoencoder():
    network = seeded(lambda: nn.Sequential(nn.Linear(8000, 12), nn.Tanh(), nn.Linear(12, 8000)))
    return al.wrap(network, layers="1", axes=("clips", "channels"), name="autoencoder", **HEARD)


def sae():
    """Latents of a sparse autoencoder on the recurrent network's states."""
    dictionary = seeded(lambda: nn.Sequential(nn.Linear(10, 20), nn.ReLU()))
    return recurrent().read(readout=dictionary, pooling="max")


def scripted():
    return torch.jit.script(conv1d())
