"""Audio network dissection: what single neurons of audio networks respond to, in words.

>>> import andlib as al
>>> run = al.open_run({"model": "ast"})
>>> al.neurons(run, "ast")
"""

import importlib

# public name -> module that holds it; modules load when a name is first used
_HOME = {
    "InputError": "errors",
    "MODELS": "profiles",
    "PROFILES": "profiles",
    "ProbingSet": "records",
    "Run": "run",
    "Layer": "targets",
    "Target": "targets",
    "Unit": "records",
    "ablate": "ablation",
    "captioner_accuracy": "baselines",
    "caption_notes": "stages",
    "caption_parts": "stages",
    "check_recordings": "probing",
    "chosen_unit": "targets",
    "class_changes": "section_4_3",
    "clip_captions": "stages",
    "clip_descriptions": "stages",
    "closed_concepts": "section_4_1",
    "described_layers": "section_4_3",
    "difficulty": "baselines",
    "last_layer": "section_4_1",
    "load_target": "checkpoints",
    "named_units": "section_4_1",
    "neurons": "stages",
    "open_folder": "probing",
    "open_run": "run",
    "sources_in_several_folds": "probing",
    "target": "stages",
    "target_accuracy": "baselines",
    "unit_activations": "stages",
    "unlearning": "section_4_3",
    "unlearning_table": "section_4_3",
    "with_floor": "baselines",
    "readings": "section_4_1",
    "wrap": "wrapping",
    "Clip": "records",
    "check_export": "artefact",
    "export": "artefact",
    "neuron_descriptions": "human_evaluation",
    "rating_page": "human_evaluation",
    "sampled_neurons": "human_evaluation",
    "score_ratings": "human_evaluation",
    "reliability": "scoring",
    "score_neurons": "scoring",
    "scorecard": "scoring",
    "show": "cards",
    "search": "searching",
    "where_it_fired": "firing",
}
_MODULES = ("cards", "figures", "paper", "tables")

__all__ = sorted([*_HOME, *_MODULES])


def __getattr__(name: str):
    if name in _MODULES:
        return importlib.import_module(f"andlib.{name}")
    if name in _HOME:
        return getattr(importlib.import_module(f"andlib.{_HOME[name]}"), name)
    raise AttributeError(f"andlib has no public name {name!r}.")


def __dir__() -> list[str]:
    return __all__
