"""Judges names that torch writes into Python source, or looks up as attributes, when it loads an exported program.

Values, arguments and parts of the graph become names of variables. Parameters, buffers and constants become
``self.features.0.weight``, or ``getattr(self, "...")`` around a name that is no identifier, without escapes: such a
name may be any text, but it may not end the string, and it may not reach what every module has, from where it is a
short way to all that Python can do. Used by :mod:`inference.guards.exported.fields` and
:mod:`inference.guards.exported.trees`.
"""

import keyword
from typing import Any

import torch
from torch import nn

from inference.errors import NetworkError

# The source that torch writes uses these for other things.
_TAKEN = frozenset({"self", "torch", "pytree", "fx_pytree"})
_OF_EVERY_MODULE = frozenset(dir(nn.Module()))
_OF_EVERY_GRAPH = frozenset(dir(torch.fx.GraphModule(nn.Module(), torch.fx.Graph())))


def refuse_text(text: object) -> None:
    """Refuse a name or text.

    Raises:
        NetworkError: always.
    """
    raise NetworkError(f"The exported program holds the name or text {str(text)[:80]!r}, which is not accepted.")


def check_value_name(name: str) -> None:
    """Check a name that becomes that of a variable.

    Raises:
        NetworkError: when it is none.
    """
    if not name.isidentifier() or keyword.iskeyword(name) or name in _TAKEN:
        refuse_text(name)


def check_argument_name(name: Any) -> None:
    """Check the name of an argument, which becomes that of a variable.

    Raises:
        NetworkError: when it is none.
    """
    if not isinstance(name, str):
        refuse_text(name)
    check_value_name(name)


def check_part_name(name: str) -> None:
    """Check the name of a graph within a graph, which becomes that of a variable and of an attribute.

    Raises:
        NetworkError: when it is none, or every graph has an attribute of that name.
    """
    check_value_name(name)
    check_attribute_path(name)


def check_attribute_path(path: str) -> None:
    """Check the path of a parameter, buffer or constant, such as ``features.0.weight``.

    Raises:
        NetworkError: when it leads to something that the program did not bring, or cannot be written into source.
    """
    parts = path.split(".")
    if parts[0] in _OF_EVERY_GRAPH or not all(map(_is_own_attribute, parts)):
        refuse_text(path)


def _is_own_attribute(name: str) -> bool:
    if name in _OF_EVERY_MODULE or keyword.iskeyword(name) or (name.startswith("__") and name.endswith("__")):
        return False
    return name.isprintable() and not any(character in '"\\' for character in name) and bool(name)
