"""What a process tells of itself and reads of all: the parts of this package, made for one Redis.

Workers and API processes make one each.
"""

from redis import Redis

from store.errors import Unavailable
from store.task_records import CANCELLED, Outcome
from store.telemetry.heartbeats import Heartbeats
from store.telemetry.history import History, current_bucket
from store.telemetry.pending import PendingTasks
from store.telemetry.recent_errors import ErrorTally, RecentErrors
from store.telemetry.series import CANCELLED_OUTCOME, ENDED
from store.telemetry.tally import Tally


class Telemetry:
    """Tallies of this process, and the sums of all."""

    def __init__(self, redis: Redis) -> None:
        self.tally = Tally()
        self.error_tally = ErrorTally()
        self.history = History(redis)
        self.errors = RecentErrors(redis)
        self.pending = PendingTasks(redis)
        self.heartbeats = Heartbeats(redis)
        self._watched = 0

    def count_unrun(self, task_id: str, kind: str, network_id: int, account_id: int, outcome: Outcome) -> None:
        """Count a task that ended without being run: cancelled, which is no error, or too late."""
        is_cancelled = outcome == CANCELLED
        self.tally.count(ENDED, kind, str(network_id), CANCELLED_OUTCOME if is_cancelled else outcome.status.value)
        if outcome.error is not None and not is_cancelled:
            self.error_tally.count(account_id, network_id, outcome.error, task_id)

    def send(self) -> None:
        """Send what has changed; what cannot be sent is kept for the next time, but for errors."""
        changes = self.tally.take()
        try:
            if changes:
                self.history.add(changes)
        except Unavailable:
            self.tally.put_back(changes)
            raise
        errors = self.error_tally.take()
        if errors:
            self.errors.add(errors)
        self._watch_queue()

    def _watch_queue(self) -> None:
        """Note the queue in the current bucket, if no process has done so yet."""
        number = current_bucket()
        if number == self._watched:
            return
        self._watched = number
        if self.history.is_to_watch(number):
            pending = self.pending.by_network()
            count = sum(each.count for each in pending)
            self.history.note_queue(number, count, max((each.oldest_seconds for each in pending), default=0.0))
