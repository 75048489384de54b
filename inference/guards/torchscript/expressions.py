"""Checks the expressions in TorchScript. Used by :mod:`inference.guards.torchscript.syntax`."""

import ast
import re
from collections.abc import Sequence

from inference.guards.torchscript.calls import (
    ATTRIBUTE_BY_NAME,
    NUMBERS,
    RESERVED,
    TYPE_FIRST,
    check_callee,
    is_operator,
)
from inference.guards.torchscript.definitions import ROOT, Definitions, chain_of
from inference.guards.torchscript.faults import refuse
from inference.guards.torchscript.scope import Scope
from inference.guards.torchscript.types import check_type

_CONSTANT = re.compile(r"c[0-9]+")


def check_literal(node: ast.expr, definitions: Definitions) -> None:
    """Check that a value is written out: torch computes defaults and constants while it loads.

    Raises:
        NotAccepted: when anything in it is computed.
    """
    parts: list[ast.expr]
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            parts = [operand]
        case ast.BinOp(op=ast.Add() | ast.Sub(), left=real, right=ast.Constant() as imaginary):
            parts = [real, imaginary]
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            parts = elements
        case ast.Call(func=function, args=[ast.Constant()], keywords=[]) if chain_of(function) == ["torch", "device"]:
            parts = []
        case _:
            parts = []
            if not _is_constant(node, definitions):
                refuse(node, f"has the constant or default {ast.unparse(node)[:80]!r}")
    for part in parts:
        check_literal(part, definitions)


def _is_constant(node: ast.expr, definitions: Definitions) -> bool:
    if isinstance(node, ast.Constant):
        return True
    match chain_of(node):
        case [name]:
            return name in NUMBERS
        case ["CONSTANTS", name]:
            return _CONSTANT.fullmatch(name) is not None
        case [root, *_] as chain if root == ROOT:
            return definitions.has(".".join(chain))
    return False


class Expressions:
    """Checks the expressions of one function."""

    def __init__(self, scope: Scope, definitions: Definitions) -> None:
        self._scope = scope
        self._definitions = definitions

    def check(self, node: ast.expr | None) -> None:
        """Check an expression and all that is below it.

        Raises:
            NotAccepted: with what is not accepted.
        """
        match node:
            case None | ast.Constant():
                pass
            case ast.Name(id=name):
                self._check_name(node, name)
            case ast.Attribute():
                self._check_attribute(node)
            case ast.Call():
                self._check_call(node)
            case ast.Subscript(value=value, slice=index):
                self._check_all([value, index])
            case _:
                self._check_container(node)

    def _check_container(self, node: ast.expr) -> None:
        match node:
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                self._check_all(elements)
            case ast.Dict(keys=keys, values=values) if None not in keys:
                self._check_all([*keys, *values])
            case ast.Slice(lower=lower, upper=upper, step=step):
                self._check_all([lower, upper, step])
            case ast.UnaryOp() | ast.BinOp():
                check_literal(node, self._definitions)
            case _:
                refuse(node, f"has the expression {ast.unparse(node)[:80]!r}")

    def _check_all(self, nodes: Sequence[ast.expr | None]) -> None:
        for node in nodes:
            self.check(node)

    def _check_name(self, node: ast.expr, name: str) -> None:
        if (name in RESERVED and name not in NUMBERS) or (name == "torch" and not self._scope.binds(name)):
            refuse(node, f"uses {name!r} by itself")

    def _check_attribute(self, node: ast.Attribute) -> None:
        if chain_of(node)[:1] in (["CONSTANTS"], [ROOT]):
            if not _is_constant(node, self._definitions):
                refuse(node, f"names {ast.unparse(node)[:160]!r}, which it does not define")
            return
        if is_operator(node, self._scope):
            refuse(node, f"takes the operator {ast.unparse(node)[:80]!r} without calling it")
        self.check(node.value)

    def _check_call(self, call: ast.Call) -> None:
        check_callee(call, self._scope, self._definitions)
        if isinstance(call.func, ast.Attribute) and not self._is_written_out(call.func):
            self.check(call.func.value)
        arguments: list[ast.expr | None] = [*call.args]
        match call:
            case ast.Call(func=ast.Name(id=name), args=[kind, *_]) if name in TYPE_FIRST:
                check_type(kind, self._definitions)
                arguments = arguments[1:]
            case ast.Call(func=ast.Name(id="isinstance"), args=[_, kinds]):
                check_type(kinds, self._definitions)
                arguments = arguments[:1]
            case ast.Call(func=ast.Name(id=name)) if name in ATTRIBUTE_BY_NAME:
                self._check_attribute_by_name(call)
        for keyword in call.keywords:
            if keyword.arg is None:
                refuse(call, "passes arguments by a dict")
            arguments.append(keyword.value)
        self._check_all(arguments)

    def _is_written_out(self, function: ast.Attribute) -> bool:
        """Tell whether a callee is an operator or definition in full, of which no part is a value."""
        return chain_of(function)[:1] == [ROOT] or is_operator(function, self._scope)

    def _check_attribute_by_name(self, call: ast.Call) -> None:
        match call.args:
            case [_, ast.Constant(value=str())] | [_, ast.Constant(value=str()), _]:
                return
        refuse(call, f"computes a name in {ast.unparse(call)[:80]!r}")
