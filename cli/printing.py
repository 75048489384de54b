"""How commands print: tables for people, tab-separated lines for pipes, JSON for programs."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import click
import orjson
from rich.console import Console
from rich.table import Table

Json = Mapping[str, Any]
AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])


def json_option(function: AnyFunction) -> AnyFunction:
    """Give a command the option ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))


def print_list(objects: Iterable[Json], columns: Sequence[str], *, as_json: bool) -> None:
    """Print these columns of objects: a table on a terminal, else lines with tabs; or whole, as a JSON array."""
    if as_json:
        print_json(list(objects))
    elif sys.stdout.isatty():
        table = Table(*columns)
        for each in objects:
            table.add_row(*(_cell(each[column]) for column in columns))
        Console(markup=False).print(table)
    else:
        for each in objects:
            click.echo("\t".join(_cell(each[column]) for column in columns))


def print_object(value: Json, *, as_json: bool) -> None:
    """Print an object: a line for each field, what is nested as compact JSON; or all of it as JSON."""
    if as_json:
        print_json(value)
        return
    width = max(map(len, value))
    for name, field in value.items():
        click.echo(f"{name:{width}}  {_cell(field)}".rstrip())


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case _:
            return orjson.dumps(value).decode()
