"""No client has all connections: idle ones give way, and what is over its share is refused."""

import socket
from contextlib import ExitStack

import pytest

from api.connections.places import Places
from api.connections.senders import Sender
from api.http1.refusals import Crowded


@pytest.fixture
def places() -> Places:
    return Places(8, 4, by_peer=True)


def connected(stack: ExitStack) -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    stack.enter_context(ours)
    stack.enter_context(theirs)
    ours.settimeout(0.01)
    return ours, theirs


def is_ended(ours: socket.socket) -> bool:
    try:
        return ours.recv(1) == b""
    except TimeoutError:
        return False


def test_requests_of_an_account_are_bounded_wherever_they_come_from(places: Places) -> None:
    with ExitStack() as stack:
        for number in range(4):
            stack.enter_context(places.request(Sender(f"10.0.0.{number}", 7)))
        with pytest.raises(Crowded, match="Your account has 4 requests under way"):
            stack.enter_context(places.request(Sender("10.0.0.9", 7)))
        stack.enter_context(places.request(Sender("10.0.0.9", 8)))
    with places.request(Sender("10.0.0.9", 7)):
        pass


def test_requests_of_an_address_are_bounded_whatever_their_keys(places: Places) -> None:
    with ExitStack() as stack:
        for number in range(4):
            stack.enter_context(places.request(Sender("10.0.0.1", number)))
        with pytest.raises(Crowded, match="Your address has 4 requests under way"):
            stack.enter_context(places.request(Sender("10.0.0.1")))


def test_connection_over_the_share_takes_the_place_of_an_idle_one_of_its_client(places: Places) -> None:
    with ExitStack() as stack:
        clients = [connected(stack)[0] for _ in range(5)]
        for peer, client in zip(("a", "a", "a", "a", "b"), clients, strict=True):
            stack.enter_context(places.connection(peer))
            stack.enter_context(places.idle(client, peer))
        stack.enter_context(places.connection("a"))
        assert [is_ended(client) for client in clients] == [True, False, False, False, False]


def test_connection_over_the_share_is_refused_while_none_is_idle(places: Places) -> None:
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(places.connection("a"))
        with pytest.raises(Crowded, match="Your address has 4 connections"):
            stack.enter_context(places.connection("a"))
        stack.enter_context(places.connection("b"))


def test_proxy_may_have_all_connections() -> None:
    places = Places(8, 4, by_peer=False)
    with ExitStack() as stack:
        for _ in range(7):
            stack.enter_context(places.connection("proxy"))


def test_last_place_is_made_free_by_who_has_most_idle_ones() -> None:
    places = Places(4, 4, by_peer=True)
    with ExitStack() as stack:
        clients = [connected(stack)[0] for _ in range(3)]
        for peer, client in zip(("b", "a", "a"), clients, strict=True):
            stack.enter_context(places.connection(peer))
            stack.enter_context(places.idle(client, peer))
        stack.enter_context(places.connection("c"))
        assert [is_ended(client) for client in clients] == [False, True, False]


def test_nothing_is_counted_when_all_have_left(places: Places) -> None:
    with places.connection("a"), places.request(Sender("a", 1)):
        pass
    assert not places._open
    assert not places._running
    assert not places._idle
    assert places._count == 0


def test_share_is_three_quarters_unless_it_is_said() -> None:
    places = Places(100, None, by_peer=True)
    with ExitStack() as stack:
        for _ in range(75):
            stack.enter_context(places.request(Sender("a")))
        with pytest.raises(Crowded, match="75 requests"):
            stack.enter_context(places.request(Sender("a")))
