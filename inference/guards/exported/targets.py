"""Judges what the nodes of an exported program call.

torch finds a target by walking attributes from ``torch``, ``operator`` or ``math``, and so could call any function
below them. Accepted are the operators of :mod:`inference.guards.operators`, arithmetic with sizes, and three operators
that run a graph which lies in the program. Used by :mod:`inference.guards.exported.fields`.
"""

import re
from collections.abc import Mapping
from typing import Any

from inference.errors import NetworkError
from inference.guards.operators import accepts

_OPERATOR = re.compile(r"torch\.ops\.(\w+)\.(\w+)\.(\w+)", re.ASCII)
_ON_SIZES = re.compile(
    r"_operator\.(getitem|add|sub|mul|truediv|floordiv|mod|pow|neg|pos|eq|ne|lt|le|gt|ge|and_|or_|not_|lshift|rshift)"
    r"|math\.(ceil|floor|trunc|sqrt)"
    r"|torch\.sym_(not|int|float|max|min|sum|ite)|torch\._sym_sqrt"
)
# Which of their arguments are graphs: they call these, whatever they are.
_RUN_GRAPHS: Mapping[str, list[int]] = {
    "torch.ops.higher_order.cond": [1, 2],
    "torch.ops.higher_order.wrap_with_set_grad_enabled": [1],
    "torch.ops.higher_order.wrap_with_autocast": [4],
}


def check_target(target: str) -> None:
    """Check the name of what a node calls.

    Raises:
        NetworkError: when it is no operator that is accepted.
    """
    if target in _RUN_GRAPHS or _ON_SIZES.fullmatch(target):
        return
    match = _OPERATOR.fullmatch(target)
    if match is None or not accepts(f"{match[1]}::{match[2]}", match[3]):
        raise NetworkError(f"The exported program uses the operator {target[:80]!r}, which is not accepted.")


def check_node(node: Mapping[str, Any]) -> None:
    """Check that graphs are given exactly to those operators that run them, by position.

    Raises:
        NetworkError: when the node gives a graph to another one, or something else in the place of a graph.
    """
    target, arguments = node["target"], node["inputs"]
    places = [place for place, argument in enumerate(arguments) if "as_graph" in argument["arg"]]
    is_named = target in _RUN_GRAPHS and any(argument["name"] for argument in arguments)
    if is_named or places != _RUN_GRAPHS.get(target, []) or any("as_graph" in output for output in node["outputs"]):
        raise NetworkError(f"The exported program gives {target[:80]!r} other arguments than torch does: not accepted.")
