"""kombu's Redis transport and Celery's consumer as processes need them: sparing, and able to outlive their Redis.

What a process takes is bounded by the tasks that it has in hand, not by messages. ``workers.turns.channel`` is for the
tasks of accounts, this one for plain queues.

When the broker goes away, kombu 5.7 may ask a channel for connection parameters after the channel lost its connection;
the ``AttributeError`` that follows ends the whole worker. As a connection error, which it is, Celery's consumer
catches it and reconnects. Celery 5.7 then iterates over a set of requests that the threads of its pool go on changing;
the ``RuntimeError`` of that ends the worker as well, unless it tries again. And an error that Redis answers, such as
that of a replica, ends it too: here each of them is one of the connection, which is made anew when Redis takes changes.
"""

import contextlib
import logging
import sys
import time
from collections.abc import Sequence
from queue import Empty
from typing import Any

import orjson
import redis
from celery.worker.consumer import Consumer as CeleryConsumer
from celery.worker.consumer.consumer import CONNECTION_RETRY
from celery.worker.state import maybe_shutdown
from kombu.serialization import register
from kombu.transport import TRANSPORT_ALIASES, _transport_cache
from kombu.transport.redis import Channel as RedisChannel
from kombu.transport.redis import Transport as RedisTransport
from kombu.transport.virtual import QoS as VirtualQoS

from store.availability.outages import answered, note
from store.availability.redis_states import ledger_away
from store.errors import LedgerAway
from workers.in_hand import InHand
from workers.message_groups import grouped

CLOSE_ATTEMPTS = 1000
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 2.0
PROBE_KEY = "recoq:nothing"
PROBE_SECONDS = 0.01
IN_HAND_OPTION = "in_hand"


class QoS(VirtualQoS):
    """Kombu's bound on what is in hand, by tasks: those of messages that were taken, and those that are being run."""

    def can_consume(self) -> bool:
        """Tell whether there is room for another task, and nobody waits for others to come along."""
        return not self.channel.is_gathering and self.can_consume_max_estimate() > 0

    def can_consume_max_estimate(self) -> int:
        """Return for how many tasks there is room."""
        delivered = list(self._delivered.items())
        taken = sum(len(message._raw["originals"]) for tag, message in delivered if tag not in self._dirty)
        most: int = self.prefetch_count or sys.maxsize
        running: int = self.channel.in_hand.running(self.channel.wake)
        return most - taken - running


class Channel(RedisChannel):
    """A channel that knows when its connection is gone."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        options = self.connection.client.transport_options
        self.in_hand: InHand = options.get(IN_HAND_OPTION) or InHand()
        self.QoS = QoS  # type: ignore[assignment]  # kombu has the same in mind

    @property
    def is_gathering(self) -> bool:
        """Whether tasks have arrived, and wait for others to come."""
        return False

    def wake(self) -> None:
        """Have the event loop ask for messages before it sleeps again; nothing, if the connection was taken down."""
        transport = self.connection
        if transport is not None:
            transport.wake()

    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection is None or self.connection.client is None:
            raise redis.ConnectionError("The connection to the broker was taken down.")
        return super()._connparams(asynchronous)

    def _brpop_read(self, **options: Any) -> bool:
        """Deliver what has arrived."""
        reply = self._answer("BRPOP", **options)
        if not reply:
            raise Empty
        queue, message = reply[0].decode(), reply[1]
        self._queue_cycle.rotate(queue)
        for delivery in grouped([message]):
            self.connection._deliver(delivery, queue)
        return True

    def _answer(self, command: str, **options: Any) -> Any:
        """Return the answer to the command that was sent last on the connection that waits for messages."""
        try:
            return self.client.parse_response(self.client.connection, command, **options)
        except redis.exceptions.NoScriptError:  # the caller loads it again; nothing is wrong with the connection
            raise
        except self.connection_errors:
            self.client.connection.disconnect()  # so that the next turn connects again
            raise
        finally:
            self._in_poll: Any = None
            self._flush_brpop_reauth()

    def _restore(self, message: Any, leftmost: bool = False) -> None:
        """Put messages back that were taken and not begun: ahead of those that wait, where they came from."""
        originals: Sequence[bytes] = message._raw["originals"]
        with self.conn_or_acquire() as client:
            client.rpush(message.delivery_info["routing_key"], *reversed(originals))


class Transport(RedisTransport):
    """kombu's Redis transport with that channel; knows its event loop, and wakes it from other threads.

    kombu itself knows of no current loop any more once a connection was lost.
    """

    Channel = Channel
    connection_errors = (*RedisTransport.connection_errors, redis.RedisError)
    loop: Any = None

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Have a loop read from the connection."""
        self.loop = loop
        super().register_with_event_loop(connection, loop)

    def wake(self) -> None:
        """Have the loop go round once more before it sleeps; it asks for messages then, if there is room."""
        if self.loop is not None:
            self.loop.call_soon(_do_nothing)


def _do_nothing() -> None:
    """Be called by the event loop."""


class Consumer(CeleryConsumer):  # type: ignore[misc]  # celery has no types
    """Celery's consumer, which may close while its tasks go on."""

    def on_close(self) -> None:
        """Forget the messages of a connection that is gone; they cannot be acknowledged any more."""
        for _ in range(CLOSE_ATTEMPTS):
            with contextlib.suppress(RuntimeError):  # a set changed size during iteration
                super().on_close()
                return
        super().on_close()

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Note that Redis is away, and take the connection down."""
        _note(exc)
        super().on_connection_error_after_connected(exc)

    def on_connection_error_before_connected(self, exc: Exception) -> None:
        """Note that Redis is away."""
        _note(exc)
        _pause()

    def ensure_connected(self, connection: Any) -> Any:
        """Return the connection once messages can be taken; that is tried every second or two, for as long as it takes.

        A replica, or a Redis with a full disk, answers and lets nobody take messages.
        """

        def wait(error: Exception, _seconds: float) -> None:
            _note(error)

        while True:
            connection.ensure_connection(
                wait, interval_start=FIRST_PAUSE_SECONDS, interval_max=LONGEST_PAUSE_SECONDS, callback=maybe_shutdown
            )
            try:
                connection.default_channel.client.brpop(PROBE_KEY, timeout=PROBE_SECONDS)
            except connection.connection_errors as error:
                _note(error)
                connection.collect()  # the next one goes to where the name of the server leads by then
                _pause()
            else:
                answered(LedgerAway)
                return connection


def _note(error: Exception) -> None:
    away = ledger_away(error)
    away.__cause__ = error
    note(away)


def _pause() -> None:
    maybe_shutdown()
    time.sleep(FIRST_PAUSE_SECONDS)


def _is_news(record: logging.LogRecord) -> bool:
    """Tell whether a line of Celery's says what nobody has noted (``store.availability.outages``)."""
    return not (isinstance(record.args, tuple) and CONNECTION_RETRY in record.args)


def use_own_transport(transport: type[Transport] = Transport) -> None:
    """Have every Redis broker of this process use this transport, and a fast reader of JSON."""
    register("json", orjson.dumps, orjson.loads, "application/json", "utf-8")
    logging.getLogger(CeleryConsumer.__module__).addFilter(_is_news)
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{transport.__module__}:{transport.__name__}"
        _transport_cache.pop(scheme, None)  # a connection that was made before would decide for all
