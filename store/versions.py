"""The registry of versions, and what an inference request resolves to.

The API creates and shows versions and finds the target of each request; the workers read what a version needs to run.
"""

from sqlalchemy import Select, bindparam, delete, exists, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, defer

from store.database import Database
from store.errors import InvalidReference, NotFound
from store.networks import network_record
from store.records import InferenceTarget, JsonArray, JsonObject, Page, RunnableVersion, VersionRecord
from store.rows import count, is_id, named, owned_by, window
from store.specs import spec_record
from store.tables import Network, Spec, Version, now
from store.turns import network_seconds

NO_CURRENT_VERSION = InferenceTarget(version_id=None, network_id=0, input_count=0)

# Every inference request runs one of these: built once, and of columns only.
_CURRENT_TARGET = (
    select(Spec.current_version_id, Version.network_id, Network.input_count, Network.deployment_report)
    .select_from(Spec)
    .outerjoin(Version, Version.id == Spec.current_version_id)
    .outerjoin(Network, Network.id == Version.network_id)
)
TARGET_OF_SPEC = _CURRENT_TARGET.where(
    Spec.id == bindparam("ref"), Spec.account_id.is_not_distinct_from(bindparam("owner"))
)
TARGET_OF_SLUG = _CURRENT_TARGET.where(Spec.slug == bindparam("ref"), Spec.account_id.is_(None))
TARGET_OF_VERSION = (
    select(Version.id, Version.network_id, Network.input_count, Network.deployment_report)
    .join(Network, Network.id == Version.network_id)
    .where(Version.id == bindparam("ref"), Version.account_id.is_not_distinct_from(bindparam("owner")))
)


class Versions:
    """All versions in the database. Their owner is that of their specification: an account, or None for the public."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self, owner: int | None, *, spec_ref: int | str, network_ref: int | str, post_processings: JsonArray
    ) -> VersionRecord:
        """Link a specification of the owner to a network: an own one by ID, or a public one by slug.

        The only version of a specification becomes its current one.

        Raises:
            InvalidReference: if the owner has no such specification, or no such network can be used.
        """
        try:
            with self._database.session() as session:
                spec = _lock_spec(session, owner, spec_ref)
                network = _find_network(session, owner, network_ref)
                date = now()
                version = Version(
                    account_id=spec.account_id,
                    spec_id=spec.id,
                    network_id=network.id,
                    post_processings=post_processings,
                    create_date=date,
                    update_date=date,
                )
                session.add(version)
                session.flush()
                others = exists().where(Version.spec_id == spec.id, Version.id != version.id)
                if not session.execute(select(others)).scalar_one():
                    spec.current_version_id = version.id
                    spec.update_date = date
                return _version_record(version, spec.slug, spec.name, network.slug, network.name)
        except IntegrityError as error:  # the network went since it was looked at
            raise _no_network(network_ref) from error

    def get(self, owner: int | None, version_id: int) -> VersionRecord:
        """Return one version.

        Raises:
            NotFound: if the owner has no such version.
        """
        statement = _with_names().where(Version.id == version_id, owned_by(Version, owner))
        with self._database.reading() as session:
            row = session.execute(statement).first() if is_id(version_id) else None
            if row is None:
                raise _not_found(version_id)
            return _version_record(*row)

    def list(
        self, owner: int | None, offset: int, limit: int, spec_ref: int | str | None = None
    ) -> Page[VersionRecord]:
        """Return the owner's versions, or those of one specification, newest last, with empty ``post_processings``.

        Of a specification that the owner does not have, there are none.
        """
        condition = owned_by(Version, owner)
        if spec_ref is not None:
            spec = select(Spec.id).where(named(Spec, owner, spec_ref)).scalar_subquery()
            condition &= Version.spec_id == spec
        statement = _with_names().options(defer(Version.post_processings, raiseload=True)).where(condition)
        with self._database.reading() as session:
            total = count(session, Version, condition)
            rows = session.execute(window(statement, Version, offset, limit))
            return Page(tuple(_version_record(*row, post_processings=[]) for row in rows), total)

    def delete(self, owner: int | None, version_id: int) -> None:
        """Remove a version; a specification whose current version it was has none then, and counts as updated.

        Raises:
            NotFound: if the owner has no such version.
        """
        if not is_id(version_id):
            raise _not_found(version_id)
        of_spec = (Spec.current_version_id == version_id, owned_by(Spec, owner))
        without_version = {"current_version_id": None, "update_date": now()}
        with self._database.session() as session:
            session.execute(update(Spec).where(*of_spec).values(without_version))
            of_owner = (Version.id == version_id, owned_by(Version, owner))
            if session.execute(delete(Version).where(*of_owner).returning(Version.id)).first() is None:
                raise _not_found(version_id)

    def runnable(self, version_id: int) -> RunnableVersion:
        """Return all that a worker needs to run a version, whoever it belongs to.

        Raises:
            NotFound: if it is gone.
        """
        statement = (
            select(Version, Spec, Network)
            .join(Spec, Spec.id == Version.spec_id)
            .join(Network, Network.id == Version.network_id)
            .where(Version.id == version_id)
        )
        with self._database.reading() as session:
            row = session.execute(statement).first() if is_id(version_id) else None
            if row is None:
                raise _not_found(version_id)
            version, spec, network = row
            version_record = _version_record(version, spec.slug, spec.name, network.slug, network.name)
            return RunnableVersion(version_record, spec_record(spec), network_record(network))

    def target_of_spec(self, owner: int | None, ref: int | str) -> InferenceTarget:
        """Return what a request to a specification runs at this moment, in one query.

        Raises:
            NotFound: if the owner has no such specification.
        """
        statement = TARGET_OF_SLUG if isinstance(ref, str) else TARGET_OF_SPEC
        possible = owner is None if isinstance(ref, str) else is_id(ref)
        row = self._database.first(statement, {"ref": ref, "owner": owner}) if possible else None
        if row is None:
            raise NotFound(f"There is no specification {ref}.")
        return NO_CURRENT_VERSION if row[0] is None else _target(*row)

    def target_of_version(self, owner: int | None, version_id: int) -> InferenceTarget:
        """Return what a request to a version runs, in one query.

        Raises:
            NotFound: if the owner has no such version.
        """
        values = {"ref": version_id, "owner": owner}
        row = self._database.first(TARGET_OF_VERSION, values) if is_id(version_id) else None
        if row is None:
            raise _not_found(version_id)
        return _target(*row)


def _target(version_id: int, network_id: int, input_count: int, report: JsonObject | None) -> InferenceTarget:
    return InferenceTarget(version_id, network_id, input_count, network_seconds(report))


def _version_record(
    version: Version,
    spec_slug: str | None,
    spec_name: str,
    network_slug: str | None,
    network_name: str,
    *,
    post_processings: JsonArray | None = None,
) -> VersionRecord:
    """Return what leaves the store of a row; ``post_processings`` stand in for a column that was not read."""
    return VersionRecord(
        id=version.id,
        spec_id=version.spec_id,
        network_id=version.network_id,
        spec_slug=spec_slug,
        network_slug=network_slug,
        spec_name=spec_name,
        network_name=network_name,
        post_processings=version.post_processings if post_processings is None else post_processings,
        create_date=version.create_date,
        update_date=version.update_date,
    )


def _with_names() -> Select[Version, str | None, str, str | None, str]:
    return (
        select(Version, Spec.slug, Spec.name, Network.slug, Network.name)
        .join(Spec, Spec.id == Version.spec_id)
        .join(Network, Network.id == Version.network_id)
    )


def _lock_spec(session: Session, owner: int | None, ref: int | str) -> Spec:
    """Return the specification, locked, so that of two first versions only one finds itself alone."""
    spec = session.scalar(select(Spec).where(named(Spec, owner, ref)).with_for_update(key_share=True))
    if spec is None:
        raise InvalidReference("spec_id", f"There is no specification {ref}.")
    return spec


def _find_network(session: Session, owner: int | None, ref: int | str) -> Network:
    network = session.scalar(select(Network).where(named(Network, None if isinstance(ref, str) else owner, ref)))
    if network is None:
        raise _no_network(ref)
    return network


def _no_network(ref: int | str) -> InvalidReference:
    return InvalidReference("network_id", f"There is no network {ref}.")


def _not_found(version_id: int) -> NotFound:
    return NotFound(f"There is no version {version_id}.")
