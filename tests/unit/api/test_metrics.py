"""``/metrics`` tells Prometheus of the whole service, is for its operator, and is documented."""

import re
from pathlib import Path

import pytest
from flask import Flask
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import TestResponse

from api.services import Services
from config.queues import TaskKind
from store.task_records import NewTask
from store.telemetry.series import SERIES, STAGE_SECONDS, Counter
from tests.unit.api.callers import Caller
from tests.unit.store.heartbeats import heartbeat

PAGE = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text()
LABEL_VALUES = {"network": "7", "kind": "recognition", "outcome": "success", "stage": "decode"}


@pytest.fixture(scope="module")
def operator(app: Flask, services: Services) -> Caller:
    return Caller(app.test_client(), services.accounts.create_key("default", "read"))


def scrape(caller: Caller, **headers: str) -> TestResponse:
    return caller.client.get("/metrics", headers={"X-API-KEY": caller.key, **headers})


@pytest.fixture
def families(operator: Caller, services: Services, empty_redis: str) -> dict[str, Metric]:
    """The metrics of a service in which everything has happened at least once."""
    telemetry = services.telemetry
    telemetry.tally.take()
    for series in SERIES:
        labels = [LABEL_VALUES.get(label, "any") for label in series.labels]
        for value in (0.004, 3.0):
            if isinstance(series, Counter):
                telemetry.tally.count(series, *labels, amount=value)
            else:
                telemetry.tally.observe(series, *labels, value=value)
    telemetry.send()
    telemetry.heartbeats.beat(heartbeat())
    services.ledger.submit(NewTask(1, TaskKind.TENSORS, {"network_id": 4}))
    response = scrape(operator)
    assert response.status_code == 200
    return {family.name: family for family in text_string_to_metric_families(response.text)}


def test_every_metric_is_documented_with_its_labels_and_every_documented_metric_exists(
    families: dict[str, Metric],
) -> None:
    shown = {name + ("_total" if family.type == "counter" else "") for name, family in families.items()}
    assert set(re.findall(r"^\| `(recoq_\w+)` \|", PAGE, re.MULTILINE)) == shown
    for series in SERIES:
        suffix = "_total" if isinstance(series, Counter) else ""
        labels = ", ".join(f"`{label}`" for label in series.labels)
        assert f"| `{series.name}{suffix}` | {labels} |".replace("|  |", "| |") in PAGE


def test_every_stage_is_documented() -> None:
    stages = STAGE_SECONDS.meaning.partition(": ")[2].rstrip(".").split(", ")
    section = PAGE.partition("## Stages")[2].partition("## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == stages


def test_histograms_count_upwards(families: dict[str, Metric]) -> None:
    samples = {sample.labels.get("le", sample.name): sample.value for sample in families["recoq_stage_seconds"].samples}
    assert (samples["0.0025"], samples["0.005"], samples["2.5"], samples["5.0"], samples["+Inf"]) == (0, 1, 1, 2, 2)
    assert samples["recoq_stage_seconds_count"] == 2
    assert samples["recoq_stage_seconds_sum"] == pytest.approx(3.004)


def test_pending_tasks_and_workers_are_read_anew(families: dict[str, Metric]) -> None:
    [pending] = families["recoq_tasks_pending"].samples
    assert (pending.labels, pending.value) == ({"network": "4"}, 1)
    assert families["recoq_workers"].samples[0].value == 1
    [busy] = families["recoq_worker_device_busy_ratio"].samples
    assert (busy.labels, busy.value) == ({"worker": "host-1", "host": "host", "device": "cpu"}, 0.5)


def test_requests_are_counted_by_endpoint(operator: Caller, services: Services, empty_redis: str) -> None:
    services.telemetry.tally.take()
    operator.get("/tasks")
    operator.send("FROB", "/nothing/at/all")
    counted = services.telemetry.tally.take()
    assert counted["recoq_http_requests|tasks.list_tasks|GET|200"] == 1
    assert [field for field in counted if "FROB" in field] == []
    assert counted["recoq_http_request_seconds|tasks.list_tasks#sum"] > 0


def test_scraper_may_ask_for_openmetrics(operator: Caller, families: dict[str, Metric]) -> None:
    response = scrape(operator, Accept="application/openmetrics-text; version=1.0.0")
    assert response.content_type.startswith("application/openmetrics-text")
    assert "recoq_workers" in {family.name for family in parse_openmetrics(response.text)}


def test_only_keys_of_the_operators_account_may_read_the_metrics(
    app: Flask, operator: Caller, admin: Caller, empty_redis: str
) -> None:
    client = app.test_client()
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics/").status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer rq_unknown"}).status_code == 401
    assert client.get("/metrics", headers={"Authorization": f"Bearer {operator.key}"}).status_code == 200
    refused = scrape(admin)
    assert refused.status_code == 403
    assert refused.get_json() == {"error": "The account home is not the operator's: it may not read the metrics."}


def test_bearer_tokens_open_nothing_else(app: Flask, operator: Caller) -> None:
    bearer = {"Authorization": f"Bearer {operator.key}"}
    assert app.test_client().get("/v0.7/accounts/me", headers=bearer).status_code == 401
