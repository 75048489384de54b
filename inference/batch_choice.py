"""Decides how many samples of a network make a batch, and says why. Called by the warm-up."""

from collections.abc import Mapping, Sequence
from typing import Any

from inference.batch_timing import BatchTiming, best_batch_size, time_batches, time_largest_batch
from inference.errors import NetworkError
from inference.evidence.batches import why_not_batched
from inference.evidence.telling import Evidence
from inference.loaded_network import LoadedNetwork
from inference.race import Clock


def choose_batches(network: LoadedNetwork, evidence: Evidence, maximum: int, clock: Clock) -> dict[str, Any]:
    """Return ``{"max_batch_size": int, "batch_reason": str, "batch_milliseconds": {size: float}}``.

    Raises:
        NetworkError: when the network fails on one image.
    """
    takes_batches = network.description.batched_output
    # The owner's word stands as far as memory allows: it may be about latency, which throughput does not show.
    wished = network.description.max_batch_size
    largest = min(maximum, wished or maximum) if takes_batches else 1
    timings = _timings(network, evidence, largest, clock, is_wished=wished is not None)
    if not timings:
        raise NetworkError("The network ran on one image and then failed on the same image again.")
    size = best_batch_size(timings)
    if not takes_batches:
        reason = "The network's preprocessing has batched_output false."
    elif largest == 1:
        reason = "The preprocessing or the worker's RECOQ_MAX_BATCH_SIZE limits batches to one image."
    elif refusal := why_not_batched(network, evidence, max(size, 2)):
        reason = f"One image at a time: {_within_a_sentence(refusal)}{_cost(timings, size)}"
        size = 1
    elif size == 1:
        reason = "Larger batches are no faster, or do not fit into memory."
    else:
        reason = f"In batches of up to {size}, images give what they give alone."
    milliseconds = {str(timing.batch_size): round(timing.seconds * 1000, 3) for timing in timings}
    return {"max_batch_size": size, "batch_reason": reason, "batch_milliseconds": milliseconds}


def fallback_reason(report: Mapping[str, Any], difference: str) -> str:
    """Return why a network that was deployed with this report runs one image at a time from now on, and the cost."""
    timings = [BatchTiming(int(size), value / 1000) for size, value in report.get("batch_milliseconds", {}).items()]
    return f"One image at a time: {_within_a_sentence(difference)}{_cost(timings, report['max_batch_size'])}"


def _timings(
    network: LoadedNetwork, evidence: Evidence, largest: int, clock: Clock, *, is_wished: bool
) -> list[BatchTiming]:
    if is_wished:
        return time_largest_batch(network, evidence.samples, largest, clock)
    return time_batches(network, evidence.samples, largest, clock)


def _within_a_sentence(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def _cost(timings: Sequence[BatchTiming], size: int) -> str:
    """Return, as a further sentence, what is lost by not running batches of a size, if that is known."""
    throughput = {timing.batch_size: timing.throughput for timing in timings}
    if size == 1 or not {1, size} <= throughput.keys():
        return ""
    return f" Batches of {size} would give {throughput[size] / throughput[1]:.1f} times as many images a second."
