"""What the timings speak for is chosen, and nothing that changes results by more than the stated bound."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from inference.batch_timing import BatchTiming, best_batch_size, time_batches
from inference.execution import PLAIN, Execution
from inference.loaded_network import LoadedNetwork
from inference.network import Precision
from inference.race import LEAST_TURNS
from inference.tuning import Chosen, choose_execution
from tests.unit.inference.clocks import clock_of
from tests.unit.inference.seeded_networks import CPU, description, images

PAIR = [(image,) for image in images(2)]
_BETWEEN = sum(float(image.mean()) for (image,) in PAIR) / 2


def told_apart(batch: Tensor) -> Tensor:
    """Scores of magnitude 1, whose signs tell the images of the pair apart."""
    sign = torch.where(batch.mean((1, 2, 3)) > _BETWEEN, 1.0, -1.0)
    return torch.stack([sign, -sign], dim=1)


class Bench:
    """A network whose runs take as long as the test says, and the clock that shows it.

    Args:
        seconds: of a run, by its batch size and the precision it computes in.
        error: what computing in a lower precision adds to the outputs, whose magnitudes are 1.
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
        return told_apart(batch) + (self._error if dtype is not torch.float32 else 0.0)

    def clock(self) -> float:
        return self.now

    @property
    def network(self) -> LoadedNetwork:
        return LoadedNetwork(self, description(precision="auto"), CPU, weight_bytes=0)

    def chosen(self) -> Chosen:
        return choose_execution(self.network, PAIR, self.clock)

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
    assert Bench(by_precision(float32, bfloat16, float16)).chosen().execution.precision is chosen


def test_the_reason_says_how_much_is_gained() -> None:
    assert Bench(by_precision(4.0, 1.0, 2.0)).chosen().reason == (
        "It is 4.0 times as fast as float32 and agrees with it within 2%."
    )
    assert Bench(by_precision(4.0, 4.0, 8.0)).chosen().reason == (
        "Nothing faster agrees with it: bfloat16 is 1.00 times as fast; float16 is 0.50 times as fast."
    )


def test_a_precision_that_changes_the_results_is_not_chosen() -> None:
    assert Bench(by_precision(4.0, 1.0, 1.0), error=0.019).chosen().execution.precision is Precision.BFLOAT16
    chosen = Bench(by_precision(4.0, 1.0, 1.0), error=0.021).chosen()
    assert chosen.execution.precision is Precision.FLOAT32
    assert "bfloat16 fails, or differs from float32 by more than 2%" in chosen.reason


def test_a_network_that_fails_in_a_precision_keeps_float32() -> None:
    def seconds(size: int, dtype: torch.dtype) -> float:
        if dtype is not torch.float32:
            raise RuntimeError("not implemented for 'Half'")
        return 1.0

    assert Bench(seconds).chosen().execution.precision is Precision.FLOAT32


def test_detectors_of_image_lists_keep_float32() -> None:
    network = LoadedNetwork(lambda x: x, description(precision="auto"), CPU, weight_bytes=0, takes_image_list=True)
    assert choose_execution(network, PAIR).execution == PLAIN


def test_a_real_network_is_timed_in_real_seconds() -> None:
    network = LoadedNetwork(torch.nn.Conv2d(3, 8, 3), description(precision="auto"), CPU, weight_bytes=0)
    assert choose_execution(network, PAIR).execution.precision in set(Precision) - {Precision.AUTO}
    assert all(timing.seconds > 0 for timing in time_batches(network, PAIR, 4))


def test_the_smallest_batch_that_is_nearly_the_fastest_is_chosen() -> None:
    overhead = Bench(lambda size, dtype: 0.1 + 0.01 * size)
    assert best_batch_size(overhead.timings(16)) == 16
    flat = Bench(lambda size, dtype: 0.1 * max(size, 4))
    assert best_batch_size(flat.timings(16)) == 4


def test_up_to_eight_are_put_together_where_that_costs_nothing_and_is_over_soon() -> None:
    flat = Bench(lambda size, dtype: 0.05 * max(size, 2))
    assert best_batch_size(flat.timings(16)) == 8
    worse = Bench(lambda size, dtype: 0.05 * size if size < 8 else 0.06 * size)
    assert best_batch_size(worse.timings(16)) == 4


def test_batches_are_tried_as_far_as_they_pay() -> None:
    assert [timing.batch_size for timing in Bench(lambda size, dtype: 0.01).timings(24)] == [1, 2, 4, 8, 16, 24]
    slow = Bench(lambda size, dtype: 0.4 * size)
    assert [timing.batch_size for timing in slow.timings(64)] == [1, 2, 4, 8]
    worse = Bench(lambda size, dtype: 0.001 * size**1.5)
    assert [timing.batch_size for timing in worse.timings(64)] == [1, 2, 4, 8]


class SharedClock:
    """The seconds of a network and its copies."""

    now = 0.0

    def __deepcopy__(self, memo: object) -> "SharedClock":
        return self


class Convolution(torch.nn.Module):
    """A network that takes as long as the test says, by the order of its weights; no graph can be made of it.

    Args:
        error: what the order adds to the outputs, whose magnitudes are 1.
        lower_gain: how many times as fast it is in lower precisions with its weights channels last.
        stands_order: whether it runs with its weights channels last at all.
    """

    def __init__(
        self,
        plain: float,
        channels_last: float,
        error: float = 0.0,
        *,
        lower_gain: float = 1.0,
        stands_order: bool = True,
    ) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2, 3, 2, 2), requires_grad=False)
        self.clock = SharedClock()
        self._seconds = {False: plain, True: channels_last}
        self._error = error
        self._lower_gain = lower_gain
        self._stands_order = stands_order

    def forward(self, x: Tensor) -> Tensor:
        is_last = self.weight.is_contiguous(memory_format=torch.channels_last)
        if torch.jit.is_tracing() or (is_last and not self._stands_order):
            raise RuntimeError("The view is not compatible with the input's strides.")
        is_faster = is_last and self.weight.dtype is not torch.float32
        self.clock.now += self._seconds[is_last] / (self._lower_gain if is_faster else 1.0)
        return told_apart(x) + (self._error if is_last else 0.0)

    def chosen(self, precision: str = "float32") -> Chosen:
        network = LoadedNetwork(self, description(precision=precision), CPU, weight_bytes=0)
        return choose_execution(network, PAIR, lambda: self.clock.now)


def test_the_faster_order_of_the_weights_is_chosen() -> None:
    assert Convolution(2.0, 1.0).chosen().execution.channels_last
    assert not Convolution(1.0, 2.0).chosen().execution.channels_last
    assert Convolution(1.05, 1.0).chosen().execution.channels_last
    assert not Convolution(1.01, 1.0).chosen().execution.channels_last


def test_an_order_that_changes_the_results_is_not_chosen() -> None:
    assert Convolution(2.0, 1.0, error=4e-6).chosen().execution.channels_last
    assert not Convolution(2.0, 1.0, error=1e-5).chosen().execution.channels_last


def test_a_lower_precision_is_tried_channels_last_even_where_that_does_not_pay_in_float32() -> None:
    chosen = Convolution(1.0, 1.0, lower_gain=2.0).chosen("auto").execution
    assert chosen.precision is Precision.BFLOAT16
    assert chosen.channels_last


def test_a_lower_precision_is_tried_in_the_other_order_where_only_that_runs() -> None:
    found = Convolution(1.0, 1.0, stands_order=False).chosen("auto")
    assert "bfloat16 is 1.00 times as fast" in found.reason


@pytest.mark.parametrize(
    ("graph", "graph_channels_last", "modules", "modules_channels_last", "chosen"),
    [
        (1.0, 1.0, 1.0, 1.0, Execution(frozen=True)),
        (1.1, 0.5, 1.0, 0.9, Execution(frozen=True, channels_last=True)),  # in the order as loaded it would have lost
        (1.1, 1.1, 1.0, 0.9, Execution(channels_last=True)),
        (1.04, 1.04, 1.0, 1.0, Execution(frozen=True)),  # it spares busy workers more than that
        (1.1, 1.1, 1.0, 0.99, Execution()),
    ],
)
def test_form_and_order_are_chosen_together(
    graph: float, graph_channels_last: float, modules: float, modules_channels_last: float, chosen: Execution
) -> None:
    clock = clock_of(*[graph, graph_channels_last, modules, modules_channels_last] * LEAST_TURNS)
    network = LoadedNetwork(torch.nn.Conv2d(3, 8, 3).eval(), description(), CPU, weight_bytes=0)
    found = choose_execution(network, PAIR, clock)
    assert found.execution == chosen
    assert found.network.is_frozen is chosen.frozen


def test_the_network_that_was_loaded_stays_as_it_was() -> None:
    network = Convolution(2.0, 1.0)
    chosen = network.chosen()
    assert network.weight.is_contiguous()
    assert chosen.network.module is not network


class Traced(torch.nn.Module):
    """A network that may say something else as a graph."""

    def __init__(self, *, error: float = 0.0, knows_batch_size: bool = True) -> None:
        super().__init__()
        self._error = error
        self._knows_batch_size = knows_batch_size

    def forward(self, batch: Tensor) -> Tensor:
        scores = batch.mean((2, 3)).clamp(0.5, 1)
        if not self._knows_batch_size:
            scores = scores + torch.zeros(int(batch.shape[0]), 1)  # a constant of the graph
        return scores + (self._error if torch.jit.is_tracing() else 0.0)

    def is_frozen_when_chosen(self) -> bool:
        chosen = choose_execution(LoadedNetwork(self.eval(), description(), CPU, weight_bytes=0), PAIR, lambda: 0.0)
        assert chosen.execution.frozen == chosen.network.is_frozen
        return chosen.execution.frozen


def test_a_graph_that_says_the_same_and_is_not_slower_is_chosen() -> None:
    assert Traced().is_frozen_when_chosen()


def test_a_graph_that_changes_the_results_is_not_chosen() -> None:
    assert Traced(error=1e-6).is_frozen_when_chosen()
    assert not Traced(error=1e-3).is_frozen_when_chosen()


def test_a_graph_that_knows_one_batch_size_only_is_not_chosen() -> None:
    assert not Traced(knows_batch_size=False).is_frozen_when_chosen()
