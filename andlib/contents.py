"""What a network, a function or an array holds: all that decides what it gives, as one digest for keys of the store."""

import copyreg
import hashlib
import json
import sys
import sysconfig
import types
import weakref
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from typing import Any

import numpy as np

from andlib.errors import InputError

PLAIN = (type(None), bool, int, float, complex, str, bytes, type(...), range, slice)
HOOKS = ("_forward_pre_hooks", "_forward_hooks")


def content_digest(content: Any, name: str = "", declared: str = "") -> str:
    """sha256 of everything that decides what a network, function or array gives; empty for None.
    Of a network: classes and their code, structure, weights, buffers, hooks and plain attributes; of a function: its
    code, defaults, what it encloses and the globals that it names; of installed packages their name and version.
    name: for messages. declared: the caller's version of what cannot be covered (a generator): InputError without."""
    if content is None:
        return ""
    parts = _Description(name or type(content).__name__, declared).of(content)
    return hashlib.sha256(json.dumps([parts, declared]).encode()).hexdigest()


class _Description:
    """Descriptions of objects as JSON, each written once: what comes again is named by its number."""

    def __init__(self, name: str, declared: str):
        self.name, self.declared = name, declared
        self.seen: dict[int, tuple[int, Any]] = {}  # id -> number and object, or the next might lie in its place

    def of(self, value: Any) -> Any:
        if isinstance(value, PLAIN) or value is NotImplemented:
            return f"{type(value).__name__} {value!r}"
        if id(value) in self.seen:
            return ["again", self.seen[id(value)][0]]
        self.seen[id(value)] = len(self.seen), value
        kinds = {
            np.ndarray: lambda v: self.of(v.tolist()) if v.dtype.hasobject else _bytes(v, v.dtype, v.shape),
            list | tuple: lambda v: [type(v).__name__, *map(self.of, v)],
            Mapping: lambda v: [type(v).__name__, *self._sorted([k, v[k]] for k in v)],
            set | frozenset: lambda v: [type(v).__name__, *self._sorted(v)],
            types.CodeType: lambda v: ["code", v.co_code.hex(), v.co_names, v.co_varnames, *map(self.of, v.co_consts)],
            types.FunctionType: self._function,
            types.MethodType: lambda v: ["method", self.of(v.__func__), self.of(v.__self__)],
            types.ModuleType: lambda v: ["module", v.__name__, _version(v.__name__)],
            type: self._class,
            staticmethod | classmethod: lambda v: [type(v).__name__, self.of(v.__func__)],
            property: lambda v: ["property", *map(self.of, (v.fget, v.fset))],
            weakref.ReferenceType: lambda v: ["reference", self.of(v())],
        }
        for kind, describe in kinds.items():
            if isinstance(value, kind):
                return describe(value)
        return self._object(value)

    def _sorted(self, values: Iterator) -> list:
        return sorted((self.of(value) for value in values), key=json.dumps)

    def _function(self, function: types.FunctionType) -> list:
        named = [function.__module__, function.__qualname__]
        if _installed(function.__module__):
            return ["function", *named, _version(function.__module__), *map(self.of, _cells(function))]
        held = [function.__defaults__, function.__kwdefaults__, _cells(function)]
        return ["function", *named, self.of(function.__code__), *map(self.of, held), self.of(_globals(function))]

    def _class(self, kind: type) -> list:
        named = [kind.__module__, kind.__qualname__]
        if _installed(kind.__module__):
            return ["class", *named, _version(kind.__module__)]
        code = (types.FunctionType, staticmethod, classmethod, property, *PLAIN, list, tuple, dict, set, frozenset)
        own = {name: held for name, held in vars(kind).items() if isinstance(held, code) and name not in NOT_CODE}
        return ["class", *named, self.of(list(kind.__bases__)), self.of(own)]

    def _object(self, value: Any) -> list:
        torch = sys.modules.get("torch")
        if torch and isinstance(value, torch.Tensor):
            plain = value.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy()
            return _bytes(plain, value.dtype, tuple(value.shape))
        if torch and isinstance(value, torch.nn.Module):
            return self._module(value, set(vars(torch.nn.Module())))
        wrapped = [self.of(value.__wrapped__)] if hasattr(value, "__wrapped__") else []
        try:
            reduce = copyreg.dispatch_table.get(type(value))
            reduced = reduce(value) if reduce else value.__reduce_ex__(4)
        except Exception as error:  # what an object raises that cannot be copied
            kind = f"{type(value).__module__}.{type(value).__qualname__}"
            if not self.declared:
                remedy = "Take it out, or give version=, a name of your own that you change whenever that changes."
                what = f"{self.name} holds a {kind}, which no key of the store can cover ({error})"
                raise InputError(f"{what}. {remedy}") from None
            return [*wrapped, f"declared {kind}"]
        if isinstance(reduced, str):
            return ["global", type(value).__module__, reduced, *wrapped]
        made, arguments, *state = reduced
        state = [list(part) if isinstance(part, Iterator) else part for part in state]
        named = [self.of(type(value)), getattr(made, "__qualname__", "")]
        return ["object", *named, self.of([*arguments, state]), *wrapped]

    def _module(self, module: Any, internal: set[str]) -> list:
        own = {name: held for name, held in vars(module).items() if name not in internal}
        hooks = {name: list(getattr(module, name).values()) for name in HOOKS if getattr(module, name)}
        held = {**module._parameters, **module._buffers, **module._modules}
        return ["network", self.of(type(module)), *map(self.of, (own, hooks, held))]


NOT_CODE = {"__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__annotations__", "__parameters__"}
NOT_CODE |= {"__dataclass_fields__", "__match_args__", "__orig_bases__", "__abstractmethods__"}


def _bytes(array: np.ndarray, dtype: Any, shape: tuple) -> list:
    return ["array", str(dtype), list(shape), hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()]


def _cells(function: types.FunctionType) -> list:
    """What a function encloses; a cell may be empty still, and equals another that is."""
    return ["empty" if cell == types.CellType() else cell.cell_contents for cell in function.__closure__ or ()]


def _globals(function: types.FunctionType) -> dict[str, Any]:
    """The globals that a function's code names, and what it takes from modules that are no installed package."""
    names = set(_names(function.__code__))
    held = {name: function.__globals__[name] for name in names if name in function.__globals__}
    for prefix, module in list(held.items()):
        if isinstance(module, types.ModuleType) and not _installed(module.__name__):
            held |= {f"{prefix}.{name}": vars(module)[name] for name in names if name in vars(module)}
    return held


def _names(code: types.CodeType) -> Iterator[str]:
    inner = (const for const in code.co_consts if isinstance(const, types.CodeType))
    return chain(code.co_names, *map(_names, inner))


def _installed(module: str | None) -> bool:
    """Whether a module is of the standard library or an installed package, whose version stands for its code."""
    top = (module or "").partition(".")[0]
    if top in sys.stdlib_module_names | {"builtins", "andlib"}:
        return True
    file = getattr(sys.modules.get(top), "__file__", None) or ""
    return top != "__main__" and any(file.startswith(sysconfig.get_path(name)) for name in ("purelib", "platlib"))


def _version(module: str | None) -> str:
    try:
        return version((module or "").partition(".")[0])
    except (PackageNotFoundError, ValueError):
        return ""
