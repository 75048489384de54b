"""Checks the types that TorchScript code names. Used by the other modules about TorchScript."""

import ast

from inference.guards.operators import PACKED_PARAMETERS
from inference.guards.torchscript.definitions import ROOT, Definitions, chain_of
from inference.guards.torchscript.faults import NotAccepted, refuse
from inference.guards.torchscript.parser import parse

_PLAIN = frozenset(
    {
        *("Tensor", "int", "float", "bool", "str", "complex", "number", "NoneType", "Device", "Layout", "QScheme"),
        *("Any", "AnyEnumType", "list", "tuple"),
    }
)
_GENERIC = frozenset({"List", "Dict", "Tuple", "Optional", "Union", "Final"})


def check_type(node: ast.expr, definitions: Definitions) -> None:
    """Check that a type is a plain one, one that the archive defines, or the weights of a quantized layer.

    Raises:
        NotAccepted: with the type that is not accepted.
    """
    match node:
        case ast.Name(id=name) if name in _PLAIN:
            return
        case ast.Constant(value=None):
            return
        case ast.Tuple(elts=elements):  # several types at once
            inner = elements
        case ast.Subscript(value=ast.Name(id=name), slice=element) if name in _GENERIC:
            inner = [element]
        case ast.Attribute():
            _check_class(node, definitions)
            return
        case _:
            refuse(node, _named(node))
    for element in inner:
        check_type(element, definitions)


def _check_class(node: ast.expr, definitions: Definitions) -> None:
    chain = chain_of(node)
    name = ".".join(chain)
    if chain[:1] != [ROOT] or not (name in definitions.classes or name in PACKED_PARAMETERS):
        refuse(node, _named(node))


def _named(node: ast.expr) -> str:
    return f"names the type {ast.unparse(node)[:80]!r}"


def check_type_text(text: str, definitions: Definitions) -> None:
    """Check a type that a pickle names.

    Raises:
        NotAccepted: with the type that is not accepted.
        NetworkError: when it is none.
    """
    match parse(text.encode(), "data.pkl").body:
        case [ast.Expr(value=kind)]:
            check_type(kind, definitions)
        case _:
            raise NotAccepted(1, f"names the type {text[:80]!r}")
