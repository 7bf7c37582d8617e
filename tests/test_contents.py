"""What keys cover of a network, and what becomes of results when it changes in what they do not."""

import functools
import math
import os
import sys
import threading
import types

import numpy as np
import pytest
import torch
from conftest import tiny_run
from torch import nn

import andlib as al
from andlib import responses
from andlib.contents import content_digest
from andlib.errors import InputError

SCALE, TABLE = 1.0, {"a": [1.0]}
DECLARED = {"layers": "linear", "axes": ("clips", "channels"), "sample_rate": 16_000, "seconds": 0.5}


class Plain(nn.Module):
    """One linear layer, behind a number that is no weight."""

    scale = 1.0

    def __init__(self, scale=1.0):
        super().__init__()
        self.linear = nn.Linear(4, 3)
        self.scale, self.nested = scale, {"scales": [scale], "kind": types.SimpleNamespace(scale=scale)}
        with torch.no_grad():
            for value in self.parameters():
                value.copy_(torch.linspace(-1, 1, value.numel()).view_as(value))

    def forward(self, x):
        return self.linear(self.scale * x[:, :4])


def hooked(register, factor):
    network = Plain()
    getattr(network.linear, register)(lambda *given: factor * given[-1] if register.endswith("forward_hook") else None)
    return network


def with_forward(factor):
    network = Plain()
    network.forward = types.MethodType(lambda self, x: self.linear(factor * x[:, :4]), network)
    return network


def of_class(code):
    space = {"nn": nn, "torch": torch, "__name__": "__main__"}
    exec(f"class Own(nn.Linear):\n def forward(self, x):\n  return {code}", space)
    network = space["Own"](4, 3)
    nn.init.ones_(network.weight), nn.init.ones_(network.bias)
    return network


def enclosing(factor):
    def features(x):
        return factor * x

    return features


def helper(value):
    """A function that takes a constant from a module of the user's own."""
    module = types.ModuleType("users_own")
    module.__file__, module.CONSTANT = "/home/user/users_own.py", value
    sys.modules["users_own"] = module
    space = {"users_own": module, "__name__": "__main__"}
    exec("def features(x):\n return x * users_own.CONSTANT", space)
    return space["features"]


class Callable:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x):
        return self.factor * x

    def method(self, x):
        return self.factor * x


def global_of(value):
    space = {"CONSTANT": value, "__name__": "__main__"}
    exec("def inner(x):\n return x * CONSTANT\ndef features(x):\n return inner(x)", space)
    return space["features"]


def changed(network, change):
    change(network)
    return network


def multiply(factor, x, *, offset=0.0):
    return factor * x + offset


PAIRS = {  # what differs -> two objects that compute something else
    "a plain attribute": (Plain(1.0), Plain(2.0)),
    "a nested attribute": (Plain(), changed(Plain(), lambda n: n.nested["scales"].append(2.0))),
    "an attribute's attribute": (Plain(), changed(Plain(), lambda n: setattr(n.nested["kind"], "scale", 2.0))),
    "an attribute of a part": (Plain(), changed(Plain(), lambda n: setattr(n.linear, "factor", 2.0))),
    "a forward hook": (Plain(), hooked("register_forward_hook", 2.0)),
    "what a hook encloses": (hooked("register_forward_hook", 2.0), hooked("register_forward_hook", 3.0)),
    "a hook before": (Plain(), hooked("register_forward_pre_hook", 2.0)),
    "an own forward": (with_forward(1.0), with_forward(2.0)),
    "the class's code": (of_class("2 * x"), of_class("3 * x")),
    "the class's calls": (of_class("torch.sin(x)"), of_class("torch.cos(x)")),
    "a buffer that is not saved": (
        changed(Plain(), lambda n: n.register_buffer("w", torch.ones(2), persistent=False)),
        changed(Plain(), lambda n: n.register_buffer("w", torch.zeros(2), persistent=False)),
    ),
    "an activation": (nn.Sequential(nn.GELU()), nn.Sequential(nn.GELU("tanh"))),
    "what a function encloses": (enclosing(1.0), enclosing(2.0)),
    "a lambda of one line": (lambda x: x + 1, lambda x: x + 2),
    "a default": (lambda x, a=1.0: a * x, lambda x, a=2.0: a * x),
    "a keyword's default": (lambda x, *, a=1.0: a * x, lambda x, *, a=2.0: a * x),
    "a partial's argument": (functools.partial(multiply, 1.0), functools.partial(multiply, 2.0)),
    "a partial's keyword": (functools.partial(multiply, 1.0), functools.partial(multiply, 1.0, offset=1.0)),
    "a global of a function's function": (global_of(1.0), global_of(2.0)),
    "a constant of another module": (helper(1.0), helper(2.0)),
    "a callable's state": (Callable(1.0), Callable(2.0)),
    "the object of a method": (Callable(1.0).method, Callable(2.0).method),
    "another method": (Callable(1.0).method, Callable(1.0).__call__),
    "a cached function": (functools.lru_cache(enclosing(1.0)), functools.lru_cache(enclosing(2.0))),
    "a decorated function": (functools.wraps(multiply)(enclosing(1.0)), functools.wraps(multiply)(enclosing(2.0))),
    "a ufunc": (np.sin, np.cos),
    "a builtin": (math.sin, math.cos),
    "a generator's state": (np.random.default_rng(0), np.random.default_rng(1)),
    "types of numbers": ([1], [1.0]),
}


@pytest.mark.parametrize("what", PAIRS)
def test_a_key_covers(what):
    one, other = PAIRS[what]
    assert content_digest(one) == content_digest(one)
    assert content_digest(one) != content_digest(other)


def test_the_same_made_again_has_the_same_key():
    for make in (
        Plain,
        lambda: hooked("register_forward_hook", 2.0),
        lambda: of_class("2 * x"),
        lambda: enclosing(1.0),
    ):
        assert content_digest(make()) == content_digest(make())
    first, second = Plain(), Plain()
    first.parent = [first]  # a ring
    second.parent = [second]
    assert content_digest(first) == content_digest(second)
    rnn = [nn.LSTM(2, 3) for _ in range(2)]
    rnn[1].load_state_dict(rnn[0].state_dict())
    assert content_digest(rnn[0]) == content_digest(rnn[1])


@pytest.mark.parametrize("make", [threading.Lock, lambda: os.scandir("."), lambda: (i for i in (1, 2))])
def test_what_no_key_can_cover_asks_for_a_version(make):
    network = Plain().eval()
    network.held = make()
    with pytest.raises(InputError, match=r"net holds a .*, which no key of the store can cover .*version="):
        al.wrap(network, name="net", **DECLARED)
    keys = {al.wrap(network, name="net", version=version, **DECLARED).fingerprint for version in ("1", "2", "2")}
    assert len(keys) == 2
    if hasattr(network.held, "close"):
        network.held.close()


def activations(run, network):
    return responses.unit_activations(run, network)["linear"]


def test_a_network_that_changed_in_what_no_key_covers_is_recorded_again(tmp_path, monkeypatch, recwarn):
    class Hidden(Plain):
        def forward(self, x):
            return self.linear(float(os.environ["FACTOR"]) * x[:, :4])

    run = tiny_run(tmp_path)
    made = {}
    for factor in ("1", "2", "1", "2"):
        monkeypatch.setenv("FACTOR", factor)
        target = al.wrap(Hidden().eval(), name="net", **DECLARED)
        recwarn.clear()
        u = activations(run, target)
        new = factor == "2" and factor not in made
        assert [str(w.message) for w in recwarn] == [
            "net no longer gives what it gave; its results are made again."
        ] * new
        np.testing.assert_array_equal(u, made.setdefault(factor, u))
    assert not np.allclose(made["1"], made["2"])
    monkeypatch.setenv("FACTOR", "3")  # behind an object that is in use
    assert np.allclose(activations(run, target) - made["1"], 2 * (made["2"] - made["1"]), atol=1e-6)


def test_what_another_order_of_additions_changes_is_the_same(tmp_path, monkeypatch):
    class Rounded(Plain):
        def forward(self, x):
            return self.linear(x[:, :4]) * (1 + 1e-7 * float(os.environ["NOISE"]))

    run = tiny_run(tmp_path)
    monkeypatch.setenv("NOISE", "0")
    before = activations(run, al.wrap(Rounded().eval(), name="net", **DECLARED))
    monkeypatch.setenv("NOISE", "3")
    np.testing.assert_array_equal(activations(run, al.wrap(Rounded().eval(), name="net", **DECLARED)), before)


@pytest.mark.parametrize("noise", [lambda x: nn.functional.dropout(x, 0.5), lambda x: x + 1e-3 * torch.randn_like(x)])
def test_an_unstable_network_is_refused(noise):
    class Noisy(Plain):
        def forward(self, x):
            return self.linear(noise(x[:, :4]))

    with pytest.raises(InputError, match="net gives other outputs of linear when it hears a clip again"):
        al.wrap(Noisy().eval(), name="net", **DECLARED)
