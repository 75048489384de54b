"""Requests are counted by account, over all processes, and refused with a pause beyond the limit."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from api.app import create_app
from api.services import Services, open_services
from config.settings import Settings
from store.migrate import migrate
from tests.unit.api.callers import Caller

LIMIT = 5


@pytest.fixture
def limited(api_settings: Settings, services: Services, empty_redis: str) -> Iterator[Services]:
    settings = replace(api_settings, max_requests_per_second=LIMIT, redis_url=empty_redis)
    migrate(settings.database_url)
    opened = open_services(settings)
    yield opened
    opened.close()


def caller(services: Services, key: str) -> Caller:
    return Caller(create_app(services.settings, services).test_client(), key)


def test_requests_beyond_the_limit_are_refused_with_a_pause(limited: Services, admin: Caller) -> None:
    processes = [caller(limited, admin.key), caller(limited, admin.key)]
    answers = [processes[number % 2].get("/accounts/me") for number in range(4 * LIMIT)]
    assert [answer.status_code for answer in answers[:LIMIT]] == [200] * LIMIT
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert refused[0].headers["Retry-After"] == "1"
    assert "5 requests a second" in refused[0].get_json()["error"]


def test_one_accounts_requests_cost_others_nothing(limited: Services, admin: Caller, stranger: Caller) -> None:
    mine = caller(limited, admin.key)
    while mine.get("/accounts/me").status_code != 429:
        pass
    assert caller(limited, stranger.key).get("/accounts/me").status_code == 200


def test_nobody_is_refused_for_want_of_redis(api_settings: Settings, admin: Caller) -> None:
    away = open_services(replace(api_settings, max_requests_per_second=1, redis_url="redis://127.0.0.1:1/0"))
    assert [caller(away, admin.key).get("/accounts/me").status_code for _ in range(3)] == [200] * 3
    away.close()


def test_no_limit_is_the_default(services: Services, admin: Caller) -> None:
    assert services.settings.max_requests_per_second == 0
    assert {admin.get("/accounts/me").status_code for _ in range(50)} == {200}
