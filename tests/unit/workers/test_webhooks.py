"""Webhooks: signed, delivered at least once, tried again for a day, and shown in the task."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import ip_network
from pathlib import Path

import pytest
import redis
from standardwebhooks.webhooks import Webhook as Verifier

from config.queues import TaskKind
from config.settings import Settings, read_settings
from store.accounts import Accounts
from store.database import Database
from store.migrate import migrate
from store.redis_connection import connect
from store.task_keys import TASK_PREFIX, WEBHOOKS_KEY, WEBHOOKS_PREFIX, WEBHOOKS_UNDER_WAY_PREFIX
from store.task_ledger import TaskLedger
from store.task_records import NewTask, Outcome, Webhook, WebhookState, WebhookStatus
from store.webhook_ledger import GIVE_UP_SECONDS, WebhookLedger
from tests.receiver import Message, Receiver, receiving
from workers.webhooks.delivery import Deliverer
from workers.webhooks.sender import WebhookSender

LONG_SECONDS = 60
MANY = 1000
DONE = Outcome(data=b'{"outputs":[]}')


@dataclass
class Delivery:
    """What a webhook process works with, and one account."""

    settings: Settings
    client: redis.Redis
    tasks: TaskLedger
    webhooks: WebhookLedger
    accounts: Accounts
    account_id: int
    other_account_id: int

    def submit(self, url: str, *events: str, account_id: int | None = None) -> str:
        webhook = Webhook(url, events or ("error", "success"))
        return self.tasks.submit(NewTask(account_id or self.account_id, TaskKind.RECOGNITION, {}, webhook=webhook))

    def ended(self, url: str, account_id: int | None = None) -> str:
        task_id = self.submit(url, account_id=account_id)
        self.tasks.finish(task_id, None, DONE)
        return task_id

    def state(self, task_id: str) -> WebhookState | None:
        return self.tasks.get(self.account_id, task_id).webhook

    def due_now(self, task_id: str) -> None:
        self.client.zadd(self.deliveries, {task_id: time.time()}, xx=True)

    def deliver(self, task_id: str, settings: Settings | None = None) -> None:
        sender = WebhookSender(settings or self.settings)
        Deliverer(self.tasks, self.webhooks, self.accounts, sender).deliver(self.account_id, task_id)

    def hand_out(self, threads: int = MANY, sender: str = "sender") -> list[str]:
        return [task_id for _, task_id in self.webhooks.hand_out(sender, threads).deliveries]

    def is_done(self) -> bool:
        """Tell whether nothing is to be delivered any more, and nothing counts as being delivered."""
        under_way = f"{WEBHOOKS_UNDER_WAY_PREFIX}{self.account_id}"
        return not self.client.exists(self.deliveries, under_way)

    @property
    def deliveries(self) -> str:
        return f"{WEBHOOKS_PREFIX}{self.account_id}"


@pytest.fixture
def delivery(empty_redis: str, tmp_path: Path) -> Iterator[Delivery]:
    settings = replace(
        read_settings(),
        data_folder=tmp_path,
        database_url=f"sqlite:///{tmp_path / 'recoq.db'}",
        redis_url=empty_redis,
        url_allowed_networks=(ip_network("127.0.0.0/8"),),
        url_timeout_seconds=5.0,
    )
    migrate(settings.database_url)
    database = Database(settings.database_url)
    accounts = Accounts(database)
    ids = []
    for name in ("home", "elsewhere"):
        principal = accounts.authenticate(accounts.create_key(name, "admin"))
        assert principal is not None
        ids.append(principal.account_id)
    with connect(empty_redis) as client:
        yield Delivery(settings, client, TaskLedger(client, 60), WebhookLedger(client, 5), accounts, *ids)
    database.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def assert_genuine(message: Message, secret: str) -> None:
    Verifier(secret).verify(message.body, {name.lower(): value for name, value in message.headers.items()})


def test_ended_task_is_delivered_and_an_independent_verifier_takes_it(delivery: Delivery, receiver: Receiver) -> None:
    task_id = delivery.ended(receiver.url)
    delivery.deliver(task_id)
    [message] = receiver.got
    assert_genuine(message, delivery.accounts.webhook_secret(delivery.account_id))
    assert message.headers["Content-Type"] == "application/json"
    task = json.loads(message.body)
    assert (task["id"], task["status"], task["data"]) == (task_id, "success", {"outputs": []})
    assert delivery.state(task_id) == WebhookState(WebhookStatus.DELIVERED, 1, None)
    assert delivery.is_done()


def test_secret_that_was_renewed_signs_from_then_on(delivery: Delivery, receiver: Receiver) -> None:
    old = delivery.accounts.webhook_secret(delivery.account_id)
    assert delivery.accounts.webhook_secret(delivery.account_id) == old
    new = delivery.accounts.renew_webhook_secret(delivery.account_id)
    assert new != old
    delivery.deliver(delivery.ended(receiver.url))
    assert_genuine(receiver.got[0], new)


def test_failed_delivery_is_tried_again_later_under_the_same_id(delivery: Delivery, receiver: Receiver) -> None:
    receiver.statuses = [503, 204]
    task_id = delivery.ended(receiver.url)
    delivery.deliver(task_id)
    assert delivery.state(task_id) == WebhookState(WebhookStatus.PENDING, 1, "The receiver answered 503.")
    assert delivery.hand_out() == []
    delivery.due_now(task_id)
    assert delivery.hand_out() == [task_id]
    delivery.deliver(task_id)
    assert delivery.state(task_id) == WebhookState(WebhookStatus.DELIVERED, 2, None)
    first, second = receiver.got
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_delays_grow(delivery: Delivery) -> None:
    task_id = delivery.ended("http://127.0.0.1:1/")
    delays = []
    for _ in range(4):
        delivery.deliver(task_id)
        delays.append(delivery.client.zscore(delivery.deliveries, task_id) - time.time())
    assert delays == sorted(delays)
    assert 4 < delays[0] < 6
    assert 500 < delays[-1] < 700


def test_dead_receiver_is_given_up_after_a_day_and_shown(delivery: Delivery) -> None:
    task_id = delivery.ended("http://127.0.0.1:1/")
    delivery.client.hset(TASK_PREFIX + task_id, "updated", time.time() - GIVE_UP_SECONDS)
    delivery.deliver(task_id)
    state = delivery.state(task_id)
    assert state == WebhookState(WebhookStatus.FAILED, 1, "The server of the webhook URL could not be reached.")
    assert delivery.is_done()


def test_receiver_that_is_gone_is_not_asked_again(delivery: Delivery, receiver: Receiver) -> None:
    receiver.statuses = [410]
    task_id = delivery.ended(receiver.url)
    delivery.deliver(task_id)
    state = delivery.state(task_id)
    assert state is not None
    assert state.status is WebhookStatus.FAILED
    assert delivery.is_done()


def test_redirects_are_not_followed(delivery: Delivery, receiver: Receiver) -> None:
    receiver.statuses = [307]
    task_id = delivery.ended(receiver.url)
    delivery.deliver(task_id)
    assert delivery.state(task_id) == WebhookState(WebhookStatus.PENDING, 1, "The receiver answered 307.")
    assert len(receiver.got) == 1


def test_internal_addresses_are_refused(delivery: Delivery, receiver: Receiver) -> None:
    task_id = delivery.ended(receiver.url)
    delivery.deliver(task_id, replace(delivery.settings, url_allowed_networks=()))
    state = delivery.state(task_id)
    assert state is not None
    assert state.last_error == "The host of the webhook URL has no public address, or could not be looked up."
    assert receiver.got == []


@pytest.mark.parametrize(("events", "told"), [(("success",), False), (("error",), True), (("error", "success"), True)])
def test_only_ends_that_were_asked_for_are_told(delivery: Delivery, events: tuple[str, ...], told: bool) -> None:
    task_id = delivery.submit("http://127.0.0.1:1/", *events)
    assert delivery.state(task_id) == WebhookState(WebhookStatus.PENDING, 0, None)
    delivery.tasks.cancel(delivery.account_id, task_id)
    assert delivery.hand_out() == ([task_id] if told else [])
    state = delivery.state(task_id)
    assert state is not None
    assert state.status is (WebhookStatus.PENDING if told else WebhookStatus.SKIPPED)


def test_each_due_delivery_goes_to_one_process(delivery: Delivery) -> None:
    task_ids = [delivery.ended("http://127.0.0.1:1/") for _ in range(50)]
    with ThreadPoolExecutor(8) as threads:
        handed_out = [task_id for some in threads.map(lambda _: delivery.hand_out(), range(8)) for task_id in some]
        begun = list(threads.map(partial(delivery.webhooks.begin, delivery.account_id), task_ids * 4))
    assert sorted(handed_out) == sorted(task_ids)
    assert sorted(each.task_id for each in begun if each is not None) == sorted(task_ids)


def test_an_account_leaves_as_many_threads_free_as_it_holds(delivery: Delivery) -> None:
    task_ids = [delivery.ended("http://127.0.0.1:1/") for _ in range(10)]
    first = delivery.webhooks.hand_out("sender", 8)
    assert [task_id for _, task_id in first.deliveries] == task_ids[:4]
    assert first.more_are_due
    assert delivery.hand_out(8) == []
    others = [delivery.ended("http://127.0.0.1:1/", delivery.other_account_id) for _ in range(10)]
    assert delivery.hand_out(8) == others[:2]
    assert delivery.hand_out(8, "another sender") == [*others[2:4], task_ids[4], others[4], task_ids[5]]


def test_an_account_that_holds_less_comes_first_however_long_the_backlog_of_another_is(delivery: Delivery) -> None:
    task_ids = [delivery.ended("http://127.0.0.1:1/") for _ in range(100)]
    assert delivery.hand_out(4) == task_ids[:2]
    other = delivery.ended("http://127.0.0.1:1/", delivery.other_account_id)
    assert delivery.hand_out(4) == [other]
    for task_id in task_ids[:2]:
        delivery.deliver(task_id)
    assert delivery.hand_out(4) == task_ids[2:4]


def test_accounts_that_have_nothing_to_deliver_are_forgotten(delivery: Delivery, receiver: Receiver) -> None:
    task_id = delivery.ended(receiver.url)
    assert delivery.hand_out() == [task_id]
    assert delivery.hand_out() == []
    assert delivery.client.scard(WEBHOOKS_KEY) == 1
    delivery.deliver(task_id)
    assert not delivery.webhooks.hand_out("sender", MANY).more_are_due
    assert delivery.client.scard(WEBHOOKS_KEY) == 0


@pytest.mark.parametrize("timeout_seconds", [10.0, 90.0])
def test_nobody_else_begins_before_the_receiver_has_had_its_time(delivery: Delivery, timeout_seconds: float) -> None:
    webhooks = WebhookLedger(delivery.client, timeout_seconds)
    task_id = delivery.ended("http://127.0.0.1:1/")
    for begin in (lambda: webhooks.hand_out("sender", MANY), lambda: webhooks.begin(delivery.account_id, task_id)):
        begin()
        [(_, again)] = delivery.client.zrange(delivery.deliveries, 0, -1, withscores=True)
        assert again > time.time() + timeout_seconds + 40
    busy_until = delivery.client.hget(TASK_PREFIX + task_id, "webhook_busy_until")
    assert busy_until is not None
    assert float(busy_until) > time.time() + timeout_seconds + 40
    assert webhooks.begin(delivery.account_id, task_id) is None


def test_purged_task_is_not_delivered(delivery: Delivery, receiver: Receiver) -> None:
    task_id = delivery.ended(receiver.url)
    delivery.tasks.purge(delivery.account_id, task_id)
    delivery.deliver(task_id)
    assert receiver.got == []
    assert delivery.is_done()


@contextmanager
def webhook_process(settings: Settings, **variables: str) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "RECOQ_DATABASE_URL": settings.database_url,
        "RECOQ_REDIS_URL": settings.redis_url,
        "RECOQ_URL_ALLOWED_NETWORKS": "127.0.0.0/8",
        "RECOQ_LOG_LEVEL": "WARNING",
        **variables,
    }
    with subprocess.Popen([sys.executable, "-m", "workers.webhooks"], env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def until_status(delivery: Delivery, task_id: str, status: WebhookStatus, attempts: int) -> None:
    end = time.monotonic() + LONG_SECONDS
    while (state := delivery.state(task_id)) is None or (state.status, state.attempts, bool(state.last_error)) != (
        status,
        attempts,
        status is WebhookStatus.PENDING,
    ):
        assert time.monotonic() < end, state
        time.sleep(0.02)


def test_retries_survive_the_death_of_the_process(delivery: Delivery, receiver: Receiver) -> None:
    receiver.statuses = [500, 204]
    with webhook_process(delivery.settings):
        task_id = delivery.ended(receiver.url)
        receiver.wait_for(1)
        until_status(delivery, task_id, WebhookStatus.PENDING, 1)
    with webhook_process(delivery.settings) as process:
        delivery.due_now(task_id)
        receiver.wait_for(2)
        until_status(delivery, task_id, WebhookStatus.DELIVERED, 2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(LONG_SECONDS) == 0


@pytest.mark.parametrize(("processes", "threads", "held"), [(1, 32, 16), (2, 2, 2)])
def test_a_receiver_that_hangs_does_not_hold_up_other_accounts(
    delivery: Delivery, receiver: Receiver, processes: int, threads: int, held: int
) -> None:
    variables = {"RECOQ_URL_TIMEOUT_SECONDS": "30", "RECOQ_WORKER_THREADS": str(threads)}
    with ExitStack() as stack:
        hanging = stack.enter_context(receiving())
        hanging.hangs = True
        for _ in range(processes):
            stack.enter_context(webhook_process(delivery.settings, **variables))
        for _ in range(50):
            delivery.ended(hanging.url)
        hanging.wait_for(held)
        time.sleep(1)  # whatever else is going to be sent to it
        assert len(hanging.got) == held
        for count in range(1, 11):
            delivery.ended(receiver.url, delivery.other_account_id)
            receiver.wait_for(count, seconds=5)
