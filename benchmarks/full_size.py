"""Networks of the paper's size, with random weights: what recording costs, and a dissection from end to end.

    python -m benchmarks.full_size recording                 # over the plain forward pass; some minutes
    python -m benchmarks.full_size dissect --data-dir ESC-10 # 40 real clips to described units: seconds, peak memory
Each network runs in a process of its own, so that peak memory is its own.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

CLIPS, BATCH, SECONDS = 40, 8, 5.0


def random_network(name: str, folder: Path):
    """A full-size AST or BEATs with random weights and ESC-50's classes, saved and loaded as a user's would be."""
    import torch
    from transformers import ASTConfig, ASTForAudioClassification

    from andlib import beats, beats_checkpoints, concepts
    from andlib.checkpoints import load_target

    torch.manual_seed(0)
    if name == "ast":
        config = ASTConfig(id2label=dict(enumerate(concepts.ESC50)))
        ASTForAudioClassification(config).save_pretrained(folder)
    else:
        config = beats_checkpoints.Config()
        weights = beats.make(config, len(concepts.ESC50)).state_dict()
        beats_checkpoints.save(folder, config, weights, concepts.ESC50)
    return load_target(folder, name=name, seconds=SECONDS)


def recording(name: str, folder: Path, pairs: int) -> dict:
    """Seconds of a pass that records all layers over a plain one, in interleaved pairs: median ratio, 95 % interval."""
    import torch

    from andlib import activations

    target = random_network(name, folder)
    samples = round(target.sample_rate * SECONDS)
    waves = 0.1 * np.random.default_rng(0).standard_normal((BATCH, samples)).astype(np.float32)
    features = target.features(torch.from_numpy(waves))

    def taken(record: bool) -> float:
        start = time.perf_counter()
        with torch.no_grad():
            if record:
                with activations.recording(target, lambda layer, values: values.numpy().copy()):
                    target.logits(features)
            else:
                target.logits(features)
        return time.perf_counter() - start

    taken(True), taken(False)
    orders = [(True, False) if i % 2 else (False, True) for i in range(pairs)]  # neither is always first
    timed = [{record: taken(record) for record in order} for order in orders]
    ratios = np.array([pair[True] / pair[False] for pair in timed])
    draws = np.random.default_rng(0).choice(ratios, (2000, pairs))
    low, high = np.quantile(np.median(draws, 1), [0.025, 0.975])
    plain = float(np.median([pair[False] for pair in timed]))
    return {"ratio": float(np.median(ratios)), "low": low, "high": high, "plain_seconds": plain, "pairs": pairs}


def dissect(name: str, folder: Path, data_dir: str, count: int) -> dict:
    """Seconds of every stage from real clips to described units, and how many questions a language model would be asked
    for their summaries, equal ones once."""
    from andlib import answers, stages
    from andlib.run import open_run
    from andlib.store import Store

    run = open_run({"profile": "esc10", "data_dir": data_dir})
    clips = replace(run.probing_set, clips=run.probing_set.clips[:: len(run.probing_set) // count][:count])
    run = replace(run, store=Store(folder / "cache"))
    run.__dict__["probing_set"] = replace(clips, fingerprint=f"{clips.fingerprint}/{count}")
    target = random_network(name, folder / "network")
    start = time.perf_counter()
    stages.unit_activations(run, target)
    recorded = time.perf_counter()
    stages.embeddings(run, stages.clip_descriptions(run), run.encoder)
    captioned = time.perf_counter()
    neurons = stages.neurons(run, target)
    end = time.perf_counter()
    return {
        **answers.questions_saved(neurons),
        "recording": recorded - start,
        "captions": captioned - recorded,
        "describing": end - captioned,
        "minutes": (end - start) / 60,
    }


def main() -> None:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["recording", "dissect"])
    parser.add_argument("--data-dir", default="")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--clips", type=int, default=CLIPS)
    parser.add_argument("--network", choices=["ast", "beats"], help="this one alone, in this process")
    given = parser.parse_args()
    if given.network:
        with tempfile.TemporaryDirectory() as folder:
            if given.what == "recording":
                found = recording(given.network, Path(folder), given.pairs)
            else:
                found = dissect(given.network, Path(folder), given.data_dir, given.clips)
        found["peak_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        return print(json.dumps(found))
    for name in ("ast", "beats"):
        command = [sys.executable, "-m", "benchmarks.full_size", *sys.argv[1:], "--network", name]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        print(name, output.splitlines()[-1], flush=True)


if __name__ == "__main__":
    main()
