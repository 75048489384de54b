"""Remembers which images have been met, on disk, so that a million of them take no memory to speak of."""

import sqlite3
from types import TracebackType
from typing import Self


class SeenNames:
    """A set of names in a temporary file, which goes with it."""

    def __init__(self) -> None:
        # An empty file name is SQLite's temporary database: in its small cache, and on disk beyond that.
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("CREATE TABLE seen (name TEXT PRIMARY KEY) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def add(self, name: str) -> bool:
        """Remember ``name``; true if it is new."""
        return self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (name,)).rowcount == 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()
