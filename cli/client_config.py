"""What the commands that speak to a service are told about it: by options, the environment, or a file in the home."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from cli.errors import CommandError

DEFAULT_URL = "http://127.0.0.1:8000"
CONFIG_FILE = Path("~/.config/recoq/config.toml")
KNOWN = ("url", "key")

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])


def read_config() -> dict[str, str]:
    """Return ``url`` and ``key`` as far as the configuration file tells them; nothing if there is no such file.

    Raises:
        CommandError: if the file is no TOML, or says something that is not known.
    """
    path = CONFIG_FILE.expanduser()
    try:
        values = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} is not valid TOML: {error}.") from error
    for name, value in values.items():
        if name not in KNOWN or not isinstance(value, str):
            raise CommandError(f'{path}: {name} is not known; write url = "…" and key = "…".')
    return values


def service_options(function: AnyFunction) -> AnyFunction:
    """Give a command the options ``--url`` and ``--key``."""
    url = click.option(
        "--url",
        envvar="RECOQ_URL",
        default=lambda: read_config().get("url", DEFAULT_URL),
        show_default=DEFAULT_URL,
        show_envvar=True,
        help=f"Where the service is; also url in {CONFIG_FILE}.",
    )
    key = click.option(
        "--key",
        envvar="RECOQ_KEY",
        default=lambda: read_config().get("key"),
        show_envvar=True,
        callback=_needed,
        help=f"An API key; also key in {CONFIG_FILE}.",
    )
    return url(key(function))


def _needed(context: click.Context, option: click.Parameter, value: str | None) -> str:
    """Refuse to go on without a value; click takes a default that is a function for one that is always there."""
    if value is None:
        raise click.MissingParameter(ctx=context, param=option)
    return value
