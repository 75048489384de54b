"""Targets that are remembered: without a query, never after a change, and not for long."""

import logging
from collections.abc import Iterator

import pytest
import redis

from config.queues import TaskKind
from store.database import Database
from store.errors import InvalidReference, NotFound, Outdated
from store.records import InferenceTarget
from store.redis_connection import connect
from store.registry_stamp import RegistryStamp
from store.targets import Targets
from store.task_keys import COUNTER_KEY, REGISTRY_STAMP_KEY
from store.task_ledger import TaskLedger
from store.task_records import NewTask
from tests.unit.store.registry import ME, OTHER, Registry, counted_statements

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
def database(database_url: str, client: redis.Redis) -> Iterator[Database]:
    """A database whose changes renew the stamp."""
    database = Database(database_url, on_change=RegistryStamp(client).renew)
    yield database
    database.close()


@pytest.fixture
def targets(registry: Registry, client: redis.Redis) -> Targets:
    return Targets(registry.versions, RegistryStamp(client))


@pytest.fixture
def target(registry: Registry) -> InferenceTarget:
    """The target of specification 1 of an account."""
    network = registry.add_network(ME)
    version = registry.add_version(ME, registry.add_spec(ME).id, network.id)
    return InferenceTarget(version.id, network.id, 1)


def task_for(target: InferenceTarget) -> NewTask:
    return NewTask(ME, TaskKind.RECOGNITION, {}, registry_stamp=target.stamp)


def test_target_is_read_once(targets: Targets, target: InferenceTarget, client: redis.Redis) -> None:
    with counted_statements() as statements:
        assert targets.of_spec(ME, 1) == target
        remembered = [targets.of_spec(ME, 1) for _ in range(3)]
    assert len(statements) == 1
    assert {each.stamp for each in remembered} == {RegistryStamp(client).current()}
    assert TaskLedger(client, 60).submit(task_for(remembered[0]))


def test_no_task_is_taken_for_what_was_read_before_a_change(
    registry: Registry, targets: Targets, target: InferenceTarget, client: redis.Redis
) -> None:
    targets.of_spec(ME, 1)
    later = registry.add_version(ME, 1, target.network_id)
    registry.specs.update(ME, 1, current_version_id=later.id)
    accepted_before = client.get(COUNTER_KEY)
    with pytest.raises(Outdated):
        TaskLedger(client, 60).accept(task_for(targets.of_spec(ME, 1)))
    assert client.get(COUNTER_KEY) == accepted_before
    assert targets.read_of_spec(ME, 1).version_id == later.id
    assert TaskLedger(client, 60).submit(task_for(targets.of_spec(ME, 1)))


def test_change_between_stamp_and_query_outdates_what_is_remembered(
    registry: Registry, targets: Targets, target: InferenceTarget, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = registry.versions.target_of_spec

    def read_and_change(owner: int | None, ref: int | str) -> InferenceTarget:
        found = read(owner, ref)
        registry.specs.update(ME, 1, name="another name")
        return found

    monkeypatch.setattr(registry.versions, "target_of_spec", read_and_change)
    targets.of_spec(ME, 1)
    with pytest.raises(Outdated):
        TaskLedger(client, 60).accept(task_for(targets.of_spec(ME, 1)))


def test_refused_change_renews_no_stamp(registry: Registry, target: InferenceTarget, client: redis.Redis) -> None:
    before = RegistryStamp(client).current()
    with pytest.raises(InvalidReference):
        registry.add_version(ME, 1, 99)
    assert RegistryStamp(client).current() == before
    registry.specs.update(ME, 1, name="another name")
    assert RegistryStamp(client).current() != before


def test_each_account_has_its_own_targets(targets: Targets, target: InferenceTarget) -> None:
    assert targets.of_spec(ME, 1) == target
    for owner in (OTHER, None):
        with pytest.raises(NotFound):
            targets.of_spec(owner, 1)


def test_specification_without_a_version_is_not_remembered(registry: Registry, targets: Targets) -> None:
    registry.add_spec(ME)
    assert [targets.of_spec(ME, 1) for _ in range(2)] == [InferenceTarget(None, 0, 0)] * 2


def test_targets_are_remembered_before_the_first_change(
    registry: Registry, targets: Targets, target: InferenceTarget, client: redis.Redis
) -> None:
    client.delete(REGISTRY_STAMP_KEY)
    targets.of_spec(ME, 1)
    remembered = targets.of_spec(ME, 1)
    assert remembered.stamp == ""
    assert TaskLedger(client, 60).submit(task_for(remembered))
    registry.specs.update(ME, 1, name="another name")
    with pytest.raises(Outdated):
        TaskLedger(client, 60).accept(task_for(remembered))


def test_nothing_is_remembered_for_long(
    registry: Registry, client: redis.Redis, target: InferenceTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.targets.REMEMBERED_SECONDS", 0.0)
    targets = Targets(registry.versions, RegistryStamp(client))
    assert [targets.of_spec(ME, 1) for _ in range(2)] == [target] * 2  # without a stamp: both were read


def test_without_redis_targets_are_read_and_changes_are_made(
    database_url: str, registry: Registry, target: InferenceTarget, caplog: pytest.LogCaptureFixture
) -> None:
    with connect(NOWHERE) as away:
        stamp = RegistryStamp(away)
        targets = Targets(registry.versions, stamp)
        assert [targets.of_spec(ME, 1) for _ in range(2)] == [target] * 2
        with caplog.at_level(logging.WARNING):
            stamp.renew()
    assert "A change may take a second" in caplog.text
