"""The hearing captioner ("the ear"): sentences about a clip, from its samples and nothing else.

It stands in for an audio LLM where none can be shipped. Two origins of sentences: `measured` says what stands out in
the waveform, `source` names what a deliberately small classifier takes the sound for. No function here takes a label.
"""

from collections.abc import Sequence

import numpy as np

from andlib.errors import check_choice
from andlib.mini.measurements import Measurements, measure, salient_words
from andlib.mini.phrases import measured_sentences

__all__ = [
    "EAR_VERSION",
    "ORIGINS",
    "Measurements",
    "caption",
    "hear",
    "measure",
    "measured_sentences",
    "salient_words",
]

EAR_VERSION = 1  # enters every key that depends on a caption; raise it when any sentence changes
ORIGINS = ("source", "measured")


def caption(samples: np.ndarray, sample_rate: int, name: str, parts: Sequence[str] = ("measured",)) -> dict[str, str]:
    """Description d_i of one clip, origin -> sentences."""
    parts = [check_choice("Caption origin", part, ORIGINS) for part in parts]
    return {part: measured_sentences(measure(samples, sample_rate), name) for part in parts}


def hear(
    waveforms: np.ndarray, sample_rate: int, names: Sequence[str], parts: Sequence[str] = ("measured",)
) -> dict[str, list[str]]:
    """Descriptions D_d of many clips, origin -> one text a clip."""
    from tqdm.auto import tqdm

    texts = [caption(w, sample_rate, n, parts) for w, n in zip(tqdm(waveforms, "hear"), names, strict=True)]
    return {part: [text[part] for text in texts] for part in parts}
