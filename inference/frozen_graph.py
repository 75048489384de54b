"""Freezes a network into one graph, which runs without the Python interpreter.

A network of modules needs the interpreter for each of its operations, and on a busy worker the threads that decode
images take it away again and again; a frozen graph needs it once in a batch. Normalisations are folded into the
convolutions before them, too. The tuning tries it, and does not choose what changes the results.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from inference.loaded_network import Sample, computing_in
from inference.warning_filters import QuietWarning

_quiet_deprecations = QuietWarning(message=r"`torch\.jit\.\w+` is deprecated")
# Whoever compares the results is told more.
_quiet_tracer = QuietWarning(category=torch.jit.TracerWarning)  # type: ignore[attr-defined]


Select = Callable[[object], object]


def frozen_graph(
    module: nn.Module, samples: Sequence[Sample], precision: torch.dtype, select: Select
) -> nn.Module | None:
    """Return the module as a frozen graph that computes in ``precision`` by itself; None if that cannot be done.

    Args:
        module: in evaluation mode; it is left as it is.
        samples: inputs of equal shapes on the module's device: two, whose batch shows which sizes follow that of the
            batch, or one if the module takes no more.
        precision: what autocast would compute in; a TorchScript archive is frozen in float32 only.
        select: takes from an output what is kept of it: what cannot be traced, such as None, is often left out.
    """
    _quiet_deprecations()
    _quiet_tracer()
    batch = tuple(torch.stack(tensors) for tensors in zip(*samples, strict=True))
    try:
        with torch.no_grad(), computing_in(precision, batch[0].device):
            if not isinstance(module, torch.jit.ScriptModule):
                module = _traced(module, batch, select)
            elif precision is not torch.float32:
                return None
            frozen: nn.Module = torch.jit.freeze(module)
            return frozen
    except Exception:  # a network is a program, and many cannot be traced: those run as they are
        return None


def keeps_nothing(module: object) -> bool:
    """Tell whether a frozen graph keeps nothing from one run for the next, so that several threads may run it at once.

    Freezing leaves only those attributes that a run may change.
    """
    if not isinstance(module, torch.jit.ScriptModule):
        return False
    graph: Any = module.inlined_graph  # whose stubs lack the search
    return not any(graph.findAllNodes(f"prim::{access}", recurse=True) for access in ("GetAttr", "SetAttr"))


class _Selecting(nn.Module):
    """A module whose outputs are what is kept of those of another one."""

    def __init__(self, module: nn.Module, select: Select) -> None:
        super().__init__()
        self.module = module
        self._select = select

    def forward(self, *inputs: Tensor) -> object:
        """Run the other module."""
        return self._select(self.module(*inputs))


def _traced(module: nn.Module, batch: tuple[Tensor, ...], select: Select) -> nn.Module:
    if isinstance(module, fx.GraphModule):
        module = fx.GraphModule(module, module.graph)  # without its hooks: exported programs check sizes in them
    traced: nn.Module = torch.jit.trace(_Selecting(module, select), batch, check_trace=False, strict=False)
    return traced.eval()  # an exported program has no mode of its own
