"""Checks TorchScript source by its syntax tree, whatever its names are and whatever its texts say.

torch writes every use of an operator in full: ``torch.NAME(...)`` or ``ops.NAMESPACE.NAME(...)``. These are looked up
among the accepted operators, and neither ``torch`` nor ``ops`` is a value. What is called besides is a function, class
or method that the archive defines, or one of a few functions of the language. Statements and expressions that torch
does not write are refused. Used by :mod:`inference.guards.torchscript.check`.
"""

import ast

from inference.guards.torchscript.calls import RESERVED
from inference.guards.torchscript.definitions import Definitions
from inference.guards.torchscript.expressions import Expressions, check_literal
from inference.guards.torchscript.faults import refuse
from inference.guards.torchscript.scope import Scope
from inference.guards.torchscript.types import check_type

_BASES = frozenset({"Module", "NamedTuple", "Interface", "ModuleInterface", "Enum"})


def check_syntax(tree: ast.Module, definitions: Definitions) -> None:
    """Check one source file.

    Args:
        tree: its syntax tree.
        definitions: what all source files of the archive define.

    Raises:
        NotAccepted: with what is not accepted, and its line.
    """
    for statement in tree.body:
        match statement:
            case ast.ClassDef():
                _check_class(statement, definitions)
            case ast.FunctionDef():
                _Function(statement, definitions).check()
            case ast.Assign(targets=[ast.Name(id="op_version_set")], value=ast.Constant(value=int())):
                pass  # torch before 1.6
            case _:
                refuse(statement, "has a statement outside of functions and classes")


def _check_class(definition: ast.ClassDef, definitions: Definitions) -> None:
    bases = [base.id if isinstance(base, ast.Name) else "" for base in definition.bases]
    if definition.keywords or definition.decorator_list or len(bases) > 1 or not _BASES.issuperset(bases):
        refuse(definition, f"has a class {definition.name[:80]!r} with other bases than torch writes")
    for statement in definition.body:
        _check_member(statement, definitions)


def _check_member(statement: ast.stmt, definitions: Definitions) -> None:
    match statement:
        case ast.FunctionDef():
            _Function(statement, definitions).check()
        case ast.AnnAssign(target=ast.Name(), annotation=annotation, value=value):
            check_type(annotation, definitions)
            if value is not None:
                check_literal(value, definitions)
        case ast.Assign(targets=[ast.Name()], value=value):  # lists of names, or the values of an enum
            check_literal(value, definitions)
        case ast.Assign(targets=[ast.Subscript(value=ast.Name(id="__annotations__"), slice=key)], value=annotation):
            check_literal(key, definitions)
            check_type(annotation, definitions)
        case ast.Pass():
            pass
        case _:
            refuse(statement, f"has {ast.unparse(statement)[:80]!r} in a class")


class _Function:
    """Checks one function or method."""

    def __init__(self, definition: ast.FunctionDef, definitions: Definitions) -> None:
        self._definition = definition
        self._definitions = definitions
        self._expressions = Expressions(Scope(definition, definitions), definitions)

    def check(self) -> None:
        """Check the head and the body."""
        self._check_head()
        for statement in self._definition.body:
            self._check_statement(statement)

    def _check_head(self) -> None:
        head = self._definition.args
        if head.vararg or head.kwarg or head.kwonlyargs or head.posonlyargs or self._definition.decorator_list:
            refuse(
                self._definition, f"has a function {self._definition.name[:80]!r} of a form that torch does not write"
            )
        for argument in head.args:
            self._check_bound(self._definition, argument.arg)
        for annotation in [*(argument.annotation for argument in head.args), self._definition.returns]:
            if annotation is not None:
                check_type(annotation, self._definitions)
        for default in head.defaults:
            check_literal(default, self._definitions)

    def _check_statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assign(targets=[target], value=value):
                self._check_target(target, value)
                self._expressions.check(value)
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=ast.expr() as value):
                self._check_bound(statement, name)
                check_type(annotation, self._definitions)
                self._expressions.check(value)
            case ast.Return(value=value):
                self._expressions.check(value)
            case ast.Expr(value=ast.Call() as call):
                self._expressions.check(call)
            case ast.Pass():
                pass
            case _:
                self._check_compound(statement)

    def _check_compound(self, statement: ast.stmt) -> None:
        match statement:
            case ast.If(test=test, body=body, orelse=rest):
                self._expressions.check(test)
                inner = body + rest
            case ast.While(test=test, body=inner, orelse=[]):
                self._expressions.check(test)
            case ast.For(
                target=ast.Name(id=name), iter=ast.Call(func=ast.Name(id="range"), args=[count]), body=inner, orelse=[]
            ):
                self._check_bound(statement, name)
                self._expressions.check(count)
            case ast.With(
                items=[ast.withitem(context_expr=context, optional_vars=None | ast.Name() as name)], body=inner
            ):
                self._expressions.check(context)
                if name is not None:
                    self._check_bound(statement, name.id)
            case _:
                refuse(statement, f"has the statement {ast.unparse(statement)[:80]!r}")
        for below in inner:
            self._check_statement(below)

    def _check_target(self, target: ast.expr, value: ast.expr) -> None:
        match target:
            case ast.Name(id="torch"):
                self._check_variable_torch(target, value)
            case ast.Name(id=name):
                self._check_bound(target, name)
            case ast.Tuple(elts=elements):
                for element in elements:
                    self._check_part(element)
            case ast.Attribute(value=ast.Name() as owner):
                self._expressions.check(owner)
            case _:
                refuse(target, f"assigns to {ast.unparse(target)[:80]!r}")

    def _check_part(self, element: ast.expr) -> None:
        if not isinstance(element, ast.Name):
            refuse(element, f"assigns to {ast.unparse(element)[:80]!r}")
        self._check_bound(element, element.id)

    def _check_bound(self, node: ast.expr | ast.stmt, name: str) -> None:
        if name in RESERVED or name == "torch":
            refuse(node, f"gives {name!r} another meaning")

    def _check_variable_torch(self, target: ast.expr, value: ast.expr) -> None:
        """Accept the variable that torch writes for a submodule of that name."""
        match value:
            case ast.Attribute(value=ast.Name(id=owner), attr="torch") if owner not in ("torch", "ops"):
                return
        refuse(target, "gives 'torch' another meaning")
