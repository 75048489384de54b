"""The requests of one sender that wait for a turn; its parts, which may be others behind one address, alternate."""

from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Any


class SenderQueue:
    """Requests in the order in which they came, one of each part after the other."""

    def __init__(self) -> None:
        self._parts: OrderedDict[Hashable, deque[Any]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._parts.values()))

    def __bool__(self) -> bool:
        return bool(self._parts)

    def put(self, part: Hashable, waiter: Any) -> None:
        """Add a request at the end of its part."""
        self._parts.setdefault(part, deque()).append(waiter)

    def pop(self) -> Any:
        """Remove the next request, and return it."""
        part, waiters = next(iter(self._parts.items()))
        waiter = waiters.popleft()
        if waiters:
            self._parts.move_to_end(part)
        else:
            del self._parts[part]
        return waiter

    def remove(self, part: Hashable, waiter: Any) -> None:
        """Remove a request, if it is still there."""
        waiters = self._parts.get(part)
        if waiters is not None and waiter in waiters:
            waiters.remove(waiter)
            if not waiters:
                del self._parts[part]
