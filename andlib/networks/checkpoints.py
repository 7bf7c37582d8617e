"""Networks of Hugging Face as targets: classifiers and encoders for audio, from a folder or from the hub."""

import math
import os
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from andlib import frontend, paths, weights
from andlib.errors import InputError, explained, first_line
from andlib.frontend import AST
from andlib.networks.beats_files import CONFIG, WEIGHTS, load_beats
from andlib.networks.families import FAMILIES, LINEAR, Family, ast_features
from andlib.records import Grid
from andlib.store import digest, file_digest, read_object, unchanged
from andlib.targets import Layer, Target

if TYPE_CHECKING:
    from torch import Tensor, nn

ELSEWHERE = "Load it with its own package and give it to andlib.wrap."
SHORTEST, LONGEST = 0.025, 600.0  # s of a clip; a frame of log-mel is as long
SECONDS = 10.0  # length of clips where neither the caller nor the network says one
CHECKPOINT_FILES = (".pt", ".pth", ".ckpt", ".bin", ".safetensors")  # endings of BEATs' single-file checkpoints
GRAPHS = (".onnx", ".ts", ".torchscript", ".tflite", ".engine", ".h5", ".gguf")  # of networks that are kept whole
PICKLED, SHARDS, PART = "pytorch_model.bin", "model.safetensors.index.json", "model-*-of-*.safetensors"
CHANGES = "changes.safetensors"  # of a network that is kept as what it changes in Whisper
SETTINGS = ("preprocessor_config.json", "processor_config.json")  # where a model states how its input is made


def load_target(
    location: str | Path,
    *,
    name: str | None = None,
    seconds: float | None = None,
    classes: Sequence[str] = (),
    untrained_seed: int | None = None,
    pooling: str | None = None,
    padding: bool = True,
) -> Target:
    """A published network as a target: units of each block's three linear layers and, if it has one, its classifier's.

    Takes AST, wav2vec2, HuBERT, WavLM (encoders and classifiers), Whisper's encoder, CLAP's audio tower, and BEATs.
    Sampling rate and normalisation are those of its own preprocessor_config.json, else of its architecture.

    location: folder made by `save_pretrained`, id of a model on the Hugging Face hub, or a BEATs checkpoint (.pt,
    .safetensors). name: by default the location's last part. classes: names of outputs, where it has none of its own.
    seconds: length of the clips; by default the longest that the network takes, or 10. pooling: of all layers; by
    default AST's class token, and means otherwise. untrained_seed: if given, random weights instead (a control).
    padding: whether Whisper hears a clip with the silence up to 30 s that it was trained with; without it, clips of 5 s
    cost a seventh, and activations are others.
    Raises InputError where the network is unknown, its files are damaged or clips are longer than it takes.

    >>> target = load_target("facebook/wav2vec2-base-960h", seconds=5.0)"""
    path = paths.named(location)
    if seconds is not None and (isinstance(seconds, bool | str) or not SHORTEST <= seconds <= LONGEST):
        raise InputError(f"seconds is {seconds!r}; expected the length of clips, from {SHORTEST:g} to {LONGEST:g}.")
    if path.suffix.lower() in GRAPHS:
        raise InputError(f"{path} holds a graph, not weights. {ELSEWHERE}")
    single = path.suffix.lower() in CHECKPOINT_FILES
    name = name or (path.stem if single else path.name)
    path = path if single else _folder(location)
    odd = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)  # whatever is wrong with a description
    with explained(lambda e: f"{path} describes no network that could be built ({e!r}). Fetch it anew.", *odd):
        if single or _json(path / CONFIG).get("model_type") == "beats":
            seconds = seconds or SECONDS
            target = load_beats(path, name=name, seconds=seconds, classes=tuple(classes), untrained_seed=untrained_seed)
        else:
            target = _target(path, name, seconds, tuple(classes), untrained_seed, padding)
    if pooling in ("cls", "cls+distillation") and not any(layer.pooling == "cls" for layer in target.layers):
        raise InputError(f"{name} has no class token; expected another pooling, such as mean, max or first.")
    return target.read(pooling=pooling) if pooling else target


def _target(
    folder: Path, name: str, seconds: float | None, classes: tuple[str, ...], seed: int | None, padding: bool
) -> Target:
    held = _weights(folder)
    given = [*held, *(folder / name for name in (CONFIG, SHARDS, *SETTINGS))]
    files = {path: file_digest(path) for path in given if path.is_file()}
    config, stated, shared = (_json(folder / name) if folder / name in files else {} for name in (CONFIG, *SETTINGS))
    own = shared.get("feature_extractor") or stated
    if not isinstance(config.get("model_type"), str) or config["model_type"] not in FAMILIES:
        known = f"{folder} holds a {config.get('model_type')!r} network; known are {', '.join([*FAMILIES, 'beats'])}"
        raise InputError(f"{known}. {ELSEWHERE}")
    family = FAMILIES[config["model_type"]]
    audio = config.get("audio_config", config)
    settings = {"sampling_rate": 16_000, **family.defaults(audio), **own}
    seconds, own_tokens = _length(name, audio, settings, seconds)
    if not padding and family.extractor == "WhisperFeatureExtractor":
        settings["chunk_length"] = math.ceil(seconds)
        own = own | {"chunk_length": settings["chunk_length"]}
        config = config | {"max_source_positions": min(config["max_source_positions"], 50 * own["chunk_length"])}
    classified = _classifies(family, config, held)
    classes = _classes(folder, config, classes, classified)
    shape = {k: v for k, v in config.items() if k not in ("transformers_version", "dtype")}
    values = digest([files[path] for path in held]) if held[1:] else files[held[0]]
    layers, rate = _layers(family, audio, classes, own_tokens), settings["sampling_rate"]
    if wrong := [n for n in (rate, len(layers), *(la.units for la in layers)) if type(n) is not int or n < 1]:
        raise ValueError(f"{wrong[0]!r} is no sampling rate, or number of layers or units")

    def build() -> "nn.Module":
        with explained(
            lambda e: f"{folder} describes no network that could be built ({first_line(e)}). Fetch it anew."
        ):
            network = _build(folder, config, family, classified, seed)
        unchanged(files)
        return network

    return Target(
        name=name,
        layers=layers,
        classes=classes,
        sample_rate=rate,
        seconds=seconds,
        features=_features(family, settings, audio),
        build=build,
        content=digest([shape, own, values if seed is None else f"untrained{seed}"]),
        grid=_grid(family, audio, settings, seconds),
    )


def _length(name: str, config: dict, settings: dict, seconds: float | None) -> tuple[float, int]:
    """How many seconds of a clip a network hears, and how many of Whisper's tokens are the clip's own; 0: all."""
    if not seconds and "frequency_stride" in config:  # AST's input ends with its last frame of 10 ms
        return min(SECONDS, config["max_length"] / 100), 0
    longest = settings.get("chunk_length") or settings.get("max_length_s")
    if longest and seconds and seconds > longest:
        raise InputError(f"{name} takes clips of at most {longest} s, not {seconds:g} s; give fewer seconds.")
    seconds = seconds or float(longest or SECONDS)
    if "chunk_length" not in settings:
        return seconds, 0
    # a token spans two shifts, and what follows the clip's own is padding
    return seconds, math.ceil(seconds * settings["sampling_rate"] / (2 * settings.get("hop_length", 160)))


def _grid(family: Family, config: dict, settings: dict, seconds: float) -> Callable[[], Grid] | None:
    """Where tokens lie: AST's are patches, those of speech models follow each other in time; CLAP's move about."""
    if family.extractor == "ClapFeatureExtractor":
        return None
    if family.extractor:
        return lambda: Grid((0.0, seconds), (0.0, settings["sampling_rate"] / 2), bands=1)
    if not _usual(settings, config):
        return None
    strides = config["time_stride"], config["frequency_stride"]
    patches = frontend.patches(config["max_length"], config["patch_size"], strides, prefix=2, time_first=True)
    return lambda: patches


def _layers(family: Family, config: dict, classes: tuple[str, ...], own: int) -> tuple[Layer, ...]:
    prefix = f"{family.within}." if classes else ""
    layers = [
        Layer(f"block{i}.{name}", f"{prefix}{block}.{path}", units, family.pooling, own=own)
        for i, (block, width, inner) in enumerate(family.blocks(config))
        for name, path, units in zip(LINEAR, family.linear, (width, inner, width), strict=True)
    ]
    head = [Layer("classifier", family.head, len(classes), "none", ("clips", "channels"))] if classes else []
    return (*layers, *head)


def _classes(folder: Path, config: dict, given: tuple[str, ...], classified: bool) -> tuple[str, ...]:
    if not classified:
        if given:
            raise InputError(f"{folder} has no classifier for `classes` to name. Leave them out; see andlib.with_head.")
        return ()
    labels = config.get("id2label", {0: "LABEL_0", 1: "LABEL_1"})  # a configuration with two, the default, omits them
    names = tuple(label.replace("_", " ") for _, label in sorted(labels.items(), key=lambda item: int(item[0])))
    if given and len(given) != len(names):
        raise InputError(f"{folder} holds a classifier of {len(names)} classes, but {len(given)} names were given.")
    return given or names


def _usual(settings: dict, config: dict) -> bool:
    """Whether AST hears as all published ones do."""
    return (settings["sampling_rate"], config.get("num_mel_bins")) == (frontend.SAMPLE_RATE, frontend.MELS)


def _features(family: Family, settings: dict, config: dict) -> "Callable[[Tensor], Tensor]":
    if not family.extractor and _usual(settings, config):  # as transformers with torchaudio, which is not needed
        scale = settings if settings.get("do_normalize", True) else {"mean": 0.0, "std": 0.5}
        mean, deviation = (float(scale.get(name, own)) for name, own in (("mean", AST.mean), ("std", AST.deviation)))
        if not (math.isfinite(mean) and 0 < deviation < math.inf):
            raise ValueError(f"its input is normalised by a mean of {mean} and a deviation of {deviation}")
        return lambda waves: ast_features(waves, config["max_length"], mean, deviation)

    own = {name: config[name] for name in ("num_mel_bins", "max_length")} if not family.extractor else {}

    def features(waveforms: "Tensor") -> "Tensor":
        import transformers

        extractor = getattr(transformers, family.extractor or "ASTFeatureExtractor")(**settings | own)
        made = extractor(list(waveforms.numpy()), sampling_rate=settings["sampling_rate"], return_tensors="pt")
        return made[extractor.model_input_names[0]].float()

    return features


def _build(folder: Path, config: dict, family: Family, classified: bool, seed: int | None) -> "nn.Module":
    import torch
    import transformers

    kind, held = getattr(transformers, family.classifier if classified else family.encoder), _weights(folder)
    with torch.device("meta"):  # no memory is asked for that the file's own weights do not fill
        wanted = sum(weight.numel() for weight in kind(kind.config_class.from_pretrained(folder)).parameters())
    if wanted > 2**18 + sum(path.stat().st_size for path in held):  # a byte or more each
        raise InputError(f"{folder} describes {wanted:,} weights, more than its files hold. Fetch it anew.")
    if seed is not None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = kind(kind.config_class.from_pretrained(folder))
    else:
        options = {"dtype": torch.float32, "use_safetensors": held[0].name != PICKLED}
        if any(name.startswith("module.") for name in _names(held)):  # as DataParallel saves them
            options["key_mapping"] = {r"^module\.": ""}
        code = f"{folder} holds objects that only running its code could make, so it is refused. Fetch safetensors."
        with explained(lambda _: code, pickle.UnpicklingError):
            network = weights.pretrained(kind, str(folder), ("masked_spec_embed",), **options)  # which serves training
    network = network if classified or not family.part else network.get_submodule(family.part)
    if getattr(network.config, "enable_fusion", False):  # CLAP: no clip is longer than its window
        none_longer = lambda _, x, options: (x, {**options, "is_longer": x[0].new_zeros(len(x[0]), 1)})  # noqa: E731
        network.register_forward_pre_hook(none_longer, with_kwargs=True)
    encoder, positions = getattr(network, "encoder", network), config.get("max_source_positions")
    if positions and positions < encoder.config.max_source_positions:  # Whisper's without padding
        kept = encoder.embed_positions.weight.detach()[:positions].clone()
        encoder.embed_positions = torch.nn.Embedding.from_pretrained(kept)
        encoder.config.max_source_positions = positions
    return network


def _folder(location: str | Path) -> Path:
    """A local folder with the network; a hub id is fetched when online (configuration and safetensors alone)."""
    folder = paths.named(location)
    if not os.path.isdir(folder):  # unlike Path.is_dir, it takes a name that is too long for the disk
        from huggingface_hub import snapshot_download

        remedy = "Go online, or name a folder with config.json and model.safetensors."
        absent = f"{str(location)[:200]!r} is neither a local folder nor a model that the hub could give"
        with explained(lambda e: f"{absent} ({type(e).__name__}). {remedy}"):
            folder = Path(snapshot_download(str(location), allow_patterns=[CONFIG, WEIGHTS, SHARDS, PART, *SETTINGS]))
            if not any(folder.glob("*.safetensors")):
                snapshot_download(str(location), allow_patterns=[PICKLED])
    if (folder / CHANGES).is_file():
        from andlib.networks.whisper import whole

        folder = whole(folder)
    _names(_weights(folder))
    return folder


def _weights(folder: Path) -> list[Path]:
    """The files of a folder's weights: one, or shards; a pickle, read as weights alone, where there is no other."""
    names = [PICKLED if (folder / PICKLED).is_file() else WEIGHTS]
    if (folder / WEIGHTS).is_file():
        names = [WEIGHTS]
    elif (folder / SHARDS).is_file() and isinstance(shards := _json(folder / SHARDS).get("weight_map"), dict):
        names = sorted({Path(str(name)).name for name in shards.values()})
    if lacking := [name for name in (CONFIG, *names) if not (folder / name).is_file()]:
        whole = (folder / "model.bin").is_file() or any(folder.glob("*.onnx"))
        remedy = ELSEWHERE if whole else "Expected a folder made by save_pretrained; fetch it anew."
        raise InputError(f"{folder} lacks {lacking[0]}. {remedy}")
    return [folder / name for name in names]


def _names(held: Sequence[Path]) -> list[str]:
    """Names of the weights in safetensors; none are known of a pickle before it is read."""
    names = []
    for path in held:
        if path.name != PICKLED:
            with weights.opened(path, "np") as file:
                names += file.keys()
    return names


def _classifies(family: Family, config: dict, held: Sequence[Path]) -> bool:
    """Whether it is a classifier, by the name of its class, or, where transformers does not know that, its weights."""
    named = config.get("architectures") or []
    if family.classifier in named or family.encoder in named:
        return family.classifier in named
    import transformers

    if any(hasattr(transformers, str(name)) for name in named):
        return False
    return bool(family.classifier) and any(name.endswith(f"{family.head}.weight") for name in _names(held))


def _json(path: Path) -> dict:
    return read_object(path, str(path), "Fetch it anew.")
