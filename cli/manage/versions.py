"""``recoq versions``: lists, shows and deletes versions."""

from contextlib import closing

import click

from cli.client_config import ServiceAddress, address_options
from cli.manage.deletion import ask, say_deleted, yes_option
from cli.manage.spec_versions import open_spec_versions
from cli.printing import json_option, print_list, print_object

LIST = "/recognition/versions"
COLUMNS = ("id", "spec_id", "spec_name", "network_id", "network_name", "create_date")


@click.group(short_help="List, show and delete versions.")
def versions() -> None:
    """List, show and delete versions: which network answers for a specification."""


@versions.command("list", short_help="List the versions.")
@click.option("--spec", metavar="SPEC_OR_SLUG", help="Those of this specification only.")
@json_option
@address_options
def list_versions(spec: str | None, address: ServiceAddress, *, as_json: bool) -> None:
    """List the versions of the account, or of one specification.

    Those of a public specification, named by its slug, are read from the database that the settings name.

    Example:  recoq versions list --spec 42
    """
    if spec is not None:
        with open_spec_versions(spec, address) as of_spec:
            print_list(of_spec.all(), COLUMNS, as_json=as_json)
    else:
        with closing(address.connect()) as client:
            print_list(client.pages(LIST), COLUMNS, as_json=as_json)


@versions.command(short_help="Show a version.")
@click.argument("version_id", metavar="VERSION_ID", type=int)
@json_option
@address_options
def show(version_id: int, address: ServiceAddress, *, as_json: bool) -> None:
    """Show a version with its post-processings.

    Example:  recoq versions show 7
    """
    with closing(address.connect()) as client:
        print_object(client.get(f"{LIST}/{version_id}"), as_json=as_json)


@versions.command(short_help="Delete a version.")
@click.argument("version_id", metavar="VERSION_ID", type=int)
@yes_option
@json_option
@address_options
def delete(version_id: int, address: ServiceAddress, *, yes: bool, as_json: bool) -> None:
    """Delete a version; a specification whose current one it was has none then.

    Example:  recoq versions delete 7 --yes
    """
    ask(f"Delete version {version_id}?", yes=yes)
    with closing(address.connect()) as client:
        client.delete(f"{LIST}/{version_id}")
    say_deleted("Version", version_id, as_json=as_json)
