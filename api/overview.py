"""Puts together what the operations page shows, for the operator of the service or for one account of it.

The operator sees all. Other admins see the sums of the whole service and its workers, but networks and errors of their
own account and public ones only: who else uses the service, and what for, is not theirs to know.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from api.figures import Figures, history_answer, new_network_row
from store.names import Names, NetworkName
from store.task_ids.epoch_records import LedgerLoss
from store.task_json import iso_date
from store.telemetry.heartbeats import Heartbeat
from store.telemetry.history import BUCKET_SECONDS
from store.telemetry.pending import Pending
from store.telemetry.recent_errors import ErrorGroup
from store.telemetry.telemetry import Telemetry

JsonObject = dict[str, Any]


def overview(telemetry: Telemetry, names: Names, account_id: int | None, minutes: int) -> JsonObject:
    """Return how the service is, with sums of the last ``minutes``, as an account may see it; None sees all."""
    buckets = telemetry.history.last(60 * minutes)
    figures = Figures(bucket.readings for bucket in buckets)
    pending, workers, errors = telemetry.pending.by_network(), telemetry.heartbeats.living(), telemetry.errors.read()
    rows = _network_rows(figures, pending)
    networks = _VisibleNetworks(names, account_id, _ids(rows, workers, errors))
    return {
        "date": iso_date(datetime.now(UTC)),
        "scope": "service" if account_id is None else "account",
        "minutes": minutes,
        "bucket_seconds": BUCKET_SECONDS,
        "pending": {
            "count": sum(each.count for each in pending),
            "oldest_seconds": max((round(each.oldest_seconds, 3) for each in pending), default=None),
        },
        "totals": figures.totals(),
        "stages": figures.stages(),
        "batch_sizes": figures.batch_sizes(),
        "networks": [
            {"network": networks.answer(id_), **networks.batching(id_), **rows[id_]}
            for id_ in sorted(rows)
            if networks.shows(id_)
        ],
        "workers": [_worker_answer(each, networks) for each in workers],
        "errors": _error_answers(errors, networks, names, account_id),
        "history": history_answer(buckets),
    }


def loss_answers(losses: Iterable[LedgerLoss]) -> list[JsonObject]:
    """Return what the ledger has lost, which concerns all accounts."""
    return [
        {"kind": each.kind.value, "date": iso_date(each.date), "last_id": str(each.last_id), "tasks": each.tasks}
        for each in losses
    ]


def _network_rows(figures: Figures, pending: Iterable[Pending]) -> dict[int, JsonObject]:
    rows = figures.by_network()
    for each in pending:
        row = rows.setdefault(each.network_id, new_network_row())
        row.update(pending=each.count, oldest_seconds=round(each.oldest_seconds, 3))
    return rows


def _ids(rows: Iterable[int], workers: Iterable[Heartbeat], errors: Iterable[ErrorGroup]) -> set[int]:
    return {*rows, *(id_ for each in workers for id_ in each.networks), *(each.network_id for each in errors)}


class _VisibleNetworks:
    """What networks are called, and which of them the one who asks may see."""

    def __init__(self, names: Names, account_id: int | None, ids: set[int]) -> None:
        self._account_id = account_id
        self._names = names.networks(ids)
        self._accounts = names.accounts({each.account_id for each in self._names.values() if each.account_id})

    def shows(self, network_id: int) -> bool:
        """Return whether the network may be shown; of one that was deleted nobody knows whose it was."""
        if self._account_id is None:
            return True
        name = self._names.get(network_id)
        return name is not None and name.account_id in (None, self._account_id)

    def answer(self, network_id: int) -> JsonObject:
        """Return how the network is named in answers."""
        name = self._names.get(network_id, NetworkName("", None, None))
        if not name.name:
            return {"id": None, "name": None, "account": None}
        account = None if name.account_id is None else self._accounts.get(name.account_id)
        return {"id": name.slug or network_id, "name": name.name, "account": account}

    def batching(self, network_id: int) -> JsonObject:
        """Return how many inputs make a batch of the network at most, and why."""
        name = self._names.get(network_id, NetworkName("", None, None))
        return {"max_batch_size": name.max_batch_size, "batch_reason": name.batch_reason}


def _worker_answer(worker: Heartbeat, networks: _VisibleNetworks) -> JsonObject:
    return {
        "worker": worker.worker,
        "host": worker.host,
        "process_id": worker.process_id,
        "version": worker.version,
        "device": worker.device,
        "device_name": worker.device_name,
        "memory_used_bytes": worker.memory_used_bytes,
        "memory_total_bytes": worker.memory_total_bytes,
        "networks": [networks.answer(id_) for id_ in worker.networks if networks.shows(id_)],
        "cache_used_bytes": worker.cache_used_bytes,
        "cache_budget_bytes": worker.cache_budget_bytes,
        "tasks": worker.tasks,
        "threads": worker.threads,
        "sandbox_missing": worker.sandbox_missing,
        "is_busy": worker.is_busy,
        "busy_share": round(worker.busy_share, 3),
        "batches": worker.batches,
        "inputs": worker.inputs,
        "loads": worker.loads,
        "date_started": _date(worker.started),
        "date_seen": _date(worker.seen),
    }


def _error_answers(
    errors: Iterable[ErrorGroup], networks: _VisibleNetworks, names: Names, account_id: int | None
) -> list[JsonObject]:
    shown = [each for each in errors if account_id in (None, each.account_id)]
    accounts = names.accounts({each.account_id for each in shown})
    return [
        {
            "account": accounts.get(each.account_id),
            "network": networks.answer(each.network_id),
            "sentence": each.sentence,
            "count": each.count,
            "date_seen": _date(each.seen),
            "task_id": each.task_id,
        }
        for each in shown
    ]


def _date(seconds: float) -> str:
    return iso_date(datetime.fromtimestamp(seconds, UTC))
