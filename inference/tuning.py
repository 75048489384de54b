"""Finds, by timing, how a network gives most images per second: order of weights, graph, and precision.

Called by the warm-up when a network is deployed. Timings are minima of few runs, in turns: good to some percent, which
is why nothing that costs something is chosen for a smaller difference than that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from math import inf
from time import perf_counter

import torch
from torch import nn

from inference.errors import NetworkError
from inference.evidence.comparison import Answer
from inference.evidence.telling import is_same, strengths, what_is_missing
from inference.execution import Execution, can_be_recorded, has_convolutions, prepared_copy
from inference.loaded_network import LoadedNetwork, Sample
from inference.network import Precision
from inference.race import Clock, race

# How far answers may be apart, as ``inference.evidence.comparison`` measures it.
PRECISION_BOUND = 0.02
ORDER_BOUND = 5e-6  # what is asked for in float32 is exact up to rounding
WORTHWHILE_GAIN = 1.1  # a lower precision is chosen when it is this many times as fast
# An order costs nothing, so where timing errs, little is lost.
ORDER_LEAST_GAIN = 1.02
# A frozen graph is chosen unless it is slower than this part of the speed: what it spares the other threads of a busy
# worker does not show while a network runs alone.
GRAPH_LEAST_GAIN = 0.95
LOWER_PRECISIONS = (Precision.BFLOAT16, Precision.FLOAT16)

_ASKED = "The network's preprocessing says so."
_BATCH = 8
_BATCH_ON_GPU = 32


@dataclass(frozen=True)
class Chosen:
    """A way of running a network, the network in that way, and in one sentence why its precision was chosen."""

    execution: Execution
    network: LoadedNetwork
    reason: str


def choose_execution(network: LoadedNetwork, samples: Sequence[Sample], clock: Clock = perf_counter) -> Chosen:
    """Return the fastest way of running a network in the precision that its description asks for.

    With ``auto``, that is the fastest precision whose outputs for the samples agree with those of float32 within
    ``PRECISION_BOUND``, and would not agree if samples were exchanged. Where answers do not tell samples apart, nothing
    shows that another way gives the same: the network is run as it was loaded.

    Args:
        network: the network as it was loaded.
        samples: two of equal shapes, and further ones.
        clock: tells the seconds.
    """
    asked = network.description.precision
    plain = Execution(Precision.FLOAT32 if asked is Precision.AUTO else asked)
    if network.takes_image_list:
        # They sort and cut what they find, where rounding shows, so results cannot be compared.
        reason = _ASKED if asked is not Precision.AUTO else "Detectors of image lists keep float32."
        return Chosen(plain, prepared_copy(network, plain), reason)
    if asked is not Precision.AUTO and not isinstance(network.module, nn.Module):
        return Chosen(plain, prepared_copy(network, plain), _ASKED)
    contest = _Contest(network, samples, clock)
    loaded = contest.as_loaded(plain)
    if missing := contest.what_is_missing(loaded):
        reason = _ASKED if asked is not Precision.AUTO else f"No lower precision is known to give the same. {missing}"
        return Chosen(loaded.execution, loaded.network, reason)
    recorded = contest.of_recordings(loaded)
    best = contest.of_forms(recorded, recorded)
    return contest.of_precisions(best) if asked is Precision.AUTO else Chosen(best.execution, best.network, _ASKED)


@dataclass(frozen=True)
class _Entry:
    """A way of running a network that gives the right results."""

    execution: Execution
    network: LoadedNetwork


@dataclass(frozen=True)
class _References:
    """What a network answers to each proof, None where it fails, and how far its answers tell samples apart."""

    network: LoadedNetwork  # kept, so that no other one is taken for it
    answers: Sequence[Sequence[Answer] | None]
    strength: Mapping[str, float]


class _Contest:
    """Runs the same samples through a network in several ways."""

    def __init__(self, network: LoadedNetwork, samples: Sequence[Sample], clock: Clock) -> None:
        self._loaded = network
        self._proofs = [*([sample] for sample in samples), samples[:2]]  # a graph may know one batch size only
        self._known: dict[int, _References] = {}  # by the network that gave them
        size = (_BATCH_ON_GPU if network.device.type == "cuda" else _BATCH) if network.description.batched_output else 2
        self._batch = [samples[index % 2] for index in range(size)]
        self._clock = clock

    def as_loaded(self, plain: Execution) -> _Entry:
        """Return the network with its weights in the order in which they were loaded."""
        try:
            return _Entry(plain, prepared_copy(self._loaded, plain))
        except torch.OutOfMemoryError:  # there is no room for a second one, so there is nothing to choose from
            return _Entry(plain, self._loaded)

    def what_is_missing(self, run: _Entry) -> str | None:
        """Return why the samples' answers cannot show that another way gives the same; None if they can."""
        return what_is_missing([answers[0] for answers in self._references(run).answers[:-1] if answers])

    def of_recordings(self, run: _Entry) -> _Entry:
        """Return the network with its batches recorded, if they can be and are not slower replayed."""
        if not can_be_recorded(run.network):
            return run
        recorded = self._tried(replace(run.execution, recorded=True), run)
        return self._faster(run, recorded, GRAPH_LEAST_GAIN)

    def of_forms(self, run: _Entry, reference: _Entry) -> _Entry:
        """Return the network in the form and the order of weights that are fastest and give the reference's results.

        All are timed together: in one order of weights, a graph may take as long as the modules that it leaves far
        behind in the other one. On a GPU it is tried only if batches are recorded: TorchScript compiles it there, for
        one size of batch after another.
        """
        may_freeze = run.network.device.type != "cuda" or run.network.is_recorded
        forms, orders = dict.fromkeys((may_freeze, False)), dict.fromkeys((False, has_convolutions(self._loaded)))
        ways = [replace(run.execution, frozen=frozen, channels_last=last) for frozen, last in product(forms, orders)]
        tried = [run if way == run.execution else self._tried(way, reference) for way in ways]
        entries = [entry for entry in tried if entry is not None]
        if len(entries) == 1:
            return run
        seconds = self._seconds(*entries)
        if seconds[entries.index(run)] == inf:  # a graph may run what the network itself refuses
            return run
        best = min(zip(seconds, entries, strict=True), key=lambda each: each[0] * _least_gain(each[1].execution))
        return best[1]

    def of_precisions(self, exact: _Entry) -> Chosen:
        """Return the fastest of the lower precisions, or what was found for float32."""
        found = {precision: self._in_precision(precision, exact) for precision in LOWER_PRECISIONS}
        lower = {precision: entry for precision, entry in found.items() if entry is not None}
        exact_seconds, *others = self._seconds(exact, *lower.values())
        if exact_seconds == inf:
            return Chosen(exact.execution, exact.network, "The network could not be timed on a batch.")
        gains = {precision: exact_seconds / max(taken, 1e-9) for precision, taken in zip(lower, others, strict=True)}
        best = max(gains, key=gains.__getitem__, default=None)
        if best is None or gains[best] < WORTHWHILE_GAIN:
            facts = "; ".join(_fact(precision, gains.get(precision, 0.0)) for precision in LOWER_PRECISIONS)
            return Chosen(exact.execution, exact.network, f"Nothing faster agrees with it: {facts}.")
        fastest = lower[best]
        del found, lower  # their copies of the weights
        chosen = fastest
        if fastest.network.device.type == "cuda":  # there they may be others than in float32
            chosen = self.of_forms(fastest, exact)
        return Chosen(
            chosen.execution,
            chosen.network,
            f"It is {gains[best]:.1f} times as fast as float32 and agrees with it within {PRECISION_BOUND:.0%}.",
        )

    def _in_precision(self, precision: Precision, exact: _Entry) -> _Entry | None:
        """Try a lower precision as the exact one runs; as modules or not recorded if it stands only that.

        Channels last, if it stands that: what computes in lower precisions is made for it.
        """
        own = replace(exact.execution, precision=precision)
        orders = dict.fromkeys((replace(own, channels_last=has_convolutions(self._loaded)), own))
        ways = dict.fromkeys(
            way
            for order in orders
            for way in (order, replace(order, frozen=False), replace(order, frozen=False, recorded=False))
        )
        return next((entry for way in ways if (entry := self._tried(way, exact)) is not None), None)

    def _tried(self, execution: Execution, reference: _Entry) -> _Entry | None:
        """Return the network in another way; None if it cannot be had, or gives other results than the reference."""
        try:
            network = prepared_copy(self._loaded, execution)
        except torch.OutOfMemoryError:
            return None
        if (execution.frozen, execution.recorded) != (network.is_frozen, network.is_recorded):
            return None
        bound = ORDER_BOUND if execution.precision is Precision.FLOAT32 else PRECISION_BOUND
        return _Entry(execution, network) if self._gives_the_same(network, reference, bound) else None

    def _gives_the_same(self, network: LoadedNetwork, reference: _Entry, bound: float) -> bool:
        expected = self._references(reference)
        return all(
            answers is not None
            and (results := _answers(network, proof)) is not None
            and is_same(results, answers, bound, expected.strength)
            for proof, answers in zip(self._proofs, expected.answers, strict=True)
        )

    def _references(self, reference: _Entry) -> _References:
        """Return the answers of a way that is right, which are asked for once."""
        key = id(reference.network)
        if key not in self._known:
            answers = [_answers(reference.network, proof) for proof in self._proofs]
            alone = [each[0] for each in answers[:-1] if each]
            self._known[key] = _References(reference.network, answers, strengths(alone) if alone else {})
        return self._known[key]

    def _faster(self, one: _Entry, other: _Entry | None, least_gain: float) -> _Entry:
        """Return the other way if it is so many times as fast as the one."""
        if other is None:
            return one
        seconds, seconds_of_other = self._seconds(one, other)
        return other if seconds_of_other * least_gain <= seconds < inf else one

    def _seconds(self, *entries: _Entry) -> list[float]:
        return race([partial(entry.network.run, self._batch) for entry in entries], self._clock)


def _least_gain(execution: Execution) -> float:
    """Return how many times as fast as modules with their weights as loaded a network has to be in this way."""
    gain_of_order = ORDER_LEAST_GAIN if execution.channels_last else 1.0
    return gain_of_order * (GRAPH_LEAST_GAIN if execution.frozen else 1.0)


def _fact(precision: Precision, gain: float) -> str:
    if gain:
        return f"{precision} is {gain:.2f} times as fast"
    return f"{precision} fails, or differs from float32 by more than {PRECISION_BOUND:.0%}"


def _answers(network: LoadedNetwork, samples: Sequence[Sample]) -> Sequence[Answer] | None:
    try:
        return network.run(samples)
    except (NetworkError, torch.OutOfMemoryError):
        return None
