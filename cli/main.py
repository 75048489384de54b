"""The ``recoq`` command: finds the sub-command, and turns every expected failure into one sentence and an exit status.

A sub-command's module is imported only when that command is asked for, so that ``recoq --help`` answers at once.
"""

import logging
from importlib import import_module
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from cli.errors import CommandError
from config import VERSION


class Entry(NamedTuple):
    """Where a sub-command lives, and its line in the list of commands."""

    module: str
    attribute: str
    summary: str


COMMANDS = {
    "up": Entry("cli.processes", "up", "Run the whole service on this machine, with demo models."),
    "api": Entry("cli.processes", "api", "Run the HTTP API."),
    "webhooks": Entry("cli.processes", "webhooks", "Deliver webhooks."),
    "worker": Entry("cli.processes", "worker", "Run workers, which do the inference."),
    "migrate": Entry("cli.processes", "migrate", "Create the database's tables, or bring them up to date."),
    "keys": Entry("cli.keys", "keys", "Create, list and revoke API keys."),
    "publish": Entry("cli.publish", "publish", "Make a model folder public, or bring it up to date."),
    "push": Entry("cli.push", "push", "Send a model folder to a running service, for your account alone."),
    "specs": Entry("cli.manage.specs", "specs", "List, show and delete specifications."),
    "networks": Entry("cli.manage.networks", "networks", "List, show and delete networks."),
    "versions": Entry("cli.manage.versions", "versions", "List, show and delete versions."),
    "use": Entry("cli.manage.switching", "use", "Switch a specification to one of its versions."),
    "rollback": Entry("cli.manage.switching", "rollback", "Switch a specification back to the version before."),
    "tasks": Entry("cli.manage.tasks", "tasks", "Show tasks, wait for them, cancel them."),
    "submit": Entry("cli.submit.command", "submit", "Send many images and write what is recognised in each."),
    "status": Entry("cli.manage.status", "status", "Show what goes on in the service."),
    "completion": Entry("cli.completion", "completion", "Print a script for completion in your shell."),
}


class LazyCommands(click.Group):
    """A group that knows its commands by name and imports them when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order of a newcomer's need."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command; ``None`` if there is none of that name."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = getattr(import_module(entry.module), entry.attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands that begin so, without importing any, and the options."""
        names = [name for name in COMMANDS if name.startswith(incomplete)]
        commands = [CompletionItem(name, help=COMMANDS[name].summary) for name in names]
        return commands + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an expected failure becomes one sentence on standard error and exit status 1."""
        logging.getLogger("store").addHandler(logging.NullHandler())  # what fails is told once, as one sentence
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            sentence = _sentence(error)
            if sentence is None:
                raise
            raise click.ClickException(sentence) from error


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="recoq")
def main() -> None:
    """Recoq: a self-hosted image recognition service.

    Start with `recoq up`. Settings are environment variables whose names start with RECOQ_.
    """


def _sentence(error: Exception) -> str | None:
    """Return what to tell the user of an expected failure; ``None`` for a fault of ours."""
    from config.settings import SettingsError  # noqa: PLC0415 - only a failed command needs these
    from store.errors import StoreError  # noqa: PLC0415 - likewise

    if isinstance(error, CommandError | SettingsError | StoreError):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}."
    return None
