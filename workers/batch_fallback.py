"""Has a network whose batches were seen to change answers run one image at a time: in all workers, and for good."""

import logging
import threading
from contextlib import suppress

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from inference.batch_choice import fallback_reason
from inference.evidence.service import BatchCheck, CheckOutcome
from store.errors import NotFound, Unavailable
from store.networks import Networks
from workers.catalogue import Catalogue
from workers.vital_signs import VitalSigns

logger = logging.getLogger(__name__)

AWAY_SECONDS = 600.0
PAUSE_SECONDS = 5.0

_once_the_database_is_there = Retrying(
    retry=retry_if_exception_type(Unavailable),
    wait=wait_fixed(PAUSE_SECONDS),
    stop=stop_after_delay(AWAY_SECONDS),
    reraise=True,
)


class BatchFallback:
    """Counts the checks of batches, and records differences with the network's report, where all workers read it."""

    def __init__(self, networks: Networks, catalogue: Catalogue, signs: VitalSigns) -> None:
        self._networks = networks
        self._catalogue = catalogue
        self._signs = signs

    def batch_checked(self, check: BatchCheck) -> None:
        """Take note of a check, in the thread of its batch, which does not wait for the database."""
        self._signs.batch_checked(check)
        network_id = self._signs.network_id(check.network)
        if check.outcome is not CheckOutcome.DIFFERENT or check.reason is None or network_id is None:
            return
        logger.error("Network %d runs one image at a time from now on. %s", network_id, check.reason)
        # A daemon: a worker that stops while the database is away leaves it to the next difference.
        threading.Thread(
            target=self._record, args=(network_id, check.reason), name="batch-fallback", daemon=True
        ).start()

    def _record(self, network_id: int, difference: str) -> None:
        try:
            _once_the_database_is_there(self._record_once, network_id, difference)
        except Unavailable as error:
            logger.error("The fallback of network %d could not be recorded: %s", network_id, error)

    def _record_once(self, network_id: int, difference: str) -> None:
        with suppress(NotFound):  # then nobody runs it any more
            report = self._networks.get_by_id(network_id).deployment.report
            if report is not None and report["max_batch_size"] > 1:  # another worker may have been first
                self._networks.record_batch_fallback(network_id, fallback_reason(report, difference))
        self._catalogue.forget(network_id)
