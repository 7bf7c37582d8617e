"""A page's parameters, as a notebook's names or a command give them: which names are parameters, and their values."""

import inspect
import math
import types
from typing import Any

from andlib.errors import InputError

LEAST = {"k": 1, "per_block": 1, "clusters": 2, "tau": 1, "folds": 1, "class_unit": 0, "seed": 0}
NOTEBOOK_NAMES = {"In", "Out", "get_ipython", "exit", "quit", "open"}


def is_parameter(name: str, value: Any) -> bool:
    """Whether a name of a notebook is a parameter of it: neither a function, a module, nor the notebook's own."""
    callable_or_module = isinstance(value, types.ModuleType | type) or inspect.isroutine(value)
    return not name.startswith("_") and name not in NOTEBOOK_NAMES and not callable_or_module


def of_type(name: str, value: Any, kind: type) -> Any:
    """The value, if it is of that type and not below what the name allows; otherwise raises InputError."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    right = isinstance(value, kind) and (kind is not int or number)
    if kind is float and number and math.isfinite(value):
        return float(value)
    least = LEAST.get(name, -math.inf)
    if not right or kind is float or kind is int and value < least:
        words = {int: "a whole number", str: "text", float: "a number", bool: "true or false"}
        more = f", at least {least}" if kind is int and name in LEAST else ""
        raise InputError(f"Parameter {name} is {value!r}; expected {words[kind]}{more}.")
    return value
