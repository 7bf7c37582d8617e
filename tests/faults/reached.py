"""Which lines of some modules' functions run: a small coverage that needs no package."""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType, ModuleType


@contextmanager
def reached(modules: Sequence[ModuleType]) -> Iterator[Callable[[], str]]:
    """Counts while it is open; gives a function that reports a line a module."""
    seen: dict[str, set[int]] = defaultdict(set)
    files = {module.__file__: module for module in modules}

    def line(frame: FrameType, event: str, _: object) -> Callable:
        seen[frame.f_code.co_filename].add(frame.f_lineno)
        return line

    def call(frame: FrameType, event: str, argument: object) -> Callable | None:
        return line(frame, event, argument) if frame.f_code.co_filename in files else None

    def report() -> str:
        rows = []
        for file in files:
            lines = _lines(compile(Path(file).read_text(), file, "exec"))
            share = len(lines & seen[file]) / len(lines)
            rows.append(f"{Path(file).name:18} {len(lines & seen[file]):4} of {len(lines):4}  {share:4.0%}")
        return "\n".join(rows)

    before = sys.gettrace()
    sys.settrace(call)
    try:
        yield report
    finally:
        sys.settrace(before)


def _lines(code: CodeType, *, inside: bool = False) -> set[int]:
    """Lines of all functions; those of modules and classes run when they are imported."""
    own = {line for *_, line in code.co_lines() if line and line != code.co_firstlineno} if inside else set()
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return own.union(*(_lines(c, inside=bool(c.co_flags & 2)) for c in inner))  # 2: CO_NEWLOCALS, a function's mark
