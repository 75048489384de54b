"""``recoq keys``: creates, lists and revokes API keys, directly in the database."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from cli.printing import json_option, print_json, print_list
from cli.registry import open_database
from config.settings import read_settings
from store.accounts import Accounts
from store.records import KeyRecord

LONGEST_NAME = 100
COLUMNS = ("id", "prefix", "account", "role", "created", "revoked")


class AccountName(click.ParamType[str]):
    """A name that can be told from others when it is read in a list."""

    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name if it is one."""
        if value.strip() == value and value.isprintable() and 0 < len(value) <= LONGEST_NAME:
            return value
        message = f"a name has 1 to {LONGEST_NAME} printable characters, the first and the last not being blank."
        return self.fail(message, param, ctx)


@click.group(short_help="Create, list and revoke API keys.")
def keys() -> None:
    """Create, list and revoke API keys.

    A key belongs to an account, and what one account creates no other can see.
    """


@keys.command(short_help="Create a key and print it.")
@click.option(
    "--account",
    type=AccountName(),
    required=True,
    metavar="NAME",
    help="Whose key it is; a new name makes a new account.",
)
@click.option(
    "--role",
    type=click.Choice(["admin", "read"]),
    default="admin",
    show_default=True,
    help="admin may do everything; read may only look and run inference.",
)
@json_option
def create(account: str, role: str, *, as_json: bool) -> None:
    """Create a key and print it, alone, on standard output.

    Only a hash of it is kept, so it cannot be shown again.

    Example:  KEY=$(recoq keys create --account robots --role read)
    """
    with _accounts() as accounts:
        key = accounts.create_key(account, "admin" if role == "admin" else "read")
    if as_json:
        print_json({"key": key, "account": account, "role": role})
    else:
        click.echo(f"A key of account {account} with the role {role}. It is shown only this once:", err=True)
        click.echo(key)


@keys.command("list", short_help="List the keys.")
@json_option
def list_keys(*, as_json: bool) -> None:
    """List the keys: whose they are and what they may do, but never the keys themselves.

    On a terminal this is a table; in a pipe, one line a key with tabs between the columns.

    Example:  recoq keys list --json
    """
    with _accounts() as accounts:
        rows = [_row(record) for record in accounts.list_keys()]
    print_list(rows, COLUMNS, as_json=as_json)


@keys.command(short_help="Revoke a key.")
@click.argument("key", metavar="KEY_PREFIX_OR_ID")
@json_option
def revoke(key: str, *, as_json: bool) -> None:
    """Revoke a key, named by its ID or by how it begins; `recoq keys list` tells both.

    Requests with it are refused from now on.

    Example:  recoq keys revoke rq_3fJ0aQz
    """
    with _accounts() as accounts:
        record = accounts.revoke_key(key)
    if as_json:
        print_json(_row(record))
    else:
        click.echo(f"Key {record.prefix}… of account {record.account_name} is revoked.")


@contextmanager
def _accounts() -> Iterator[Accounts]:
    with open_database(read_settings()) as database:
        yield Accounts(database)


def _row(record: KeyRecord) -> dict[str, int | str | None]:
    revoked = record.date_revoked
    return {
        "id": record.id,
        "prefix": record.prefix,
        "account": record.account_name,
        "role": record.role,
        "created": record.date_created.isoformat(timespec="seconds"),
        "revoked": None if revoked is None else revoked.isoformat(timespec="seconds"),
    }
