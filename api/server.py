"""Runs the API under gunicorn: a few processes with a greenlet for each connection. ``python -m api`` calls ``serve``.

Each process builds its own application after the fork, because neither SQL nor Redis connections survive one.
"""

import resource
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.http import message

from api.app import create_app
from api.http1 import request
from api.native_loop import run_object_stores_natively
from api.services import open_services
from config.settings import Settings
from store.file_sweeper import FileSweeper
from store.keeper import Keeper
from store.telemetry.reporter import Reporter

# A thousand task IDs in one query fit in this; gunicorn's own bound is 8190 bytes, or none at all.
LONGEST_REQUEST_LINE_BYTES = 64 * 1024
HANG_SECONDS = 60  # a process whose main loop is silent for this long is replaced
DRAIN_SECONDS = 30  # how long SIGTERM waits for requests that are being answered
KEEP_ALIVE_SECONDS = 65  # longer than the 60 s of common load balancers, so that they close first
OTHER_FILES = 500  # databases, Redis, uploads, logs
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # heartbeats of processes must not wait for a disk


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """The API as gunicorn wants it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Take all options from the settings: neither files nor the command line are read."""
        for name, value in gunicorn_options(self._settings).items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Return the application of this process."""
        if not self._settings.weights_url.startswith("file:"):
            run_object_stores_natively()
        services = open_services(self._settings)
        self.cfg.set("worker_exit", lambda _arbiter, _worker: services.close())
        services.ledger.probe.warn_of_dropping()
        Reporter(services.telemetry).start()
        Keeper("deadlines", services.ledger.end_overdue).start()
        Keeper("epochs", services.ids.look).start()
        FileSweeper(services.weights).start()
        return create_app(self._settings, services)


def gunicorn_options(settings: Settings) -> dict[str, Any]:
    """Return gunicorn's options for ``settings``."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return {
        "bind": f"{host}:{settings.port}",
        "proc_name": "recoq-api",
        "worker_class": "api.greenlet_worker.GreenletWorker",
        "workers": settings.api_processes,
        "worker_connections": settings.api_connections,
        "preload_app": False,
        "timeout": HANG_SECONDS,
        "graceful_timeout": DRAIN_SECONDS,
        "keepalive": KEEP_ALIVE_SECONDS,
        "limit_request_line": LONGEST_REQUEST_LINE_BYTES,
        "http_parser": "python",  # which api/http1 builds on; another would be used wherever it is installed
        "forwarded_allow_ips": "",  # only settings.trusted_proxies decides what is believed of forwarded headers
        "worker_tmp_dir": str(SHARED_MEMORY) if SHARED_MEMORY.is_dir() else None,
        "accesslog": None,
        "errorlog": "-",
        "loglevel": settings.log_level.lower(),
        "control_socket_disable": True,
    }


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; requests that are being answered are finished first."""
    _allow_files_for(settings.api_connections)
    message.MAX_REQUEST_LINE = LONGEST_REQUEST_LINE_BYTES
    request.install()
    Server(settings).run()


def _allow_files_for(connections: int) -> None:
    """Raise the number of files that a process may open, as far as the operator lets us: shells allow 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHER_FILES
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard) if hard > 0 else wanted, hard))
