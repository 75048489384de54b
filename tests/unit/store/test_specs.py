"""The registry of specifications, on both databases."""

import pytest

from store.errors import Conflict, InvalidReference, NotFound
from tests.unit.store.registry import ME, OTHER, Registry


def test_a_spec_is_read_back_as_it_was_created(registry: Registry) -> None:
    outputs = [{"labels": {"labels": [{"id": 7, "name": "fox"}], "exclusive": False, "roi": "BBOX"}}]
    created = registry.add_spec(ME, name="n", description="d", metadata={"k": "v"}, outputs=outputs)
    assert registry.specs.get(ME, created.id) == created
    assert (created.name, created.description, created.metadata, created.outputs) == ("n", "d", {"k": "v"}, outputs)
    assert (created.account_id, created.slug, created.current_version_id) == (ME, None, None)
    assert created.create_date == created.update_date


def test_what_belongs_to_others_is_not_found(registry: Registry) -> None:
    mine, public = registry.add_spec(ME), registry.add_spec(None, slug="public")
    for owner, ref in [
        (OTHER, mine.id),
        (None, mine.id),
        (ME, public.id),
        (ME, "public"),
        (None, "no"),
        (ME, 2**40),
    ]:
        with pytest.raises(NotFound):
            registry.specs.get(owner, ref)
        with pytest.raises(NotFound):
            registry.specs.update(owner, ref, name="taken")
        with pytest.raises(NotFound):
            registry.specs.delete(owner, ref)
    assert registry.specs.get(None, "public") == public


def test_a_slug_in_use_is_a_conflict(registry: Registry) -> None:
    registry.add_network(None, slug="taken")  # networks have slugs of their own
    registry.add_spec(None, slug="taken")
    with pytest.raises(Conflict, match="public specification taken already"):
        registry.add_spec(None, slug="taken")


def test_a_list_has_the_owners_specs_without_outputs(registry: Registry) -> None:
    mine = [registry.add_spec(ME, name=str(number)) for number in range(4)]
    registry.add_spec(OTHER)
    page = registry.specs.list(ME, 1, 2)
    assert page.total == 4
    assert [spec.id for spec in page.items] == [mine[1].id, mine[2].id]
    assert [spec.outputs for spec in page.items] == [[], []]


def test_an_update_changes_what_it_names_and_the_date(registry: Registry) -> None:
    before = registry.add_spec(ME)
    after = registry.specs.update(ME, before.id, description="new")
    assert (after.name, after.description, after.outputs) == (before.name, "new", before.outputs)
    assert after.update_date > before.update_date
    assert registry.specs.get(ME, before.id) == after


def test_the_current_version_can_be_switched_and_taken_away(registry: Registry) -> None:
    spec, network = registry.add_spec(ME), registry.add_network(ME)
    first, second = (
        registry.add_version(ME, spec.id, network.id),
        registry.add_version(ME, spec.id, network.id),
    )
    assert registry.specs.get(ME, spec.id).current_version_id == first.id
    assert registry.specs.update(ME, spec.id, current_version_id=second.id).current_version_id == second.id
    assert registry.specs.update(ME, spec.id, name="still second").current_version_id == second.id
    assert registry.specs.update(ME, spec.id, current_version_id=None).current_version_id is None


def test_the_current_version_must_be_of_the_spec(registry: Registry) -> None:
    spec = registry.add_spec(ME)
    elsewhere = registry.add_version(ME, registry.add_spec(ME).id, registry.add_network(ME).id)
    for version_id in (elsewhere.id, 12345, 0, 2**40):
        with pytest.raises(InvalidReference, match="is not a version of this specification") as caught:
            registry.specs.update(ME, spec.id, name="not this either", current_version_id=version_id)
        assert caught.value.field == "current_version_id"
    assert registry.specs.get(ME, spec.id) == spec


def test_deleting_a_spec_takes_its_versions_along(registry: Registry) -> None:
    spec, staying, network = (
        registry.add_spec(ME),
        registry.add_spec(ME),
        registry.add_network(ME),
    )
    gone = [registry.add_version(ME, spec.id, network.id) for _ in range(2)]
    kept = registry.add_version(ME, staying.id, network.id)
    registry.specs.delete(ME, spec.id)
    for version in gone:
        with pytest.raises(NotFound):
            registry.versions.get(ME, version.id)
    assert registry.versions.list(ME, 0, 10).total == 1
    assert registry.specs.get(ME, staying.id).current_version_id == kept.id
    with pytest.raises(NotFound):
        registry.specs.delete(ME, spec.id)
