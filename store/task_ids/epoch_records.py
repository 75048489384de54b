"""What the database knows of task IDs: up to where they are reserved, and in which epoch the ledger is.

It is the truth about both, because the ledger may be emptied, or go back in time.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import uuid4

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from store.database import Database
from store.errors import StoreError
from store.tables import LedgerEpoch, TaskIdMark

MAX_ID = 2**53 - 1  # as far as JavaScript and Lua count
MARK_ID = 1


class LossKind(StrEnum):
    """What has happened to a ledger."""

    EMPTIED = "emptied"
    WENT_BACK = "went_back"
    REPLACED = "replaced"


@dataclass(frozen=True)
class Epoch:
    """One life of the ledger. ``noted_id`` is the last ID of the latest block that the ledger was told of."""

    token: str
    first_id: int
    noted_id: int


@dataclass(frozen=True)
class LedgerLoss:
    """The end of an epoch. ``last_id`` is above all IDs that were given out in it.

    ``tasks`` is how many had not ended a moment before; None if nobody knows.
    """

    kind: LossKind
    date: datetime
    last_id: int
    tasks: int | None


class EpochEnded(Exception):
    """The database has another epoch than the one that IDs were to be reserved for."""


class EpochRecords:
    """Reserves blocks of IDs and begins epochs; safe to share between threads and processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def current(self) -> Epoch | None:
        """Return the present epoch; None before the first."""
        with self._database.reading() as session:
            return _current(session)

    def knows(self, token: str) -> bool:
        """Tell whether there was an epoch of this token."""
        with self._database.reading() as session:
            return session.scalar(select(LedgerEpoch.id).where(LedgerEpoch.token == token)) is not None

    def begin(self, former: str | None, above: int, loss: LossKind | None, tasks: int | None) -> tuple[Epoch, bool]:
        """Return a new epoch that follows ``former`` with IDs above ``above``, or the one that another process began.

        True beside it if it is new.
        """
        with self._database.session() as session:
            mark = _locked_mark(session)
            epoch = _current(session)
            if epoch is not None and epoch.token != former:
                return epoch, False
            mark.high_water = max(mark.high_water, above)
            row = LedgerEpoch(token=uuid4().hex, first_id=mark.high_water + 1, noted_id=0, loss=loss, lost_tasks=tasks)
            session.add(row)
            return Epoch(row.token, row.first_id, 0), True

    def reserve(self, token: str, count: int, above: int = 0) -> range:
        """Return ``count`` IDs that nobody else is given, whatever happens to the ledger.

        Raises:
            EpochEnded: if the present epoch is another one.
            StoreError: if there are no IDs left.
        """
        with self._database.session() as session:
            mark = _locked_mark(session)
            epoch = _current(session)
            if epoch is None or epoch.token != token:
                raise EpochEnded
            first = max(mark.high_water, above) + 1
            if first + count - 1 > MAX_ID:
                raise StoreError("All task IDs have been given out.")
            mark.high_water = first + count - 1
            return range(first, first + count)

    def note(self, token: str, last_id: int) -> None:
        """Note that the ledger knows of the block that ends with ``last_id``."""
        with self._database.session() as session:
            session.execute(
                update(LedgerEpoch)
                .where(LedgerEpoch.token == token, LedgerEpoch.noted_id < last_id)
                .values(noted_id=last_id)
            )

    def losses(self, count: int) -> list[LedgerLoss]:
        """Return the last losses, latest first."""
        lost = select(LedgerEpoch).where(LedgerEpoch.loss.is_not(None)).order_by(LedgerEpoch.id.desc()).limit(count)
        with self._database.reading() as session:
            return [
                LedgerLoss(LossKind(row.loss or ""), row.date, row.first_id - 1, row.lost_tasks)
                for row in session.scalars(lost)
            ]


def _current(session: Session) -> Epoch | None:
    row = session.scalar(select(LedgerEpoch).order_by(LedgerEpoch.id.desc()).limit(1))
    return None if row is None else Epoch(row.token, row.first_id, row.noted_id)


def _locked_mark(session: Session) -> TaskIdMark:
    """Return the mark, which nobody else reads or changes before the transaction ends."""
    return session.get_one(TaskIdMark, MARK_ID, with_for_update=True)
