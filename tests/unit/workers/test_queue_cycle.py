"""The order in which queues are looked into: what is urgent comes soon, and nothing starves."""

import random
from collections import Counter, deque

from config.queues import DEPLOYMENT_QUEUE, RECOVERY_QUEUE, SERVICE_CLASSES, WORKER_QUEUES
from store.turns import TOGETHER_SECONDS
from workers.turns.queue_cycle import QueueCycle


class Queues:
    """Queues as a worker empties them: the first message of the first queue that has any."""

    def __init__(self) -> None:
        self.waiting = dict.fromkeys(WORKER_QUEUES, 0)
        self.seconds: dict[str, float] = {}
        self.cycle = QueueCycle()
        self.cycle.update(WORKER_QUEUES)

    def take(self) -> str | None:
        name = next((name for name in self.cycle.consume(len(WORKER_QUEUES)) if self.waiting[name]), None)
        if name is not None:
            self.waiting[name] -= 1
            self.cycle.charge(name, self.seconds.get(name, 0.005))
        return name

    def take_many(self, count: int) -> list[str]:
        return [name for name in (self.take() for _ in range(count)) if name is not None]


def test_every_queue_is_looked_into_once() -> None:
    assert sorted(Queues().cycle.consume(0)) == sorted(WORKER_QUEUES)


def test_high_priority_starts_next_however_much_low_waits() -> None:
    queues = Queues()
    queues.waiting["recoq.low"] = 50_000
    queues.take_many(1000)
    queues.waiting["recoq.high"] = 1
    assert queues.take() == "recoq.high"


def test_each_class_gets_its_share_while_all_have_work() -> None:
    queues = Queues()
    for service_class in SERVICE_CLASSES:
        queues.waiting[service_class.queue] = 10_000
    total = sum(service_class.share for service_class in SERVICE_CLASSES)
    taken = Counter(queues.take_many(total * 20))
    for service_class in SERVICE_CLASSES:
        assert abs(taken[service_class.queue] - service_class.share * 20) <= 2


def test_low_goes_on_under_a_flood_of_high() -> None:
    queues = Queues()
    queues.waiting["recoq.high"] = queues.waiting["recoq.low"] = 100_000
    taken = queues.take_many(1700)
    assert 95 <= Counter(taken)["recoq.low"] <= 105
    gaps = deque(index for index, name in enumerate(taken) if name == "recoq.low")
    assert all(later - earlier <= 18 for earlier, later in zip(gaps, list(gaps)[1:], strict=False))


def test_classes_share_seconds_and_not_tasks() -> None:
    queues = Queues()
    queues.waiting["recoq.high"] = queues.waiting["recoq.low"] = 100_000
    queues.seconds = {"recoq.high": 0.005, "recoq.low": 0.05}
    taken = Counter(queues.take_many(1610))
    assert 9 <= taken["recoq.low"] <= 11


def test_heavy_tasks_cost_their_class_no_more_than_others_that_run_together() -> None:
    queues = Queues()
    queues.waiting["recoq.normal"] = queues.waiting["recoq.low"] = 100_000
    queues.seconds = {"recoq.normal": 4.0, "recoq.low": TOGETHER_SECONDS}
    assert Counter(queues.take_many(50)) == {"recoq.normal": 40, "recoq.low": 10}


def test_class_that_had_nothing_saves_up_no_turns() -> None:
    queues = Queues()
    queues.waiting["recoq.normal"] = 10_000
    queues.take_many(5000)
    queues.waiting["recoq.low"] = 10_000
    assert Counter(queues.take_many(50))["recoq.low"] == 10


def test_nothing_that_waits_is_left_whatever_comes_and_goes() -> None:
    generator, queues = random.Random(7), Queues()
    for _ in range(3000):
        queues.waiting[generator.choice(WORKER_QUEUES)] += generator.randrange(3)
        queues.take()
    left = sum(queues.waiting.values())
    assert len(queues.take_many(left + 10)) == left


def test_recovery_and_deployments_are_served_under_load() -> None:
    queues = Queues()
    queues.waiting["recoq.high"] = 10_000
    queues.take_many(100)
    queues.waiting[RECOVERY_QUEUE] = queues.waiting[DEPLOYMENT_QUEUE] = 1
    assert {RECOVERY_QUEUE, DEPLOYMENT_QUEUE} <= set(queues.take_many(3))
