"""Says what a pickle holds that may not be loaded, by reading its instructions without carrying out any.

``torch.load`` refuses such a file with long advice to load it without limits; the usual reason is that a whole model
was saved instead of its state dict.
"""

import pickletools
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch.serialization import MAGIC_NUMBER

from inference.guards.archives import is_archive

MAX_PICKLE_BYTES = 64 * 1024 * 1024
MAX_INSTRUCTIONS = 5_000_000
_LEGACY_PRELUDE = 3  # magic number, protocol and the machine's sizes, each a pickle
_LEGACY_MARKS = ("module", "storage")  # which come before a class there, to keep its source or its storage
_PLAIN_MODULES = ("torch._utils", "torch._tensor", "torch.storage", "torch.serialization", "collections")
_PLAIN_CLASSES = ("torch.Size", "torch.device", "torch.dtype", "torch.nn.parameter.Parameter")
_ORDERED_DICT = "collections OrderedDict"
_MODULES = "torch.nn.modules."
_SAVE_MODEL = "Save `model.state_dict()`, or export the model with `torch.export` and upload it as model.pt2."


@dataclass(frozen=True)
class Pickled:
    """What a pickle would construct beside tensors.

    ``is_dict``: the whole of it is a dict. ``key`` is the text before the first class, which is where in the dict it
    stands.
    """

    classes: tuple[str, ...]
    is_dict: bool
    key: str | None


def pickled_sentence(path: Path) -> str:
    """Return the sentences that say why the safe unpickler refuses a file, and what to do."""
    name = path.name
    try:
        found = _pickled(path)
    except Exception:  # whatever a damaged file makes of it
        found = None
    if found is None or not found.classes:
        return f"The file {name} is not a state dict that can be read. Save `model.state_dict()` with `torch.save`."
    place = f" under the key {found.key[:80]!r}" if found.is_dict and found.key else ""
    if any(each.startswith(_MODULES) for each in found.classes):
        return f"The file {name} holds a whole model{place}, not a state dict. {_SAVE_MODEL}"
    return (
        f"The file {name} holds an object of the class {found.classes[0][:80]!r}{place}, not only tensors."
        " Save `model.state_dict()` alone."
    )


def _pickled(path: Path) -> Pickled | None:
    if is_archive(path):
        reader = torch._C.PyTorchFileReader(str(path))
        if reader.get_record_size("data.pkl") > MAX_PICKLE_BYTES:
            return None
        return _looked_through(BytesIO(reader.get_record("data.pkl")))
    with path.open("rb") as file:
        stream = BytesIO(file.read(MAX_PICKLE_BYTES))
    first = [argument for _, argument, _ in pickletools.genops(stream)]
    if MAGIC_NUMBER not in first:
        stream.seek(0)
        return _looked_through(stream)
    for _ in range(_LEGACY_PRELUDE - 1):
        for _ in pickletools.genops(stream):
            pass
    return _looked_through(stream, _LEGACY_MARKS)


def _looked_through(stream: BytesIO, marks: Collection[str] = ()) -> Pickled:
    """Go through the instructions of a pickle; ``marks`` are texts that say nothing of the value."""
    classes: list[str] = []
    key: str | None = None
    is_dict: bool | None = None
    texts: list[str] = []
    for name, argument in _instructions(stream):
        if is_dict is None and name not in ("PROTO", "FRAME"):
            is_dict = name == "EMPTY_DICT" or argument == _ORDERED_DICT
        if name in ("GLOBAL", "INST", "STACK_GLOBAL"):
            qualified = ".".join(texts[-2:]) if name == "STACK_GLOBAL" else str(argument).replace(" ", ".")
            before = texts[:-2] if name == "STACK_GLOBAL" else texts
            if not _is_plain(qualified):
                key = before[-1] if before and not classes else key
                classes.append(qualified)
        elif isinstance(argument, str) and "UNICODE" in name and argument not in marks:
            texts = [*texts[-2:], argument]
    return Pickled(tuple(dict.fromkeys(classes)), bool(is_dict), key)


def _instructions(stream: BytesIO) -> Iterator[tuple[str, Any]]:
    for count, (instruction, argument, _) in enumerate(pickletools.genops(stream)):
        if count == MAX_INSTRUCTIONS:
            raise ValueError("The pickle has too many instructions.")
        yield instruction.name, argument


def _is_plain(qualified: str) -> bool:
    module, _, name = qualified.rpartition(".")
    return module in _PLAIN_MODULES or qualified in _PLAIN_CLASSES or (module == "torch" and name.endswith("Storage"))
