"""``recoq tasks``: shows tasks, waits for them, cancels them."""

from contextlib import closing

import click

from cli.client_config import ServiceAddress, address_options
from cli.manage.waiting import ended_tasks
from cli.printing import json_option, print_json, print_list, print_object

COLUMNS = ("id", "status", "date_created", "date_updated", "error")
SOME_FAILED = 3

task_ids_argument = click.argument("task_ids", metavar="TASK_ID...", nargs=-1, required=True)


@click.group(short_help="Show tasks, wait for them, cancel them.")
def tasks() -> None:
    """Show tasks, wait for them, cancel them: a task is what becomes of one request."""


@tasks.command(short_help="Show tasks.")
@task_ids_argument
@json_option
@address_options
def show(task_ids: tuple[str, ...], address: ServiceAddress, *, as_json: bool) -> None:
    """Show what became of tasks: one in full, several in a list.

    Example:  recoq tasks show 5
    """
    with closing(address.connect()) as client:
        found = [client.get(f"/tasks/{task_id}") for task_id in task_ids]
    if len(found) == 1:
        print_object(found[0], as_json=as_json)
    else:
        print_list(found, COLUMNS, as_json=as_json)


@tasks.command(short_help="Wait until tasks have ended.")
@task_ids_argument
@click.option(
    "--timeout",
    "timeout_seconds",
    type=click.FloatRange(min=0),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for all of them.",
)
@json_option
@address_options
@click.pass_context
def wait(
    context: click.Context, task_ids: tuple[str, ...], timeout_seconds: float, address: ServiceAddress, *, as_json: bool
) -> None:
    """Wait until tasks have ended, and show them. The exit status is 3 if one ended in an error.

    Example:  recoq tasks wait 5 6 7 --json
    """
    with closing(address.connect()) as client:
        ended = list(ended_tasks(client, task_ids, timeout_seconds))
    print_list(ended, COLUMNS, as_json=as_json)
    context.exit(SOME_FAILED if any(task["status"] == "error" for task in ended) else 0)


@tasks.command(short_help="Cancel tasks that have not ended.")
@task_ids_argument
@click.option("--purge", is_flag=True, help="Also forget what is known of them, now.")
@json_option
@address_options
def cancel(task_ids: tuple[str, ...], address: ServiceAddress, *, purge: bool, as_json: bool) -> None:
    """Cancel tasks: those that have not ended end as an error, and those that have are left as they are.

    Example:  recoq tasks cancel 5 6
    """
    with closing(address.connect()) as client:
        for task_id in task_ids:
            client.delete(f"/tasks/{task_id}?purge=1" if purge else f"/tasks/{task_id}")
    if as_json:
        print_json({"purged" if purge else "cancelled": list(task_ids)})
    else:
        for task_id in task_ids:
            click.echo(f"Task {task_id} is {'purged' if purge else 'cancelled, unless it had ended'}.")
