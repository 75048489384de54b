"""However a network of any weight set is run, it says nearly the same; what is chosen is found again in the report."""

from pathlib import Path

import pytest
import torch

from inference.execution import PLAIN, Execution, has_convolutions, prepared, prepared_copy
from inference.loaded_network import LoadedNetwork
from inference.loader import load_network
from inference.network import Precision
from tests.unit.inference.seeded_networks import CPU, WEIGHT_SETS, description, images

BATCH = [(image,) for image in images(3)]
ALL = [
    Execution(precision, channels_last, frozen)
    for precision in (Precision.FLOAT32, Precision.BFLOAT16)
    for channels_last in (False, True)
    for frozen in (False, True)
]


@pytest.mark.parametrize("execution", ALL, ids=str)
@pytest.mark.parametrize("weight_set", WEIGHT_SETS)
def test_results_agree(classifier_folders: dict[str, Path], weight_set: str, execution: Execution) -> None:
    network = load_network(classifier_folders[weight_set], description(), CPU)
    plain = network.run(BATCH)
    own = prepared_copy(network, execution)
    bound = 1e-5 if execution.precision is Precision.FLOAT32 else 0.05
    for result, expected in zip(own.run(BATCH), plain, strict=True):
        assert result["output"].dtype is torch.float32
        assert torch.allclose(result["output"], expected["output"], rtol=bound, atol=bound)
    assert all(torch.equal(one["output"], two["output"]) for one, two in zip(network.run(BATCH), plain, strict=True))


@pytest.mark.parametrize("weight_set", WEIGHT_SETS)
def test_a_frozen_graph_takes_batches_of_every_size(classifier_folders: dict[str, Path], weight_set: str) -> None:
    network = load_network(classifier_folders[weight_set], description(), CPU)
    frozen = prepared_copy(network, Execution(frozen=True))
    assert frozen.is_frozen
    assert frozen.nbytes == network.nbytes
    for size in (1, 2, 3, 5):
        batch = [(image,) for image in images(size)]
        for result, expected in zip(frozen.run(batch), network.run(batch), strict=True):
            assert torch.allclose(result["output"], expected["output"], rtol=1e-5, atol=1e-5)


def test_what_cannot_be_traced_runs_as_it_is() -> None:
    class Undecided(torch.nn.Module):
        def forward(self, batch: torch.Tensor) -> object:
            return object()

    network = LoadedNetwork(Undecided(), description(), CPU, weight_bytes=0)
    assert not prepared(network, Execution(frozen=True)).is_frozen


def test_what_is_left_out_keeps_no_network_from_being_frozen() -> None:
    class WithLoss(torch.nn.Module):
        def forward(self, batch: torch.Tensor) -> dict[str, object]:
            return {"loss": None, "size": len(batch), "sums": batch.sum((2, 3)), "rows": [batch]}

    network = LoadedNetwork(WithLoss(), description(), CPU, weight_bytes=0)
    network.find_outputs(BATCH[0])
    frozen = prepared_copy(network, Execution(frozen=True))
    assert frozen.is_frozen
    for result, expected in zip(frozen.run(BATCH), network.run(BATCH), strict=True):
        assert result.keys() == {"sums"}
        torch.testing.assert_close(result["sums"], expected["sums"])


def test_a_lower_precision_halves_the_weights(classifier_folders: dict[str, Path]) -> None:
    network = load_network(classifier_folders["weights.safetensors"], description(), CPU)
    whole = network.nbytes
    assert prepared(network, Execution(Precision.BFLOAT16)).nbytes == pytest.approx(whole / 2, rel=0.05)


def test_a_detector_of_image_lists_runs_in_lower_precision(detector_folder: Path) -> None:
    network = load_network(detector_folder, description(target_size="64", resize_type="NETWORK"), CPU)
    results = prepared(network, Execution(Precision.BFLOAT16)).run([(torch.rand(3, 64, 64),)])
    assert {tensor.dtype for tensor in results[0].values()} == {torch.float32, torch.int64}


def test_convolutions_are_seen(classifier_folders: dict[str, Path]) -> None:
    assert has_convolutions(load_network(classifier_folders["model.pt2"], description(), CPU))
    assert has_convolutions(load_network(classifier_folders["model.torchscript"], description(), CPU))


def test_a_report_says_how_to_run() -> None:
    report = {"precision": "bfloat16", "channels_last": True, "frozen": True}
    assert Execution.from_report(report) == Execution(Precision.BFLOAT16, channels_last=True, frozen=True)
    assert Execution.from_report({}) == Execution.from_report(None) == PLAIN
