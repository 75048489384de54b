"""A worker takes several messages in one round trip, delivers them as one, and takes no more than it has room for."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import orjson
import pytest
import redis
from kombu import Connection, Consumer, Message
from kombu.asynchronous import Hub

from config.queues import DEPLOYMENT_QUEUE, RECOVERY_QUEUE, WORKER_QUEUES, Priority, TaskKind, line_of, queue_of
from config.settings import read_settings
from store.redis_connection import connect
from store.task_ledger import TaskLedger
from store.task_queue import TaskQueue
from store.task_records import FreeTask, NewTask
from store.turns import Cost, Taken
from workers.celery_app import LARGEST_GROUP, create_celery_app, most_at_once
from workers.gathering import Gathering
from workers.in_hand import InHand
from workers.turns.heavy_images import IN_HAND_FOR_A_PLACE, HeavyImages

ACCOUNT = 1
QUEUE = queue_of(TaskKind.RECOGNITION, Priority.NORMAL)
LINE = line_of(QUEUE, ACCOUNT)
HEAVY = Cost(decoding_seconds=4.0)
Drain = Callable[[int], list[Message]]


@pytest.fixture
def client(empty_redis: str) -> Iterator[redis.Redis]:
    with connect(empty_redis) as client:
        yield client


@pytest.fixture
def in_hand() -> InHand:
    return InHand()


@pytest.fixture
def held_back() -> set[int]:
    """The accounts whose messages are not taken."""
    return set()


@pytest.fixture
def heavy() -> HeavyImages:
    return HeavyImages(cores=2)


@pytest.fixture
def broker(
    empty_redis: str, in_hand: InHand, heavy: HeavyImages, held_back: set[int], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Connection]:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    settings = replace(read_settings(), redis_url=empty_redis)
    app = create_celery_app(settings, lambda *task_ids: None, in_hand, heavy, lambda: held_back)
    with app.connection_for_read() as connection:
        yield connection


def submit(
    client: redis.Redis,
    count: int,
    priority: Priority = Priority.NORMAL,
    account_id: int = ACCOUNT,
    cost: Cost = Cost(0.003, 0.004),  # noqa: B008  # frozen
) -> list[str]:
    ledger, request = TaskLedger(client, 60), {"inputs": [{"source": {"staged": 0}}]}
    new = NewTask(account_id, TaskKind.RECOGNITION, request, [b""], priority, cost=cost)
    return [ledger.submit(new) for _ in range(count)]


def ids_in_line(client: redis.Redis, line: str = LINE) -> list[str]:
    """Return the IDs of the tasks that wait in a line, in order."""
    messages = Taken(QUEUE, ACCOUNT, client.lrange(line, 0, -1)).messages
    return [orjson.loads(message)["headers"]["id"] for message in reversed(messages)]


def ids_of(messages: list[Message]) -> list[list[str]]:
    return [message.decode()[0] for message in messages]


def received(broker: Connection, prefetch: int, queue: str = QUEUE) -> list[Message]:
    """What a worker with this many threads has in hand after one turn of its loop."""
    messages: list[Message] = []
    consumer = Consumer(broker.default_channel, [broker.SimpleQueue(queue).queue], on_message=messages.append)
    consumer.qos(prefetch_count=prefetch)
    consumer.consume()
    broker.drain_events(timeout=10)
    return messages


def test_messages_behind_the_first_come_along_as_one_in_order(client: redis.Redis, broker: Connection) -> None:
    ids = submit(client, 10)
    assert ids_of(received(broker, 32)) == [ids[:LARGEST_GROUP]]
    assert client.llen(LINE) == 10 - LARGEST_GROUP


def test_deployments_are_run_by_threads_of_their_own(client: redis.Redis, broker: Connection) -> None:
    ledger = TaskLedger(client, 60)
    ids = [ledger.submit(NewTask(ACCOUNT, TaskKind.DEPLOYMENT, {"network_id": 1})) for _ in range(2)]
    assert ids_of(received(broker, 32, DEPLOYMENT_QUEUE)) == [[ids[0]], [ids[1]]]


def test_lost_tasks_come_along_as_one_as_well(client: redis.Redis, broker: Connection) -> None:
    free = [FreeTask(str(number), TaskKind.RECOGNITION) for number in range(3)]
    TaskQueue(client, TaskLedger(client, 60)).resume(free)
    assert ids_of(received(broker, 32, RECOVERY_QUEUE)) == [[task.id for task in free]]


@pytest.mark.parametrize("room", [1, 2])
def test_no_more_come_than_there_is_room_for(client: redis.Redis, broker: Connection, room: int) -> None:
    ids = submit(client, 10)
    assert ids_of(received(broker, room)) == [ids[:room]]
    assert client.llen(LINE) == 10 - room


def test_tasks_that_are_being_run_take_room(client: redis.Redis, broker: Connection, in_hand: InHand) -> None:
    in_hand.begin(29)
    ids = submit(client, 10)
    assert ids_of(received(broker, 32)) == [ids[:3]]


@pytest.fixture
def loop(broker: Connection) -> Iterator[Hub]:
    """An event loop that reads for the worker, and whose timers go off when the test says so."""
    hub = Hub()
    broker.register_with_event_loop(hub)
    yield hub
    hub.close()


def test_worker_that_lost_its_connection_once_is_still_woken_when_there_is_room(
    client: redis.Redis, broker: Connection, in_hand: InHand, loop: Hub
) -> None:
    submit(client, 1)
    received(broker, 8)
    in_hand.begin(8)
    loop.reset()  # as Celery does then
    broker.register_with_event_loop(loop)
    assert not broker.default_channel.qos.can_consume()
    loop._pop_ready()
    in_hand.end(8)
    assert loop._pop_ready()


@pytest.fixture
def gathers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a busy worker always wait for more tasks."""
    monkeypatch.setattr(Gathering, "seconds", lambda self, running: 0.001 if running else 0.0)


@pytest.mark.usefixtures("gathers")
def test_busy_worker_waits_for_more_tasks_and_takes_them_together(
    client: redis.Redis, broker: Connection, in_hand: InHand, loop: Hub
) -> None:
    in_hand.begin(1)
    messages = waiting_consumer(broker)
    [first] = submit(client, 1)
    with pytest.raises(TimeoutError):
        broker.drain_events(timeout=0.05)
    assert not messages
    assert not broker.default_channel.qos.can_consume()
    second, third = submit(client, 2)
    time.sleep(0.002)
    loop.fire_timers()
    assert broker.default_channel.qos.can_consume()
    broker.drain_events(timeout=10)
    assert ids_of(messages) == [[first, second, third]]


@pytest.mark.usefixtures("gathers", "loop")
def test_idle_worker_begins_at_once(client: redis.Redis, broker: Connection) -> None:
    ids = submit(client, 1)
    assert ids_of(received(broker, 32)) == [ids]


@pytest.mark.usefixtures("gathers", "loop")
def test_tasks_that_a_worker_waits_for_others_with_are_left_for_others(
    client: redis.Redis, broker: Connection, in_hand: InHand
) -> None:
    in_hand.begin(1)
    messages = waiting_consumer(broker)
    submit(client, 3)
    with pytest.raises(TimeoutError):
        broker.drain_events(timeout=0.05)
    broker.default_channel.close()
    assert not messages
    assert client.llen(LINE) == 3


def waiting_consumer(broker: Connection, prefetch: int = 32) -> list[Message]:
    """Return the messages that come to a worker, which has found none and waits."""
    messages: list[Message] = []
    consumer = Consumer(broker.default_channel, [broker.SimpleQueue(name).queue for name in WORKER_QUEUES])
    consumer.on_message = messages.append
    consumer.qos(prefetch_count=prefetch)
    consumer.consume()
    with pytest.raises(TimeoutError):
        broker.drain_events(timeout=0.01)
    return messages


def test_groups_leave_work_for_all_cores() -> None:
    assert most_at_once(threads=32, cores=2) == LARGEST_GROUP
    assert most_at_once(threads=32, cores=8) == 2
    assert most_at_once(threads=4, cores=8) == 1


def test_messages_are_taken_in_a_time_that_does_not_depend_on_the_depth_of_the_queue(
    client: redis.Redis, broker: Connection
) -> None:
    submit(client, 10)
    client.config_resetstat()
    received(broker, 8)
    assert client.info("commandstats")["cmdstat_rpop"]["calls"] == LARGEST_GROUP  # a count would walk the queue


def test_a_single_message_comes_alone(client: redis.Redis, broker: Connection) -> None:
    submit(client, 1)
    assert len(received(broker, 8)) == 1
    assert client.llen(LINE) == 0


def test_messages_of_accounts_that_are_held_back_stay_and_come_soon_after(
    client: redis.Redis, broker: Connection, held_back: set[int]
) -> None:
    messages: list[Message] = []
    consumer = Consumer(broker.default_channel, [broker.SimpleQueue(name).queue for name in WORKER_QUEUES])
    consumer.on_message = messages.append
    consumer.qos(prefetch_count=32)
    held_back.add(ACCOUNT)
    ids = submit(client, 3)
    others = submit(client, 2, account_id=ACCOUNT + 1)
    consumer.consume()
    broker.drain_events(timeout=10)
    assert ids_of(messages) == [others]
    with pytest.raises(TimeoutError):
        broker.drain_events(timeout=0.5)
    held_back.clear()
    began = time.monotonic()
    broker.drain_events(timeout=10)
    assert time.monotonic() - began < 0.5  # without waiting until Redis ends the wait for others, which is a second
    assert ids_of(messages) == [others, ids]


def test_nothing_is_noted_in_redis_of_messages_in_hand(client: redis.Redis, broker: Connection) -> None:
    submit(client, 1)
    received(broker, 8)
    assert client.keys("unacked*") == []


def test_messages_in_hand_go_back_when_the_worker_leaves(client: redis.Redis, broker: Connection) -> None:
    ids = submit(client, 3)
    received(broker, 8)
    broker.release()
    assert ids_in_line(client) == ids


def test_high_task_is_taken_within_two_batches_though_50_000_low_ones_wait(
    client: redis.Redis, broker: Connection
) -> None:
    low, high = (queue_of(TaskKind.RECOGNITION, priority) for priority in (Priority.LOW, Priority.HIGH))
    low_line = line_of(low, ACCOUNT)
    [first] = submit(client, 1, priority=Priority.LOW)
    message = client.lindex(low_line, 0)
    client.lpush(low_line, *(message.replace(b"first-of-" + first.encode(), b"tag-%d" % tag) for tag in range(49_999)))
    taken: list[str] = []

    def take(message: Message) -> None:
        taken.extend([message.delivery_info["routing_key"]] * len(message.decode()[0]))
        message.ack()

    consumer = Consumer(broker.default_channel, [broker.SimpleQueue(name).queue for name in WORKER_QUEUES])
    consumer.on_message = take
    consumer.qos(prefetch_count=read_settings().worker_threads)
    consumer.consume()
    while len(taken) < 200:
        broker.drain_events(timeout=10)
    before = len(taken)
    submit(client, 1, priority=Priority.HIGH)
    while high not in taken:
        broker.drain_events(timeout=10)
    assert taken.index(high) - before <= 2 * read_settings().max_batch_size
    assert client.llen(low_line) > 49_000


def come(broker: Connection, messages: list[Message], count: int) -> list[list[str]]:
    """Return the tasks of each message that a worker takes, when there are so many and no more come."""
    while len(messages) < count:
        broker.drain_events(timeout=10)
        messages[-1].ack()
    with pytest.raises(TimeoutError):
        broker.drain_events(timeout=0.1)
    return ids_of(messages)


def test_heavy_images_are_passed_by_light_ones_of_others(
    client: redis.Redis, broker: Connection, heavy: HeavyImages
) -> None:
    messages = waiting_consumer(broker)
    heavies = submit(client, 40, cost=HEAVY)
    lights = submit(client, 3, account_id=ACCOUNT + 16)
    in_hand = heavies[:IN_HAND_FOR_A_PLACE]
    assert come(broker, messages, 3) == [in_hand[:1], lights, in_hand[1:]]
    assert heavy.room() == 0
    later = submit(client, 2, account_id=ACCOUNT + 16)
    assert come(broker, messages, 4)[3:] == [later]
    heavy.let_go(in_hand[0])
    assert come(broker, messages, 5)[4:] == [heavies[2:3]]


def test_heavy_image_that_goes_back_leaves_room_for_another(
    client: redis.Redis, broker: Connection, heavy: HeavyImages
) -> None:
    ids = submit(client, 3, cost=HEAVY)
    received(broker, 8)
    before = heavy.room()
    broker.release()
    assert heavy.room() == before + 1
    assert ids_in_line(client) == ids


def test_tasks_that_a_worker_passes_over_wake_another_one(client: redis.Redis, broker: Connection) -> None:
    messages = waiting_consumer(broker)
    submit(client, IN_HAND_FOR_A_PLACE + 1, cost=HEAVY)
    assert len(come(broker, messages, IN_HAND_FOR_A_PLACE)) == IN_HAND_FOR_A_PLACE
    assert client.llen("recoq:wake") == 1  # which this worker leaves to others, although it looks again soon


def test_images_that_run_together_do_not_take_long(client: redis.Redis, broker: Connection) -> None:
    ids = submit(client, 5, cost=Cost(decoding_seconds=0.04))
    assert come(broker, waiting_consumer_without_waiting(broker), 3) == [ids[:2], ids[2:4], ids[4:]]


def waiting_consumer_without_waiting(broker: Connection) -> list[Message]:
    """Return the messages that come to a worker."""
    messages: list[Message] = []
    consumer = Consumer(broker.default_channel, [broker.SimpleQueue(name).queue for name in WORKER_QUEUES])
    consumer.on_message = messages.append
    consumer.qos(prefetch_count=32)
    consumer.consume()
    return messages


def test_script_that_redis_forgot_is_sent_again(client: redis.Redis, broker: Connection) -> None:
    ids = submit(client, 1)
    client.script_flush()
    assert ids_of(received(broker, 8)) == [ids]
