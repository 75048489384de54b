"""The ways of running the same network on the same device: precision, order of weights, one graph, recorded batches.

The tuning tries some at deployment and the loader's callers apply what it chose.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import nn

from inference.frozen_graph import frozen_graph
from inference.loaded_network import LoadedNetwork, bytes_of
from inference.network import Precision
from inference.synthetic import synthetic_samples

DTYPES = {
    Precision.FLOAT32: torch.float32,
    Precision.BFLOAT16: torch.bfloat16,
    Precision.FLOAT16: torch.float16,
}


@dataclass(frozen=True)
class Execution:
    """How to run a network.

    ``channels_last``: the weights of its convolutions lie in NHWC order, which most kernels are fastest with and whose
    outputs pass the order on. ``frozen``: the network is one frozen graph, if that can be made of it. ``recorded``: its
    batches are recorded and replayed, on a GPU and if they can be.
    """

    precision: Precision = Precision.FLOAT32
    channels_last: bool = False
    frozen: bool = False
    recorded: bool = False

    @classmethod
    def from_report(cls, report: Mapping[str, Any] | None) -> Self:
        """Return what a deployment decided; the plain way as long as it has not."""
        if report is None:
            return cls()
        return cls(
            precision=Precision(report.get("precision", Precision.FLOAT32)),
            channels_last=report.get("channels_last", False),
            frozen=report.get("frozen", False),
            recorded=report.get("recorded", False),
        )

    @property
    def dtype(self) -> torch.dtype:
        """What the network computes in where that is safe."""
        return DTYPES[self.precision]


PLAIN = Execution()


def has_convolutions(network: LoadedNetwork) -> bool:
    """Tell whether the order of the weights can make a difference."""
    return isinstance(network.module, nn.Module) and any(weight.ndim == 4 for weight in network.module.parameters())


def prepared(network: LoadedNetwork, execution: Execution) -> LoadedNetwork:
    """Return a plainly loaded network, ready to be run in this way; its weights are changed, not copied."""
    module = network.module
    if not isinstance(module, nn.Module):
        return network.at(execution.dtype)
    _convert(module, execution)
    network.weight_bytes = bytes_of(module)
    own = network.at(execution.dtype)
    graph = _graph_of(own, module) if execution.frozen else None
    if graph is not None:
        own.module, own.is_frozen = graph, True
    if execution.recorded and can_be_recorded(own):
        own.record(synthetic_samples(own)[:1])
    return own


def can_be_recorded(network: LoadedNetwork) -> bool:
    """Tell whether it can be tried to record batches of a network."""
    return network.device.type == "cuda" and not network.takes_image_list


def prepared_copy(network: LoadedNetwork, execution: Execution) -> LoadedNetwork:
    """Return a plainly loaded network, ready to be run in this way; another way than that has weights of its own.

    Raises:
        torch.OutOfMemoryError: when the device has no room for both.
    """
    if execution == PLAIN or not isinstance(network.module, nn.Module):
        return network.at(execution.dtype)
    own = network.at(network.precision)
    own.module = copy.deepcopy(network.module)
    return prepared(own, execution)


def _graph_of(network: LoadedNetwork, module: nn.Module) -> nn.Module | None:
    """Return the module as a frozen graph, unless it takes images of many sizes."""
    if network.takes_image_list:
        return None
    samples = synthetic_samples(network)[: 2 if network.description.batched_output else 1]
    inputs = [tuple(tensor.to(network.device) for tensor in network.normalised(sample)) for sample in samples]
    return frozen_graph(module, inputs, network.precision, network.selection())


def _convert(module: nn.Module, execution: Execution) -> None:
    """Convert kernels and matrices; biases and what normalisations learned stay precise, and are small anyway."""
    with torch.no_grad():
        for weight in module.parameters():
            if weight.ndim >= 2 and weight.dtype is torch.float32:
                weight.data = weight.to(execution.dtype)
            if weight.ndim == 4 and execution.channels_last:
                weight.data = weight.contiguous(memory_format=torch.channels_last)
