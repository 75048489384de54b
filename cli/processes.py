"""The commands that run Recoq's processes: the whole service, or the API, a worker or the migration alone.

Each loads only what it runs, so these imports are inside the commands. A worker loads torch and lives in processes
of its own: this one either becomes it or watches over several.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from typing import NoReturn

import click

from cli.errors import CommandError
from cli.supervisor import ChildSpec, run_forever
from cli.worker_environment import with_defaults
from config.private_files import keep_private
from config.settings import AUTO, Settings, child_environment, read_settings

STOP_MARGIN_SECONDS = 5.0  # a worker that drains for as long as it may is not killed at that very moment


class Device(click.ParamType[str]):
    """``auto``, ``cpu``, ``cuda``, or one GPU such as ``cuda:0``."""

    name = "device"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the device's name if it is one."""
        if value in ("auto", "cpu", "cuda") or value.removeprefix("cuda:").isdecimal():
            return value
        return self.fail("give auto, cpu, cuda, or a GPU such as cuda:0.", param, ctx)


class Processes(click.ParamType[str]):
    """How many processes: a number from 1, or ``auto``."""

    name = "number"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the number, as text, if it is one."""
        if value == AUTO or (value.isdecimal() and int(value) > 0):
            return value
        return self.fail("give auto, or a number from 1.", param, ctx)


@click.command(short_help="Run the whole service on this machine, with demo models.")
@click.option(
    "--allow-loopback-urls",
    is_flag=True,
    help="Let images be fetched from URLs of this machine, for trying things out.",
)
@click.pass_context
def up(context: click.Context, *, allow_loopback_urls: bool) -> None:
    """Run the whole service on this machine: Redis, the API and one worker, with demo models to try.

    Everything is kept in the folder ./var, or the one that RECOQ_DATA names. Ctrl-C stops the service.

    Example:  RECOQ_PORT=9000 recoq up
    """
    from cli.up import StartError, run_up  # noqa: PLC0415 - each command loads only what it runs

    try:
        context.exit(run_up(read_settings(), allow_loopback_urls=allow_loopback_urls))
    except StartError as error:
        raise CommandError(str(error)) from error


@click.command(short_help="Run the HTTP API.")
def api() -> None:
    """Run the HTTP API on RECOQ_HOST and RECOQ_PORT.

    It needs the database, Redis and the weight store; it needs neither a GPU nor PyTorch.

    Example:  RECOQ_HOST=0.0.0.0 recoq api
    """
    read_settings()
    _become(_module("api"), child_environment({}))


@click.command(short_help="Run workers, which do the inference.")
@click.option("--device", type=Device(), help="auto, cpu, or a GPU such as cuda:0.  [default: RECOQ_DEVICE, or auto]")
@click.option(
    "--processes",
    type=Processes(),
    help="Several processes keep a fast GPU busy; each loads the networks for itself. auto decides from the device and "
    "the cores.  [default: RECOQ_WORKER_PROCESSES, or 1]",
)
def worker(device: str | None, processes: str | None) -> None:
    """Run workers, which take tasks from the queue and do the inference.

    On SIGTERM or Ctrl-C a worker finishes what it has begun and leaves the rest to others.

    Example:  recoq worker --device cuda:0 --processes 2
    """
    settings = read_settings()
    if find_spec("torch") is None:
        raise CommandError("Workers need PyTorch, which is not installed. Install it with: pip install 'recoq[worker]'")
    command = _module("workers")
    environment = with_defaults(child_environment({"RECOQ_DEVICE": device or settings.device}))
    wanted = processes or str(settings.worker_processes or AUTO)
    count = _fitting_count(environment) if wanted == AUTO else int(wanted)
    environment["RECOQ_WORKER_PROCESSES"] = str(count)  # they share the device's memory
    if count == 1:
        _become(command, environment)
    run_forever(_workers(settings, command, environment, count), _say)


@click.command(short_help="Deliver webhooks.")
def webhooks() -> None:
    """Deliver webhooks: tell the receivers that tasks named that these have ended.

    It needs the database and Redis; it needs neither a GPU nor PyTorch.

    Example:  recoq webhooks
    """
    read_settings()
    _become(_module("workers.webhooks"), child_environment({}))


@click.command(short_help="Create the database's tables, or bring them up to date.")
def migrate() -> None:
    """Create the database's tables, or bring them up to date.

    Run it before the processes of a new release start. It does nothing when there is nothing to do.

    Example:  RECOQ_DATABASE_URL=postgresql://recoq@db/recoq recoq migrate
    """
    from store.migrate import migrate as migrate_database  # noqa: PLC0415 - likewise

    settings = read_settings()
    keep_private(settings.data_folder)
    migrate_database(settings.database_url)
    _say("The database is up to date.")


def _module(name: str) -> tuple[str, ...]:
    """Return the command that runs one of our modules, whatever lies in the current folder."""
    return sys.executable, "-P", "-m", name


def _become(command: tuple[str, ...], environment: dict[str, str]) -> NoReturn:
    """Run a command in the place of this process."""
    os.execve(command[0], command, environment)  # noqa: S606 - our own interpreter, without a shell


def _fitting_count(environment: dict[str, str]) -> int:
    """Return how many workers the device keeps busy; a process with torch in it knows."""
    answer = subprocess.run(
        _module("workers.process_count"), env=environment, capture_output=True, text=True, check=False
    )
    if answer.returncode:
        raise CommandError(answer.stderr.strip())
    _say(f"--processes auto: {answer.stdout.strip()} for this device and its cores.")
    return int(answer.stdout)


def _workers(settings: Settings, command: tuple[str, ...], environment: dict[str, str], count: int) -> list[ChildSpec]:
    timeout_seconds = settings.drain_seconds + STOP_MARGIN_SECONDS
    return [
        ChildSpec(f"worker {number}", command, environment, stop_timeout_seconds=timeout_seconds)
        for number in range(1, count + 1)
    ]


def _say(message: str) -> None:
    click.echo(f"recoq: {message}", err=True)
