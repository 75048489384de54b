"""Judges the structure of a program's arguments and results, which says how containers are nested.

torch imports modules that such a text names, and makes objects of any type that is registered for it. So only plain
containers are accepted. Used by :mod:`inference.guards.exported.fields`.
"""

import json
from collections.abc import Iterator
from typing import Any

from inference.errors import NetworkError
from inference.guards.exported.names import check_argument_name

_SEQUENCES = frozenset({"builtins.tuple", "builtins.list"})
_MAPPINGS = frozenset({"builtins.dict", "collections.OrderedDict"})
_KEYS_OF_A_NODE = {"type", "context", "children_spec"}


def check_results_tree(text: str) -> None:
    """Check the structure of results. The keys of a dict in it may be any text.

    Raises:
        NetworkError: when it is made of more than tensors, tuples, lists and dicts.
    """
    for node in _nodes_of(_root_of(text)):
        _keys_of(node)


def check_arguments_tree(text: str) -> None:
    """Check the structure of arguments: a tuple of the positional ones, and a dict of those that have a name.

    The names are written into Python source.

    Raises:
        NetworkError: as of :func:`check_results_tree`, or when a name is none of an argument.
    """
    root = _root_of(text)
    for node in _nodes_of(root):
        _keys_of(node)
    for child in root["children_spec"]:
        for key in _keys_of(child):
            check_argument_name(key)


def _root_of(text: str) -> Any:
    try:
        protocol, root = json.loads(text)
    except (ValueError, TypeError) as error:
        raise NetworkError("The exported program does not say how its arguments and results are nested.") from error
    if protocol != 1:
        raise NetworkError(f"The exported program nests arguments by the unknown rules {str(protocol)[:80]!r}.")
    return root


def _nodes_of(root: Any) -> Iterator[Any]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, dict) or node.keys() != _KEYS_OF_A_NODE or not isinstance(node["children_spec"], list):
            raise NetworkError("The exported program does not say how its arguments and results are nested.")
        yield node
        waiting.extend(node["children_spec"])


def _keys_of(node: Any) -> list[str | int]:
    """Return the keys of a container that is a mapping; of others, check that they have none."""
    kind, context = node["type"], node["context"]
    keys = json.loads(context) if isinstance(context, str) else context
    if kind in _MAPPINGS:
        if isinstance(keys, list) and all(isinstance(key, str | int) for key in keys):
            return keys
    elif (kind in _SEQUENCES or (kind is None and not node["children_spec"])) and keys is None:
        return []
    raise NetworkError(
        f"The exported program takes or returns a {str(kind)[:80]!r}; accepted are tensors, tuples, lists and dicts."
    )
