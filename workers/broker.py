"""kombu's Redis transport and Celery's consumer as a worker needs them: sparing, and able to outlive their Redis.

When the broker goes away, kombu 5.7 may ask a channel for connection parameters after the channel lost its connection;
the ``AttributeError`` that follows ends the whole worker. As a connection error, which it is, Celery's consumer
catches it and reconnects. Celery 5.7 then iterates over a set of requests that the threads of its pool go on changing;
the ``RuntimeError`` of that ends the worker as well, unless it tries again.
"""

import contextlib
import logging
from typing import Any

import redis
from celery.worker.consumer import Consumer as CeleryConsumer
from celery.worker.state import maybe_shutdown
from kombu.transport import TRANSPORT_ALIASES, _transport_cache
from kombu.transport.redis import Channel as RedisChannel
from kombu.transport.redis import Transport as RedisTransport
from kombu.utils.json import loads

from workers.queue_cycle import QueueCycle

logger = logging.getLogger(__name__)

CLOSE_ATTEMPTS = 1000
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 2.0
MOST_AT_ONCE = 4  # of one queue: more would let its account run ahead of the others in its turn


class Channel(RedisChannel):
    """A channel that knows when its connection is gone, and takes several messages in one round trip."""

    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection is None or self.connection.client is None:
            raise redis.ConnectionError("The connection to the broker was taken down.")
        return super()._connparams(asynchronous)  # type: ignore[no-untyped-call]

    def _brpop_read(self, **options: Any) -> bool:
        """Deliver the message that arrived, and those behind it as far as the worker has threads for them."""
        super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        if not isinstance(self._queue_cycle, QueueCycle):
            return True  # kombu's own cycles do not tell which queue it was
        queue = self._queue_cycle.last_used
        count = min(self.qos.can_consume_max_estimate() or 0, MOST_AT_ONCE - 1)
        if not count:
            return True
        # The connection that waited for a message is free now; another one would have to be set up.
        for message in self.client.rpop(queue, count) or ():
            self._queue_cycle.rotate(queue)
            self.connection._deliver(loads(message), queue)  # type: ignore[no-untyped-call]
        return True

    def _restore(self, message: Any, leftmost: bool = False) -> None:
        """Put a message back that was taken and not begun: ahead of those that wait, where it came from."""
        origin = message.delivery_info
        with self.conn_or_acquire() as client, client.pipeline() as pipeline:
            payload = message.serializable()
            restore: Any = self._do_restore_message
            restore(payload, origin["exchange"], origin["routing_key"], pipeline, leftmost)
            pipeline.execute()


class Transport(RedisTransport):
    """kombu's Redis transport with that channel."""

    Channel = Channel


class Consumer(CeleryConsumer):  # type: ignore[misc]  # celery has no types
    """Celery's consumer, which may close while its tasks go on."""

    def on_close(self) -> None:
        """Forget the messages of a connection that is gone; they cannot be acknowledged any more."""
        for _ in range(CLOSE_ATTEMPTS):
            with contextlib.suppress(RuntimeError):  # a set changed size during iteration
                super().on_close()
                return
        super().on_close()

    def ensure_connected(self, connection: Any) -> Any:
        """Return the connection once the broker answers; it is asked every second or two, however long it was away."""

        def warn(error: Exception, seconds: float) -> None:
            logger.warning("The broker is not reachable, next try in %.1f s: %s", seconds, error)

        return connection.ensure_connection(
            warn, interval_start=FIRST_PAUSE_SECONDS, interval_max=LONGEST_PAUSE_SECONDS, callback=maybe_shutdown
        )


def outlive_broker() -> None:
    """Have every Redis broker of this process use the transport above."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:{Transport.__name__}"
        _transport_cache.pop(scheme, None)  # a connection that was made before would decide for all
