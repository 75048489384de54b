"""The registry of recognition specifications: the API and the command line create, show and edit them."""

from typing import TypedDict, Unpack

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, defer

from store.database import Database
from store.errors import Conflict, InvalidReference, NotFound
from store.records import JsonArray, JsonObject, Page, SpecRecord
from store.rows import apply_changes, count, is_id, named, owned_by, window
from store.tables import Spec, Version, now


class SpecChanges(TypedDict, total=False):
    """What can be changed of a specification."""

    name: str
    description: str
    metadata: JsonObject
    current_version_id: int | None


class Specs:
    """All specifications in the database; ``owner`` is an account's ID, or None for the public ones."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        owner: int | None,
        *,
        name: str,
        description: str,
        metadata: JsonObject,
        outputs: JsonArray,
        slug: str | None = None,
    ) -> SpecRecord:
        """Add a specification without versions; a public one needs a slug, another has none.

        Raises:
            Conflict: if the slug is in use.
        """
        date = now()
        row = Spec(
            account_id=owner,
            slug=slug,
            name=name,
            description=description,
            metadata_=metadata,
            outputs=outputs,
            current_version_id=None,
            create_date=date,
            update_date=date,
        )
        try:
            with self._database.session() as session:
                session.add(row)
                session.flush()
                return spec_record(row)
        except IntegrityError as error:
            if owner is None and slug is not None:
                raise Conflict(f"There is a public specification {slug} already.") from error
            raise

    def get(self, owner: int | None, ref: int | str) -> SpecRecord:
        """Return one specification.

        Raises:
            NotFound: if the owner has no such specification.
        """
        with self._database.reading() as session:
            return spec_record(_find(session, owner, ref))

    def list(self, owner: int | None, offset: int, limit: int) -> Page[SpecRecord]:
        """Return the owner's specifications, newest last, with empty ``outputs``."""
        condition = owned_by(Spec, owner)
        without_outputs = select(Spec).options(defer(Spec.outputs, raiseload=True)).where(condition)
        with self._database.reading() as session:
            total = count(session, Spec, condition)
            rows = session.scalars(window(without_outputs, Spec, offset, limit))
            return Page(tuple(spec_record(row, outputs=[]) for row in rows), total)

    def update(self, owner: int | None, ref: int | str, **changes: Unpack[SpecChanges]) -> SpecRecord:
        """Change what can be changed of a specification, and return it as it is then.

        Raises:
            NotFound: if the owner has no such specification.
            InvalidReference: if ``current_version_id`` is no version of this specification.
        """
        try:
            with self._database.session() as session:
                row = _find(session, owner, ref, to_change=True)
                _check_version(session, row.id, changes.get("current_version_id"))
                apply_changes(row, changes, allowed=SpecChanges.__annotations__)
                return spec_record(row)
        except IntegrityError as error:  # the version went since it was looked at
            raise _not_its_version(changes.get("current_version_id")) from error

    def delete(self, owner: int | None, ref: int | str) -> None:
        """Remove a specification with its versions.

        Raises:
            NotFound: if the owner has no such specification.
        """
        with self._database.session() as session:
            gone = session.execute(delete(Spec).where(named(Spec, owner, ref)).returning(Spec.id))
            if gone.first() is None:
                raise _not_found(ref)


def spec_record(row: Spec, outputs: JsonArray | None = None) -> SpecRecord:
    """Return what leaves the store of a row; ``outputs`` stand in for a column that was not read."""
    return SpecRecord(
        id=row.id,
        slug=row.slug,
        account_id=row.account_id,
        name=row.name,
        description=row.description,
        metadata=row.metadata_,
        outputs=row.outputs if outputs is None else outputs,
        current_version_id=row.current_version_id,
        create_date=row.create_date,
        update_date=row.update_date,
    )


def _check_version(session: Session, spec_id: int, version_id: int | None) -> None:
    if version_id is None:
        return
    found = select(Version.id).where(Version.id == version_id, Version.spec_id == spec_id)
    if not is_id(version_id) or session.execute(found).first() is None:
        raise _not_its_version(version_id)


def _not_its_version(version_id: int | None) -> InvalidReference:
    return InvalidReference("current_version_id", f"{version_id} is not a version of this specification.")


def _find(session: Session, owner: int | None, ref: int | str, *, to_change: bool = False) -> Spec:
    statement = select(Spec).where(named(Spec, owner, ref))
    row = session.scalar(statement.with_for_update(key_share=True) if to_change else statement)
    if row is None:
        raise _not_found(ref)
    return row


def _not_found(ref: int | str) -> NotFound:
    return NotFound(f"There is no specification {ref}.")
