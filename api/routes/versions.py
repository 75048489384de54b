"""``/recognition/versions``: which network answers for a specification, and how its tensors are read."""

from functools import partial
from typing import Any

from flask import Response

from api.auth import account_id
from api.bulk import accept_bulk
from api.dispatch import accept, recognition_task, require_version
from api.endpoint import IDEMPOTENCY_KEY, PAGE_ARGUMENTS, PREFER, blueprint, endpoint
from api.errors import invalid_fields
from api.ids import OWN_ID
from api.pagination import asked_page, page_answer
from api.post_processing_checks import check_tensors, complete
from api.routes.answer_examples import ACCEPTED, BULK_ANSWER, VERSION, VERSION_IN_LIST, page_of
from api.routes.examples import BULK, BULK_MULTIPART, INFERENCE, INFERENCE_MULTIPART, NEW_VERSION
from api.schemas.bulk import BulkAnswerSchema, BulkRecognitionSchema
from api.schemas.inference import RecognitionRequestSchema
from api.schemas.tasks import AcceptedTaskSchema
from api.schemas.versions import NewVersionSchema, VersionPageSchema, VersionSchema, version_answer
from api.services import services
from store.errors import NotFound
from store.records import NetworkRecord, SpecRecord

versions = blueprint("versions", "Links from specifications to the networks that answer for them.")

LIST = "/recognition/versions"
ONE = f"/recognition/versions/<{OWN_ID}:version_id>"

JsonObject = dict[str, Any]


def _spec(spec_id: int) -> SpecRecord:
    try:
        return services().specs.get(account_id(), spec_id)
    except NotFound as error:
        raise invalid_fields({"spec_id": [f"There is no specification {spec_id}."]}) from error


def _network(reference: int | str) -> NetworkRecord:
    try:
        return services().networks.get(account_id() if isinstance(reference, int) else None, reference)
    except NotFound as error:
        raise invalid_fields({"network_id": [f"There is no network {reference}."]}) from error


@endpoint(
    versions,
    "POST",
    LIST,
    takes=NewVersionSchema,
    gives=VersionSchema,
    status=201,
    examples=NEW_VERSION,
    answer=VERSION,
)
def create_version(fields: JsonObject) -> JsonObject:
    """Link a specification to a network; the first version of a specification becomes its current one."""
    spec, network = _spec(fields["spec_id"]), _network(fields["network_id"])
    post_processings = complete(spec.outputs, fields["post_processings"])
    if network.deployment.report is not None:
        check_tensors(network.deployment.report, spec.outputs, post_processings)
    version = services().versions.create(
        account_id(),
        spec_ref=fields["spec_id"],
        network_ref=fields["network_id"],
        post_processings=post_processings,
    )
    return version_answer(version)


@endpoint(
    versions,
    "GET",
    LIST,
    gives=VersionPageSchema,
    answer=page_of(VERSION_IN_LIST),
    arguments=PAGE_ARGUMENTS,
)
def list_versions() -> JsonObject:
    """List the account's versions, without their post-processings."""
    page = asked_page()
    found = services().versions.list(account_id(), page.offset, page.limit)
    return page_answer(page, map(version_answer, found.items), found.total)


@endpoint(versions, "GET", ONE, gives=VersionSchema, answer=VERSION, errors=(404,))
def retrieve_version(version_id: int) -> JsonObject:
    """Retrieve a version."""
    return version_answer(services().versions.get(account_id(), version_id))


@endpoint(versions, "DELETE", ONE, status=204, errors=(404,))
def delete_version(version_id: int) -> Response:
    """Delete a version; a specification whose current one it was has none then."""
    services().versions.delete(account_id(), version_id)
    return Response(status=204)


@endpoint(
    versions,
    "POST",
    f"{ONE}/inference",
    takes=RecognitionRequestSchema,
    gives=AcceptedTaskSchema,
    answer=ACCEPTED,
    status=202,
    also=(200,),
    errors=(404, 409),
    arguments=[PREFER, IDEMPOTENCY_KEY],
    examples=INFERENCE,
    multipart=INFERENCE_MULTIPART,
)
def run_version(asked: JsonObject, version_id: int) -> Response:
    """Recognise images with this version."""
    return accept(recognition_task(services().versions.target_of_version(account_id(), version_id), asked))


@endpoint(
    versions,
    "POST",
    f"{ONE}/inference/bulk",
    takes=BulkRecognitionSchema,
    gives=BulkAnswerSchema,
    answer=BULK_ANSWER,
    status=202,
    errors=(404, 409),
    examples=BULK,
    multipart=BULK_MULTIPART,
    arguments=[IDEMPOTENCY_KEY],
)
def run_version_in_bulk(asked: JsonObject, version_id: int) -> Response:
    """Recognise many images with this version, one task for each."""
    target = services().versions.target_of_version(account_id(), version_id)
    require_version(target)
    return accept_bulk(asked, partial(recognition_task, target))
