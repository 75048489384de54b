"""What a handler of one kind of task promises to the runner."""

from collections.abc import Mapping
from typing import Any, Protocol

from store.task_records import ClaimedTask
from workers.stopwatch import Stopwatch


class TaskHandler(Protocol):
    """Answers tasks of one kind."""

    def answer(self, task: ClaimedTask, stopwatch: Stopwatch) -> bytes:
        """Return the task's data as JSON text, and note on the stopwatch where the time went.

        Raises:
            TaskFailure, InferenceError, FetchError: with the sentence that its owner is told.
        """

    def gave_up(self, request: Mapping[str, Any], reason: str) -> None:
        """Note elsewhere than in the task that it ended as an error, where that matters."""
