"""Tells who sends a request, before anything else is done for it: an account, where the key was valid a while ago.

Everyone else is known by the network address. Behind proxies that are trusted, that is the address which they forward.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

IPV6_CLIENT_BITS = 64  # a client has at least so large a network, and may change its address within it

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Sender:
    """Who sends a request."""

    address: str
    account_id: int | None = None
    key: str = field(default="", repr=False)

    @property
    def name(self) -> tuple[str, str | int]:
        """What turns are taken by."""
        return ("address", self.address) if self.account_id is None else ("account", self.account_id)

    @property
    def part(self) -> str:
        """What its own turns alternate by: keys that are not known yet, or addresses of one account."""
        return self.key if self.account_id is None else self.address


class Senders:
    """Finds the sender of a request from its headers, whose names are in capitals."""

    def __init__(self, trusted_proxies: int, account_of: Callable[[str], int | None]) -> None:
        self._trusted_proxies = trusted_proxies
        self._account_of = account_of

    def of(self, headers: Headers, peer: str) -> Sender:
        """Return the sender of a request that came from ``peer``."""
        key, forwarded = "", []
        for name, value in headers:
            if name == "X-API-KEY":
                key = value
            elif name == "X-FORWARDED-FOR":
                forwarded.append(value)
        address = self._forwarded(forwarded) or peer
        return Sender(client_network(address), self._account_of(key) if key else None, key)

    def _forwarded(self, values: list[str]) -> str | None:
        if not self._trusted_proxies or not values:
            return None
        addresses = ",".join(values).rsplit(",", self._trusted_proxies)
        return addresses[-self._trusted_proxies].strip() if len(addresses) >= self._trusted_proxies else None


def client_network(address: str) -> str:
    """Return what stands for the client at ``address``: the address, but of IPv6 the network of one client."""
    if ":" not in address:
        return address[:50]
    try:
        parsed = ip_address(address.partition("%")[0].strip("[]"))
    except ValueError:
        return address[:50]
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Address(int(parsed) >> IPV6_CLIENT_BITS << IPV6_CLIENT_BITS))
