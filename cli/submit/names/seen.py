"""Remembers which images have been met, on disk, so that a million of them take no memory to speak of."""

import sqlite3
from enum import IntEnum
from types import TracebackType
from typing import Self


class Seen(IntEnum):
    """Where a name has been met before."""

    IN_THIS_RUN = 0
    SUCCEEDED = 1  # in the results of an earlier run
    FAILED = 2  # likewise


class SeenNames:
    """A set of names in a temporary file, which goes with it."""

    def __init__(self) -> None:
        # An empty file name is SQLite's temporary database: in its small cache, and on disk beyond that.
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("CREATE TABLE seen (name TEXT PRIMARY KEY, place INTEGER) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def add(self, name: str, place: Seen) -> None:
        """Remember a name of an earlier run; the last line of an image counts."""
        self._database.execute("INSERT OR REPLACE INTO seen VALUES (?, ?)", (name, place))

    def meet(self, name: str) -> Seen | None:
        """Remember ``name`` as one of this run, and return where it was met before; None if it is new."""
        row = self._database.execute("SELECT place FROM seen WHERE name = ?", (name,)).fetchone()
        if row is None or row[0] != Seen.IN_THIS_RUN:
            self.add(name, Seen.IN_THIS_RUN)
        return None if row is None else Seen(row[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()
