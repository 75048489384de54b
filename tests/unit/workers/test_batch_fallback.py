"""A network whose batches differed runs one image at a time: in this worker, in others, and after restarts."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from inference.batch_plan import BatchPlan
from inference.evidence.service import BatchCheck, CheckOutcome
from store.database import Database
from store.errors import NotFound, Unavailable
from store.migrate import migrate
from store.records import Deployment, NetworkRecord
from store.redis_connection import connect
from store.telemetry.series import BATCH_CHECKS
from store.telemetry.telemetry import Telemetry
from tests.unit.inference.doubler import Doubler
from tests.unit.store.registry import ME, Registry
from workers.batch_fallback import BatchFallback
from workers.catalogue import FRESH_SECONDS, Catalogue
from workers.vital_signs import VitalSigns

REPORT = {
    "inputs": [],
    "outputs": [],
    "max_batch_size": 8,
    "batch_reason": "In batches of up to 8, images give what they give alone.",
    "batch_milliseconds": {"1": 10.0, "4": 20.0, "8": 32.0},
}
DIFFERENCE = "In service, a batch of 3 gave another 'output' for an image than the image alone."


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    url = f"sqlite:///{tmp_path}/recoq.db"
    migrate(url)
    with closing(Database(url)) as database:
        yield Registry(database)


@pytest.fixture
def network(registry: Registry) -> NetworkRecord:
    network = registry.add_network(ME)
    registry.networks.record_deployment(network.id, Deployment("success", report=REPORT))
    return network


@pytest.fixture
def telemetry(redis_url: str) -> Telemetry:
    return Telemetry(connect(redis_url))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def catalogue_of(registry: Registry, clock: Clock) -> Catalogue:
    return Catalogue(registry.networks, registry.versions, clock)


def largest(catalogue: Catalogue, network: NetworkRecord) -> int | None:
    return BatchPlan.from_report(catalogue.network(network.id).deployment.report).max_batch_size


def checked(loaded: Doubler, outcome: CheckOutcome) -> BatchCheck:
    return BatchCheck(loaded, 3, 0.1, outcome, DIFFERENCE if outcome is CheckOutcome.DIFFERENT else None)


def test_a_difference_is_kept_with_the_report_for_all_workers(
    registry: Registry, network: NetworkRecord, telemetry: Telemetry
) -> None:
    clock, loaded, signs = Clock(), Doubler(), VitalSigns(telemetry)
    signs.knows(loaded, network.id)
    here, elsewhere = catalogue_of(registry, clock), catalogue_of(registry, clock)
    assert (largest(here, network), largest(elsewhere, network)) == (8, 8)
    fallback = BatchFallback(registry.networks, here, signs)
    fallback.batch_checked(checked(loaded, CheckOutcome.SAME))
    assert largest(here, network) == 8
    fallback.batch_checked(checked(loaded, CheckOutcome.DIFFERENT))
    deadline = time.monotonic() + 20
    while largest(here, network) != 1:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    report = registry.networks.get_by_id(network.id).deployment.report
    assert report == {
        **REPORT,
        "max_batch_size": 1,
        "batch_reason": (
            "One image at a time: in service, a batch of 3 gave another 'output' for an image than the image alone."
            " Batches of 8 would give 2.5 times as many images a second."
        ),
    }
    clock.now += FRESH_SECONDS
    assert largest(elsewhere, network) == 1
    assert largest(catalogue_of(registry, clock), network) == 1  # a worker that starts


def test_checks_are_counted_by_network_and_outcome(
    registry: Registry, network: NetworkRecord, telemetry: Telemetry
) -> None:
    loaded, signs = Doubler(), VitalSigns(telemetry)
    signs.knows(loaded, network.id)
    fallback = BatchFallback(registry.networks, catalogue_of(registry, Clock()), signs)
    for outcome in (CheckOutcome.SAME, CheckOutcome.SAME, CheckOutcome.ALIKE):
        fallback.batch_checked(checked(loaded, outcome))
    telemetry.send()
    counted = telemetry.history.totals().counter(BATCH_CHECKS)
    assert counted == {(str(network.id), "same"): 2, (str(network.id), "alike"): 1}


def test_what_is_known_holds_while_the_database_is_away_or_the_network_is_gone(
    registry: Registry, network: NetworkRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    catalogue = catalogue_of(registry, clock)
    assert largest(catalogue, network) == 8

    def away(network_id: int) -> NetworkRecord:
        raise Unavailable("The database is away.")

    with monkeypatch.context() as patch:
        patch.setattr(registry.networks, "get_by_id", away)
        clock.now += FRESH_SECONDS
        assert largest(catalogue, network) == 8
        catalogue.forget(network.id)
        with pytest.raises(Unavailable):
            catalogue.network(network.id)
    assert largest(catalogue, network) == 8
    registry.networks.delete(ME, network.id)
    clock.now += FRESH_SECONDS
    assert largest(catalogue, network) == 8
    catalogue.forget(network.id)
    with pytest.raises(NotFound):
        catalogue.network(network.id)
