"""Checks what a call in TorchScript calls, and the names that may be read. Used by the checks of its expressions."""

import ast

from inference.guards.operators import accepts_name, is_registered
from inference.guards.torchscript.definitions import ROOT, Definitions, chain_of
from inference.guards.torchscript.faults import refuse
from inference.guards.torchscript.scope import Scope

NUMBERS = frozenset({"inf", "nan", "infj", "nanj"})
TYPE_FIRST = frozenset({"annotate", "unchecked_cast", "uninitialized"})
ATTRIBUTE_BY_NAME = frozenset({"getattr", "hasattr"})
_FUNCTIONS = TYPE_FIRST | ATTRIBUTE_BY_NAME | {"int", "float", "bool", "str", "complex", "print", "isinstance"}
# Of tensors, and of packed parameters; no operator has these names.
_NATIVE_METHODS = frozenset({"tolist", "unpack", "bias", "padding", "output_padding", "dilation", "groups"})
# What torch's importer knows by name; a program that gave one of these another meaning would read differently.
RESERVED = _FUNCTIONS | NUMBERS | {"ops", "CONSTANTS", ROOT, "range", "fork", "awaitable"}


def check_callee(call: ast.Call, scope: Scope, definitions: Definitions) -> None:
    """Check the function, operator or method that is called; its receiver and arguments are looked at elsewhere.

    Raises:
        NotAccepted: with what is called.
    """
    match call.func:
        case ast.Name(id=name):
            if name not in _FUNCTIONS and not _is_defined_function(name, scope):
                refuse(call, f"calls {name[:80]!r}, which stands for no function that it defines")
        case ast.Attribute() as function:
            _check_attribute(function, scope, definitions)
        case other:
            refuse(call, f"calls {ast.unparse(other)[:80]!r}")


def is_operator(node: ast.expr, scope: Scope) -> bool:
    """Tell whether an expression has the form of an operator in full."""
    match chain_of(node):
        case ["torch", _]:
            return not scope.binds("torch")
        case ["ops", _, _]:
            return True
    return False


def _is_defined_function(name: str, scope: Scope) -> bool:
    """Tell whether a variable stands for functions of the archive; before it is bound, torch may know its name."""
    return scope.is_definition(name) and all(
        accepts_name(operator) or not is_registered(operator) for operator in (f"aten::{name}", f"prim::{name}")
    )


def _check_attribute(function: ast.Attribute, scope: Scope, definitions: Definitions) -> None:
    chain = chain_of(function)
    if chain[:1] == [ROOT]:
        if not definitions.has(".".join(chain)):
            refuse(function, f"calls {'.'.join(chain)[:160]!r}, which it does not define")
    elif is_operator(function, scope):
        operator = f"aten::{chain[1]}" if chain[0] == "torch" else "::".join(chain[1:])
        if not accepts_name(operator):
            refuse(function, f"uses the operator {operator[:80]!r}")
    elif chain[:1] == ["torch"] and accepts_name(f"aten::{chain[-1]}"):
        return  # before a variable of that name is bound, it is an operator
    else:
        _check_method(function, scope, definitions)


def _check_method(function: ast.Attribute, scope: Scope, definitions: Definitions) -> None:
    """Check a method by its name: a value that is no object has the operators of that name as its methods."""
    operator = f"aten::{function.attr}"
    if accepts_name(operator) or function.attr in _NATIVE_METHODS:
        return
    if function.attr not in definitions.methods:
        refuse(function, f"calls the method {function.attr[:80]!r}, which it does not define")
    script_class = scope.class_of(function.value)
    if is_registered(operator) and (script_class is None or function.attr not in script_class.methods):
        refuse(function, f"calls {function.attr[:80]!r} of what may be a tensor")
