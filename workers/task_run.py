"""One task on its way through a worker: its handler's steps, and how it ended.

A handler is a generator, which yields the future of each batch, and of each decoding by the device, that it waits for.
So one thread can have several tasks in the same one.
"""

import logging
from collections.abc import Generator
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from contract.image_costs import decoding_seconds
from inference.errors import DeviceLostError, InferenceError, without_frames
from inference.waiting import Answer
from store.errors import StorageFull, Unavailable
from store.task_records import ClaimedTask, Ending, Outcome
from store.turns import URL_SECONDS
from workers.errors import TaskFailure
from workers.fetch import FetchError
from workers.fetch_ahead import Fetched
from workers.handlers import TaskHandler
from workers.stopwatch import Stage, Stopwatch
from workers.watchdog import end_process

logger = logging.getLogger(__name__)

INTERNAL_ERROR = "The task failed because of an internal error. The operator finds the details in the worker's log."


class TaskRun:
    """A claimed task that is being run; the only place where unexpected errors are caught.

    After each ``go_on``, it waits for ``batch`` (of samples, or of images to be decoded), or has an ``outcome``, or is
    ``postponed``. Before the first, what its image URLs lead to has to be ``found``. One that ``is_alone`` must have
    the process for itself. One whose images are heavy needs a place to decode them; it tells if it ``has_place``.
    """

    def __init__(self, task: ClaimedTask, handler: TaskHandler, *, is_alone: bool = False) -> None:
        self.task = task
        self.is_alone = is_alone
        self.stopwatch = Stopwatch()
        self.batch: Future[Any] | None = None
        self.outcome: Outcome | None = None
        self.postponed: Unavailable | None = None
        self.fetched: dict[str, bytes | Exception] = {}
        self.cost = task.cost
        self.has_place = False
        self._handler = handler
        self._steps: Generator[Future[Any], None, bytes] = handler.answer(task, self.fetched, self.stopwatch)

    @property
    def has_to_fetch(self) -> bool:
        """Whether there are images to be fetched, and nobody has tried."""
        return not self.fetched and bool(self.task.image_urls)

    def found(self, fetched: Fetched) -> None:
        """Take what the image URLs lead to; only now it is known what these images cost."""
        self.fetched.update(fetched)
        images = [self.fetched.get(url) for url in self.task.urls_of_inputs]
        seconds = [decoding_seconds(image) if isinstance(image, bytes) else 0.0 for image in images]
        more = sum(seconds) - URL_SECONDS * len(seconds)
        self.cost = replace(self.cost, decoding_seconds=max(0.0, self.cost.decoding_seconds + more))

    @property
    def needs_place(self) -> bool:
        """Whether its images are heavy, and it has no place to decode them."""
        return self.cost.is_heavy and not (self.has_place or self.is_alone)

    @property
    def is_decoding(self) -> bool:
        """Whether it waits for a device to decode images of its."""
        return self.batch is not None and not isinstance(self.batch, Answer)

    @property
    def nbytes(self) -> int:
        """The bytes of its images that are in memory."""
        images = [*self.task.inputs, *self.fetched.values()]
        return sum(len(image) for image in images if isinstance(image, bytes))

    @property
    def ending(self) -> Ending | None:
        """What the ledger is to be told, if it has ended."""
        if self.outcome is None:
            return None
        extra_seconds = self.cost.decoding_seconds - self.task.cost.decoding_seconds
        return Ending(self.task.id, self.task.fence, self.outcome, extra_seconds)

    def go_on(self) -> None:
        """Run until the next wait for a batch, or to the end; waits for the batch of the last time."""
        if self.batch is None:
            self.stopwatch.lap(Stage.BATCH_WAIT)  # for the thread, which prepared others for the same batch
        self.batch = None
        try:
            self.batch = next(self._steps)
        except StopIteration as end:
            self.outcome = Outcome(data=end.value, stages=self.stopwatch.to_json())
        except Unavailable as error:
            self.postponed = without_frames(error)
        except StorageFull as error:  # a disk that an operator makes room on; another worker may have some
            self.postponed = Unavailable(str(error))
        except DeviceLostError as error:
            # The lease runs out and another process tries; attempts are counted, should this task be to blame.
            end_process(f"The device failed: {error}")
        except (TaskFailure, InferenceError, FetchError) as error:
            self._fail(str(without_frames(error)))
        except Exception as error:
            logger.exception("Task %s failed.", self.task.id)
            self._fail(INTERNAL_ERROR)
            without_frames(error)

    def _fail(self, reason: str) -> None:
        self._handler.gave_up(self.task.request, reason)
        self.outcome = Outcome(error=reason, stages=self.stopwatch.to_json())
