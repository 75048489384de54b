"""The registry of networks: the API creates, shows and edits them, the workers load and describe them."""

from dataclasses import asdict
from typing import Any, TypedDict, Unpack

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from store.database import Database
from store.errors import Conflict, NotFound
from store.records import Deployment, DeploymentStatus, JsonArray, JsonObject, NetworkRecord, Page, StoredFile
from store.rows import apply_changes, count, is_id, named, owned_by, window
from store.tables import Network, Spec, UnnamedWeights, Version, now

STATUSES: dict[str, DeploymentStatus] = {"pending": "pending", "success": "success", "error": "error"}


class NetworkChanges(TypedDict, total=False):
    """What can be changed of a network."""

    name: str
    description: str
    metadata: JsonObject


class Networks:
    """All networks in the database; ``owner`` is an account's ID, or None for the public ones."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        owner: int | None,
        *,
        name: str,
        description: str,
        metadata: JsonObject,
        framework: str,
        preprocessing: JsonObject,
        postprocessings: JsonArray,
        weights_key: str,
        files: tuple[StoredFile, ...],
        slug: str | None = None,
    ) -> NetworkRecord:
        """Add a network, whose deployment is pending; a public one needs a slug, another has none.

        Raises:
            Conflict: if the slug is in use.
        """
        date = now()
        row = Network(
            account_id=owner,
            slug=slug,
            name=name,
            description=description,
            metadata_=metadata,
            framework=framework,
            preprocessing=preprocessing,
            input_count=len(preprocessing["inputs"]),
            postprocessings=postprocessings,
            weights_key=weights_key,
            files=[asdict(file) for file in files],
            deployment_status="pending",
            create_date=date,
            update_date=date,
        )
        try:
            with self._database.session() as session:
                session.add(row)
                session.flush()
                session.execute(delete(UnnamedWeights).where(UnnamedWeights.key == weights_key))
                return network_record(row)
        except IntegrityError as error:
            if owner is None and slug is not None:
                raise Conflict(f"There is a public network {slug} already.") from error
            raise

    def get(self, owner: int | None, ref: int | str) -> NetworkRecord:
        """Return one network.

        Raises:
            NotFound: if the owner has no such network.
        """
        with self._database.reading() as session:
            return network_record(_find(session, owner, ref))

    def get_by_id(self, network_id: int) -> NetworkRecord:
        """Return one network, whoever it belongs to: for workers.

        Raises:
            NotFound: if it is gone.
        """
        with self._database.reading() as session:
            row = session.get(Network, network_id) if is_id(network_id) else None
            if row is None:
                raise _not_found(network_id)
            return network_record(row)

    def list(self, owner: int | None, offset: int, limit: int) -> Page[NetworkRecord]:
        """Return the owner's networks, newest last."""
        condition = owned_by(Network, owner)
        with self._database.reading() as session:
            total = count(session, Network, condition)
            rows = session.scalars(window(select(Network).where(condition), Network, offset, limit))
            return Page(tuple(network_record(row) for row in rows), total)

    def update(self, owner: int | None, ref: int | str, **changes: Unpack[NetworkChanges]) -> NetworkRecord:
        """Change what can be changed of a network, and return it as it is then.

        Raises:
            NotFound: if the owner has no such network.
        """
        with self._database.session() as session:
            row = _find(session, owner, ref, to_change=True)
            apply_changes(row, changes, allowed=NetworkChanges.__annotations__)
            return network_record(row)

    def delete(self, owner: int | None, ref: int | str) -> NetworkRecord:
        """Remove a network with its versions, and return what it was, so that its files can be removed as well.

        Until they are, they are noted as those of no network (``store.network_files``).
        A specification whose current version goes has none then, and counts as updated.

        Raises:
            NotFound: if the owner has no such network.
        """
        with self._database.session() as session:
            record = network_record(_find(session, owner, ref))
            # Not locked yet: who creates a version locks its specification first and its network after that.
            versions = select(Version.id).where(Version.network_id == record.id)
            without_version = {"current_version_id": None, "update_date": now()}
            session.execute(update(Spec).where(Spec.current_version_id.in_(versions)).values(without_version))
            gone = session.execute(delete(Network).where(Network.id == record.id).returning(Network.id))
            if gone.first() is None:
                raise _not_found(ref)
            session.merge(UnnamedWeights(key=record.weights_key))
            return record

    def set_task(self, network_id: int, task_id: str) -> None:
        """Note the task that deploys the network; its ``update_date`` stays, since nobody edited it.

        Raises:
            NotFound: if the network is gone.
        """
        self._note(network_id, task_id=task_id)

    def record_deployment(self, network_id: int, deployment: Deployment) -> None:
        """Note how the deployment stands; the network's ``update_date`` stays, since nobody edited it.

        Raises:
            NotFound: if the network is gone.
        """
        self._note(
            network_id,
            deployment_status=deployment.status,
            deployment_error=deployment.error,
            deployment_report=deployment.report,
        )

    def record_batch_fallback(self, network_id: int, reason: str) -> None:
        """Note with a deployment's report that the network runs one image at a time from now on, and why.

        Raises:
            NotFound: if the network is gone.
        """
        with self._database.session() as session:
            row = session.get(Network, network_id, with_for_update=True) if is_id(network_id) else None
            if row is None:
                raise _not_found(network_id)
            if row.deployment_report is not None:
                row.deployment_report = {**row.deployment_report, "max_batch_size": 1, "batch_reason": reason}

    def _note(self, network_id: int, **values: Any) -> None:
        noted = update(Network).where(Network.id == network_id).values(values).returning(Network.id)
        with self._database.session() as session:
            if not is_id(network_id) or session.execute(noted).first() is None:
                raise _not_found(network_id)


def network_record(row: Network) -> NetworkRecord:
    """Return what leaves the store of a row."""
    return NetworkRecord(
        id=row.id,
        slug=row.slug,
        account_id=row.account_id,
        name=row.name,
        description=row.description,
        metadata=row.metadata_,
        framework=row.framework,
        preprocessing=row.preprocessing,
        postprocessings=row.postprocessings,
        weights_key=row.weights_key,
        files=tuple(StoredFile(**file) for file in row.files),
        task_id=row.task_id,
        deployment=Deployment(STATUSES[row.deployment_status], row.deployment_error, row.deployment_report),
        create_date=row.create_date,
        update_date=row.update_date,
    )


def _find(session: Session, owner: int | None, ref: int | str, *, to_change: bool = False) -> Network:
    statement = select(Network).where(named(Network, owner, ref))
    row = session.scalar(statement.with_for_update(key_share=True) if to_change else statement)
    if row is None:
        raise _not_found(ref)
    return row


def _not_found(ref: int | str) -> NotFound:
    return NotFound(f"There is no network {ref}.")
