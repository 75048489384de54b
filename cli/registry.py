"""Opens the database for the commands that work on it directly rather than over HTTP."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from config.private_files import keep_private
from config.settings import Settings
from store.database import Database
from store.migrate import require_current_schema


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """Open the database that the settings name; from then on, this process writes for its user alone.

    Raises:
        StoreError: if it has to be created or migrated first.
        Unavailable: if it is not reachable.
    """
    keep_private(settings.data_folder)
    require_current_schema(settings.database_url)
    with closing(Database(settings.database_url)) as database:
        yield database
