"""Architectures that Hugging Face's transformers knows: where each keeps what units and inputs are made of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from andlib.frontend import AST, BEATS, log_mel

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

LINEAR = ("attention_output", "intermediate", "output")  # our names of a block's linear layers


@dataclass(frozen=True)
class Family:
    """Where transformers keeps what we need of an architecture.
    encoder: class without classifier; part: path of the audio encoder in it. classifier: class with one; within: path
    of the encoder in that; head: of its last linear layer. blocks: configuration -> path, width and inner width of its
    blocks. linear: paths of LINEAR in one. extractor: class of the input, "" for AST's; defaults: its settings."""

    encoder: str
    blocks: Callable[[dict], list[tuple[str, int, int]]]
    linear: tuple[str, str, str]
    extractor: str = "Wav2Vec2FeatureExtractor"
    classifier: str = ""
    within: str = ""
    head: str = "classifier"
    part: str = ""
    pooling: str = "mean"
    defaults: Callable[[dict], dict] = lambda config: {}


def _alike(path: str, count: str = "num_hidden_layers", width: str = "hidden_size", inner: str = "intermediate_size"):
    return lambda config: [(f"{path}.{i}", config[width], config[inner]) for i in _blocks(config[count])]


def _blocks(count: int) -> range:
    if not 0 < count <= 1000:
        raise ValueError(f"{count} blocks")
    return range(count)


def _clap_blocks(config: dict) -> list[tuple[str, int, int]]:
    widths = [config["patch_embeds_hidden_size"] * 2**stage for stage in range(len(config["depths"]))]
    return [
        (f"audio_encoder.layers.{stage}.blocks.{i}", width, int(config["mlp_ratio"] * width))
        for stage, width in enumerate(widths)
        for i in _blocks(config["depths"][stage])
    ]


def _clap_settings(config: dict) -> dict:
    kind = "fusion" if config.get("enable_fusion") else "rand_trunc"
    return {"sampling_rate": 48_000, "feature_size": config["num_mel_bins"], "max_length_s": 10, "truncation": kind}


def _whisper_settings(config: dict) -> dict:
    return {"feature_size": config["num_mel_bins"], "chunk_length": config["max_source_positions"] * 320 // 16_000}


def _speech(name: str, attention: str = "attention.out_proj") -> Family:
    linear = (attention, "feed_forward.intermediate_dense", "feed_forward.output_dense")
    classifier = f"{name}ForSequenceClassification"
    return Family(f"{name}Model", _alike("encoder.layers"), linear, classifier=classifier, within=name.lower())


# CLAP's attention itself gives windows, not clips; what follows it, drop_path, does nothing but bears whole clips
CLAP = ("drop_path", "intermediate.dense", "output.dense"), "ClapFeatureExtractor"
FAMILIES = {
    "audio-spectrogram-transformer": Family(
        "ASTModel",
        _alike("layers"),
        ("attention.o_proj", "mlp.fc1", "mlp.fc2"),
        extractor="",
        classifier="ASTForAudioClassification",
        within="audio_spectrogram_transformer",
        head="classifier.dense",
        pooling="cls",
    ),
    "wav2vec2": _speech("Wav2Vec2"),
    "hubert": _speech("Hubert"),
    "wavlm": _speech("WavLM", "attention"),  # it applies out_proj's weights without calling out_proj
    "whisper": Family(
        "WhisperModel",
        _alike("layers", "encoder_layers", "d_model", "encoder_ffn_dim"),
        ("self_attn.out_proj", "fc1", "fc2"),
        "WhisperFeatureExtractor",
        classifier="WhisperForAudioClassification",
        within="encoder",
        part="encoder",
        defaults=_whisper_settings,
    ),
    "clap": Family("ClapModel", _clap_blocks, *CLAP, part="audio_model", defaults=_clap_settings),
    "clap_audio_model": Family("ClapAudioModel", _clap_blocks, *CLAP, defaults=_clap_settings),
}


def ast_features(
    waves: "Float[Tensor, 'clips samples']", max_length: int, mean: float = AST.mean, deviation: float = AST.deviation
) -> "Float[Tensor, 'clips frames mels']":
    """AST's input: normalised log-mel of waveforms at 16 kHz, padded with zeros to `max_length` frames.
    mean, deviation: of the log-mel that the network was trained on; AudioSet's by default."""
    from torch.nn.functional import pad

    bands = log_mel(waves, AST)[:, :max_length]
    bands = pad(bands, (0, 0, 0, max_length - bands.shape[1]))  # before normalisation, as the checkpoints were trained
    return (bands - mean) / (2 * deviation)


def beats_features(waves: "Float[Tensor, 'clips samples']") -> "Float[Tensor, 'clips frames mels']":
    """BEATs' input: normalised log-mel of waveforms at 16 kHz; frames beyond the last whole patch are not used."""
    return (log_mel(waves, BEATS) - BEATS.mean) / (2 * BEATS.deviation)
