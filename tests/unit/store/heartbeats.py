"""Heartbeats for tests, as a worker would write them now."""

import time
from typing import Any

from store.telemetry.heartbeats import Heartbeat


def heartbeat(**fields: Any) -> Heartbeat:
    """Return the heartbeat of a busy worker, but for the fields that are given."""
    usual: dict[str, Any] = {
        "worker": "host-1",
        "host": "host",
        "process_id": 1,
        "version": "0",
        "device": "cpu",
        "device_name": "x86_64",
        "memory_used_bytes": 1000,
        "memory_total_bytes": 2000,
        "networks": [3, 4],
        "cache_used_bytes": 300,
        "cache_budget_bytes": 400,
        "tasks": 1,
        "threads": 8,
        "sandbox_missing": None,
        "busy_share": 0.5,
        "batches": 10,
        "inputs": 40,
        "loads": 2,
        "started": time.time() - 60,
        "seen": time.time(),
    }
    return Heartbeat(**{**usual, **fields})
