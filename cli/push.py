"""``recoq push``: makes a model folder a private network, specification and version, through the HTTP API."""

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
@click.option("--spec", "spec_id", type=int, metavar="ID", help="Make it a new version of this specification.")
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
def push(folder: Path, spec_id: int | None, timeout_seconds: float, address: ServiceAddress, *, as_json: bool) -> None:
    """Send the model in FOLDER to a running service, and wait until it is deployed.

    It becomes a network, a specification and a version that belong to the account of the key. If the deployment
    fails, nothing is left behind.

    With --spec it becomes another version of a specification that is there, with the same labels. Applications go on
    with the current one until recoq use switches.

    Example:  RECOQ_KEY=rq_... recoq push models/hot-dogs --url https://recoq.example.com
    """
    model = read_model_folder(folder)
    client = address.connect()
    with contextlib.closing(client), ExitStack() as undo:
        if spec_id is not None:
            _check_labels(client, model, spec_id)
        ids = _create(client, model, spec_id, undo, time.monotonic() + timeout_seconds)
        undo.pop_all()
    if as_json:
        print_json(ids)
    else:
        for name, value in ids.items():
            click.echo(f"{name}\t{value}")
    click.echo(f"{model.name} is deployed. {_next_step(client, ids, is_new=spec_id is None)}", err=True)


def _next_step(client: ApiClient, ids: dict[str, Any], *, is_new: bool) -> str:
    if is_new:
        return f"POST images to {client.url}/v0.7/recognition/specs/{ids['spec']}/inference"
    return f"Switch to it with: recoq use {ids['spec']} {ids['version']}"


def _check_labels(client: ApiClient, model: ModelFolder, spec_id: int) -> None:
    """Refuse labels that are not those of the specification, before gigabytes are sent."""
    if client.get(f"/recognition/specs/{spec_id}")["outputs"] != model.outputs:
        raise CommandError(
            f"The outputs in {model.path} are not those of specification {spec_id}, and these never change, so that "
            "its users can rely on them. Push the folder without --spec, as another specification."
        )


def _create(
    client: ApiClient, model: ModelFolder, spec_id: int | None, undo: ExitStack, deadline: float
) -> dict[str, Any]:
    """Create what is not there and return the IDs; ``undo`` deletes again what has been created so far."""
    about = {"name": model.name, "description": model.description, "metadata": model.metadata}
    network = _upload(client, model, about)
    undo.callback(_delete, client, f"/networks/{network['id']}")
    click.echo(
        f"Network {network['id']} is uploaded; waiting for its deployment (task {network['task_id']}).", err=True
    )
    _wait_for_deployment(client, network["task_id"], deadline)
    if spec_id is None:
        spec_id = client.create("/recognition/specs", {**about, "outputs": model.outputs})["id"]
        undo.callback(_delete, client, f"/recognition/specs/{spec_id}")
    version = client.create(
        "/recognition/versions",
        {"spec_id": spec_id, "network_id": network["id"], "post_processings": model.post_processings},
    )
    return {"network": network["id"], "spec": spec_id, "version": version["id"]}


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
