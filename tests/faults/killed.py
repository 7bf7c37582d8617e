"""A small full run, killed while it writes and resumed: does it come out as if nothing had happened?

python tests/faults/killed.py KILLS [SEED]

The process loads what a run needs once and forks: each run is a process of its own, and SIGKILL lets it finish nothing.
Kills fall while a value or its manifest is half written, before it gets its name and just after, each file in turn; a
tenth more at random moments, one in each equal part of the processor time of an undisturbed run. Every file that an
undisturbed run stores must have the same bytes in the folder of the killed and resumed one; and in the folder of two
runs at once."""

import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]
os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}  # a fork takes no thread with it

import psutil  # noqa: E402
import tqdm.auto  # noqa: E402
from conftest import tiny_run  # noqa: E402

from andlib import stages, unlearning  # noqa: E402


def whole_run(folder: Path) -> None:
    """From clips through activations, captions, embeddings and sounds to described neurons and Table 4's numbers."""
    run = tiny_run(folder)
    stages.neurons(run, "ast")
    unlearning.unlearning(run, "ast", unlearning.table4_sets(run, "ast"))


def begun(folder: Path, log: Path, before: Callable[[], None] = lambda: None) -> int:
    """The process that runs in `folder`; what it says goes to `log`."""
    if process := os.fork():
        return process
    status = 1
    try:
        with log.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        for bar in {tqdm.tqdm, *tqdm.auto.tqdm.__mro__[:-2]}:  # each class may have a lock
            bar.set_lock(threading.RLock())  # forks share the usual one, and a killed one may hold it
        before()
        whole_run(folder)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def finished(log: Path, *processes: int) -> float:
    """Waits for processes that must succeed; the processor time that they took, in seconds."""
    used = 0.0
    for process in processes:
        _, status, usage = os.wait4(process, 0)
        used += usage.ru_utime + usage.ru_stime
        if status:
            sys.exit(f"A run that nobody disturbs fails:\n{log.read_text()}")
    return used


def stored(folder: Path) -> dict[str, bytes]:
    """Every value and manifest, by its path; temporary files, which a kill may leave, count for nothing: the names of
    ours and of those that safetensors makes begin with a dot."""
    files = (path for path in folder.rglob("[!.]*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def killed_after(seconds: float, folder: Path, log: Path) -> bool:
    """Kills a run when it has used so much processor time; False if it was done before."""
    process = begun(folder, log)
    watched = psutil.Process(process)
    while sum(watched.cpu_times()[:2]) < seconds and watched.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.002)
    os.kill(process, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(process, 0)[1])


MOMENTS = ("half written", "before its name", "behind its name")


def killed_at_file(number: int, moment: str, folder: Path, log: Path) -> bool:
    """Kills a run at a moment of the file of that number; False if there are fewer."""

    def trap() -> None:
        rename, sync, at = Path.replace, os.fsync, [0]

        def die() -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        def fsync(file: int) -> None:
            if at[0] == number and moment == MOMENTS[0]:
                os.ftruncate(file, os.fstat(file).st_size // 2)
                die()
            sync(file)

        def replace(path: Path, target: Path) -> Path:
            if at[0] == number and moment == MOMENTS[1]:
                die()
            renamed = rename(path, target)
            if at[0] == number:
                die()
            at[0] += 1
            return renamed

        Path.replace, os.fsync = replace, fsync

    return os.WIFSIGNALED(os.waitpid(begun(folder, log, trap), 0)[1])


def main(kills: int, seed: int = 0) -> None:
    draw, work = random.Random(seed), Path(tempfile.mkdtemp(prefix="killed runs "))
    log = work / "log"
    try:
        whole_run(work / "first")  # its forks find networks and taggers in memory
        duration, expected = finished(log, begun(work / "whole", log)), stored(work / "whole")
        finished(log, begun(work / "two", log), begun(work / "two", log))
        if stored(work / "two") != expected:
            sys.exit("Two runs at once leave other files than one.")
        recovered, written, others = 0, set(), max(1, kills // 10)
        for number in range(kills + others):
            folder, share = work / f"killed{number}", (number - kills + draw.random()) / others
            if number < kills:
                file = number * len(expected) // kills if kills < len(expected) else number % len(expected)
                assert killed_at_file(file, MOMENTS[number % 3], folder, log)
            else:
                killed = killed_after(share * duration, folder, log)
                while not killed:  # it took less than the measured one
                    shutil.rmtree(folder)
                    share *= 0.9
                    killed = killed_after(share * duration, folder, log)
            written.add(len(stored(folder)))
            finished(log, begun(folder, log))
            got = stored(folder)
            other = [name for name in sorted({*got, *expected}) if got.get(name) != expected.get(name)]
            recovered += not other
            print(f"\nkill {number}: {', '.join(other)} not as undisturbed" if other else ".", end="", flush=True)
            if other:
                shutil.copytree(folder, tempfile.mkdtemp(prefix=f"kill {number} "), dirs_exist_ok=True)
                print(f"\n{log.read_text()}", end="", flush=True)
            shutil.rmtree(folder)
        print(
            f"\n{recovered} of {kills + others} killed runs recovered, every file with equal bytes: {kills} killed"
            f" while a file was written or renamed ({', '.join(MOMENTS)}), {others} at random moments of"
            f" {duration:.1f} s; of {len(expected)} files, {', '.join(map(str, sorted(written)))} were there when they"
            " were killed."
        )
        sys.exit(recovered != kills + others)
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
