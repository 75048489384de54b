"""Turns the files of a network into something that runs, without trusting them.

The workers load through here, on the thread of the first task that needs a network. Nothing in the files is
unpickled into arbitrary objects: state dicts are read with ``weights_only``, mean files without pickle, and
the two archive formats are judged before torch opens them (see :mod:`inference.guards.exported.program` and
:mod:`inference.guards.torchscript.check`).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from inference.architectures import build, takes_image_list
from inference.arguments import Argument, bind
from inference.errors import DeviceLostError, InferenceError, NetworkError, reason_of
from inference.guards.exported.program import load_checked_program
from inference.guards.torchscript.check import check_script
from inference.loaded_network import LoadedNetwork, bytes_of
from inference.network import NetworkDescription
from inference.warning_filters import QuietWarning
from inference.weights.kinds import check_kind
from inference.weights.state_dicts import fit, read_state_dict

__all__ = ["LoadedNetwork", "check_files", "load_network"]

ARCHITECTURE_FILE = "architecture.json"
PROGRAM_FILE = "model.pt2"
SCRIPT_FILE = "model.torchscript"
WEIGHT_SETS = (
    frozenset({PROGRAM_FILE}),
    frozenset({SCRIPT_FILE}),
    frozenset({"weights.safetensors", ARCHITECTURE_FILE}),
    frozenset({"weights.pth", ARCHITECTURE_FILE}),
)
SUPPORTED = (
    "model.pt2, model.torchscript, or weights.safetensors or weights.pth with architecture.json,"
    " and the mean files that the preprocessing names"
)

MAX_ARCHITECTURE_BYTES = 64 * 1024


@dataclass(frozen=True)
class _Loaded:
    """A module on its device, and how it takes its inputs; see :class:`inference.loaded_network.LoadedNetwork`."""

    module: nn.Module
    takes_image_list: bool = False
    keywords: list[str] | None = None


_quiet_deprecations = QuietWarning(message=r"`torch\.jit\.\w+` is deprecated")


def check_files(names: Sequence[str], description: NetworkDescription) -> None:
    """Check that the files are exactly one weight set and the mean files that the preprocessing names.

    Raises:
        NetworkError: with the name of what is missing or too many, and what is supported.
    """
    means = set(description.mean_files)
    given = set(names)
    if missing := sorted(means - given):
        raise NetworkError(f"The mean file {missing[0]!r} that the preprocessing names is missing.")
    weights = given - means
    if weights in WEIGHT_SETS:
        return
    known = frozenset().union(*WEIGHT_SETS)
    if unknown := sorted(weights - known):
        raise NetworkError(f"The file {unknown[0]!r} is not part of a network; supported are {SUPPORTED}.")
    raise NetworkError(f"The files are not exactly one weight set; supported are {SUPPORTED}.")


def load_network(folder: Path, description: NetworkDescription, device: torch.device) -> LoadedNetwork:
    """Load the network whose files lie in ``folder`` onto ``device``, ready to run.

    Raises:
        NetworkError: when the files cannot be loaded; the sentence names a file and the reason.
        torch.OutOfMemoryError: when the device has no room for the weights.
        DeviceLostError: when the device failed in a way that only a new process gets over.
    """
    names = {path.name for path in folder.iterdir() if path.is_file()}
    check_files(sorted(names), description)
    file_name, load = next(entry for entry in _LOADERS.items() if entry[0] in names)
    try:
        check_kind(folder / file_name)
        with torch.no_grad():
            loaded = load(folder / file_name, [spec.tensor_name for spec in description.inputs], device)
    except (InferenceError, torch.OutOfMemoryError):
        raise
    except torch.AcceleratorError as error:
        raise DeviceLostError(reason_of(error)) from error
    except Exception as error:  # torch's readers raise whatever a damaged file makes of them
        raise NetworkError(f"The file {file_name} cannot be loaded: {reason_of(error)}") from error
    for parameter in loaded.module.parameters():
        parameter.requires_grad_(False)
    if loaded.takes_image_list and len(description.inputs) != 1:
        raise NetworkError("A network that takes a list of images has exactly one input.")
    return LoadedNetwork(
        loaded.module,
        description,
        device,
        weight_bytes=bytes_of(loaded.module),
        takes_image_list=loaded.takes_image_list,
        keywords=loaded.keywords,
        mean_images={name: _load_mean(folder / name) for name in description.mean_files},
    )


def _load_program(path: Path, inputs: Sequence[str], device: torch.device) -> _Loaded:
    return _Loaded(load_checked_program(path, inputs, device))


def _load_script(path: Path, inputs: Sequence[str], device: torch.device) -> _Loaded:
    check_script(path)
    _quiet_deprecations()
    module: nn.Module = torch.jit.load(str(path), map_location=device).eval()
    schema: Any = module.forward.schema  # type: ignore[attr-defined]
    arguments = schema.arguments[1:]  # the first one is self
    if arguments and arguments[0].type.annotation_str == "List[Tensor]":
        return _Loaded(module, takes_image_list=True)
    return _Loaded(module, keywords=_keywords(arguments, inputs))


def _keywords(arguments: Sequence[Any], inputs: Sequence[str]) -> list[str] | None:
    """Return by which names a script takes its inputs; None if they come in order."""
    bound = bind([Argument(each.name, is_optional=each.has_default_value()) for each in arguments], inputs)
    if bound[: len(inputs)] == list(range(len(inputs))):
        return None
    names = {index: argument.name for index, argument in zip(bound, arguments, strict=True)}
    return [names[index] for index in range(len(inputs))]


def _load_state_dict(path: Path, _inputs: Sequence[str], device: torch.device) -> _Loaded:
    state = read_state_dict(path)
    builder, kwargs = _read_architecture(path.with_name(ARCHITECTURE_FILE))
    module = build(builder, kwargs)
    fit(module, state, path.name, builder)
    return _Loaded(module.eval().to(device), takes_image_list=takes_image_list(builder))


_LOADERS: Mapping[str, Callable[[Path, Sequence[str], torch.device], _Loaded]] = {
    PROGRAM_FILE: _load_program,
    SCRIPT_FILE: _load_script,
    "weights.safetensors": _load_state_dict,
    "weights.pth": _load_state_dict,
}


def _read_architecture(path: Path) -> tuple[str, dict[str, Any]]:
    if path.stat().st_size > MAX_ARCHITECTURE_BYTES:
        raise NetworkError(f"The file {ARCHITECTURE_FILE} is larger than {MAX_ARCHITECTURE_BYTES} bytes.")
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise NetworkError(f"The file {ARCHITECTURE_FILE} is not JSON.") from error
    if not isinstance(content, dict) or not isinstance(content.get("builder"), str):
        raise NetworkError(f'The file {ARCHITECTURE_FILE} is not an object with a "builder".')
    if unknown := sorted(content.keys() - {"builder", "kwargs"}):
        raise NetworkError(f"The file {ARCHITECTURE_FILE} has an unknown field {unknown[0]!r}.")
    kwargs = content.get("kwargs", {})
    if not isinstance(kwargs, dict):
        raise NetworkError(f'The "kwargs" of {ARCHITECTURE_FILE} are not an object.')
    return content["builder"], kwargs


def _load_mean(path: Path) -> Tensor:
    try:
        values = np.load(path, allow_pickle=False)
        mean = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
    except Exception as error:  # numpy raises ValueError, OSError, EOFError and more on damaged files
        raise NetworkError(f"The mean file {path.name!r} cannot be read as a NumPy array of numbers.") from error
    if mean.ndim > 3:
        raise NetworkError(
            f"The mean file {path.name!r} has {mean.ndim} dimensions instead of height, width and channels."
        )
    return mean
