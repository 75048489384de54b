"""The registry of networks, on both databases."""

from datetime import UTC
from typing import Any

import pytest

from store.errors import Conflict, NotFound
from store.records import Deployment, StoredFile
from tests.unit.store.registry import ME, OTHER, Registry

REPORT = {
    "inputs": [{"name": "images", "shape": [3, None, None], "dtype": "float32"}],
    "outputs": [{"name": "output", "shape": [2], "dtype": "float32"}],
    "max_batch_size": 16,
}


def test_a_network_is_read_back_as_it_was_created(registry: Registry) -> None:
    fields: dict[str, Any] = {
        "name": "Größe",
        "description": "of things",
        "metadata": {"a": [1, {"b": None}]},
        "framework": "pytorch-2.x",
        "preprocessing": {"inputs": [{"tensor_name": "x"}, {"tensor_name": "y"}], "batched_output": False},
        "postprocessings": [{"tensors_output": {"tensors": ["scores"]}}],
        "weights_key": "k" * 32,
        "files": (StoredFile("model.pt2", 2**40, "ab" * 32), StoredFile("mean.npy", 0, "cd" * 32)),
    }
    created = registry.networks.create(ME, **fields)
    assert registry.networks.get(ME, created.id) == created
    assert registry.networks.get_by_id(created.id) == created
    assert {name: getattr(created, name) for name in fields} == fields
    assert (created.account_id, created.slug, created.task_id) == (ME, None, None)
    assert created.deployment == Deployment("pending")
    assert created.create_date == created.update_date
    assert created.create_date.tzinfo is UTC


def test_what_belongs_to_others_is_not_found(registry: Registry) -> None:
    mine, public = registry.add_network(ME), registry.add_network(None, slug="public")
    for owner, ref in [
        (OTHER, mine.id),
        (None, mine.id),
        (ME, public.id),
        (ME, "public"),
        (None, "private"),
        (ME, 0),
        (ME, -1),
        (ME, 2**31),
        (ME, 2**100),
    ]:
        with pytest.raises(NotFound):
            registry.networks.get(owner, ref)
        with pytest.raises(NotFound):
            registry.networks.update(owner, ref, name="taken")
        with pytest.raises(NotFound):
            registry.networks.delete(owner, ref)
    assert registry.networks.get(ME, mine.id) == mine
    assert registry.networks.get(None, "public") == public


def test_a_public_network_is_found_by_slug_and_by_id(registry: Registry) -> None:
    public = registry.add_network(None, slug="public")
    assert registry.networks.get(None, "public") == registry.networks.get(None, public.id) == public


def test_a_slug_in_use_is_a_conflict(registry: Registry) -> None:
    registry.add_network(None, slug="taken")
    with pytest.raises(Conflict, match="public network taken already"):
        registry.add_network(None, slug="taken")
    assert registry.networks.list(None, 0, 10).total == 1


def test_ids_are_not_used_again(registry: Registry) -> None:
    first = registry.add_network(ME)
    registry.networks.delete(ME, first.id)
    assert registry.add_network(ME).id > first.id


def test_a_list_has_the_owners_networks_by_page(registry: Registry) -> None:
    mine = [registry.add_network(ME, name=str(number)) for number in range(5)]
    registry.add_network(OTHER)
    public = registry.add_network(None, slug="public")
    page = registry.networks.list(ME, 1, 3)
    assert (page.items, page.total) == (tuple(mine[1:4]), 5)
    assert registry.networks.list(None, 0, 100).items == (public,)
    assert registry.networks.list(ME, 5, 3).items == ()
    assert registry.networks.list(ME, 2**80, 2**80).total == 5


def test_an_update_changes_what_it_names_and_the_date(registry: Registry) -> None:
    before = registry.add_network(ME, metadata={"old": 1})
    after = registry.networks.update(ME, before.id, name="new", metadata={"new": 2})
    assert (after.name, after.metadata, after.description) == ("new", {"new": 2}, before.description)
    assert after.update_date > before.update_date
    assert after.create_date == before.create_date
    assert registry.networks.get(ME, before.id) == after


def test_an_update_without_changes_still_dates(registry: Registry) -> None:
    before = registry.add_network(ME)
    assert registry.networks.update(ME, before.id).update_date > before.update_date


def test_what_cannot_be_changed_is_a_mistake_of_the_caller(registry: Registry) -> None:
    network = registry.add_network(ME)
    with pytest.raises(TypeError, match="preprocessing"):
        registry.networks.update(ME, network.id, preprocessing={})  # type: ignore[call-arg]
    assert registry.networks.get(ME, network.id) == network


@pytest.mark.parametrize(
    "deployment", [Deployment("success", report=REPORT), Deployment("error", error="It is broken.")]
)
def test_the_deployment_is_noted_without_an_update(registry: Registry, deployment: Deployment) -> None:
    before = registry.add_network(ME)
    registry.networks.set_task(before.id, "123")
    registry.networks.record_deployment(before.id, deployment)
    after = registry.networks.get(ME, before.id)
    assert (after.task_id, after.deployment, after.update_date) == ("123", deployment, before.update_date)


def test_noting_on_a_network_that_is_gone_is_not_found(registry: Registry) -> None:
    for network_id in (1, 2**40):
        with pytest.raises(NotFound):
            registry.networks.set_task(network_id, "1")
        with pytest.raises(NotFound):
            registry.networks.record_deployment(network_id, Deployment("success"))
        with pytest.raises(NotFound):
            registry.networks.get_by_id(network_id)


def test_deleting_a_network_takes_its_versions_along(registry: Registry) -> None:
    going, staying = registry.add_network(ME), registry.add_network(ME)
    ran_it, had_it = registry.add_spec(ME), registry.add_spec(ME)
    gone = [registry.add_version(ME, ran_it.id, going.id)]
    kept = registry.add_version(ME, had_it.id, staying.id)
    gone.append(registry.add_version(ME, had_it.id, going.id))
    before = registry.specs.get(ME, ran_it.id), registry.specs.get(ME, had_it.id)

    deleted = registry.networks.delete(ME, going.id)

    assert deleted == going
    for version in gone:
        with pytest.raises(NotFound):
            registry.versions.get(ME, version.id)
    after = registry.specs.get(ME, ran_it.id)
    assert after.current_version_id is None
    assert after.update_date > before[0].update_date
    assert registry.specs.get(ME, had_it.id) == before[1]
    assert before[1].current_version_id == kept.id
    assert registry.networks.list(ME, 0, 10).items == (staying,)


def test_a_fallback_to_one_image_at_a_time_is_kept_with_the_report(registry: Registry) -> None:
    network = registry.add_network(ME)
    registry.networks.record_batch_fallback(network.id, "It has no report yet.")
    assert registry.networks.get_by_id(network.id).deployment == Deployment("pending")
    registry.networks.record_deployment(network.id, Deployment("success", report=REPORT))
    registry.networks.record_batch_fallback(network.id, "In service, a batch differed.")
    found = registry.networks.get_by_id(network.id)
    assert found.deployment == Deployment(
        "success", report={**REPORT, "max_batch_size": 1, "batch_reason": "In service, a batch differed."}
    )
    assert found.update_date == network.update_date
    with pytest.raises(NotFound):
        registry.networks.record_batch_fallback(10**6, "It is gone.")
