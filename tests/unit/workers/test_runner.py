"""From claim to outcome, with a real ledger: every task ends once, whatever its handler does."""

import logging
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest
import redis

from config.queues import TaskKind
from config.settings import Settings, read_settings
from contract.image_costs import decoding_seconds
from inference.errors import NetworkError
from store.errors import StorageFull, StoreError, Unavailable
from store.redis_connection import connect
from store.task_ledger import TaskLedger
from store.task_queue import TaskQueue
from store.task_records import ClaimedTask, Ending, NewTask, TaskRecord
from store.task_recovery import TaskRecovery
from store.telemetry.series import ENDED, STAGE_SECONDS
from store.telemetry.telemetry import Telemetry
from store.turns import HEAVY_SECONDS, URL_SECONDS, Cost
from workers import set_aside
from workers.errors import TaskFailure
from workers.fetch import FetchError
from workers.fetch_ahead import FetchAhead, Fetched
from workers.handlers import Steps
from workers.in_hand import InHand
from workers.leases import Leases
from workers.reconcile import Reconciler
from workers.runner import TaskRunner
from workers.set_aside import SetAside
from workers.stopwatch import Stage, Stopwatch
from workers.task_run import INTERNAL_ERROR, TaskRun
from workers.turns.heavy_images import HeavyImages
from workers.vital_signs import VitalSigns

ACCOUNT = 1


@dataclass
class Handler:
    """Answers as told, and remembers what it was asked."""

    outcome: bytes | Exception = b"{}"
    seconds: float = 0
    asked: list[str] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    batch: "Future[None] | None" = None
    network: Future[None] | None = None
    fetched: list[Fetched] = field(default_factory=list)

    def loading(self, task: ClaimedTask) -> Future[None] | None:
        return None if self.network is None or self.network.done() else self.network

    def answer(self, task: ClaimedTask, fetched: Fetched, stopwatch: Stopwatch) -> Steps:
        if self.batch is not None:
            yield self.batch
            self.batch.result(20)
        self.asked.append(task.id)
        self.fetched.append(dict(fetched))
        time.sleep(self.seconds)
        stopwatch.lap(Stage.DECODE)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def gave_up(self, request: Mapping[str, Any], reason: str) -> None:
        self.given_up.append(f"{request['network_id']}: {reason}")


@dataclass
class Fetcher:
    """Gives each URL itself as its image once it is let to; ``started`` are those asked for."""

    released: threading.Event = field(default_factory=threading.Event)
    started: list[str] = field(default_factory=list)
    errors: dict[str, Exception] = field(default_factory=dict)

    def fetch(self, url: str) -> bytes:
        self.started.append(url)
        assert self.released.wait(20)
        if url in self.errors:
            raise self.errors[url]
        return url.encode()


@dataclass
class Worker:
    client: redis.Redis
    settings: Settings
    ledger: TaskLedger
    queue: TaskQueue
    recovery: TaskRecovery
    leases: Leases
    telemetry: Telemetry
    fetches: FetchAhead = field(init=False)
    in_hand: InHand = field(default_factory=InHand)
    heavy: HeavyImages = field(default_factory=lambda: HeavyImages(cores=2))
    fetcher: Fetcher = field(default_factory=Fetcher)

    def runner(self, handler: Handler) -> TaskRunner:
        handlers = {TaskKind.DEPLOYMENT: handler, TaskKind.RECOGNITION: handler}
        self.fetches = FetchAhead(self.fetcher, 4)
        return TaskRunner(
            self.settings,
            "w1",
            self.ledger,
            self.leases,
            handlers,
            signs=VitalSigns(self.telemetry),
            in_hand=self.in_hand,
            heavy=self.heavy,
            set_aside=SetAside(self.leases, 2),
            fetches=self.fetches,
        )

    def submit(self) -> str:
        return self.ledger.submit(NewTask(ACCOUNT, TaskKind.DEPLOYMENT, {"network_id": 5}))

    def submit_urls(self, *urls: str, account_id: int = ACCOUNT) -> str:
        inputs = [{"source": {"url": url}} for url in urls]
        request, cost = {"network_id": 5, "inputs": inputs}, Cost(URL_SECONDS * len(urls))
        return self.ledger.submit(NewTask(account_id, TaskKind.RECOGNITION, request, cost=cost))

    def get(self, task_id: str) -> TaskRecord:
        return self.ledger.get(ACCOUNT, task_id)


def expire_leases(worker: Worker) -> None:
    """Let all leases run out now."""
    for task in worker.client.zrange("recoq:leases", 0, -1):
        worker.client.zadd("recoq:leases", {task: 0})


@pytest.fixture
def worker(empty_redis: str) -> Iterator[Worker]:
    settings = replace(read_settings(), redis_url=empty_redis, lease_seconds=0.3, max_attempts=2)
    with connect(empty_redis) as client:
        ledger = TaskLedger(client, 60)
        queue = TaskQueue(client, ledger)
        leases = Leases(ledger, settings.lease_seconds)
        leases.start()
        worker = Worker(client, settings, ledger, queue, TaskRecovery(client), leases, Telemetry(client))
        yield worker
        worker.fetcher.released.set()
        leases.stop()


def test_answer_becomes_the_tasks_data(worker: Worker) -> None:
    task_id = worker.submit()
    worker.runner(Handler(b'{"outputs": []}')).run(task_id)
    assert worker.get(task_id).data == b'{"outputs": []}'


def test_record_tells_where_the_time_went(worker: Worker) -> None:
    task_id = worker.submit()
    worker.runner(Handler(seconds=0.01)).run(task_id)
    with connect(worker.settings.redis_url) as client:
        stages = orjson.loads(client.hget(f"recoq:task:{task_id}", "stages"))
    assert stages["decode"] >= 10
    assert stages["batch_size"] is None


def test_ended_tasks_are_counted_with_their_errors(worker: Worker) -> None:
    first, second = worker.submit(), worker.submit()
    worker.runner(Handler()).run(first)
    worker.runner(Handler(TaskFailure("The image is bad."))).run(second)
    worker.runner(Handler()).run(second)  # has ended already
    worker.telemetry.send()
    ended = worker.telemetry.history.totals().counter(ENDED)
    assert ended == {("deployment", "5", "success"): 1, ("deployment", "5", "error"): 1}
    assert worker.telemetry.history.totals().histogram(STAGE_SECONDS) == {}
    [group] = worker.telemetry.errors.read()
    assert (group.account_id, group.network_id, group.sentence) == (ACCOUNT, 5, "The image is bad.")
    assert (group.count, group.task_id) == (1, second)


def test_task_runs_once_however_many_messages_arrive(worker: Worker) -> None:
    task_id, handler = worker.submit(), Handler()
    runner = worker.runner(handler)
    for _ in range(3):
        runner.run(task_id)
    assert handler.asked == [task_id]


@pytest.mark.parametrize("error", [TaskFailure("The image is bad."), NetworkError("The image is bad.")])
def test_known_failure_is_told_as_it_is(worker: Worker, error: Exception) -> None:
    task_id, handler = worker.submit(), Handler(error)
    worker.runner(handler).run(task_id)
    assert worker.get(task_id).error == "The image is bad."
    assert handler.given_up == ["5: The image is bad."]


def test_unexpected_failure_is_logged_and_told_neutrally(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    task_id = worker.submit()
    with caplog.at_level(logging.ERROR):
        worker.runner(Handler(KeyError("/secret/path"))).run(task_id)
    assert worker.get(task_id).error == INTERNAL_ERROR
    assert "/secret/path" in caplog.text


@pytest.mark.parametrize("kind", [Unavailable, StorageFull])
def test_task_waits_while_a_backing_service_is_away(worker: Worker, kind: type[StoreError]) -> None:
    task_id = worker.submit()
    worker.runner(Handler(kind("The database is not reachable."))).run(task_id)
    assert worker.get(task_id).status == "pending"


def test_attempt_without_a_backing_service_does_not_count(worker: Worker) -> None:
    task_id = worker.submit()
    runner = worker.runner(Handler(Unavailable("The database is not reachable.")))
    for _ in range(3 * worker.settings.max_attempts):
        runner.run(task_id)
        expire_leases(worker)
    worker.runner(Handler(b'"at last"')).run(task_id)
    assert worker.get(task_id).data == b'"at last"'


def test_answer_waits_for_redis(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [Unavailable("Away."), Unavailable("Away.")]
    task_id, finish = worker.submit(), worker.ledger.finish_many

    def finish_at_last(endings: Any) -> list[bool]:
        if failures:
            raise failures.pop()
        return finish(endings)

    monkeypatch.setattr(worker.ledger, "finish_many", finish_at_last)
    worker.runner(Handler(b'"kept"')).run(task_id)
    assert worker.get(task_id).data == b'"kept"'


def test_tasks_that_cannot_be_claimed_wait_for_redis(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [Unavailable("Away."), Unavailable("Away.")]
    task_id, claim = worker.submit(), worker.ledger.claim_many

    def claim_at_last(*arguments: Any, **options: Any) -> Any:
        if failures:
            raise failures.pop()
        return claim(*arguments, **options)

    monkeypatch.setattr(worker.ledger, "claim_many", claim_at_last)
    worker.runner(Handler(b'"at last"')).run(task_id)
    assert worker.get(task_id).data == b'"at last"'


def test_tasks_of_one_message_wait_for_their_batches_together(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    ids, batch = [worker.submit() for _ in range(3)], Future()
    handler, ended, finish = Handler(b'"done"', batch=batch), list[int](), worker.ledger.finish_many

    def counted(endings: Sequence[Ending]) -> list[bool]:
        ended.append(len(endings))
        return finish(endings)

    monkeypatch.setattr(worker.ledger, "finish_many", counted)
    thread = threading.Thread(target=worker.runner(handler).run, args=ids)
    thread.start()
    while len(worker.leases.held_now()) < 3:
        time.sleep(0.01)
    assert worker.in_hand.running(lambda: None) == 3
    assert {worker.get(task_id).status for task_id in ids} == {"pending"}
    batch.set_result(None)
    thread.join(20)
    assert handler.asked == ids
    assert ended == [3]  # in one round trip
    assert [worker.get(task_id).data for task_id in ids] == [b'"done"'] * 3
    assert worker.in_hand.running(lambda: None) == 0


def test_what_becomes_of_one_task_of_a_message_leaves_the_others_alone(worker: Worker) -> None:
    class Moody(Handler):
        def answer(self, task: ClaimedTask, fetched: Fetched, stopwatch: Stopwatch) -> Steps:
            self.outcome = outcomes[task.id]
            return (yield from super().answer(task, fetched, stopwatch))

    bad, good, late, gone = (worker.submit() for _ in range(4))
    worker.ledger.cancel(ACCOUNT, gone)
    outcomes = {bad: TaskFailure("The image is bad."), good: b'"good"', late: Unavailable("Away.")}
    worker.runner(Moody()).run(bad, good, late, gone)
    assert worker.get(bad).error == "The image is bad."
    assert worker.get(good).data == b'"good"'
    assert worker.get(late).status == "pending"
    assert worker.get(gone).error == "Cancelled."


def test_room_is_told_of_once_it_is_there(worker: Worker) -> None:
    woken: list[str] = []
    worker.in_hand.begin(2)
    assert worker.in_hand.running(lambda: woken.append("woken")) == 2
    worker.in_hand.end(1)
    worker.in_hand.end(1)
    assert woken == ["woken"]


def test_last_attempt_is_made_alone(worker: Worker) -> None:
    suspect, mate = worker.submit(), worker.submit()
    worker.ledger.claim(suspect, "dead", -1, 2)
    running, release, runner_saw = threading.Event(), threading.Event(), []

    class Meeting(Handler):
        def answer(self, task: ClaimedTask, fetched: Fetched, stopwatch: Stopwatch) -> Steps:
            yield from ()
            runner_saw.append(task.id)
            running.set()
            assert release.wait(20)
            return b"{}"

    runner = worker.runner(Meeting())
    threads = [threading.Thread(target=runner.run, args=(task_id,)) for task_id in (mate, suspect)]
    threads[0].start()
    assert running.wait(20)
    threads[1].start()
    while not runner._gate._waiting_for_alone:
        time.sleep(0.01)
    assert runner_saw == [mate]
    release.set()
    for thread in threads:
        thread.join()
    assert runner_saw == [mate, suspect]


def test_slow_task_keeps_its_lease(worker: Worker) -> None:
    task_id, slow, second = worker.submit(), Handler(seconds=0.8), Handler()
    thread = threading.Thread(target=worker.runner(slow).run, args=(task_id,))
    thread.start()
    time.sleep(0.6)  # twice the lease
    worker.runner(second).run(task_id)
    thread.join()
    assert (slow.asked, second.asked) == ([task_id], [])


def test_task_whose_workers_died_is_given_up_with_the_count(worker: Worker) -> None:
    task_id, handler = worker.submit(), Handler()
    for _ in range(2):
        worker.ledger.claim(task_id, "dead", -1, 2, alone=True)
    worker.runner(handler).run(task_id)
    assert worker.get(task_id).error == "The task failed 2 times without an answer, so it was given up."
    assert handler.asked == []
    assert handler.given_up[0].startswith("5: The task failed 2 times")


def test_process_may_hold_two_attempts_of_a_task(worker: Worker) -> None:
    task_id = worker.submit()
    first = worker.ledger.claim(task_id, "w1", -1, 3)
    second = worker.ledger.claim(task_id, "w1", 60, 3)
    with worker.leases.held(first):
        with worker.leases.held(second):
            assert worker.leases.held_now() == [first, second]
        assert worker.leases.held_now() == [first]
    assert worker.leases.held_now() == []


def test_leases_tell_how_long_the_first_of_their_tasks_has_run(worker: Worker) -> None:
    first, second = (worker.ledger.claim(worker.submit(), "w1", 60, 2) for _ in range(2))
    assert worker.leases.longest_seconds() == 0
    with worker.leases.held(first):
        time.sleep(0.05)
        with worker.leases.held(second):
            assert worker.leases.longest_seconds() >= 0.05
    assert worker.leases.longest_seconds() == 0


def test_running_tasks_are_handed_back_at_once(worker: Worker) -> None:
    task = worker.ledger.claim(worker.submit(), "w1", 60, 2)
    reconciler = Reconciler(worker.recovery, worker.queue)
    with worker.leases.held(task):
        reconciler.hand_back(worker.leases.held_now())
    assert worker.queue.depth() == 1
    assert worker.ledger.claim(task.id, "w2", 60, 2).attempt == 1


def test_task_of_a_dead_worker_is_enqueued_again(worker: Worker) -> None:
    worker.ledger.claim(worker.submit(), "dead", -1, 2)
    reconciler = Reconciler(worker.recovery, worker.queue)
    assert reconciler.reconcile_once() == 1
    assert worker.queue.depth() == 1
    assert reconciler.reconcile_once() == 0


def wait_until_ended(worker: Worker, task_id: str) -> TaskRecord:
    deadline = time.monotonic() + 20
    while worker.get(task_id).status == "pending":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return worker.get(task_id)


def test_task_whose_network_is_being_loaded_takes_no_thread(worker: Worker) -> None:
    task_id, handler = worker.submit(), Handler(network=Future())
    worker.runner(handler).run(task_id)  # returns
    time.sleep(2 * worker.settings.lease_seconds)
    assert Reconciler(worker.recovery, worker.queue).reconcile_once() == 0  # it keeps its lease
    assert handler.asked == []
    assert handler.network is not None
    handler.network.set_result(None)
    assert wait_until_ended(worker, task_id).status == "success"
    assert handler.asked == [task_id]


def test_wait_for_a_network_counts_as_its_load(worker: Worker) -> None:
    class Loads(Handler):
        def answer(self, task: ClaimedTask, fetched: Fetched, stopwatch: Stopwatch) -> bytes:
            stopwatch.lap(Stage.LOAD)
            return b"{}"

    task_id, handler = worker.submit(), Loads(network=Future())
    worker.runner(handler).run(task_id)
    time.sleep(0.1)
    assert handler.network is not None
    handler.network.set_result(None)
    wait_until_ended(worker, task_id)
    assert orjson.loads(worker.client.hget(f"recoq:task:{task_id}", "stages"))["load"] >= 100


def test_stop_hands_back_what_waits_for_a_network(worker: Worker) -> None:
    task_id, handler = worker.submit(), Handler(network=Future())
    runner = worker.runner(handler)
    runner.run(task_id)
    Reconciler(worker.recovery, worker.queue).hand_back(runner.stop())
    assert worker.leases.held_now() == []
    assert handler.network is not None
    handler.network.set_result(None)
    assert handler.asked == []
    assert worker.ledger.claim(task_id, "w2", 60, 2).attempt == 1


def test_account_whose_tasks_wait_for_too_much_is_held_back(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_aside, "MOST_TASKS", 2)
    task_id, handler = worker.submit(), Handler(network=Future())
    runner = worker.runner(handler)
    runner.run(task_id)
    assert runner.held_back() == {ACCOUNT}
    assert handler.network is not None
    handler.network.set_result(None)
    wait_until_ended(worker, task_id)
    assert not runner.held_back()


def test_task_whose_image_is_being_fetched_takes_no_thread(worker: Worker) -> None:
    task_id, handler = worker.submit_urls("http://a/1", "http://a/2", "http://a/1"), Handler()
    worker.runner(handler).run(task_id)  # returns
    time.sleep(2 * worker.settings.lease_seconds)
    assert Reconciler(worker.recovery, worker.queue).reconcile_once() == 0  # it keeps its lease
    assert handler.asked == []
    worker.fetcher.released.set()
    assert wait_until_ended(worker, task_id).status == "success"
    assert handler.fetched == [{"http://a/1": b"http://a/1", "http://a/2": b"http://a/2"}]
    stages = orjson.loads(worker.client.hget(f"recoq:task:{task_id}", "stages"))
    assert stages["fetch"] >= 2000 * worker.settings.lease_seconds


def test_image_is_fetched_when_the_network_is_there(worker: Worker) -> None:
    task_id, handler = worker.submit_urls("http://a/1"), Handler(network=Future())
    worker.fetcher.released.set()
    worker.runner(handler).run(task_id)
    assert worker.fetcher.started == []  # it would have to be kept for as long as the load takes
    assert handler.network is not None
    handler.network.set_result(None)
    assert wait_until_ended(worker, task_id).status == "success"
    assert worker.fetcher.started == ["http://a/1"]


def test_task_waits_again_when_its_network_has_left_meanwhile(worker: Worker) -> None:
    task_id, handler = worker.submit_urls("http://a/1"), Handler()
    worker.runner(handler).run(task_id)
    handler.network = network = Future()
    worker.fetcher.released.set()
    time.sleep(0.1)
    assert handler.asked == []
    assert len(worker.leases.held_now()) == 1
    network.set_result(None)
    assert wait_until_ended(worker, task_id).status == "success"
    assert worker.fetcher.started == ["http://a/1"]


def test_images_behind_one_that_cannot_be_had_are_not_fetched(worker: Worker) -> None:
    task_id, handler = worker.submit_urls("http://a/1", "http://a/2", "http://a/3"), Handler()
    worker.fetcher.errors["http://a/2"] = error = FetchError("It is not there.")
    worker.fetcher.released.set()
    worker.runner(handler).run(task_id)
    wait_until_ended(worker, task_id)
    assert handler.fetched == [{"http://a/1": b"http://a/1", "http://a/2": error}]


def test_account_that_uses_its_share_of_the_fetches_is_held_back_alone(worker: Worker) -> None:
    slow = [worker.submit_urls(f"http://a/{number}") for number in range(3)]
    other = worker.submit_urls("http://b/1", account_id=2)
    runner = worker.runner(Handler())
    runner.run(*slow, other)
    assert worker.fetcher.started == ["http://a/0", "http://a/1", "http://b/1"]
    assert runner.held_back() == {ACCOUNT}
    worker.fetcher.released.set()
    assert {wait_until_ended(worker, task_id).status for task_id in slow} == {"success"}
    assert not runner.held_back()


def test_fetched_image_keeps_its_place_until_a_thread_goes_on_with_it(worker: Worker) -> None:
    ids, batch = [worker.submit_urls(f"http://a/{number}") for number in range(6)], Future[None]()
    worker.fetcher.released.set()
    runner = worker.runner(Handler(batch=batch))
    runner.run(*ids)
    time.sleep(0.2)
    assert len(worker.fetcher.started) == 4  # two threads wait for their batch, and two fetched images for a thread
    batch.set_result(None)
    assert {wait_until_ended(worker, task_id).status for task_id in ids} == {"success"}


def test_task_for_which_there_is_no_room_is_put_off_and_waits_in_no_thread(worker: Worker) -> None:
    ids = [worker.submit_urls(f"http://a/{number}") for number in range(7)]  # two fetch, four wait
    runner = worker.runner(Handler())
    runner.run(*ids)
    assert len(worker.leases.held_now()) == 6
    time.sleep(1.5 * worker.settings.lease_seconds)
    worker.fetcher.released.set()
    assert Reconciler(worker.recovery, worker.queue).reconcile_once() == 1
    assert {wait_until_ended(worker, task_id).status for task_id in ids[:6]} == {"success"}
    runner.run(ids[6])
    assert wait_until_ended(worker, ids[6]).status == "success"
    assert worker.client.hget(f"recoq:task:{ids[6]}", "attempts") == b"1"


def test_last_attempt_waits_for_its_image_beside_others_and_counts_when_it_is_made(worker: Worker) -> None:
    task_id, mate, handler = worker.submit_urls("http://a/1"), worker.submit(), Handler()
    worker.ledger.claim(task_id, "dead", -1, 2)
    runner = worker.runner(handler)
    runner.run(task_id)
    runner.run(mate)  # nobody is kept out
    assert handler.asked == [mate]
    assert worker.client.hget(f"recoq:task:{task_id}", "attempts") == b"1"  # others may bring the process down
    worker.fetcher.released.set()
    assert wait_until_ended(worker, task_id).status == "success"
    assert handler.fetched[1] == {"http://a/1": b"http://a/1"}
    assert worker.client.hget(f"recoq:task:{task_id}", "attempts") == b"2"


def test_last_attempt_with_an_image_to_fetch_is_made_alone(worker: Worker) -> None:
    class Watching(Handler):
        def answer(self, task: ClaimedTask, fetched: Fetched, stopwatch: Stopwatch) -> Steps:
            was_alone.append(runner._gate._alone)
            return (yield from super().answer(task, fetched, stopwatch))

    was_alone: list[bool] = []
    task_id = worker.submit_urls("http://a/1")
    worker.ledger.claim(task_id, "dead", -1, 2)
    worker.fetcher.released.set()
    runner = worker.runner(Watching())
    runner.run(task_id)
    assert wait_until_ended(worker, task_id).status == "success"
    assert was_alone == [True]


def test_last_attempt_that_went_to_another_worker_is_not_made(worker: Worker) -> None:
    task_id, handler = worker.submit_urls("http://a/1"), Handler()
    worker.ledger.claim(task_id, "dead", -1, 2)
    runner = worker.runner(handler)
    runner.run(task_id)
    expire_leases(worker)
    assert worker.ledger.claim(task_id, "w2", 60, 2, alone=True).attempt == 2
    worker.fetcher.released.set()
    while worker.leases.held_now():
        time.sleep(0.01)
    assert handler.asked == []


def test_stop_hands_back_what_waits_for_an_image_at_once(worker: Worker) -> None:
    task_id, handler = worker.submit_urls("http://a/1"), Handler()
    runner = worker.runner(handler)
    runner.run(task_id)
    Reconciler(worker.recovery, worker.queue).hand_back(runner.give_up_waiting())
    assert worker.leases.held_now() == []
    assert worker.ledger.claim(task_id, "w2", 60, 2).attempt == 1
    worker.fetcher.released.set()
    assert runner.stop() == []
    assert handler.asked == []


@dataclass
class Decoder(Handler):
    """Notes how many tasks of each account are decoded at once, until it may go on."""

    may_decode: threading.Event = field(default_factory=threading.Event)
    decoding: list[int] = field(default_factory=list)

    def answer(self, task: ClaimedTask, fetched: Fetched, stopwatch: Stopwatch) -> Steps:
        yield from ()
        self.decoding.append(task.account_id)
        assert self.may_decode.wait(20)
        return b"{}"


def submit_image(worker: Worker, account_id: int, seconds: float) -> str:
    request = {"network_id": 5, "inputs": [{"source": {"staged": 0}}]}
    new = NewTask(account_id, TaskKind.RECOGNITION, request, [b""], cost=Cost(decoding_seconds=seconds))
    return worker.ledger.submit(new)


def test_heavy_images_take_no_threads_while_they_wait_for_a_place(worker: Worker) -> None:
    decoder = Decoder()
    runner = worker.runner(decoder)
    heavy = [submit_image(worker, account_id, HEAVY_SECONDS) for account_id in (1, 1, 1, 2)]
    for task_id in heavy:
        runner.run(task_id)  # returns at once
    wait_until(lambda: decoder.decoding == [1])
    decoder.may_decode.set()
    runner.run(submit_image(worker, 3, 0.001))
    assert 3 in decoder.decoding
    wait_until(lambda: sorted(decoder.decoding) == [1, 1, 1, 2, 3])
    wait_until(lambda: worker.ledger.get(2, heavy[-1]).status == "success")


def test_failed_heavy_image_leaves_its_place(worker: Worker) -> None:
    handler = Handler(outcome=TaskFailure("It cannot be read."))
    runner = worker.runner(handler)
    ids = [submit_image(worker, ACCOUNT, HEAVY_SECONDS) for _ in range(3)]
    for task_id in ids:
        worker.heavy.took(task_id)
        runner.run(task_id)
    for task_id in ids:
        wait_until(lambda task_id=task_id: worker.get(task_id).error == "It cannot be read.")
    assert worker.heavy.room() == HeavyImages(cores=2).room()


def test_task_that_is_gone_takes_no_room_of_heavy_ones(worker: Worker) -> None:
    runner = worker.runner(Handler())
    worker.heavy.took("404")
    runner.run("404")
    assert worker.heavy.room() == HeavyImages(cores=2).room()


def test_fetched_image_is_charged_as_what_it_was_found_to_be(worker: Worker) -> None:
    task = claimed(worker, worker.submit_urls("http://a/1", "http://a/1"))
    run = TaskRun(task, Handler())
    png = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + struct.pack(">IIBBBBB", 9000, 9000, 8, 2, 0, 0, 0) + bytes(100)
    run.found({"http://a/1": png})
    assert run.needs_place
    run.go_on()
    assert run.ending is not None
    assert run.ending.extra_seconds == pytest.approx(2 * decoding_seconds(png) - task.cost.decoding_seconds)


def claimed(worker: Worker, task_id: str) -> ClaimedTask:
    task = worker.ledger.claim(task_id, "w1", 60, 3)
    assert task is not None
    return task


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)
