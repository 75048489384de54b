"""Only the name or address of a host gets into the links of an answer."""

from dataclasses import replace

import pytest
from flask import Flask

from api.app import create_app
from api.services import Services
from config.settings import Settings
from tests.unit.api.callers import Caller

PATH = "/recognition/specs?limit=1"
NONSENSE = [
    "",
    " ",
    "a b",
    "a/../b",
    "a/x?y=",
    "<script>",
    "user@a",
    "a,b",
    "a:b",
    "a:99999",
    "a:-1",
    "[::1",
    "[::g]",
    "::1",
    "a..b",
    ".a",
    "-a",
    "é",
    "a\x7f",
    "a" * 64,
    "a." * 140,
    "a" * 5000,
]


@pytest.fixture(scope="module")
def lists(admin: Caller) -> Caller:
    """A caller whose lists have a second page."""
    for _ in range(2):
        admin.spec()
    return admin


@pytest.mark.parametrize("host", NONSENSE)
def test_nonsense_is_refused(lists: Caller, host: str) -> None:
    response = lists.get(PATH, environ_overrides={"HTTP_HOST": host})
    assert response.status_code == 400
    assert response.get_json() == {
        "error": "The host of this request is not valid; Host must be a name or address, with a port."
    }


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("recoq.example", "recoq.example"),
        ("RECOQ.example.:8000", "RECOQ.example.:8000"),
        ("recoq_api:8000", "recoq_api:8000"),
        ("recoq.example:80", "recoq.example"),
        ("recoq.example:443", "recoq.example:443"),
        ("127.0.0.1:8000", "127.0.0.1:8000"),
        ("[::1]:8000", "[::1]:8000"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_links_begin_with_the_host_as_it_was_sent(lists: Caller, host: str, shown: str) -> None:
    response = lists.get(PATH, environ_overrides={"HTTP_HOST": host})
    assert response.get_json()["next"].startswith(f"http://{shown}/v0.7/recognition/specs?")


@pytest.fixture(scope="module")
def behind(api_settings: Settings, services: Services) -> Flask:
    return create_app(replace(api_settings, trusted_proxies=1), services)


@pytest.mark.parametrize(
    "forwarded",
    [{"X-Forwarded-Host": "a/b"}, {"X-Forwarded-Host": "user@a"}, {"X-Forwarded-Proto": "javascript"}],
    ids=str,
)
def test_nonsense_that_a_trusted_proxy_passes_on_is_refused(
    lists: Caller, behind: Flask, forwarded: dict[str, str]
) -> None:
    response = Caller(behind.test_client(), lists.key).get(PATH, headers=forwarded)
    assert response.status_code == 400
    assert not {*forwarded.values()} & {*response.get_json()["error"].split()}


def test_links_keep_arguments_byte_for_byte(lists: Caller) -> None:
    query = "x=%FF&y=%C3%A9+%26&y=&offset=0"
    assert lists.get(f"{PATH}&{query}").get_json()["next"].endswith("?x=%FF&y=%C3%A9+%26&y=&offset=1&limit=1")


def test_health_and_pages_are_held_to_the_same(app: Flask) -> None:
    for path in ("/healthz", "/", "/v0.7/openapi.json"):
        assert app.test_client().get(path, environ_overrides={"HTTP_HOST": "a b"}).status_code == 400
