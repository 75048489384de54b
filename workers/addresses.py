"""Where workers may connect for clients, so that no image URL opens the operator's own network.

``workers.fetch`` looks a name up, has ``AddressPolicy`` judge the answer, and connects to those very addresses.
Python's ``is_global`` is not used: its answers differ between patch releases, and it takes multicast, NAT64,
6to4 and other ranges for global. The lists here follow IANA's special-purpose address registries (RFC 6890).
"""

import re
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic

from config.settings import Network

Address = IPv4Address | IPv6Address

_CLOSED_IPV4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # "this network"; Linux takes 0.0.0.0 for the machine itself
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # behind a carrier's NAT
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # looks public, but is the host agent of every Azure machine
        "169.254.0.0/16",  # link-local, with the metadata services of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; its anycast addresses end at the nearest router
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112 anycast: often served inside the operator's network, as are the next three
        "192.52.193.0/24",  # multicast tunnelling (AMT) anycast
        "192.88.99.0/24",  # 6to4 relay anycast, deprecated
        "192.175.48.0/24",  # AS112 anycast
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/3",  # multicast, reserved, broadcast
    )
)
# Nothing outside this block is given to the public Internet: not loopback, link-local, private, multicast,
# the local-use NAT64 prefix 64:ff9b:1::/48, or the old IPv4-compatible and IPv4-translated forms.
_OPEN_IPV6 = IPv6Network("2000::/3")
_CLOSED_IPV6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: benchmarks, ORCHID, anycast, …
        "2001:db8::/32",  # documentation
        "2620:4f:8000::/48",  # AS112 anycast
        "3fff::/20",  # documentation
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_LOW_32_BITS = 0xFFFF_FFFF

# A name may have hundreds of addresses; trying them all would let a client point the workers at strangers.
_MAX_ADDRESSES_TRIED = 4

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_MAX_NAME_LENGTH = 253


class AddressPolicy:
    """Permits public addresses, and those in the networks that the operator allows."""

    def __init__(self, allowed: tuple[Network, ...]) -> None:
        self._allowed = allowed

    def permits(self, address: Address) -> bool:
        """Return whether a connection to the address may be opened.

        An IPv6 address that carries IPv4 addresses is judged by those: a gateway sends its packets there.
        """
        if any(address in network for network in self._allowed):
            return True
        if isinstance(address, IPv4Address):
            return not any(address in network for network in _CLOSED_IPV4)
        carried = _carried_ipv4(address)
        if carried:
            return all(self.permits(inner) for inner in carried)
        return address in _OPEN_IPV6 and not any(address in network for network in _CLOSED_IPV6)


def _carried_ipv4(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """Return the IPv4 addresses inside an IPv6 one: mapped, 6to4, Teredo (server and client), NAT64.

    The NAT64 prefix for local use (RFC 8215) is left out, and so refused: where the IPv4 address stands in it
    depends on a prefix length that only its network knows. The operator may allow the prefix in the settings.
    """
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    if address in _NAT64:
        return (IPv4Address(int(address) & _LOW_32_BITS),)
    return ()


def literal_address(host: str) -> Address | None:
    """Return the address that the host is when it is written as one, else None."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def is_plain_host(host: str) -> bool:
    """Return whether an ASCII, lower-case host is a DNS name or an address in its usual form.

    Other spellings of addresses, which resolvers read in different ways, are not plain: ``127.1``,
    ``2130706433``, ``0x7f.0.0.1``, ``0177.0.0.1``, ``fe80::1%eth0``. Whether a plain host is public is for
    ``AddressPolicy`` to say.
    """
    if literal_address(host) is not None:
        return "%" not in host
    labels = host.split(".")
    return (
        len(host) <= _MAX_NAME_LENGTH
        and all(_LABEL.fullmatch(label) for label in labels)
        and not _NUMBER.fullmatch(labels[-1])
    )


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
