"""``python -m workers``: one worker process, as ``recoq worker`` starts it."""

import logging
import os
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
    status = main()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # A network may still be loading, for tasks that were handed back. Its thread is inside torch, which would abort the
    # process if the interpreter were taken down around it.
    os._exit(status)
