"""What the three registries share: whose rows a statement is about, one page of them, changes to one of them.

Their queries are built with it, so that none forgets whose rows it may see.
"""

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, false, func, select
from sqlalchemy.orm import Session

from store.tables import Network, Spec, Version, now

MAX_INTEGER = 2**31 - 1  # the largest ID and offset that both databases take

SelectT = TypeVar("SelectT", bound=Select[*tuple[Any, ...]])


def owned_by(table: type[Network | Spec | Version], owner: int | None) -> ColumnElement[bool]:
    """Return the condition for the rows of an account, or, without one, for the public rows."""
    return table.account_id.is_(None) if owner is None else table.account_id == owner


def named(table: type[Network | Spec], owner: int | None, ref: int | str) -> ColumnElement[bool]:
    """Return the condition for the one row that ``ref`` names: an ID, or the slug of a public row.

    A slug names nothing among the rows of an account, and neither does a number that cannot be an ID.
    """
    if isinstance(ref, str):
        return and_(table.account_id.is_(None), table.slug == ref) if owner is None else false()
    return and_(table.id == ref, owned_by(table, owner)) if is_id(ref) else false()


def is_id(number: int) -> bool:
    """Return whether a number can be an ID at all; the databases refuse to compare with one that is too large."""
    return 0 < number <= MAX_INTEGER


def count(session: Session, table: type[Network | Spec | Version], condition: ColumnElement[bool]) -> int:
    """Return how many rows of the table fulfil the condition."""
    return session.execute(select(func.count()).select_from(table).where(condition)).scalar_one()


def window(statement: SelectT, table: type[Network | Spec | Version], offset: int, limit: int) -> SelectT:
    """Return the statement for one page of its rows, newest last."""
    return statement.order_by(table.id).offset(min(offset, MAX_INTEGER)).limit(min(limit, MAX_INTEGER))


def apply_changes(row: Network | Spec, changes: Mapping[str, Any], allowed: Collection[str]) -> None:
    """Set what ``changes`` holds, by the names of the API, and date the row.

    Raises:
        TypeError: if a name is not among those allowed.
    """
    unknown = set(changes) - set(allowed)
    if unknown:
        raise TypeError(f"These cannot be changed: {', '.join(sorted(unknown))}.")
    for name, value in changes.items():
        setattr(row, "metadata_" if name == "metadata" else name, value)
    row.update_date = now()
