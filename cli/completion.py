"""``recoq completion``: prints what makes a shell complete the commands and options of ``recoq``."""

import click
from click.shell_completion import get_completion_class

from cli.errors import CommandError

PROGRAM = "recoq"
VARIABLE = "_RECOQ_COMPLETE"


@click.command(short_help="Print a script for completion in your shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script that makes SHELL complete commands and options. Source it where your shell starts.

    Example:  recoq completion bash >> ~/.bashrc
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise CommandError(f"{shell} is not known to this version of click.")
    click.echo(kind(context.find_root().command, {}, PROGRAM, VARIABLE).source())
