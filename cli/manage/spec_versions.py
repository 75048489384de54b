"""The versions of one specification: an own one through the HTTP API, a public one in the database.

What is public belongs to no account, so no key may change it: the commands do, where the service's settings are.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Protocol

from api.schemas.versions import version_answer
from cli.api_client import ApiClient
from cli.client_config import ServiceAddress
from cli.manage.references import is_public, path_of
from cli.registry import open_database
from config.settings import read_settings
from store.database import Database
from store.specs import Specs
from store.versions import Versions

Json = dict[str, Any]
PAGE_SIZE = 500


class SpecVersions(Protocol):
    """The versions of one specification, and which of them is current."""

    def current(self) -> int | None:
        """Return the ID of the current version."""

    def all(self) -> Iterator[Json]:
        """Yield the versions, newest last."""

    def use(self, version_id: int) -> None:
        """Make a version the current one."""


@contextmanager
def open_spec_versions(spec: str, address: ServiceAddress) -> Iterator[SpecVersions]:
    """Open the versions of a specification, named by its ID or its slug."""
    if is_public(spec):
        with open_database(read_settings()) as database:
            yield PublicSpecVersions(database, spec)
    else:
        with closing(address.connect()) as client:
            yield OwnSpecVersions(client, spec)


class OwnSpecVersions:
    """Those of a specification of the key's account."""

    def __init__(self, client: ApiClient, spec: str) -> None:
        self._client = client
        self._path = path_of("specs", spec)

    def current(self) -> int | None:
        """Return the ID of the current version."""
        version_id: int | None = self._client.get(self._path)["current_version_id"]
        return version_id

    def all(self) -> Iterator[Json]:
        """Yield the versions, newest last."""
        return self._client.pages(f"{self._path}/versions")

    def use(self, version_id: int) -> None:
        """Make a version the current one."""
        self._client.change(self._path, {"current_version_id": version_id})


class PublicSpecVersions:
    """Those of a public specification."""

    def __init__(self, database: Database, slug: str) -> None:
        self._specs = Specs(database)
        self._versions = Versions(database)
        self._slug = slug

    def current(self) -> int | None:
        """Return the ID of the current version."""
        return self._specs.get(None, self._slug).current_version_id

    def all(self) -> Iterator[Json]:
        """Yield the versions, newest last."""
        self._specs.get(None, self._slug)
        offset = 0
        while (page := self._versions.list(None, offset, PAGE_SIZE, spec_ref=self._slug)).items:
            yield from map(version_answer, page.items)
            offset += len(page.items)

    def use(self, version_id: int) -> None:
        """Make a version the current one."""
        self._specs.update(None, self._slug, current_version_id=version_id)
