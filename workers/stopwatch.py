"""Where the time of one task goes, stage by stage, for the task's own record and for the metrics.

One stopwatch accompanies each run of a task through the thread that runs it. It has to cost next to nothing: a lap is
one reading of the clock and one addition.
"""

from collections.abc import Callable
from enum import StrEnum
from time import perf_counter

import orjson

from inference.waiting import BatchRun


class Stage(StrEnum):
    """What a worker does with a task, in this order."""

    LOAD = "load"  # waiting for the network to be in memory
    FETCH = "fetch"  # getting the bytes of an image by URL
    DECODE = "decode"
    PREPROCESS = "preprocess"
    BATCH_WAIT = "batch_wait"  # waiting for a batch to begin, and to hear that it has ended
    DEVICE = "device"  # the batch that the task was part of
    POSTPROCESS = "postprocess"


class Stopwatch:
    """Shares out the time since it was made among the stages."""

    __slots__ = ("_clock", "_last", "batch_size", "seconds")

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._last = clock()
        self.seconds: dict[Stage, float] = {}
        self.batch_size: int | None = None

    def lap(self, stage: Stage) -> None:
        """Count the time since the last lap as ``stage``; several laps of one stage add up."""
        now = self._clock()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now

    def batch_lap(self, run: BatchRun | None) -> None:
        """Count the time since the last lap as that of a batch: its time on the device, and the wait for it."""
        self.lap(Stage.BATCH_WAIT)
        if run is not None:
            self.seconds[Stage.BATCH_WAIT] = max(0.0, self.seconds[Stage.BATCH_WAIT] - run.seconds)
            self.seconds[Stage.DEVICE] = run.seconds
            self.batch_size = run.size

    def to_json(self) -> bytes:
        """Return ``{stage: milliseconds, …, "batch_size": int or null}`` with the stages that the task came to."""
        stages: dict[str, float | int | None] = {
            stage.value: round(1000 * seconds, 3) for stage, seconds in self.seconds.items()
        }
        stages["batch_size"] = self.batch_size
        return orjson.dumps(stages)
