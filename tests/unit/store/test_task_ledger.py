"""The ledger's promises, against a real Redis: one owner, one run at a time, one end."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import redis

from config.queues import TaskKind
from store.errors import NotFound, Unavailable
from store.redis_connection import connect
from store.task_ledger import AttemptsExhausted, LastAttempt, TaskLedger
from store.task_records import NewTask, Outcome, TaskStatus

ACCOUNT = 7
TTL_SECONDS = 100
MAX_ATTEMPTS = 3
TASK = NewTask(ACCOUNT, TaskKind.RECOGNITION, {"version_id": 3}, [b"\x00\xffimage", b"second"])


@pytest.fixture
def ledger(client: redis.Redis) -> TaskLedger:
    return TaskLedger(client, TTL_SECONDS)


def claim(ledger: TaskLedger, task_id: str, worker: str = "w1", *, lease_seconds: float = 60, alone: bool = False):
    return ledger.claim(task_id, worker, lease_seconds, MAX_ATTEMPTS, alone=alone)


def keys_beside_messages(client: redis.Redis) -> set[str]:
    """What is left of tasks; their messages stay until a worker reads them, finds nothing and drops them."""
    keys = {key.decode() for key in client.scan_iter()}
    lines = {line.decode() for line in client.smembers("recoq:lines")}
    return {key for key in keys - lines if not key.startswith(("recoq:lines", "recoq:turns:", "recoq:wake"))}


def test_submitted_task_reads_as_pending(ledger: TaskLedger) -> None:
    task = ledger.get(ACCOUNT, ledger.submit(TASK))
    assert (task.status, task.kind, task.error, task.data) == (TaskStatus.PENDING, TaskKind.RECOGNITION, None, None)
    assert task.date_updated == task.date_created
    assert abs(task.date_created.timestamp() - time.time()) < 5


def test_ids_are_digits_and_never_repeat(ledger: TaskLedger) -> None:
    ids = [ledger.submit(TASK) for _ in range(20)]
    assert len(set(ids)) == 20
    assert all(task_id.isdigit() for task_id in ids)


def test_another_accounts_task_reads_as_not_found(ledger: TaskLedger) -> None:
    task_id = ledger.submit(TASK)
    with pytest.raises(NotFound):
        ledger.get(ACCOUNT + 1, task_id)
    assert ledger.get_many(ACCOUNT + 1, [task_id]) == []


def test_many_tasks_come_in_the_order_asked_without_the_unknown(ledger: TaskLedger) -> None:
    first, second = ledger.submit(TASK), ledger.submit(TASK)
    assert [task.id for task in ledger.get_many(ACCOUNT, [second, "999999", first])] == [second, first]


def test_claimed_task_carries_its_request_and_inputs(ledger: TaskLedger) -> None:
    task = claim(ledger, ledger.submit(TASK))
    assert task is not None
    assert (task.attempt, task.request, list(task.inputs)) == (1, {"version_id": 3}, [b"\x00\xffimage", b"second"])


def test_only_one_of_many_workers_gets_a_task(ledger: TaskLedger) -> None:
    task_id = ledger.submit(TASK)
    winners: list[str] = []
    barrier = threading.Barrier(8)

    def work(worker: str) -> None:
        barrier.wait()
        if claim(ledger, task_id, worker):
            winners.append(worker)

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(winners) == 1


def test_finished_task_has_its_data_expires_and_leaves_nothing_staged(ledger: TaskLedger, client: redis.Redis) -> None:
    task_id = ledger.submit(TASK)
    task = claim(ledger, task_id)
    assert ledger.finish(task_id, task.fence, Outcome(data=b'{"outputs": []}'))
    record = ledger.get(ACCOUNT, task_id)
    assert (record.status, record.data, record.error) == (TaskStatus.SUCCESS, b'{"outputs": []}', None)
    assert record.date_updated > record.date_created
    [drained] = client.keys("recoq:drained:*")
    assert client.hgetall(drained) == {b"all": b"1", b"7": b"1"}
    assert 0 < client.ttl(drained) <= 120
    assert keys_beside_messages(client) == {"recoq:counter", "recoq:task:" + task_id, drained.decode()}
    assert 0 < client.ttl(f"recoq:task:{task_id}") <= TTL_SECONDS


def test_expired_task_reads_as_not_found(client: redis.Redis) -> None:
    ledger = TaskLedger(client, 1)
    task_id = ledger.submit(TASK)
    ledger.finish(task_id, None, Outcome(error="No."))
    client.pexpire(f"recoq:task:{task_id}", 1)
    time.sleep(0.01)
    with pytest.raises(NotFound):
        ledger.get(ACCOUNT, task_id)


def test_first_final_state_wins(ledger: TaskLedger) -> None:
    task_id = ledger.submit(TASK)
    task = claim(ledger, task_id)
    assert ledger.finish(task_id, None, Outcome(error="Cancelled."))
    assert not ledger.finish(task_id, task.fence, Outcome(data=b"{}"))
    assert ledger.get(ACCOUNT, task_id).error == "Cancelled."


def test_cancel_frees_the_images_at_once_and_drops_the_late_result(ledger: TaskLedger, client: redis.Redis) -> None:
    task_id = ledger.submit(TASK)
    running = claim(ledger, task_id)
    ledger.cancel(ACCOUNT, task_id)
    assert not client.exists(f"recoq:inputs:{task_id}")
    assert not ledger.finish(task_id, running.fence, Outcome(data=b"{}"))
    task = ledger.get(ACCOUNT, task_id)
    assert (task.status, task.error, task.data) == (TaskStatus.ERROR, "Cancelled.", None)


def test_purge_leaves_nothing_and_drops_the_late_result(ledger: TaskLedger, client: redis.Redis) -> None:
    task_id = ledger.submit(TASK)
    running = claim(ledger, task_id)
    ledger.purge(ACCOUNT, task_id)
    assert not ledger.finish(task_id, running.fence, Outcome(data=b"{}"))
    assert keys_beside_messages(client) == {"recoq:counter"}


def test_cancelled_task_never_starts(ledger: TaskLedger) -> None:
    task_id = ledger.submit(TASK)
    ledger.cancel(ACCOUNT, task_id)
    assert claim(ledger, task_id) is None


def test_race_of_cancel_claim_and_finish_has_one_end_that_all_see(ledger: TaskLedger) -> None:
    for _ in range(60):
        task_id = ledger.submit(TASK)
        barrier = threading.Barrier(2)

        def run(task_id: str = task_id, barrier: threading.Barrier = barrier) -> bool:
            barrier.wait()
            task = claim(ledger, task_id)
            return task is not None and ledger.finish(task_id, task.fence, Outcome(data=b"{}"))

        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(run)
            barrier.wait()
            ledger.cancel(ACCOUNT, task_id)
            seen = ledger.get(ACCOUNT, task_id)
            won = running.result()
        assert seen == ledger.get(ACCOUNT, task_id)
        assert (seen.status, seen.error) == ((TaskStatus.SUCCESS, None) if won else (TaskStatus.ERROR, "Cancelled."))


def test_result_of_a_superseded_attempt_is_dropped(ledger: TaskLedger) -> None:
    task_id = ledger.submit(TASK)
    first = claim(ledger, task_id, "w1", lease_seconds=-1)
    second = claim(ledger, task_id, "w2")
    assert second.attempt == 2
    assert not ledger.finish(task_id, first.fence, Outcome(data=b'"old"'))
    assert ledger.finish(task_id, second.fence, Outcome(data=b'"new"'))
    assert ledger.get(ACCOUNT, task_id).data == b'"new"'


def test_ended_or_unknown_task_cannot_be_claimed(ledger: TaskLedger) -> None:
    task_id = ledger.submit(TASK)
    ledger.finish(task_id, None, Outcome(error="No."))
    assert claim(ledger, task_id) is None
    assert claim(ledger, "424242") is None


def test_task_that_was_tried_too_often_is_given_up(ledger: TaskLedger) -> None:
    task_id = ledger.submit(TASK)
    for attempt in range(3):
        claim(ledger, task_id, lease_seconds=-1, alone=attempt == 2)
    with pytest.raises(AttemptsExhausted, match="failed 3 times") as caught:
        claim(ledger, task_id)
    assert caught.value.task.request == {"version_id": 3}


def test_last_attempt_is_given_to_a_worker_that_runs_nothing_else(ledger: TaskLedger) -> None:
    task_id = ledger.submit(TASK)
    for _ in range(MAX_ATTEMPTS - 1):
        claim(ledger, task_id, lease_seconds=-1)
    with pytest.raises(LastAttempt):
        claim(ledger, task_id)
    assert claim(ledger, task_id, alone=True).attempt == MAX_ATTEMPTS


def test_only_attempt_needs_no_worker_for_itself(ledger: TaskLedger) -> None:
    assert ledger.claim(ledger.submit(TASK), "w1", 60, 1) is not None


def test_postponed_task_stays_held_and_counts_as_untried(ledger: TaskLedger, client: redis.Redis) -> None:
    task_id = ledger.submit(TASK)
    ledger.postpone(claim(ledger, task_id))
    assert claim(ledger, task_id) is None
    client.zadd("recoq:leases", {task_id: 0})
    assert claim(ledger, task_id).attempt == 1


def test_renewed_lease_keeps_others_out(ledger: TaskLedger) -> None:
    task_id = ledger.submit(TASK)
    task = claim(ledger, task_id, "w1", lease_seconds=-1)
    ledger.renew([task], 60)
    assert claim(ledger, task_id, "w2") is None


def test_renewal_of_a_superseded_attempt_does_not_keep_the_later_one(ledger: TaskLedger, client: redis.Redis) -> None:
    task_id = ledger.submit(TASK)
    first = claim(ledger, task_id, "w1", lease_seconds=-1)
    claim(ledger, task_id, "w2")
    before = client.zscore("recoq:leases", task_id)
    ledger.renew([first], 600)
    assert client.zscore("recoq:leases", task_id) == before


def test_discarded_task_leaves_nothing(ledger: TaskLedger, client: redis.Redis) -> None:
    ledger.discard(ledger.submit(TASK))
    assert keys_beside_messages(client) == {"recoq:counter"}


def test_redis_that_is_away_is_one_clear_error() -> None:
    with connect("redis://127.0.0.1:1/0") as client, pytest.raises(Unavailable, match="task queue is not reachable"):
        TaskLedger(client, TTL_SECONDS).submit(TASK)


def test_task_that_has_ended_when_it_is_accepted_leaves_nothing_but_its_record(
    client: redis.Redis, ledger: TaskLedger
) -> None:
    task_id = ledger.submit(replace(TASK, ended_with="inputs.0.image: No.", deadline_seconds=5))
    task = ledger.get(ACCOUNT, task_id)
    assert (task.status, task.error) == (TaskStatus.ERROR, "inputs.0.image: No.")
    assert task.date_updated == task.date_created
    assert keys_beside_messages(client) == {f"recoq:task:{task_id}", "recoq:counter"}
    assert not client.exists("recoq:lines")
    assert 0 < client.ttl(f"recoq:task:{task_id}") <= TTL_SECONDS
    assert claim(ledger, task_id) is None
    assert not ledger.finish(task_id, None, Outcome(data=b"{}"))
    assert ledger.end_overdue() == 0
    ledger.purge(ACCOUNT, task_id)
    assert keys_beside_messages(client) == {"recoq:counter"}
