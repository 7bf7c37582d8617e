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
    "captioner_accuracy": "pages.section_2",
    "caption_notes": "stages",
    "caption_parts": "stages",
    "check_recordings": "probing",
    "chosen_unit": "targets",
    "class_changes": "pages.section_4_3",
    "clip_captions": "stages",
    "clip_descriptions": "stages",
    "closed_concepts": "pages.section_4_1",
    "described_layers": "pages.section_4_3",
    "difficulty": "pages.section_2",
    "last_layer": "pages.section_4_1",
    "load_target": "networks.checkpoints",
    "named_units": "pages.section_4_1",
    "neurons": "stages",
    "open_folder": "probing",
    "open_run": "run",
    "sources_in_several_folds": "probing",
    "target": "stages",
    "target_accuracy": "pages.section_2",
    "unit_activations": "stages",
    "unlearning": "pages.section_4_3",
    "unlearning_table": "pages.section_4_3",
    "with_floor": "pages.section_2",
    "readings": "pages.section_4_1",
    "wrap": "networks.wrapping",
    "Clip": "records",
    "check_export": "report.artefact",
    "export": "report.artefact",
    "neuron_descriptions": "pages.section_4_2",
    "rating_page": "pages.section_4_2",
    "sampled_neurons": "pages.section_4_2",
    "score_ratings": "pages.section_4_2",
    "reliability": "pages.scoring",
    "score_neurons": "pages.scoring",
    "scorecard": "pages.scoring",
    "show": "report.cards",
    "search": "searching",
    "where_it_fired": "firing",
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
