"""``recoq up``: the whole service on one machine, from one foreground command.

Redis, a worker and the API run as supervised children; meanwhile a second thread publishes the demo models, sends a
warm-up image through the service as a client would, and then says how to use it.
"""

import socket
import sys
import threading
from dataclasses import replace
from ipaddress import ip_network

import click

from cli.data_folder import DataFolderError, open_data_folder
from cli.embedded.heap import HeapThread
from cli.first_steps import first_key, publish_demo_models, warm_up, welcome
from cli.redis_server import ENVIRONMENT, RedisStartError, prepare_redis, wait_for_redis
from cli.supervisor import ChildSpec, Supervisor, stop_on_signals
from config.data_folder import REDIS_FOLDER
from config.private_files import keep_private
from config.settings import Settings, child_environment
from store.errors import StoreError
from store.migrate import migrate

LOOPBACK_NETWORKS = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
STOP_MARGIN_SECONDS = 5.0


class StartError(Exception):
    """The service cannot start; the message says why and what to do."""


def run_up(settings: Settings, *, allow_loopback_urls: bool) -> int:
    """Run the service until SIGTERM or Ctrl-C and return the exit status.

    Raises:
        StartError: if it cannot start.
    """
    keep_private(settings.data_folder)
    stop = stop_on_signals()
    if allow_loopback_urls:
        settings = replace(settings, url_allowed_networks=settings.url_allowed_networks + LOOPBACK_NETWORKS)
    supervisor = Supervisor(_say)
    try:
        lock = open_data_folder(settings.data_folder)
        _check_port(settings.host, settings.port)
        migrate(settings.database_url)
        settings = _start_redis(settings, supervisor, lock)
    except (DataFolderError, RedisStartError, StoreError) as error:
        supervisor.stop()
        raise StartError(str(error)) from error
    for spec in _service(settings):
        supervisor.start(spec)
    opening = _Opening(settings, stop)
    opening.start()
    supervisor.run(stop)
    _say("Stopped.")
    return 1 if opening.failed else 0


class _Opening(threading.Thread):
    """What happens beside the supervision until the service is open; a failure stops the service."""

    def __init__(self, settings: Settings, stop: threading.Event) -> None:
        super().__init__(name="opening", daemon=True)
        self._settings = settings
        self._stop_event = stop
        self.failed = False

    def run(self) -> None:
        try:
            key = first_key(self._settings)
            publish_demo_models(self._settings, _say)
            warm_up(self._settings, key)
        except Exception as error:
            if not self._stop_event.is_set():
                self.failed = True
                _say(f"The service did not open: {error}")
                self._stop_event.set()
        else:
            click.echo(welcome(self._settings, key if sys.stdout.isatty() else None))


def _start_redis(settings: Settings, supervisor: Supervisor, lock: int) -> Settings:
    """Start the embedded Redis, unless the settings name another one, and return settings that name it."""
    if settings.embedded_redis:
        launch = prepare_redis(
            settings.data_folder / REDIS_FOLDER,
            append_fsync=settings.redis_append_fsync,
            max_memory_bytes=settings.redis_max_memory_bytes,
        )
        supervisor.start(
            ChildSpec("redis", launch.command, child_environment(ENVIRONMENT), stops_last=True, inherited_files=(lock,))
        )
        settings = replace(settings, redis_url=launch.url)
        HeapThread(launch.url).start()
    wait_for_redis(settings.redis_url)
    return settings


def _service(settings: Settings) -> list[ChildSpec]:
    environment = child_environment(
        {
            "RECOQ_DATA": str(settings.data_folder),
            "RECOQ_REDIS_URL": settings.redis_url,
            "RECOQ_URL_ALLOWED_NETWORKS": ",".join(str(network) for network in settings.url_allowed_networks),
        }
    )
    recoq = (sys.executable, "-P", "-m", "cli")
    drain = settings.drain_seconds + STOP_MARGIN_SECONDS
    return [
        ChildSpec("worker", (*recoq, "worker"), environment, stop_timeout_seconds=drain),
        ChildSpec("webhooks", (*recoq, "webhooks"), environment, stop_timeout_seconds=drain),
        ChildSpec("api", (*recoq, "api"), environment),
    ]


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StartError(
                f"{host}:{port} cannot be listened on ({error.strerror}). Stop what uses it, or choose another "
                "port with RECOQ_PORT."
            ) from error


def _say(message: str) -> None:
    click.echo(f"recoq: {message}", err=True)
