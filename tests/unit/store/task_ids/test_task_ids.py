"""No task ID is given twice, whatever happens to Redis, and what was lost is told."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis
from sqlalchemy import text

from config.queues import TaskKind
from store.backlog import UNLIMITED, BacklogLimits
from store.database import Database
from store.errors import LedgerAway, QueueFull, StoreError, Unavailable
from store.redis_connection import connect
from store.task_ids import ledger_epoch
from store.task_ids.epoch_records import MAX_ID, EpochRecords, LedgerLoss, LossKind
from store.task_ids.task_ids import FIRST_BLOCK, TaskIds
from store.task_keys import COUNTER_KEY, EPOCH_KEY
from store.task_ledger import TaskLedger
from store.task_records import NewTask, Outcome
from store.telemetry.tally import Tally
from tests.unit.store.availability.redis_servers import BINARIES, running_redis

TASK = NewTask(1, TaskKind.RECOGNITION, {"version_id": 1})
Start = Callable[[], "Process"]


class Process:
    """A process that accepts tasks."""

    def __init__(self, url: str, client: redis.Redis, limits: BacklogLimits = UNLIMITED) -> None:
        self.database = Database(url, durable=True)
        self.tally = Tally()
        self.ids = TaskIds(self.database, client, self.tally)
        self.ledger = TaskLedger(client, 60, limits, ids=self.ids)

    def submit(self, count: int = 1) -> list[int]:
        return [int(self.ledger.submit(TASK)) for _ in range(count)]

    def losses(self) -> list[LedgerLoss]:
        return EpochRecords(self.database).losses(10)


@pytest.fixture
def start(database_url: str, client: redis.Redis) -> Iterator[Start]:
    processes: list[Process] = []

    def start() -> Process:
        processes.append(Process(database_url, client))
        return processes[-1]

    yield start
    for process in processes:
        process.ids.close()


Snapshot = dict[bytes, bytes]


def snapshot(client: redis.Redis) -> Snapshot:
    return {key: client.dump(key) for key in client.keys("*")}


def go_back(client: redis.Redis, to: Snapshot) -> None:
    """Do as a restored backup does, or a replica that lags behind and becomes the master."""
    client.flushall()
    for key, value in to.items():
        client.restore(key, 0, value)


def test_processes_that_accept_at_once_give_each_id_once(start: Start, client: redis.Redis) -> None:
    processes = [start() for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        found = [task_id for ids in pool.map(lambda each: each.submit(100), processes * 2) for task_id in ids]
    assert len(set(found)) == 800
    assert all(client.exists(f"recoq:task:{task_id}") for task_id in found)


def test_ids_follow_each_other_in_one_process(start: Start) -> None:
    ids = start().submit(3 * FIRST_BLOCK)
    assert ids == list(range(1, 3 * FIRST_BLOCK + 1))


def test_emptied_ledger_begins_above_all_ids_and_says_what_is_lost(
    start: Start, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    process = start()
    ids = process.submit(26)
    process.ledger.finish(str(ids[0]), None, Outcome(error="No."))
    process.ids.look()
    client.flushall()
    [after] = process.submit()
    assert after > max(ids)
    [loss] = process.losses()
    assert (loss.kind, loss.tasks) == (LossKind.EMPTIED, 25)
    assert max(ids) <= loss.last_id < after
    assert f"with IDs up to {loss.last_id} are lost, 25 of them that had not ended." in caplog.text
    assert process.tally.take() == {"recoq_ledger_losses|emptied": 1, "recoq_ledger_lost_tasks": 25}


def test_loss_is_noticed_without_a_new_task(start: Start, client: redis.Redis) -> None:
    process = start()
    process.submit()
    client.flushall()
    process.ids.look()
    assert [loss.kind for loss in process.losses()] == [LossKind.EMPTIED]


def test_loss_is_noticed_by_a_process_that_starts_later(start: Start, client: redis.Redis) -> None:
    ids = start().submit(5)
    client.flushall()
    later = start()
    later.ids.look()
    assert [loss.kind for loss in later.losses()] == [LossKind.EMPTIED]
    assert min(later.submit(5)) > max(ids)


def test_one_loss_is_told_once_though_several_processes_notice_it(start: Start, client: redis.Redis) -> None:
    processes = [start() for _ in range(3)]
    before = [task_id for process in processes for task_id in process.submit(5)]
    client.flushall()
    after = [task_id for process in processes for task_id in process.submit(5)]
    assert len(processes[0].losses()) == 1
    assert min(after) > max(before)
    assert len(set(after)) == 15


def test_ledger_that_went_back_gives_no_id_twice(start: Start, client: redis.Redis) -> None:
    process = start()
    kept = process.submit(5)
    backup = snapshot(client)
    lost = process.submit(5)
    go_back(client, backup)
    [after] = process.submit()
    assert after > max(lost)
    assert [loss.kind for loss in process.losses()] == [LossKind.WENT_BACK]
    assert process.ledger.get(1, str(kept[0]))  # which is still there


def test_ledger_that_went_back_by_a_few_tasks_is_noticed_though_others_went_on(
    start: Start, client: redis.Redis
) -> None:
    first, second = start(), start()
    first.submit(5)
    second.submit(5)
    backup = snapshot(client)
    lost = first.submit(2)
    go_back(client, backup)
    second.submit(50)
    assert not second.losses()
    assert min(first.submit(5)) > max(lost)
    assert [loss.kind for loss in first.losses()] == [LossKind.WENT_BACK]


def test_backup_is_noticed_by_processes_that_start_after_it_was_restored(start: Start, client: redis.Redis) -> None:
    start().submit(5)
    backup = snapshot(client)
    lost = start().submit(5)
    go_back(client, backup)
    later = start()
    assert min(later.submit(5)) > max(lost)
    assert [loss.kind for loss in later.losses()] == [LossKind.WENT_BACK]


def test_backup_of_an_earlier_epoch_is_noticed(start: Start, client: redis.Redis) -> None:
    start().submit(5)
    backup = snapshot(client)
    client.flushall()
    lost = start().submit(5)
    go_back(client, backup)
    later = start()
    assert min(later.submit(5)) > max(lost)
    assert [loss.kind for loss in later.losses()] == [LossKind.WENT_BACK, LossKind.EMPTIED]


def test_two_masters_give_no_id_twice(database_url: str, start: Start, client: redis.Redis) -> None:
    first = start()
    before = first.submit(5)
    with running_redis(BINARIES[0]) as server, connect(server.url) as other:
        go_back(other, snapshot(client))
        second = Process(database_url, other)
        found = first.submit(3) + second.submit(3) + first.submit(100) + second.submit(100)
        go_back(client, snapshot(other))  # the first master becomes the replica of the second
        second.ids.close()
    after = first.submit(3)
    assert len({*before, *found, *after}) == 5 + 206 + 3
    assert min(after) > max(found)
    assert [loss.kind for loss in first.losses()] == [LossKind.WENT_BACK]


def test_ledger_of_another_database_is_told(start: Start, client: redis.Redis) -> None:
    ids = start().submit(5)
    client.hset(EPOCH_KEY, "token", "another")
    client.set(COUNTER_KEY, 7000)
    process = start()
    assert process.submit()[0] > max(7000, *ids)
    assert [loss.kind for loss in process.losses()] == [LossKind.REPLACED]


def test_restored_database_gives_no_id_of_the_ledger_twice(start: Start, client: redis.Redis) -> None:
    process = start()
    ids = process.submit(5 * FIRST_BLOCK)
    with process.database.session() as session:
        session.execute(text("UPDATE task_ids SET high_water = 10"))
        session.execute(text("UPDATE ledger_epochs SET noted_id = 10"))
    assert not set(start().submit(500)) & set(ids)


def test_ledger_of_an_earlier_release_goes_on_above_its_counter(start: Start, client: redis.Redis) -> None:
    before = TaskLedger(client, 60)
    ids = [int(before.submit(TASK)) for _ in range(5)]
    process = start()
    assert process.submit() == [max(ids) + 1]
    assert not process.losses()
    assert int(before.submit(TASK)) > FIRST_BLOCK  # whoever goes back to that release


def test_refused_tasks_use_up_no_ids(database_url: str, client: redis.Redis) -> None:
    process = Process(database_url, client, BacklogLimits(1, 1, 10**9, 10**9))
    [first] = process.submit()
    for _ in range(2 * FIRST_BLOCK):
        with pytest.raises(QueueFull):
            process.submit()
    process.ledger.finish(str(first), None, Outcome(error="No."))
    assert process.submit() == [first + 1]
    process.ids.close()


def test_blocks_that_are_left_do_while_the_database_is_away(
    tmp_path: Path, sqlite_url: str, client: redis.Redis
) -> None:
    process = Process(sqlite_url, client)
    process.submit()
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    process.ids.close()
    shutil.move(file, tmp_path / "gone")
    file.mkdir()
    process.submit(FIRST_BLOCK - 1)
    with pytest.raises(Unavailable):
        process.submit(FIRST_BLOCK)
    process.ids.close()


def test_requests_while_redis_is_away_reserve_one_block_at_most(start: Start, client: redis.Redis) -> None:
    process = start()
    process.submit()
    mark = text("SELECT high_water FROM task_ids")
    with process.database.reading() as session:
        before = session.scalar(mark)
    try:
        client.config_set("min-replicas-to-write", 1)
        for _ in range(5 * FIRST_BLOCK):
            with pytest.raises(LedgerAway):
                process.submit()
    finally:
        client.config_set("min-replicas-to-write", 0)
    with process.database.reading() as session:
        assert session.scalar(mark) - before <= 2 * FIRST_BLOCK
    process.submit()
    assert not process.losses()


def test_ids_end_where_other_languages_round_them(start: Start) -> None:
    process = start()
    process.ids.look()
    with process.database.session() as session:
        session.execute(text(f"UPDATE task_ids SET high_water = {MAX_ID - FIRST_BLOCK}"))
    later = start()
    [last] = later.submit()
    assert str(last) == str(MAX_ID - FIRST_BLOCK + 1)
    with pytest.raises(StoreError, match="All task IDs"):
        later.submit(FIRST_BLOCK)


def test_full_redis_begins_an_epoch(start: Start, client: redis.Redis) -> None:
    process = start()
    process.submit()
    client.flushall()
    try:
        client.config_set("maxmemory", 1)
        process.ids.look()
    finally:
        client.config_set("maxmemory", 0)
    assert [loss.kind for loss in process.losses()] == [LossKind.EMPTIED]


def test_process_that_the_ledger_has_forgotten_goes_on(
    start: Start, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_epoch, "MAX_ISSUERS", 2)
    processes = [start() for _ in range(5)]
    found = [task_id for _ in range(3) for process in processes for task_id in process.submit(5)]
    assert len(set(found)) == 75
    assert not processes[0].losses()
    assert client.hlen(EPOCH_KEY) < 5
