"""``python -m workers.companions.downloader``: copies weights from an object store for a worker that only reads.

It alone has the store's credentials and writes to the folder of copies, so that no network, however hostile, can put
other weights in place of a tenant's. What it copies is bytes to it, counted and hashed.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import orjson

from store.errors import Damaged, NotFound, StorageFull, StoreError, Unavailable, WeightsAway
from store.records import StoredFile
from store.weights import WeightStore
from workers.companions.channel import Companion
from workers.companions.process import begin, serve

_ERRORS = {kind.__name__: kind for kind in (Damaged, NotFound, StorageFull, Unavailable, WeightsAway)}


class Weights(Protocol):
    """Where a worker finds the files of networks."""

    def local_folder(self, key: str, files: Sequence[StoredFile]) -> Path:
        """Return a folder with these files, to be read only; see :class:`store.weights.WeightStore`."""


class RemoteWeights:
    """The weights in an object store, copied by the companion; safe to share between threads."""

    def __init__(self, companion: Companion) -> None:
        self._companion = companion

    def local_folder(self, key: str, files: Sequence[StoredFile]) -> Path:
        """Return what :meth:`store.weights.WeightStore.local_folder` returns.

        Raises:
            StoreError: as it does.
            CompanionGone: if the companion has ended or failed.
        """
        question = {"key": key, "files": [asdict(file) for file in files]}
        answer: dict[str, Any] = orjson.loads(self._companion.ask(orjson.dumps(question)))
        if "folder" in answer:
            return Path(answer["folder"])
        raise _ERRORS.get(answer["error"], StoreError)(answer["sentence"])


def _answer(weights: WeightStore, question: bytes) -> bytes:
    wanted = orjson.loads(question)
    try:
        folder = weights.local_folder(wanted["key"], [StoredFile(**file) for file in wanted["files"]])
    except StoreError as error:
        return orjson.dumps({"error": type(error).__name__, "sentence": str(error)})
    return orjson.dumps({"folder": str(folder)})


def main() -> None:
    """Answer a worker's questions until it ends."""
    line, settings = begin()
    weights = WeightStore.of(settings)
    serve(line, lambda question, _: _answer(weights, question))


if __name__ == "__main__":
    main()
