"""Fetches the images of tasks before these take a thread, so that slow servers keep only those waiting who named them.

Each account has its share of the fetches. While tasks of an account wait for a place among them, the broker's channel
leaves its messages in their queues. What was fetched keeps its place until a thread goes on with the task, so that
images do not pile up in memory when the device is slower than the network.
"""

import threading
from collections.abc import Collection, Mapping
from concurrent.futures import Future
from typing import Protocol

from store.task_records import ClaimedTask
from workers.turns.fair_places import FairPlaces

Fetched = Mapping[str, bytes | Exception]
"""What the image URLs of a task led to; those behind the first that failed are not there."""


class Fetcher(Protocol):
    """What fetches images."""

    def fetch(self, url: str) -> bytes:
        """Return the body that the URL leads to, or raise."""


class FetchAhead:
    """Fetches the images of as many tasks at once as there are places; safe to share between threads."""

    def __init__(self, fetcher: Fetcher, places: int) -> None:
        self._fetcher = fetcher
        self._most_waiting = places
        self._places = FairPlaces(places)

    def has_room(self, task: ClaimedTask) -> bool:
        """Tell whether the task may wait for a place, or whether those of its account are too many already."""
        return self._places.waiting().get(task.account_id, 0) < self._most_waiting

    def begin(self, task: ClaimedTask, fetched: "Future[Fetched]") -> None:
        """Fetch the images of a task once there is a place for it, which it holds until ``end``."""

        def fetch() -> None:
            fetched.set_result(self._fetch(task))

        def start() -> None:
            try:
                # A daemon: a server that does not answer must not keep a process that is done.
                threading.Thread(target=fetch, name="fetch", daemon=True).start()
            except RuntimeError as error:  # the system gives no more threads
                fetched.set_exception(error)

        self._places.take(task.account_id, start)

    def end(self, task: ClaimedTask) -> None:
        """Leave the place of a task to others."""
        self._places.give_back(task.account_id)

    def held_back(self) -> Collection[int]:
        """Return the accounts of whose tasks a worker should take no more for now."""
        return self._places.waiting()

    def _fetch(self, task: ClaimedTask) -> Fetched:
        fetched: dict[str, bytes | Exception] = {}
        for url in task.image_urls:
            try:
                fetched[url] = self._fetcher.fetch(url)
            except Exception as error:  # raised where the image is wanted
                fetched[url] = error
                break
        return fetched
