"""The whole paper at full size on this machine: first as a plan, then command by command.

`make paper PLAN=1` says what is fetched, trained, recorded, summarised and measured, with each step's command, disk,
device, hours and what is missing; it needs none of it. `make paper` runs the commands. Each exists by itself and goes
on where a kill left it, and a step that is finished is not run again."""

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from andlib import paths
from andlib.devices import device_named
from andlib.errors import InputError, in_a_sentence
from andlib.pages import cost
from making.full_size import FullSize

STATED = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
BACKWARD = 3  # a clip learnt from costs about so many times one that is only heard


@dataclass(frozen=True)
class Step:
    """One command of Python's, from the project's folder."""

    title: str
    command: tuple[str, ...]
    hours: float | None  # of one core of the machine that `cost.measured` names; None where nothing long is computed
    gb: float  # that it leaves on the disk
    done: bool  # before
    lacks: str = ""  # what it needs and is not here


def here(name: str, place: str) -> bool:
    """Whether what is fetched under that name of paper.toml is on this machine; place: where the user says it is."""
    from huggingface_hub import try_to_load_from_cache

    stated = STATED["fetched"][name]
    if paths.named(place or paths.cache() / stated.get("cached", "nowhere")).exists():
        return True
    hub = place.rpartition(":")[2] or stated["what"]
    return hub.count("/") == 1 and isinstance(try_to_load_from_cache(hub, "config.json"), str)


def steps(given: argparse.Namespace) -> list[Step]:
    """The plan, in order: each network is trained and then dissected page by page."""
    costs, plan = cost.measured(), []
    hours = cost.by_stage(costs).set_index(["setting", "stage"])["hours"]
    sizes, device = cost.sizes(costs), ("--device", given.device)
    probed = ("--profile", given.profile, "--data-dir", given.data_dir)
    no_vllm = given.llm.startswith("vllm:") and not find_spec("vllm")
    for model, stated in STATED["networks"].items():
        init = getattr(given, stated["init"])
        lacks = "" if here(stated["init"], init) or init.count("/") == 1 else f"{init} is not here: name it, BEATS=path"
        command = ("-m", "making.full_size", "--init", init, "--strategy", stated["strategy"])
        folder, size = given.out / "networks" / f"{stated['folder']}_{given.profile}", sizes[stated["size"]]
        each = hours[stated["size"], "recording activations"]
        learning = (1 - size["tested"] / size["clips"]) * each
        learning *= 1 if stated["strategy"] == "frozen" else FullSize.epochs * BACKWARD
        command += (*probed, *device, "--out", str(folder.parent))
        done, weights = (folder / "record.json").is_file(), STATED["fetched"][stated["init"]]["gb"]
        # weights in half precision; while they are learnt, a state with the optimiser's two moments beside them
        plan.append(Step(f"{model}: training", command, learning, 3.5 * weights, done, lacks))
        matrix = 4e-9 * size["units"] * size["clips"]  # float32 activations of all clips
        for page in given.pages or STATED["pages"]:
            stages = STATED["pages"][page]
            total = hours[[(stated["size"], stage) for stage in stages]].sum() if stages else None
            step = dissected(given, model, page, folder)
            gb = matrix if "recording activations" in stages else 0.0
            lacks = "needs vLLM: pip install -e '.[vllm]', or LLM=openai:MODEL" * (no_vllm and given.llm in step)
            plan.append(Step(f"{model}: {page}", step, total, gb, finished(Path(step[3])), lacks))
    return plan


def dissected(given: argparse.Namespace, model: str, page: str, folder: Path) -> tuple[str, ...]:
    """The command of a page, with those of the plan's settings that the page has."""
    from papermill import inspect_notebook

    notebook, out = Path("notebooks", f"{page}.ipynb"), given.out / model / f"{page}.ipynb"
    settings = {"model": model, "profile": given.profile, "data_dir": given.data_dir, "weights": str(folder)}
    settings |= {"device": given.device, "precision": given.precision, "audio_encoder": given.clap}
    if given.llm:
        settings |= {"llm": given.llm, "summariser": "llm"}
    known = inspect_notebook(str(paths.root() / notebook))
    stated = [part for name, value in settings.items() if name in known for part in ("-p", name, value)]
    return ("-m", "papermill", str(notebook), str(out), *stated)


def finished(notebook: Path) -> bool:
    """Whether papermill executed a notebook to its end."""
    if not notebook.is_file():
        return False
    told = json.loads(notebook.read_text(encoding="utf-8"))["metadata"].get("papermill", {})
    return bool(told.get("end_time")) and not told.get("exception")


def told(given: argparse.Namespace, plan: list[Step]) -> str:
    """The plan as text."""
    machine = cost.measured()["machine"]["processor"]
    lines = [f"The paper at full size, on {given.device} in {given.precision}.", "", "Fetched, where it is not here:"]
    for name, one in STATED["fetched"].items():
        place = getattr(given, name, "") or (given.data_dir if name == "recordings" else "")
        state = "here" if here(name, place) else one.get("by_hand", "when it is first needed")
        lines.append(f"  {place or one['what']}: {one['gb']:.2g} GB; {one['license']}; {state}")
    lines += ["", STATED["hours"].format(machine=machine, backward=BACKWARD)]
    for number, step in enumerate(plan, 1):
        time = "minutes" if step.hours is None else f"{step.hours:,.{0 if step.hours > 10 else 1}f} h"
        state = "done" if step.done else step.lacks or "ready"
        lines.append(f"{number:3}. {step.title}: {time}, {step.gb:.2g} GB, {state}")
        lines.append(f"     python {shlex.join(step.command)}")
    left = [step for step in plan if not step.done]
    hours, gb = (sum(getattr(step, cost) or 0 for step in left) for cost in ("hours", "gb"))
    return "\n".join([*lines, "", f"Left: {len(left)} of {len(plan)} steps, {hours:,.0f} h, {gb:.2g} GB."])


def run_through(given: argparse.Namespace, plan: list[Step]) -> None:
    """Runs what is left; raises InputError where something is missing, the disk is too small, or a step fails."""
    left = [(number, step) for number, step in enumerate(plan, 1) if not step.done]
    given.out.mkdir(parents=True, exist_ok=True)
    free, wanted = shutil.disk_usage(given.out).free / 1e9, sum(step.gb for _, step in left)
    if free < wanted:
        raise InputError(f"{given.out} has {free:.2g} GB free; {wanted:.2g} are needed. Give another folder: OUT=path.")
    if short := [f"step {number}: {step.lacks}" for number, step in left if step.lacks]:
        raise InputError(f"Something is missing. {'; '.join(dict.fromkeys(short))}.")
    for number, step in left:
        print(f"{number} of {len(plan)}. {step.title}", flush=True)
        if "papermill" in step.command:
            Path(step.command[3]).parent.mkdir(parents=True, exist_ok=True)
        if code := subprocess.run((sys.executable, *step.command), check=False).returncode:
            raise InputError(f"Step {number} ended with code {code}; what it says stands above. Run again to go on.")


def main() -> None:
    sys.excepthook = in_a_sentence
    parser = argparse.ArgumentParser(description="Runs the whole paper at full size, or says what that takes.")
    named = {name: STATED["fetched"][name]["what"] for name in ("ast", "beats", "clap")}
    named |= {"llm": f"vllm:{STATED['fetched']['llm']['what']}", "profile": "esc50", "data-dir": ""}
    for name, default in (named | {"device": "auto", "precision": "float32"}).items():
        parser.add_argument(f"--{name}", default=default)
    parser.add_argument("--plan", action="store_true", help="say what would be run, and run nothing")
    parser.add_argument("--pages", nargs="*", choices=STATED["pages"], help="these alone; default: all of the paper's")
    parser.add_argument("--out", type=Path, default=Path("_build", "paper"))
    given = parser.parse_args()
    if not Path("notebooks").is_dir():
        raise InputError("There are no notebooks here: run it in the project's folder, as make paper does.")
    given.device = device_named(given.device)
    plan = steps(given)
    print(told(given, plan)) if given.plan else run_through(given, plan)


if __name__ == "__main__":
    main()
