"""Asks a service again that is away for a moment, for the commands that work for a long time."""

from collections.abc import Callable
from threading import Event
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_delay,
    stop_when_event_set,
)
from tenacity.wait import wait_random, wait_random_exponential

from cli.api_client import ServiceAway

LONGEST_PAUSE_SECONDS = 15.0
JITTER = 0.25  # of what the service asks for, so that its clients do not all return at once

Answer = TypeVar("Answer")

_growing = wait_random_exponential(multiplier=0.2, max=LONGEST_PAUSE_SECONDS)


def patiently(
    call: Callable[[], Answer], patience_seconds: float, stop: Event, on_retry: Callable[[ServiceAway], None]
) -> Answer:
    """Return what ``call`` returns, calling it again while the service is away, as late as the service asks.

    Raises:
        ServiceAway: if it still is after ``patience_seconds``, or ``stop`` is set.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(ServiceAway),
        wait=_pause,
        stop=stop_after_delay(patience_seconds) | stop_when_event_set(stop),
        sleep=sleep_using_event(stop),
        before_sleep=lambda state: on_retry(_failure(state)),
        reraise=True,
    )
    return retrying(call)


def _pause(state: RetryCallState) -> float:
    asked = _failure(state).retry_after_seconds
    return _growing(state) if asked is None else asked + wait_random(0, JITTER * asked)(state)


def _failure(state: RetryCallState) -> ServiceAway:
    failure = state.outcome.exception() if state.outcome is not None else None
    if not isinstance(failure, ServiceAway):
        raise TypeError("Only a call that failed because the service is away is tried again.")
    return failure
