"""Networks of the paper's size with random weights, which cost what trained ones do."""

from pathlib import Path

from andlib.targets import Target

SECONDS = 5.0


def random_network(name: str, folder: Path, seconds: float = SECONDS, **sizes: int) -> Target:
    """A full-size `ast` or `beats` with random weights and ESC-50's classes, saved and loaded as a user's would be.

    sizes: of AST's configuration, where they are not the paper's."""
    import torch
    from transformers import ASTConfig, ASTForAudioClassification
    from transformers.utils import logging

    from andlib import concepts
    from andlib.networks import beats, beats_files
    from andlib.networks.checkpoints import load_target

    torch.manual_seed(0)
    logging.disable_progress_bar()
    if name == "ast":
        config = ASTConfig(id2label=dict(enumerate(concepts.ESC50)), **sizes)
        ASTForAudioClassification(config).save_pretrained(folder)
    else:
        config = beats_files.Config()
        weights = beats.make(config, len(concepts.ESC50)).state_dict()
        beats_files.save(folder, config, weights, concepts.ESC50)
    return load_target(folder, name=name, seconds=seconds)
