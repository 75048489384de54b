"""``python -m workers``: one worker process, as ``recoq worker`` starts it."""

import sys

from config.settings import SettingsError, read_settings
from inference.device import DeviceError
from store.errors import StoreError
from workers.lifecycle import serve


def main() -> int:
    """Run a worker with the settings of the environment; returns the exit status."""
    try:
        return serve(read_settings())
    except (SettingsError, DeviceError, StoreError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
