"""The files of networks as the API and the command line store and remove them: none stay that no network names.

Files and rows cannot change in one step. So the key of files is noted in the database before they are stored; the
transaction that makes their network strikes it out, and the one that deletes a network notes it again. What a process
that died left behind is found there. The weight store itself is never searched: what lies there and was never noted
may belong to someone else, such as a service with another database.
"""

import contextlib
from collections.abc import Iterable
from datetime import timedelta
from typing import BinaryIO

from sqlalchemy import delete, exists, select, update

from store.database import Database
from store.errors import StoreError, Unavailable
from store.records import StoredFile
from store.tables import Network, UnnamedWeights, now
from store.weights import WeightStore, new_key

ABANDONED_AFTER = timedelta(days=1)  # far above what an upload takes


class NetworkFiles:
    """The weight store, and the note in the database of what is in it without a network; safe to share."""

    def __init__(self, database: Database, weights: WeightStore) -> None:
        self._database = database
        self._weights = weights

    def save(self, parts: Iterable[tuple[str, BinaryIO]], max_bytes: int) -> tuple[str, tuple[StoredFile, ...]]:
        """Store files as ``WeightStore.save`` does, for a network that is to be made at once.

        Raises:
            TooLarge, InvalidValue, StorageFull, Unavailable: as ``WeightStore.save``, or for the database.
        """
        key = new_key()
        with self._database.session() as session:
            session.add(UnnamedWeights(key=key))
        try:
            saved = self._weights.save(parts, max_bytes, key)
            self._renew(key)
            return saved
        except BaseException:
            with contextlib.suppress(StoreError):
                self.delete(key)
            raise

    def delete(self, key: str) -> None:
        """Remove files that no network names; it is no error that there are none.

        Raises:
            Unavailable: if that could not be done; it is then done a day later.
        """
        self._weights.delete(key)
        with self._database.session() as session:
            session.execute(delete(UnnamedWeights).where(UnnamedWeights.key == key))

    def check(self) -> None:
        """Return if files can be stored and read.

        Raises:
            Unavailable: if they cannot.
        """
        self._weights.check()

    def _renew(self, key: str) -> None:
        """Give the network another day to be made, unless the upload took so long that it counted as abandoned."""
        renewed = (
            update(UnnamedWeights).where(UnnamedWeights.key == key).values(date=now()).returning(UnnamedWeights.key)
        )
        with self._database.session() as session:
            if session.execute(renewed).first() is None:
                raise Unavailable("The upload took longer than a day.")

    def remove_abandoned(self) -> int:
        """Remove the files that no network has named for a day, and return how many times there were some.

        Raises:
            Unavailable: if the database or the weight store is away.
        """
        named = exists().where(Network.weights_key == UnnamedWeights.key)
        abandoned = select(UnnamedWeights.key).where(UnnamedWeights.date < now() - ABANDONED_AFTER, ~named)
        with self._database.reading() as session:
            keys = session.scalars(abandoned).all()
        for key in keys:
            self.delete(key)
        return len(keys)
