"""The one exception a user meets, and the suggestion that goes with a misspelt name."""

import difflib
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message says what was wrong, what was expected and what to do; notebooks show it without a traceback."""

    def _render_traceback_(self) -> list[str]:  # IPython's hook for exceptions that explain themselves
        return [f"{type(self).__name__}: {self}"]


def in_a_sentence(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The `sys.excepthook` of commands: of an InputError, the sentence alone."""
    if issubclass(kind, InputError):
        print(error, file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


class MissingExtra(InputError, ImportError):
    """An optional package is absent or broken; the message names the extra that brings it."""


@contextmanager
def optional(package: str, *, install: str) -> Iterator[None]:
    """What is imported in it needs not be installed: where that fails, MissingExtra says so, and `install`: how to."""
    try:
        yield
    except (ImportError, OSError, RuntimeError) as error:  # what is made for another torch raises any of these
        raise MissingExtra(f"The package {package} is missing or broken ({error}). {install}") from None


@contextmanager
def explained(explain: Callable[[Exception], str], *kinds: type[Exception]) -> Iterator[None]:
    """What is raised in it, of these kinds or any, becomes an InputError that `explain` words; an InputError stays."""
    try:
        yield
    except Exception as error:
        memory = type(error).__name__ == "OutOfMemoryError"  # of a GPU, where fewer clips at a time may fit
        if isinstance(error, InputError) or memory or not isinstance(error, kinds or Exception):
            raise
        raise InputError(explain(error)) from None


def first_line(error: Exception) -> str:
    """What another's error says, in a line that fits into a sentence; its kind where it says nothing."""
    line = str(error).strip().partition("\n")[0][:200]
    return "".join(c for c in line if c.isprintable()) or type(error).__name__


def suggest(name: str, known: Iterable[str]) -> str:
    """A sentence that lists the valid names and, where some are close, the likely ones."""
    known = [str(k) for k in known]
    close = difflib.get_close_matches(str(name), known, n=2)
    hint = f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
    return f"{hint}Valid names: {', '.join(known)}."


def check_choice(what: str, value: str, known: Iterable[str]) -> str:
    """`value` if it is one of `known`; otherwise raises InputError with a suggestion."""
    known = list(known)
    if value not in known:
        raise InputError(f"{what} {value!r} is unknown. {suggest(value, known)}")
    return value
