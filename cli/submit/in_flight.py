"""The images that the service works on now: how many there may be, and which tasks they are."""

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
        self._changed = Condition()

    def reserve(self) -> bool:
        """Wait for a place and take it; false if no more images are wanted."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._reserved < self._limit)
            if not self._closed:
                self._reserved += 1
            return not self._closed

    def release(self) -> None:
        """Give a place back whose image did not become a task."""
        with self._changed:
            self._reserved -= 1
            self._changed.notify_all()

    def add(self, task_id: str, image: SentImage) -> None:
        """Fill a reserved place with the task of an image."""
        with self._changed:
            self._images[task_id] = image
            self._changed.notify_all()

    def end(self, task_id: str) -> SentImage:
        """Free the place of a task that has ended and return its image."""
        with self._changed:
            self._reserved -= 1
            self._changed.notify_all()
            return self._images.pop(task_id)

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

    def task_ids(self) -> list[str]:
        """Wait for tasks and return their IDs, oldest first; none once all have ended and no more can come."""
        with self._changed:
            self._changed.wait_for(lambda: self._images or self._is_over())
            return list(self._images)

    def _is_over(self) -> bool:
        return not self._reserved and (self._closed or not self._senders)
