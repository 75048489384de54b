"""Tries whether the ledger would accept a task, and whether it would keep it: for readiness, and before long work."""

import logging
from contextlib import suppress

from redis import Redis

from store.errors import Unavailable
from store.ledger_scripts import ledger_script
from store.redis_connection import redis_errors_as_unavailable
from store.task_keys import PROBE_KEY

logger = logging.getLogger(__name__)

KEEPING_POLICY = "noeviction"
PROBE_SECONDS = 60


class LedgerProbe:
    """Asks Redis for what a request needs of it."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._write = ledger_script(redis, "when_full", "probe")

    def check(self) -> None:
        """Return if Redis takes a write, and will keep it.

        Raises:
            Unavailable: if it does not; the message says why.
        """
        with redis_errors_as_unavailable():
            self._write(keys=[PROBE_KEY], args=[PROBE_SECONDS])
            memory = self._redis.info("memory")
        policy = memory["maxmemory_policy"]
        if memory["maxmemory"] and policy != KEEPING_POLICY:
            raise Unavailable(
                f"Redis may drop tasks that were accepted: set its maxmemory-policy to {KEEPING_POLICY} instead of "
                f"{policy}."
            )

    def warn_of_dropping(self) -> None:
        """Log a warning at start if Redis drops tasks when it is full."""
        with suppress(Unavailable), redis_errors_as_unavailable():
            policy = self._redis.info("memory")["maxmemory_policy"]
            if policy != KEEPING_POLICY:
                logger.warning(
                    "Redis drops tasks and results when it is full: set its maxmemory-policy to %s instead of %s.",
                    KEEPING_POLICY,
                    policy,
                )
