"""Which addresses a worker may connect to for a client, so that no image URL opens the operator's own network.

``workers.fetch`` looks a name up, has ``AddressPolicy`` judge the answer, and connects to those very addresses.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from config.settings import Network
from workers.addresses.special_blocks import Address, special_block

_MULTICAST_IPV4 = IPv4Network("224.0.0.0/4")  # a registry of its own (RFC 5771)
_AZURE_HOST_AGENT = IPv4Address("168.63.129.16")  # looks public, and is the host of every Azure machine

# Nothing outside this block is given to the public Internet: not loopback, link-local, private, multicast, or the old
# IPv4-compatible and IPv4-translated forms.
_OPEN_IPV6 = IPv6Network("2000::/3")

# The last 32 bits are an IPv4 address, to which the kernel or a NAT64 gateway sends the packets. Networks without IPv4
# reach all of it by the second.
_IPV4_IN_IPV6 = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))

# What stands before the IPv4 address in the interface identifier of ISATAP (RFC 5214).
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)
_LOW_32_BITS = 0xFFFF_FFFF


class AddressPolicy:
    """Permits public addresses, and those in the networks that the operator allows."""

    def __init__(self, allowed: tuple[Network, ...]) -> None:
        self._allowed = allowed

    def permits(self, address: Address) -> bool:
        """Return whether a connection to the address may be opened.

        Every block of IANA's registries is refused, the globally reachable ones too: anycast services end at the
        nearest router, and 6to4 and Teredo at a relay of unknown rights, to reach servers that have other addresses.
        An address of ``_IPV4_IN_IPV6`` is judged by the IPv4 address in it, one of ISATAP by both.
        """
        if any(address in network for network in self._allowed):
            return True
        if isinstance(address, IPv4Address):
            return not (address in _MULTICAST_IPV4 or address == _AZURE_HOST_AGENT or special_block(address))
        if any(address in network for network in _IPV4_IN_IPV6):
            return self.permits(_last_ipv4(address))
        if address not in _OPEN_IPV6 or special_block(address):
            return False
        return not _is_isatap(address) or self.permits(_last_ipv4(address))


def _is_isatap(address: IPv6Address) -> bool:
    return (int(address) >> 32) & _LOW_32_BITS in _ISATAP


def _last_ipv4(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & _LOW_32_BITS)
