"""``python -m workers.main``: one worker process, confined by the kernel before anything else happens in it.

:mod:`workers.__main__` becomes it.
"""

import logging
import os
import sqlite3
import sys

from config.settings import Settings, SettingsError, read_settings
from workers.companions.start import take_over
from workers.sandbox import profiles
from workers.sandbox.backends import sqlite_file
from workers.sandbox.confinement import SandboxError, confine


def main() -> int:
    """Run a worker with the settings of the environment; returns the exit status."""
    try:
        settings = read_settings()
        database = _keep_files_of_sqlite(settings)
        protection = confine(profiles.worker(settings), settings.sandbox)
    except (SettingsError, SandboxError) as error:
        print(error, file=sys.stderr)
        return 1
    # torch starts threads when it is imported: only now.
    from workers.lifecycle import run  # noqa: PLC0415

    try:
        return run(settings, take_over(sys.argv[1:]), protection)
    finally:
        if database is not None:
            database.close()


def _keep_files_of_sqlite(settings: Settings) -> sqlite3.Connection | None:
    """Open the database for as long as the worker lives, so that its files beside the first stay those that they are.

    They are removed when the last connection closes, and the kernel permits the worker to write them, not to make them.
    """
    file = sqlite_file(settings)
    if file is None or not file.exists():
        return None
    connection = sqlite3.connect(file)
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return connection


if __name__ == "__main__":
    status = main()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # A network may still be loading, for tasks that were handed back. Its thread is inside torch, which would abort the
    # process if the interpreter were taken down around it.
    os._exit(status)
