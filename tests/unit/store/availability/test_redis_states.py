"""Each state of a real Redis is the same to its users: the ledger is away, and a sentence says in which state it is."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis

from config.queues import TaskKind
from store.availability import redis_states
from store.availability.redis_states import ledger_away
from store.errors import LedgerAway, LedgerFull, QueueFull
from store.redis_connection import connect, redis_errors_as_unavailable
from store.task_ledger import TaskLedger
from store.task_records import NewTask, Outcome
from tests.unit.store.availability.redis_servers import BINARIES, RedisServer, running_redis, wait_until

TASK = NewTask(1, TaskKind.RECOGNITION, {"version_id": 1})
REPLICA = "The task queue is away: Redis is a read-only replica."
NO_RIGHTS = "The task queue is away: the access rules of Redis do not permit a command."
NO_LOGIN = "The task queue is away: Redis refuses the user or the password of RECOQ_REDIS_URL."


@pytest.fixture(params=BINARIES, ids=range(len(BINARIES)))
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    with running_redis(request.param) as server:
        yield server


@pytest.fixture
def client(server: RedisServer) -> Iterator[redis.Redis]:
    with connect(server.url) as client:
        yield client


@pytest.fixture
def ledger(client: redis.Redis) -> TaskLedger:
    return TaskLedger(client, 60)


def sentence_of(action: Callable[[], object]) -> str:
    with pytest.raises(LedgerAway) as caught:
        action()
    return str(caught.value)


def assert_away(ledger: TaskLedger, task_id: str, sentence: str) -> None:
    """Scripts alone, scripts in a pipeline, and plain commands say the same."""
    assert sentence_of(lambda: ledger.submit(TASK)) == sentence
    assert sentence_of(lambda: ledger.finish(task_id, None, Outcome(error="No."))) == sentence
    assert sentence_of(lambda: ledger.discard(task_id)) == sentence


def test_replica_is_away_until_it_is_promoted(server: RedisServer, ledger: TaskLedger) -> None:
    task_id = ledger.submit(TASK)
    server.demote()
    assert_away(ledger, task_id, REPLICA)
    assert ledger.get(1, task_id)  # it can be read
    server.promote()
    assert ledger.submit(TASK) != task_id


def test_connections_to_a_server_that_was_replaced_are_made_anew(server: RedisServer, client: redis.Redis) -> None:
    ledger = TaskLedger(client, 60)
    ledger.submit(TASK)
    server.demote()
    for action in (lambda: ledger.submit(TASK), lambda: ledger.discard("1")):
        before = client.client_id()
        sentence_of(action)
        assert client.client_id() != before


def test_replica_without_its_master_is_away(server: RedisServer, ledger: TaskLedger) -> None:
    task_id = ledger.submit(TASK)
    server.set("replica-serve-stale-data", "no")
    server.demote()
    sentence = "The task queue is away: Redis is a replica that has lost its master."
    assert_away(ledger, task_id, sentence)
    assert sentence_of(lambda: ledger.get(1, task_id)) == sentence


def test_full_disk_is_away(server: RedisServer, ledger: TaskLedger) -> None:
    task_id = ledger.submit(TASK)
    server.break_disk()
    assert_away(ledger, task_id, "The task queue is away: Redis cannot write to its disk, so it takes no changes.")
    server.set("stop-writes-on-bgsave-error", "no")
    ledger.submit(TASK)


def test_too_few_replicas_are_away(server: RedisServer, ledger: TaskLedger) -> None:
    task_id = ledger.submit(TASK)
    server.set("min-replicas-to-write", 1)
    assert_away(ledger, task_id, "The task queue is away: Redis has too few replicas, so it takes no changes.")


def test_busy_script_is_away(server: RedisServer, ledger: TaskLedger) -> None:
    task_id = ledger.submit(TASK)
    with server.busy():
        assert_away(ledger, task_id, "The task queue is away: Redis is busy with a script.")
    ledger.submit(TASK)


@pytest.mark.parametrize("forbidden", ["-evalsha", "-hset -hmget", "-lpush", "resetkeys ~recoq:*"])
def test_missing_rights_are_away(server: RedisServer, forbidden: str) -> None:
    server.operator.execute_command("ACL", "SETUSER", "app", "on", ">pw", "~*", "&*", "+@all", *forbidden.split())
    with connect(server.url.replace("unix://", "unix://app:pw@")) as client:
        assert sentence_of(lambda: TaskLedger(client, 60).submit(TASK)) == NO_RIGHTS


def test_wrong_password_and_a_missing_one_are_away(server: RedisServer, client: redis.Redis) -> None:
    server.set("requirepass", "secret")
    assert sentence_of(lambda: TaskLedger(client, 60).submit(TASK)) == NO_LOGIN
    with connect(server.url.replace("unix://", "unix://:wrong@")) as stranger:
        assert sentence_of(lambda: TaskLedger(stranger, 60).submit(TASK)) == NO_LOGIN


def test_too_many_clients_are_away(server: RedisServer, ledger: TaskLedger) -> None:
    server.operator.ping()
    server.set("maxclients", 1)
    # It says so and closes the connection: who writes first may find it closed.
    too_many = "The task queue is away: Redis has as many clients as it may have."
    assert sentence_of(lambda: ledger.submit(TASK)) in (too_many, redis_states.NOT_REACHABLE)
    assert str(ledger_away(redis.ConnectionError("max number of clients reached"))) == too_many


def test_paused_server_is_away(server: RedisServer, ledger: TaskLedger) -> None:
    task_id = ledger.submit(TASK)
    server.operator.execute_command("CLIENT", "PAUSE", 60_000)
    assert sentence_of(lambda: ledger.submit(TASK)) == "The task queue does not answer in time."
    assert sentence_of(lambda: ledger.get(1, task_id)) == "The task queue does not answer in time."


def test_who_waits_for_a_message_while_its_server_is_demoted_is_told(server: RedisServer, client: redis.Redis) -> None:
    found: list[str] = []

    def wait_for_message() -> None:
        with pytest.raises(LedgerAway) as caught, redis_errors_as_unavailable():
            client.brpop("nothing", timeout=10)
        found.append(str(caught.value))

    thread = threading.Thread(target=wait_for_message)
    thread.start()
    wait_until(lambda: server.operator.info("clients")["blocked_clients"])
    server.demote()
    thread.join()
    assert found == [REPLICA]


def test_forgotten_scripts_are_loaded_again(server: RedisServer, ledger: TaskLedger) -> None:
    task_id = ledger.submit(TASK)
    server.operator.script_flush()
    assert ledger.finish(task_id, None, Outcome(error="No."))
    server.operator.script_flush()
    ledger.discard(task_id)


def test_full_memory_is_not_away(server: RedisServer, ledger: TaskLedger, client: redis.Redis) -> None:
    task_id = ledger.submit(TASK)
    server.set("maxmemory", 1)
    with pytest.raises(QueueFull):  # although a second ago there was room
        ledger.submit(TASK)
    with pytest.raises(LedgerFull), redis_errors_as_unavailable():
        client.set("key", "value")
    assert ledger.finish(task_id, None, Outcome(error="No."))


def test_server_that_loads_its_data_is_away(tmp_path: Path) -> None:
    binary = BINARIES[0]
    with running_redis(binary, folder=tmp_path / "data") as first:
        first.set("rdbcompression", "no")
        first.operator.mset({f"key:{number}": bytes(2_000_000) for number in range(10)})
        first.operator.save()
        shutil.copytree(first.folder, tmp_path / "copy")
    with (
        running_redis(binary, "--key-load-delay", "400000", folder=tmp_path / "copy") as server,
        connect(server.url) as client,
    ):
        sentence = sentence_of(lambda: TaskLedger(client, 60).submit(TASK))
    assert sentence == "The task queue is away: Redis is loading its data."


@pytest.mark.parametrize("binary", BINARIES, ids=range(len(BINARIES)))
def test_node_of_a_cluster_is_away(binary: str) -> None:
    with running_redis(binary, "--cluster-enabled", "yes") as server, connect(server.url) as client:
        sentence = sentence_of(lambda: TaskLedger(client, 60).submit(TASK))
    assert sentence == "The task queue is away: Redis is a node of a cluster, and a single server is needed."


def test_server_that_is_not_there_is_away() -> None:
    with closing(connect("redis://127.0.0.1:1/0")) as client:
        assert sentence_of(lambda: TaskLedger(client, 60).submit(TASK)) == redis_states.NOT_REACHABLE


def test_answer_that_nobody_foresaw_is_away(client: redis.Redis) -> None:
    client.set("text", "value")
    with pytest.raises(redis.ResponseError) as caught:
        client.lpush("text", "value")
    assert str(ledger_away(caught.value)) == "The task queue is away: Redis refuses a command, and the log says why."
