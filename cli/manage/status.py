"""``recoq status``: what goes on in the service, once or live."""

import time
from contextlib import closing

import click
from rich.console import Console, RenderableType
from rich.live import Live

from cli.api_client import ApiClient, Json, ServiceAway
from cli.client_config import ServiceAddress, address_options
from cli.manage.status_screen import draw_status
from cli.printing import json_option, print_json

WATCH_SECONDS = 2.0


@click.command(short_help="Show what goes on in the service.")
@click.option("--watch", is_flag=True, help="Go on showing it, until Ctrl-C.")
@click.option(
    "--minutes",
    type=click.IntRange(1, 60),
    default=10,
    show_default=True,
    metavar="N",
    help="The time that sums cover.",
)
@json_option
@address_options
def status(minutes: int, address: ServiceAddress, *, watch: bool, as_json: bool) -> None:
    """Show what waits, how fast tasks end, the workers with their devices and loaded networks, and recent errors.

    It takes a key of the role admin.

    Example:  recoq status --watch
    """
    if watch and as_json:
        raise click.UsageError("--watch shows a screen, and --json prints one answer; use one of them.")
    with closing(address.connect()) as client:
        if as_json:
            print_json(_operations(client, minutes))
        elif watch:
            _watch(client, minutes)
        else:
            Console(highlight=False).print(draw_status(_operations(client, minutes)))


def _watch(client: ApiClient, minutes: int) -> None:
    shown: RenderableType = draw_status(_operations(client, minutes))
    with Live(shown, console=Console(highlight=False), screen=True, auto_refresh=False) as live:
        try:
            while True:
                live.update(shown, refresh=True)
                time.sleep(WATCH_SECONDS)
                shown = _next_screen(client, minutes)
        except KeyboardInterrupt:
            return


def _next_screen(client: ApiClient, minutes: int) -> RenderableType:
    try:
        return draw_status(_operations(client, minutes))
    except ServiceAway as error:
        return f"[red]{error}[/]\n\nTrying again until Ctrl-C."


def _operations(client: ApiClient, minutes: int) -> Json:
    return client.get("/operations", {"minutes": minutes})
