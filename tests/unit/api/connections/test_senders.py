"""Who sends a request is known from its key, or else from the address that proxies of the operator forward."""

import pytest

from api.connections.senders import Sender, Senders, client_network

KEYS = {"known": 7}


@pytest.mark.parametrize(
    ("proxies", "headers", "expected"),
    [
        (0, [], Sender("10.0.0.1")),
        (0, [("X-API-KEY", "known")], Sender("10.0.0.1", 7, "known")),
        (0, [("X-API-KEY", "guessed")], Sender("10.0.0.1", None, "guessed")),
        (0, [("X-FORWARDED-FOR", "1.1.1.1")], Sender("10.0.0.1")),
        (1, [("X-FORWARDED-FOR", "1.1.1.1")], Sender("1.1.1.1")),
        (1, [("X-FORWARDED-FOR", "9.9.9.9, 1.1.1.1")], Sender("1.1.1.1")),
        (1, [("X-FORWARDED-FOR", "9.9.9.9"), ("X-FORWARDED-FOR", "1.1.1.1")], Sender("1.1.1.1")),
        (2, [("X-FORWARDED-FOR", "9.9.9.9, 1.1.1.1, 2.2.2.2")], Sender("1.1.1.1")),
        (2, [("X-FORWARDED-FOR", "2.2.2.2")], Sender("10.0.0.1")),
        (1, [("X-FORWARDED-FOR", ""), ("X-API-KEY", "known")], Sender("10.0.0.1", 7, "known")),
    ],
)
def test_sender_is_found(proxies: int, headers: list[tuple[str, str]], expected: Sender) -> None:
    assert Senders(proxies, KEYS.get).of(headers, "10.0.0.1") == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::"),
        ("[2001:db8:1:2::1]", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("not:an:address", "not:an:address"),
        ("x" * 10_000, "x" * 50),
    ],
)
def test_addresses_of_one_client_are_one(address: str, expected: str) -> None:
    assert client_network(address) == expected


def test_accounts_are_told_from_addresses() -> None:
    assert Sender("7").name != Sender("x", 7).name


def test_keys_that_are_not_known_share_the_turns_of_their_address() -> None:
    first, second = Sender("a", None, "x"), Sender("a", None, "y")
    assert first.name == second.name
    assert first.part != second.part
    assert "x" not in repr(first)
