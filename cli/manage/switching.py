"""``recoq use`` and ``recoq rollback``: which version of a specification answers from now on."""

import click

from cli.client_config import ServiceAddress, address_options
from cli.errors import CommandError
from cli.manage.spec_versions import SpecVersions, open_spec_versions
from cli.printing import json_option, print_json


@click.command(short_help="Switch a specification to one of its versions.")
@click.argument("spec", metavar="SPEC_OR_SLUG")
@click.argument("version_id", metavar="VERSION_ID", type=int)
@json_option
@address_options
def use(spec: str, version_id: int, address: ServiceAddress, *, as_json: bool) -> None:
    """Make a version the current one of its specification: requests that are accepted from now on run with it.

    A public specification, named by its slug, is changed in the database that the settings name, and needs no key.

    Example:  recoq use 42 7
    """
    with open_spec_versions(spec, address) as versions:
        _switch(spec, versions, versions.current(), version_id, as_json=as_json)


@click.command(short_help="Switch a specification back to the version before.")
@click.argument("spec", metavar="SPEC_OR_SLUG")
@json_option
@address_options
def rollback(spec: str, address: ServiceAddress, *, as_json: bool) -> None:
    """Switch a specification to the version that was created before its current one.

    A public specification, named by its slug, is changed in the database that the settings name, and needs no key.

    Example:  recoq rollback 42
    """
    with open_spec_versions(spec, address) as versions:
        current = versions.current()
        if current is None:
            raise CommandError(f"Specification {spec} has no current version to go back from; recoq use sets one.")
        earlier = [version["id"] for version in versions.all() if version["id"] < current]
        if not earlier:
            raise CommandError(f"Version {current} is the first of specification {spec}: there is none to go back to.")
        _switch(spec, versions, current, earlier[-1], as_json=as_json)


def _switch(spec: str, versions: SpecVersions, before: int | None, version_id: int, *, as_json: bool) -> None:
    versions.use(version_id)
    if as_json:
        print_json({"spec": spec, "version_id": version_id, "previous_version_id": before})
    elif before == version_id:
        click.echo(f"Specification {spec} runs version {version_id} already.")
    else:
        previous = "none" if before is None else f"version {before}"
        click.echo(f"Specification {spec} runs version {version_id} now; before, {previous}.")
