"""The channel of a worker: has the ledger say whose turn it is, and takes several tasks in one round trip.

It looks for tasks with ``store/lua/take.lua`` as long as there are any, and then waits until it is woken. Celery spends
most of a millisecond of CPU time on a message, which is more than a task costs otherwise, so tasks that were taken
together are delivered as one message, whose Celery task gets the IDs of all of them.
"""

from collections.abc import Callable, Collection, Sequence
from queue import Empty
from time import monotonic
from typing import Any

from redis.exceptions import NoScriptError

from store.ledger_scripts import ledger_script
from store.turns import HEAVY_SECONDS, NEVER_KEY, WAKE_KEY, Taken, read_taken, take_arguments
from workers.broker import Channel, Transport
from workers.gathering import Gathering
from workers.message_groups import Delivery, grouped
from workers.turns.heavy_images import HeavyImages
from workers.turns.queue_cycle import QueueCycle

PASSED_OVER_SECONDS = 0.05  # until tasks are looked for again that this worker could not take
HELD_BACK_OPTION = "held_back"
HEAVY_OPTION = "heavy_images"
MOST_AT_ONCE_OPTION = "most_at_once"
LOOK, WAIT = "EVALSHA", "BRPOP"


class TurnsChannel(Channel):
    """A channel that takes tasks in turns."""

    _queue_cycle: QueueCycle

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        options = self.connection.client.transport_options
        self._held_back: Callable[[], Collection[int]] = options.get(HELD_BACK_OPTION, frozenset)
        self._heavy: HeavyImages = options.get(HEAVY_OPTION) or HeavyImages(1)
        self._most_at_once: int = options.get(MOST_AT_ONCE_OPTION, 1)
        self._gathering = Gathering()
        self._take = ledger_script(self.client, "when_full", "turns", "take")
        self._put_back = ledger_script(self.client, "when_full", "turns", "put_back")
        self._command = LOOK
        self._room = 1
        self._next_command = LOOK
        self._has_passed_over = False
        self._is_gathering = False

    @property
    def is_gathering(self) -> bool:
        """Whether tasks have arrived, and wait for others to come."""
        return self._is_gathering

    def _brpop_start(self, timeout: float | None = None) -> None:
        """Look for tasks; when there were none, wait until a worker is to look again."""
        queues = self._queue_cycle.consume(len(self.active_queues))
        if not queues:
            return
        connection = self.client.connection
        self._in_poll: Any = connection
        self._brpop_sent_at: Any = monotonic()
        self._command = self._next_command
        if self._command == LOOK:
            self._room = min(self.qos.can_consume_max_estimate(), self._most_at_once)
            arguments = take_arguments(self._room, self._heavy.room(), queues, self._held_back())
            connection.send_command(LOOK, self._take.sha, 0, *arguments)
        elif self._has_passed_over:  # without taking the word from workers that can take what this one could not
            connection.send_command(WAIT, NEVER_KEY, PASSED_OVER_SECONDS)
        else:
            connection.send_command(WAIT, WAKE_KEY, timeout or self.brpop_timeout or 0)

    def _brpop_read(self, **options: Any) -> bool:
        """Deliver what was taken, or note what to do next."""
        try:
            answer = self._answer(self._command, **options)
        except NoScriptError:
            self.client.script_load(self._take.script)
            raise Empty from None
        if self._command == WAIT:
            self._next_command = LOOK
            if answer:
                self._gather()
            raise Empty
        taken, more = read_taken(answer)
        self._has_passed_over = more and taken is None
        self._next_command = LOOK if more and taken is not None else WAIT
        if taken is None:
            raise Empty
        self._deliver_taken(taken)
        return True

    def _gather(self) -> None:
        """Wait a little for more tasks, if that pays."""
        seconds = self._gathering.seconds(self.in_hand.running(self.wake))
        if seconds and self.connection.loop is not None and not self._closing:
            self._is_gathering = True
            self.connection.loop.call_later(seconds, self._end_gathering)

    def _end_gathering(self) -> None:
        self._is_gathering = False

    def _deliver_taken(self, taken: Taken) -> None:
        self._gathering.took(len(taken.elements), self._room)
        self._queue_cycle.charge(taken.queue, taken.seconds)
        elements = list(taken.elements)
        for delivery in grouped(taken.messages):
            count = len(delivery["originals"])
            delivery["originals"] = Taken(taken.queue, taken.account_id, elements[:count]).elements
            delivery["account"] = taken.account_id
            del elements[:count]
            if taken.decoding_seconds >= HEAVY_SECONDS:  # then it came alone
                self._heavy.took(_id_of(delivery))
            self.connection._deliver(delivery, taken.queue)

    def _restore(self, message: Any, leftmost: bool = False) -> None:
        """Put tasks back that were taken and not begun: ahead of those that wait in the same line."""
        originals: Sequence[bytes] = message._raw["originals"]
        self._heavy.let_go(_id_of(message._raw))
        with self.conn_or_acquire() as client:
            queue, account_id = message.delivery_info["routing_key"], message._raw["account"]
            self._put_back(args=[queue, account_id, *originals], client=client)


def _id_of(delivery: Delivery) -> str:
    task_id: str = delivery["headers"]["id"]
    return task_id


class TurnsTransport(Transport):
    """kombu's Redis transport with that channel."""

    Channel = TurnsChannel
