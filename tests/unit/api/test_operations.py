"""The figures of the operations page: what all processes have tallied, as the one who asks may see it."""

from typing import Any

import pytest
from flask import Flask
from marshmallow import Schema, fields

from api.schemas.operations import OperationsSchema
from api.services import Services
from config.queues import TaskKind
from store.records import Deployment
from store.task_ids import losses
from store.task_records import NewTask
from store.telemetry.series import BATCH_SIZE, ENDED, LOADS, STAGE_SECONDS, TASK_SECONDS
from store.telemetry.telemetry import Telemetry
from tests.unit.api.callers import Caller
from tests.unit.store.heartbeats import heartbeat


@pytest.fixture(scope="module")
def operator(app: Flask, services: Services) -> Caller:
    return Caller(app.test_client(), services.accounts.create_key("default", "admin"))


@pytest.fixture
def telemetry(services: Services, empty_redis: str) -> Telemetry:
    """What a worker would send through, on an empty Redis."""
    return Telemetry(services.telemetry.history._redis)


@pytest.fixture
def network(newcomer: Caller) -> int:
    return newcomer.network(name="birds")


def work(telemetry: Telemetry, network_id: int, account_id: int = 1) -> None:
    """Tell of three tasks of a network that ended, one of them as an error."""
    tally, network = telemetry.tally, str(network_id)
    for seconds in (0.02, 0.03):
        tally.count(ENDED, "recognition", network, "success")
        tally.observe(TASK_SECONDS, "recognition", value=seconds)
        tally.observe(STAGE_SECONDS, "decode", value=seconds / 10)
    tally.count(ENDED, "recognition", network, "error")
    tally.observe(TASK_SECONDS, "deployment", value=200.0)
    tally.observe(BATCH_SIZE, network, value=3)
    tally.count(LOADS, network, "success")
    telemetry.error_tally.count(account_id, network_id, "The image is truncated.", "77")
    telemetry.send()


def shown(caller: Caller, minutes: int = 1) -> Any:
    response = caller.get(f"/operations?minutes={minutes}")
    assert response.status_code == 200, response.text
    return response.get_json()


def test_figures_are_the_sums_of_what_workers_told(operator: Caller, telemetry: Telemetry, network: int) -> None:
    work(telemetry, network)
    answer = shown(operator)
    assert answer["scope"] == "service"
    totals = answer["totals"]
    assert (totals["succeeded"], totals["failed"]) == (2, 1)
    assert totals["task_milliseconds"]["mean"] == 25.0
    [stage] = answer["stages"]
    assert (stage["stage"], stage["count"], stage["mean_milliseconds"]) == ("decode", 2, 2.5)
    [row] = [row for row in answer["networks"] if row["network"]["name"] == "birds"]
    assert row["network"]["id"] == network
    assert (row["succeeded"], row["failed"], row["batches"], row["mean_batch_size"], row["loads"]) == (2, 1, 1, 3.0, 1)
    assert [each for each in answer["batch_sizes"] if each["batches"]] == [{"up_to": 4, "batches": 1}]


def test_a_network_tells_how_many_images_make_a_batch_and_why(
    operator: Caller, services: Services, telemetry: Telemetry, network: int
) -> None:
    work(telemetry, network)
    [row] = [row for row in shown(operator)["networks"] if row["network"]["id"] == network]
    assert (row["max_batch_size"], row["batch_reason"]) == (None, None)
    report = {"inputs": [], "outputs": [], "max_batch_size": 8, "batch_reason": "All is well."}
    services.networks.record_deployment(network, Deployment("success", report=report))
    services.networks.record_batch_fallback(network, "In service, a batch differed.")
    [row] = [row for row in shown(operator)["networks"] if row["network"]["id"] == network]
    assert (row["max_batch_size"], row["batch_reason"]) == (1, "In service, a batch differed.")


def test_history_has_a_row_for_each_ten_seconds(operator: Caller, telemetry: Telemetry, network: int) -> None:
    work(telemetry, network)
    history = shown(operator, minutes=60)["history"]
    assert len(history) == 360
    assert sum(row["succeeded"] for row in history[-2:]) == 2
    assert [row["stages"] for row in history if row["stages"]] == [{"decode": 2.5}]
    assert history[0]["pending"] is None


def test_accepted_tasks_are_counted_and_wait(
    operator: Caller, newcomer: Caller, services: Services, telemetry: Telemetry, network: int
) -> None:
    services.queue.submit(NewTask(newcomer.account_id, TaskKind.TENSORS, {"network_id": network}))
    services.telemetry.send()
    answer = shown(operator)
    [row] = [row for row in answer["networks"] if row["network"]["id"] == network]
    assert (row["accepted"], row["pending"]) == (2, 2)  # its deployment as well
    assert row["oldest_seconds"] >= 0
    assert answer["pending"]["count"] == 2


def test_living_workers_are_listed_with_their_networks(operator: Caller, telemetry: Telemetry, network: int) -> None:
    telemetry.heartbeats.beat(heartbeat(networks=[network, 10**9]))
    [worker] = shown(operator)["workers"]
    assert (worker["worker"], worker["is_busy"], worker["busy_share"]) == ("host-1", True, 0.5)
    assert [each["name"] for each in worker["networks"]] == ["birds", None]


def test_errors_are_grouped_and_name_their_account(
    operator: Caller, newcomer: Caller, telemetry: Telemetry, network: int, request: pytest.FixtureRequest
) -> None:
    work(telemetry, network, newcomer.account_id)
    [group] = shown(operator)["errors"]
    assert (group["sentence"], group["count"], group["task_id"]) == ("The image is truncated.", 1, "77")
    assert group["account"] == request.node.name
    assert group["network"] == {"id": network, "name": "birds", "account": request.node.name}


def test_other_admins_see_sums_but_nothing_of_other_accounts(
    newcomer: Caller, stranger: Caller, telemetry: Telemetry, network: int
) -> None:
    work(telemetry, network, newcomer.account_id)
    telemetry.heartbeats.beat(heartbeat(networks=[network]))
    own, others = shown(newcomer), shown(stranger)
    assert own["scope"] == others["scope"] == "account"
    assert own["totals"] == others["totals"]
    assert [row["network"]["name"] for row in own["networks"]] == ["birds"]
    assert len(own["errors"]) == 1
    assert others["networks"] == others["errors"] == others["workers"][0]["networks"] == []


def test_read_keys_may_not_see_the_operations(reader: Caller) -> None:
    response = reader.get("/operations")
    assert response.status_code == 403
    assert response.get_json() == {"error": "A key of the role read may not do this; it takes the role admin."}


@pytest.mark.parametrize("minutes", ["0", "61", "x", ""])
def test_minutes_out_of_range_are_refused(operator: Caller, minutes: str) -> None:
    response = operator.get(f"/operations?minutes={minutes}")
    assert response.status_code == 400
    assert response.get_json()["errors"] == {"minutes": ["Must be an integer from 1 to 60."]}


def test_answer_has_exactly_the_documented_fields(
    operator: Caller, telemetry: Telemetry, network: int, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(losses, "KEPT_SECONDS", 0)
    services.ids.look()
    telemetry.history._redis.flushall()
    services.ids.look()
    work(telemetry, network)
    telemetry.heartbeats.beat(heartbeat(networks=[network]))
    check_fields(OperationsSchema(), shown(operator), "")


def check_fields(schema: Schema, answer: dict[str, Any], path: str) -> None:
    assert set(answer) == set(schema.fields), path
    for name, field in schema.fields.items():
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, fields.Nested):
            values = answer[name] if isinstance(answer[name], list) else [answer[name]]
            assert values, f"{path}.{name}"
            check_fields(inner.schema, values[0], f"{path}.{name}")
