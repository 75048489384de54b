"""What the commands that speak to a service are told about it: by options, the environment, or a file in the home."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click
import httpx

from cli.api_client import TIMEOUT, ApiClient
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


@dataclass(frozen=True)
class ServiceAddress:
    """Which service a command speaks to, and as whom; not every run of it needs to."""

    url: str
    key: str | None

    def connect(self, timeout: httpx.Timeout = TIMEOUT) -> ApiClient:
        """Return a client of the service.

        Raises:
            click.UsageError: if there is no key.
        """
        if self.key is None:
            raise click.UsageError(f"A key is needed: give --key, set RECOQ_KEY, or write it into {CONFIG_FILE}.")
        return ApiClient(self.url, self.key, timeout)


def address_options(function: AnyFunction) -> AnyFunction:
    """Give a command the options ``--url`` and ``--key``, which reach it as one ``address``."""
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
        help=f"An API key; also key in {CONFIG_FILE}.",
    )

    @wraps(function)
    def with_address(*arguments: Any, url: str, key: str | None, **options: Any) -> Any:
        return function(*arguments, address=ServiceAddress(url, key), **options)

    return cast(AnyFunction, url(key(with_address)))
