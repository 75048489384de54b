"""One log format for every process: time, level, process, logger, message, on standard error."""

import logging
import sys

LOG_FORMAT = "%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"

# These log each request or connection at INFO, with URLs that may hold secrets.
CHATTY_LOGGERS = (
    *("httpx", "httpcore", "celery.worker.strategy", "celery.app.trace"),
    *("celery.worker.consumer.connection", "celery.worker.consumer.consumer"),  # also at each new connection
)


def set_up_logging(level: str) -> None:
    """Send the log of this process to standard error from ``level`` up."""
    logging.basicConfig(level=level, format=LOG_FORMAT, stream=sys.stderr, force=True)
    for name in CHATTY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
