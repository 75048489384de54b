"""The images that the service works on now: how many there may be, and which tasks they are."""

from collections.abc import Collection
from threading import Condition

from cli.submit.outcome import SentImage


class InFlight:
    """A window of at most ``limit`` images between the threads that send them and the one that collects results.

    A place is reserved before an image is read, and is free again when its task has ended, so that neither this
    process nor the service ever holds more than the window.
    """

    def __init__(self, limit: int, senders: int) -> None:
        self._limit = limit
        self._senders = senders
        self._reserved = 0
        self._images: dict[str, SentImage] = {}
        self._closed = False
        self._abandoned = False
        self._changed = Condition()

    def reserve(self, most: int) -> int:
        """Wait for a place, take it and up to ``most`` in all, and return how many; 0 if no more images are wanted."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._reserved < self._limit)
            count = 0 if self._closed else min(most, self._limit - self._reserved)
            self._reserved += count
            return count

    def release(self, count: int = 1) -> None:
        """Give places back whose images did not become tasks."""
        with self._changed:
            self._reserved -= count
            self._changed.notify_all()

    def add(self, task_id: str, image: SentImage) -> None:
        """Fill a reserved place with the task of an image."""
        with self._changed:
            self._images[task_id] = image
            self._changed.notify_all()

    def end(self, task_ids: Collection[str]) -> list[SentImage]:
        """Free the places of tasks that have ended, all at once, and return their images."""
        with self._changed:
            self._reserved -= len(task_ids)
            self._changed.notify_all()
            return [self._images.pop(task_id) for task_id in task_ids]

    def leave(self) -> None:
        """One sender has nothing more to send."""
        with self._changed:
            self._senders -= 1
            self._changed.notify_all()

    def close(self) -> None:
        """Let nothing more in; what is under way goes on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Wait for nothing any more, not even for a place whose image may never be read."""
        with self._changed:
            self._closed = self._abandoned = True
            self._changed.notify_all()

    def task_ids(self) -> list[str]:
        """Wait for tasks and return their IDs, oldest first; none once all have ended and no more can come."""
        with self._changed:
            self._changed.wait_for(lambda: self._images or self._is_over())
            return list(self._images)

    def _is_over(self) -> bool:
        return self._abandoned or (not self._reserved and (self._closed or not self._senders))
