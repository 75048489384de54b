"""``recoq specs``: lists, shows and deletes specifications."""

from contextlib import closing

import click

from cli.client_config import ServiceAddress, address_options
from cli.manage.deletion import ask, say_deleted, yes_option
from cli.manage.references import is_public, list_path, path_of
from cli.printing import json_option, print_list, print_object
from cli.registry import open_database
from config.settings import read_settings
from store.specs import Specs

OWN_COLUMNS = ("id", "name", "current_version_id", "update_date")
PUBLIC_COLUMNS = ("id", "name", "update_date")


@click.group(short_help="List, show and delete specifications.")
def specs() -> None:
    """List, show and delete specifications: what a model is to say, whichever version says it."""


@specs.command("list", short_help="List the specifications.")
@click.option("--public", is_flag=True, help="Those that every account may use, instead of the account's own.")
@json_option
@address_options
def list_specs(address: ServiceAddress, *, public: bool, as_json: bool) -> None:
    """List the specifications of the account.

    Example:  recoq specs list --public
    """
    with closing(address.connect()) as client:
        found = client.pages(list_path("specs", public=public))
        print_list(found, PUBLIC_COLUMNS if public else OWN_COLUMNS, as_json=as_json)


@specs.command(short_help="Show a specification.")
@click.argument("spec", metavar="SPEC_OR_SLUG")
@json_option
@address_options
def show(spec: str, address: ServiceAddress, *, as_json: bool) -> None:
    """Show a specification with its labels.

    Example:  recoq specs show shapes-v1
    """
    with closing(address.connect()) as client:
        print_object(client.get(path_of("specs", spec)), as_json=as_json)


@specs.command(short_help="Delete a specification with its versions.")
@click.argument("spec", metavar="SPEC_OR_SLUG")
@yes_option
@json_option
@address_options
def delete(spec: str, address: ServiceAddress, *, yes: bool, as_json: bool) -> None:
    """Delete a specification and its versions. Its networks stay.

    A public one, named by its slug, is deleted in the database that the settings name, and needs no key.

    Example:  recoq specs delete 42 --yes
    """
    ask(f"Delete specification {spec} and all its versions?", yes=yes)
    if is_public(spec):
        with open_database(read_settings()) as database:
            Specs(database).delete(None, spec)
    else:
        with closing(address.connect()) as client:
            client.delete(path_of("specs", spec))
    say_deleted("Specification", spec, as_json=as_json)
