"""Bounds what one client has of the connections of a process, so that some are left for others.

A connection that waits for its next request gives way to a new one when there is no room. Requests that are being
answered do not, those that wait for a task included: they are counted for each account and each network address.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from api.connections.senders import Sender
from api.http1.closing import interrupt
from api.http1.refusals import Crowded

SHARE = 0.75  # of all connections, for one client, unless the settings say otherwise


class Places:
    """The connections of one process: ``total`` in all, of which one client has at most ``share``.

    With ``by_peer``, who connects is the client; else it is a proxy, which may have them all.
    """

    def __init__(self, total: int, share: int | None, *, by_peer: bool) -> None:
        self._total, self._by_peer = total, by_peer
        self._share = max(1, int(total * SHARE)) if share is None else share
        self._count = 0
        self._open: Counter[str] = Counter()
        self._running: Counter[tuple[str, str | int]] = Counter()
        self._idle: dict[str, OrderedDict[Any, None]] = {}  # sockets by their peer, the longest idle one first

    @contextmanager
    def connection(self, peer: str) -> Iterator[None]:
        """Count a connection of ``peer`` while the block runs.

        Where there is no room for it, one that is idle is ended: of the same client, or of the one that has most.

        Raises:
            Crowded: if the client has as many as it may, and none is idle.
        """
        if self._by_peer and self._open[peer] >= self._share and not self._end_idle_of(peer):
            raise Crowded(f"Your address has {self._share} connections, and may not have more at once.")
        self._open[peer] += 1
        self._count += 1
        if self._count >= self._total and self._idle:
            self._end_idle_of(max(self._idle, key=lambda each: len(self._idle[each])))
        try:
            yield
        finally:
            self._count -= 1
            self._open[peer] -= 1
            if not self._open[peer]:
                del self._open[peer]

    @contextmanager
    def idle(self, client: Any, peer: str) -> Iterator[None]:
        """Let the connection give way to others while the block runs."""
        self._idle.setdefault(peer, OrderedDict())[client] = None
        try:
            yield
        finally:
            self._leave_idle(client, peer)

    def end_idle(self) -> None:
        """End all connections that are idle."""
        for peer in tuple(self._idle):
            while self._end_idle_of(peer):
                pass

    @contextmanager
    def request(self, sender: Sender) -> Iterator[None]:
        """Count a request while the block runs.

        Raises:
            Crowded: if its account or its address has as many as it may.
        """
        names: list[tuple[str, str | int]] = [("address", sender.address)]
        if sender.account_id is not None:
            names.append(("account", sender.account_id))
        for name in names:
            if self._running[name] >= self._share:
                raise Crowded(f"Your {name[0]} has {self._share} requests under way, and may not have more at once.")
        self._running.update(names)
        try:
            yield
        finally:
            for name in names:
                self._running[name] -= 1
                if not self._running[name]:
                    del self._running[name]

    def _end_idle_of(self, peer: str) -> bool:
        """End the connection of ``peer`` that has been idle the longest; False if there is none."""
        of_peer = self._idle.get(peer)
        if not of_peer:
            return False
        client = next(iter(of_peer))
        self._leave_idle(client, peer)
        interrupt(client)
        return True

    def _leave_idle(self, client: Any, peer: str) -> None:
        of_peer = self._idle.get(peer)
        if of_peer is not None:
            of_peer.pop(client, None)
            if not of_peer:
                del self._idle[peer]
