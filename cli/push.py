"""``recoq push``: creates network, specification and version from a model folder, privately, through the HTTP API."""

import contextlib
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from cli.api_client import ApiClient
from cli.client_config import ServiceAddress, address_options
from cli.errors import CommandError
from cli.manage.waiting import ended_task
from cli.model_folder import ModelFolder, read_model_folder
from cli.printing import json_option, print_json


@click.command(short_help="Send a model folder to a running service, for your account alone.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--timeout",
    "timeout_seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=600.0,
    show_default=True,
    help="How many seconds to wait for the deployment.",
)
@json_option
@address_options
def push(folder: Path, timeout_seconds: float, address: ServiceAddress, *, as_json: bool) -> None:
    """Send the model in FOLDER to a running service, and wait until it is deployed.

    It becomes a network, a specification and a version that belong to the account of the key. If the deployment
    fails, nothing is left behind.

    Example:  RECOQ_KEY=rq_... recoq push models/hot-dogs --url https://recoq.example.com
    """
    model = read_model_folder(folder)
    client = address.connect()
    with contextlib.closing(client), ExitStack() as undo:
        ids = _create(client, model, undo, time.monotonic() + timeout_seconds)
        undo.pop_all()
    if as_json:
        print_json(ids)
    else:
        for name, value in ids.items():
            click.echo(f"{name}\t{value}")
    click.echo(
        f"{model.name} is deployed. POST images to {client.url}/v0.7/recognition/specs/{ids['spec']}/inference",
        err=True,
    )


def _create(client: ApiClient, model: ModelFolder, undo: ExitStack, deadline: float) -> dict[str, Any]:
    """Create the three and return their IDs; ``undo`` deletes again what has been created so far."""
    about = {"name": model.name, "description": model.description, "metadata": model.metadata}
    network = _upload(client, model, about)
    undo.callback(_delete, client, f"/networks/{network['id']}")
    click.echo(
        f"Network {network['id']} is uploaded; waiting for its deployment (task {network['task_id']}).", err=True
    )
    _wait_for_deployment(client, network["task_id"], deadline)
    spec = client.create("/recognition/specs", {**about, "outputs": model.outputs})
    undo.callback(_delete, client, f"/recognition/specs/{spec['id']}")
    version = client.create(
        "/recognition/versions",
        {"spec_id": spec["id"], "network_id": network["id"], "post_processings": model.post_processings},
    )
    return {"network": network["id"], "spec": spec["id"], "version": version["id"]}


def _upload(client: ApiClient, model: ModelFolder, about: dict[str, Any]) -> dict[str, Any]:
    fields = {
        **about,
        "framework": model.framework,
        "preprocessing": model.preprocessing,
        "postprocessings": model.postprocessings,
    }
    with ExitStack() as stack:
        files = {name: stack.enter_context((model.path / name).open("rb")) for name in model.files}
        return client.upload("/networks", fields, files)


def _wait_for_deployment(client: ApiClient, task_id: str, deadline: float) -> None:
    task = ended_task(client, task_id, deadline)
    if task["status"] == "error":
        raise CommandError(f"The deployment failed: {task['error']}")


def _delete(client: ApiClient, path: str) -> None:
    """Remove what was made; that this fails too must not hide why it was to be removed."""
    try:
        client.delete(path)
    except CommandError as error:
        click.echo(f"{path} could not be removed: {error}", err=True)
