"""What the tests of the GPU share."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from inference.execution import Execution, prepared
from inference.loaded_network import LoadedNetwork
from inference.loader import load_network
from tests.unit.inference.seeded_networks import description, images

GPU = torch.device("cuda:0")
NEEDS_GPU = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]


def needs_gpu(test: Callable[..., None]) -> Callable[..., None]:
    """Mark one test, where not all of its module need a GPU."""
    for mark in NEEDS_GPU:
        test = mark(test)
    return test


def recorded_network(folder: Path) -> LoadedNetwork:
    network = prepared(load_network(folder, description(), GPU), Execution(recorded=True))
    assert network.is_recorded
    return network


def results_of(network: LoadedNetwork, count: int = 6) -> list[Tensor]:
    return [result["output"] for result in network.run([(image,) for image in images(count)])]


def difference(found: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """Return the largest difference, relative to the largest value."""
    largest = torch.stack(tuple(expected)).abs().amax()
    return float((torch.stack(tuple(found)) - torch.stack(tuple(expected))).abs().amax() / largest)
