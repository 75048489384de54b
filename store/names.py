"""Looks up what networks and accounts are called, and how networks run, many at once, for people who read figures."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select

from store.database import Database
from store.tables import Account, Network


@dataclass(frozen=True)
class NetworkName:
    """What a network is called; a public one has a slug and no account.

    ``max_batch_size`` and ``batch_reason`` are those of its deployment's report, None as long as there is none.
    """

    name: str
    slug: str | None
    account_id: int | None
    max_batch_size: int | None = None
    batch_reason: str | None = None


class Names:
    """Names by ID; those that do not exist (any more) are left out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def networks(self, ids: Collection[int]) -> dict[int, NetworkName]:
        """Return the names of these networks, whoever's they are."""
        report = Network.deployment_report
        query = select(
            Network.id,
            Network.name,
            Network.slug,
            Network.account_id,
            report["max_batch_size"].as_integer().label("max_batch_size"),
            report["batch_reason"].as_string().label("batch_reason"),
        ).where(Network.id.in_(ids))
        with self._database.reading() as session:
            return {row.id: NetworkName(*row[1:]) for row in session.execute(query)}

    def accounts(self, ids: Collection[int]) -> dict[int, str]:
        """Return the names of these accounts."""
        query = select(Account.id, Account.name).where(Account.id.in_(ids))
        with self._database.reading() as session:
            return {row.id: row.name for row in session.execute(query)}
