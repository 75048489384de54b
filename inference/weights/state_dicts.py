"""Reads a state dict, and fits it into its architecture; says which key or prefix hides it where it is wrapped.

Nothing is unwrapped here: which of a checkpoint's state dicts is meant, or whether a prefix belongs to another network,
is known to who uploads it.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from inference.errors import InferenceError, NetworkError
from inference.guards.archives import is_archive, open_archive
from inference.guards.records import SAVED_OBJECT
from inference.weights.pickles import pickled_sentence

MAX_DEPTH = 3  # of a state dict in a checkpoint
_SHOWN_PLACES = 4
# Older state dicts, some that torchvision publishes among them, lack this counter of batch normalisation.
_TRAINING_ONLY = re.compile(r"(^|\.)num_batches_tracked$")
# Wrappers of torch that put their name between those of a module and its child.
_WRAPPERS = re.compile(r"(?<=\.)(_orig_mod|module|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")

StateDict = Mapping[str, Tensor]


def read_state_dict(path: Path) -> StateDict:
    """Return the state dict in a file of safetensors or ``torch.save``.

    Raises:
        NetworkError: when there is none, with what is there and what to do.
    """
    state = _read_safetensors(path) if path.suffix == ".safetensors" else _read_saved(path)
    if isinstance(state, Mapping) and state and all(map(_is_entry, state.items())):
        return state
    raise NetworkError(f"The file {path.name} is not a state dict{_what_it_is(state)}")


def fit(module: nn.Module, state: StateDict, file_name: str, builder: str) -> None:
    """Load a state dict into a module.

    Raises:
        NetworkError: with the prefix, or the first difference, if it does not fit.
    """
    expected = module.state_dict()
    if misfit := _misfit(expected, state):
        misfit = _wrapping(expected, state) or misfit  # the reason rather than its first effect
        raise NetworkError(f"The weights in {file_name} do not fit {builder}: {misfit}.")
    module.load_state_dict(state, strict=False)  # what may be missing or too many has been looked at


def _read_safetensors(path: Path) -> StateDict:
    try:
        return safetensors.torch.load_file(path)
    except Exception as error:  # its reader has exceptions of its own
        raise NetworkError(
            f"The file {path.name} is not a safetensors file that can be read: it is damaged or was cut."
        ) from error


def _read_saved(path: Path) -> object:
    try:
        if is_archive(path):
            open_archive(path, SAVED_OBJECT)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (InferenceError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # the safe unpickler, or the archive's reader below it
        raise NetworkError(pickled_sentence(path)) from error


def _is_entry(entry: tuple[object, object]) -> bool:
    return isinstance(entry[0], str) and isinstance(entry[1], Tensor)


def _what_it_is(value: object) -> str:
    """Return the rest of the sentence, and what to do."""
    if places := list(_state_dicts_in(value, "checkpoint", MAX_DEPTH)):
        shown = " and ".join(places[:_SHOWN_PLACES])
        return f" but a checkpoint that has one in {shown}. Save that alone: `torch.save({places[0]}, path)`."
    if isinstance(value, Mapping):
        foreign = next((key for key, element in value.items() if not _is_entry((key, element))), None)
        return "; it is empty." if foreign is None else f": its entry {str(foreign)[:80]!r} is not a tensor."
    return f" but a {type(value).__name__}. Save `model.state_dict()`."


def _state_dicts_in(value: object, place: str, depth: int) -> Iterator[str]:
    """Yield where below a value there are state dicts, as Python says it."""
    if not isinstance(value, Mapping) or not depth:
        return
    for key, element in value.items():
        inside = f"{place}[{key[:80]!r}]" if isinstance(key, str) else None
        if inside is None or not isinstance(element, Mapping):
            continue
        if element and all(map(_is_entry, element.items())):
            yield inside
        else:
            yield from _state_dicts_in(element, inside, depth - 1)


def _misfit(expected: StateDict, state: StateDict) -> str | None:
    needless = _TRAINING_ONLY.search
    if missing := [key for key in expected if key not in state and not needless(key)]:
        return f"{missing[0]!r} is missing ({len(missing)} in all)"
    if unexpected := [key for key in state if key not in expected and not needless(key)]:
        return f"{unexpected[0][:200]!r} is unexpected ({len(unexpected)} in all)"
    shapes = ((key, list(state[key].shape), list(tensor.shape)) for key, tensor in expected.items() if key in state)
    return next((f"{key!r} has shape {one} instead of {other}" for key, one, other in shapes if one != other), None)


def _wrapping(expected: StateDict, state: StateDict) -> str | None:
    """Return which prefix, or which wrapper's names, keep a state dict from fitting; None if that is not the reason."""
    needed = {key for key in expected if not _TRAINING_ONLY.search(key)}
    some = max(needed, key=len, default="")  # which few names end with by chance
    for prefix in dict.fromkeys(key.removesuffix(some) for key in state if key.endswith(f".{some}")):
        if needed <= {key.removeprefix(prefix) for key in state if key.startswith(prefix)}:
            return (
                f"their names begin with {prefix[:80]!r}; save the state dict of the model inside,"
                " or take that prefix off the names"
            )
    wrapper = next((match[0] for key in state if (match := _WRAPPERS.search(key))), None)
    if wrapper is None or not needed <= {_WRAPPERS.sub("", key) for key in state}:
        return None
    return f"their names have {wrapper!r} in them; save the state dict of the model that was wrapped"
