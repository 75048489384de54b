"""Redis servers that a test brings into a state: of the release that Recoq carries, and of the one on the PATH."""

import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from cli.redis_server import find_redis_binary

WAIT_SECONDS = 20.0
BINARIES = tuple(dict.fromkeys(filter(None, (find_redis_binary(), shutil.which("redis-server")))))


@dataclass
class RedisServer:
    """A server, where it listens, and where it writes."""

    url: str
    folder: Path
    operator: redis.Redis

    def set(self, name: str, value: object) -> None:
        self.operator.config_set(name, value)

    def demote(self) -> None:
        """Make it the replica of a server that is not there."""
        self.operator.execute_command("REPLICAOF", "127.0.0.1", "1")

    def promote(self) -> None:
        self.operator.execute_command("REPLICAOF", "NO", "ONE")

    def break_disk(self) -> None:
        """Let it fail to save its data."""
        shutil.rmtree(self.folder)
        self.set("save", "3600 1")
        self.operator.bgsave()
        wait_until(lambda: self.operator.info("persistence")["rdb_last_bgsave_status"] == "err")

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Keep it busy with a script."""

        def run() -> None:
            with redis.Redis.from_url(self.url, retry=None) as client:
                try:
                    client.eval("while true do end", 0)
                except redis.RedisError:
                    return

        thread = threading.Thread(target=run)
        thread.start()
        try:
            wait_until(self._is_busy)
            yield
        finally:
            self.operator.script_kill()
            thread.join()

    def _is_busy(self) -> bool:
        try:
            self.operator.ping()
        except redis.RedisError as error:
            return "BUSY" in str(error)
        return False


@contextmanager
def running_redis(binary: str, *options: str, folder: Path | None = None) -> Iterator[RedisServer]:
    """Run a Redis without persistence, on a socket, with these further options."""
    sockets = Path(tempfile.mkdtemp(prefix="recoq-redis-"))
    folder = folder or sockets / "data"
    folder.mkdir(exist_ok=True)
    socket = sockets / "s"
    plain = ("--port", "0", "--unixsocket", str(socket), "--dir", str(folder), "--save", "", "--lua-time-limit", "10")
    with subprocess.Popen((binary, *plain, *options), stdout=subprocess.DEVNULL) as process:
        url = f"unix://{socket}"
        try:
            with redis.Redis.from_url(url, socket_timeout=5, retry=None) as operator:
                wait_until(socket.exists)
                yield RedisServer(url, folder, operator)
        finally:
            process.kill()
            process.wait()
            shutil.rmtree(sockets, ignore_errors=True)


def wait_until(condition) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
