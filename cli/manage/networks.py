"""``recoq networks``: lists, shows and deletes networks."""

from contextlib import closing

import click

from api.services import open_services
from cli.client_config import ServiceAddress, address_options
from cli.manage.deletion import ask, say_deleted, yes_option
from cli.manage.references import is_public, list_path, path_of
from cli.printing import json_option, print_list, print_object
from cli.registry import open_database
from config.settings import read_settings

COLUMNS = ("id", "name", "framework", "task_id", "update_date")


@click.group(short_help="List, show and delete networks.")
def networks() -> None:
    """List, show and delete networks: trained weights and how their input is prepared."""


@networks.command("list", short_help="List the networks.")
@click.option("--public", is_flag=True, help="Those that every account may use, instead of the account's own.")
@json_option
@address_options
def list_networks(address: ServiceAddress, *, public: bool, as_json: bool) -> None:
    """List the networks of the account.

    Example:  recoq networks list --json
    """
    with closing(address.connect()) as client:
        print_list(client.pages(list_path("networks", public=public)), COLUMNS, as_json=as_json)


@networks.command(short_help="Show a network.")
@click.argument("network", metavar="NETWORK_OR_SLUG")
@json_option
@address_options
def show(network: str, address: ServiceAddress, *, as_json: bool) -> None:
    """Show a network; recoq tasks show tells how its deployment, the task in task_id, ended.

    Example:  recoq networks show 7
    """
    with closing(address.connect()) as client:
        print_object(client.get(path_of("networks", network)), as_json=as_json)


@networks.command(short_help="Delete a network with its files and versions.")
@click.argument("network", metavar="NETWORK_OR_SLUG")
@yes_option
@json_option
@address_options
def delete(network: str, address: ServiceAddress, *, yes: bool, as_json: bool) -> None:
    """Delete a network, its files and the versions that use it.

    A public one, named by its slug, is deleted in the database that the settings name, and needs no key.

    Example:  recoq networks delete 7 --yes
    """
    ask(f"Delete network {network}, its files and all versions that use it?", yes=yes)
    if is_public(network):
        _delete_public(network)
    else:
        with closing(address.connect()) as client:
            client.delete(path_of("networks", network))
    say_deleted("Network", network, as_json=as_json)


def _delete_public(slug: str) -> None:
    settings = read_settings()
    with open_database(settings), closing(open_services(settings)) as services:
        deleted = services.networks.delete(None, slug)
        services.weights.delete(deleted.weights_key)
