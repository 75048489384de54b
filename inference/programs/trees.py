"""The structures of arguments and results as an exported program writes them, in plain containers.

torch reads a container only if its class is registered in the process that loads, which classes such as the
``ModelOutput`` of transformers are in the process that exports. Here they are read by their form alone: no class is
looked for, and none has to be installed.
"""

import json
from collections.abc import Sequence
from typing import Any

Node = dict[str, Any]

PLAIN = frozenset({"builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"})
SEQUENCES = frozenset({"collections.namedtuple", "collections.deque"})
PROTOCOL = 1
LEAF: Node = {"type": None, "context": None, "children_spec": []}


def read_tree(text: str) -> Node:
    """Return the root of a structure.

    Raises:
        ValueError: when it is of another protocol than torch writes.
    """
    protocol, root = json.loads(text)
    if protocol != PROTOCOL or not isinstance(root, dict):
        raise ValueError("The structure is of another protocol.")
    return root


def written(root: Node) -> str:
    """Return the text of a structure, as torch reads it."""
    return json.dumps([PROTOCOL, root])


def tuple_of(children: Sequence[Node]) -> Node:
    """Return a tuple."""
    return {"type": "builtins.tuple", "context": "null", "children_spec": list(children)}


def dict_of(keys: Sequence[str | int], children: Sequence[Node]) -> Node:
    """Return a dict."""
    return {"type": "builtins.dict", "context": json.dumps(list(keys)), "children_spec": list(children)}


def keys_of(node: Node) -> list[str | int] | None:
    """Return the keys of a dict, or the names of the fields of a registered class; None if it tells no names.

    ``ModelOutput`` of transformers writes a list of the fields that are there, and dataclasses the fields that are
    there and those that are None.
    """
    try:
        context = json.loads(node["context"])
    except (TypeError, ValueError):
        return None
    count = len(node["children_spec"])
    if _is_pair_of_lists(context) and len(context[0]) == count:
        context = context[0]
    is_names = isinstance(context, list) and all(isinstance(name, str | int) for name in context)
    return context if is_names and len(set(context)) == len(context) == count else None


def plain_tree(node: Node, *, is_root: bool = False) -> Node:
    """Return a structure with the same leaves in plain containers.

    Args:
        node: where it begins.
        is_root: whether its parts need names; a container that tells none stays as it is then, and is refused later.
    """
    kind = node["type"]
    if kind is None:
        return node
    children = [plain_tree(child) for child in node["children_spec"]]
    if kind in PLAIN:
        return {**node, "children_spec": children}
    if kind in SEQUENCES:
        return tuple_of(children)
    keys = keys_of(node)
    if keys:
        return dict_of(keys, children)
    return node if is_root else tuple_of(children)


def _is_pair_of_lists(context: object) -> bool:
    return isinstance(context, list) and len(context) == 2 and all(isinstance(part, list) for part in context)
