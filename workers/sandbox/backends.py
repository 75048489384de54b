"""What a worker reaches for its backing services: ports, sockets, files of a database, and certificates.

Read off the URLs of the settings, as their drivers read them. Used by :mod:`workers.sandbox.profiles`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from sqlalchemy import URL, make_url

from config.settings import Settings

REDIS_PORT, POSTGRESQL_PORT = 6379, 5432

_SQLITE_SUFFIXES = ("", "-wal", "-shm")
_OF_POSTGRESQL = (".pgpass", ".pg_service.conf", ".postgresql")  # in the user's home, where libpq looks


@dataclass(frozen=True)
class Backend:
    """One backing service: TCP ports, sockets or their folders, files that are written, and files with certificates."""

    ports: tuple[int, ...] = ()
    unix_sockets: tuple[Path, ...] = ()
    files: tuple[Path, ...] = ()
    certificates: tuple[Path, ...] = ()


def backends(settings: Settings) -> tuple[Backend, ...]:
    """Return Redis and the database of the settings."""
    return _redis(settings.redis_url), _database(make_url(settings.database_url))


def sqlite_file(settings: Settings) -> Path | None:
    """Return the file of the database, or None if it is none of SQLite."""
    url = make_url(settings.database_url)
    return Path(url.database).absolute() if url.get_backend_name() == "sqlite" and url.database else None


def _redis(url: str) -> Backend:
    parts = urlsplit(url)
    certificates = _files_in(parse_qs(parts.query))
    if parts.scheme == "unix":  # the folder: a server that starts again makes its socket anew
        return Backend(unix_sockets=(Path(unquote(parts.path)).parent,), certificates=certificates)
    return Backend(ports=(parts.port or REDIS_PORT,), certificates=certificates)


def _database(url: URL) -> Backend:
    if url.get_backend_name() == "sqlite":
        return Backend(files=tuple(Path(f"{url.database}{suffix}").absolute() for suffix in _SQLITE_SUFFIXES))
    query = {name: (value,) if isinstance(value, str) else value for name, value in url.query.items()}
    hosts = [host for value in query.get("host", ()) for host in value.split(",")]
    named = [port for value in query.get("port", ()) for port in value.split(",")]
    named += [port for _, colon, port in (host.rpartition(":") for host in hosts) if colon]
    ports = {int(port) for port in named if port.isdecimal()} | {url.port or POSTGRESQL_PORT}
    home = tuple(Path.home() / name for name in _OF_POSTGRESQL)
    return Backend(
        ports=tuple(sorted(ports)),
        unix_sockets=_absolute(hosts),
        certificates=(*_files_in(query), *home),
    )


def _files_in(query: Mapping[str, Sequence[str]]) -> tuple[Path, ...]:
    return _absolute(chain.from_iterable(query.values()))


def _absolute(values: Iterable[str]) -> tuple[Path, ...]:
    return tuple(Path(value) for value in values if value.startswith("/"))
