"""Says once a second that this worker lives, and how it is."""

import os
import socket
import time
from collections import deque

import torch

from config import VERSION
from inference.device import memory_of, name_of
from store.telemetry.heartbeats import Heartbeat
from workers.leases import Leases
from workers.networks import NetworkRunner
from workers.sandbox.confinement import Protection
from workers.vital_signs import VitalSigns

BEATS = 10  # over which the device's busy share is taken


class Pulse:
    """Makes the heartbeats of one worker process."""

    def __init__(
        self,
        worker: str,
        *,
        device: torch.device,
        threads: int,
        protection: Protection,
        networks: NetworkRunner,
        leases: Leases,
        signs: VitalSigns,
    ) -> None:
        self._worker = worker
        self._device = device
        self._device_name = name_of(device)
        self._threads = threads
        self._protection = protection
        self._networks = networks
        self._leases = leases
        self._signs = signs
        self._started = time.time()
        self._busy: deque[tuple[float, float]] = deque([(time.monotonic(), 0.0)], BEATS + 1)

    def beat(self) -> Heartbeat:
        """Return how the worker is now."""
        memory = memory_of(self._device)
        cache_used_bytes, cache_budget_bytes = self._networks.memory()
        return Heartbeat(
            worker=self._worker,
            host=socket.gethostname(),
            process_id=os.getpid(),
            version=VERSION,
            device=str(self._device),
            device_name=self._device_name,
            memory_used_bytes=memory.used_bytes,
            memory_total_bytes=memory.total_bytes,
            networks=self._networks.loaded(),
            cache_used_bytes=cache_used_bytes,
            cache_budget_bytes=cache_budget_bytes,
            tasks=len(self._leases.held_now()),
            threads=self._threads,
            sandbox_missing=self._protection.missing,
            busy_share=self._busy_share(),
            batches=self._signs.batches,
            inputs=self._signs.inputs,
            loads=self._signs.loads,
            started=self._started,
            seen=time.time(),
        )

    def _busy_share(self) -> float:
        """Return the share of the last beats in which batches ran; a batch counts when it has ended."""
        self._busy.append((time.monotonic(), self._signs.busy_seconds))
        (first_at, first_busy), (last_at, last_busy) = self._busy[0], self._busy[-1]
        return min(1.0, (last_busy - first_busy) / max(last_at - first_at, 1e-9))
