"""The time of a task is shared out among its stages, and none of it counts twice."""

from collections.abc import Sequence

import orjson
import pytest
import torch

from inference.batcher import Batcher
from inference.waiting import BatchRun, Sample, Tensors
from tests.unit.workers.clock import Clock
from workers.stopwatch import Stage, Stopwatch


class Doubler:
    """A network that doubles its input."""

    def run(self, samples: Sequence[Sample]) -> Sequence[Tensors]:
        return [{"output": sample[0] * 2} for sample in samples]


@pytest.fixture
def stopwatch(clock: Clock) -> Stopwatch:
    return Stopwatch(clock)


def test_laps_share_out_the_time_since_the_start(stopwatch: Stopwatch, clock: Clock) -> None:
    for stage, at in [(Stage.FETCH, 101.0), (Stage.DECODE, 101.5), (Stage.FETCH, 103.5)]:
        clock.seconds = at
        stopwatch.lap(stage)
    assert stopwatch.seconds == {Stage.FETCH: 3.0, Stage.DECODE: 0.5}


def test_time_of_a_batch_is_told_from_the_wait_for_it(stopwatch: Stopwatch, clock: Clock) -> None:
    clock.seconds += 5.0
    stopwatch.batch_lap(BatchRun(size=4, seconds=2.0))
    assert stopwatch.seconds == {Stage.BATCH_WAIT: 3.0, Stage.DEVICE: 2.0}
    assert stopwatch.batch_size == 4


def test_record_has_milliseconds_of_the_stages_that_were_reached(stopwatch: Stopwatch, clock: Clock) -> None:
    clock.seconds += 0.0123456
    stopwatch.lap(Stage.DECODE)
    assert orjson.loads(stopwatch.to_json()) == {"decode": 12.346, "batch_size": None}


def test_batch_that_ran_is_known_with_its_result_and_to_the_observer() -> None:
    seen: list[BatchRun] = []
    batcher = Batcher(4, lambda _, run: seen.append(run))
    answer = batcher.submit(Doubler(), (torch.ones(1),))
    answer.result(10)
    batcher.close()
    assert answer.batch is not None
    assert (answer.batch.size, answer.batch.seconds > 0) == (1, True)
    assert seen == [answer.batch]
