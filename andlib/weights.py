"""Models of transformers from a folder, a GGUF file or the hub: all weights in their places, and no foreign code."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from andlib.errors import InputError, explained, first_line

if TYPE_CHECKING:
    from torch import nn

COMPUTED = ("position_ids", "inv_freq", "num_batches_tracked")  # ends of names that only older versions wrote
CODE = "it asks to run Python code of its own, which is never done. Take a model that transformers knows by itself"


def reader(kind: Any, location: str, **options: Any) -> Any:
    """A tokenizer, processor or model as `kind.from_pretrained` makes it; raises as `without_code` and `with_words`."""
    with without_code(location):
        return with_words(kind.from_pretrained(location, trust_remote_code=False, **options), location)


def with_words(read: Any, location: str) -> Any:
    """What was read; raises InputError for a tokenizer without words: transformers makes it where files are absent."""
    tokenizer = getattr(read, "tokenizer", read)
    if len(set(getattr(tokenizer, "all_special_ids", ()))) >= len(getattr(tokenizer, "get_vocab", lambda: "-")()):
        raise InputError(f"{location} lacks the files of its tokenizer, which knows no word. Fetch it anew.")
    return read


def without_code(location: str):
    """What is read in it needs no Python of the model's own: raises InputError where transformers says that it does."""
    foreign = f"{location} was not read: {CODE}."
    return explained(lambda error: foreign if "trust_remote_code" in str(error) else str(error), ValueError)


def pretrained(kind: Any, location: str, unused: Iterable[str] = (), **options: Any) -> "nn.Module":
    """A model as `reader` makes it, with exactly the weights that it has a place for; in evaluation mode.
    Weights of parts that the model has not at all, like another task's head, are left out. unused: parts of names whose
    weights may be missing, for nothing is read of them. Raises InputError, naming weights, where some are missing, not
    finite, of another shape, or of a further layer of a part that the model has."""
    model, report = reader(kind, location, output_loading_info=True, ignore_mismatched_sizes=True, **options)
    absent = [name for name in report["missing_keys"] if not any(part in name for part in unused)]
    beyond = [name for name in report["unexpected_keys"] if _within(model, name)]
    faults = {"lacks": absent, "has, in another shape,": [name for name, *_ in report["mismatched_keys"]]}
    faults |= {"has, beyond what its configuration says,": beyond, "has no finite numbers in": infinite(model)}
    for fault, names in faults.items():
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            what = f"{location} is no whole {type(model).__name__}: it {fault} {', '.join(sorted(names)[:3])}{more}"
            raise InputError(f"{what}. Fetch it anew, or mend its configuration.")
    return model.eval()


def infinite(model: "nn.Module") -> list[str]:
    """Names of weights that hold values that are no finite numbers."""
    named = model.state_dict().items()
    return [name for name, value in named if value.is_floating_point() and not value.isfinite().all()]


def _within(model: "nn.Module", name: str) -> bool:
    """Whether a weight's name begins with a part of the model; files may name its base around that or leave it out."""
    names = (name, name.removeprefix(f"{getattr(model, 'base_model_prefix', '')}."))
    return any(hasattr(model, each.partition(".")[0]) for each in names) and not name.endswith(COMPUTED)


@contextmanager
def opened(path: Path, framework: str) -> Iterator[Any]:
    """A safetensors file, open, for numpy ("np") or torch ("pt"); raises InputError where it is none, or damaged."""
    unread, kinds = f"{path} is damaged or cannot be read as safetensors", (SafetensorError, OSError)
    with explained(lambda e: f"{unread} ({first_line(e)}). Fetch it anew.", *kinds), safe_open(path, framework) as file:
        yield file
