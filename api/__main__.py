"""``python -m api``: the HTTP API, as ``recoq api`` starts it."""

# First of all: what is imported before keeps the blocking sockets and locks of the standard library.
import api.greenlets  # noqa: F401, I001  # for its effect, and before all others

import sys

from api.server import serve
from config.log_setup import set_up_logging
from config.private_files import keep_private
from config.settings import SettingsError, read_settings
from store.errors import StoreError
from store.migrate import wait_for_current_schema
from store.open_places import warn_of_open_places


def main() -> int:
    """Serve with the settings of the environment; returns the exit status."""
    try:
        settings = read_settings()
        set_up_logging(settings.log_level)
        keep_private(settings.data_folder)
        wait_for_current_schema(settings.database_url)
        warn_of_open_places(settings)
    except (SettingsError, StoreError) as error:
        print(error, file=sys.stderr)
        return 1
    serve(settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
