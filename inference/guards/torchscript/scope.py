"""Knows what the names in one function of TorchScript stand for. Used by the checks of its calls."""

import ast
from collections.abc import Iterator

from inference.guards.torchscript.definitions import ROOT, Definitions, ScriptClass, chain_of

_MAX_STEPS = 20  # from a name to the class that it stands for: programs take one or two


class Scope:
    """The names that a function binds, each with all that it is ever bound to."""

    def __init__(self, function: ast.FunctionDef, definitions: Definitions) -> None:
        self._definitions = definitions
        self._values: dict[str, list[ast.expr | None]] = {}
        self._annotations = {argument.arg: argument.annotation for argument in function.args.args}
        for name, value in _bindings(function.body):
            self._values.setdefault(name, []).append(value)

    def binds(self, name: str) -> bool:
        """Tell whether a name is an argument or variable of the function."""
        return name in self._annotations or name in self._values

    def values_of(self, name: str) -> list[ast.expr | None]:
        """Return all that a name is bound to; None stands for what is no single value: arguments, parts, items."""
        return ([None] if name in self._annotations else []) + self._values.get(name, [])

    def is_definition(self, name: str) -> bool:
        """Tell whether a name only ever stands for functions and classes that the archive defines."""
        values = self.values_of(name)
        return bool(values) and all(value is not None and chain_of(value)[:1] == [ROOT] for value in values)

    def class_of(self, node: ast.expr, steps: int = _MAX_STEPS) -> ScriptClass | None:
        """Return the class that the archive defines of which a value is for certain, or None."""
        if steps == 0:
            return None
        match node:
            case ast.Name(id=name) if name != "torch":  # it means an operator's root before it is bound
                return self._class_of_name(name, steps - 1)
            case ast.Attribute(value=owner, attr=name):
                return self._class_of_attribute(owner, name, steps - 1)
            case ast.Call(func=ast.Name(id="getattr"), args=[owner, ast.Constant(value=str(name))]):
                return self._class_of_attribute(owner, name, steps - 1)
            case ast.Call(func=ast.Attribute(attr="__new__", value=owner)):
                return self._class_named(owner)
        return None

    def _class_of_name(self, name: str, steps: int) -> ScriptClass | None:
        annotation = self._annotations.get(name)
        if annotation is not None:
            return self._class_named(annotation) if name not in self._values else None
        values = self._values.get(name, [])
        classes = [self.class_of(value, steps) if value is not None else None for value in values]
        return classes[0] if classes and all(found is not None and found is classes[0] for found in classes) else None

    def _class_of_attribute(self, owner: ast.expr, name: str, steps: int) -> ScriptClass | None:
        script_class = self.class_of(owner, steps)
        annotation = script_class.attributes.get(name) if script_class else None
        return self._class_named(annotation) if annotation is not None else None

    def _class_named(self, annotation: ast.expr) -> ScriptClass | None:
        return self._definitions.classes.get(".".join(chain_of(annotation)))


def _bindings(statements: list[ast.stmt]) -> Iterator[tuple[str, ast.expr | None]]:
    """Yield each name that is bound by statements, with its value if it is bound to one by itself.

    No expression binds one: those that would are refused.
    """
    for statement in statements:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.For(target=ast.Name(id=name)):
                yield name, None
            case ast.Assign(targets=[ast.Tuple(elts=elements)]):
                yield from ((name.id, None) for name in elements if isinstance(name, ast.Name))
            case ast.With(items=[ast.withitem(optional_vars=ast.Name(id=name))]):
                yield name, None
        for body in (getattr(statement, "body", []), getattr(statement, "orelse", [])):
            yield from _bindings(body)
