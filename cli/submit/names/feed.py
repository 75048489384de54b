"""Looks names up in a thread of its own: a folder or a list may be slow, or never answer."""

import threading
from collections.abc import Iterator
from queue import Empty, Queue
from typing import Self

from cli.errors import CommandError
from cli.submit.bounded import SILENCE_SECONDS
from cli.submit.names.walk import Walk

MOST_AHEAD = 256


class Feed:
    """The names that ``names`` yields, taken from there as long as there is room.

    A place that does not answer for ``silence_seconds`` ends the iteration with a ``CommandError``. None waits for
    ever, as is right for a list that somebody is still writing.
    """

    def __init__(self, names: Iterator[str], walk: Walk, silence_seconds: float | None = SILENCE_SECONDS) -> None:
        self._names = names
        self._walk = walk
        self._silence_seconds = silence_seconds
        self._found: Queue[str | Exception | None] = Queue(MOST_AHEAD)
        self._is_over = False
        threading.Thread(target=self._look, name="names", daemon=True).start()

    def _look(self) -> None:
        try:
            for name in self._names:
                self._found.put(name)
        except Exception as error:  # it is raised again in the thread that takes names
            self._found.put(error)
        else:
            self._found.put(None)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        if self._is_over:
            raise StopIteration
        item = self._next()
        self._is_over = not isinstance(item, str)
        if item is None:
            raise StopIteration
        if isinstance(item, Exception):
            raise item
        return item

    def _next(self) -> str | Exception | None:
        while True:
            before = self._walk.looked_at
            try:
                return self._found.get(timeout=self._silence_seconds)
            except Empty:
                if self._walk.looked_at == before:
                    return CommandError(f"{self._walk.place} has not answered for {self._silence_seconds:g} s.")
