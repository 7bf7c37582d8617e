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
    "captioner_accuracy": "paper.baselines",
    "caption_notes": "stages",
    "caption_parts": "stages",
    "check_recordings": "probing",
    "chosen_unit": "targets",
    "class_changes": "paper.section_4_3",
    "clip_captions": "stages",
    "clip_descriptions": "stages",
    "closed_concepts": "paper.section_4_1",
    "described_layers": "paper.section_4_3",
    "difficulty": "paper.baselines",
    "last_layer": "paper.section_4_1",
    "load_target": "networks.checkpoints",
    "named_units": "paper.section_4_1",
    "neurons": "stages",
    "open_folder": "probing",
    "open_run": "run",
    "sources_in_several_folds": "probing",
    "target": "stages",
    "target_accuracy": "paper.baselines",
    "unit_activations": "stages",
    "unlearning": "paper.section_4_3",
    "unlearning_table": "paper.section_4_3",
    "with_floor": "paper.baselines",
    "readings": "paper.section_4_1",
    "wrap": "networks.wrapping",
    "Clip": "records",
    "check_export": "report.artefact",
    "export": "report.artefact",
    "neuron_descriptions": "paper.human_evaluation",
    "rating_page": "paper.human_evaluation",
    "sampled_neurons": "paper.human_evaluation",
    "score_ratings": "paper.human_evaluation",
    "reliability": "beyond.scoring",
    "score_neurons": "beyond.scoring",
    "scorecard": "beyond.scoring",
    "show": "report.cards",
    "search": "beyond.searching",
    "where_it_fired": "beyond.firing",
}
_MODULES = {"cards": "report.cards", "figures": "report.figures", "paper": "paper", "tables": "report.tables"}

__all__ = sorted([*_HOME, *_MODULES])


def __getattr__(name: str):
    if name in _MODULES:
        return importlib.import_module(f"andlib.{_MODULES[name]}")
    if name in _HOME:
        return getattr(importlib.import_module(f"andlib.{_HOME[name]}"), name)
    raise AttributeError(f"andlib has no public name {name!r}.")


def __dir__() -> list[str]:
    return __all__
