"""A run: one page's parameters, checked, and the folder where its stages are stored."""

import inspect
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from andlib import paths
from andlib.concepts import concept_set
from andlib.encoders import EMBEDDED
from andlib.errors import InputError, check_choice, suggest
from andlib.llms.clients import SMOLLM2, open_llm
from andlib.llms.llm import LLM, Completions
from andlib.profiles import MODELS, PROFILES, STRATEGIES, Profile, switches
from andlib.records import ProbingSet
from andlib.store import Store

# parameters of every page
DEFAULTS = {
    "model": "ast",
    "profile": "mini",
    "data_dir": "",
    "captions": "",
    "weights": "",
    "mode": "corrected",
    "k": 5,
    "concepts": "esc50",
    "llm": "",
    "summariser": "rules",
    "encoder": EMBEDDED,
    "audio_encoder": "embedded",
}
SUMMARISERS = ("rules", "llm")
NOTEBOOK_NAMES = {"In", "Out", "get_ipython", "exit", "quit", "open"}


@dataclass(frozen=True)
class Run:
    """What one page was asked to do.

    models: target networks, in the order of their tables. weights: folder or hub id of the network where it is not the
    profile's. faults: switches of the released code that are on.
    k: how many highest and lowest clips describe a neuron. extra: the page's own parameters.
    concept_set: name or file of the concept set D_c. llm: the language model that is asked (see `andlib.llms.llm`);
    without one, kept answers are read. summariser: who writes S_h and S_l, our rules or the llm. encoder: DB's text
    encoder; audio_encoder: TAB's pair of encoders (see `andlib.encoders`).
    """

    profile: Profile
    models: tuple[str, ...]
    data_dir: str = ""
    captions: str = ""
    weights: str = ""
    mode: str = "corrected"
    k: int = 5
    concept_set: str = "esc50"
    llm: str = ""
    summariser: str = "rules"
    encoder: str = EMBEDDED
    audio_encoder: str = "embedded"
    extra: Mapping[str, Any] = field(default_factory=dict)
    store: Store = field(default_factory=lambda: Store(paths.cache()))

    @cached_property
    def faults(self) -> frozenset[str]:
        """The switches of the released code that are on."""
        return switches(self.mode)

    @cached_property
    def probing_set(self) -> ProbingSet:
        """The probing set D_p of the profile; raises InputError where its recordings cannot be had."""
        if self.profile.probing == "synthesc":
            from andlib.mini.synthesis import synthesc

            return synthesc()
        from andlib.probing import check_recordings, open_folder

        probing_set = open_folder(self._recordings(), subset=self.profile.subset)
        # every recording is decoded once, before anything is made of any: all bad ones are then named together
        key = {"clips": probing_set.fingerprint}
        self.store.get("checked", key, lambda: check_recordings(probing_set) or [len(probing_set)], "lines")
        return probing_set

    def in_folds(self, folds: tuple[int, ...]) -> "Run":
        """The same run on the clips of those folds alone."""
        part = replace(self)
        vars(part)["probing_set"] = self.probing_set.in_folds(folds)
        return part

    def _recordings(self) -> Path:
        if self.data_dir:
            return paths.named(self.data_dir)
        if self.profile.archive:
            from andlib.downloads import fetch_esc50

            return fetch_esc50(paths.cache() / "recordings")
        raise InputError(
            f"Profile {self.profile.name!r} needs recordings. Give the folder that holds them: "
            f"-p data_dir path/to/{self.profile.name} (How to run says where to get them)."
        )

    @cached_property
    def concepts(self) -> tuple[str, ...]:
        """The concept set D_c: by default ESC-50's 50 class names on every profile: chance is 2 % (top-5: 10 %)."""
        return concept_set(self.concept_set, self.probing_set.classes)

    @cached_property
    def language_model(self) -> LLM | None:
        """The language model that is asked; None where only kept answers are read."""
        return open_llm(self.llm) if self.llm else None

    @property
    def answerer(self) -> str:
        """Whose answers are read, for tables and keys: the language model's name."""
        return self.language_model.model if self.language_model else SMOLLM2

    @property
    def rests_on(self) -> dict[str, str]:
        """What each method of Section 4.1 rests on, for its column: ICL's language model, TAB's and DB's encoders; and
        what the cosine of two names is measured with."""
        audio = "embedded audio encoder" if self.audio_encoder == "embedded" else self.audio_encoder
        return {"ICL": self.answerer, "TAB": audio, "DB": self.encoder, "cosine": self.profile.encoder}

    @cached_property
    def completions(self) -> Completions:
        """Every answer of a language model that is kept: committed for the profile, or given on this machine."""
        return Completions(self.store.folder / "completions.jsonl", [paths.completions(self.profile.name)])

    def made_by(self, *origins: str) -> str:
        """One line for under a table or figure: profile, mode, caption origin and versions that made it."""
        parts = [f"Profile {self.profile.name}: {self.profile.title}", f"mode {self.mode}"]
        if self.summariser == "llm":
            parts.append(f"summaries by {self.answerer}")
        if self.concept_set != "esc50":
            parts.append(f"concepts {self.concept_set}")
        if origins:
            parts.append("descriptions from " + " + ".join(origins))
        if self.weights:
            parts.append(f"network {self.weights}")
        packages = [f"{name} {_version(name)}" for name in ("andlib", "torch", "transformers")]
        return "; ".join([*parts, f"K = {self.k}", ", ".join(packages)]) + "."


def open_run(parameters: Mapping[str, Any], **own: Any) -> Run:
    """The run that a page's parameters ask for.

    parameters: the notebook's `globals()`. A name that is not a parameter of the page (a misspelt `-p`) is refused.
    own: parameters of this page alone, name -> the values allowed (a sequence) or a type.
    Raises InputError, naming the parameter, the value and what was expected.

    >>> run = open_run(globals(), target_class=str)
    """
    given = {name: value for name, value in parameters.items() if _is_parameter(name, value)}
    again = any(isinstance(value, Run) for value in given.values())  # a reader runs the cell again, amid its results
    for name in given:
        if not again and name not in DEFAULTS and name not in own:
            raise InputError(f"Parameter {name!r} is unknown to this page. {suggest(name, [*DEFAULTS, *own])}")
    values = {name: _of_type(name, given.get(name, default), type(default)) for name, default in DEFAULTS.items()}
    if values["k"] < 1:
        raise InputError(f"Parameter k is {values['k']}; expected at least 1 highest and lowest clip a neuron.")
    model = check_choice("Model", values["model"], dict.fromkeys([*MODELS, *STRATEGIES, "all"]))
    if values["weights"] and model == "all":
        raise InputError("Parameter weights names one network, but model is 'all'; say which one it is: -p model ast.")
    switches(values["mode"])
    check_choice("Summariser", values["summariser"], SUMMARISERS)
    extra = {name: _own(name, given.get(name), allowed) for name, allowed in own.items()}
    return Run(
        profile=PROFILES[check_choice("Profile", values["profile"], PROFILES)],
        models=MODELS if model == "all" else (model,),
        concept_set=values["concepts"],
        **{name: value for name, value in values.items() if name not in ("model", "profile", "concepts")},
        extra=extra,
    )


def _is_parameter(name: str, value: Any) -> bool:
    callable_or_module = isinstance(value, types.ModuleType | type) or inspect.isroutine(value)
    return not name.startswith("_") and name not in NOTEBOOK_NAMES and not callable_or_module


def _own(name: str, value: Any, allowed: Any) -> Any:
    if isinstance(allowed, type):
        return _of_type(name, allowed() if value is None else value, allowed)
    if isinstance(allowed, Sequence) and value is not None:
        return check_choice(f"Parameter {name}", value, allowed)
    return value


def _of_type(name: str, value: Any, kind: type) -> Any:
    right = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    if kind is float and isinstance(value, int):
        return float(value)
    if not right:
        words = {int: "a whole number", str: "text", float: "a number", bool: "true or false"}
        raise InputError(f"Parameter {name} is {value!r}; expected {words[kind]}.")
    return value


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
