"""Senders take turns, and those who hold the loop for long rest while others are active."""

from collections.abc import Callable
from time import monotonic, sleep

import gevent
import pytest

from api.connections.turns import LONG_SECONDS, Turns, in_slices, take_turn, take_turns_with

LONGEST_SECONDS = 30.0


@pytest.fixture
def turns() -> Turns:
    return Turns()


def test_new_sender_is_next_however_many_requests_of_others_wait(turns: Turns) -> None:
    log: list[str] = []

    def send(sender: str) -> None:
        log.append(f"{sender} asks")
        turns.take(sender)
        log.append(sender)

    gevent.joinall([*(gevent.spawn(send, "flood") for _ in range(200)), gevent.spawn(send, "lone")], LONGEST_SECONDS)
    assert log.count("flood") == 200
    assert log[log.index("lone asks") : log.index("lone")].count("flood") <= 2


def test_parts_of_a_sender_alternate(turns: Turns) -> None:
    log: list[str] = []

    def send(part: str) -> None:
        turns.take("address", part)
        log.append(part)

    turns.take("address")
    waiting = [gevent.spawn(send, each) for each in ["a"] * 20 + ["b"] * 3]
    gevent.joinall(waiting, LONGEST_SECONDS)
    assert log[:6] == ["a", "b"] * 3
    assert len(log) == 23


def test_pipelined_requests_of_one_connection_take_a_turn_each(turns: Turns) -> None:
    log: list[str] = []

    def pipeline(sender: str) -> None:
        for _ in range(50):
            turns.take(sender)
            log.append(sender)

    gevent.joinall([gevent.spawn(pipeline, each) for each in ("a", "a", "a", "b")], LONGEST_SECONDS)
    assert log.count("b") == 50
    assert len(log[: len(log) - log[::-1].index("b")]) <= 102  # as long as both send, they alternate


def test_one_turn_is_given_in_each_round_of_the_loop(turns: Turns) -> None:
    rounds: list[int] = []
    hub = gevent.get_hub()

    def send() -> None:
        turns.take("a")
        rounds.append(hub.loop.iteration if hasattr(hub.loop, "iteration") else len(rounds))

    gevent.joinall([gevent.spawn(send) for _ in range(20)], LONGEST_SECONDS)
    assert len(set(rounds)) == 20


def holding(turns: Turns, sender: str, log: list[tuple[str, float]]) -> Callable[[], None]:
    def hold() -> None:
        for _ in range(3):
            turns.take(sender)
            log.append((sender, monotonic()))
            sleep(5 * LONG_SECONDS)  # of the process, as one that computes

    return hold


def test_sender_that_held_the_loop_rests_while_others_are_active(turns: Turns) -> None:
    log: list[tuple[str, float]] = []
    heavy = gevent.spawn(holding(turns, "heavy", log))

    def light() -> None:
        while not heavy.ready():
            turns.take("light")
            log.append(("light", monotonic()))
            gevent.sleep(0.001)

    gevent.joinall([heavy, gevent.spawn(light)], LONGEST_SECONDS)
    started = [when for sender, when in log if sender == "heavy"]
    between = [sender for sender, when in log if started[1] < when < started[2]]
    assert between.count("light") > 1


def test_sender_that_is_alone_does_not_rest(turns: Turns) -> None:
    log: list[tuple[str, float]] = []
    gevent.spawn(holding(turns, "heavy", log)).join(LONGEST_SECONDS)
    assert len(log) == 3
    assert not turns._rest_until or not turns._rests("heavy", monotonic())


def test_request_that_gives_up_leaves_the_queue(turns: Turns) -> None:
    turns.take("a")
    waiting = [gevent.spawn(turns.take, "a") for _ in range(3)]
    gevent.idle()
    waiting[1].kill()
    gevent.joinall(waiting, LONGEST_SECONDS)
    assert turns.waiting() == 0
    assert all(each.successful() for each in waiting)


def test_work_in_small_steps_takes_turns_in_between() -> None:
    taken: list[int] = []

    def work() -> None:
        take_turns_with(lambda: taken.append(1))
        take_turn()
        for _ in in_slices(range(5)):
            sleep(0.006)

    gevent.spawn(work).join(LONGEST_SECONDS)
    assert len(taken) == 5


def test_outside_of_a_server_others_run_all_the_same() -> None:
    take_turn()
