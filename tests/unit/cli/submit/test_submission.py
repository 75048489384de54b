"""A run that was stopped ends, whatever its images do."""

import threading
import time
from typing import Any, cast

import pytest

from cli.api_client import ApiClient
from cli.submit import submission
from cli.submit.requests import Target
from cli.submit.submission import Plan, Submission

GRACE_SECONDS = 0.1


def test_stopped_run_waits_for_no_image_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    never, reading = threading.Event(), threading.Event()

    def read(*_: object) -> Any:
        reading.set()
        never.wait()

    monkeypatch.setattr(submission, "read_image", read)
    monkeypatch.setattr(submission, "GRACE_SECONDS", GRACE_SECONDS)
    plan = Plan(Target("shapes", "/none", []), {}, concurrency=4, patience_seconds=1.0)
    run = Submission(cast(ApiClient, None), plan, iter(["a.jpg"]))  # nothing is sent
    threading.Thread(target=lambda: reading.wait() and run.stop(), daemon=True).start()
    start = time.monotonic()
    assert list(run.outcomes()) == []
    assert GRACE_SECONDS <= time.monotonic() - start < 10
    never.set()
