"""Reading tasks."""

import json
from typing import Any

import pytest

from api.services import Services
from config.queues import TaskKind
from store.task_records import NewTask, Outcome
from tests.unit.api.callers import Caller


@pytest.fixture
def tasks(admin: Caller, services: Services) -> list[str]:
    """Three tasks: pending, success, error."""
    ids = [services.ledger.submit(NewTask(admin.account_id, TaskKind.RECOGNITION, {})) for _ in range(3)]
    services.ledger.finish(ids[1], None, Outcome(data=b'{"outputs":[{"score":0.123456789012345678}]}'))
    services.ledger.finish(ids[2], None, Outcome(error="Input 0 is not an image."))
    return ids


def test_task_has_its_fields_whatever_its_state(admin: Caller, tasks: list[str]) -> None:
    pending, success, error = (admin.get(f"/tasks/{task_id}").get_json() for task_id in tasks)
    fields = {"id", "status", "error", "date_created", "date_updated", "data", "subtasks"}
    for task, task_id in zip((pending, success, error), tasks, strict=True):
        assert set(task) - {"timing"} == fields
        assert task["id"] == task_id
        assert task["subtasks"] is None
    assert (pending["status"], pending["data"], pending["error"]) == ("pending", None, None)
    assert pending["date_updated"] == pending["date_created"]
    assert (success["status"], success["error"]) == ("success", None)
    assert success["date_updated"] > success["date_created"]
    assert (error["status"], error["data"], error["error"]) == ("error", None, "Input 0 is not an image.")


def test_ended_task_tells_its_timing(admin: Caller, services: Services, tasks: list[str]) -> None:
    task_id = services.ledger.submit(NewTask(admin.account_id, TaskKind.RECOGNITION, {"version_id": 41}))
    assert "timing" not in admin.get(f"/tasks/{task_id}").get_json()
    claimed = services.ledger.claim(task_id, "w1", 60, 3)
    assert claimed is not None
    stages = b'{"load":0.1,"fetch":0.2,"decode":3.5,"batch_size":null}'
    services.ledger.finish(task_id, claimed.fence, Outcome(data=b"{}", stages=stages))
    timing = admin.get(f"/tasks/{task_id}").get_json()["timing"]
    assert 0 < timing["queued"] < timing["total"]
    assert (timing["attempts"], timing["version_id"], timing["worker"]) == (1, 41, "w1")
    assert (timing["load"], timing["fetch"], timing["decode"]) == (0.1, 0.2, 3.5)
    assert timing["preprocess"] is timing["device"] is timing["batch_size"] is None


def test_task_that_never_started_was_queued_all_the_time(admin: Caller, tasks: list[str]) -> None:
    timing = admin.get(f"/tasks/{tasks[2]}").get_json()["timing"]
    assert timing["queued"] == timing["total"] > 0
    assert (timing["attempts"], timing["version_id"], timing["worker"]) == (0, None, None)


def test_cancelled_task_ends_as_an_error_and_an_ended_one_stays_as_it_is(admin: Caller, tasks: list[str]) -> None:
    before = [admin.get(f"/tasks/{task_id}").get_json() for task_id in tasks]
    for _ in range(2):
        assert [admin.delete(f"/tasks/{task_id}/").status_code for task_id in tasks] == [204] * 3
    pending, *ended = (admin.get(f"/tasks/{task_id}").get_json() for task_id in tasks)
    assert (pending["status"], pending["error"], pending["data"]) == ("error", "Cancelled.", None)
    assert ended == before[1:]


@pytest.mark.parametrize("purge", ["1", "true", "True"])
def test_purged_task_is_gone_whatever_its_state(admin: Caller, tasks: list[str], purge: str) -> None:
    for task_id in tasks:
        assert admin.delete(f"/tasks/{task_id}", query_string={"purge": purge}).status_code == 204
        assert admin.get(f"/tasks/{task_id}").status_code == 404
        assert admin.delete(f"/tasks/{task_id}").status_code == 404


def test_task_of_another_account_can_neither_be_cancelled_nor_purged(
    admin: Caller, stranger: Caller, tasks: list[str]
) -> None:
    for query in ("", "?purge=1"):
        assert stranger.delete(f"/tasks/{tasks[0]}{query}").status_code == 404
    assert admin.get(f"/tasks/{tasks[0]}").get_json()["status"] == "pending"


def test_purge_that_is_neither_true_nor_false_changes_nothing(admin: Caller, tasks: list[str]) -> None:
    response = admin.delete(f"/tasks/{tasks[0]}?purge=perhaps")
    assert (response.status_code, list(response.get_json()["errors"])) == (400, ["purge"])
    assert admin.get(f"/tasks/{tasks[0]}").get_json()["status"] == "pending"


def test_data_is_passed_on_as_the_worker_wrote_it(admin: Caller, tasks: list[str]) -> None:
    assert b'"data":{"outputs":[{"score":0.123456789012345678}]}' in admin.get(f"/tasks/{tasks[1]}/").data


@pytest.mark.parametrize("task_id", ["0", "99999999999", "9" * 30, "abc", "1%2F2", "-1", "٣", "1 "])
def test_unknown_tasks_are_not_found(admin: Caller, task_id: str) -> None:
    assert admin.get(f"/tasks/{task_id}").status_code == 404


@pytest.mark.parametrize("form", ["repeated", "commas", "json", "json of numbers", "mixed"])
def test_tasks_are_listed_in_the_order_asked(admin: Caller, tasks: list[str], form: str) -> None:
    asked = [tasks[2], "abc", tasks[0], "99999999999", tasks[1], tasks[0]]
    query: dict[str, Any] = {
        "repeated": {"task_ids": asked},
        "commas": {"task_ids": ",".join(asked)},
        "json": {"task_ids": json.dumps(asked)},
        "json of numbers": {"task_ids": json.dumps([int(tasks[index]) for index in (2, 0, 1)])},
        "mixed": {"task_ids": [f"{tasks[2]}, {tasks[0]}", json.dumps([tasks[1]])]},
    }[form]
    page = admin.get("/tasks/", query_string=query).get_json()
    assert [task["id"] for task in page["results"]] == [tasks[2], tasks[0], tasks[1]]
    assert (page["count"], page["next"], page["previous"]) == (3, None, None)


def test_list_of_tasks_is_cut_into_pages_that_keep_the_ids(admin: Caller, tasks: list[str]) -> None:
    page = admin.get("/tasks", query_string={"task_ids": tasks, "limit": 2}).get_json()
    assert [task["id"] for task in page["results"]] == tasks[:2]
    assert page["count"] == 3
    rest = admin.get(page["next"].removeprefix("http://localhost/v0.7")).get_json()
    assert [task["id"] for task in rest["results"]] == tasks[2:]


def test_no_ids_are_no_tasks(admin: Caller) -> None:
    assert admin.get("/tasks").get_json() == {"count": 0, "next": None, "previous": None, "results": []}


def test_a_thousand_tasks_may_be_asked_for_and_no_more(admin: Caller) -> None:
    ids = [str(number) for number in range(10**9, 10**9 + 1001)]
    assert admin.get("/tasks", query_string={"task_ids": ids[:1000]}).status_code == 200
    response = admin.get("/tasks", query_string={"task_ids": ids})
    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == ["task_ids"]


@pytest.mark.parametrize("text", ["[", "[1", '["a" "b"]', "[NaN]", "[[1]]", "[{}]", "[null]"])
def test_strange_arrays_of_ids_never_fail_here(admin: Caller, text: str) -> None:
    assert admin.get("/tasks", query_string={"task_ids": text}).status_code in (200, 400)
