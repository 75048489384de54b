"""Turns an accepted inference request into a task for the workers. The version is settled here, once and for all."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

from flask import Response

from api.auth import account_id
from api.errors import InvalidRequest, invalid_fields
from api.idempotency import asked_key, idempotency
from api.image_sources import ImageUrl, SentImage
from api.network_tensors import missing_tensor
from api.services import services
from api.waiting import preferred_wait, wait_for
from config.queues import Priority, TaskKind
from config.settings import Settings
from contract.image_costs import decoding_seconds, refusal_of
from contract.image_size import image_is_too_large
from store.errors import Outdated
from store.records import InferenceTarget, NetworkRecord
from store.task_records import NewTask, Webhook
from store.turns import URL_SECONDS, Cost, network_seconds


def require_version(target: InferenceTarget) -> None:
    """Return if there is something to run.

    Raises:
        InvalidRequest: if there is not.
    """
    if target.version_id is None:
        raise InvalidRequest("This specification has no current version, so there is nothing to run.")


def recognition_task(target: InferenceTarget, asked: dict[str, Any]) -> NewTask:
    """Return the task of a recognition.

    Raises:
        InvalidRequest: if there is no version to run, or the images are not as many as the network's inputs.
    """
    require_version(target)
    _check_count(asked["inputs"], target.input_count)
    fields = {name: asked[name] for name in ("show_discarded", "max_predictions")}
    request = {"version_id": target.version_id, "network_id": target.network_id, **fields}
    new = _new_task(TaskKind.RECOGNITION, request, asked, target.network_seconds)
    return replace(new, registry_stamp=target.stamp)


def tensors_task(network: NetworkRecord, asked: dict[str, Any]) -> NewTask:
    """Return the task of a run of the network itself.

    Raises:
        InvalidRequest: if the images are not as many as the inputs, or a tensor is known not to exist.
    """
    _check_count(asked["inputs"], len(network.preprocessing["inputs"]))
    _check_tensors(asked["output_tensors"], network)
    fields = {"network_id": network.id, "output_tensors": asked["output_tensors"]}
    return _new_task(TaskKind.TENSORS, fields, asked, network_seconds(network.deployment.report))


def accept_recognition(owner: int | None, spec_ref: int | str, asked: dict[str, Any]) -> Response:
    """Enqueue a recognition with the version of a specification that is current now, and return the task's ID.

    Raises:
        NotFound: if the owner has no such specification.
        InvalidRequest, Conflict: as of ``recognition_task`` and ``accept``.
    """
    targets = services().targets
    target = targets.of_spec(owner, spec_ref)
    if target.stamp is not None:
        with suppress(Outdated, InvalidRequest):  # neither counts before the target has been read anew
            return accept(recognition_task(target, asked))
        target = targets.read_of_spec(owner, spec_ref)
    return accept(recognition_task(target, asked))


def accept(new: NewTask) -> Response:
    """Enqueue a task and return its ID, or that of the task that the same request made before.

    Raises:
        InvalidRequest: if the request's idempotency key is none.
        Conflict: if another request was accepted under that key.
    """
    key = asked_key()
    if key is not None:
        new = replace(new, idempotency=idempotency(key, new))
    seconds = preferred_wait() or 0
    if seconds:
        new = replace(new, awaited_on=services().watch.channel())
    accepted = services().queue.submit(new)
    wait_for(accepted.task_id, seconds, accepted=accepted)
    return Response(f'{{"task_id":"{accepted.task_id}"}}', status=202, mimetype="application/json")


def _check_count(inputs: list[Any], expected: int) -> None:
    if len(inputs) != expected:
        raise invalid_fields({"inputs": [f"The network has {expected} inputs, {len(inputs)} were given."]})


def _check_tensors(names: list[str] | None, network: NetworkRecord) -> None:
    report = network.deployment.report
    if names is None or report is None:
        return
    known = [output["name"] for output in report["outputs"]]
    errors = {
        f"output_tensors.{index}": [missing_tensor(report, name)]
        for index, name in enumerate(names)
        if name not in known
    }
    if errors:
        raise invalid_fields(errors)


def _new_task(kind: TaskKind, fields: dict[str, Any], asked: dict[str, Any], seconds: float) -> NewTask:
    """Return a task for a network that takes so many ``seconds`` for it."""
    staged: list[bytes] = []
    described = [_describe(item["image"], staged) for item in asked["inputs"]]
    return NewTask(
        account_id(),
        kind,
        {**fields, "inputs": described},
        staged,
        priority=Priority(asked["priority"]),
        deadline_seconds=asked["deadline_seconds"],
        webhook=_webhook(asked["webhook"]),
        ended_with=_error_of_images(asked["inputs"], services().settings),
        cost=Cost(sum(_decoding_seconds(item["image"]["source"]) for item in asked["inputs"]), seconds),
    )


def _decoding_seconds(source: SentImage | ImageUrl) -> float:
    return decoding_seconds(source.data) if isinstance(source, SentImage) else URL_SECONDS


def _error_of_images(inputs: list[dict[str, Any]], settings: Settings) -> str | None:
    """Return the error with which a task ends before it begins, because an image that came along is too large."""
    for index, item in enumerate(inputs):
        source = item["image"]["source"]
        refusal = _refusal_of(source.data, settings) if isinstance(source, SentImage) else None
        if refusal is not None:
            return f"inputs.{index}.image: {refusal}"
    return None


def _refusal_of(data: bytes, settings: Settings) -> str | None:
    if len(data) > settings.max_image_bytes:
        return image_is_too_large(len(data), settings.max_image_bytes)
    return refusal_of(data, settings.max_image_pixels)


def _describe(image: dict[str, Any], staged: list[bytes]) -> dict[str, Any]:
    """Return what the worker has to know of an image, adding its bytes to ``staged`` if they came along."""
    source = image["source"]
    if isinstance(source, ImageUrl):
        return {**image, "source": {"url": source.url}}
    staged.append(source.data)
    return {**image, "source": {"staged": len(staged) - 1}}


def _webhook(asked: dict[str, Any] | None) -> Webhook | None:
    return None if asked is None else Webhook(asked["url"], tuple(sorted(set(asked["events"]))))
