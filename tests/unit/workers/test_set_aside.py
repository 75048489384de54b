"""What waits for a network or an image without a thread: bounded in number and bytes, and never lost."""

import threading
import time
import weakref
from concurrent.futures import Future
from functools import partial

import pytest

from config.queues import TaskKind
from store.redis_connection import connect
from store.task_ledger import TaskLedger
from store.task_records import ClaimedTask
from workers import set_aside
from workers.leases import Leases
from workers.set_aside import GoOn, SetAside


def task(number: int, account_id: int = 1) -> ClaimedTask:
    return ClaimedTask(
        id=str(number),
        account_id=account_id,
        kind=TaskKind.RECOGNITION,
        attempt=1,
        fence=1,
        request={},
        inputs=[],
        queued_seconds=0.0,
    )


@pytest.fixture
def leases(redis_url: str) -> Leases:
    return Leases(TaskLedger(connect(redis_url), 60), 60)


def test_account_has_as_many_tasks_as_are_left_free(leases: Leases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_aside, "MOST_TASKS", 4)
    kept, network = SetAside(leases, 1), Future[None]()

    def take(number: int, account_id: int) -> bool:
        return kept.take(task(number, account_id), 0, network, lambda: False)

    assert [take(number, account_id=1) for number in range(3)] == [True, True, False]
    assert kept.crowded() == {1}
    assert [take(number, account_id=2) for number in range(3, 5)] == [True, False]
    assert kept.crowded() == {1, 2}
    assert [take(5, account_id=3), take(6, account_id=4)] == [True, False]
    assert len(leases.held_now()) == 4
    network.set_result(None)
    kept.close()
    assert kept.crowded() == set()


def test_account_has_as_many_bytes_as_are_left_free(leases: Leases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_aside, "MOST_BYTES", 9)
    kept, network = SetAside(leases, 1), Future[None]()
    assert kept.take(task(1), 3, network, lambda: False)
    assert not kept.take(task(2), 4, network, lambda: False)
    assert kept.take(task(3), 3, network, lambda: False)
    assert kept.crowded() == {1}
    assert kept.take(task(4, account_id=2), 3, network, lambda: False)
    kept.give_up()
    assert kept.crowded() == set()


def test_no_more_bytes_are_kept_than_may_be_until_tasks_go_on(leases: Leases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_aside, "MOST_BYTES", 10)
    kept, network, done = SetAside(leases, 1), Future[None](), list[int]()

    def go_on(number: int) -> GoOn:
        return lambda: bool(done.append(number))

    assert kept.take(task(1), 10, network, go_on(1))
    assert not kept.take(task(2), 1, network, go_on(2))
    network.set_result(None)
    assert kept.take(task(3), 1, network, go_on(3))  # at once: it is there
    assert kept.close() == []
    assert done == [1, 3]
    assert leases.held_now() == []


def test_task_that_fails_unexpectedly_lets_go_of_its_lease(leases: Leases, caplog: pytest.LogCaptureFixture) -> None:
    kept, network = SetAside(leases, 1), Future[None]()

    def fail() -> bool:
        raise ValueError("unexpected")

    kept.take(task(1), 0, network, fail)
    network.set_result(None)
    kept.close()
    assert leases.held_now() == []
    assert "Task 1 could not go on." in caplog.text


def test_task_that_waits_again_keeps_its_lease(leases: Leases) -> None:
    kept, network, image, went_on = SetAside(leases, 2), Future[None](), Future[None](), threading.Event()

    def wait_again() -> bool:
        went_on.set()
        return kept.take(task(1), 0, image, lambda: False)

    kept.take(task(1), 0, network, wait_again)
    network.set_result(None)
    assert went_on.wait(20)
    while not kept._waiting:
        time.sleep(0.01)
    assert leases.held_now() == [task(1)]
    image.set_result(None)
    kept.close()
    assert leases.held_now() == []


def test_waiting_is_not_running(leases: Leases) -> None:
    kept, network, release = SetAside(leases, 1), Future[None](), threading.Event()
    kept.take(task(1), 0, network, lambda: not release.wait(20))
    time.sleep(0.05)
    assert leases.longest_seconds() == 0
    network.set_result(None)
    while not leases.longest_seconds():
        time.sleep(0.01)
    release.set()
    kept.close()


def test_what_is_given_up_does_not_go_on(leases: Leases) -> None:
    kept, network, done = SetAside(leases, 1), Future[None](), list[int]()
    kept.take(task(1), 0, network, lambda: bool(done.append(1)))
    assert kept.give_up() == [task(1)]
    assert leases.held_now() == []
    network.set_result(None)
    assert kept.close() == []
    assert done == []


def test_nothing_is_kept_after_the_end(leases: Leases) -> None:
    kept = SetAside(leases, 1)
    assert kept.close() == []
    assert not kept.take(task(1), 0, Future[None](), lambda: False)


def _has_to_wait_again(_task: ClaimedTask) -> bool:
    return False


def test_future_that_stays_holds_no_task_that_has_gone_on(leases: Leases) -> None:
    kept, network = SetAside(leases, 1), Future[None]()
    waiting = [task(1)]
    assert kept.take(waiting[0], 0, network, partial(_has_to_wait_again, *waiting))
    reference = weakref.ref(waiting.pop())
    network.set_result(None)
    kept.close()
    assert reference() is None
