"""What processes tally adds up in Redis, in total and for the last hour, and stays bounded."""

import math
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
import redis

from config.queues import TaskKind
from store.errors import Unavailable
from store.redis_connection import connect
from store.task_ledger import TaskLedger
from store.task_records import NewTask, Outcome
from store.telemetry.history import BUCKET_PREFIX, KEPT_SECONDS
from store.telemetry.readings import Distribution
from store.telemetry.recent_errors import LONGEST_SENTENCE, MOST_GROUPS
from store.telemetry.series import BATCH_SIZE, ENDED, SECONDS, STAGE_SECONDS
from store.telemetry.telemetry import Telemetry


@pytest.fixture
def telemetry(client: redis.Redis) -> Telemetry:
    return Telemetry(client)


def test_tallies_of_several_processes_add_up(client: redis.Redis) -> None:
    for amount in (2, 3):
        process = Telemetry(client)
        process.tally.count(ENDED, "recognition", "7", "success", amount=amount)
        process.tally.observe(STAGE_SECONDS, "decode", value=0.004)
        process.send()
    history = Telemetry(client).history
    for readings in (history.totals(), history.last(10)[-1].readings):
        assert readings.counter(ENDED) == {("recognition", "7", "success"): 5}
        [distribution] = readings.histogram(STAGE_SECONDS).values()
        assert (distribution.count, distribution.sum) == (2, pytest.approx(0.008))


def test_tally_loses_nothing_between_threads(telemetry: Telemetry) -> None:
    with ThreadPoolExecutor(8) as threads:
        for _ in range(8):
            threads.submit(lambda: [telemetry.tally.count(ENDED, "recognition", "1", "error") for _ in range(1000)])
    assert telemetry.tally.take() == {"recoq_tasks_ended|recognition|1|error": 8000}


def test_values_fall_below_the_first_bound_that_holds_them(telemetry: Telemetry) -> None:
    for value in (1, 2, 3, 1000):
        telemetry.tally.observe(BATCH_SIZE, "1", value=value)
    telemetry.send()
    [distribution] = telemetry.history.totals().histogram(BATCH_SIZE).values()
    assert distribution.counts == (1, 1, 1, 0, 0, 0, 0, 0, 0, 1)
    assert distribution.mean == 251.5


def test_quantiles_lie_between_the_bounds() -> None:
    distribution = Distribution(bounds=(1.0, 2.0, 4.0), counts=(0, 4, 4, 2), sum=30.0)
    assert distribution.quantile(0.2) == 1.5
    assert distribution.quantile(0.8) == 4.0
    assert distribution.quantile(1.0) == 4.0
    assert Distribution(bounds=SECONDS, counts=(0,) * (len(SECONDS) + 1), sum=0).quantile(0.5) is None


def test_what_could_not_be_sent_is_sent_later(telemetry: Telemetry, empty_redis: str) -> None:
    gone = Telemetry(connect("redis://127.0.0.1:1/0"))
    gone.tally.count(ENDED, "recognition", "7", "success")
    with pytest.raises(Unavailable):
        gone.send()
    assert gone.tally.take() == {"recoq_tasks_ended|recognition|7|success": 1}


def test_history_covers_the_last_hour_and_expires(telemetry: Telemetry, client: redis.Redis) -> None:
    telemetry.tally.count(ENDED, "recognition", "7", "success")
    telemetry.send()
    buckets = telemetry.history.last(2 * KEPT_SECONDS)
    assert len(buckets) == 360
    assert [later.start - earlier.start for earlier, later in pairwise(buckets)] == [10] * 359
    [key] = client.keys(f"{BUCKET_PREFIX}*")
    assert KEPT_SECONDS <= client.ttl(key) <= KEPT_SECONDS + 10


def test_settled_buckets_are_not_read_again(telemetry: Telemetry, client: redis.Redis) -> None:
    telemetry.history.last(KEPT_SECONDS)
    read = client.info("commandstats")["cmdstat_hgetall"]["calls"]
    telemetry.history.last(KEPT_SECONDS)
    assert client.info("commandstats")["cmdstat_hgetall"]["calls"] - read <= 4


def test_pending_tasks_are_counted_by_network_until_they_end(telemetry: Telemetry, client: redis.Redis) -> None:
    ledger = TaskLedger(client, 60)
    new = NewTask(1, TaskKind.TENSORS, {"network_id": 4})
    first, second = ledger.submit(new), ledger.submit(new)
    discarded = ledger.submit(NewTask(1, TaskKind.TENSORS, {"network_id": 9}))
    ledger.claim(first, "w1", 5, 3)
    assert [(each.network_id, each.count) for each in telemetry.pending.by_network()] == [(4, 2), (9, 1)]
    ledger.finish(first, 1, Outcome(data=b"{}"))
    ledger.discard(discarded)
    [pending] = telemetry.pending.by_network()
    assert (pending.network_id, pending.count) == (4, 1)
    assert 0 <= pending.oldest_seconds < 60
    ledger.finish(second, None, Outcome(error="Cancelled."))
    assert telemetry.pending.by_network() == []
    assert client.keys("recoq:pending*") == []


def test_tasks_that_end_without_being_run_are_counted_once(telemetry: Telemetry, client: redis.Redis) -> None:
    ledger = TaskLedger(client, 60, telemetry=telemetry)
    cancelled = ledger.submit(NewTask(1, TaskKind.TENSORS, {"network_id": 4}))
    late = ledger.submit(NewTask(2, TaskKind.TENSORS, {"network_id": 4}, deadline_seconds=0.001))
    for _ in range(2):
        ledger.cancel(1, cancelled)
        time.sleep(0.01)  # longer than the deadline
        ledger.end_overdue()
    telemetry.send()
    ended = telemetry.history.totals().counter(ENDED)
    assert ended == {("tensors", "4", "cancelled"): 1, ("tensors", "4", "error"): 1}
    [group] = telemetry.errors.read()
    assert (group.account_id, group.sentence, group.task_id) == (
        2,
        "Deadline exceeded before the task could start.",
        late,
    )


def test_one_process_notes_the_queue_in_each_bucket(client: redis.Redis) -> None:
    TaskLedger(client, 60).submit(NewTask(1, TaskKind.TENSORS, {"network_id": 4}))
    processes = [Telemetry(client) for _ in range(3)]
    for process in processes:
        process.send()
    noted = [bucket for bucket in processes[0].history.last(30) if bucket.pending is not None]
    assert {bucket.pending for bucket in noted} == {1}
    assert len(noted) <= 2
    assert all(bucket.oldest_seconds is not None and bucket.oldest_seconds < 60 for bucket in noted)


def test_errors_are_grouped_by_account_network_and_sentence(telemetry: Telemetry) -> None:
    for account, network, sentence, task in [
        (1, 4, "The image has 640x480 pixels.", "10"),
        (1, 4, "The image has 800x600 pixels.", "11"),
        (2, 4, "The image has 640x480 pixels.", "12"),
        (1, 5, "The server answered 404 for the image URL.", "13"),
        (1, 5, "The server answered 503 for the image URL.", "14"),
    ]:
        telemetry.error_tally.count(account, network, sentence, task)
        telemetry.send()
    found = telemetry.errors.read()
    assert [(group.account_id, group.network_id, group.count, group.task_id) for group in found] == [
        (1, 5, 1, "14"),
        (1, 5, 1, "13"),
        (2, 4, 1, "12"),
        (1, 4, 2, "11"),
    ]
    assert found[-1].sentence == "The image has 800x600 pixels."
    assert time.time() - found[0].seen < 60


def test_errors_of_ever_new_kinds_do_not_fill_the_memory(telemetry: Telemetry) -> None:
    for process in range(3):
        for number in range(MOST_GROUPS):
            word = "".join(chr(ord("a") + int(digit)) for digit in f"{process}{number}")
            telemetry.error_tally.count(1, 4, word * 500, "1")
        telemetry.send()
    found = telemetry.errors.read()
    assert len(found) <= 2 * MOST_GROUPS
    assert max(len(group.sentence) for group in found) <= LONGEST_SENTENCE


def test_a_thousand_events_cost_little() -> None:
    """Not a benchmark: a guard against a tally that grows with what it has counted."""
    telemetry = Telemetry(connect("redis://127.0.0.1:1/0"))
    for number in range(1000):
        telemetry.tally.observe(STAGE_SECONDS, "decode", value=number / 1000)
    fields = telemetry.tally.take()
    assert len(fields) <= len(SECONDS) + 2
    assert math.isclose(fields["recoq_stage_seconds|decode#sum"], sum(range(1000)) / 1000)
