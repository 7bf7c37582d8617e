"""Which lines of some functions run: a small coverage that needs no package."""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType, ModuleType


@contextmanager
def reached(readers: Mapping[ModuleType, Sequence[str]]) -> Iterator[Callable[[], str]]:
    """Counts while it is open; gives a function that reports a line a module, with the lines that nothing reached.

    readers: module -> its functions, methods ("Class.method") and classes that count; all of them where none is
    named."""
    seen: dict[str, set[int]] = defaultdict(set)
    files = {module.__file__: names for module, names in readers.items()}

    def line(frame: FrameType, event: str, _: object) -> Callable:
        seen[frame.f_code.co_filename].add(frame.f_lineno)
        return line

    def call(frame: FrameType, event: str, argument: object) -> Callable | None:
        return line(frame, event, argument) if frame.f_code.co_filename in files else None

    def report() -> str:
        rows = []
        for file, names in files.items():
            lines = _lines(compile(Path(file).read_text(), file, "exec"), names)
            left = ", ".join(map(str, sorted(lines - seen[file])))
            count = len(lines & seen[file])
            rows.append(f"{Path(file).name:22} {count:4} of {len(lines):4}  {count / len(lines):4.0%}  {left}".rstrip())
        return "\n".join(rows)

    before = sys.gettrace()
    sys.settrace(call)
    try:
        yield report
    finally:
        sys.settrace(before)


def _lines(code: CodeType, names: Sequence[str], *, inside: bool = False) -> set[int]:
    """Lines of functions; those of modules and classes run when they are imported."""
    counted = inside and (not names or f"{code.co_qualname}.".startswith(tuple(f"{name}." for name in names)))
    own = {line for *_, line in code.co_lines() if line and line != code.co_firstlineno} if counted else set()
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return own.union(*(_lines(c, names, inside=bool(c.co_flags & 2)) for c in inner))  # 2: a function's, CO_NEWLOCALS
