"""Says at start which of the places that the operator chose every user of the machine can read.

Recoq closes its data folder by itself. A database file or a folder of weights elsewhere may be shared on purpose, such
as by an API and workers that run as different users of one group, so its rights stay as they are.
"""

import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sqlalchemy import make_url

from config.private_files import is_open_to_everyone
from config.settings import Settings
from store.weights import local_folder_of

logger = logging.getLogger(__name__)

OPEN = "Every user of this machine can read %s, which %s names. Unless that is meant, run: chmod o-rwx %s"


def warn_of_open_places(settings: Settings) -> None:
    """Log a warning for the database and the weights, if they lie where every user can read them."""
    for setting, path in _places(settings):
        with suppress(OSError):  # not there yet, or out of reach
            if is_open_to_everyone(path):
                logger.warning(OPEN, path, setting, path)


def _places(settings: Settings) -> Iterator[tuple[str, Path]]:
    database = make_url(settings.database_url)
    if database.get_backend_name() == "sqlite":
        yield "RECOQ_DATABASE_URL", Path(str(database.database))
    if (folder := local_folder_of(settings.weights_url)) is not None:
        yield "RECOQ_WEIGHTS_URL", folder
