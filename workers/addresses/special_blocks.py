"""IANA's registries of special-purpose addresses, as data: no answer depends on the interpreter's ``ipaddress``.

Python's ``is_global`` and ``is_private`` follow these registries as each release knows them: 3.11 and 3.13 differ in
6to4, in NAT64 and in all that was registered since. ``workers.addresses.policy`` judges by this table; a test holds
it against the interpreter that runs it, with every difference listed.

Source: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890, RFC 8190), as of October 2025.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address


@dataclass(frozen=True)
class SpecialBlock:
    """One row of a registry. ``globally_reachable`` is None where the registry has no answer."""

    network: IPv4Network | IPv6Network
    name: str
    rfc: int
    globally_reachable: bool | None


_ROWS: tuple[tuple[str, str, int, bool | None], ...] = (
    ("0.0.0.0/8", "This network", 791, False),
    ("0.0.0.0/32", "This host on this network", 1122, False),
    ("10.0.0.0/8", "Private use", 1918, False),
    ("100.64.0.0/10", "Shared address space, behind a carrier's NAT", 6598, False),
    ("127.0.0.0/8", "Loopback", 1122, False),
    ("169.254.0.0/16", "Link-local, with the metadata services of most clouds", 3927, False),
    ("172.16.0.0/12", "Private use", 1918, False),
    ("192.0.0.0/24", "IETF protocol assignments", 6890, False),
    ("192.0.0.0/29", "IPv4 service continuity prefix", 7335, False),
    ("192.0.0.8/32", "IPv4 dummy address", 7600, False),
    ("192.0.0.9/32", "Port Control Protocol anycast", 7723, True),
    ("192.0.0.10/32", "TURN anycast", 8155, True),
    ("192.0.0.170/32", "NAT64 and DNS64 discovery", 7050, False),
    ("192.0.0.171/32", "NAT64 and DNS64 discovery", 7050, False),
    ("192.0.2.0/24", "Documentation (TEST-NET-1)", 5737, False),
    ("192.31.196.0/24", "AS112 anycast", 7535, True),
    ("192.52.193.0/24", "Automatic multicast tunnelling anycast", 7450, True),
    ("192.88.99.0/24", "6to4 relay anycast, deprecated", 7526, None),
    ("192.88.99.2/32", "6a44 relay anycast", 6751, False),
    ("192.168.0.0/16", "Private use", 1918, False),
    ("192.175.48.0/24", "AS112 anycast by direct delegation", 7534, True),
    ("198.18.0.0/15", "Benchmarks", 2544, False),
    ("198.51.100.0/24", "Documentation (TEST-NET-2)", 5737, False),
    ("203.0.113.0/24", "Documentation (TEST-NET-3)", 5737, False),
    ("240.0.0.0/4", "Reserved", 1112, False),
    ("255.255.255.255/32", "Limited broadcast", 919, False),
    ("::1/128", "Loopback", 4291, False),
    ("::/128", "Unspecified", 4291, False),
    ("::ffff:0:0/96", "IPv4-mapped", 4291, False),
    ("64:ff9b::/96", "NAT64, the well-known prefix", 6052, True),
    ("64:ff9b:1::/48", "NAT64 for local use", 8215, False),
    ("100::/64", "Discard-only", 6666, False),
    ("100:0:0:1::/64", "IPv6 dummy prefix", 9780, False),
    ("2001::/23", "IETF protocol assignments", 2928, False),
    ("2001::/32", "Teredo", 4380, None),
    ("2001:1::1/128", "Port Control Protocol anycast", 7723, True),
    ("2001:1::2/128", "TURN anycast", 8155, True),
    ("2001:1::3/128", "DNS-SD registration anycast", 9665, True),
    ("2001:2::/48", "Benchmarks", 5180, False),
    ("2001:3::/32", "Automatic multicast tunnelling", 7450, True),
    ("2001:4:112::/48", "AS112 anycast", 7535, True),
    ("2001:10::/28", "ORCHID, deprecated", 4843, None),
    ("2001:20::/28", "ORCHIDv2", 7343, True),
    ("2001:30::/28", "Identifiers of drones", 9374, True),
    ("2001:db8::/32", "Documentation", 3849, False),
    ("2002::/16", "6to4", 3056, None),
    ("2620:4f:8000::/48", "AS112 anycast by direct delegation", 7534, True),
    ("3fff::/20", "Documentation", 9637, False),
    ("5f00::/16", "Segment routing", 9602, False),
    ("fc00::/7", "Unique local", 4193, False),
    ("fe80::/10", "Link-local", 4291, False),
)

SPECIAL_BLOCKS = tuple(
    SpecialBlock(ip_network(network), name, rfc, globally_reachable) for network, name, rfc, globally_reachable in _ROWS
)


def special_block(address: Address) -> SpecialBlock | None:
    """Return the smallest registered block that the address is in, or None for an ordinary address."""
    around = [block for block in SPECIAL_BLOCKS if address in block.network]
    return max(around, key=lambda block: block.network.prefixlen, default=None)
