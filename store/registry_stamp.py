"""A stamp that is another one after every change of the registry, so that processes may remember what they read of it.

Who reads takes the stamp first; who changes something renews it when that is committed, before anyone is told. So what
was read under the stamp that is still in Redis is what the database has, but for changes whose maker could not renew
it: one that died in between, one that Redis did not answer, and the command line, which works without Redis. For these
nothing is remembered for long (``store.targets``).
"""

import logging
from uuid import uuid4

from redis import Redis

from store.errors import Unavailable
from store.redis_connection import redis_errors_as_unavailable
from store.task_keys import REGISTRY_STAMP_KEY

logger = logging.getLogger(__name__)


class RegistryStamp:
    """The stamp in Redis; safe to share between threads."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def current(self) -> str:
        """Return the stamp; empty as long as there is none.

        Raises:
            Unavailable: if Redis is away.
        """
        with redis_errors_as_unavailable():
            stamp = self._redis.get(REGISTRY_STAMP_KEY)
        return stamp.decode() if isinstance(stamp, bytes) else ""

    def renew(self) -> None:
        """Have everyone read the registry again."""
        try:
            with redis_errors_as_unavailable():
                self._redis.set(REGISTRY_STAMP_KEY, uuid4().hex)
        except Unavailable as error:
            logger.warning("A change may take a second to be known to all processes: %s", error)
