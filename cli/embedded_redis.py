"""Finds the Redis of a ``recoq up`` that runs on this machine, for commands that are used beside it."""

from dataclasses import replace

from cli.redis_server import URL_FILE
from config.data_folder import REDIS_FOLDER
from config.settings import Settings


def with_running_redis(settings: Settings) -> Settings:
    """Return settings that name the embedded Redis of the data folder, if there is one and no other is named.

    Its URL may be another one after each start, and is in a file that only its user can read.
    """
    file = settings.data_folder / REDIS_FOLDER / URL_FILE
    if not settings.embedded_redis or not file.exists():
        return settings
    return replace(settings, redis_url=file.read_text())
