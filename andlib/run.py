"""A run: one page's parameters, checked, the records that they name, and the folder where its stages are stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from andlib import encoders, paths
from andlib.behaviour import behaving
from andlib.concepts import FUNCTION, concept_set
from andlib.devices import PRECISIONS, device_named, placed
from andlib.encoders import EMBEDDED
from andlib.errors import InputError, check_choice, suggest
from andlib.llms.batches import Elsewhere
from andlib.llms.clients import SMOLLM2, open_llm
from andlib.llms.llm import LLM, Completions
from andlib.networks.checkpoints import CHECKPOINT_FILES, load_target
from andlib.parameters import is_parameter, of_type
from andlib.profiles import MODELS, PROFILES, STRATEGIES, Profile, switches
from andlib.records import ProbingSet, Unit
from andlib.store import Stage, Store
from andlib.tagging import TAGGERS
from andlib.targets import Target

CHECKED = Stage("checked", "lines")

# parameters of every page
DEFAULTS = {"model": "ast", "profile": "mini", "data_dir": "", "captions": "", "weights": "", "mode": "corrected"}
DEFAULTS |= {"k": 5, "concepts": "esc50", "llm": "", "summariser": "rules", "encoder": EMBEDDED, "audio_encoder": ""}
DEFAULTS |= {"tagger": "hanta", "device": "auto", "precision": "float32"}
SUMMARISERS = ("rules", "llm")
RECORDS = ("probing_set", "concepts", "language_model", "completions")  # that `Run.using` may put in place
UNTRAINED_SEED = 0


@dataclass(frozen=True)
class Method:
    """How a run describes neurons: all that decides it beside the network, the clips and their texts.

    sentences, encoder, audio_encoder: fingerprints of the encoders of points (calibration), texts (DB) and sounds
    (TAB). writer: who wrote the summaries, and from which weights or kept answers. function: labels block units."""

    k: int
    concepts: tuple[str, ...]
    sentences: str
    encoder: str
    audio_encoder: str
    summariser: str
    writer: tuple[str, ...]
    tagger: str
    faults: frozenset[str]
    function: str = FUNCTION


@dataclass(frozen=True)
class Run:
    """What one page was asked to do.

    models: names of target networks, in the order of their tables. weights: folder or hub id of the network where it is
    not the profile's. mode: see `profiles.switches`. k: how many highest and lowest clips describe a neuron.
    concept_set: name or file of the concept set D_c. llm: the language model that is asked (see `andlib.llms.clients`);
    without one, kept answers are read. summariser: who writes S_h and S_l, our rules or the llm. encoder,
    audio_encoder: of DB and TAB, see `andlib.encoders`. tagger: see `tagging.tag`. extra: the page's own parameters.
    store: where results are kept, and where they are made. given: records in place of the named, see `using`."""

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
    tagger: str = "hanta"
    extra: Mapping[str, Any] = field(default_factory=dict)
    store: Store = field(default_factory=lambda: Store(paths.cache()))
    given: Mapping[str, Any] = field(default_factory=dict)

    def using(self, **changes: Any) -> "Run":
        """The same run with other settings (fields of a run) or RECORDS; those that neither touches are not read again.
        models: names, or Targets of your own, which have their names from then on.

        >>> run.using(k=10), run.using(probing_set=run.probing_set.in_folds((1,))), run.using(models=[target, "ast"])"""
        settings = {name: value for name, value in changes.items() if name not in RECORDS}
        own = {model.name: model for model in settings.get("models", ()) if isinstance(model, Target)}
        if "models" in settings:
            settings["models"] = tuple(getattr(model, "name", model) for model in settings["models"])
        kept = {} if settings.keys() & {"profile", "data_dir"} else {"probing_set": self.probing_set}
        kept |= {} if settings.keys() & {"profile", "store"} else {"completions": self.completions}
        records = {name: value for name, value in changes.items() if name in RECORDS}
        networks = {"networks": {**self.given.get("networks", {}), **own}}
        return replace(self, **settings, given={**self.given, **kept, **records, **networks})

    @cached_property
    def faults(self) -> frozenset[str]:
        """The switches of the released code that are on."""
        return switches(self.mode)

    @cached_property
    def probing_set(self) -> ProbingSet:
        """The probing set D_p of the profile; raises InputError where its recordings cannot be had."""
        if "probing_set" in self.given:
            return self.given["probing_set"]
        if self.profile.probing == "synthesc":
            from andlib.mini.synthesis import synthesc

            return synthesc()
        from andlib.inputs.probing import check_recordings, open_folder

        probing_set = open_folder(self._recordings(), subset=self.profile.subset)
        # every recording is decoded once, before anything is made of any: all bad ones are then named together
        self.store.get(CHECKED, [probing_set], lambda: check_recordings(probing_set) or [len(probing_set)])
        return probing_set

    def target(self, model: str | Target, *, untrained: bool = False) -> Target:
        """The target network F of that name, or its untrained twin; a Target as it is, keyed by behaviour if live."""
        model = self.given.get("networks", {}).get(model, model) if isinstance(model, str) else model
        if isinstance(model, Target):
            if untrained:
                raise InputError(f"{model.name} is given as a Target; give its untrained twin as another.")
            return behaving(self.store, model) if model.live else placed(model, self.store)
        if (model, untrained) not in self._loaded:
            self._loaded[model, untrained] = self._load(model, untrained)
        return self._loaded[model, untrained]

    @cached_property
    def _loaded(self) -> dict[tuple[str, bool], Target]:
        return {}

    def _load(self, model: str, untrained: bool) -> Target:
        if not (location := self.weights or self.profile.networks.get(model)):
            remedy = f"Name its checkpoint, a folder or a hub id: -p model {model} -p weights path/to/checkpoint."
            own = "One of your own is given as a Target, as in al.show(run, unit, network=target)."
            raise InputError(f"Profile {self.profile.name} has no network {model}. {remedy} {own}")
        bare = Path(location).suffix in CHECKPOINT_FILES  # class names are those of the recordings it learnt from
        classes, seed = self.probing_set.classes if bare else (), UNTRAINED_SEED if untrained else None
        network = load_target(location, name=model, seconds=self.profile.seconds, classes=classes, untrained_seed=seed)
        return placed(network, self.store)

    def has_twin(self, model: str | Target) -> bool:
        """Whether the network's untrained twin can be had: not of one that was given as a Target."""
        return isinstance(model, str) and model not in self.given.get("networks", {})

    def probed(self, model: str | Target, *, untrained: bool = False) -> Target:
        """The target as it is played to and read: as `target`, but for the faults of the released code that are on."""
        network = self.target(model, untrained=untrained)
        if "first_token" in self.faults:
            network = network.read(layers=[la.name for la in network.layers if len(la.axes) == 3], pooling="first")
        if "beats_48k_as_16k" in self.faults and network.name.startswith("beats"):
            network = replace(network, sample_rate=48_000)  # its features take every sample for one at 16 kHz
        return network

    def unit(self, name: Unit | str, network: Target | None = None) -> tuple[Target, Unit]:
        """A neuron's network, as it is played to, and its address. name: `ast/block0.output/17`, or without its first
        part, of the run's first model. network: where it is not the profile's. Raises InputError for no such unit."""
        unit = name if isinstance(name, Unit) else Unit.parse(name, network.name if network else self.models[0])
        network = self.probed(network or unit.model)
        return network, network.check(unit)

    def _recordings(self) -> Path:
        if self.data_dir:
            return paths.named(self.data_dir)
        if self.profile.archive:
            from andlib.inputs.downloads import fetch_esc50

            return fetch_esc50(paths.cache() / "recordings")
        raise InputError(
            f"Profile {self.profile.name!r} needs recordings. Give the folder that holds them: "
            f"-p data_dir path/to/{self.profile.name} (How to run says where to get them)."
        )

    @cached_property
    def concepts(self) -> tuple[str, ...]:
        """The concept set D_c: by default ESC-50's 50 class names on every profile, for the paper's chance."""
        return self.given.get("concepts") or concept_set(self.concept_set, self.probing_set.classes)

    @cached_property
    def language_model(self) -> LLM | None:
        """The language model that is asked; None: SmolLM2's kept answers. InputError where a named one has none."""
        model = self.given.get("language_model") or (open_llm(self.llm, self.store.device) if self.llm else None)
        known = {row["model"] for row in self.completions.rows.values()}
        if isinstance(model, Elsewhere) and "language_model" not in self.given:
            check_choice(f"Profile {self.profile.name} keeps answers of other models; model", model.model, known)
        return model

    @property
    def answerer(self) -> str:
        """Whose answers are read, for tables and keys: the language model's name."""
        return self.language_model.model if self.language_model else SMOLLM2

    def beside(self, *names: str) -> tuple[str, ...]:
        """The run's models and, unless they are read from `weights`, those of `names` that the profile has, too."""
        others = () if self.weights else (name for name in names if name in self.profile.networks)
        return tuple(dict.fromkeys((*self.models, *others)))

    @property
    def rests_on(self) -> dict[str, str]:
        """Models behind the columns of Section 4.1: of ICL, TAB, DB, and of the cosine of two names."""
        audio = f"{self.audio_encoder}{' audio encoder' * (self.audio_encoder in encoders.OURS)}"
        return {"ICL": self.answerer, "TAB": audio, "DB": self.encoder, "cosine": self.profile.encoder}

    @cached_property
    def completions(self) -> Completions:
        """Every answer of a language model that is kept: committed for the profile, or given on this machine."""
        log, committed = self.store.folder / "completions.jsonl", paths.completions(self.profile.name)
        return self.given.get("completions") or Completions(log, [committed])

    @cached_property
    def caption_file(self) -> Path | None:
        """The file of captions: the one that the page names, the one beside the recordings, or those of ESC-50 that an
        audio LLM's user published; None where there is none. Raises InputError where there are several."""
        if self.captions or "file" not in self.profile.caption_parts:
            return paths.named(self.captions) if self.captions else None
        from andlib.inputs.downloads import captions_beside

        return captions_beside(self._recordings(), paths.cache() / "recordings" if self.profile.archive else None)

    @property
    def caption_parts(self) -> tuple[str, ...]:
        """Origins of each description: the profile's, or a named caption file's; none from a file that is not there."""
        parts = ("file", "measured") if self.captions else self.profile.caption_parts
        return tuple(part for part in parts if part != "file" or self.caption_file)

    @property
    def method(self) -> Method:
        """How this run describes neurons, for keys of the store."""
        answers = getattr(self.language_model, "revision", "") or self.completions.kept
        return Method(
            k=self.k,
            concepts=self.concepts,
            sentences=encoders.fingerprint(self.profile.encoder),
            encoder=encoders.fingerprint(self.encoder),
            audio_encoder=encoders.audio_text(self.audio_encoder).fingerprint,
            summariser=self.summariser,
            writer=(self.answerer, answers) if self.summariser == "llm" else (),
            tagger=TAGGERS[self.tagger],
            faults=self.faults,
        )

    def made_by(self, *origins: str) -> str:
        """One line for under a table or figure: profile, mode, caption origin and versions that made it."""
        parts = [f"Profile {self.profile.name}: {self.profile.title}", f"mode {self.mode}"]
        if self.summariser == "llm":
            parts.append(f"summaries by {self.answerer}")
        parts += [f"words by {TAGGERS[self.tagger]}"] * (self.tagger != "hanta")
        if self.concept_set != "esc50":
            parts.append(f"concepts {self.concept_set}")
        if (where := (self.store.device, self.store.precision)) != ("cpu", "float32"):
            parts.append("networks on {} in {}".format(*where))
        if origins:
            parts.append("descriptions from " + " + ".join(origins))
        if self.weights:
            parts.append(f"network {self.weights}")
        packages = [f"{name} {version(name)}" for name in ("andlib", "torch", "transformers")]
        return "; ".join([*parts, f"K = {self.k}", ", ".join(packages)]) + "."


def open_run(parameters: Mapping[str, Any]) -> Run:
    """The run that a page's parameters ask for.

    parameters: the notebook's `globals()`, whose annotations (`k: int = 5`) are the parameters that the page has; or a
    mapping of settings. A name that is no parameter of the page (a misspelt `-p`) is refused; those that are no setting
    of every page are in `Run.extra`. Raises InputError, naming the parameter, the value and what was expected.

    >>> run = open_run(globals())"""
    types_of = {name: type(default) for name, default in DEFAULTS.items()}
    declared = parameters.get("__annotations__") or ({} if "get_ipython" in parameters else types_of)
    given = {name: value for name, value in parameters.items() if is_parameter(name, value)}
    again = any(isinstance(value, Run) for value in given.values())  # a reader runs the cell again, amid its results
    for name in given:
        if not again and name not in declared:
            raise InputError(f"Parameter {name!r} is unknown to this page. {suggest(name, declared)}")
    values = {name: of_type(name, given.get(name, DEFAULTS[name]), kind) for name, kind in types_of.items()}
    profile = PROFILES[check_choice("Profile", values.pop("profile"), PROFILES)]
    known = [*MODELS, *STRATEGIES, *profile.networks, "all"]
    model = check_choice(f"On profile {profile.name}, model", values.pop("model"), dict.fromkeys(known))
    if values["weights"] and model == "all":
        raise InputError("Parameter weights names one network, but model is 'all'; say which one it is: -p model ast.")
    switches(values["mode"])
    values["audio_encoder"] = values["audio_encoder"] or profile.audio_encoder
    values["mode"] = ",".join(name.strip() for name in values["mode"].split(","))
    check_choice("Summariser", values["summariser"], SUMMARISERS)
    check_choice("Tagger", values["tagger"], TAGGERS)
    precision = check_choice("Precision", values.pop("precision"), PRECISIONS)
    return Run(
        profile=profile,
        models=profile.models if model == "all" else (model,),
        concept_set=values.pop("concepts"),
        store=Store(paths.cache(), device_named(values.pop("device")), precision),
        **values,
        extra={n: of_type(n, given[n], kind) for n, kind in declared.items() if n in given and n not in DEFAULTS},
    )
