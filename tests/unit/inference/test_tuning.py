"""What the timings speak for is chosen, and nothing that changes results by more than the stated bound."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from inference.loaded_network import LoadedNetwork
from inference.network import Precision
from inference.tuning import BatchTiming, ChosenPrecision, best_batch_size, choose_precision, time_batches
from tests.unit.inference.seeded_networks import CPU, description, images

PAIR = [(image,) for image in images(2)]


class Bench:
    """A network whose runs take as long as the test says, and the clock that shows it.

    Args:
        seconds: of a run, by its batch size and the precision it computes in.
        error: what computing in a lower precision adds to the outputs, whose largest value is 1.
    """

    def __init__(self, seconds: Callable[[int, torch.dtype], float], error: float = 0.0) -> None:
        self.now = 0.0
        self.sizes: list[int] = []
        self._seconds = seconds
        self._error = error

    def __call__(self, batch: Tensor) -> Tensor:
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32
        self.sizes.append(len(batch))
        self.now += self._seconds(len(batch), dtype)
        return torch.ones(len(batch), 2) + (self._error if dtype is not torch.float32 else 0.0)

    def clock(self) -> float:
        return self.now

    @property
    def network(self) -> LoadedNetwork:
        return LoadedNetwork(self, description(), CPU, nbytes=0)

    def precision(self) -> ChosenPrecision:
        return choose_precision(self.network, PAIR, self.clock)

    def timings(self, maximum: int) -> list[BatchTiming]:
        return time_batches(self.network, PAIR, maximum, self.clock)


def by_precision(float32: float, bfloat16: float, float16: float) -> Callable[[int, torch.dtype], float]:
    seconds = {torch.float32: float32, torch.bfloat16: bfloat16, torch.float16: float16}
    return lambda size, dtype: seconds[dtype]


@pytest.mark.parametrize(
    ("float32", "bfloat16", "float16", "chosen"),
    [
        (4.0, 2.0, 1.0, Precision.FLOAT16),
        (4.0, 1.0, 2.0, Precision.BFLOAT16),
        (4.0, 3.9, 5.0, Precision.FLOAT32),  # a gain as small as the noise is none
    ],
)
def test_the_fastest_precision_is_chosen(float32: float, bfloat16: float, float16: float, chosen: Precision) -> None:
    assert Bench(by_precision(float32, bfloat16, float16)).precision().precision is chosen


def test_the_reason_says_how_much_is_gained() -> None:
    assert Bench(by_precision(4.0, 1.0, 2.0)).precision().reason == (
        "It is 4.0 times as fast as float32 and agrees with it within 2%."
    )
    assert Bench(by_precision(4.0, 4.0, 8.0)).precision().reason == (
        "Nothing faster agrees with it: bfloat16 is 1.00 times as fast; float16 is 0.50 times as fast."
    )


def test_a_precision_that_changes_the_results_is_not_chosen() -> None:
    assert Bench(by_precision(4.0, 1.0, 1.0), error=0.019).precision().precision is Precision.BFLOAT16
    chosen = Bench(by_precision(4.0, 1.0, 1.0), error=0.021).precision()
    assert chosen.precision is Precision.FLOAT32
    assert "bfloat16 differs from float32 by more than 2%" in chosen.reason


def test_a_network_that_fails_in_a_precision_keeps_float32() -> None:
    def seconds(size: int, dtype: torch.dtype) -> float:
        if dtype is not torch.float32:
            raise RuntimeError("not implemented for 'Half'")
        return 1.0

    assert Bench(seconds).precision().precision is Precision.FLOAT32


def test_detectors_of_image_lists_keep_float32() -> None:
    network = LoadedNetwork(lambda x: x, description(), CPU, nbytes=0, takes_image_list=True)
    assert choose_precision(network, PAIR).precision is Precision.FLOAT32


def test_a_real_network_is_timed_in_real_seconds() -> None:
    network = LoadedNetwork(torch.nn.Conv2d(3, 8, 3), description(), CPU, nbytes=0)
    assert choose_precision(network, PAIR).precision in set(Precision) - {Precision.AUTO}
    assert all(timing.seconds > 0 for timing in time_batches(network, PAIR, 4))


def test_the_smallest_batch_that_is_nearly_the_fastest_is_chosen() -> None:
    overhead = Bench(lambda size, dtype: 0.1 + 0.01 * size)
    assert best_batch_size(overhead.timings(16)) == 16
    flat = Bench(lambda size, dtype: 0.001 * max(size, 4))
    assert best_batch_size(flat.timings(16)) == 4


def test_batches_are_tried_as_far_as_they_pay() -> None:
    assert [timing.batch_size for timing in Bench(lambda size, dtype: 0.01).timings(24)] == [1, 2, 4, 8, 16, 24]
    slow = Bench(lambda size, dtype: 0.4 * size)
    assert [timing.batch_size for timing in slow.timings(64)] == [1, 2, 4]
    worse = Bench(lambda size, dtype: 0.001 * size**1.5)
    assert [timing.batch_size for timing in worse.timings(64)] == [1, 2, 4]
