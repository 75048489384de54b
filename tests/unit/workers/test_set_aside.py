"""What waits for a network without a thread: bounded in number and bytes, and never lost."""

from concurrent.futures import Future

import pytest

from config.queues import TaskKind
from store.redis_connection import connect
from store.task_ledger import TaskLedger
from store.task_records import ClaimedTask
from workers import set_aside
from workers.leases import Leases
from workers.set_aside import SetAside


def task(number: int, inputs: list[bytes]) -> ClaimedTask:
    return ClaimedTask(
        id=str(number),
        account_id=1,
        kind=TaskKind.RECOGNITION,
        attempt=1,
        fence=1,
        request={},
        inputs=inputs,
        queued_seconds=0.0,
    )


@pytest.fixture
def leases(redis_url: str) -> Leases:
    return Leases(TaskLedger(connect(redis_url), 60), 60)


def test_no_more_tasks_are_kept_than_may_be(leases: Leases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_aside, "MOST_TASKS", 2)
    kept, network = SetAside(leases, 1), Future[None]()
    assert [kept.take(task(number, []), network, lambda: None) for number in range(3)] == [True, True, False]
    assert len(leases.held_now()) == 2


def test_no_more_bytes_are_kept_than_may_be_until_tasks_go_on(leases: Leases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_aside, "MOST_BYTES", 10)
    kept, network, done = SetAside(leases, 1), Future[None](), list[int]()
    assert kept.take(task(1, [b"12345", b"67890"]), network, lambda: done.append(1))
    assert not kept.take(task(2, [b"1"]), network, lambda: done.append(2))
    network.set_result(None)
    assert kept.take(task(3, [b"1"]), network, lambda: done.append(3))  # at once: it is there
    assert kept.close() == []
    assert done == [1, 3]
    assert leases.held_now() == []


def test_task_that_fails_unexpectedly_lets_go_of_its_lease(leases: Leases, caplog: pytest.LogCaptureFixture) -> None:
    kept, network = SetAside(leases, 1), Future[None]()

    def fail() -> None:
        raise ValueError("unexpected")

    kept.take(task(1, []), network, fail)
    network.set_result(None)
    kept.close()
    assert leases.held_now() == []
    assert "Task 1 could not go on." in caplog.text


def test_nothing_is_kept_after_the_end(leases: Leases) -> None:
    kept = SetAside(leases, 1)
    assert kept.close() == []
    assert not kept.take(task(1, []), Future[None](), lambda: None)
