"""Lists what the source of a TorchScript archive defines: functions, classes, their methods and attributes.

A name that begins with ``__torch__`` means one of these, or a class of torch's native code. Used by the other modules
about TorchScript.
"""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from inference.guards.torchscript.faults import refuse

ROOT = "__torch__"
NATIVE_CLASSES = f"{ROOT}.torch.classes"
_SOURCE_RECORD = re.compile(r"code/(__torch__(?!/torch/classes\b)(?:/[A-Za-z_][A-Za-z0-9_]*)*)\.py")


@dataclass(frozen=True)
class ScriptClass:
    """A class: its methods, and the annotation of each attribute."""

    methods: frozenset[str]
    attributes: Mapping[str, ast.expr]


@dataclass(frozen=True)
class Definitions:
    """All that the source of one archive defines, by qualified name."""

    functions: set[str] = field(default_factory=set)
    classes: dict[str, ScriptClass] = field(default_factory=dict)
    methods: set[str] = field(default_factory=set)

    def add(self, module: str, tree: ast.Module) -> None:
        """Add what one source file defines; ``module`` is the qualified name that it has.

        Raises:
            NotAccepted: when two definitions have the same name.
        """
        for statement in tree.body:
            if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
                continue
            name = f"{module}.{statement.name}"
            if self.has(name):
                refuse(statement, f"defines {name[:160]!r} twice")
            if isinstance(statement, ast.FunctionDef):
                self.functions.add(name)
            else:
                self.classes[name] = _class_of(statement)
                self.methods.update(self.classes[name].methods)

    def has(self, name: str) -> bool:
        """Tell whether a qualified name is that of a function, of a class, or of what belongs to a class."""
        if name in self.functions or name in self.classes:
            return True
        owner, _, member = name.rpartition(".")
        script_class = self.classes.get(owner)
        return script_class is not None and (
            member == "__new__" or member in script_class.methods or member in script_class.attributes
        )


def module_of(record: str) -> str | None:
    """Return the qualified name of the module whose source a record holds, or None where it holds none.

    Names below that of native classes are none: torch would take the native class for the one that is defined there.
    """
    match = _SOURCE_RECORD.fullmatch(record)
    return match[1].replace("/", ".") if match else None


def chain_of(node: ast.expr) -> list[str]:
    """Return the names of an expression like ``a.b.c``; of any other, nothing."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return []
    return [node.id, *reversed(names)]


def _class_of(definition: ast.ClassDef) -> ScriptClass:
    methods = frozenset(statement.name for statement in definition.body if isinstance(statement, ast.FunctionDef))
    attributes: dict[str, ast.expr] = {}
    for statement in definition.body:
        name, annotation = _attribute_of(statement)
        if name in attributes:
            refuse(statement, f"defines the attribute {name[:80]!r} twice")
        if annotation is not None:
            attributes[name] = annotation
    return ScriptClass(methods, attributes)


def _attribute_of(statement: ast.stmt) -> tuple[str, ast.expr | None]:
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
            return name, annotation
        case ast.Assign(targets=[ast.Subscript(slice=ast.Constant(value=str(name)))], value=annotation):
            return name, annotation
        case ast.Assign(targets=[ast.Name(id=name)], value=value):  # the member of an enum
            return name, value
    return "", None
