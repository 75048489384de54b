"""What can go wrong in the store, as the API, the workers and the command line see it.

Every message is one sentence that may be shown to a user: no SQL, address, path or driver text. The cause that
an operator needs is chained to the exception and belongs in the log.
"""


class StoreError(Exception):
    """The store cannot do what was asked; the message is one sentence that says why."""


class NotFound(StoreError):
    """What was asked for does not exist, or belongs to another account."""


class Conflict(StoreError):
    """What was asked for contradicts what is stored, such as a slug that is in use."""


class Outdated(StoreError):
    """What was asked for rests on what has been changed since it was read."""


class InvalidReference(StoreError):
    """A value names something that does not exist or may not be used there.

    ``field`` is the API's name of the value, such as ``network_id``, so that an answer can point at it.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class InvalidValue(StoreError, ValueError):
    """A value that cannot be stored: a file name with a slash, text with a NUL, a number that is not finite."""


class Unavailable(StoreError):
    """A backing service is away; the message names it and its state.

    ``noted`` is set when the log has it (``store.availability.outages``).
    """

    noted = False


class LedgerAway(Unavailable):
    """Redis is away, in whatever state: every process waits for it and continues."""


class LedgerFull(Unavailable):
    """Redis has no memory for what was to be written. New tasks are refused; those that it has end and make room."""


class DatabaseAway(Unavailable):
    """The SQL database is away, in whatever state."""


class WeightsAway(Unavailable):
    """The place of the weights is away, in whatever state."""


class TryLater(StoreError):
    """What was asked for may be had later; ``retry_after_seconds`` tells when to ask again."""

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class QueueFull(TryLater):
    """As many tasks wait as may wait."""


class RateExceeded(TryLater):
    """An account makes more requests than it may."""


class StorageFull(StoreError):
    """There is no room left for what was to be stored."""


class TooLarge(StoreError):
    """An upload is larger than its limit."""


class Damaged(StoreError):
    """Stored weight files are not what was once uploaded."""
