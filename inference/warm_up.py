"""Finds out, by running a new network, what it takes and returns, and how it runs best.

The workers call it when a network is deployed; what it reports is stored with the network, checked against the
post-processings that name its tensors, and limits its batches.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from inference.batch_choice import choose_batches
from inference.errors import NetworkError
from inference.evidence.batches import is_known_detector, is_of_torchvision
from inference.evidence.repetition import check_repeats
from inference.evidence.telling import Evidence, gather
from inference.evidence.training_mode import check_mode
from inference.lanes import Lanes, spread_over
from inference.loaded_network import LoadedNetwork, Outputs, Sample
from inference.race import Clock, clock_for
from inference.sharing import choose_sharing
from inference.synthetic import drawn_samples, odd_samples, synthetic_samples
from inference.tuning import choose_execution

_SCRIPT_RUNS = 3


@dataclass(frozen=True)
class WarmUp:
    """A network as it is to be run, and what is to be remembered of it.

    ``report`` is ``{"inputs": [{"name", "shape", "dtype"}], "outputs": [...], "left_out": [{"name", "reason"}],
    "precision": str,
    "precision_reason": str, "channels_last": bool, "frozen": bool, "recorded": bool, "side_by_side": bool,
    "threads": int or null, "max_batch_size": int, "batch_reason": str, "batch_milliseconds": {size: float},
    "failed_sizes": [{"inputs": [shape], "error": str}]}``.
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
        max_batch_size: no larger batch is chosen; 1 is, when the network takes no batches, or it is not seen that it
            returns the same for a batch as for its samples.
        lanes: those of the device that is to run it; one, if they are not given.
        clock: tells the seconds; ``clock_for`` the threads of what is timed, if it is not given.

    Raises:
        NetworkError: when the network fails on one image, works as in training, or its outputs are not always the same.
    """
    lanes = lanes or Lanes()
    check_mode(network.module)
    try:
        # On the cores that a batch has while all lanes have one: with one core alone, torch convolves by other kernels.
        threads = lanes.threads(lanes.count, None)
        with spread_over(threads):
            samples = synthetic_samples(network)
            left_out = network.find_outputs(samples[0])
            evidence = _evidence(network, samples)
            others = [sample for sample in samples[2:] if not network.takes_image_list]
            chosen = choose_execution(network, [*evidence.samples, *others], clock or clock_for(threads))
            network = chosen.network
            results = [network.run([sample])[0] for sample in samples]
        sharing = choose_sharing(network, evidence.samples[:2], lanes, clock or clock_for(lanes.cores))
        threads = sharing.threads_when_busy(lanes)
        with spread_over(threads):
            batches = choose_batches(network, evidence, max_batch_size, clock or clock_for(threads))
            failed_sizes = _failed_sizes(network)
        _record_anew(network, samples[0], batches["max_batch_size"])
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
        "failed_sizes": failed_sizes,
    }
    return WarmUp(network, report)


def _evidence(network: LoadedNetwork, samples: Sequence[Sample]) -> Evidence:
    """Run a network as it was loaded, twice, and find samples that it tells apart.

    Raises:
        NetworkError: if it fails, or does not give the same the second time.
    """
    first = [network.run([sample])[0] for sample in samples]
    _tensors_of(first)  # which has its own words for outputs that come and go
    check_repeats([network.run([sample])[0] for sample in samples[:2]], first[:2])
    if is_known_detector(network):
        return Evidence(tuple(samples[:2]), ((0, 1),))
    known = list(zip(samples, first, strict=True))[:2]
    evidence = gather(partial(_alone, network), known, drawn_samples(network))
    # Seeded weights may make nothing of any image. Of such code it is known that it goes by image all the same.
    return replace(evidence, missing=None) if is_of_torchvision(network) else evidence


def _alone(network: LoadedNetwork, sample: Sample) -> Outputs:
    """Return the answer of a sample that was not run before, and see that it repeats."""
    answer, again = (network.run([sample])[0] for _ in range(2))
    check_repeats([again], [answer])
    return answer


def _failed_sizes(network: LoadedNetwork) -> list[dict[str, Any]]:
    """Run images whose sizes are multiples of nothing, and return the shapes that the network does not stand.

    Many networks that are said to take any size halve it several times, and join what they get.
    """
    failed = []
    for sample in odd_samples(network):
        try:
            network.run([sample])
        except (NetworkError, torch.OutOfMemoryError) as error:
            reason = str(error) if isinstance(error, NetworkError) else "The device has not enough memory for it."
            failed.append({"inputs": [list(tensor.shape) for tensor in sample], "error": reason})
    return failed


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
