"""What the ``delete`` commands share: they ask first, and say what they did."""

from collections.abc import Callable
from typing import TypeVar

import click

from cli.printing import print_json

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., object])


def yes_option(function: AnyFunction) -> AnyFunction:
    """Give a command the option ``--yes``."""
    return click.option("--yes", is_flag=True, help="Do not ask whether to go on.")(function)


def ask(question: str, *, yes: bool) -> None:
    """Go on only if the user agrees."""
    if not yes:
        click.confirm(question, abort=True, err=True)


def say_deleted(kind: str, reference: str | int, *, as_json: bool) -> None:
    """Say that it is done."""
    if as_json:
        print_json({"deleted": reference})
    else:
        click.echo(f"{kind} {reference} is deleted.")
