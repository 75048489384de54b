"""``python -m workers.webhooks``: a process that delivers webhooks, as ``recoq webhooks`` starts it, without torch."""

import sys

from config.settings import SettingsError, read_settings
from store.errors import StoreError
from workers.webhooks.lifecycle import serve


def main() -> int:
    """Deliver with the settings of the environment; returns the exit status."""
    try:
        return serve(read_settings())
    except (SettingsError, StoreError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
