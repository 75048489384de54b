"""``/networks``: upload, edit, run."""

import logging
from functools import partial
from typing import Any

from flask import Response, request

from api.auth import account_id
from api.bulk import accept_bulk
from api.dispatch import accept, tensors_task
from api.endpoint import IDEMPOTENCY_KEY, PAGE_ARGUMENTS, PREFER, blueprint, endpoint, request_body
from api.ids import OWN_ID
from api.network_uploads import create_network
from api.pagination import asked_page, page_answer
from api.routes.answer_examples import ACCEPTED, BULK_ANSWER, NETWORK, PUBLIC_NETWORK, page_of
from api.routes.examples import (
    BULK,
    BULK_MULTIPART,
    INFERENCE,
    NETWORK_MULTIPART,
    PATCHED_NETWORK,
    REPLACED_NETWORK,
    TENSORS_MULTIPART,
)
from api.schemas.bulk import BulkAnswerSchema, BulkTensorsSchema
from api.schemas.inference import TensorsRequestSchema
from api.schemas.networks import (
    NetworkPageSchema,
    NetworkSchema,
    NewNetworkSchema,
    PatchedNetworkSchema,
    ReplacedNetworkSchema,
    network_answer,
)
from api.schemas.tasks import AcceptedTaskSchema
from api.services import services
from store.errors import StoreError

log = logging.getLogger(__name__)

networks = blueprint("networks", "Trained weights and how their inputs are prepared.")

LIST = "/networks"
PUBLIC_LIST = "/networks/public"
ONE = f"/networks/<{OWN_ID}:network_id>"
PUBLIC_ONE = "/networks/public/<slug>"

JsonObject = dict[str, Any]


@endpoint(
    networks,
    "POST",
    LIST,
    gives=NetworkSchema,
    status=201,
    answer=NETWORK,
    body=request_body(NewNetworkSchema(), {}, NETWORK_MULTIPART),
)
def create_a_network() -> JsonObject:
    """Upload a network.

    Its deployment is a task: it ends with success once a worker has loaded the weights and run an input through them.
    """
    return network_answer(create_network(request))


def _listed(owner: int | None) -> JsonObject:
    page = asked_page()
    found = services().networks.list(owner, page.offset, page.limit)
    return page_answer(page, map(network_answer, found.items), found.total)


@endpoint(networks, "GET", LIST, gives=NetworkPageSchema, answer=page_of(NETWORK), arguments=PAGE_ARGUMENTS)
def list_networks() -> JsonObject:
    """List the account's networks."""
    return _listed(account_id())


@endpoint(
    networks,
    "GET",
    PUBLIC_LIST,
    gives=NetworkPageSchema,
    answer=page_of(PUBLIC_NETWORK),
    arguments=PAGE_ARGUMENTS,
)
def list_public_networks() -> JsonObject:
    """List the networks that every account may use."""
    return _listed(None)


@endpoint(networks, "GET", ONE, gives=NetworkSchema, answer=NETWORK, errors=(404,))
def retrieve_network(network_id: int) -> JsonObject:
    """Retrieve a network."""
    return network_answer(services().networks.get(account_id(), network_id))


@endpoint(networks, "GET", PUBLIC_ONE, gives=NetworkSchema, answer=PUBLIC_NETWORK, errors=(404,))
def retrieve_public_network(slug: str) -> JsonObject:
    """Retrieve a public network."""
    return network_answer(services().networks.get(None, slug))


@endpoint(
    networks,
    "PATCH",
    ONE,
    takes=PatchedNetworkSchema,
    examples=PATCHED_NETWORK,
    gives=NetworkSchema,
    answer=NETWORK,
    errors=(404,),
)
def edit_network(changes: JsonObject, network_id: int) -> JsonObject:
    """Edit some fields of a network."""
    return network_answer(services().networks.update(account_id(), network_id, **changes))


@endpoint(
    networks,
    "PUT",
    ONE,
    takes=ReplacedNetworkSchema,
    examples=REPLACED_NETWORK,
    gives=NetworkSchema,
    answer=NETWORK,
    errors=(404,),
)
def replace_network(changes: JsonObject, network_id: int) -> JsonObject:
    """Replace all editable fields of a network."""
    return network_answer(services().networks.update(account_id(), network_id, **changes))


@endpoint(networks, "DELETE", ONE, status=204, errors=(404,))
def delete_network(network_id: int) -> Response:
    """Delete a network, its files and its versions."""
    deleted = services().networks.delete(account_id(), network_id)
    try:
        services().weights.delete(deleted.weights_key)
    except StoreError:
        log.exception("network %d is deleted, but its files %s remain for a day", network_id, deleted.weights_key)
    return Response(status=204)


@endpoint(
    networks,
    "POST",
    f"{ONE}/inference",
    takes=TensorsRequestSchema,
    gives=AcceptedTaskSchema,
    answer=ACCEPTED,
    status=202,
    also=(200,),
    errors=(404, 409),
    arguments=[PREFER, IDEMPOTENCY_KEY],
    examples=INFERENCE,
    multipart=TENSORS_MULTIPART,
)
def run_network(asked: JsonObject, network_id: int) -> Response:
    """Run images through a network; the task holds the raw tensors."""
    return accept(tensors_task(services().networks.get(account_id(), network_id), asked))


@endpoint(
    networks,
    "POST",
    f"{PUBLIC_ONE}/inference",
    takes=TensorsRequestSchema,
    gives=AcceptedTaskSchema,
    answer=ACCEPTED,
    status=202,
    also=(200,),
    errors=(404, 409),
    arguments=[PREFER, IDEMPOTENCY_KEY],
    examples=INFERENCE,
    multipart=TENSORS_MULTIPART,
)
def run_public_network(asked: JsonObject, slug: str) -> Response:
    """Run images through a public network; the task holds the raw tensors."""
    return accept(tensors_task(services().networks.get(None, slug), asked))


@endpoint(
    networks,
    "POST",
    f"{ONE}/inference/bulk",
    takes=BulkTensorsSchema,
    gives=BulkAnswerSchema,
    answer=BULK_ANSWER,
    status=202,
    errors=(404, 409),
    examples=BULK,
    multipart=BULK_MULTIPART,
    arguments=[IDEMPOTENCY_KEY],
)
def run_network_in_bulk(asked: JsonObject, network_id: int) -> Response:
    """Run many images through a network, one task for each."""
    return accept_bulk(asked, partial(tensors_task, services().networks.get(account_id(), network_id)))


@endpoint(
    networks,
    "POST",
    f"{PUBLIC_ONE}/inference/bulk",
    takes=BulkTensorsSchema,
    gives=BulkAnswerSchema,
    answer=BULK_ANSWER,
    status=202,
    errors=(404, 409),
    examples=BULK,
    multipart=BULK_MULTIPART,
    arguments=[IDEMPOTENCY_KEY],
)
def run_public_network_in_bulk(asked: JsonObject, slug: str) -> Response:
    """Run many images through a public network, one task for each."""
    return accept_bulk(asked, partial(tensors_task, services().networks.get(None, slug)))
