"""What a handler of one kind of task promises to the runner."""

from collections.abc import Generator, Mapping
from concurrent.futures import Future
from typing import Any, Protocol

from store.task_records import ClaimedTask
from workers.stopwatch import Stopwatch

Steps = Generator[Future[Any], None, bytes]
"""The run of a task: yields the future of each batch before it waits for it, and returns the data as JSON text."""


class TaskHandler(Protocol):
    """Answers tasks of one kind."""

    def loading(self, task: ClaimedTask) -> "Future[Any] | None":
        """Return what the task waits for before a thread can do anything for it; None if a thread can now."""

    def answer(self, task: ClaimedTask, stopwatch: Stopwatch) -> Steps:
        """Return the steps to the task's data, which note on the stopwatch where the time went.

        Raises:
            TaskFailure, InferenceError, FetchError: with the sentence that its owner is told.
        """

    def gave_up(self, request: Mapping[str, Any], reason: str) -> None:
        """Note elsewhere than in the task that it ended as an error, where that matters."""
