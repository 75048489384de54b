"""The table of special-purpose addresses agrees with the interpreter's ``ipaddress``, but for what is listed here.

Releases follow IANA's registries at their own pace, and patch releases of one Python differ. A difference that no
line explains is a fault of the table, or a block that was registered after it was written.
"""

from ipaddress import ip_address

import pytest

from workers.addresses.special_blocks import SPECIAL_BLOCKS, Address, SpecialBlock, special_block

OLD = "3.11 and 3.12 differ, at least in their first releases"
LATER = "registered, or taken up by Python, later"
NO_ANSWER = "the registry has no answer; we take it for unreachable"

DIFFERENCES = {
    "192.0.0.0/24": OLD,
    "192.0.0.8/32": OLD,
    "192.88.99.0/24": NO_ANSWER,
    "192.88.99.2/32": "Python takes it for global, like all around it",
    "64:ff9b:1::/48": OLD,
    "100:0:0:1::/64": LATER,
    "2001:1::1/128": OLD,
    "2001:1::2/128": OLD,
    "2001:1::3/128": LATER,
    "2001:3::/32": OLD,
    "2001:4:112::/48": OLD,
    "2001:20::/28": OLD,
    "2001:30::/28": OLD,
    "2002::/16": OLD,
    "3fff::/20": LATER,
    "5f00::/16": LATER,
}


def edges(block: SpecialBlock) -> list[Address]:
    """The first and the last address of a block, and those before and after it, where there are any."""
    network = block.network
    first, last = int(network.network_address), int(network.broadcast_address)
    numbers = [first - 1, first, last, last + 1]
    kind = type(network.network_address)
    return [kind(number) for number in numbers if 0 <= number < 2**network.max_prefixlen]


@pytest.mark.parametrize("block", SPECIAL_BLOCKS, ids=lambda block: str(block.network))
def test_interpreter_agrees_at_the_edges_of_each_block(block: SpecialBlock) -> None:
    for address in edges(block):
        found = special_block(address)
        reachable = found is None or found.globally_reachable is True
        explained = found is not None and str(found.network) in DIFFERENCES
        assert address.is_global == reachable or explained, f"{address} in {found}"


def test_listed_differences_are_blocks() -> None:
    assert DIFFERENCES.keys() <= {str(block.network) for block in SPECIAL_BLOCKS}


def test_smallest_block_counts() -> None:
    found = special_block(ip_address("192.0.0.9"))
    assert found is not None
    assert str(found.network) == "192.0.0.9/32"
    around = special_block(ip_address("192.0.0.11"))
    assert around is not None
    assert str(around.network) == "192.0.0.0/24"


def test_each_block_stands_once() -> None:
    networks = [block.network for block in SPECIAL_BLOCKS]
    assert len(networks) == len(set(networks))
