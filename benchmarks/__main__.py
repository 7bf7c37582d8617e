"""Prints one table: seconds of ours and of a plain reference, their ratio, and peak memory where it matters.

The references are `tests/oracles.py` and the libraries' own ways. Where a reference would take hours, both run on a
small part. Ratios hold across machines better than seconds do.
"""

import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
UNITS, CLIPS, CONCEPTS = 55_296, 2000, 50  # AST's block units, ESC-50's clips and classes


def seconds(function, repeats: int = 3) -> float:
    """Median wall-clock seconds of a call, after one that is not counted."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def random_problem(units: int):
    """Activations [clips, units] and concept similarities [clips, concepts] of the paper's size."""
    rng = np.random.default_rng(0)
    u = rng.standard_normal((CLIPS, units), dtype=np.float32)
    return u, 0.5 * rng.random((CLIPS, CONCEPTS), dtype=np.float32)


def similarity_rows():
    """Each function against its oracle on 16 units."""
    import oracles

    from andlib import similarity

    u, p = random_problem(16)
    references = {
        "wpmi": lambda: oracles.wpmi(u, p),
        "soft_wpmi": lambda: oracles.wpmi(u, p, 100, 10.0, 1.0, soft=True),
        "rank_reorder": lambda: oracles.rank_reorder(u, p),
    }
    for name, reference in references.items():
        ours = seconds(lambda f=similarity.FUNCTIONS[name]: f(u, p))
        yield f"{name}, 16 units x 2000 x 50, against the oracle's loops", ours, seconds(reference, 1), ""


def all_functions() -> None:
    """All five functions over every block unit of a full-size AST; run in a process of its own for its memory."""
    from andlib import similarity

    u, p = random_problem(UNITS)
    start = time.perf_counter()
    for function in similarity.FUNCTIONS.values():
        function(u, p)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(time.perf_counter() - start, peak)


def full_size_row():
    """Seconds and peak memory of `all_functions`."""
    command = [sys.executable, "-c", "from benchmarks.__main__ import all_functions; all_functions()"]
    taken, peak = map(float, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    return (
        f"DB, five functions, {UNITS} units x {CLIPS} clips x {CONCEPTS} concepts",
        taken,
        None,
        f"{peak:.2f} GiB at most",
    )


def front_end_row():
    """Our batched log-mel against transformers' extractor, which is given one clip at a time as its users do."""
    import torch
    from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

    from andlib import frontend

    clips = np.random.default_rng(0).standard_normal((16, 80_000)).astype(np.float32) * 0.1
    bank = mel_filter_bank(257, 128, 20, 8000, 16_000, norm=None, mel_scale="kaldi", triangularize_in_mel_space=True)
    window = window_function(400, "hann", periodic=False)

    def reference():
        for clip in clips:
            spectrogram(
                clip, window, 400, 160, fft_length=512, power=2.0, center=False, preemphasis=0.97,
                mel_filters=bank, log_mel="log", mel_floor=1.192092955078125e-07, remove_dc_offset=True,
            )  # fmt: skip

    ours = seconds(lambda: frontend.log_mel(torch.from_numpy(clips), frontend.AST))
    return "log-mel of 16 five-second clips, against transformers' spectrogram", ours, seconds(reference), ""


def recording_row():
    """A pass that records all layers of the small AST against the plain forward pass."""
    import torch

    from andlib import activations, paths
    from andlib.checkpoints import load_target

    target = load_target(paths.WEIGHTS / "ast_mini", seconds=2.0)
    waves = np.random.default_rng(0).standard_normal((64, 32_000)).astype(np.float32) * 0.1
    features = target.features(torch.from_numpy(waves))

    def plain():
        with torch.no_grad():
            target.logits(features)

    def recorded():
        with torch.no_grad(), activations.recording(target, lambda layer, values: values.numpy().copy()):
            target.logits(features)

    return (
        "recording every layer of the small AST, against the plain forward pass",
        seconds(recorded, 9),
        seconds(plain, 9),
        "",
    )


def import_row():
    """Importing andlib in a fresh interpreter, against importing torch."""

    def taken(code):
        return seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True), 3)

    return "import andlib, against import torch", taken("import andlib"), taken("import torch"), ""


def language_model_rows():
    """SmolLM2 on 64 summaries in batches, against one chat at a time (judged on 4); none where it is not installed."""
    from andlib import llm, prompts
    from andlib.errors import MissingExtra

    try:
        model = llm.open_llm("smollm2")
        tokenizer, _ = model.loaded
    except MissingExtra as error:
        print(f"No language model: {error}")
        return
    rng = np.random.default_rng(0)
    words = [
        "A dog barks.",
        "Rain falls on a roof.",
        "It is loud.",
        "The pitch is high.",
        "It repeats at a regular rate.",
    ]
    chats = [prompts.summary([" ".join(rng.choice(words, 3)) for _ in range(5)]) for _ in range(64)]

    def rate(asked) -> float:
        start = time.perf_counter()
        texts = [answer.text for _, answer in model.answers(asked, llm.Sampling(128))]
        return sum(len(tokenizer(text)["input_ids"]) for text in texts) / (time.perf_counter() - start)

    rate(chats[:1])
    batched, single = rate(chats), float(np.mean([rate([chat]) for chat in chats[:4]]))
    # as seconds for 100 tokens, prompts included
    yield (
        f"{llm.SMOLLM2}, 100 tokens, against one chat at a time",
        100 / batched,
        100 / single,
        f"{batched:.0f} tokens/s",
    )


def main() -> None:
    """Measure and print everything."""
    from benchmarks import scoring

    rows = [*similarity_rows(), full_size_row(), front_end_row(), recording_row(), *scoring.rows(), import_row()]
    rows += language_model_rows()
    print(f"{'what':75} {'ours':>9} {'reference':>10} {'ratio':>7}  note")
    for what, ours, reference, memory in rows:
        compared = f"{reference:9.3f}s {reference / ours:6.1f}x" if reference else f"{'':10} {'':7}"
        print(f"{what:75} {ours:8.3f}s {compared}  {memory}")


if __name__ == "__main__":
    main()
