"""Which lines of some modules, or of some functions, run: a small coverage that needs no package."""

import inspect
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType, ModuleType


@contextmanager
def reached(readers: Sequence[ModuleType | Callable]) -> Iterator[Callable[[], str]]:
    """Counts while it is open; gives a function that reports a line a module or function, and what is not reached."""
    seen: dict[str, set[int]] = defaultdict(set)
    wanted = [_looked_at(reader) for reader in readers]
    files = {file for _, file, _ in wanted}

    def line(frame: FrameType, event: str, _: object) -> Callable:
        seen[frame.f_code.co_filename].add(frame.f_lineno)
        return line

    def call(frame: FrameType, event: str, argument: object) -> Callable | None:
        return line(frame, event, argument) if frame.f_code.co_filename in files else None

    def report() -> str:
        rows = []
        for name, file, lines in wanted:
            left = sorted(lines - seen[file])
            row = f"{name:32} {len(lines) - len(left):4} of {len(lines):4}  {1 - len(left) / len(lines):4.0%}"
            rows.append(f"{row}  not {', '.join(map(str, left))}" if left else row)
        return "\n".join(rows)

    before = sys.gettrace()
    sys.settrace(call)
    try:
        yield report
    finally:
        sys.settrace(before)


def _looked_at(reader: ModuleType | Callable) -> tuple[str, str, set[int]]:
    """Name, file and lines of all functions of a module, or of one function."""
    if isinstance(reader, ModuleType):
        return reader.__name__, reader.__file__, _lines(compile(Path(reader.__file__).read_text(), "", "exec"))
    code = inspect.unwrap(reader).__code__
    return f"{reader.__module__}.{reader.__name__}", code.co_filename, _lines(code, inside=True)


def _lines(code: CodeType, *, inside: bool = False) -> set[int]:
    """Lines of all functions; those of modules and classes run when they are imported."""
    own = {line for *_, line in code.co_lines() if line and line != code.co_firstlineno} if inside else set()
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return own.union(*(_lines(c, inside=bool(c.co_flags & 2)) for c in inner))  # 2: CO_NEWLOCALS, a function's mark
