"""Cuts lists into pages and links them: ``offset``, ``limit``, ``count``, ``next``, ``previous``, ``results``."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import request

from api.hosts import own_url
from api.query import asked_integer

DEFAULT_LIMIT = 100
LARGEST_LIMIT = 1000
LARGEST_OFFSET = 2**63 - 1 - LARGEST_LIMIT


@dataclass(frozen=True)
class PageRequest:
    """Which part of a list is asked for."""

    offset: int
    limit: int


def asked_page() -> PageRequest:
    """Return the page that the query of this request asks for.

    Raises:
        InvalidRequest: if ``offset`` or ``limit`` is not a number in its range.
    """
    return PageRequest(
        asked_integer("offset", 0, 0, LARGEST_OFFSET), asked_integer("limit", DEFAULT_LIMIT, 1, LARGEST_LIMIT)
    )


def _link(offset: int, limit: int) -> str:
    # Latin-1 takes each byte for a character: what is not UTF-8 comes back as it was.
    asked = parse_qsl(request.query_string.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    others = [(name, value) for name, value in asked if name not in ("offset", "limit")]
    return f"{own_url()}?{urlencode([*others, ('offset', offset), ('limit', limit)], encoding='latin-1')}"


def page_answer(page: PageRequest, results: Iterable[Any], total: int) -> dict[str, Any]:
    """Return the page with links to its neighbours, which keep the other arguments of this request's query."""
    after, before = page.offset + page.limit, max(page.offset - page.limit, 0)
    return {
        "count": total,
        "next": _link(after, page.limit) if after < total else None,
        "previous": _link(before, page.limit) if page.offset > 0 else None,
        "results": list(results),
    }
