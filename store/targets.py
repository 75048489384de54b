"""What inference requests to specifications run, remembered for a moment: most of them ask the same of the database.

A target that was remembered carries the stamp of the registry that it was read under, and the ledger takes no task for
it under a later one (``store.registry_stamp``). So a new version counts from the first request after the change on.
"""

from contextlib import suppress
from dataclasses import replace
from threading import Lock

from cachetools import TTLCache

from store.errors import Unavailable
from store.records import InferenceTarget
from store.registry_stamp import RegistryStamp
from store.versions import Versions

REMEMBERED_SECONDS = 1.0  # how long a change may go unnoticed whose maker could not renew the stamp
MOST_REMEMBERED = 10_000

_Key = tuple[int | None, int | str]


class Targets:
    """The targets that this process has read of late; safe to share between threads."""

    def __init__(self, versions: Versions, stamp: RegistryStamp) -> None:
        self._versions = versions
        self._stamp = stamp
        self._remembered: TTLCache[_Key, InferenceTarget] = TTLCache(MOST_REMEMBERED, REMEMBERED_SECONDS)
        self._lock = Lock()

    def of_spec(self, owner: int | None, ref: int | str) -> InferenceTarget:
        """Return what a request to a specification runs, from memory if that will do.

        Raises:
            NotFound: if the owner has no such specification.
            Unavailable: if the database is away.
        """
        with self._lock:
            known = self._remembered.get((owner, ref))
        return known if known is not None else self.read_of_spec(owner, ref)

    def read_of_spec(self, owner: int | None, ref: int | str) -> InferenceTarget:
        """Return what a request to a specification runs at this moment, and remember it.

        Raises:
            NotFound: if the owner has no such specification.
            Unavailable: if the database is away.
        """
        with self._lock:
            self._remembered.pop((owner, ref), None)
        stamp: str | None = None
        with suppress(Unavailable):  # then there is nothing to compare with
            stamp = self._stamp.current()
        target = self._versions.target_of_spec(owner, ref)
        if stamp is not None and target.version_id is not None:
            with self._lock:
                self._remembered[owner, ref] = replace(target, stamp=stamp)
        return target
