"""What a deployment reports of a network is what it takes, returns and stands."""

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from inference.errors import NetworkError
from inference.lanes import Lanes
from inference.loaded_network import LoadedNetwork
from inference.loader import load_network
from inference.warm_up import warm_up
from tests.unit.inference.seeded_networks import (
    CPU,
    SIZE,
    WEIGHT_SETS,
    description,
    write_program,
)


def report_of(network: LoadedNetwork, maximum: int) -> dict[str, Any]:
    """The report with a clock that finds each run to take one second, so that the largest batch is the best."""
    return warm_up(network, maximum, clock=itertools.count().__next__).report


def reported(module: Callable[..., Any], count: int = 1, maximum: int = 8, **options: Any) -> dict[str, Any]:
    return report_of(LoadedNetwork(module, description(count, **options), CPU, weight_bytes=0), maximum)


def outputs_of(module: Callable[..., Any], **options: Any) -> list[list[int | None]]:
    return [output["shape"] for output in reported(module, **options)["outputs"]]


@pytest.mark.parametrize("weight_set", WEIGHT_SETS)
def test_a_classifier_is_described(classifier_folders: dict[str, Path], weight_set: str) -> None:
    network = load_network(classifier_folders[weight_set], description(), CPU)
    assert report_of(network, 4) == {
        "inputs": [{"name": "input_0", "shape": [3, SIZE, SIZE], "dtype": "float32"}],
        "outputs": [{"name": "output", "shape": [5], "dtype": "float32"}],
        "left_out": [],
        "precision": "float32",
        "precision_reason": "The network's preprocessing says so.",
        "channels_last": False,
        "frozen": True,
        "recorded": False,
        "side_by_side": False,
        "threads": None,
        "max_batch_size": 4,
        "batch_reason": "In batches of up to 4, images give what they give alone.",
        "batch_milliseconds": {"1": 1000.0, "2": 1000.0, "4": 1000.0},
        "failed_sizes": [],
    }


def test_a_detector_is_described(detector_folder: Path) -> None:
    report = report_of(load_network(detector_folder, description(target_size="64", resize_type="NETWORK"), CPU), 2)
    assert report["inputs"] == [{"name": "input_0", "shape": [3, None, 64], "dtype": "float32"}]
    outputs = {output["name"]: (len(output["shape"]), output["dtype"]) for output in report["outputs"]}
    assert outputs == {"boxes": (2, "float32"), "labels": (1, "int64"), "scores": (1, "float32")}
    assert report["max_batch_size"] == 2


def test_several_inputs_are_listed_in_order() -> None:
    report = reported(lambda a, b: (a.half(), b.half()), count=2, data_type="UINT8", dimension_order="NHWC")
    assert [entry["name"] for entry in report["inputs"]] == ["input_0", "input_1"]
    assert report["inputs"][0] == {"name": "input_0", "shape": [SIZE, SIZE, 3], "dtype": "uint8"}


def test_sizes_that_vary_are_null() -> None:
    assert outputs_of(lambda x: x[:, :, : int(x.sum() * 1e6) % 7 + 1], batched=False) == [[3, None, SIZE]]
    assert outputs_of(lambda x: x[:, :, :0], batched=False) == [[3, None, SIZE]]  # nothing found, this time
    assert outputs_of(lambda x: x, resize_type="NETWORK", target_size="20x40") == [[3, None, 20]]


def test_an_exported_network_of_one_image_is_not_batched(tmp_path: Path) -> None:
    write_program(torch.nn.Flatten(), tmp_path / "model.pt2", torch.zeros(1, 3, SIZE, SIZE), largest_batch=1)
    assert report_of(load_network(tmp_path, description(), CPU), 16)["max_batch_size"] == 1


def test_an_exported_network_of_few_images_is_batched_so_far(tmp_path: Path) -> None:
    write_program(torch.nn.Flatten(), tmp_path / "model.pt2", torch.zeros(2, 3, SIZE, SIZE), largest_batch=5)
    assert report_of(load_network(tmp_path, description(), CPU), 16)["max_batch_size"] == 4


def test_a_network_whose_samples_mix_is_not_batched() -> None:
    assert reported(lambda x: x.mean((1, 2, 3)))["max_batch_size"] == 8
    assert reported(lambda x: x - x.mean(0, keepdim=True) * 2)["max_batch_size"] == 1
    assert reported(lambda x: x[:1])["max_batch_size"] == 1
    assert reported(lambda x: {"one" if len(x) == 1 else "two": x})["max_batch_size"] == 1


def test_a_network_that_takes_no_batches_is_never_given_one() -> None:
    sizes = set()

    def module(x: Tensor) -> Tensor:
        sizes.add(len(x))
        return x

    assert reported(module, batched=False)["max_batch_size"] == 1
    assert sizes == {1}


def hungry(limit: int) -> Callable[[Tensor], Tensor]:
    """A network that has not enough memory for more samples than that."""

    def module(x: Tensor) -> Tensor:
        if len(x) > limit:
            raise torch.OutOfMemoryError("out of memory")
        return x

    return module


def test_memory_limits_batches_and_is_an_error_for_one_image() -> None:
    assert reported(hungry(3), maximum=16)["max_batch_size"] == 2
    assert reported(hungry(1))["max_batch_size"] == 1
    with pytest.raises(NetworkError, match="not enough memory"):
        reported(hungry(0))


def test_the_owner_says_the_batch_size_as_far_as_memory_and_worker_allow() -> None:
    assert reported(lambda x: x, max_batch_size=3)["max_batch_size"] == 3
    assert reported(lambda x: x, max_batch_size=100)["max_batch_size"] == 8
    assert reported(hungry(3), maximum=16, max_batch_size=12)["max_batch_size"] == 3
    assert reported(lambda x: x[:1], max_batch_size=3)["max_batch_size"] == 1


def test_a_precision_that_was_asked_for_is_used_from_the_warm_up_on() -> None:
    found = warm_up(LoadedNetwork(torch.nn.Linear(SIZE, 2), description(precision="bfloat16"), CPU, weight_bytes=0), 2)
    assert found.network.precision is torch.bfloat16
    assert found.report["precision"] == "bfloat16"
    assert found.report["outputs"][0]["dtype"] == "float32"


def test_a_network_that_does_not_run_is_a_sentence() -> None:
    calls = itertools.count()
    with pytest.raises(NetworkError, match="failed on its input"):
        reported(lambda x: x @ x.new_zeros(1, 1))
    with pytest.raises(NetworkError, match="'output' is not always there with as many dimensions"):
        reported(lambda x: x if next(calls) != 1 else x[:, 0])


def test_repeated_runs_describe_alike() -> None:
    assert reported(lambda x: x.sum((2, 3))) == reported(lambda x: x.sum((2, 3)))


class Noting(torch.nn.Module):
    """Notes on how many threads it is run."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.threads.append(torch.get_num_threads())
        return x.flatten(1)[:, :2]


def test_ways_of_running_are_compared_on_the_cores_that_a_batch_has_on_a_busy_worker() -> None:
    before, noting = torch.get_num_threads(), Noting()
    warm_up(LoadedNetwork(noting, description(), CPU, weight_bytes=0), 2, Lanes(count=2, cores=4))
    assert noting.threads[0] == 2
    assert torch.get_num_threads() == before


def test_batches_on_one_core_are_timed_by_what_it_did_for_them() -> None:
    """Whoever takes the core away meanwhile does not count; here, the network itself sleeps."""

    def sleepy(x: torch.Tensor) -> torch.Tensor:
        time.sleep(0.05)
        return x.sum((2, 3))

    on_one, on_two = (
        warm_up(LoadedNetwork(sleepy, description(), CPU, weight_bytes=0), 1, Lanes(count=1, cores=cores)).report
        for cores in (1, 2)
    )
    assert on_one["batch_milliseconds"]["1"] < 50 <= on_two["batch_milliseconds"]["1"]


class Joining(torch.nn.Module):
    """Halves an image, doubles it again, and joins both, as many detectors do: only even sizes fit."""

    def forward(self, x: Tensor) -> Tensor:
        halved = torch.nn.functional.avg_pool2d(x, 2)
        doubled = torch.nn.functional.interpolate(halved, scale_factor=2.0)
        return torch.cat([x, doubled], 1).mean((2, 3))


def test_sizes_that_a_network_does_not_stand_are_reported() -> None:
    failed = reported(Joining().eval(), resize_type="NETWORK", target_size="96x64")["failed_sizes"]
    assert [each["inputs"] for each in failed] == [[[3, 37, 96]], [[3, 64, 53]]]
    assert all("Sizes of tensors must match" in each["error"] for each in failed)
    assert reported(Joining().eval(), resize_type="SQUASH", target_size="96x64")["failed_sizes"] == []
    assert reported(lambda x: x.mean((2, 3)), resize_type="NETWORK", target_size="96x64")["failed_sizes"] == []
