"""Turns the flattened names of form fields back into the nested value that they spell.

``inputs[0]image.bbox.xmin`` and ``inputs[0].image.bbox.xmin`` both mean
``{"inputs": [{"image": {"bbox": {"xmin": …}}}]}``.
"""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from api.connections.turns import in_slices
from api.errors import invalid_fields

TOKEN = re.compile(r"\.?([^.\[\]]+)|\[(\d{1,5})\]")
MAX_SEGMENTS = 32

Tree = dict[str | int, Any]


def nest(fields: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object that flattened ``fields`` spell.

    Raises:
        InvalidRequest: for a name that spells nothing, is given twice or disagrees with another, and for gaps.
    """
    root: Tree = {}
    for name, value in in_slices(fields):
        node = root
        segments = _segments(name)
        for key, following in pairwise(segments):
            node = node.setdefault(key, {})
            if not isinstance(node, dict) or not _same_kind(node, following):
                raise invalid_fields({name: ["It contradicts another field of the form."]})
        if segments[-1] in node:
            raise invalid_fields({name: ["It is given more than once."]})
        node[segments[-1]] = value
    return {str(key): _build(value, str(key)) for key, value in root.items()}


def _same_kind(node: Tree, key: str | int) -> bool:
    """Tell whether ``node`` stays either an object or an array when it gets ``key``."""
    return not node or isinstance(next(iter(node)), int) == isinstance(key, int)


def _segments(name: str) -> list[str | int]:
    segments: list[str | int] = []
    position = 0
    while position < len(name):
        token = TOKEN.match(name, position)
        if token is None or len(segments) == MAX_SEGMENTS or (position == 0 and name[0] in ".["):
            raise invalid_fields({name: ["Unknown field."]})
        segments.append(token[1] if token[1] is not None else int(token[2]))
        position = token.end()
    return segments or [""]


def _build(node: Any, path: str) -> Any:
    if not isinstance(node, dict):
        return node
    if not isinstance(next(iter(node)), int):
        return {key: _build(value, f"{path}.{key}") for key, value in node.items()}
    if max(node) != len(node) - 1:
        raise invalid_fields({path: ["Its elements must be numbered from 0 without gaps."]})
    return [_build(node[index], f"{path}.{index}") for index in range(len(node))]
