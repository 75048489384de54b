"""Waiting for tasks over HTTP, as an application does."""

import time
from typing import Any

import httpx

TIMEOUT_SECONDS = 60.0


def ended_task(http: httpx.Client, response: httpx.Response) -> dict[str, Any]:
    """Return the task that an accepted request started, once it has ended."""
    assert response.status_code in {201, 202}, response.text
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        task: dict[str, Any] = http.get(f"/tasks/{response.json()['task_id']}").raise_for_status().json()
        if task["status"] != "pending":
            return task
        assert time.monotonic() < deadline, f"The task did not end in time: {task}"
        time.sleep(0.02)


def result(http: httpx.Client, response: httpx.Response) -> dict[str, Any]:
    """Return the data of the task that an accepted request started, which must succeed."""
    task = ended_task(http, response)
    assert task["status"] == "success", task["error"]
    data: dict[str, Any] = task["data"]
    return data
