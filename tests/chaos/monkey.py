"""Breaks a fleet at random, from a seed, and notes what it broke and when."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from redis import RedisError

from tests.chaos.fleet import Fleet, Process

PAUSE_SECONDS = (0.3, 2.0)
WORKER_FREEZE_SECONDS = (1.0, 9.0)  # up to beyond the lease
REDIS_FREEZE_SECONDS = (1.0, 6.0)
REDIS_DOWN_SECONDS = (0.0, 2.0)


@dataclass(frozen=True)
class Fault:
    """What happened, until when it lasted, and which tasks were with its victim."""

    name: str
    over_at: float
    tasks: tuple[str, ...] = ()


@dataclass
class Monkey:
    """Kills and freezes workers and Redis, and kills who delivers webhooks, one after the other, until told to stop."""

    fleet: Fleet
    seed: int
    faults: list[Fault] = field(default_factory=list)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="monkey", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        assert self._thread is not None
        self._stopped.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        generator = random.Random(self.seed)
        deeds: list[Callable[[random.Random], None]] = [
            self._kill_worker,
            self._kill_worker,
            self._freeze_worker,
            self._kill_redis,
            self._freeze_redis,
            self._kill_webhooks,
        ]
        while not self._stopped.wait(generator.uniform(*PAUSE_SECONDS)):
            generator.choice(deeds)(generator)

    def _victim(self, generator: random.Random) -> Process | None:
        """Return a worker beside which another one lives; None if all others are still starting."""
        victim = generator.choice(self.fleet.workers)
        alive = self.fleet.living_workers()
        return victim if any(worker is not victim for worker in alive) else None

    def _kill_worker(self, generator: random.Random) -> None:
        victim = self._victim(generator)
        if victim is None:
            return
        victim.freeze()  # so that what it holds is known
        held = self._held_by(victim)
        victim.kill()
        self.faults.append(Fault("worker killed", time.time(), held))
        victim.start()

    def _freeze_worker(self, generator: random.Random) -> None:
        victim = self._victim(generator)
        if victim is None:
            return
        victim.freeze()
        held = self._held_by(victim)
        at = time.time()
        self._stopped.wait(generator.uniform(*WORKER_FREEZE_SECONDS))
        victim.thaw()
        self.faults.append(Fault("worker frozen", at, held))

    def _kill_webhooks(self, generator: random.Random) -> None:
        self.fleet.webhooks.kill()
        self.faults.append(Fault("webhooks killed", time.time()))
        self.fleet.webhooks.start()

    def _kill_redis(self, generator: random.Random) -> None:
        self.fleet.redis.kill()
        time.sleep(generator.uniform(*REDIS_DOWN_SECONDS))
        self.fleet.restart_redis()
        self.faults.append(Fault("redis killed", time.time()))

    def _freeze_redis(self, generator: random.Random) -> None:
        self.fleet.redis.freeze()
        time.sleep(generator.uniform(*REDIS_FREEZE_SECONDS))
        self.fleet.redis.thaw()
        self.faults.append(Fault("redis frozen", time.time()))

    def _held_by(self, worker: Process) -> tuple[str, ...]:
        try:
            with self.fleet.ledger() as ledger:
                leased = [task.decode() for task in ledger.zrange("recoq:leases", 0, -1)]
                holders = [ledger.hget(f"recoq:task:{task}", "worker") or b"" for task in leased]
        except RedisError:
            return ()
        ending = f"-{worker.pid}".encode()
        return tuple(task for task, holder in zip(leased, holders, strict=True) if holder.endswith(ending))
