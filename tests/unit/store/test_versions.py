"""The registry of versions, and what an inference request resolves to, on both databases."""

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest

from store.errors import InvalidReference, NotFound
from store.records import InferenceTarget
from tests.unit.store.registry import ME, OTHER, Registry, counted_statements


def at_once(*jobs: Callable[[], Any]) -> None:
    """Run the jobs in threads that begin together; the first error of any is raised."""
    barrier = threading.Barrier(len(jobs))
    errors: list[BaseException] = []

    def run(job: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            job()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_a_version_is_read_back_as_it_was_created(registry: Registry) -> None:
    spec, network = registry.add_spec(ME, name="what"), registry.add_network(ME, name="how")
    post_processings = [{"detection": {"thresholds": [0.5]}}]
    created = registry.versions.create(ME, spec_ref=spec.id, network_ref=network.id, post_processings=post_processings)
    assert registry.versions.get(ME, created.id) == created
    assert (created.spec_id, created.spec_slug, created.spec_name) == (spec.id, None, "what")
    assert (created.network_id, created.network_slug, created.network_name) == (network.id, None, "how")
    assert created.post_processings == post_processings


def test_a_version_may_use_a_public_network(registry: Registry) -> None:
    public = registry.add_network(None, slug="public")
    version = registry.add_version(ME, registry.add_spec(ME).id, "public")
    assert (version.network_id, version.network_slug) == (public.id, "public")
    assert registry.versions.get(ME, version.id) == version


def test_a_public_version_links_public_resources(registry: Registry) -> None:
    registry.add_spec(None, slug="spec")
    registry.add_network(None, slug="network")
    version = registry.add_version(None, "spec", "network")
    assert (version.spec_slug, version.network_slug) == ("spec", "network")
    assert registry.versions.get(None, version.id) == version
    with pytest.raises(NotFound):
        registry.versions.get(ME, version.id)


def test_references_that_cannot_be_used_are_named(registry: Registry) -> None:
    spec, network = registry.add_spec(ME), registry.add_network(ME)
    public_spec, public_network = registry.add_spec(None, slug="spec"), registry.add_network(None, slug="network")
    for spec_ref in (registry.add_spec(OTHER).id, public_spec.id, "spec", "unknown", 0, 2**40):
        with pytest.raises(InvalidReference, match="no specification") as caught:
            registry.add_version(ME, spec_ref, network.id)
        assert caught.value.field == "spec_id"
    for network_ref in (registry.add_network(OTHER).id, public_network.id, "unknown", 0, 2**40):
        with pytest.raises(InvalidReference, match="no network") as caught:
            registry.add_version(ME, spec.id, network_ref)
        assert caught.value.field == "network_id"
    with pytest.raises(InvalidReference):
        registry.add_version(None, "spec", network.id)
    assert registry.versions.list(ME, 0, 10).total == 0


def test_the_first_version_becomes_the_current_one(registry: Registry) -> None:
    spec, network = registry.add_spec(ME), registry.add_network(ME)
    first = registry.add_version(ME, spec.id, network.id)
    after_first = registry.specs.get(ME, spec.id)
    assert after_first.current_version_id == first.id
    assert after_first.update_date > spec.update_date
    registry.add_version(ME, spec.id, network.id)
    assert registry.specs.get(ME, spec.id) == after_first


def test_a_later_version_does_not_become_current_by_itself(registry: Registry) -> None:
    spec, network = registry.add_spec(ME), registry.add_network(ME)
    registry.add_version(ME, spec.id, network.id)
    registry.specs.update(ME, spec.id, current_version_id=None)
    registry.add_version(ME, spec.id, network.id)
    assert registry.specs.get(ME, spec.id).current_version_id is None


def test_of_two_first_versions_at_once_one_becomes_current(registry: Registry) -> None:
    network = registry.add_network(ME)
    for _ in range(5):
        spec = registry.add_spec(ME)
        at_once(*[lambda spec=spec: registry.add_version(ME, spec.id, network.id)] * 2)
        made = registry.versions.list(ME, 0, 10, spec_ref=spec.id).items
        assert len(made) == 2
        assert registry.specs.get(ME, spec.id).current_version_id == made[0].id


def test_a_network_that_goes_meanwhile_is_an_invalid_reference_or_takes_the_version_along(registry: Registry) -> None:
    for _ in range(5):
        spec, network = registry.add_spec(ME), registry.add_network(ME)
        with contextlib.suppress(InvalidReference):
            at_once(
                lambda spec=spec, network=network: registry.add_version(ME, spec.id, network.id),  # type: ignore[misc]
                lambda network=network: registry.networks.delete(ME, network.id),  # type: ignore[misc]
            )
        assert registry.versions.list(ME, 0, 10, spec_ref=spec.id).total == 0
        assert registry.specs.get(ME, spec.id).current_version_id is None


def test_what_belongs_to_others_is_not_found(registry: Registry) -> None:
    version = registry.add_version(ME, registry.add_spec(ME).id, registry.add_network(ME).id)
    for owner, version_id in [
        (OTHER, version.id),
        (None, version.id),
        (ME, 0),
        (ME, 12345),
        (ME, 2**40),
    ]:
        with pytest.raises(NotFound):
            registry.versions.get(owner, version_id)
        with pytest.raises(NotFound):
            registry.versions.delete(owner, version_id)
        with pytest.raises(NotFound):
            registry.versions.target_of_version(owner, version_id)
    assert registry.versions.get(ME, version.id) == version


def test_a_list_has_the_owners_versions_without_post_processings(registry: Registry) -> None:
    network, spec, second = (
        registry.add_network(ME),
        registry.add_spec(ME),
        registry.add_spec(ME),
    )
    mine = [registry.add_version(ME, ref, network.id).id for ref in (spec.id, second.id, spec.id, spec.id)]
    registry.add_version(OTHER, registry.add_spec(OTHER).id, registry.add_network(OTHER).id)

    page = registry.versions.list(ME, 1, 2)
    assert ([version.id for version in page.items], page.total) == (mine[1:3], 4)
    assert page.items[0].spec_name == second.name
    assert page.items[0].post_processings == []

    of_spec = registry.versions.list(ME, 1, 10, spec_ref=spec.id)
    assert ([version.id for version in of_spec.items], of_spec.total) == (mine[2:], 3)
    for owner, ref in [
        (OTHER, spec.id),
        (None, spec.id),
        (None, "unknown"),
        (ME, "unknown"),
        (ME, 2**40),
    ]:
        assert registry.versions.list(owner, 0, 10, spec_ref=ref).total == 0


def test_a_public_specs_versions_are_listed_by_slug(registry: Registry) -> None:
    registry.add_network(None, slug="network")
    for slug in ("one", "two"):
        registry.add_spec(None, slug=slug)
    version = registry.add_version(None, "one", "network")
    registry.add_version(None, "two", "network")
    assert [listed.id for listed in registry.versions.list(None, 0, 10, spec_ref="one").items] == [version.id]


def test_deleting_the_current_version_leaves_the_spec_without(registry: Registry) -> None:
    spec, network = registry.add_spec(ME), registry.add_network(ME)
    current, spare = (
        registry.add_version(ME, spec.id, network.id),
        registry.add_version(ME, spec.id, network.id),
    )
    before = registry.specs.get(ME, spec.id)
    registry.versions.delete(ME, spare.id)
    assert registry.specs.get(ME, spec.id) == before
    registry.versions.delete(ME, current.id)
    after = registry.specs.get(ME, spec.id)
    assert after.current_version_id is None
    assert after.update_date > before.update_date
    with pytest.raises(NotFound):
        registry.versions.delete(ME, current.id)


def test_another_account_cannot_take_a_current_version_away(registry: Registry) -> None:
    spec = registry.add_spec(ME)
    version = registry.add_version(ME, spec.id, registry.add_network(ME).id)
    with pytest.raises(NotFound):
        registry.versions.delete(OTHER, version.id)
    assert registry.specs.get(ME, spec.id).current_version_id == version.id


def test_a_runnable_version_has_all_that_a_worker_needs(registry: Registry) -> None:
    network = registry.add_network(None, slug="public")
    version = registry.add_version(ME, registry.add_spec(ME).id, "public")
    runnable = registry.versions.runnable(version.id)
    assert runnable.version == version
    assert runnable.spec == registry.specs.get(ME, version.spec_id)
    assert runnable.network == network
    for unknown in (version.id + 1, 2**40):
        with pytest.raises(NotFound):
            registry.versions.runnable(unknown)


def test_targets_name_the_version_its_network_and_its_inputs(registry: Registry) -> None:
    one, two = registry.add_network(ME), registry.add_network(ME, preprocessing={"inputs": [{}, {}]})
    spec = registry.add_spec(ME)
    first, second = (
        registry.add_version(ME, spec.id, one.id),
        registry.add_version(ME, spec.id, two.id),
    )
    assert registry.versions.target_of_spec(ME, spec.id) == InferenceTarget(first.id, one.id, 1)
    assert registry.versions.target_of_version(ME, second.id) == InferenceTarget(second.id, two.id, 2)
    registry.specs.update(ME, spec.id, current_version_id=second.id)
    assert registry.versions.target_of_spec(ME, spec.id) == InferenceTarget(second.id, two.id, 2)


def test_a_public_target_is_found_by_slug_alone(registry: Registry) -> None:
    spec, network = registry.add_spec(None, slug="spec"), registry.add_network(None, slug="network")
    version = registry.add_version(None, "spec", "network")
    assert registry.versions.target_of_spec(None, "spec") == InferenceTarget(version.id, network.id, 1)
    for owner, ref in [
        (ME, "spec"),
        (ME, spec.id),
        (None, "unknown"),
        (ME, 0),
        (ME, 2**40),
    ]:
        with pytest.raises(NotFound):
            registry.versions.target_of_spec(owner, ref)


def test_a_spec_without_a_current_version_has_no_target(registry: Registry) -> None:
    assert registry.versions.target_of_spec(ME, registry.add_spec(ME).id) == InferenceTarget(None, 0, 0)


def test_what_every_request_asks_takes_one_statement(registry: Registry) -> None:
    spec = registry.add_spec(ME)
    version = registry.add_version(ME, spec.id, registry.add_network(ME).id)
    key = registry.accounts.create_key("me", "read")
    for ask in (
        lambda: registry.accounts.authenticate(key),
        lambda: registry.versions.target_of_spec(ME, spec.id),
        lambda: registry.versions.target_of_version(ME, version.id),
        lambda: registry.versions.runnable(version.id),
    ):
        with counted_statements() as statements:
            ask()
        assert len(statements) == 1


def test_lists_do_not_read_what_they_hide(registry: Registry) -> None:
    registry.add_version(ME, registry.add_spec(ME).id, registry.add_network(ME).id)
    with counted_statements() as statements:
        registry.specs.list(ME, 0, 10)
        registry.versions.list(ME, 0, 10)
    assert len(statements) == 4
    for hidden in ("outputs", "post_processings", "preprocessing"):
        assert not [statement for statement in statements if hidden in statement]
