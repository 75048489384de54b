"""Accounts take turns by the seconds that their tasks cost, and light tasks pass heavy ones of others."""

from collections import Counter
from collections.abc import Sequence

import pytest
import redis

from config.queues import WORKER_QUEUES, Priority, TaskKind
from store.ledger_scripts import ledger_script
from store.task_ledger import TaskLedger
from store.task_records import Ending, NewTask, Outcome
from store.turns import NETWORK_SECONDS, TOGETHER_SECONDS, Cost, Taken, network_seconds, read_taken, take_arguments

QUEUE = "recoq.normal"
LIGHT = Cost(0.003, 0.002)
HEAVY = Cost(3.75, 0.002)
MANY = 100


class Service:
    """A ledger with clients that submit, and a worker that takes."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.ledger = TaskLedger(client, 60)
        self._take = ledger_script(client, "when_full", "turns", "take")
        self.put_back = ledger_script(client, "when_full", "turns", "put_back")

    def submit(self, account_id: int, cost: Cost, count: int = 1, priority: Priority = Priority.NORMAL) -> list[str]:
        new = NewTask(account_id, TaskKind.RECOGNITION, {"network_id": 1}, [b""], priority, cost=cost)
        return [self.ledger.submit(new) for _ in range(count)]

    def take(
        self,
        room: int = 1,
        heavy_room: int = MANY,
        left_out: Sequence[int] = (),
        queues: Sequence[str] = WORKER_QUEUES,
    ) -> tuple[Taken | None, bool]:
        return read_taken(self._take(args=take_arguments(room, heavy_room, queues, left_out)))

    def accounts(self, times: int, **options: int) -> list[int]:
        """Return whose turns come."""
        taken = [self.take(**options)[0] for _ in range(times)]
        return [each.account_id for each in taken if each is not None]


@pytest.fixture
def service(client: redis.Redis) -> Service:
    return Service(client)


def test_accounts_are_given_equal_seconds_and_not_equal_numbers(service: Service) -> None:
    service.submit(1, Cost(0.2), MANY)
    service.submit(2, Cost(0.02), MANY)
    given = Counter(service.accounts(55))
    assert abs(given[1] * 0.2 - given[2] * 0.02) <= 0.2
    assert given.total() == 55


def test_accounts_that_are_equal_modulo_16_take_turns_as_well(service: Service) -> None:
    service.submit(1, LIGHT, MANY)
    service.submit(17, LIGHT, 3)
    assert service.accounts(4) == [1, 17, 1, 17]


def test_tasks_of_an_account_stay_in_order(service: Service) -> None:
    ids = service.submit(1, LIGHT, 5)
    taken = [service.take(room=2)[0] for _ in range(3)]
    messages = [message for each in taken if each is not None for message in each.messages]
    assert [b'"id":"%s"' % task_id.encode() in message for task_id, message in zip(ids, messages, strict=True)] == [
        True
    ] * 5


def test_who_comes_later_does_not_wait_for_the_seconds_of_before(service: Service) -> None:
    service.submit(1, Cost(0.2), MANY)
    service.accounts(50)
    service.submit(2, Cost(0.2), 3)
    assert service.accounts(4) in ([1, 2, 1, 2], [2, 1, 2, 1])


def test_pause_saves_nothing_up_and_costs_nothing_but_what_was_given_counts(service: Service) -> None:
    service.submit(1, Cost(0.2), MANY)
    service.submit(2, Cost(0.9))
    service.accounts(2)  # one each: the second account has been given more than four times as much, and leaves
    service.submit(2, Cost(0.9))
    assert service.accounts(5) == [1, 1, 1, 1, 2]


def test_accounts_begin_anew_when_nobody_waits(service: Service, client: redis.Redis) -> None:
    service.submit(1, Cost(5.0, 5.0))
    service.accounts(1)
    assert client.keys("recoq:spent:*") == client.keys("recoq:turns:*") == []
    service.submit(1, LIGHT, 2)
    service.submit(2, LIGHT, 2)
    assert service.accounts(4) == [1, 2, 1, 2]


def test_light_tasks_pass_heavy_ones_that_have_no_place(service: Service) -> None:
    service.submit(1, HEAVY, 40)
    service.submit(2, LIGHT, 2)
    assert service.accounts(3, heavy_room=0) == [2, 2]
    nothing, more = service.take(heavy_room=0)
    assert (nothing, more) == (None, True)
    assert service.accounts(1) == [1]


def test_light_tasks_of_many_accounts_are_found_behind_heavy_ones_of_many(service: Service) -> None:
    for account_id in range(40):
        service.submit(account_id, HEAVY)
    service.submit(99, LIGHT)
    assert service.accounts(1, heavy_room=0) == [99]


def test_heavy_task_comes_alone(service: Service) -> None:
    service.submit(1, LIGHT)
    service.submit(1, HEAVY, 2)
    taken = [service.take(room=8)[0] for _ in range(3)]
    assert [len(each.elements) for each in taken if each is not None] == [1, 1, 1]


def test_tasks_that_come_together_take_no_longer_than_a_turn(service: Service) -> None:
    service.submit(1, Cost(TOGETHER_SECONDS / 2.5), 8)
    taken, _ = service.take(room=8)
    assert taken is not None
    assert len(taken.elements) == 2


def test_left_out_accounts_keep_their_place(service: Service) -> None:
    service.submit(1, LIGHT, 2)
    service.submit(2, LIGHT, 2)
    taken, _ = service.take(left_out=[1])
    assert taken is not None
    assert taken.account_id == 2
    assert service.accounts(3) == [1, 1, 2]


def test_first_queue_with_tasks_for_the_worker_gives(service: Service) -> None:
    service.submit(1, HEAVY, priority=Priority.HIGH)
    service.submit(2, LIGHT)
    taken, more = service.take(heavy_room=0)
    assert taken is not None
    assert (taken.queue, taken.account_id, more) == (QUEUE, 2, True)


def test_real_cost_of_a_task_counts_for_the_next_turns(service: Service) -> None:
    [task_id, *_] = service.submit(1, Cost(0.02), MANY)
    service.submit(2, Cost(0.2), MANY)
    taken, _ = service.take()
    assert taken is not None
    service.ledger.finish_many([Ending(task_id, None, Outcome(data=b"{}"), extra_seconds=1.0)])
    assert service.accounts(6) == [2, 2, 2, 2, 2, 2]


def test_what_is_put_back_is_next_and_not_charged(service: Service) -> None:
    service.submit(1, LIGHT, 2)
    service.submit(2, LIGHT, 2)
    first, _ = service.take(room=2)
    assert first is not None
    service.put_back(args=[first.queue, first.account_id, *first.elements])
    again, _ = service.take(room=2)
    assert again == first
    assert service.accounts(2) == [2, 2]


def test_worker_is_woken_once_and_then_the_next_one(service: Service, client: redis.Redis) -> None:
    service.submit(1, LIGHT, 3)
    assert client.llen("recoq:wake") == 1
    client.delete("recoq:wake")  # a worker has taken it
    service.take()
    assert client.llen("recoq:wake") == 1
    client.delete("recoq:wake")
    service.take(room=8)
    assert client.llen("recoq:wake") == 0


def test_cost_is_read_as_it_was_written() -> None:
    assert Cost.from_text(Cost(1.5, 0.25).text.encode()) == Cost(1.5, 0.25)
    assert Cost.from_text(b"") == Cost()


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (None, NETWORK_SECONDS),
        ({"max_batch_size": 8}, NETWORK_SECONDS),
        ({"max_batch_size": 8, "batch_milliseconds": {"1": 5.0, "8": 16.0}}, 0.002),
    ],
)
def test_network_takes_what_its_deployment_has_measured(report: dict[str, object] | None, expected: float) -> None:
    assert network_seconds(report) == expected
