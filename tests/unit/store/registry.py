"""A registry to test with: all of its parts on one database, two accounts, and rows that need few words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

from store.accounts import Accounts
from store.database import Database
from store.networks import Networks
from store.records import NetworkRecord, SpecRecord, StoredFile, VersionRecord
from store.specs import Specs
from store.versions import Versions

ME, OTHER = 1, 2  # the IDs of two accounts
PREPROCESSING = {"inputs": [{"tensor_name": "images", "image": {}}], "batched_output": True}
OUTPUT = {"labels": {"labels": [{"id": 1, "name": "cat"}], "exclusive": True, "roi": "NONE"}}


class Registry:
    """The parts of the registry, with the accounts ``ME`` and ``OTHER``."""

    def __init__(self, database: Database) -> None:
        self.accounts = Accounts(database)
        self.networks = Networks(database)
        self.specs = Specs(database)
        self.versions = Versions(database)
        for name in ("me", "other"):
            self.accounts.create_key(name, "admin")

    def add_network(self, owner: int | None, **given: Any) -> NetworkRecord:
        fields: dict[str, Any] = {
            "name": "a network",
            "description": "",
            "metadata": {},
            "framework": "pytorch-2.x",
            "preprocessing": PREPROCESSING,
            "postprocessings": [],
            "weights_key": "0" * 32,
            "files": (StoredFile("model.pt2", 3, "ab" * 32),),
        }
        return self.networks.create(owner, **(fields | given))

    def add_spec(self, owner: int | None, **given: Any) -> SpecRecord:
        fields: dict[str, Any] = {"name": "a spec", "description": "", "metadata": {}, "outputs": [OUTPUT]}
        return self.specs.create(owner, **(fields | given))

    def add_version(self, owner: int | None, spec_ref: int | str, network_ref: int | str) -> VersionRecord:
        post_processings = [{"classification": {"output_tensor": "output"}}]
        return self.versions.create(
            owner, spec_ref=spec_ref, network_ref=network_ref, post_processings=post_processings
        )


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """Note the statements that any database is asked while the block runs."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)
