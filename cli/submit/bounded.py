"""Calls that may never return, such as those that read from a file system whose server is gone."""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

SILENCE_SECONDS = 60.0  # of a file or folder that does not answer

Value = TypeVar("Value")

_per_thread = threading.local()


class NoAnswer(Exception):
    """A call has not returned in time; the thread that made it is left to itself."""


class _Helper:
    """A thread that makes calls for another one; it keeps no process from ending."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], Any]] = SimpleQueue()
        self._answers: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        threading.Thread(target=self._work, name="bounded call", daemon=True).start()

    def call(self, function: Callable[[], Value], seconds: float | None) -> Value:
        """Return what the function returns.

        Raises:
            Empty: when it has not returned in time.
        """
        self._calls.put(function)
        value, error = self._answers.get(timeout=seconds)
        if error is not None:
            raise error
        return value  # type: ignore[no-any-return]

    def _work(self) -> None:
        while True:
            try:
                self._answers.put((self._calls.get()(), None))
            except Exception as error:  # it is raised again in the thread that waits
                self._answers.put((None, error))


def bounded(function: Callable[[], Value], seconds: float | None = SILENCE_SECONDS) -> Value:
    """Return what ``function`` returns, called in another thread, so that Ctrl-C is heard meanwhile.

    Args:
        function: raises what it likes.
        seconds: how long it may take; None for as long as it takes.

    Raises:
        NoAnswer: when it takes longer.
    """
    helper: _Helper | None = getattr(_per_thread, "helper", None)
    if helper is None:
        helper = _per_thread.helper = _Helper()
    try:
        return helper.call(function, seconds)
    except Empty:
        del _per_thread.helper
        raise NoAnswer from None
    except KeyboardInterrupt:
        del _per_thread.helper  # its answer, if it ever comes, is of a call that nobody waits for
        raise
