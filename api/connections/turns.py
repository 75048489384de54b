"""Decides whose request is next: senders take turns, one in each round of the event loop.

A process computes one thing at a time. Without turns it answers whatever has arrived: a client with a thousand
pipelined requests is served a thousand times before another one is served once. In turns, a sender waits for one piece
of work of each other sender at most. A piece is the start of a request, or what follows a call of ``take_turn``: the
parts of a request that compute for long call it in between.

Turns are counted in seconds: who has held the loop for long rests for as long, while others are active.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextvars import ContextVar
from time import monotonic, sleep
from typing import Any, TypeVar

import gevent
from gevent import monkey
from gevent.hub import Waiter

from api.connections.queues import SenderQueue

LONG_SECONDS = 0.02  # a piece of work after which its sender rests
ACTIVE_SECONDS = 1.0  # how long after its last turn a sender counts as active
SLICE_SECONDS = 0.005  # how long work in small steps goes on before the next turn
MAX_SMALL_BYTES = 64 * 1024  # of what is looked through in a moment
MAX_DEFERRED = 32  # rounds in a row that go to new connections alone

T = TypeVar("T")

_take: ContextVar[Callable[[], None] | None] = ContextVar("take", default=None)
_thread_id = monkey.get_original("_thread", "get_ident")


class Turns:
    """The turns of one process; to be made by the thread that runs its event loop."""

    def __init__(self) -> None:
        self._hub = gevent.get_hub()
        self._thread = _thread_id()
        self._round = self._hub.loop.timer(0)  # passes once the loop has looked at all connections
        self._alarm: Any = None  # for when all who wait are resting
        self._waiting: OrderedDict[Hashable, SenderQueue] = OrderedDict()
        self._free = True
        self._arrivals = False
        self._deferred = 0
        self._last: tuple[Hashable, float] = (None, 0.0)  # who had the last turn, and since when
        self._active: OrderedDict[Hashable, float] = OrderedDict()  # when each sender had its last turn, oldest first
        self._rest_until: dict[Hashable, float] = {}

    def defer(self) -> None:
        """Let connections that arrive be accepted before the next turn, since that takes little."""
        self._arrivals = True

    def take(self, sender: Hashable, part: Hashable = None) -> None:
        """Return when it is the turn of ``sender``, and among its own requests that of ``part``."""
        if _thread_id() != self._thread:
            return
        now = monotonic()
        if self._free and not self._rests(sender, now):
            self._begin(sender, now)
            return
        waiter = Waiter()
        self._waiting.setdefault(sender, SenderQueue()).put(part, waiter)
        if self._free:
            self._start_round()
        try:
            waiter.get()
        except BaseException:
            self._forget(sender, part, waiter)
            raise

    def waiting(self) -> int:
        """Return how many wait for a turn."""
        return sum(map(len, self._waiting.values()))

    def _forget(self, sender: Hashable, part: Hashable, waiter: Any) -> None:
        queue = self._waiting.get(sender)
        if queue is not None:
            queue.remove(part, waiter)
            if not queue:
                del self._waiting[sender]

    def _begin(self, sender: Hashable, now: float) -> None:
        self._last = (sender, now)
        self._active[sender] = now
        self._active.move_to_end(sender)
        self._start_round()

    def _start_round(self) -> None:
        self._free = False
        self._round.start(self._next)

    def _next(self) -> None:
        """Give the next turn. Called by the loop."""
        now = monotonic()
        self._settle(now)
        if self._waiting and self._arrivals and self._deferred < MAX_DEFERRED:
            self._arrivals, self._deferred = False, self._deferred + 1
            self._start_round()
            return
        self._deferred = 0
        sender = next((each for each in self._waiting if not self._rests(each, now)), None)
        if sender is not None:
            self._pass_to(sender, now)
        elif self._waiting:
            self._wait_for_rested(now)
        else:
            self._free = True

    def _pass_to(self, sender: Hashable, now: float) -> None:
        queue = self._waiting[sender]
        waiter = queue.pop()
        if queue:
            self._waiting.move_to_end(sender)
        else:
            del self._waiting[sender]
        self._begin(sender, now)
        waiter.switch(None)

    def _settle(self, now: float) -> None:
        """Count how long the last turn held the loop."""
        sender, began = self._last
        held = now - began
        if sender is not None and held > LONG_SECONDS:
            self._rest_until = {each: until for each, until in self._rest_until.items() if until > now}
            self._rest_until[sender] = now + held
        self._last = (None, 0.0)
        while self._active and now - next(iter(self._active.values())) > ACTIVE_SECONDS:
            self._active.popitem(last=False)

    def _rests(self, sender: Hashable, now: float) -> bool:
        alone = len(self._active) - (sender in self._active) == 0
        return not alone and self._rest_until.get(sender, 0.0) > now

    def _wait_for_rested(self, now: float) -> None:
        """Have the loop come back when the first one that waits has rested; a new sender is let in before."""
        self._free = True
        if self._alarm is not None:
            self._alarm.close()
        until = min(self._rest_until[sender] for sender in self._waiting)
        self._alarm = self._hub.loop.timer(until - now)
        self._alarm.start(self._wake)

    def _wake(self) -> None:
        if self._free:
            self._start_round()


def take_turns_with(take: Callable[[], None]) -> None:
    """Have ``take_turn`` call ``take`` in this greenlet."""
    _take.set(take)


def take_turn() -> None:
    """Let others go first, where this request computes for long."""
    (_take.get() or _let_others_run)()


def take_turn_over(nbytes: int) -> None:
    """Let others go first if so many bytes are not looked through in a moment."""
    if nbytes > MAX_SMALL_BYTES:
        take_turn()


def _let_others_run() -> None:
    sleep(0)


class Slices:
    """Work in small steps: takes a turn in between, whenever it has gone on for a while."""

    def __init__(self) -> None:
        self._began = monotonic()

    def pause(self) -> None:
        """Take a turn if it is time for one."""
        if monotonic() - self._began > SLICE_SECONDS:
            take_turn()
            self._began = monotonic()


def in_slices(items: Iterable[T]) -> Iterator[T]:
    """Yield ``items``, and take a turn whenever their user has worked on them for a while."""
    slices = Slices()
    for item in items:
        slices.pause()
        yield item
