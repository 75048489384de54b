"""Turns an accepted inference request into a task for the workers. The version is settled here, once and for all."""

from typing import Any

from flask import Response

from api.auth import account_id
from api.errors import InvalidRequest, invalid_fields
from api.image_sources import ImageUrl
from api.services import services
from api.waiting import preferred_wait, wait_for
from config.queues import TaskKind
from store.records import InferenceTarget, NetworkRecord
from store.task_records import NewTask


def accept_recognition(target: InferenceTarget, asked: dict[str, Any]) -> Response:
    """Enqueue a recognition and return its task's ID.

    Raises:
        InvalidRequest: if there is no version to run, or the images are not as many as the network's inputs.
    """
    if target.version_id is None:
        raise InvalidRequest("This specification has no current version, so there is nothing to run.")
    _check_count(asked["inputs"], target.input_count)
    fields = {name: asked[name] for name in ("show_discarded", "max_predictions")}
    return _accept(
        TaskKind.RECOGNITION,
        {"version_id": target.version_id, "network_id": target.network_id, **fields},
        asked["inputs"],
    )


def accept_tensors(network: NetworkRecord, asked: dict[str, Any]) -> Response:
    """Enqueue a run of the network itself and return its task's ID.

    Raises:
        InvalidRequest: if the images are not as many as the inputs, or a tensor is known not to exist.
    """
    _check_count(asked["inputs"], len(network.preprocessing["inputs"]))
    _check_tensors(asked["output_tensors"], network)
    fields = {"network_id": network.id, "output_tensors": asked["output_tensors"]}
    return _accept(TaskKind.TENSORS, fields, asked["inputs"])


def _check_count(inputs: list[Any], expected: int) -> None:
    if len(inputs) != expected:
        raise invalid_fields({"inputs": [f"The network has {expected} inputs, {len(inputs)} were given."]})


def _check_tensors(names: list[str] | None, network: NetworkRecord) -> None:
    report = network.deployment.report
    if names is None or report is None:
        return
    known = [output["name"] for output in report["outputs"]]
    errors = {
        f"output_tensors.{index}": [f"The network has no tensor {name!r}; it has {', '.join(known)}."]
        for index, name in enumerate(names)
        if name not in known
    }
    if errors:
        raise invalid_fields(errors)


def _accept(kind: TaskKind, fields: dict[str, Any], inputs: list[dict[str, Any]]) -> Response:
    staged: list[bytes] = []
    described = [_describe(item["image"], staged) for item in inputs]
    task_id = services().queue.submit(NewTask(account_id(), kind, {**fields, "inputs": described}, staged))
    wait_for(task_id, preferred_wait() or 0, accepted=True)
    return Response(f'{{"task_id":"{task_id}"}}', status=202, mimetype="application/json")


def _describe(image: dict[str, Any], staged: list[bytes]) -> dict[str, Any]:
    """Return what the worker has to know of an image, adding its bytes to ``staged`` if they came along."""
    source = image["source"]
    if isinstance(source, ImageUrl):
        return {**image, "source": {"url": source.url}}
    staged.append(source.data)
    return {**image, "source": {"staged": len(staged) - 1}}
