"""Loads the networks that the operator wants to be in memory at all times, as soon as a worker starts.

Tasks may arrive meanwhile; they wait for the same loads.
"""

import logging
import threading
from collections.abc import Sequence

from inference.errors import NetworkError
from store.errors import StoreError
from store.networks import Networks
from store.records import NetworkRecord
from workers.networks import NetworkRunner

logger = logging.getLogger(__name__)


class PinnedNetworks:
    """The networks of ``RECOQ_PINNED_NETWORKS``: numbers, and slugs of public ones."""

    def __init__(self, names: Sequence[str], networks: Networks, runner: NetworkRunner) -> None:
        self._names = names
        self._networks = networks
        self._runner = runner

    def start(self) -> None:
        """Begin to load them, one after the other, on a thread."""
        if self._names:
            threading.Thread(target=self.load, name="pinned", daemon=True).start()

    def load(self) -> None:
        """Load them; one that cannot be loaded is named in the log, and the others are not held up by it."""
        for name in self._names:
            try:
                self._runner.load(self._find(name))
            except (StoreError, NetworkError) as error:
                logger.warning("The pinned network %s could not be loaded: %s", name, error)
            else:
                logger.info("The pinned network %s is loaded.", name)

    def _find(self, name: str) -> NetworkRecord:
        return self._networks.get_by_id(int(name)) if name.isdecimal() else self._networks.get(None, name)
