"""Finds operations in the graph of a network that work as in training: the network was exported without ``eval()``.

Dropout then takes away at random, and batch normalisation uses what it sees instead of what it has learned, which
repeats exactly and is wrong all the same. What is looked for are arguments with the names that the registered schemas
of the operators give them, not operators by name. Called by the warm-up.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import fx, nn

from inference.errors import NetworkError

_FLAGS = ("train", "training")  # arguments that say so
_CHANCES = ("p", "dropout")  # of those operators' dropout
_STATISTICS = "running_mean"  # that an operator has learned; without them, it is always normalised by what is seen
_RANGE = "lower"  # of random slopes
_ATTENTION_CHANCE = "dropout_p"  # which attention is given in training only

# Values that only the run decides; what depends on them is left to the comparison of two runs.
_UNKNOWN = object()


def check_mode(module: object) -> None:
    """Look through the graph of an exported program or a TorchScript archive; other modules follow ``eval()``.

    Raises:
        NetworkError: if an operation works as in training; the sentence names it, and says what to do.
    """
    for operator, arguments in _calls(module):
        if _is_training(arguments):
            raise NetworkError(
                f"The network was exported in training mode: its {operator} works as in training."
                " Call model.eval() before you export the network."
            )


def _is_training(arguments: Mapping[str, object]) -> bool:
    if _is_positive(arguments.get(_ATTENTION_CHANCE)):
        return True
    if not any(arguments.get(flag) is True for flag in _FLAGS):
        return False
    if _STATISTICS in arguments:
        return arguments[_STATISTICS] is not None
    return _RANGE in arguments or any(_is_positive(arguments.get(name)) for name in _CHANCES)


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and value > 0


def _calls(module: object) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Return the operators of a graph with their arguments by name, as far as these are known before it runs."""
    if isinstance(module, torch.jit.ScriptModule):
        yield from _ScriptCalls(module).below(module.inlined_graph)
    elif isinstance(module, nn.Module):
        for part in module.modules():  # the branches of a condition are modules of their own
            if isinstance(part, fx.GraphModule):
                yield from _program_calls(part)


def _program_calls(module: fx.GraphModule) -> Iterator[tuple[str, Mapping[str, object]]]:
    for node in module.graph.nodes:
        if not isinstance(node.target, torch._ops.OpOverload):
            continue
        schema: Any = node.target._schema
        given = {argument.name: argument.default_value for argument in schema.arguments}
        given.update(zip(given, node.args, strict=False))
        given.update(node.kwargs)
        yield node.target._opname, given


class _ScriptCalls:
    """The operators of a TorchScript graph; values that only the run decides are ``_UNKNOWN``."""

    def __init__(self, module: torch.jit.ScriptModule) -> None:
        self._module = module
        self._self = next(module.inlined_graph.inputs()).debugName()

    def below(self, block: Any) -> Iterator[tuple[str, Mapping[str, object]]]:
        """Return the operators of a block and of those in it, without branches that will not, or may not, run."""
        for node in block.nodes():
            for inner in self._branches(node) if node.kind() == "prim::If" else node.blocks():
                yield from self.below(inner)
            if node.kind().startswith("aten::"):
                names = (argument.name for argument in torch._C.parse_schema(node.schema()).arguments)
                values = map(self._value, node.inputs())
                yield node.kind().removeprefix("aten::"), dict(zip(names, values, strict=False))

    def _branches(self, node: Any) -> list[Any]:
        condition = self._value(next(node.inputs()))
        if condition is _UNKNOWN:
            return []
        return [list(node.blocks())[0 if condition else 1]]

    def _value(self, value: Any) -> object:
        node = value.node()
        if value.debugName() == self._self:
            return self._module
        if node.kind() == "prim::Constant":
            return value.toIValue()
        if node.kind() == "prim::GetAttr":
            owner = self._value(next(node.inputs()))
            return getattr(owner, node.s("name"), _UNKNOWN)
        return _UNKNOWN
