"""From the fields of a task's hash in Redis to the record that the ledger hands out."""

from collections.abc import Sequence
from datetime import UTC, datetime

import orjson

from config.queues import TaskKind
from store.task_records import TaskRecord, TaskStatus, TaskTiming, WebhookState, WebhookStatus

READ_FIELDS = (
    "account",
    "kind",
    "status",
    "error",
    "data",
    "created",
    "updated",
    "started",
    "attempts",
    "worker",
    "version",
    "stages",
    "webhook_status",
    "webhook_attempts",
    "webhook_error",
)
STAGES = ("load", "fetch", "decode", "preprocess", "batch_wait", "device", "postprocess")


def record_of(task_id: str, row: Sequence[bytes | None]) -> TaskRecord:
    """Return the task whose ``READ_FIELDS`` are in ``row``."""
    account, kind, status, error, data, created, updated, *run = row[:-3]
    state = TaskStatus((status or b"").decode())
    return TaskRecord(
        id=task_id,
        account_id=int(account or 0),
        kind=TaskKind((kind or b"").decode()),
        status=state,
        error=None if error is None else error.decode(),
        data=data,
        date_created=_date(created),
        date_updated=_date(updated),
        timing=None if state is TaskStatus.PENDING else _timing(float(created or 0), float(updated or 0), run),
        webhook=_webhook(row[-3:]),
    )


def _timing(created: float, ended: float, run: Sequence[bytes | None]) -> TaskTiming:
    started, attempts, worker, version, stages = run
    told = orjson.loads(stages or b"{}")
    return TaskTiming(
        queued=_milliseconds((float(started) if started else ended) - created),
        **{name: told.get(name) for name in STAGES},
        total=_milliseconds(ended - created),
        batch_size=told.get("batch_size"),
        attempts=int(attempts or 0),
        version_id=int(version) if version else None,
        worker=worker.decode() if worker else None,
    )


def _webhook(row: Sequence[bytes | None]) -> WebhookState | None:
    status, attempts, error = row
    if status is None:
        return None
    return WebhookState(WebhookStatus(status.decode()), int(attempts or 0), error.decode() if error else None)


def _milliseconds(seconds: float) -> float:
    return round(1000 * seconds, 3)


def _date(seconds: bytes | None) -> datetime:
    return datetime.fromtimestamp(float(seconds or 0), UTC)
