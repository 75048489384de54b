"""The keys and arguments with which the ledger calls its longer scripts, as the heads of these describe them."""

from collections.abc import Sequence
from typing import Any

import orjson

from store.ledger_scripts import Call
from store.task_ids.issue import Issue
from store.task_keys import (
    BACKLOG_KEY,
    COUNTER_KEY,
    DEADLINES_KEY,
    DRAINED_PREFIX,
    EPOCH_KEY,
    IDEMPOTENCY_PREFIX,
    INPUTS_PREFIX,
    LEASES_KEY,
    PENDING_NETWORKS_KEY,
    PENDING_PREFIX,
    REGISTRY_STAMP_KEY,
    TASK_PREFIX,
    WAITING_PREFIX,
    WEBHOOKS_CHANNEL,
    WEBHOOKS_KEY,
)
from store.task_messages import ID_PLACEHOLDER, TAG_PLACEHOLDER, message_template
from store.task_records import Ending, NewTask

REMEMBERED_SECONDS = 24 * 3600  # for so long an idempotency key means the same task
WEBHOOK_TTL_SECONDS = 25 * 3600  # an hour more than deliveries are tried, so that it can be seen how they went


def submit_call(new: NewTask, limits: bytes, ttl_seconds: int, issue: Issue | None = None) -> Call:
    """Return the call of ``submit.lua`` that accepts a task within ``limits`` (JSON), with an ID if it is given one.

    The record of one that has ended is kept for ``ttl_seconds``, and no input of it is staged.
    """
    keys = [COUNTER_KEY, WAITING_PREFIX + new.line, BACKLOG_KEY, PENDING_NETWORKS_KEY, new.line]
    keys += [DEADLINES_KEY, REGISTRY_STAMP_KEY, WEBHOOKS_KEY, EPOCH_KEY]
    arguments: list[Any] = [TASK_PREFIX, INPUTS_PREFIX, new.account_id, new.kind.value, new.line]
    arguments += [orjson.dumps(new.request), new.request.get("version_id", ""), limits]
    arguments += [new.network_id, PENDING_PREFIX]
    arguments += [message_template(new.kind, new.queue), ID_PLACEHOLDER, TAG_PLACEHOLDER]
    return keys, [*arguments, orjson.dumps(_options(new, ttl_seconds, issue)), *(() if new.ended_with else new.inputs)]


def _options(new: NewTask, ttl_seconds: int, issue: Issue | None) -> dict[str, Any]:
    """Return the cost, and what not all tasks have."""
    options: dict[str, Any] = {"cost": new.cost.text}
    if issue is not None:
        options["issue"] = issue.as_option()
    if new.ended_with is not None:
        options["ended"] = {
            "error": new.ended_with,
            "kept": ttl_seconds,
            "kept_with_webhook": WEBHOOK_TTL_SECONDS,
            "channel": WEBHOOKS_CHANNEL,
        }
    if new.deadline_seconds is not None:
        options["deadline"] = new.deadline_seconds
    if new.awaited_on is not None:
        options["awaited"] = new.awaited_on
    if new.registry_stamp is not None:
        options["stamp"] = new.registry_stamp
    if new.webhook is not None:
        options["webhook"] = {"url": new.webhook.url, "events": ",".join(new.webhook.events)}
    if new.idempotency is not None:
        options["idempotency"] = {
            "key": f"{IDEMPOTENCY_PREFIX}{new.account_id}:{new.idempotency.key}",
            "fingerprint": new.idempotency.fingerprint,
            "seconds": REMEMBERED_SECONDS,
        }
    return options


def claim_call(task_id: str, arguments: Sequence[Any]) -> Call:
    """Return the call of ``claim.lua`` that takes a task; ``arguments`` are those after its ID."""
    return [TASK_PREFIX + task_id, INPUTS_PREFIX + task_id, LEASES_KEY, DEADLINES_KEY], [task_id, *arguments]


def finish_call(ending: Ending, ttl_seconds: int) -> Call:
    """Return the call of ``finish.lua`` that ends a task, whose record is kept for ``ttl_seconds``."""
    task_id, outcome = ending.task_id, ending.outcome
    keys = [TASK_PREFIX + task_id, INPUTS_PREFIX + task_id, LEASES_KEY, BACKLOG_KEY, PENDING_NETWORKS_KEY]
    arguments: list[Any] = [task_id, "" if ending.fence is None else ending.fence, outcome.status.value]
    arguments += [outcome.error or "", outcome.data or b"", ttl_seconds]
    arguments += [WAITING_PREFIX, outcome.stages or b"", DRAINED_PREFIX, PENDING_PREFIX]
    arguments += [WEBHOOKS_CHANNEL, WEBHOOK_TTL_SECONDS, f"{ending.extra_seconds:.6f}"]
    return [*keys, DEADLINES_KEY, WEBHOOKS_KEY], arguments
