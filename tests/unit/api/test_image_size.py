"""Images over RECOQ_MAX_IMAGE_BYTES end their task before it begins, and nothing of them is staged."""

import base64
import json
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import redis

from api.app import create_app
from api.services import Services
from config.settings import Settings
from store.backlog import UNLIMITED
from store.errors import NotFound
from store.redis_connection import connect
from store.task_ledger import TaskLedger
from store.task_queue import TaskQueue
from store.webhook_ledger import WebhookLedger
from tests.unit.api.callers import JPEG, Caller

MAX_BYTES = 2000
LARGE = JPEG + b"x" * 400_000
SENTENCE = "inputs.0.image: The image file has 0.4 MiB, which is over the limit of 2000 bytes; send a smaller one."
BOUNDARY = "multipart/form-data; boundary=XX"

Sending = dict[str, Any]


@pytest.fixture
def strict(api_settings: Settings, services: Services, admin: Caller) -> Caller:
    """The admin of an API that takes small images only."""
    settings = replace(api_settings, max_image_bytes=MAX_BYTES)
    return Caller(create_app(settings, replace(services, settings=settings)).test_client(), admin.key)


@pytest.fixture
def path(version: dict[str, Any]) -> str:
    return f"/recognition/specs/{version['spec_id']}/inference"


@pytest.fixture
def client(api_settings: Settings) -> redis.Redis:
    return connect(api_settings.redis_url)


def base64_source(data: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


def json_body(*images: bytes) -> Sending:
    return {"json": {"inputs": [{"image": {"source": base64_source(data)}} for data in images]}}


def part(head: str, data: bytes) -> bytes:
    name = 'form-data; name="inputs[0]image.source"'
    return f"--XX\r\nContent-Disposition: {name}{head}\r\n\r\n".encode() + data + b"\r\n"


def form(head: str, data: bytes) -> Sending:
    return {"data": part(head, data) + b"--XX--\r\n", "content_type": BOUNDARY}


FORMS: dict[str, Callable[[bytes], Sending]] = {
    "base64 in JSON": json_body,
    "binary in JSON": lambda data: {
        "json": {"inputs": [{"image": {"source": "data:image/*;binary," + data.decode("latin-1")}}]}
    },
    "file part": lambda data: form('; filename="a.jpg"\r\nContent-Type: image/jpeg', data),
    "part without a name": lambda data: form("", data),
    "base64 part": lambda data: form("", base64_source(data).encode()),
    "binary part": lambda data: form("", b"data:image/jpeg;binary," + data),
}


def everything(client: redis.Redis) -> tuple[int, int, dict[bytes, bytes]]:
    """Return the tasks that wait, the staged images, and the backlog."""
    lines = [line.decode() for line in client.smembers("recoq:lines")]
    waiting = sum(client.zcard(f"recoq:waiting:{line}") + client.llen(line) for line in lines)
    return waiting, len(list(client.scan_iter("recoq:inputs:*"))), client.hgetall("recoq:backlog")


def ended(caller: Caller, response: Any) -> dict[str, Any]:
    assert response.status_code == 202, response.text
    task: dict[str, Any] = caller.get(f"/tasks/{response.get_json()['task_id']}").get_json()
    return task


@pytest.mark.parametrize("form_of_source", FORMS)
def test_task_of_an_image_that_is_too_large_has_ended_and_stages_nothing(
    strict: Caller, client: redis.Redis, path: str, form_of_source: str
) -> None:
    before = everything(client)
    task = ended(strict, strict.post(path, **FORMS[form_of_source](LARGE)))
    assert (task["status"], task["error"], task["data"]) == ("error", SENTENCE, None)
    assert task["date_updated"] == task["date_created"]
    assert (task["timing"]["attempts"], task["timing"]["total"], task["timing"]["worker"]) == (0, 0, None)
    assert everything(client) == before


def tiled_tiff(width: int, height: int, tile_height: int) -> bytes:
    tags = {256: width, 257: height, 258: 8, 259: 5, 262: 1, 322: 1, 323: tile_height}
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + directory + bytes(4)


COSTLY = {
    "The image has 10001x10000 pixels, which is over the limit of 100000000.": (10_001, 10_000, 1),
    "The image (TIFF, 5000x1 pixels) would take about 375.0 seconds": (5000, 1, 10_000_000),
}


@pytest.mark.parametrize("sentence", COSTLY)
def test_task_of_an_image_that_costs_too_much_has_ended_and_stages_nothing(
    strict: Caller, client: redis.Redis, path: str, sentence: str
) -> None:
    before = everything(client)
    task = ended(strict, strict.post(path, **json_body(tiled_tiff(*COSTLY[sentence]))))
    assert task["error"].startswith(f"inputs.0.image: {sentence}")
    assert everything(client) == before


@pytest.mark.parametrize("form_of_source", FORMS)
def test_image_of_the_largest_size_is_staged(
    strict: Caller, services: Services, path: str, form_of_source: str
) -> None:
    data = JPEG.ljust(MAX_BYTES, b"x")
    response = strict.post(path, **FORMS[form_of_source](data))
    claimed = services.ledger.claim(response.get_json()["task_id"], "test", 60, 3)
    assert claimed is not None
    assert list(claimed.inputs) == [data]


def test_raw_inference_and_versions_know_the_limit_too(strict: Caller, version: dict[str, Any]) -> None:
    for address in (f"/recognition/versions/{version['id']}", f"/networks/{version['network_id']}"):
        task = ended(strict, strict.post(f"{address}/inference", **json_body(LARGE)))
        assert (task["status"], task["error"]) == ("error", SENTENCE)


def test_sentence_names_the_input(strict: Caller) -> None:
    image = {"dimension_order": "NCHW", "resize_type": "SQUASH", "target_size": "8x8", "color_channels": "RGB"}
    inputs = [{"tensor_name": name, "image": image} for name in ("left", "right")]
    network_id = strict.network(preprocessing=json.dumps({"inputs": inputs}))
    task = ended(strict, strict.post(f"/networks/{network_id}/inference", **json_body(JPEG, LARGE)))
    assert task["error"] == SENTENCE.replace("inputs.0", "inputs.1")


def test_in_bulk_only_the_item_that_is_too_large_has_ended(strict: Caller, client: redis.Redis, path: str) -> None:
    items = [{**json_body(data)["json"], "reference": name} for name, data in (("a", JPEG), ("b", LARGE), ("c", JPEG))]
    before = len(list(client.scan_iter("recoq:inputs:*")))
    response = strict.post(f"{path}/bulk", json={"items": items})
    assert response.status_code == 202
    tasks = response.get_json()["tasks"]
    assert [task["reference"] for task in tasks] == ["a", "b", "c"]
    listed = strict.get("/tasks", query_string={"task_ids": [task["task_id"] for task in tasks]}).get_json()
    assert [task["status"] for task in listed["results"]] == ["pending", "error", "pending"]
    assert listed["results"][1]["error"] == SENTENCE
    assert len(list(client.scan_iter("recoq:inputs:*"))) == before + 2


def test_whoever_waits_has_the_answer_at_once(strict: Caller, path: str) -> None:
    response = strict.post(path, **json_body(LARGE), headers={"Prefer": "wait=30"})
    task = response.get_json()
    assert (response.status_code, task["status"], task["error"]) == (200, "error", SENTENCE)
    assert task["task_id"] == task["id"]
    assert response.headers["Preference-Applied"] == "wait=30"


def test_request_that_is_sent_again_is_the_same_task(strict: Caller, path: str) -> None:
    key = {"Idempotency-Key": "too large"}
    first, second = (strict.post(path, **json_body(LARGE), headers=key).get_json()["task_id"] for _ in range(2))
    assert first == second
    assert strict.post(path, **json_body(LARGE + b"x"), headers=key).status_code == 409


def test_webhook_of_such_a_task_is_due(strict: Caller, client: redis.Redis, path: str) -> None:
    ids = {}
    for event in ("error", "success"):
        webhook = {"url": "https://example.com/ended", "events": [event]}
        task = ended(strict, strict.post(path, json={**json_body(LARGE)["json"], "webhook": webhook}))
        ids[task["id"]] = task["webhook"]["status"]
    assert list(ids.values()) == ["pending", "skipped"]
    webhooks = WebhookLedger(client, 5)
    due = [task_id for _, task_id in webhooks.hand_out("sender", 1000).deliveries]
    assert [task_id in due for task_id in ids] == [True, False]
    delivery = webhooks.begin(strict.account_id, next(iter(ids)))
    assert delivery is not None
    assert (delivery.url, delivery.attempt) == ("https://example.com/ended", 1)
    assert client.ttl(f"recoq:task:{delivery.task_id}") > 24 * 3600


def test_such_tasks_are_counted_with_those_that_failed(
    strict: Caller, services: Services, version: dict[str, Any], path: str
) -> None:
    services.telemetry.tally.take()
    services.telemetry.error_tally.take()
    key = {"Idempotency-Key": "counted once"}
    for _ in range(2):
        ended(strict, strict.post(path, **json_body(LARGE), headers=key))
    counts = services.telemetry.tally.take()
    network = version["network_id"]
    assert counts[f"recoq_tasks_accepted|recognition|{network}"] == 1
    assert counts[f"recoq_tasks_ended|recognition|{network}|error"] == 1
    [error] = services.telemetry.error_tally.take().values()
    assert (error.sentence, error.count, error.network_id) == (SENTENCE, 1, network)


def test_such_a_task_lives_and_goes_as_others_do(
    strict: Caller, services: Services, client: redis.Redis, path: str
) -> None:
    task_id = ended(strict, strict.post(path, **json_body(LARGE)))["id"]
    assert 0 < client.ttl(f"recoq:task:{task_id}") <= services.settings.task_ttl_seconds
    assert services.ledger.claim(task_id, "test", 60, 3) is None
    assert strict.delete(f"/tasks/{task_id}").status_code == 204
    assert strict.get(f"/tasks/{task_id}").get_json()["error"] == SENTENCE
    before = client.hgetall("recoq:backlog")
    assert strict.delete(f"/tasks/{task_id}", query_string={"purge": 1}).status_code == 204
    assert strict.get(f"/tasks/{task_id}").status_code == 404
    assert client.hgetall("recoq:backlog") == before
    with pytest.raises(NotFound):
        services.ledger.get(strict.account_id, task_id)


def test_a_full_queue_keeps_no_such_task_out(
    api_settings: Settings, services: Services, strict: Caller, path: str
) -> None:
    """It waits nowhere, so it takes nobody's place."""
    settings = replace(api_settings, max_image_bytes=MAX_BYTES)
    connection = connect(api_settings.redis_url)
    queue = TaskQueue(connection, TaskLedger(connection, 60, replace(UNLIMITED, account_tasks=0)))
    full = Caller(create_app(settings, replace(services, settings=settings, queue=queue)).test_client(), strict.key)
    assert full.post(path, **json_body(JPEG)).status_code == 429
    assert ended(full, full.post(path, **json_body(LARGE)))["error"] == SENTENCE
