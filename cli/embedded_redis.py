"""Finds the Redis of a ``recoq up`` that runs on this machine, for commands that are used beside it."""

from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from config.settings import Settings

CONFIGURATION = Path("redis", "redis.conf")


def with_running_redis(settings: Settings) -> Settings:
    """Return settings that name the embedded Redis of the data folder, if there is one and no other is named.

    That Redis has a new port and password after each start; both are in its configuration file, which only its user
    can read.
    """
    configuration = settings.data_folder / CONFIGURATION
    if not settings.embedded_redis or not configuration.exists():
        return settings
    values = dict(line.split(maxsplit=1) for line in configuration.read_text().splitlines() if " " in line)
    return replace(settings, redis_url=f"redis://:{quote(values['requirepass'], safe='')}@127.0.0.1:{values['port']}/0")
