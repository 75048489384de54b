"""Hosts of URLs as text: what is an address, what a DNS name, and what neither."""

import re
from ipaddress import ip_address

from workers.addresses.special_blocks import Address

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_MAX_NAME_LENGTH = 253


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
