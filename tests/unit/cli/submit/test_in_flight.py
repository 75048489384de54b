"""The window between the threads that send and the one that collects."""

import threading

from cli.submit.in_flight import InFlight
from cli.submit.outcome import SentImage
from cli.submit.pace import LONGEST_SECONDS, SHORTEST_SECONDS, Pace

WAIT_SECONDS = 10.0


def in_thread(work, *arguments) -> tuple[threading.Thread, list]:
    answers: list = []
    thread = threading.Thread(target=lambda: answers.append(work(*arguments)), daemon=True)
    thread.start()
    return thread, answers


def test_no_more_are_under_way_than_the_window_holds() -> None:
    window = InFlight(limit=2, senders=1)
    assert window.reserve(1)
    assert window.reserve(1)
    thread, answers = in_thread(window.reserve, 1)
    window.add("1", SentImage("a.jpg"))
    thread.join(0.05)
    assert thread.is_alive()
    assert window.end(["1"]) == [SentImage("a.jpg")]
    thread.join(WAIT_SECONDS)
    assert answers == [1]


def test_several_places_are_taken_as_far_as_they_are_free() -> None:
    window = InFlight(limit=5, senders=1)
    assert [window.reserve(3), window.reserve(3)] == [3, 2]
    window.release(2)
    assert window.reserve(3) == 2


def test_collector_waits_for_what_is_reserved_and_ends_when_nothing_more_can_come() -> None:
    window = InFlight(limit=2, senders=1)
    window.reserve(1)
    thread, answers = in_thread(window.task_ids)
    window.leave()
    thread.join(0.05)
    assert thread.is_alive()
    window.add("1", SentImage("a.jpg"))
    thread.join(WAIT_SECONDS)
    assert answers == [["1"]]
    window.end(["1"])
    assert window.task_ids() == []


def test_closed_window_lets_nothing_in_and_does_not_wait_for_senders() -> None:
    window = InFlight(limit=1, senders=3)
    window.reserve(1)
    thread, answers = in_thread(window.reserve, 1)
    window.close()
    thread.join(WAIT_SECONDS)
    assert answers == [0]
    window.release()
    assert window.task_ids() == []


def polled(pace: Pace, milliseconds_per_image: float, window: int, polls: int) -> None:
    for _ in range(polls):
        ended = min(window, int(1000 * pace.seconds / milliseconds_per_image))
        pace.adapt(ended, window)


def test_pace_settles_where_a_poll_finds_a_part_of_the_window_ended() -> None:
    pace = Pace()
    polled(pace, milliseconds_per_image=10, window=64, polls=30)
    assert 0.15 * 64 * 0.010 / 1.5 <= pace.seconds <= 0.4 * 64 * 0.010 * 1.5


def test_pace_keeps_within_its_bounds() -> None:
    pace = Pace()
    polled(pace, milliseconds_per_image=10_000, window=64, polls=50)
    assert pace.seconds == LONGEST_SECONDS
    polled(pace, milliseconds_per_image=0.01, window=64, polls=50)
    assert pace.seconds == SHORTEST_SECONDS


def test_abandoned_window_waits_for_no_place_whose_image_is_never_read() -> None:
    window = InFlight(limit=2, senders=1)
    window.reserve(1)
    window.close()
    thread, answers = in_thread(window.task_ids)
    thread.join(0.05)
    assert thread.is_alive()
    window.abandon()
    thread.join(WAIT_SECONDS)
    assert answers == [[]]
