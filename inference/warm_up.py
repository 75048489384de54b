"""Finds out, by running a new network, what it takes and returns, and how it runs best.

The workers call it when a network is deployed; what it reports is stored with the network, checked against the
post-processings that name its tensors, and limits its batches.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from inference.agreement import agree
from inference.batch_timing import best_batch_size, time_batches, time_largest_batch
from inference.errors import NetworkError
from inference.lanes import Lanes, spread_over
from inference.loaded_network import LoadedNetwork, Outputs, Sample
from inference.race import Clock, clock_for
from inference.sharing import choose_sharing
from inference.synthetic import synthetic_samples
from inference.tuning import choose_execution

# How far the results of a batch may be from those of its samples alone, relative to the largest value: well above what
# other algorithms for other batch sizes make of float16, well below what a network that mixes its samples makes.
BATCH_BOUND = 0.05

_SCRIPT_RUNS = 3


@dataclass(frozen=True)
class WarmUp:
    """A network as it is to be run, and what is to be remembered of it.

    ``report`` is ``{"inputs": [{"name", "shape", "dtype"}], "outputs": [...], "left_out": [{"name", "reason"}],
    "precision": str,
    "precision_reason": str, "channels_last": bool, "frozen": bool, "recorded": bool, "side_by_side": bool,
    "threads": int or null, "max_batch_size": int, "batch_milliseconds": {size: float}}``.
    Shapes have no batch dimension, and null for what varies with the content or the size of the image.
    """

    network: LoadedNetwork
    report: dict[str, Any]


def run_once(network: LoadedNetwork) -> None:
    """Run one synthetic image through a network, to see whether it stands that.

    Raises:
        NetworkError, torch.OutOfMemoryError: if it does not.
    """
    network.run(synthetic_samples(network)[:1])


def run_first_times(network: LoadedNetwork, largest_batch: int) -> None:
    """Run a network that was deployed before, so that no task pays for what first runs cost.

    TorchScript watches two runs and compiles in the third. A GPU is asked for the memory of a batch when the first of
    that size runs, so there the largest one runs as well, if it fits; and one of each size that is recorded.

    Raises:
        NetworkError, torch.OutOfMemoryError: if the network does not stand one image.
    """
    sample = synthetic_samples(network)[0]
    for _ in range(_SCRIPT_RUNS if isinstance(network.module, torch.jit.ScriptModule) else 1):
        network.run([sample])
    sizes = [largest_batch] if network.device.type == "cuda" else []
    if network.is_recorded:
        sizes = [2**exponent for exponent in range((largest_batch - 1).bit_length(), -1, -1)]
    for size in sizes:
        with suppress(torch.OutOfMemoryError):  # the batcher finds out what fits
            network.run([sample] * min(size, largest_batch))


def warm_up(
    network: LoadedNetwork, max_batch_size: int, lanes: Lanes | None = None, clock: Clock | None = None
) -> WarmUp:
    """Run a network on synthetic images, prepared as real ones are, and find out how to run it best.

    Args:
        network: as it was loaded, whatever precision its description asks for.
        max_batch_size: no larger batch is chosen; 1 is, when the network takes no batches, or returns something else
            for a batch than for its samples.
        lanes: those of the device that is to run it; one, if they are not given.
        clock: tells the seconds; ``clock_for`` the threads of what is timed, if it is not given.

    Raises:
        NetworkError: when the network fails on one image, or its outputs are not always the same.
    """
    lanes = lanes or Lanes()
    try:
        # On the cores that a batch has while all lanes have one: with one core alone, torch convolves by other kernels.
        threads = lanes.threads(lanes.count, None)
        with spread_over(threads):
            samples = synthetic_samples(network)
            left_out = network.find_outputs(samples[0])
            chosen = choose_execution(network, samples, clock or clock_for(threads))
            network = chosen.network
            results = [network.run([sample])[0] for sample in samples]
        pair = samples[:2]
        sharing = choose_sharing(network, pair, lanes, clock or clock_for(lanes.cores))
        threads = sharing.threads_when_busy(lanes)
        with spread_over(threads):
            batches = _batches(network, pair, results[:2], max_batch_size, clock or clock_for(threads))
        _record_anew(network, pair[0], batches["max_batch_size"])
    except torch.OutOfMemoryError as error:
        raise NetworkError("The device has not enough memory to run the network on one image.") from error
    names = [spec.tensor_name for spec in network.description.inputs]
    inputs = [dict(zip(names, network.normalised(sample), strict=True)) for sample in samples]
    report = {
        "inputs": _tensors_of(inputs),
        "outputs": _tensors_of(results),
        "left_out": left_out,
        "precision": chosen.execution.precision.value,
        "precision_reason": chosen.reason,
        "channels_last": chosen.execution.channels_last,
        "frozen": chosen.execution.frozen,
        "recorded": chosen.execution.recorded,
        "side_by_side": sharing.side_by_side,
        "threads": sharing.threads,
        **batches,
    }
    return WarmUp(network, report)


def _record_anew(network: LoadedNetwork, sample: Sample, largest_batch: int) -> None:
    """Let go of the memory of larger batches that were tried, and of what small ones left unused between them."""
    if network.is_recorded and network.record([sample] * largest_batch):
        run_first_times(network, largest_batch)


def _tensors_of(results: Sequence[Outputs]) -> list[dict[str, Any]]:
    return [
        {"name": name, "shape": _common_shape(name, [result.get(name) for result in results]), "dtype": _dtype(tensor)}
        for name, tensor in results[0].items()
    ]


def _common_shape(name: str, tensors: Sequence[Tensor | None]) -> list[int | None]:
    """Return a shape with null where it varies; also where it is 0, which means that nothing was found this time."""
    shapes = {tuple(tensor.shape) if tensor is not None else None for tensor in tensors}
    ranks = {len(shape) if shape is not None else None for shape in shapes}
    if len(ranks) > 1:
        raise NetworkError(f"The network's output {name!r} is not always there with as many dimensions.")
    sizes = [set(column) for column in zip(*(shape for shape in shapes if shape is not None), strict=True)]
    return [column.pop() if len(column) == 1 and 0 not in column else None for column in sizes]


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _batches(
    network: LoadedNetwork, pair: list[Sample], alone: Sequence[Outputs], maximum: int, clock: Clock
) -> dict[str, Any]:
    """Return the batch size to use, and the timings that speak for it."""
    if not network.description.batched_output or not _may_be_batched(network, pair, alone):
        maximum = 1
    # The owner's word stands as far as memory allows: it may be about latency, which throughput does not show.
    wished = network.description.max_batch_size
    if wished is None:
        timings = time_batches(network, pair, maximum, clock)
    else:
        timings = time_largest_batch(network, pair, min(wished, maximum), clock)
    if not timings:
        raise NetworkError("The network ran on one image and then failed on the same image again.")
    return {
        "max_batch_size": best_batch_size(timings),
        "batch_milliseconds": {str(timing.batch_size): round(timing.seconds * 1000, 3) for timing in timings},
    }


def _may_be_batched(network: LoadedNetwork, pair: list[Sample], alone: Sequence[Outputs]) -> bool:
    """Tell whether samples give in a batch what they give alone, up to rounding.

    Detectors that take a list of images go by image, and sort and cut what they find, where rounding shows: only the
    names of their outputs are compared.
    """
    try:
        batched = network.run(pair)
    except (NetworkError, torch.OutOfMemoryError):
        return False
    if network.takes_image_list:
        return [set(one) for one in batched] == [set(one) for one in alone]
    return agree(batched, alone, BATCH_BOUND)
