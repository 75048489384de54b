"""Looking a host up and connecting to it, each until a deadline."""

import socket
from collections.abc import Sequence
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic

from workers.addresses.hosts import literal_address
from workers.addresses.special_blocks import Address

# A name may have hundreds of addresses; trying them all would let a client point the workers at strangers.
_MAX_ADDRESSES_TRIED = 4


def seconds_until(deadline: float | None) -> float:
    """Return the seconds until an instant of ``time.monotonic()``, more than 0; without a deadline there are none.

    Raises:
        TimeoutError: when it has passed.
    """
    left = (deadline or 0.0) - monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def look_up(host: str, deadline: float | None) -> list[Address]:
    """Return the addresses of a plain host, in the order in which to try them; none when it has none.

    The system's resolver takes no timeout, so a thread of its own waits for it, and is left behind at the deadline.

    Raises:
        TimeoutError: when the deadline has passed.
    """
    literal = literal_address(host)
    if literal is not None:
        return [literal]
    answers: SimpleQueue[list[Address]] = SimpleQueue()

    def resolve() -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            answers.put([ip_address(place[0]) for *_, place in found])
        except (OSError, ValueError):
            answers.put([])

    Thread(target=resolve, name="look-up", daemon=True).start()
    try:
        return answers.get(timeout=seconds_until(deadline))
    except Empty:
        raise TimeoutError from None


def connect(addresses: Sequence[Address], port: int, deadline: float | None) -> socket.socket:
    """Return a socket connected to the first of the addresses that answers; all get a fair share of the time.

    Raises:
        OSError: when none of the first few answers.
    """
    candidates = addresses[:_MAX_ADDRESSES_TRIED]
    failure = OSError("There is no address to connect to.")
    for tried, address in enumerate(candidates):
        try:
            return _connect_to(address, port, seconds_until(deadline) / (len(candidates) - tried))
        except OSError as error:
            failure = error
    raise failure


def _connect_to(address: Address, port: int, timeout_seconds: float) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_seconds)
        connection.connect((str(address), port))
    except BaseException:
        connection.close()
        raise
    return connection
