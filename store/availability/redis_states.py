"""Decides what an error of Redis means. The only module that reads such errors.

A Redis that is gone, frozen, read-only, loading, without rights or without a disk is one thing to every process: the
ledger is away. They wait for it and continue; the sentence says in which state it is.
"""

import re
from collections.abc import Mapping

import redis

from store.errors import LedgerAway, LedgerFull

FULL = "The task queue has no memory left. What is in it continues, and makes room."
NOT_REACHABLE = "The task queue is not reachable."
NO_ANSWER = "The task queue does not answer in time."
AWAY = "The task queue is away: {state}."
UNKNOWN = "Redis refuses a command, and the log says why"

_REPLICA = "Redis is a read-only replica"
_NO_RIGHTS = "the access rules of Redis do not permit a command"
_NO_LOGIN = "Redis refuses the user or the password of RECOQ_REDIS_URL"
_CLUSTER = "Redis is a node of a cluster, and a single server is needed"
_STATES: Mapping[str, str] = {
    "READONLY": _REPLICA,
    "UNBLOCKED": _REPLICA,
    "REDIRECT": _REPLICA,
    "MISCONF": "Redis cannot write to its disk, so it takes no changes",
    "NOREPLICAS": "Redis has too few replicas, so it takes no changes",
    "MASTERDOWN": "Redis is a replica that has lost its master",
    "LOADING": "Redis is loading its data",
    "BUSY": "Redis is busy with a script",
    "NOSCRIPT": "Redis forgets its scripts",
    "NOPERM": _NO_RIGHTS,
    "NOAUTH": _NO_LOGIN,
    "WRONGPASS": _NO_LOGIN,
    "CLUSTERDOWN": _CLUSTER,
    "TRYAGAIN": _CLUSTER,
    "MOVED": _CLUSTER,
    "ASK": _CLUSTER,
    "CROSSSLOT": _CLUSTER,
}
_TEXTS: Mapping[str, str] = {  # errors without a code of their own, such as those of scripts in Redis 6
    "executing the script can't": _NO_RIGHTS,
    "ACL failure in script": _NO_RIGHTS,
    "max number of clients reached": "Redis has as many clients as it may have",
    "DENIED Redis is running in protected mode": "Redis is in protected mode and takes local clients only",
}
# Another server may have taken its place: who connects anew looks its name up again.
_REPLACED = frozenset({"READONLY", "UNBLOCKED", "REDIRECT", "MASTERDOWN"})
_CODES = re.compile(rf"\b({'|'.join((*_STATES, 'OOM'))})\b")


class NoAnswer(redis.ConnectionError):
    """Redis was not asked, because it does not answer at present."""


def ledger_away(error: Exception) -> LedgerAway | LedgerFull:
    """Return the store's error for one that redis-py has raised, or for one of the connection below it."""
    code = _code(error)
    if code == "OOM":
        return LedgerFull(FULL)
    state = _STATES.get(code) or _state_of_text(str(error))
    if state is not None:
        return LedgerAway(AWAY.format(state=state))
    if isinstance(error, redis.AuthenticationError | redis.exceptions.AuthorizationError):
        return LedgerAway(AWAY.format(state=_NO_LOGIN))
    if isinstance(error, redis.TimeoutError | TimeoutError | NoAnswer):
        return LedgerAway(NO_ANSWER)
    if isinstance(error, redis.ResponseError):
        return LedgerAway(AWAY.format(state=UNKNOWN))
    return LedgerAway(NOT_REACHABLE)


def is_replaced(error: Exception) -> bool:
    """Tell whether another server may have taken the place of the one that gave this answer."""
    return _code(error) in _REPLACED


def _code(error: Exception) -> str:
    """Return the code of an answer; of an error within a script, Redis 6 gives it in the text only."""
    status = getattr(error, "status_code", None)
    if status in _STATES or status == "OOM":
        return str(status)
    found = _CODES.search(str(error)) if isinstance(error, redis.ResponseError) else None
    return found[1] if found else ""


def _state_of_text(text: str) -> str | None:
    return next((state for part, state in _TEXTS.items() if part in text), None)
