"""Starts the Redis of a test: the bundled server, or the one that TEST_REDIS names, such as /usr/bin/redis-server."""

import os
from dataclasses import replace
from pathlib import Path

from cli.redis_server import RedisLaunch, prepare_redis


def prepare_test_redis(folder: Path, *, append_fsync: str = "everysec") -> RedisLaunch:
    """Prepare a server whose data lives in ``folder``, over TCP as in a fleet; `recoq up` is tested with its socket."""
    launch = prepare_redis(folder, append_fsync=append_fsync, over_tcp=True)
    named = os.environ.get("TEST_REDIS")
    return replace(launch, command=(named, *launch.command[1:])) if named else launch
