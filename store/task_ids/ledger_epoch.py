"""What the ledger itself knows of its epoch and of the IDs that were given out in it."""

from dataclasses import dataclass
from typing import Any

from redis import Redis

from store.ledger_scripts import ledger_script
from store.redis_connection import redis_errors_as_unavailable
from store.task_keys import BACKLOG_KEY, COUNTER_KEY, EPOCH_KEY

MAX_ISSUERS = 1000


@dataclass(frozen=True)
class LedgerState:
    """A ledger as a process finds it.

    ``issued`` is the highest ID that this process has given out, None if the ledger does not know of any. ``counter``
    is at or above the highest ID of all. ``pending`` tasks have not ended.
    """

    token: str | None
    issued: int | None
    counter: int
    pending: int


class LedgerEpochs:
    """The epoch in Redis, for one process that gives out IDs; safe to share between threads."""

    def __init__(self, redis: Redis, issuer: str) -> None:
        self._redis = redis
        self._issuer = issuer
        self._begin = ledger_script(redis, "when_full", "begin_epoch")
        self._note_block = ledger_script(redis, "when_full", "note_block")

    def state(self) -> LedgerState:
        """Return what the ledger knows now."""
        with redis_errors_as_unavailable(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hmget(EPOCH_KEY, "token", self._issuer)
            pipeline.get(COUNTER_KEY)
            pipeline.hget(BACKLOG_KEY, "tasks")
            found: list[Any] = pipeline.execute()
        (token, issued), counter, pending = found
        return LedgerState(
            None if token is None else token.decode(),
            None if issued is None else int(issued),
            int(counter or 0),
            int(pending or 0),
        )

    def begin(self, former: str | None, token: str) -> None:
        """Give the ledger a new epoch, unless another process has been first."""
        with redis_errors_as_unavailable():
            self._begin(keys=[EPOCH_KEY], args=[former or "", token])

    def note_block(self, token: str, issued: int, last_id: int) -> bool:
        """Tell the ledger of a block that ends with ``last_id``; false if it has another epoch."""
        arguments: list[str | int] = [token, self._issuer, issued, last_id, MAX_ISSUERS]
        with redis_errors_as_unavailable():
            return bool(self._note_block(keys=[EPOCH_KEY, COUNTER_KEY], args=arguments))
