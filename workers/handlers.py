"""What a handler of one kind of task promises to the runner."""

from collections.abc import Generator, Mapping
from concurrent.futures import Future
from typing import Any, Protocol

from store.task_records import ClaimedTask
from workers.fetch_ahead import Fetched
from workers.stopwatch import Stopwatch

Steps = Generator[Future[Any], None, bytes]
"""The run of a task: yields the future of what it shares with others, say a batch, before it waits for that, and
returns the data as JSON text."""


class TaskHandler(Protocol):
    """Answers tasks of one kind."""

    def loading(self, task: ClaimedTask) -> "Future[Any] | None":
        """Return the future of the network that the task has to wait for; None if a thread can go on with it now."""

    def answer(self, task: ClaimedTask, fetched: Fetched, stopwatch: Stopwatch) -> Steps:
        """Return the steps to the task's data, which note on the stopwatch where the time went.

        ``fetched`` has the images that the task names by URL, by the time of the first step.

        Raises:
            TaskFailure, InferenceError, FetchError: with the sentence that its owner is told.
        """

    def gave_up(self, request: Mapping[str, Any], reason: str) -> None:
        """Note elsewhere than in the task that it ended as an error, where that matters."""
