"""The command `andlib`: a report on any network and any folder of sounds, and what such a report would take."""

import argparse
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from functools import cache

import numpy as np

from andlib import activations, paths
from andlib.devices import device_named
from andlib.errors import InputError
from andlib.profiles import TEST
from andlib.report import dissection, opening
from andlib.report.dissection import SILENCED
from andlib.report.opening import Asked
from andlib.run import Run
from andlib.store import Store

MODEL = """MODEL is one of
  a hub id (facebook/wav2vec2-base-960h), a folder made by save_pretrained, or a BEATs checkpoint (.pt)
  module:function, which is called and returns what andlib.wrap makes of your network, or the network itself with
  --layers, --axes and --sample-rate. This runs your own code, found from the working directory too.
FOLDER holds recordings in any common format: one folder a class, ESC-50's or UrbanSound8K's layout, metadata.csv, or
any sounds without labels. captions.csv beside them (columns filename,description) joins what is measured of them."""
EXAMPLES = """examples:
  andlib check openai/whisper-base --data sounds/
  andlib report openai/whisper-base --data sounds/ --out report/
  andlib report mymodel:encoder --data sounds/ --out report/ \\
      --layers 'conv*' --axes clips,channels,time --sample-rate 16000
"""
WORK, HEARD = ".work", 8  # folder of stored stages, within the report; recordings that are heard to tell the time
# measured on two cores: seconds to describe and score a unit, and to describe a recording; bytes of a second of MP3
DESCRIBED, LISTENED, MP3 = 0.02, 0.1, 8_000


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status. An InputError is told in its sentence alone."""
    given = _parser().parse_args(arguments)
    say = cache(lambda note: print(f"note: {note}", file=sys.stderr))  # once, however many stages find it
    warnings.showwarning = lambda message, *_, **__: say(str(message))
    sys.path.insert(0, "")  # a module of the user's own is found from the working directory
    begun = time.monotonic()
    try:
        asked = _asked(given)
        run, notes = opening.opened(asked)
        print("\n".join(plan(asked, run, notes)), flush=True)
        if given.command == "report":
            index = dissection.write(asked, run, notes)
            size = sum(path.stat().st_size for path in (index, *(asked.out / "atlas").rglob("*.m*"))) / 1e6
            print(f"The report is {index} ({size:.0f} MB, {(time.monotonic() - begun) / 60:.1f} minutes).")
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped. The same command goes on where this one was.", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="andlib", description=__doc__, epilog=EXAMPLES, formatter_class=raw)
    commands = parser.add_subparsers(dest="command", required=True, metavar="report | check")
    for name, told in {"report": "write the report", "check": "say in seconds what it would be, and take"}.items():
        command = commands.add_parser(name, help=told, description=MODEL, epilog=EXAMPLES, formatter_class=raw)
        command.add_argument("model", metavar="MODEL")
        command.add_argument("--data", required=True, metavar="FOLDER", help="folder of recordings")
        if name == "report":
            command.add_argument("--out", required=True, metavar="REPORT", help="folder to write; its work is in .work")
        command.add_argument("--captions", default="", metavar="FILE", help="default: captions*.csv or .json in FOLDER")
        command.add_argument("--seconds", type=float, default=0.0, help="of each recording; default: all, 10 at most")
        command.add_argument("-k", type=int, default=5, help="highest and lowest recordings of a unit (default: 5)")
        command.add_argument("--full", action="store_true", help=f"silence units of every class, not of {SILENCED}")
        command.add_argument("--no-head", action="store_true", help="train no linear classifier on an encoder")
        command.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps")
        own = command.add_argument_group("for a network that module:function returns, as andlib.wrap takes them")
        own.add_argument("--layers", nargs="+", help="names of modules, or patterns of them")
        own.add_argument("--axes", type=lambda text: text.split(","), help="of their outputs: clips,channels,time")
        own.add_argument("--sample-rate", type=int, help="Hz")
        own.add_argument("--pooling", help="mean, max or first, over positions (default: mean)")
        own.add_argument("--nonlinearity", help="none, relu, gelu or sigmoid")
    return parser


def _asked(given: argparse.Namespace) -> Asked:
    names = ("layers", "axes", "sample_rate", "pooling", "nonlinearity")
    declared = {name: getattr(given, name) for name in names if getattr(given, name) is not None}
    if given.k < 1:
        raise InputError(f"-k is {given.k}; expected at least 1.")
    out = paths.named(getattr(given, "out", tempfile.gettempdir()))
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is no folder; name one, new or old, for the report.")
    store = Store(out / WORK if given.command == "report" else out / "andlib-check", device=device_named(given.device))
    settings = {"seconds": given.seconds, "captions": given.captions, "k": given.k, "full": given.full}
    return Asked(
        given.model, paths.named(given.data), store, out, declared=declared, head=not given.no_head, **settings
    )


def plan(asked: Asked, run: Run, notes: Sequence[str]) -> list[str]:
    """What the report is, in lines: recordings, network, what is left out, and about how long it takes on this machine,
    where a few recordings are heard to tell. run, notes: of `opening.opened`."""
    network, clips = run.target(run.models[0]), run.probing_set
    units, labelled = sum(layer.units for layer in network.layers), len(clips.classes) > 1
    classes = f"of {len(clips.classes)} classes" if labelled else "without labels"
    few = next(clips.batches(network.sample_rate, network.seconds, HEARD))
    activations.record(network, [few[:1]], 1)  # the first is slower
    begun = time.monotonic()
    activations.record(network, [few], len(few))
    each, tested = (time.monotonic() - begun) / len(few), np.isin(clips.folds, TEST).sum()
    silenced = len(clips.classes) if asked.full else min(SILENCED, len(clips.classes))
    times = 1 + labelled + opening.wants_head(network, clips, asked)  # the network, its untrained twin, for its head
    passes = times * len(clips) + labelled * (4 * silenced + 1) * tested * silenced / len(clips.classes)
    minutes = (each * passes + DESCRIBED * units + LISTENED * len(clips)) / 60
    disk = 4 * units * len(clips) + MP3 * network.seconds * len(clips)
    free = shutil.disk_usage(next(path for path in (asked.out, *asked.out.resolve().parents) if path.is_dir())).free
    if disk > free:
        raise InputError(f"The report and its work take about {disk / 1e6:,.0f} MB; {free / 1e6:,.0f} MB are free.")
    return [
        f"Recordings: {len(clips)} {classes}; the first {network.seconds:g} s of each are heard.",
        f"Network: {network.name}, {units:,} units in {len(network.layers)} layers, at {network.sample_rate:,} Hz.",
        *notes,
        f"A report takes about {max(1, round(minutes))} minutes here, and {disk / 1e6:,.0f} MB with its work.",
    ]


if __name__ == "__main__":
    sys.exit(main())
