"""``/recognition/specs`` and ``/recognition/public``: what is to be recognised, and the address that stays the same."""

from functools import partial
from typing import Any

from flask import Response

from api.auth import account_id
from api.bulk import accept_bulk
from api.dispatch import accept_recognition, recognition_task, require_version
from api.endpoint import IDEMPOTENCY_KEY, PAGE_ARGUMENTS, PREFER, blueprint, endpoint
from api.ids import OWN_ID
from api.pagination import asked_page, page_answer
from api.routes.answer_examples import (
    ACCEPTED,
    BULK_ANSWER,
    PUBLIC_SPEC,
    PUBLIC_SPEC_IN_LIST,
    SPEC,
    SPEC_IN_LIST,
    VERSION_IN_LIST,
    page_of,
)
from api.routes.examples import (
    BULK,
    BULK_MULTIPART,
    INFERENCE,
    INFERENCE_MULTIPART,
    NEW_SPEC,
    PATCHED_SPEC,
    REPLACED_SPEC,
)
from api.schemas.bulk import BulkAnswerSchema, BulkRecognitionSchema
from api.schemas.inference import RecognitionRequestSchema
from api.schemas.specs import (
    NewSpecSchema,
    PatchedSpecSchema,
    ReplacedSpecSchema,
    SpecPageSchema,
    SpecSchema,
    spec_answer,
)
from api.schemas.tasks import AcceptedTaskSchema
from api.schemas.versions import VersionPageSchema, version_answer
from api.services import services

specs = blueprint("specifications", "What a recognition algorithm is to say, whichever version says it.")

LIST = "/recognition/specs"
PUBLIC_LIST = "/recognition/public"
ONE = f"/recognition/specs/<{OWN_ID}:spec_id>"
PUBLIC_ONE = "/recognition/public/<slug>"

JsonObject = dict[str, Any]


@endpoint(specs, "POST", LIST, takes=NewSpecSchema, gives=SpecSchema, status=201, examples=NEW_SPEC, answer=SPEC)
def create_spec(fields: JsonObject) -> JsonObject:
    """Create a specification."""
    return spec_answer(services().specs.create(account_id(), **fields))


def _listed(owner: int | None) -> JsonObject:
    page = asked_page()
    found = services().specs.list(owner, page.offset, page.limit)
    return page_answer(page, map(spec_answer, found.items), found.total)


@endpoint(specs, "GET", LIST, gives=SpecPageSchema, answer=page_of(SPEC_IN_LIST), arguments=PAGE_ARGUMENTS)
def list_specs() -> JsonObject:
    """List the account's specifications, without their outputs."""
    return _listed(account_id())


@endpoint(
    specs,
    "GET",
    PUBLIC_LIST,
    gives=SpecPageSchema,
    answer=page_of(PUBLIC_SPEC_IN_LIST),
    arguments=PAGE_ARGUMENTS,
)
def list_public_specs() -> JsonObject:
    """List the specifications that every account may use, without their outputs."""
    return _listed(None)


@endpoint(specs, "GET", ONE, gives=SpecSchema, answer=SPEC, errors=(404,))
def retrieve_spec(spec_id: int) -> JsonObject:
    """Retrieve a specification."""
    return spec_answer(services().specs.get(account_id(), spec_id))


@endpoint(specs, "GET", PUBLIC_ONE, gives=SpecSchema, answer=PUBLIC_SPEC, errors=(404,))
def retrieve_public_spec(slug: str) -> JsonObject:
    """Retrieve a public specification."""
    return spec_answer(services().specs.get(None, slug))


@endpoint(
    specs, "PATCH", ONE, takes=PatchedSpecSchema, examples=PATCHED_SPEC, gives=SpecSchema, answer=SPEC, errors=(404,)
)
def edit_spec(changes: JsonObject, spec_id: int) -> JsonObject:
    """Edit some fields of a specification, such as the version that is current."""
    return spec_answer(services().specs.update(account_id(), spec_id, **changes))


@endpoint(
    specs, "PUT", ONE, takes=ReplacedSpecSchema, examples=REPLACED_SPEC, gives=SpecSchema, answer=SPEC, errors=(404,)
)
def replace_spec(changes: JsonObject, spec_id: int) -> JsonObject:
    """Replace the editable fields of a specification; absent ones return to their defaults."""
    return spec_answer(services().specs.update(account_id(), spec_id, **changes))


@endpoint(specs, "DELETE", ONE, status=204, errors=(404,))
def delete_spec(spec_id: int) -> Response:
    """Delete a specification and its versions."""
    services().specs.delete(account_id(), spec_id)
    return Response(status=204)


@endpoint(
    specs,
    "GET",
    f"{ONE}/versions",
    gives=VersionPageSchema,
    answer=page_of(VERSION_IN_LIST),
    errors=(404,),
    arguments=PAGE_ARGUMENTS,
)
def list_versions_of_spec(spec_id: int) -> JsonObject:
    """List the versions of a specification, without their post-processings."""
    page = asked_page()
    services().specs.get(account_id(), spec_id)
    found = services().versions.list(account_id(), page.offset, page.limit, spec_ref=spec_id)
    return page_answer(page, map(version_answer, found.items), found.total)


@endpoint(
    specs,
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
def run_spec(asked: JsonObject, spec_id: int) -> Response:
    """Recognise images with the version that is current now."""
    return accept_recognition(account_id(), spec_id, asked)


@endpoint(
    specs,
    "POST",
    f"{PUBLIC_ONE}/inference",
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
def run_public_spec(asked: JsonObject, slug: str) -> Response:
    """Recognise images with the current version of a public specification."""
    return accept_recognition(None, slug, asked)


@endpoint(
    specs,
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
def run_spec_in_bulk(asked: JsonObject, spec_id: int) -> Response:
    """Recognise many images with the version that is current now, one task for each."""
    target = services().versions.target_of_spec(account_id(), spec_id)
    require_version(target)
    return accept_bulk(asked, partial(recognition_task, target))


@endpoint(
    specs,
    "POST",
    f"{PUBLIC_ONE}/inference/bulk",
    takes=BulkRecognitionSchema,
    gives=BulkAnswerSchema,
    answer=BULK_ANSWER,
    status=202,
    errors=(404, 409),
    examples=BULK,
    multipart=BULK_MULTIPART,
    arguments=[IDEMPOTENCY_KEY],
)
def run_public_spec_in_bulk(asked: JsonObject, slug: str) -> Response:
    """Recognise many images with the current version of a public specification."""
    target = services().versions.target_of_spec(None, slug)
    require_version(target)
    return accept_bulk(asked, partial(recognition_task, target))
