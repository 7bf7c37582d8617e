"""Describing 55,296 units: an AST of the paper's size with random weights, on 2000 clips of SynthESC.

The network reads the clips at their length, 2 s (198 frames; the paper's pads to 1024). Its activations are recorded
once, some minutes, and stored in the cache, so that a killed run goes on and a second one is without them.
Rules that tell what five captions share have fewer words than a language model: points of the same mould, told of other
numbers of clips, are added until as many distinct ones are encoded as are asked for."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from andlib import descriptions, responses
from benchmarks.measuring import Row, in_own_process

CLIPS, FRAMES = 2000, 198
ASKED = {"minutes": 3.0, "gib": 4.0, "points": 5000}


def rows() -> Iterator[Row]:
    """A row for every stage, and one for all."""
    (taken, found), peak = in_own_process("benchmarks.describing", "describe", threads=os.cpu_count() or 1)
    recording = taken.pop("recording")
    about = f"{found['units']:,} units, {CLIPS} clips"
    made = "a stored shard is read, not made" if found["stored"] else ""
    yield Row(f"recording: full-size AST, {about}, all cores", recording, note=made)
    for stage, seconds in taken.items():
        yield Row(f"describing, {stage}", seconds)
    points = f"{found['points']:,} distinct points encoded, {found['of_rules']:,} of them the summaries'"
    points += f"; asked: at most {ASKED['gib']:.0f} GiB"
    whole = f"describing all of {about}: every stage but recording"
    yield Row(whole, sum(taken.values()), at_most=60 * ASKED["minutes"], peak_gib=peak, note=points)


def describe() -> tuple[dict[str, float], dict[str, int]]:
    """Seconds of every stage, and how many units, distinct points and shards stored before there are."""
    from andlib import concepts, paths, similarity, stages
    from andlib.mini.consensus import Consensus, tell
    from andlib.mini.synthesis import synthesc
    from andlib.run import open_run
    from andlib.store import Store
    from benchmarks.full_size import random_network

    taken: dict[str, float] = {}

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        taken[name] = taken.get(name, 0.0) + time.perf_counter() - start

    folder = paths.cache() / "benchmarks"
    clips = synthesc(sources_per_fold=5, variants=3)
    clips = replace(clips, clips=clips.clips[:CLIPS], fingerprint=f"{clips.fingerprint}/{CLIPS}")
    run = open_run({}).using(store=Store(folder), probing_set=clips)
    network = random_network("ast", folder / "network", run.profile.seconds, max_length=FRAMES)
    where = np.arange(CLIPS)
    stored = sum(run.store.holds(*job[:2]) for job in responses.shards(run, network))
    with stage("recording"):
        responses.unit_activations(run, network)
    unknown = tempfile.TemporaryDirectory()  # a store that holds nothing yet
    fresh = run.using(store=Store(Path(unknown.name)))
    with stage("captions by the ear"):
        texts = descriptions.clip_descriptions(fresh)
    with stage("DB: encoding descriptions and concepts"):
        p = stages.concept_similarity(fresh, texts)
    with stage("highest and lowest clips, with reading of activations"):
        extremes = responses.highest_and_lowest(run, network, where)
    with stage("DB: five similarity functions"):
        for function in similarity.FUNCTIONS:
            for _, _, u in extremes.values():
                concepts.score(function, u, p)
    with stage("summaries"):
        summariser = Consensus(texts)
        table = summariser.table(stages.unit_table(run.k, network, extremes, where))
    points = {point for side in ("high", "low") for row in table[side] for point in row}
    of_rules = len(points)
    counts = ((count, of) for of in range(1, 100) for count in range(1, of + 1))
    others = (tell(claim, *count) for count in counts for claim in summariser.claims)
    while len(points) < ASKED["points"]:
        points.add(next(others))
    with stage("calibration: encoding of points"):
        stages.embeddings(fresh, sorted(points), run.profile.encoder)
    with stage("calibration and open concepts"):
        stages.concluded(fresh, table)
    unknown.cleanup()
    return taken, {"units": len(table), "points": len(points), "of_rules": of_rules, "stored": stored}
