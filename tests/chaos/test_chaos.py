"""Nothing lost: every accepted task ends once, with the right answer, whatever is killed or frozen meanwhile.

A short run is part of the suite; ``make chaos`` makes a long one and shows the table, which stands in
``docs/reliability.md``.
"""

import json
import os
import time
from bisect import bisect_left
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from demo import IMAGES_FOLDER
from store.webhook_ledger import BESIDE_SENDING_SECONDS
from tests.chaos.clients import FIELD, Clients
from tests.chaos.fleet import IMAGES, INFERENCE, Fleet, running_fleet
from tests.chaos.monkey import Fault, Monkey
from tests.integration.file_server import served
from tests.integration.tasks import result
from tests.receiver import Message, receiving

TASKS = int(os.environ.get("CHAOS_TASKS", "200"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
FINISH_SECONDS = 120.0 + TASKS / 4
URL_TIMEOUT_SECONDS = 10.0  # the default
PAGE = 500


def answers_in_calm(http: httpx.Client) -> list[Any]:
    return [answer_of(result(http, http.post(INFERENCE, files={FIELD: ("i.jpg", image)}))) for image in IMAGES]


def answer_of(data: Any) -> list[tuple[str, float]]:
    """The labels, and their scores as far as they do not depend on what an image was batched with."""
    predicted = data["outputs"][0]["labels"]["predicted"]
    return [(each["label_name"], pytest.approx(each["score"], abs=1e-3)) for each in predicted]


def all_tasks(http: httpx.Client, ids: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for start in range(0, len(ids), PAGE):
        query = {"task_ids": ",".join(ids[start : start + PAGE]), "limit": PAGE}
        for task in http.get("/tasks", params=query).raise_for_status().json()["results"]:
            found[task["id"]] = task
    return found


def ended_tasks(http: httpx.Client, ids: list[str]) -> dict[str, Any]:
    deadline = time.monotonic() + FINISH_SECONDS
    while True:
        found = all_tasks(http, ids)
        if all(task["status"] != "pending" for task in found.values()) or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def deliveries(messages: list[Message], secret: str) -> dict[str, list[Any]]:
    """Return what the receiver was told of each task, in genuine messages.

    Not verified as a receiver does, at once: a long run takes more than the five minutes that a message may be old.
    """
    told: dict[str, list[Any]] = {}
    for message in messages:
        headers = {name.lower(): value for name, value in message.headers.items()}
        sent_at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        signature = Verifier(secret).sign(headers["webhook-id"], sent_at, message.body.decode())
        assert signature in headers["webhook-signature"].split()
        told.setdefault(headers["webhook-id"].removeprefix("task-"), []).append(json.loads(message.body))
    return told


def delivered_tasks(http: httpx.Client, ids: set[str]) -> dict[str, Any]:
    """Return the tasks when their webhooks have been delivered: those of a killed process are tried a minute later."""
    deadline = time.monotonic() + URL_TIMEOUT_SECONDS + BESIDE_SENDING_SECONDS + FINISH_SECONDS
    while True:
        found = all_tasks(http, list(ids))
        if all(task["webhook"]["status"] == "delivered" for task in found.values()) or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def figures(fleet: Fleet, tasks: dict[str, Any], clients: Clients, faults: list[Fault]) -> dict[str, Any]:
    with fleet.ledger() as ledger, ledger.pipeline(transaction=False) as pipeline:
        for task_id in tasks:
            pipeline.hmget(f"recoq:task:{task_id}", "attempts", "updated")
        rows = dict(zip(tasks, pipeline.execute(), strict=True))
    ends = {task_id: float(updated) for task_id, (_, updated) in rows.items()}
    return {
        "accepted": len(clients.accepted),
        "finished": sum(task["status"] == "success" for task in tasks.values()),
        "cancelled": sum(task["error"] == "Cancelled." for task in tasks.values()),
        "lost": len(clients.accepted) - len(tasks),
        "run more than once": sum(int(attempts) > 1 for attempts, _ in rows.values()),
        **dict(sorted(Counter(fault.name for fault in faults).items())),
        "longest until a killed worker's tasks had ended (s)": _takeover_seconds(faults, ends, "worker killed"),
        "the same for a frozen worker (s)": _takeover_seconds(faults, ends, "worker frozen"),
        "longest pause after Redis was back (s)": _pause_seconds(faults, sorted(ends.values())),
        "longest answer of the API (s)": round(clients.longest_seconds, 1),
        "refused with 503 or 429": clients.refused,
    }


def _takeover_seconds(faults: list[Fault], ends: dict[str, float], name: str) -> float | str:
    recoveries = [
        ends[task] - fault.over_at for fault in faults if fault.name == name for task in fault.tasks if task in ends
    ]
    return round(max(recoveries), 1) if recoveries else "none had any"


def _pause_seconds(faults: list[Fault], ends: list[float]) -> float:
    pauses = []
    for fault in faults:
        following = bisect_left(ends, fault.over_at)
        if fault.name.startswith("redis") and following < len(ends):
            pauses.append(ends[following] - fault.over_at)
    return round(max(pauses, default=0.0), 1)


def table(title: str, rows: dict[str, Any]) -> str:
    lines = [f"| {title} | |", "| --- | ---: |", *(f"| {name} | {value} |" for name, value in rows.items())]
    return "\n".join(lines)


@pytest.mark.timeout(FINISH_SECONDS + 600)
@pytest.mark.parametrize("append_fsync", ["always", "everysec"])
def test_every_accepted_task_ends_once_with_the_right_answer(
    append_fsync: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        running_fleet(tmp_path / "fleet", workers=2, append_fsync=append_fsync) as fleet,
        fleet.http() as http,
        receiving() as receiver,
        served(IMAGES_FOLDER) as images_url,
    ):
        secret = http.post("/accounts/me/webhook-secret").json()["secret"]
        fleet.webhooks.start()
        right = answers_in_calm(http)
        clients, monkey = Clients(fleet, TASKS, receiver.url, images_url), Monkey(fleet, SEED)
        clients.start()
        monkey.start()
        clients.wait(FINISH_SECONDS)
        monkey.stop()
        tasks = ended_tasks(http, list(clients.accepted))
        telling = delivered_tasks(http, clients.told)
        told = deliveries(receiver.got, secret)
        rows = figures(fleet, tasks, clients, monkey.faults)
        rows["webhooks"] = len(told)
        rows["webhooks that came more than once"] = sum(len(bodies) > 1 for bodies in told.values())
        with capsys.disabled():
            print(f"\n\n{table(f'appendfsync {append_fsync}, seed {SEED}', rows)}\n")
        assert rows["lost"] == 0
        errors = {task_id: task["error"] for task_id, task in tasks.items() if task["status"] != "success"}
        assert set(errors.values()) <= {"Cancelled."}
        assert set(errors) <= clients.cancelled
        assert len(clients.accepted) == TASKS  # what was sent again made no second task
        for task_id, index in clients.accepted.items():
            if task_id not in errors:
                assert answer_of(tasks[task_id]["data"]) == right[index]
        assert told.keys() == clients.told
        for task_id, bodies in told.items():
            task = telling[task_id]
            assert task["webhook"]["status"] == "delivered"
            assert all(each | {"webhook": None} == task | {"webhook": None} for each in bodies)
        assert len(monkey.faults) > 0
        with fleet.ledger() as ledger:
            assert ledger.hgetall("recoq:backlog") == {}
            assert ledger.zcard("recoq:leases") == 0
        assert not [worker for worker in fleet.workers if worker.ended]
