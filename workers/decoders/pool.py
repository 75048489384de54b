"""The decoders of a worker: started when images wait for them, replaced before they are old, ended when at rest."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from store.errors import Unavailable
from workers.decoders.remote_process import DecoderProcess

logger = logging.getLogger(__name__)

REST_SECONDS = 30.0


class DecoderPool:
    """Lends decoders to threads, in the order in which they ask; one is kept however long nobody does.

    Args:
        start: starts a decoder and returns it when it is ready; raises Unavailable.
        most: how many there may be at once.
        on_rest: called when no image has come for a while.
    """

    def __init__(self, start: Callable[[], DecoderProcess], most: int, on_rest: Callable[[], None]) -> None:
        self._start = start
        self._on_rest = on_rest
        self._most = most
        self._idle: list[tuple[DecoderProcess, float]] = []  # and since when; the last one was used last
        self._replaced: set[DecoderProcess] = set()
        self._line: deque[object] = deque()
        self._running = 0  # those that are being started included
        self._starting = 0
        self._failed: Unavailable | None = None
        self._rest: threading.Timer | None = None
        self._closed = False
        self._changed = threading.Condition()

    def warm_up(self) -> None:
        """Start a decoder, so that the first image need not wait for it."""
        with self._changed:
            self._start_another()

    @contextmanager
    def lent(self) -> Iterator[DecoderProcess]:
        """Have a decoder while the block runs; one that ended there is not used again.

        Raises:
            Unavailable: if none can be started.
        """
        process = self._take()
        try:
            yield process
        except BaseException:  # it may still be busy with what was asked
            self._discard(process)
            raise
        self._give_back(process)

    def close(self) -> None:
        """End all decoders that nobody has, and the others when they are given back."""
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            if self._rest is not None:
                self._rest.cancel()
        for process, _ in idle:
            self._discard(process)

    def _take(self) -> DecoderProcess:
        ticket = object()
        with self._changed:
            self._line.append(ticket)
            if len(self._line) > len(self._idle) + self._starting:
                self._start_another()
            self._changed.wait_for(lambda: self._failed or (self._idle and self._line[0] is ticket))
            self._line.remove(ticket)
            self._changed.notify_all()
            if self._failed is not None:
                failed = self._failed
                self._failed = None if not self._line else failed
                raise failed
            process, _ = self._idle.pop()
            return process

    def _start_another(self, beyond: int = 0) -> None:
        if self._running < self._most + beyond:
            self._running += 1
            self._starting += 1
            threading.Thread(target=self._start_one, name="decoder-start", daemon=True).start()

    def _start_one(self) -> None:
        try:
            process = self._start()
        except Unavailable as error:
            with self._changed:
                self._running -= 1
                self._starting -= 1
                if not self._running and self._line:
                    self._failed = error
                self._changed.notify_all()
            logger.warning("%s", error)
            return
        with self._changed:
            self._starting -= 1
        self._give_back(process)

    def _give_back(self, process: DecoderProcess) -> None:
        with self._changed:
            is_over = self._closed or self._has_successor(process)
            if not is_over:
                self._idle.append((process, time.monotonic()))
                self._rest_later()
                self._changed.notify_all()
        if is_over:
            self._discard(process)

    def _has_successor(self, process: DecoderProcess) -> bool:
        """Tell whether a process is spent and another one has come in its place; it goes on until then."""
        if not process.is_spent:
            return False
        if process in self._replaced:
            return self._starting == 0
        self._replaced.add(process)
        self._start_another(beyond=1)
        return False

    def _discard(self, process: DecoderProcess) -> None:
        process.end()
        with self._changed:
            self._running -= 1
            self._replaced.discard(process)
            if self._closed:
                return
            if len(self._line) > len(self._idle) + self._starting or not self._running:
                self._start_another()

    def _rest_later(self) -> None:
        if self._rest is None:
            self._rest = threading.Timer(REST_SECONDS, self._end_idle)
            self._rest.daemon = True
            self._rest.start()

    def _end_idle(self) -> None:
        """End those that have been idle for long; the last one stays."""
        before = time.monotonic() - REST_SECONDS
        with self._changed:
            self._rest = None
            ended = [each for each in self._idle if each[1] <= before][: self._running - 1]
            self._idle = [each for each in self._idle if each not in ended]
            self._running -= len(ended)
            self._replaced.difference_update(process for process, _ in ended)
            is_at_rest = self._running == len(self._idle) and all(since <= before for _, since in self._idle)
            if not (is_at_rest or self._closed):
                self._rest_later()
        for process, _ in ended:
            process.end()
        if is_at_rest:
            self._on_rest()
